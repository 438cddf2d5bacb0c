#!/usr/bin/env python3
"""eyear's session beside ONNX Runtime's C interface and beside Python, on the encoder of pictures: round by round in turns, one
thread each, medians.

    pip install onnxruntime==1.28.0    # the version that .ci/setup brings
    benches/overhead.py [--rounds 100]

The first two are one process (`cargo bench --bench overhead`), which waits while Python has its turn. `run` makes its outputs
anew; `run_with_iobinding` writes them where they were last time, as eyear does. Beside the time on the clock stands that of the
processor, which on a machine with other work is the one to go by.
"""

import argparse
import json
import statistics
import subprocess
import time
from pathlib import Path

import numpy as np
import onnxruntime

HERE = Path(__file__).resolve().parents[1]
ROW = "vision-lite0 int8, 448 x 448"
SIZE = (1, 3, 448, 448)
# As many as the other process times in a round, after one that is not.
RUNS = 5


def ways():
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    model = str(HERE / "models/vision-lite0/vision-lite0.int8.onnx")
    bare, bound = (onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"]) for _ in range(2))
    pixels = np.random.default_rng(0).uniform(-1, 1, SIZE).astype(np.float32)
    names = [output.name for output in bare.get_outputs()]
    binding = bound.io_binding()
    binding.bind_ortvalue_input("pixels", onnxruntime.OrtValue.ortvalue_from_numpy(pixels))
    for name, value in zip(names, bare.run(names, {"pixels": pixels})):
        binding.bind_ortvalue_output(name, onnxruntime.OrtValue.ortvalue_from_numpy(value))
    return {
        "python run": lambda: bare.run(names, {"pixels": pixels}),
        "python run_with_iobinding": lambda: bound.run_with_iobinding(binding),
    }


def turn(run):
    run()
    took = []
    for _ in range(RUNS):
        processor, start = time.thread_time(), time.perf_counter()
        run()
        took.append([1e3 * (time.perf_counter() - start), 1e3 * (time.thread_time() - processor)])
    return took


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--bench", help="the benchmark where it is built [default: built here]")
    arguments = parser.parse_args()
    built = ["cargo", "bench", "--quiet", "--locked", "--bench", "overhead", "--"]
    command = [*([arguments.bench] if arguments.bench else built), "--turns"]
    rust = subprocess.Popen(command, cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    pythons, took = ways(), {}
    for turns in range(arguments.rounds):
        order = list(pythons)[:: 1 if turns % 2 else -1]
        own = {name: turn(pythons[name]) for name in order}
        rust.stdin.write(f"{turns}\n")
        rust.stdin.flush()
        for name, times in (json.loads(rust.stdout.readline())[ROW] | own).items():
            took.setdefault(name, []).append(times)
    rust.stdin.close()
    rust.wait()
    print(f"{ROW}, python's onnxruntime {onnxruntime.__version__}, {arguments.rounds} rounds in turns, one thread")
    for i, of in enumerate(("clock", "processor")):
        tell(of, {name: [[run[i] for run in turn] for turn in rounds] for name, rounds in took.items()})


def tell(of, took):
    """Medians, their ratios, and between which ratios half of the rounds lie."""
    median = statistics.median
    p50 = {name: median(sum(rounds, [])) for name, rounds in took.items()}
    against = ["C API", "python run", "python run_with_iobinding"]
    print(f"{of:26}{'p50 ms':>9}" + "".join(f"{'to ' + name:>30}" for name in against))
    for name, rounds in took.items():
        row = f"{name:26}{p50[name]:9.3f}"
        for other in against:
            ratios = [median(a) / median(b) for a, b in zip(rounds, took[other])]
            low, _, high = statistics.quantiles(ratios, n=4)
            row += f"{f'{p50[name] / p50[other]:.4f} ({low:.3f} to {high:.3f})':>30}"
        print(row)


if __name__ == "__main__":
    main()

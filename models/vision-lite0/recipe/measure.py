"""Prints how long each variant takes on this machine, and which kernels ONNX Runtime makes of it.

    python measure.py

Times are the least of 30 runs, spinning off.
"""

import tempfile
import time
from collections import Counter

import numpy as np
import onnx

from build import FILES, PACKAGE
from quantize import session

SIZES = [224, 256, 320, 384]
RUNS = 30


def main():
    print("ms            " + "".join(f"{size:>8d}" for size in SIZES))
    for threads in (1, 2):
        for precision, file in FILES.items():
            network = session(onnx.load(PACKAGE / file), threads)
            times = "".join(f"{least_ms(network, size):8.2f}" for size in SIZES)
            print(f"{precision}, {threads} thread{'s'[: threads > 1]:3s}{times}")
    for precision, file in FILES.items():
        kernels = ", ".join(f"{count} {name}" for name, count in kernels_of(file).most_common())
        print(f"{precision}: {kernels}")


def least_ms(network, size):
    pixels = np.random.default_rng(0).uniform(-1, 1, (1, 3, size, size)).astype(np.float32)
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        network.run(None, {"pixels": pixels})
        times.append(time.perf_counter() - start)
    return min(times) * 1000


def kernels_of(file):
    """Operators of the graph as ONNX Runtime runs it here."""
    with tempfile.NamedTemporaryFile(suffix=".onnx") as optimized:
        session(onnx.load(PACKAGE / file), optimized=optimized.name)
        return Counter(node.op_type for node in onnx.load(optimized.name).graph.node)


if __name__ == "__main__":
    main()

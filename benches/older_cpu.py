#!/usr/bin/env python3
"""int8 beside fp32 on older processors, whose features are a part of this one's: in turns, medians.

    benches/older_cpu.py --eyear target/release/eyear --library third_party/onnxruntime/x86_64/libonnxruntime.so [--rounds 9]
    … --openvino third_party/openvino/onnxruntime/capi/libonnxruntime.so.1.24.1

In copies of the program and of the runtime every `cpuid` is replaced, and `older_cpu.c`, preloaded, answers in its place: it
leaves out what an older processor lacks, so that all choose the code that they would choose there. The instructions are
older, caches, memory and clock are not: trust the ratio of int8 to fp32 and the likeness, not the milliseconds. These are of
processor time, what many runs take longer than few: a machine with other work does not disturb them. A part that is taught with
all features is judged by each level too. x86-64 Linux, binutils and a C compiler.
"""

import argparse
import hashlib
import json
import os
import resource
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
DATA = HERE.parent / "tests" / "data" / "cookie"
LEVELS = {"as it is": "", "avx-vnni": "avx-vnni", "avx512": "avx512", "avx2": "avx2"}
CPUID, MARK = b"\x0f\xa2", b"\x0f\x04"
EXECUTABLE, LOADED = 1, 1


def blinded(source, into):
    """A copy whose `cpuid` instructions are marks; how many there were."""
    code = bytearray(source.read_bytes())
    table, size, count = *struct.unpack_from("<Q", code, 32), *struct.unpack_from("<HH", code, 54)
    segments = [struct.unpack_from("<IIQQQQ", code, table + i * size) for i in range(count)]
    # Disassembled, for the two bytes stand in numbers and addresses as well.
    told = subprocess.Popen(["objdump", "-d", "--no-show-raw-insn", source], stdout=subprocess.PIPE, text=True)
    found = 0
    for line in told.stdout:
        place, tab, instruction = line.partition(":\t")
        if not tab or instruction.strip() != "cpuid":
            continue
        address = int(place, 16)
        for kind, flags, offset, start, _, length in segments:
            if kind == LOADED and flags & EXECUTABLE and start <= address < start + length:
                at = offset + address - start
                assert code[at : at + 2] == CPUID, f"{source}: no cpuid at {address:#x}"
                code[at : at + 2] = MARK
                found += 1
    if told.wait():
        sys.exit(f"objdump does not read {source}")
    into.write_bytes(code)
    into.chmod(0o755)
    return found


def all_blinded(folder, into):
    """The same of each library in a folder, for a provider brings its own."""
    into.mkdir()
    known = {}
    for file in sorted(folder.glob("*.so*")):
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        if digest in known:
            shutil.copy(known[digest], into / file.name)
        elif "_gpu_" not in file.name and "_npu_" not in file.name and "pybind" not in file.name:
            blinded(file, into / file.name)
            known[digest] = into / file.name


class Machine:
    def __init__(self, arguments, folder):
        self.folder = folder
        self.eyear, self.preload = folder / "eyear", folder / "older_cpu.so"
        compiler = ["cc", "-O2", "-shared", "-fPIC", "-o", self.preload, HERE / "older_cpu.c"]
        subprocess.run(compiler, check=True)
        self.libraries = {"cpu": folder / "libonnxruntime.so"}
        counts = [blinded(arguments.eyear, self.eyear), blinded(arguments.library, self.libraries["cpu"])]
        print(f"replaced: {counts[0]} cpuid of the program, {counts[1]} of the library", file=sys.stderr)
        if arguments.openvino:
            all_blinded(arguments.openvino.parent, folder / "openvino")
            self.libraries["openvino"] = folder / "openvino" / arguments.openvino.name
        self.models = os.environ.get("EYEAR_MODELS", str(HERE.parent / "models"))

    def run(self, level, provider, *arguments):
        # No cache: what was compiled by one level must not serve another.
        with tempfile.TemporaryDirectory(dir=self.folder) as cache:
            own = {"EYEAR_CACHE": cache, "EYEAR_MODELS": self.models, "ORT_DYLIB_PATH": str(self.libraries[provider])}
            own |= {"LD_PRELOAD": str(self.preload), "OLDER_CPU": LEVELS[level]}
            done = subprocess.run([self.eyear, *arguments], env=os.environ | own, capture_output=True, text=True)
        if done.returncode not in (0, 1):
            sys.exit(f"{level}: {done.stderr.strip()} ({done.returncode})")
        return done.stdout


def instructions(machine, level):
    return json.loads(machine.run(level, "cpu", "doctor", "--json"))["machine"]["instructions"]


def processor_ms():
    """Of all processes that were waited for."""
    of = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1e3 * (of.ru_utime + of.ru_stime)


def tried(machine, level, provider, model, precision, runs):
    """One trial as `eyear prepare` makes it, and the processor time of its process."""
    way = {"backend": "onnxruntime", "provider": {"name": provider}, "precision": precision, "threads": 1}
    before = processor_ms()
    told = machine.run(level, provider, "prepare", "--one", json.dumps(way), "--model", model, "--rounds", str(runs))
    return json.loads(told.splitlines()[-1]), processor_ms() - before


def timed(machine, arguments):
    """{(model, provider, level): {precision: [(ms, likeness)]}}, one for each round."""
    found = {}
    for turn in range(arguments.rounds):
        ways = [(level, provider) for level in LEVELS for provider in machine.libraries]
        for level, provider in ways[turn % len(ways) :] + ways[: turn % len(ways)]:
            for model in arguments.model:
                for precision in ("fp32", "int8"):
                    few, many = (tried(machine, level, provider, model, precision, runs) for runs in (1, 1 + arguments.runs))
                    ms = (many[1] - few[1]) / arguments.runs
                    row = found.setdefault((model, provider, level), {})
                    row.setdefault(precision, []).append((ms, many[0]["similarity"]))
    return found


def judged(machine):
    """{level: reports}: of pictures, by a part that was taught with all that there is."""
    part = machine.folder / "biscuit"
    machine.run("as it is", "cpu", "teach", part, "--good", DATA / "train" / "good", "--threads", "1")
    pictures = [DATA / "test" / "good", DATA / "test" / "broken"]
    command = ["inspect", part, *pictures, "--json", "--threads", "1"]
    return {level: [json.loads(line) for line in machine.run(level, "cpu", *command).splitlines()] for level in LEVELS}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--eyear", type=Path, default=Path("target/release/eyear"))
    parser.add_argument("--library", type=Path, required=True, help="of ONNX Runtime")
    parser.add_argument("--openvino", type=Path, help="of ONNX Runtime with OpenVINO")
    parser.add_argument("--model", nargs="+", default=["vision-lite0", "sound-lite0"])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--runs", type=int, default=40, help="of a model in a round")
    arguments = parser.parse_args()
    median = statistics.median
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(arguments, Path(folder))
        for level in LEVELS:
            print(f"{level:9} {', '.join(instructions(machine, level))}")
        print(f"\n{'model':13} {'provider':9} {'processor':9} {'fp32 ms':>8} {'int8 ms':>8} {'fp32/int8':>10}  like the reference")
        for (model, provider, level), row in sorted(timed(machine, arguments).items()):
            fp32, int8 = ([ms for ms, _ in row[precision]] for precision in ("fp32", "int8"))
            ratio = median(a / b for a, b in zip(fp32, int8))
            alike = [min(likeness for _, likeness in row[precision]) for precision in ("fp32", "int8")]
            likeness = f"fp32 {alike[0]:.6f}, int8 {alike[1]:.6f}"
            print(f"{model:13} {provider:9} {level:9} {median(fp32):8.2f} {median(int8):8.2f} {ratio:10.2f}  {likeness}")
        reports = judged(machine)
        print(f"\n{'biscuits':9} verdicts  scores off, of the limit   encode ms  judge ms")
        for level, own in reports.items():
            both = list(zip(reports["as it is"], own))
            same = sum(a["verdict"] == b["verdict"] for a, b in both)
            off = max(abs(a["score"] - b["score"]) / a["limit"] for a, b in both)
            encode, judge = (median(report["ms"][stage] for report in own) for stage in ("encode", "judge"))
            print(f"{level:9} {same:2} of {len(both)}  {100 * off:21.4f} %  {encode:10.2f} {judge:9.2f}")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""eyear beside the peer that one would take instead: anomalib's PatchCore with the same backbone.

    benches/peers/compare.py DATASET... [--eyear target/release/eyear] [--threads N] [--rounds 2] [--out runs.json]

DATASET is a folder in MVTec layout. Both are taught from train/good and judge all of test/, on the same processors.
The judging goes in turns (eyear, peer, eyear, peer), each in a process of its own, so that other work on the machine
falls on both; a figure of time is the median of its rounds, memory their greatest.

anomalib picks its bank greedily, each cell after a look at all: with hundreds of pictures that takes hours. Teaching
that lasts longer than --patience is stopped, which is told, and the peer judges with as many cells drawn at random:
it is as fast and as large as with its own choice, and about as accurate.

One thread each by default: on a machine with other work, two threads that wait for each other measure that work
(torch was slower with two than with one), and eyear would gain by it.
"""
import argparse
import importlib.metadata
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parents[1] / "models/vision-lite0"
PEER = [sys.executable, str(HERE / "patchcore.py")]
# With glibc 2.36 the peer sometimes kept each of its temporaries, if these were a little under 32 MiB, until the
# machine had no memory left. Mapped memory is given back at once, and in huge pages it costs no time.
PEER_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(16 << 20), "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
COLUMNS = [
    ("image_auroc", "image AUROC", "{:.3f}"),
    ("pixel_auroc", "pixel AUROC", "{:.3f}"),
    ("aupro", "AUPRO 30 %", "{:.3f}"),
    ("ms", "ms/picture", "{:.1f}"),
    ("images_per_s", "pictures/s", "{:.1f}"),
    ("peak_memory_mb", "peak MB", "{:.0f}"),
    ("memory_mb", "memory on disk, MB", "{:.1f}"),
    ("teach_s", "teaching, s", "{:.1f}"),
]


def run(command, threads, patience=None):
    """What it printed, and the seconds it took. TimeoutError, with what it said meanwhile, when patience ran out."""
    environment = {**os.environ, **(PEER_MEMORY if command[: len(PEER)] == PEER else {})}
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
        environment[name] = str(threads)
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as errors:
        try:
            done = subprocess.run(
                list(map(str, command)), stdout=subprocess.PIPE, stderr=errors, text=True, env=environment,
                timeout=patience,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            errors.seek(0)
            raise TimeoutError(errors.read()) from None
        if done.returncode:
            errors.seek(0)
            said = errors.read()  # a panic begins with its cause, a traceback ends with it
            raise SystemExit(f"{' '.join(map(str, command))}: exit {done.returncode}\n{said[:800]}\n…\n{said[-800:]}")
    return done.stdout, time.perf_counter() - start


def last_json(text):
    return json.loads(text.splitlines()[-1])


def size_mb(path):
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6


def teach_peer(dataset, bank, wanted):
    command = [*PEER, "teach", dataset, bank, "--ratio", wanted.ratio]
    try:
        printed, took = run(command, wanted.threads, wanted.patience)
        return {**last_json(printed), "teach_s": took}, ""
    except TimeoutError as late:
        picked = re.findall(r"(\d+)/(\d+) \[[\d:]+<([\d:]+)", str(late))  # its progress bar
    done, of, left = picked[-1] if picked else ("0", "?", "?")
    note = (
        f"the peer's teaching was stopped after {wanted.patience:.0f} s, {done} of {of} cells picked and by its own "
        f"progress bar {left} to go; it judged with as many cells drawn at random"
    )
    printed, _ = run([*command, "--at-random"], wanted.threads)
    return {**last_json(printed), "teach_s": None}, note


def summary(rounds, teach_s, memory_mb):
    figures = {key: rounds[0][key] for key in ("image_auroc", "pixel_auroc", "aupro")}
    figures["ms"] = statistics.median(one["latency_ms"]["p50"] for one in rounds)
    figures["images_per_s"] = statistics.median(one["images_per_s"] for one in rounds)
    figures["peak_memory_mb"] = max(one["peak_memory_mb"] for one in rounds)
    return {**figures, "memory_mb": memory_mb, "teach_s": teach_s}


def compare(dataset, wanted):
    with tempfile.TemporaryDirectory() as scratch:
        part, bank = Path(scratch, "part"), Path(scratch, "bank.pt")
        threads = ["--threads", wanted.threads]
        teach = [wanted.eyear, "teach", part, "--good", dataset / "train/good", *threads]
        _, eyear_s = run(teach, wanted.threads)
        taught, note = teach_peer(dataset, bank, wanted)
        rounds = {"eyear": [], "anomalib": []}
        for _ in range(wanted.rounds):
            judge = [wanted.eyear, "eval", dataset, "--part", part, "--json", *threads]
            rounds["eyear"].append(last_json(run(judge, wanted.threads)[0]))
            rounds["anomalib"].append(last_json(run([*PEER, "judge", dataset, bank], wanted.threads)[0]))
        judged = [rounds[who][0]["judged"] for who in rounds]
        if judged[0] != judged[1]:
            raise SystemExit(f"{dataset}: eyear judged {judged[0]} good and bad pictures, the peer {judged[1]}")
        eyear = summary(rounds["eyear"], eyear_s, size_mb(part))
        peer = summary(rounds["anomalib"], taught["teach_s"], size_mb(bank))
    return {"dataset": dataset.name, "taught": taught, "note": note, "eyear": eyear, "anomalib": peer, "rounds": rounds}


def rows(result, wanted):
    eyear, peer = result["eyear"], result["anomalib"]
    good, bad = result["rounds"]["eyear"][0]["judged"]
    cells = result["taught"]["cells"]
    late = f"> {wanted.patience:.0f}"

    def line(name, values):
        return "| " + " | ".join([name, *values]) + " |"

    def shown(figures, unknown):
        return [form.format(figures[key]) if figures[key] is not None else unknown for key, _, form in COLUMNS]

    ratios = [f"{eyear[key] / peer[key]:.3g}" if eyear[key] and peer[key] else "" for key, _, _ in COLUMNS]
    if result["note"]:
        ratios[-1] = f"< {eyear['teach_s'] / wanted.patience:.2g}"
    yield line(f"**{result['dataset']}** ({result['taught']['taught']}; {good}, {bad}): eyear", shown(eyear, "–"))
    yield line(f"anomalib, {cells} cells" + (" at random" if result["note"] else ""), shown(peer, late))
    yield line("eyear / anomalib", ratios)


def processor():
    described = Path("/proc/cpuinfo")
    lines = described.read_text().splitlines() if described.is_file() else []
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), "processor unknown")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("datasets", nargs="+", type=Path, metavar="DATASET")
    arguments.add_argument("--eyear", default="target/release/eyear", help="its binary")
    arguments.add_argument("--threads", type=int, default=1, help="for each of the two")
    arguments.add_argument("--rounds", type=int, default=2, help="how often each judges")
    arguments.add_argument("--ratio", type=float, default=0.1, help="share of its cells that the peer keeps")
    arguments.add_argument("--patience", type=float, default=600, help="seconds that the peer may teach")
    arguments.add_argument("--out", type=Path, help="all figures of all rounds, as JSON")
    wanted = arguments.parse_args()
    cosines = last_json(run([*PEER, "check", PACKAGE], wanted.threads)[0])
    if min(cosines.values()) < 0.999:
        raise SystemExit(f"the peer's weights are not those of {PACKAGE.name}: cosine {cosines}")
    packages = ("anomalib", "torch", "timm")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    version = run([wanted.eyear, "--version"], wanted.threads)[0].strip()
    print(f"{version}; {versions}; {processor()}, {os.cpu_count()} cores, threads: {wanted.threads}, load {load()}")
    print("same weights, cosine: " + ", ".join(f"{name} {value:.6f}" for name, value in cosines.items()) + "\n")
    print("| set (good taught; good, bad judged) | " + " | ".join(title for _, title, _ in COLUMNS) + " |")
    print("|---" * (len(COLUMNS) + 1) + "|", flush=True)
    results = []
    for dataset in wanted.datasets:
        results.append(compare(dataset, wanted))
        print("\n".join(rows(results[-1], wanted)), flush=True)
        if wanted.out:
            wanted.out.write_text(json.dumps({"versions": versions, "cosines": cosines, "sets": results}, indent=1))
    print()
    for result in results:
        if result["note"]:
            print(f"{result['dataset']}: {result['note']}.")
    imports = statistics.median(one["memory_of_imports_mb"] for r in results for one in r["rounds"]["anomalib"])
    print(f"The peer's process holds {imports:.0f} MB once its imports are done, before it has a model.")
    print(f"Load at the end: {load()}.")


def load():
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


if __name__ == "__main__":
    main()

"""What words cost, beside the same decoder run from Python: in turns, one thread each, medians. eyear's time is that of a whole
report (fusion, grammar, every token); Python's that of the bare decoder's steps.

    pip install -r models/eyear-small/recipe/requirements.txt
    python benches/words.py PART PICTURES... --eyear target/release/eyear
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(HERE / "models" / "eyear-small" / "recipe"))

from export import Running  # noqa: E402
from model import FINDINGS, LATENTS, WIDTH  # noqa: E402
from words import SENSES  # noqa: E402


def decoded(path, tokens):
    """Milliseconds until the first token, and tokens a second after it, by ONNX Runtime from Python."""
    running = Running(path)
    latents = np.full((1, LATENTS + FINDINGS * len(SENSES), WIDTH), 0.1, np.float32)
    token = np.full((1, 1, WIDTH), 0.1, np.float32)
    start = time.perf_counter()
    running.step(latents)
    first = time.perf_counter()
    for _ in range(tokens):
        running.step(token)
    return 1e3 * (first - start), tokens / (time.perf_counter() - first)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part")
    parser.add_argument("pictures", nargs="+")
    parser.add_argument("--eyear", default="target/release/eyear")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--language", default="en")
    arguments = parser.parse_args()
    told = [arguments.eyear, "report", arguments.part, *arguments.pictures, "--json", "--threads", "1", "--language", arguments.language]
    firsts, pythons, reports, rates = [], [], [], []
    for _ in range(arguments.rounds):
        first, rate = decoded(HERE / "models/eyear-small/decoder.int8.onnx", 80)
        firsts.append(first)
        pythons.append(rate)
        lines = subprocess.run(told, capture_output=True, text=True).stdout.splitlines()
        written = [json.loads(line)["written"] for line in lines]
        written = [one for one in written[1:] if one["tokens"] > 20]  # the first one warms up
        reports += [one["ms"] for one in written]
        rates += [1e3 * one["tokens"] / one["ms"] for one in written]
    median = statistics.median
    print(f"python, bare decoder: first token {median(firsts):.1f} ms, {median(pythons):.0f} tokens/s")
    print(f"eyear, whole report: {median(reports):.1f} ms, {median(rates):.0f} tokens/s, all counted ({len(rates)} reports)")
    print(f"ratio of tokens/s: {median(rates) / median(pythons):.2f}")


if __name__ == "__main__":
    main()

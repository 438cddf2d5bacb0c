#!/usr/bin/env python3
"""Does the promise hold? Good pictures are split at random, a part is taught from one share and judges the other.

    benches/false_rejects.py FOLDER_OF_GOOD... [--splits 20] [--train 0.67] [--eyear target/release/eyear]

All folders are one pool. Prints the share of unseen good pictures with p <= 1 % and p <= 5 % over all splits, with
the 95 % interval of a rate whose unit is the picture (splits share pictures, so the interval is on the safe side
only when splits agree; their own spread is printed beside it).
"""
import argparse
import json
import math
import random
import subprocess
import tempfile
from pathlib import Path


def wilson(hits, n, z=1.96):
    rate = hits / n
    middle = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return middle - half, middle + half


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folders", nargs="+", type=Path)
    arguments.add_argument("--splits", type=int, default=20)
    arguments.add_argument("--train", type=float, default=0.67)
    arguments.add_argument("--eyear", default="target/release/eyear")
    wanted = arguments.parse_args()
    pictures = sorted(path for folder in wanted.folders for path in folder.iterdir())
    taught = round(wanted.train * len(pictures))
    levels = (0.01, 0.05)
    rates = {level: [] for level in levels}
    for seed in range(wanted.splits):
        order = pictures[:]
        random.Random(seed).shuffle(order)
        with tempfile.TemporaryDirectory() as part:
            teach = [wanted.eyear, "teach", part, "--good", *map(str, order[:taught])]
            subprocess.run(teach, check=True, capture_output=True)
            judged = subprocess.run(
                [wanted.eyear, "inspect", part, "--json", *map(str, order[taught:])], capture_output=True, text=True
            )
        p_values = [json.loads(line)["p_value"] for line in judged.stdout.splitlines()]
        for level in levels:
            rates[level].append(sum(p <= level for p in p_values) / len(p_values))
    unseen = len(pictures) - taught
    for level in levels:
        mean = sum(rates[level]) / len(rates[level])
        spread = math.sqrt(sum((rate - mean) ** 2 for rate in rates[level]) / max(1, len(rates[level]) - 1))
        low, high = wilson(mean * unseen, unseen)
        print(
            f"taught {taught}, unseen {unseen}, {wanted.splits} splits: asked {100 * level:.0f} %, "
            f"got {100 * mean:.1f} % (spread {100 * spread:.1f}; 95 % for one split: {100 * low:.1f} to {100 * high:.1f})"
        )


if __name__ == "__main__":
    main()

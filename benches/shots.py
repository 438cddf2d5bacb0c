#!/usr/bin/env python3
"""How many good pictures are enough? Teaches from few and many and judges the data set's test pictures.

    benches/shots.py DATASET... [--shots 1 5 10 20 50 400] [--seeds 5] [--eyear target/release/eyear]

Prints mean and spread (standard deviation) over the seeds, which pick the good pictures. A number of shots that a set
does not have is left out; all of its good pictures are taught once, for no seed can change them.
"""
import argparse
import json
import statistics
import subprocess
from pathlib import Path

FIGURES = {"image_auroc": "image AUROC", "pixel_auroc": "pixel AUROC", "aupro": "AUPRO"}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("datasets", nargs="+", type=Path)
    arguments.add_argument("--shots", nargs="+", type=int, default=[1, 5, 10, 20, 50, 400])
    arguments.add_argument("--seeds", type=int, default=5)
    arguments.add_argument("--eyear", default="target/release/eyear")
    wanted = arguments.parse_args()
    for dataset in wanted.datasets:
        have = sum(1 for _ in (dataset / "train/good").iterdir())
        for shots in sorted({min(shots, have) for shots in wanted.shots}):
            runs = []
            for seed in range(wanted.seeds if shots < have else 1):
                command = [wanted.eyear, "eval", dataset, "--json", "--shots", str(shots), "--seed", str(seed)]
                # 2 says that some picture could not be read; the figures are of the others.
                done = subprocess.run(command, capture_output=True, text=True)
                if done.returncode not in (0, 2) or not done.stdout:
                    raise SystemExit(done.stderr)
                runs.append(json.loads(done.stdout))
            line = [f"{dataset.name:16} {shots:4} good"]
            for key, name in FIGURES.items():
                values = [run[key] for run in runs if run[key] is not None]
                if values:
                    spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
                    line.append(f"{name} {statistics.mean(values):.3f}{spread}")
            rejected = [f"{run['overkill']['count']}/{run['overkill']['of']}" for run in runs]
            print("  ".join([*line, "rejected good " + " ".join(rejected)]), flush=True)


if __name__ == "__main__":
    main()

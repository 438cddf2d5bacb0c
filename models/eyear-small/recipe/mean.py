"""The mean of two runs' weights, of which the second began from the first: it keeps what the first knows of more parts.

    python mean.py --runs run words --share 0.6 --out joined
"""

import argparse
import shutil
from pathlib import Path

import torch


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, nargs=2, required=True)
    parser.add_argument("--share", type=float, default=0.6, help="of the second")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    first, second = (torch.load(run / "state.pt", map_location="cpu")["model"] for run in arguments.runs)
    mean = {name: (1 - arguments.share) * first[name] + arguments.share * value for name, value in second.items()}
    arguments.out.mkdir(parents=True, exist_ok=True)
    shutil.copy(arguments.runs[0] / "tokenizer.json", arguments.out / "tokenizer.json")
    torch.save(dict(model=mean), arguments.out / "state.pt")


if __name__ == "__main__":
    main()

"""What the shipped binary writes of real defects that nothing was learned from: the kind of the most severe finding where it
lies on the defect, and of all such findings; beside linear and boosted classifiers on the same evidence.

    python evaluate.py --data DATA --cache cache --eyear ../../../target/release/eyear
"""

import argparse
import json
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

import cv2
import numpy as np

from episodes import LABELS, REAL, is_held_out, label

# Evaluation only: never learned from, and more than one word is right.
UNSEEN = {
    "magnetic-tile": {
        "blowhole": {"hole", "pitting"},
        "break": {"break", "chip"},
        "crack": {"crack"},
        "fray": {"wear", "chip", "scratch"},
        "uneven": {"stain", "wear"},
    }
}


def written(eyear, folder, pictures, writer, work):
    """One line of `eyear report --json` for each picture, by a part taught from the folder's good ones."""
    part = Path(work) / folder.name
    good = sorted((folder / "train" / "good").iterdir())[:48]
    subprocess.run([eyear, "teach", str(part), "--good", *map(str, good)], check=True, capture_output=True)
    told = subprocess.run(
        [eyear, "report", str(part), *map(str, pictures), "--json", "--writer", writer], capture_output=True, text=True
    )
    return [json.loads(line) for line in told.stdout.splitlines()]


def judge(eyear, folder, kinds, only_held_out, writer):
    """Counts of right and all, of the first finding and of all; and what was written instead."""
    first, every, wrong = Counter(), Counter(), Counter()
    with tempfile.TemporaryDirectory() as work:
        for name, right in kinds.items():
            right = right if isinstance(right, set) else {right}
            pictures = sorted((folder / "test" / name).iterdir())
            pictures = [path for path in pictures if not only_held_out or is_held_out(path)]
            for line in written(eyear, folder, pictures, writer, work) if pictures else []:
                path = folder / "ground_truth" / name / f"{Path(line['file']).stem}_mask.png"
                mask = cv2.imread(str(path), 0) if path.exists() else None
                named = line["written"]["kinds"]
                hit = [True] * len(named)
                if mask is not None:
                    labels, _ = label(line, [(mask > 127).astype(np.uint8)], [LABELS[1]])
                    hit = [value > 0 for value in labels[: len(named)]]
                said = [kind["kind"] for kind, hit in zip(named, hit) if hit]
                first["none found"] += not said
                for i, kind in enumerate(said):
                    for count in [every] + [first] * (i == 0):
                        count["all"] += 1
                        count["right"] += kind in right
                    if kind not in right:
                        wrong[f"{name}: {kind}"] += 1
    return first, every, wrong


def flat(file):
    """What a plain classifier is given of each finding: its shape, and the mean of its cells."""
    loaded = np.load(file)
    rows, kinds = [], []
    for shapes, cells, labels in zip(loaded["shapes"], loaded["cells"], loaded["labels"]):
        for i, kind in enumerate(labels):
            if kind > 0:
                own = cells[8 * i : 8 * i + 8].astype(np.float32)
                rows.append(np.concatenate([shapes[i].astype(np.float32), own.sum(0) / max(1, (own[:, -1] > 0).sum())]))
                kinds.append(kind)
    return np.array(rows), np.array(kinds)


def baselines(cache):
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    files = sorted((cache / "pictures").glob("*.npz")) + sorted((cache / "real").glob("*-train.npz"))
    held_out = sorted((cache / "real").glob("*-held-out.npz"))
    pairs = [pair for pair in map(flat, files) if len(pair[1])]
    x, y = np.concatenate([p[0] for p in pairs]), np.concatenate([p[1] for p in pairs])
    linear = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=300))
    boosted = HistGradientBoostingClassifier(max_iter=100, random_state=0)
    for name, model in (("linear", linear), ("boosted", boosted)):
        model.fit(x, y)
        told = {file.stem: flat(file) for file in held_out}
        rates = {stem: f"{(model.predict(a) == b).mean():.2f} of {len(b)}" for stem, (a, b) in told.items() if len(b)}
        print(name, rates, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, help="episodes, for the plain classifiers")
    parser.add_argument("--eyear", default="../../../target/release/eyear")
    parser.add_argument("--writer", default=str(Path(__file__).resolve().parents[1]))
    arguments = parser.parse_args()
    for name, kinds in (REAL | UNSEEN).items():
        first, every, wrong = judge(arguments.eyear, arguments.data / name, kinds, name in REAL, arguments.writer)
        share = lambda count: f"{count['right']} of {count['all']}"
        print(f"{name}: first {share(first)}, every {share(every)}, {first['none found']} not found; {dict(wrong.most_common(6))}", flush=True)
    if arguments.cache:
        baselines(arguments.cache)


if __name__ == "__main__":
    main()

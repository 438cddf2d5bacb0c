"""Episodes: a part is taught from a few good pictures, then judged on others; what eyear itself shows of each is kept with
what is known of it. Nothing of eyear is written here a second time: the binary teaches, judges and shows.

    python episodes.py pictures --out cache/pictures --count 200 --seed 0 --eyear ../../../target/release/eyear
    python episodes.py real --out cache/real --data DATA --eyear ...
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from safetensors.numpy import load_file

from defects import KINDS, spoil
from parts import FAMILIES, Family, Picture

NOTHING = "nothing"  # a finding where nothing is known to be
LABELS = (NOTHING, *KINDS)
FINDINGS = 4
INPUTS = ((320, 320), (384, 384), (448, 448))

# Sets whose licence lets shipped weights learn from them: folder, kind of what is bad there.
REAL = {
    "cookie": {"broken": "break", "broken_nomask": "break"},
    "screws4": {"missing": "missing"},
    "ballscrew": {"pitting": "pitting"},
    "paper/PA_BDP01_TL": {"impurity": "foreign"},
    "paper/PA_FLR01_TL": {"impurity": "foreign"},
    "paper/PA_GLA01_TL": {"impurity": "foreign"},
}


def is_held_out(path):
    """Half of each set's test pictures gives the figures and is never learned from: by a hash of the file's stem."""
    return hashlib.sha256(Path(path).stem.encode()).digest()[0] % 2 == 1


def corrupt(rng, image):
    """A worse photograph, and how much worse, 0 to 1."""
    level, way = rng.uniform(0.1, 1.0), rng.integers(4)
    if way == 0:
        image = cv2.GaussianBlur(image, (0, 0), 0.5 + 3.5 * level)
    elif way == 1:
        image = image + 45 * level * rng.standard_normal(image.shape)
    elif way == 2:
        image = image * (1 - 0.75 * level) if rng.random() < 0.5 else image * (1 + 1.2 * level)
    else:
        quality = int(60 - 55 * level)
        image = np.clip(image, 0, 255).astype(np.uint8)
        image = cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)
    return np.clip(image, 0, 255).astype(np.uint8), level


def write(path, image):
    cv2.imwrite(str(path), np.clip(image, 0, 255).astype(np.uint8)[..., ::-1])


def judged(eyear, model, work, good, size, options=()):
    """Teaches a part from the pictures in `good`, judges those in `work/test`, and returns a line and the evidence of
    each, by name."""
    part, shown = work / "part", work / "shown"
    base = [eyear, "teach", str(part), "--good", *map(str, good), "--model", model, "--input", f"{size[0]}x{size[1]}"]
    subprocess.run([*base, *options], check=True, capture_output=True)
    told = subprocess.run(
        [eyear, "inspect", str(part), str(work / "test"), "--json", "--evidence", str(shown), "--model", model],
        capture_output=True,
        text=True,
    )
    lines = {Path(line["file"]).stem: line for line in map(json.loads, told.stdout.splitlines())}
    evidence = {path.name.split(".")[0]: load_file(path) for path in shown.glob("*.safetensors")}
    return lines, evidence


def label(line, masks, kinds):
    """The kind of each finding by the defect it covers most of, -1 where there is no finding; and which defects were
    found. A finding is of a defect that lies in a good part of its box, or of which it covers some: masks of real sets may be
    coarse boxes themselves."""
    labels, found = np.full(FINDINGS, -1, np.int64), set()
    for i, finding in enumerate(line["findings"][:FINDINGS]):
        r = finding["region"]
        box = (slice(r["y"], r["y"] + r["height"]), slice(r["x"], r["x"] + r["width"]))
        covers = [int(mask[box].sum()) for mask in masks]
        best = int(np.argmax(covers)) if covers else -1
        some = min(0.05 * masks[best].sum(), 0.5 * r["width"] * r["height"]) if covers else 0
        hit = best >= 0 and covers[best] >= max(4, some)
        labels[i] = LABELS.index(kinds[best]) if hit else 0
        if hit:
            found.add(best)
    return labels, sorted(found)


def keep(path, samples, family):
    """Writes one episode."""
    stack = lambda key, kind: np.stack([sample["evidence"][key] for sample in samples]).astype(kind)
    np.savez(
        path,
        shapes=stack("shapes", np.float16),
        cells=stack("cells", np.float16),
        quality=stack("quality", np.float32)[:, 0],
        labels=np.stack([sample["labels"] for sample in samples]),
        worse=np.array([sample["worse"] for sample in samples], np.float32),
        told=np.array([json.dumps(sample["told"]) for sample in samples]),
        family=family,
    )


def told_of(line, kinds, found):
    places = [[f["place"], f["area_share"], f["severity"]] for f in line["findings"][:FINDINGS]]
    return {"file": line["file"], "verdict": line["verdict"], "p": line["p_value"], "findings": places, "kinds": kinds, "found": found}


def drawn(rng):
    """A drawn part: draws one picture of it with `defects` defects."""
    side = int(rng.choice([288, 320, 384]))
    family = Family(str(rng.choice(FAMILIES)), side, rng)

    def picture(defects):
        good = family.draw(rng)
        masks, kinds = [], []
        for _ in range(defects):
            spoiled = spoil(rng, good)
            if spoiled is None:
                break
            good.image, mask, kind = spoiled[0].astype(np.float32), spoiled[1], spoiled[2]
            masks.append(mask)
            kinds.append(kind)
        image, masks = family.photograph(good.image.astype(np.float32), masks, rng)
        return image, masks, kinds

    return family.name, picture


def photographed(rng, folder):
    """A real part: draws defects on its good pictures."""
    files = sorted((folder / "train" / "good").iterdir())
    rng.shuffle(files)
    images = [cv2.imread(str(path), cv2.IMREAD_COLOR)[..., ::-1] for path in files[:40]]
    side = max(images[0].shape[:2])
    scale = min(1.0, 448 / side)
    images = [cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) for image in images]
    order = iter(np.tile(np.arange(len(images)), 40))

    def picture(defects):
        image = images[next(order)].astype(np.float32)
        shape = image.shape[:2]
        square = cv2.resize(image, (max(shape), max(shape)))
        masks, kinds = [], []
        whole = np.ones(square.shape[:2], np.uint8)
        for _ in range(defects):
            spoiled = spoil(rng, Picture(square, whole, square))
            if spoiled is None:
                break
            square = np.clip(spoiled[0], 0, 255).astype(np.float32)
            masks.append(cv2.resize(spoiled[1], shape[::-1], interpolation=cv2.INTER_NEAREST))
            kinds.append(spoiled[2])
        image = cv2.resize(square, shape[::-1]) if defects else image
        return np.clip(image, 0, 255).astype(np.uint8), masks, kinds

    return folder.name, picture


def episode(rng, eyear, model, name, picture, tests):
    """One part taught and judged."""
    size = INPUTS[rng.integers(len(INPUTS))]
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        (work / "good").mkdir()
        (work / "test").mkdir()
        for i in range(int(rng.integers(6, 15))):
            write(work / "good" / f"g{i:02}.png", picture(0)[0])
        known = {}
        for i in range(tests):
            defects = int(rng.choice([0, 1, 2, 3], p=[0.15, 0.55, 0.22, 0.08]))
            image, masks, kinds = picture(defects)
            worse = 0.0
            if rng.random() < 0.2:
                image, worse = corrupt(rng, image.astype(np.float32))
            write(work / "test" / f"t{i:03}.png", image)
            known[f"t{i:03}"] = (masks, kinds, worse)
        lines, evidence = judged(eyear, model, work, [work / "good"], size)
    samples = []
    for stem, (masks, kinds, worse) in known.items():
        if stem not in evidence:
            continue
        labels, found = label(lines[stem], masks, kinds)
        told = told_of(lines[stem], kinds, found)
        samples.append({"evidence": evidence[stem], "labels": labels, "worse": worse, "told": told})
    return name, samples


def real_bad(eyear, model, folder, kinds, out):
    """The real test pictures of a set, judged by a part taught from its good ones; halves in files of their own."""
    good = sorted((folder / "train" / "good").iterdir())[:48]
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        (work / "test").mkdir()
        known = {}
        for kind in ("good", *kinds):
            for path in sorted((folder / "test" / kind).iterdir()):
                stem = f"{kind}-{path.stem}"
                shutil.copy(path, work / "test" / f"{stem}{path.suffix}")
                mask = folder / "ground_truth" / kind / f"{path.stem}_mask.png"
                known[stem] = (path, kind, cv2.imread(str(mask), 0) if mask.exists() else None)
        lines, evidence = judged(eyear, model, work, good, (448, 448))
    halves = {True: [], False: []}
    for stem, (path, kind, mask) in known.items():
        if stem not in evidence:
            continue
        line = lines[stem]
        if kind == "good":
            names = []
            labels, found = label(line, [], names)
        elif mask is None:  # where no mask is known, every finding is taken for the defect
            labels = np.array([LABELS.index(kinds[kind]) if i < len(line["findings"]) else -1 for i in range(FINDINGS)])
            names, found = [kinds[kind]], [0]
        else:
            names = [kinds[kind]]
            labels, found = label(line, [(mask > 127).astype(np.uint8)], names)
        told = told_of(line, names, found) | {"file": f"{kind}/{path.name}"}
        halves[is_held_out(path)].append({"evidence": evidence[stem], "labels": labels, "worse": 0.0, "told": told})
    for held_out, samples in halves.items():
        name = folder.name + ("-held-out" if held_out else "-train")
        keep(out / f"{name}.npz", samples, folder.name)
        print(name, len(samples), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["pictures", "real"])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=200, help="episodes")
    parser.add_argument("--tests", type=int, default=48, help="pictures judged in each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, help="real sets in MVTec layout")
    parser.add_argument("--eyear", default="../../../target/release/eyear")
    parser.add_argument("--model", default=str(Path(__file__).resolve().parents[2] / "vision-lite0"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.what == "real":
        for name, kinds in REAL.items():
            real_bad(arguments.eyear, arguments.model, arguments.data / name, kinds, arguments.out)
        return
    start = time.time()
    for i in range(arguments.count):
        path = arguments.out / f"{arguments.seed:03}-{i:05}.npz"
        if path.exists():  # go on where the last run was cut
            continue
        rng = np.random.default_rng([arguments.seed, i])
        real = arguments.data and rng.random() < 0.25
        name, picture = photographed(rng, arguments.data / str(rng.choice(list(REAL)))) if real else drawn(rng)
        try:
            name, samples = episode(rng, arguments.eyear, arguments.model, name, picture, arguments.tests)
        except subprocess.CalledProcessError as error:
            print(i, name, error.stderr.decode()[-200:], flush=True)
            continue
        if samples:
            keep(path, samples, name)
        findings = sum(len(s["told"]["findings"]) for s in samples)
        found = sum(len(s["told"]["found"]) for s in samples), sum(len(s["told"]["kinds"]) for s in samples)
        print(f"{i} {name}: {len(samples)} judged, {found[0]} of {found[1]} defects found, {findings} findings, {time.time() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()

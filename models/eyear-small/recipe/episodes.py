"""Episodes: a part is taught from a few good samples, then judged on others; what eyear itself shows of each is kept with
what is known of it. Nothing of eyear is written here a second time: the binary teaches, judges and shows.

    python episodes.py pictures --out cache/pictures --count 400 --data DATA
    python episodes.py sounds --out cache/sounds --count 300
    python episodes.py clips --out cache/clips --count 300
    python episodes.py real --out cache/real --data DATA

Each goes on where it was cut. On a machine with more processors: one run for each, with a `--seed` of its own.
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
from scipy.io import wavfile
from scipy.signal import stft

import machines
import motions
from defects import KINDS, spoil
from machines import Machine
from parts import FAMILIES, Family, Picture

NOTHING = "nothing"  # a finding where nothing is known to be
# Sight and motion share a name here and there.
LABELS = tuple(dict.fromkeys((NOTHING, *KINDS, *machines.KINDS, *motions.KINDS)))
# Which of them a finding of a sense may be.
OF_SENSE = {"image": (NOTHING, *KINDS), "audio": (NOTHING, *machines.KINDS), "clip": (NOTHING, *motions.KINDS)}
# The sense of an episode by its family; of any other, pictures.
SENSE_OF = {"machine": "audio"} | {family: "clip" for family in motions.FAMILIES}
FINDINGS = 4
# Good ones that a part is taught from: a defect looks a little different beside few and beside many.
FEW, MANY = (6, 15), (30, 60)
REAL_GOOD = (12, 48, 200)
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


def judged(eyear, work, good, size=None):
    """Teaches a part from the samples in `good`, judges those in `work/test`, and returns a line and the evidence of each,
    by name."""
    part, shown = work / "part", work / "shown"
    as_large = ["--input", f"{size[0]}x{size[1]}"] if size else []
    subprocess.run([eyear, "teach", str(part), "--good", *map(str, good), *as_large, "--threads", "1"], check=True, capture_output=True)
    inspect = [eyear, "inspect", str(part), str(work / "test"), "--json", "--evidence", str(shown), "--threads", "1"]
    told = subprocess.run(inspect, capture_output=True, text=True)
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


def label_heard(line, kind, fault, rest):
    """As `label`, of a sound: a finding is of the fault where its band and its time hold as much of the fault as of the rest,
    almost; a rhythm, where the fault beats."""
    labels = np.full(FINDINGS, -1, np.int64)
    planes = [np.abs(stft(samples, machines.RATE, nperseg=512, noverlap=352)[2]) ** 2 for samples in (fault, rest)]
    hz, seconds = machines.RATE / 512, 160 / machines.RATE
    for i, finding in enumerate(line["findings"][:FINDINGS]):
        heard = finding["data"]
        labels[i] = 0
        if kind is None:
            continue
        if heard["character"] == "rhythm":
            hit = kind in BEATS
        elif "gap" == kind or heard["db"] < 0:  # what is quieter is a gap, and nothing else is
            hit = kind == "gap" and heard["db"] < 0
        else:
            (low, high), (begin, end) = heard["hz"], heard["seconds"]
            rows = slice(max(0, int(low / hz)), int(high / hz) + 2)
            columns = slice(max(0, int(begin / seconds) - 1), int(end / seconds) + 2)
            of_fault, of_rest = (plane[rows, columns] for plane in planes)
            # Where it is strongest: a box holds more than what is hot in it.
            hit = of_fault.size > 0 and np.quantile(of_fault / (of_rest + 1e-12), 0.9) > 0.5
        labels[i] = LABELS.index(kind) if hit else 0
    return labels, [0] if (labels > 0).any() else []


def label_moved(line, kind, clip):
    """As `label`, of a clip: a finding is of the fault where, within its time and its box, the fault shows in a good part of
    what moves strangely; a box holds more than what is hot in it."""
    labels = np.full(FINDINGS, -1, np.int64)
    frames, height, width = clip.frames.shape[:3]
    rows, columns = clip.fault.shape[1:]
    for i, finding in enumerate(line["findings"][:FINDINGS]):
        moved = finding["data"]
        labels[i] = 0
        if kind is None:
            continue
        box = moved["box"]
        begin, end = (second * clip.rate for second in moved["seconds"])
        top, bottom = box["y"] * rows / height, (box["y"] + box["height"]) * rows / height
        left, right = box["x"] * columns / width, (box["x"] + box["width"]) * columns / width
        span = lambda low, high: slice(int(low), max(int(np.ceil(high)), int(low) + 1))
        shows = clip.fault[span(begin, end), span(top, bottom), span(left, right)]
        # The hot cells are of one size with the finding's share of the whole clip.
        hot = finding["area_share"] * clip.fault.size
        hit = shows.sum() >= max(3, min(0.25 * hot, 0.25 * clip.fault.sum()))
        labels[i] = LABELS.index(kind) if hit else 0
    return labels, [0] if (labels > 0).any() else []


# Faults that beat, so that a new rhythm is theirs.
BEATS = {"bearing", "tooth", "rub", "knock", "cavitation", "imbalance"}


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
    shown = line["findings"][:FINDINGS]
    data = lambda finding, what: finding["data"] if finding["what"] == what else None
    findings = [
        {"place": f["place"], "area": f["area_share"], "heard": data(f, "heard"), "moved": data(f, "moved")} for f in shown
    ]
    more = len(line["findings"]) - len(findings)
    told = {"file": line["file"], "verdict": line["verdict"], "p": line["p_value"], "kinds": kinds, "found": found}
    return told | {"findings": findings, "more": more}


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


def of_pictures(rng, eyear, name, picture, tests):
    """One part taught and judged by pictures."""
    size = INPUTS[rng.integers(len(INPUTS))]
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        (work / "good").mkdir()
        (work / "test").mkdir()
        for i in range(int(rng.integers(*(MANY if rng.random() < 0.25 else FEW)))):
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
        lines, evidence = judged(eyear, work, [work / "good"], size)
    samples = []
    for stem, (masks, kinds, worse) in known.items():
        if stem not in evidence:
            continue
        labels, found = label(lines[stem], masks, kinds)
        told = told_of(lines[stem], kinds, found)
        samples.append({"evidence": evidence[stem], "labels": labels, "worse": worse, "told": told})
    return name, samples


def of_sounds(rng, eyear, tests, seconds):
    """One drawn machine taught and judged by sounds."""
    machine = Machine(rng, seconds)
    write_sound = lambda path, samples: wavfile.write(path, machines.RATE, np.round(32767 * samples).astype(np.int16))
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        (work / "good").mkdir()
        (work / "test").mkdir()
        for i in range(int(rng.integers(10, 25))):
            write_sound(work / "good" / f"g{i:02}.wav", machine.sound(rng)[0])
        known = {}
        for i in range(tests):
            kind = None if rng.random() < 0.12 else str(rng.choice(machines.KINDS))
            worse = rng.uniform(0.2, 1.0) if rng.random() < 0.2 else 0.0
            sound, fault, rest = machine.sound(rng, kind, worse)
            write_sound(work / "test" / f"t{i:03}.wav", sound)
            known[f"t{i:03}"] = (kind, fault, rest, worse)
        lines, evidence = judged(eyear, work, [work / "good"])
    samples = []
    for stem, (kind, fault, rest, worse) in known.items():
        if stem not in evidence:
            continue
        labels, found = label_heard(lines[stem], kind, fault, rest)
        told = told_of(lines[stem], [kind] if kind else [], found)
        samples.append({"evidence": evidence[stem], "labels": labels, "worse": worse, "told": told})
    return "machine", samples


def of_clips(rng, eyear, tests):
    """One drawn machine taught and judged by clips."""
    machine = motions.Motion(rng)
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        (work / "good").mkdir()
        (work / "test").mkdir()
        for i in range(int(rng.integers(8, 21))):
            motions.write(work / "good" / f"g{i:02}.avi", machine.clip(rng), machine.quality)
        known = {}
        for i in range(tests):
            kind = None if rng.random() < 0.15 else str(rng.choice(motions.KINDS))
            worse = rng.uniform(0.2, 1.0) if rng.random() < 0.2 else 0.0
            clip = machine.clip(rng, kind, worse)
            motions.write(work / "test" / f"t{i:03}.avi", clip, machine.quality)
            known[f"t{i:03}"] = (kind, clip, worse)
        lines, evidence = judged(eyear, work, [work / "good"])
    samples = []
    for stem, (kind, clip, worse) in known.items():
        if stem not in evidence:
            continue
        labels, found = label_moved(lines[stem], kind, clip)
        told = told_of(lines[stem], [kind] if kind else [], found)
        samples.append({"evidence": evidence[stem], "labels": labels, "worse": worse, "told": told})
    return machine.family, samples


def real_bad(eyear, folder, kinds, out, count=48):
    """The real test pictures of a set, judged by a part taught from so many of its good ones; halves in files of their own."""
    good = sorted((folder / "train" / "good").iterdir())[:count]
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
        lines, evidence = judged(eyear, work, good, (448, 448))
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
        if not samples:
            continue
        name = f"{folder.name}-{len(good)}" + ("-held-out" if held_out else "-train")
        keep(out / f"{name}.npz", samples, folder.name)
        print(name, len(samples), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["pictures", "sounds", "clips", "real"])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=200, help="episodes")
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no episode after")
    parser.add_argument("--tests", type=int, default=48, help="samples judged in each")
    parser.add_argument("--seconds", type=float, nargs="+", default=[1.5, 2.0, 3.0], help="how long sounds of a machine may be")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, help="real sets in MVTec layout")
    parser.add_argument("--eyear", default="../../../target/release/eyear")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.what == "real":
        for name, kinds in REAL.items():
            available = len(list((arguments.data / name / "train" / "good").iterdir()))
            for count in sorted({min(count, available) for count in REAL_GOOD}):
                real_bad(arguments.eyear, arguments.data / name, kinds, arguments.out, count)
        return
    start = time.time()
    for i in range(arguments.count):
        path = arguments.out / f"{arguments.seed:03}-{i:05}.npz"
        if path.exists():  # go on where the last run was cut
            continue
        if time.time() - start > 60 * arguments.minutes:
            break
        rng = np.random.default_rng([arguments.seed, i])
        try:
            if arguments.what == "sounds":
                name, samples = of_sounds(rng, arguments.eyear, arguments.tests, arguments.seconds)
            elif arguments.what == "clips":
                name, samples = of_clips(rng, arguments.eyear, arguments.tests)
            else:
                real = arguments.data and rng.random() < 0.25
                name, picture = photographed(rng, arguments.data / str(rng.choice(list(REAL)))) if real else drawn(rng)
                name, samples = of_pictures(rng, arguments.eyear, name, picture, arguments.tests)
        except subprocess.CalledProcessError as error:
            print(i, error.stderr.decode()[-200:], flush=True)
            continue
        if samples:
            keep(path, samples, name)
        findings = sum(len(s["told"]["findings"]) for s in samples)
        found = sum(len(s["told"]["found"]) for s in samples), sum(len(s["told"]["kinds"]) for s in samples)
        print(f"{i} {name}: {len(samples)} judged, {found[0]} of {found[1]} defects found, {findings} findings, {time.time() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()

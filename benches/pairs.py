#!/usr/bin/env python3
"""Pairs of pictures and sounds that nobody recorded together, for measuring how the senses are joined.

    pip install soundfile
    benches/pairs.py PICTURES SOUNDS OUT [--seed 0] [--window 2] [--taught 200] [--dependent]
    target/release/eyear eval OUT --inject knock tone rub --snr -6

PICTURES is a data set in MVTec layout, SOUNDS one with train/normal and test/normal. Each good part of OUT is a good
picture and a window of a good sound, drawn by the seed; each bad one a bad picture and a good sound. Bad sounds with good
pictures are made by `eyear eval --inject`. Taught and judged parts share neither picture nor file of sound.

With --dependent the good ones are paired by rank instead: the strangest picture with the strangest sound, as judged by
parts that were taught from a third of the good ones, which is then left out. So a good part that is strange to the eye is
strange to the ear too, which is where a rule for independent senses rejects more than it promises.
"""
import argparse
import json
import os
import random
import subprocess
import tempfile
from pathlib import Path

import soundfile

GOOD = ("good", "normal", "ok")


def files(folder):
    return sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))


def kinds(dataset, split):
    return {path.name: files(path) for path in sorted((dataset / split).iterdir()) if path.is_dir()}


def good(dataset, split):
    return next(found for name, found in kinds(dataset, split).items() if name in GOOD)


def windows(paths, seconds, into):
    """Windows of each file, as files of their own."""
    made = []
    for path in paths:
        samples, rate = soundfile.read(path, always_2d=True)
        length = int(seconds * rate)
        for i in range(len(samples) // length):
            made.append(into / f"{path.stem}-{i}.wav")
            soundfile.write(made[-1], samples[i * length : (i + 1) * length], rate, subtype="FLOAT")
    return made


def by_strangeness(eyear, samples, home, name):
    """All but the third that is taught, least strange first."""
    taught, rest = samples[::3], [sample for i, sample in enumerate(samples) if i % 3]
    part = home / name
    subprocess.run([eyear, "teach", part, "--good", *taught], check=True, stdout=subprocess.DEVNULL)
    told = subprocess.run([eyear, "inspect", part, "--json", *rest], stdout=subprocess.PIPE, text=True).stdout
    scores = {line["file"]: line["score"] for line in map(json.loads, told.splitlines())}
    return sorted(rest, key=lambda sample: scores[str(sample)])


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("pictures", type=Path)
    arguments.add_argument("sounds", type=Path)
    arguments.add_argument("out", type=Path)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--window", type=float, default=2.0)
    arguments.add_argument("--taught", type=int, default=200)
    arguments.add_argument("--dependent", action="store_true")
    wanted = arguments.parse_args()
    eyear = os.environ.get("EYEAR", Path(__file__).resolve().parents[1] / "target/release/eyear")
    draw = random.Random(wanted.seed)
    with tempfile.TemporaryDirectory() as home:
        home = Path(home)
        taught = [good(wanted.pictures, "train"), windows(good(wanted.sounds, "train"), wanted.window, home)]
        judged = [good(wanted.pictures, "test"), windows(good(wanted.sounds, "test"), wanted.window, home)]
        if wanted.dependent:
            # Of one origin, so that ranks of both halves mean the same.
            every = [by_strangeness(eyear, pair[0] + pair[1], home, name) for name, pair in
                     zip(("sight", "hearing"), zip(taught, judged))]
            count = min(map(len, every))
            spread = [[samples[i * len(samples) // count] for i in range(count)] for samples in every]
            pairs = list(zip(*spread))
            draw.shuffle(pairs)
            first, second = pairs[: min(wanted.taught, count // 2)], pairs[min(wanted.taught, count // 2) :]
        else:
            for samples in (*taught, *judged):
                draw.shuffle(samples)
            first, second = list(zip(*taught))[: wanted.taught], list(zip(*judged))
        sets = {"train/good": first, "test/good": second}
        sounds = [sound for _, sound in second]
        for kind, found in kinds(wanted.pictures, "test").items():
            if kind not in GOOD:
                sets[f"test/{kind}"] = [(picture, sounds[i % len(sounds)]) for i, picture in enumerate(found)]
        for name, pairs in sets.items():
            for i, (picture, sound) in enumerate(pairs):
                folder = wanted.out / name / f"{i:04}"
                folder.mkdir(parents=True)
                (folder / f"cam0{picture.suffix}").symlink_to(picture.resolve())
                (folder / "mic0.wav").write_bytes(sound.read_bytes())
                mask = [path for path in (wanted.pictures / "ground_truth" / Path(name).name).glob(f"{picture.stem}*")]
                if mask and name.startswith("test/"):
                    truth = wanted.out / "ground_truth" / Path(name).name
                    truth.mkdir(parents=True, exist_ok=True)
                    (truth / f"{folder.name}{mask[0].suffix}").symlink_to(mask[0].resolve())
            print(f"{name}: {len(pairs)} pairs")


if __name__ == "__main__":
    main()

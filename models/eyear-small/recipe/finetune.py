"""Teaches the shipped model on a user's own labelled pictures: a part is taught from the good ones, judges the others, and the model
learns what its findings are called. Makes a package of its own, for `--writer`.

    python finetune.py --data FOLDER --kinds broken=break print=misprint --out mine

FOLDER is in MVTec layout: `train/good`, `test/good`, `test/<kind>`, and `ground_truth/<kind>/<stem>_mask.png` where masks are
known. A kind is one of those in `words.toml`; its names there may be changed (`--words`), so that a kind which is never met gives
its place to one of the user's own. Half of the pictures, by a hash of their names, is not learned from and tells what was gained.
"""

import argparse
import shutil
import tomllib
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file

import words
from episodes import KINDS, real_bad
from export import EVIDENCE, export, kept_small
from model import Eyear, weights
from pack import pack
from train import Episodes, Samples, alone, losses_of, of_sense, right, written_of
from words import PAD, SENSES, Tokenizer

HERE = Path(__file__).resolve().parents[1]
# Not to lose what it knows of other parts: little of a step is taken, and few of them.
RATE, STEPS, BATCH = 2e-4, 200, 32


def kinds_of(folder, given):
    """The model's kind for each folder of bad pictures."""
    named = dict(pair.split("=", 1) for pair in given)
    found = sorted(path.name for path in (folder / "test").iterdir() if path.is_dir() and path.name != "good")
    kinds = {name: named.get(name, name) for name in found}
    for name, kind in kinds.items():
        if kind not in KINDS:
            raise SystemExit(f"test/{name}: `{kind}` is no kind of the model; give one by --kinds {name}=KIND, of {', '.join(KINDS)}")
    return kinds


def batch(rng, samples, rows, tokenizer):
    """Rows, prompts and what is to be written of them."""
    prompts, written = written_of(rng, samples, rows, tokenizer)
    ids = np.full((len(rows), max(map(len, written))), PAD)
    for row, text in zip(ids, written):
        row[: len(text)] = text
    asked = np.array(prompts)
    return rows, torch.from_numpy(asked[:, : (asked > 0).sum(1).max()]), torch.from_numpy(ids)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--kinds", nargs="*", default=[], metavar="FOLDER=KIND")
    parser.add_argument("--words", type=Path, help="another words.toml, with names of your own")
    parser.add_argument("--replay", type=Path, nargs="*", default=[], help="folders of episodes that are learned from as well, so that less is lost")
    parser.add_argument("--out", type=Path, required=True, help="folder of the new package")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--eyear", default="../../../target/release/eyear")
    arguments = parser.parse_args()
    kinds = kinds_of(arguments.data, arguments.kinds)
    if arguments.words:
        words.WORDS.clear()
        words.WORDS.update(tomllib.loads(arguments.words.read_text()))
    torch.manual_seed(arguments.seed)
    rng = np.random.default_rng(arguments.seed)
    work = arguments.out / "run"
    work.mkdir(parents=True, exist_ok=True)
    real_bad(arguments.eyear, arguments.data, kinds, work)
    train, held_out = (next(work.glob(f"*-{half}.npz")) for half in ("train", "held-out"))
    replay = [file for folder in arguments.replay for file in sorted(folder.glob("*.npz"))]
    learned = Episodes("image", [train, *replay])
    judged = Episodes("image", [held_out])
    tokenizer = Tokenizer.load(HERE / "tokenizer.json")
    eyear = Eyear(len(tokenizer.tokens), of_sense())
    eyear.load_state_dict(weights(HERE / "recipe" / "weights.safetensors"))
    # All senses take the same episodes; those that are not there are never drawn.
    samples, told = (Samples({sense: of for sense in SENSES}) for of in (learned, judged))
    rows_of = lambda of: alone(of)[: len(of.of["image"])]
    before = right(eyear, told, rows_of(told), "cpu")[0]["image"]
    optimizer = torch.optim.AdamW(eyear.parameters(), RATE, weight_decay=0.01)
    eyear.train()
    everything = rows_of(samples)
    for step in range(arguments.steps):
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / 20) * (1 - step / arguments.steps)
        rows = everything[rng.integers(len(everything), size=BATCH)]
        losses = losses_of(rng, eyear, samples, batch(rng, samples, rows, tokenizer), "cpu")
        loss = (losses * torch.tensor([3, 1, 0.5])).sum()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(eyear.parameters(), 1.0)
        optimizer.step()
        if (step + 1) % 50 == 0:
            print(step + 1, [round(value, 3) for value in losses.tolist()], flush=True)
    eyear.eval()
    after = right(eyear, told, rows_of(told), "cpu")[0]["image"]
    found = lambda share: "none lies on a defect" if share is None else f"{share:.2f}"
    print(f"kinds of findings on pictures that were not learned from: {found(before)} before, {found(after)} after")

    shutil.copy(HERE / "LICENSE", arguments.out)
    shutil.copy(arguments.words or HERE / "words.toml", arguments.out / "words.toml")
    golden = [train, *(recorded(sense, work) for sense in SENSES[1:])]
    export(eyear, tokenizer, work, arguments.out, golden)
    kept_small(eyear, work / "weights.safetensors")
    shutil.move(work, arguments.out.parent / f"{arguments.out.name}.run")
    pack(arguments.out, name=arguments.out.name, version="1.0.0")
    print(f"made {arguments.out}: eyear report PART PICTURE --writer {arguments.out}")


def recorded(sense, folder):
    """The recorded evidence of a sense, from the shipped package, as an episode."""
    of = load_file(HERE / "golden" / "input.safetensors")
    file = folder / f"{sense}.npz"
    np.savez(file, **{part: of[f"{sense}_{part}"] for part in EVIDENCE})
    return file


if __name__ == "__main__":
    main()

"""What `eyear eval --words` cannot tell, for it takes the network apart: plain classifiers on the same evidence, both senses beside
either, gates beside how bad a sense is. By parts and machines that nothing was learned from.

    python evaluate.py --run run --learned cache/pictures cache/sounds cache/real --held-out other/pictures other/sounds
"""

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
import torch

from episodes import LABELS, SENSE_OF
from model import CELLS, FINDINGS, Eyear, nothing, prompt
from train import BOTH, COMPANIONS, Episodes, Samples, files_of, of_sense, right
from words import END, LANGUAGES, SENSES, Tokenizer, answer, ask


def flat(episodes):
    """What a plain classifier is given of each finding on a defect: its shape, the mean of its cells, the quality of the
    whole; and its kind."""
    rows, kinds = [], []
    shapes, cells, quality = (of.numpy().astype(np.float32) for of in (episodes.shapes, episodes.cells, episodes.quality))
    for row, labels in enumerate(episodes.labels):
        for i in np.flatnonzero(labels > 0):
            own = cells[row, CELLS * i : CELLS * (i + 1)]
            rows.append(np.concatenate([shapes[row, i], own.sum(0) / max(1, (own[:, -1] > 0).sum()), quality[row]]))
            kinds.append(labels[i])
    return np.array(rows), np.array(kinds)


def baselines(sense, learned, judged):
    """Share of findings on a defect that plain classifiers name rightly, told by the same evidence."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, y = flat(learned)
    linear = make_pipeline(StandardScaler(), LogisticRegression(C=0.003, max_iter=200))
    boosted = HistGradientBoostingClassifier(max_iter=100, random_state=0)
    for name, model in (("linear", linear), ("boosted", boosted)):
        model.fit(x, y)
        shares = [f"{label} {(model.predict(a) == b).mean():.3f} of {len(b)}" for label, (a, b) in judged.items() if len(b)]
        print(sense, name, f"learned from {len(y)}:", "; ".join(shares), flush=True)


def pairs(rng, samples, count):
    """Pairs of a bad picture and a bad sound that belong together."""
    image, audio = (samples.of[sense] for sense in BOTH)
    rows = []
    while len(rows) < count:
        row = int(rng.integers(len(image)))
        kinds = [COMPANIONS[kind] for kind in image.told[row]["kinds"][:1] if kind in COMPANIONS]
        alike = audio.of_kind.get(kinds[0], []) if kinds else []
        if alike:
            rows.append([row, alike[rng.integers(len(alike))], -1])
    return np.array(rows)


def share(told, labels, sense):
    own = slice(SENSES.index(sense) * FINDINGS, (SENSES.index(sense) + 1) * FINDINGS)
    there = labels[:, own] > 0
    return (told[:, own] == labels[:, own])[there].mean(), int(there.sum())


def fusion(model, samples):
    """Kinds told by a sense alone and beside the other, of pairs that go together."""
    rows = pairs(np.random.default_rng(0), samples, 1500)
    _, both, labels = right(model, samples, rows, "cpu")
    for i, sense in enumerate(BOTH):
        alone = rows.copy()
        alone[:, 1 - i] = -1
        _, one, of_one = right(model, samples, alone, "cpu")
        (a, n), (b, _) = share(one, of_one, sense), share(both, labels, sense)
        clean = samples.of[sense].worse[rows[:, i]] == 0
        shares = [share(told[kept], of[kept], sense)[0] for kept in (clean, ~clean) for told, of in ((one, of_one), (both, labels))]
        print(f"{sense}: alone {a:.3f}, beside the other {b:.3f} of {n}; clean {shares[0]:.3f} -> {shares[1]:.3f}, worse {shares[2]:.3f} -> {shares[3]:.3f}")


def mixed(model, samples):
    """Moments of which half have a fault that is seen and half one that is heard, the other sense being good: how often the
    fault gets its name by one sense, and by both."""
    rng, rows = np.random.default_rng(2), []
    of_kind = [[row for row, told in enumerate(samples.of[sense].told) if bool(told["kinds"]) == bad] for sense in BOTH for bad in (False, True)]
    good = {sense: of_kind[2 * i] for i, sense in enumerate(BOTH)}
    bad = {sense: of_kind[2 * i + 1] for i, sense in enumerate(BOTH)}
    for i in range(800):
        faulty = BOTH[i % 2]
        row = [rng.choice((bad if sense == faulty else good)[sense]) for sense in BOTH]
        rows.append([*row, -1])
    rows = np.array(rows)
    asked = {"image": [True, False, False], "audio": [False, True, False], "both": [True, True, False]}
    for name, there in asked.items():
        shown = np.where(there, rows, -1)
        _, told, labels = right(model, samples, shown, "cpu")
        named = ((told == labels) & (labels > 0)).any(1)
        print(f"mixed faults, {name}: {named.mean():.3f} of {len(rows)} get their name")


@torch.no_grad()
def answers(model, samples, tokenizer, count=400):
    """How often what the decoder would say first, without a grammar, is an answer of the sort that was asked for. The grammar
    keeps an answer true of the sample, not to the question. Kinds are its own, so that only the sort counts."""
    rng, right_of = np.random.default_rng(3), Counter()
    sorts = Counter()
    for rows in samples.draw(rng, count):
        told, language = samples.told(rng, rows), str(rng.choice(LANGUAGES))
        asked, entry, kind = ask(rng, language, told)
        evidence = samples.evidence(rows[None])
        latents = model.look(evidence, torch.tensor([prompt(tokenizer, language, asked)]))[2]
        seen, gate = model.sense(evidence)
        named = model.kinds(seen, latents)[0].argmax(-1).tolist()
        # What it takes the findings for is what its answer is measured by.
        for found, at in zip(told.findings, [i for i, label in enumerate(samples.labels(rows[None])[0]) if label >= 0]):
            found.kind = LABELS[named[at]]
        true = {answer(rng, language, told, entry, kind).replace(" ", "")[:12] for _ in range(40)}
        x, past, said = latents, nothing(1), []
        while len(said) < 16:
            logits, past = model.decoder(x, past)
            token = int(logits[0, -1].argmax())
            if token == END:
                break
            said.append(token)
            x = model.embed(torch.tensor([[token]]))
        begins = tokenizer.decode(said).replace(" ", "")[:12]
        sorts[entry["about"]] += 1
        right_of[entry["about"]] += any(begins == one[: len(begins)] for one in true) and bool(begins)
    for sort, of in sorted(sorts.items()):
        print(f"questions on {sort}: {right_of[sort]} of {of} begin as a right answer does")
    print(f"questions: {sum(right_of.values())} of {count}")


@torch.no_grad()
def gates(model, samples):
    """The gate of a sense, by how bad it is; and that of the other beside it, which is clean."""
    rng = np.random.default_rng(1)
    for i, sense in enumerate(SENSES):
        own = samples.of[sense]
        beside = BOTH[1 - i] if sense in BOTH else None
        for low, high in ((0, 0.001), (0.001, 0.3), (0.3, 0.5), (0.5, 0.75), (0.75, 1.01)):
            bad = np.flatnonzero((own.worse >= low) & (own.worse < high))[:400]
            if not len(bad):
                continue
            rows = np.full((len(bad), len(SENSES)), -1)
            rows[:, i] = bad
            if beside:
                rows[:, 1 - i] = rng.choice(np.flatnonzero(samples.of[beside].worse == 0), len(bad))
            _, values = model.sense(samples.evidence(rows))
            means = values.mean(0).numpy()
            other = f", the other's {means[1 - i]:.2f}" if beside else ""
            print(f"{sense} worse by {low:.1f} to {high:.2f}: its gate {means[i]:.2f}{other} ({len(bad)})")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--learned", type=Path, nargs="*", default=[], help="episodes that plain classifiers learn from")
    parser.add_argument("--held-out", type=Path, nargs="+", required=True, help="episodes of other parts, and real ones")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    tokenizer = Tokenizer.load(arguments.run / "tokenizer.json")
    model = Eyear(len(tokenizer.tokens), of_sense()).eval()
    model.load_state_dict(torch.load(arguments.run / "state.pt", map_location="cpu")["model"])
    files = {sense: [] for sense in SENSES}
    for cache in arguments.held_out:
        for file in sorted(cache.glob("*.npz")):
            if not file.stem.endswith("-train"):
                files[SENSE_OF.get(str(np.load(file)["family"]), "image")].append(file)
    samples = Samples({sense: Episodes(sense, of) for sense, of in files.items()})
    for i, sense in enumerate(SENSES):
        named = {"drawn": [file for file in files[sense] if file.stem[0].isdigit()]}
        named |= {file.stem: [file] for file in files[sense] if not file.stem[0].isdigit()}
        told = {}
        for label, of in named.items():
            episodes = Episodes(sense, of)
            told[label] = flat(episodes)
            rows = np.full((len(episodes), len(SENSES)), -1)
            rows[:, i] = np.arange(len(rows))
            alone = Samples({other: episodes for other in SENSES})
            _, kinds, labels = right(model, alone, rows, "cpu")
            print(sense, label, "{:.3f} of {}".format(*share(kinds, labels, sense)), flush=True)
        if arguments.learned:
            baselines(sense, Episodes(sense, files_of(arguments.learned)[sense][0]), told)
    fusion(model, samples)
    mixed(model, samples)
    gates(model, samples)
    answers(model, samples, tokenizer)


if __name__ == "__main__":
    main()

"""Teaches the network on episodes: first what each finding is, then the words. Seeded; goes on where it was cut.

    python train.py --cache cache/pictures cache/real --out run --minutes 60
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from episodes import LABELS
from model import FINDINGS, LATENTS, PROMPT, Eyear, prompt
from words import END, LANGUAGES, PAD, WORDS, Told, Tokenizer, is_poor, question, report

BATCH = 64


class Episodes:
    """All samples of some episodes, in memory."""

    def __init__(self, files):
        loaded = [np.load(file) for file in files]
        stack = lambda key: np.concatenate([file[key] for file in loaded])
        self.shapes, self.cells = stack("shapes"), stack("cells")
        self.quality, self.labels, self.worse = stack("quality"), stack("labels"), stack("worse")
        self.told = [json.loads(str(told)) for file in loaded for told in file["told"]]
        self.family = np.repeat([str(file["family"]) for file in loaded], [len(file["worse"]) for file in loaded])

    def __len__(self):
        return len(self.told)

    def evidence(self, rows):
        return tuple(torch.from_numpy(of[rows].astype(np.float32)) for of in (self.shapes, self.cells, self.quality))

    def measured(self, row, verdict=None):
        told = self.told[row]
        found = told["findings"][:FINDINGS]
        kinds = [LABELS[label] for label in self.labels[row][: len(found)]]
        findings = [(place, share, kind) for (place, share, _), kind in zip(found, kinds)]
        verdict = verdict or told["verdict"]
        # The last measure of a finding's shape is ln of how many there are.
        more = max(0, round(float(np.exp(self.shapes[row, 0, -1]))) - FINDINGS) if found else 0
        return Told("unsure" if verdict == "invalid" else verdict, findings, more, is_poor(self.quality[row]))


def texts(rng, count):
    """What is written of random samples: the corpus that the vocabulary is learned from."""
    places, kinds, out = list(WORDS["en"]["place"]), list(WORDS["en"]["kind"]), []
    for _ in range(count):
        findings = [(str(rng.choice(places)), 10 ** rng.uniform(-3.5, -0.3), str(rng.choice(kinds))) for _ in range(rng.integers(5))]
        told = Told(str(rng.choice(["pass", "fail", "unsure"])), findings, int(rng.integers(3)), rng.random() < 0.2)
        language = str(rng.choice(LANGUAGES))
        out += [report(rng, language, told), *question(rng, language, told)]
    return out


def batches(rng, episodes, tokenizer):
    """Rows, prompts and what is to be written of them, batch after batch; texts of about one length go together."""
    while True:
        rows = rng.integers(len(episodes), size=8 * BATCH)
        prompts, written = written_of(rng, episodes, rows, tokenizer)
        order = np.argsort([len(text) for text in written], kind="stable")
        for part in rng.permutation(order.reshape(8, BATCH)):
            ids = np.full((BATCH, max(len(written[i]) for i in part)), PAD)
            for row, i in zip(ids, part):
                row[: len(written[i])] = written[i]
            asked = np.array([prompts[i] for i in part])
            asked = asked[:, : (asked > 0).sum(1).max()]
            yield rows[part], torch.from_numpy(asked), torch.from_numpy(ids)


def written_of(rng, episodes, rows, tokenizer):
    """Prompts and what is to be written of some samples."""
    prompts, written = [], []
    for row in rows:
        language = str(rng.choice(LANGUAGES))
        told = episodes.measured(row, str(rng.choice(["pass", "unsure", "fail"])) if rng.random() < 0.15 else None)
        asked, answer = ("", report(rng, language, told)) if rng.random() < 0.6 else question(rng, language, told)
        prompts.append(prompt(tokenizer, language, asked))
        written.append([*tokenizer.encode(answer), END])
    return prompts, written


def hint_loss(hints, labels):
    there = labels.reshape(-1) >= 0
    return sum(F.cross_entropy(hint.reshape(-1, hint.shape[-1])[there], labels.reshape(-1)[there]) for hint in hints)


def noisy(rng, evidence):
    """Evidence as another board or precision would give it: a little different; mirrored, with its places."""
    shapes, cells, quality = evidence
    cells = cells + 0.05 * cells.abs().mean() * torch.from_numpy(rng.standard_normal(cells.shape, dtype=np.float32)) * (cells[..., -1:] > 0)
    cells[..., -1] = evidence[1][..., -1]
    return shapes, cells, quality


@torch.no_grad()
def right(model, episodes, rows):
    """Share of findings whose kind is told: by the tokens and by the latents; and the rows' figures by kind."""
    hits, labels = [], []
    asked = torch.zeros(1, PROMPT, dtype=torch.long)
    asked[:, 0] = 3
    model.eval()
    for part in np.array_split(rows, max(1, len(rows) // 256)):
        tokens, _, latents, _ = model.look(episodes.evidence(part), asked.expand(len(part), -1))
        told = [model.hints[0](tokens[:, :FINDINGS]), model.hints[1](latents[:, LATENTS : LATENTS + FINDINGS])]
        hits.append(torch.stack([hint.argmax(-1) for hint in told], -1).numpy())
        labels.append(episodes.labels[part])
    model.train()
    hits, labels = np.concatenate(hits), np.concatenate(labels)
    there = labels > 0
    return (hits == labels[..., None])[there].mean(0), hits[..., 1], labels


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--first", type=float, default=0.3, help="share of the time for what findings are, before words")
    parser.add_argument("--without", nargs="*", default=[], help="sets to leave out, such as those that want share-alike: cookie ballscrew")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    torch.set_num_threads(arguments.threads)
    rng = np.random.default_rng(arguments.seed)
    arguments.out.mkdir(parents=True, exist_ok=True)
    files = sorted(file for cache in arguments.cache for file in cache.glob("*.npz") if "held-out" not in file.name)
    files = [file for file in files if str(np.load(file)["family"]) not in arguments.without]
    # Whole episodes are held out: parts that were never seen.
    kept = [file for i, file in enumerate(files) if i % 12 == 5]
    learned, judged = Episodes([file for file in files if file not in kept]), Episodes(kept)
    tokenizer_file = arguments.out / "tokenizer.json"
    if not tokenizer_file.exists():
        Tokenizer.learn(texts(np.random.default_rng(0), 20_000), 768).save(tokenizer_file)
    tokenizer = Tokenizer.load(tokenizer_file)
    model = Eyear(len(tokenizer.tokens), len(LABELS))
    count = {name: sum(p.numel() for p in child.parameters()) / 1e6 for name, child in model.named_children()}
    print(len(learned), "samples to learn from,", len(judged), "held out;", {k: round(v, 2) for k, v in count.items()}, flush=True)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=0.03, betas=(0.9, 0.98))
    spent, step = 0.0, 0
    state_file = arguments.out / "state.pt"
    if state_file.exists():
        state = torch.load(state_file)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        spent, step = state["spent"], state["step"]
        rng = np.random.default_rng([arguments.seed, step])
    log = (arguments.out / "log.jsonl").open("a")
    budget, last, sums = 60 * arguments.minutes, time.time(), []
    model.train()
    order = batches(rng, learned, tokenizer)
    while spent < budget:
        share = spent / budget
        rate = 1e-3 * min(1, (step + 1) / 60) * (1 if share < 0.6 else max(0.03, (1 - share) / 0.4))
        for group in optimizer.param_groups:
            group["lr"] = rate
        rows, prompts, ids = next(order)
        evidence = noisy(rng, learned.evidence(rows))
        labels, worse = torch.from_numpy(learned.labels[rows]), torch.from_numpy(learned.worse[rows])
        words = torch.zeros(())
        if share < arguments.first:
            tokens, _, gate = model.image(*evidence)
            hints = [model.hints[0](tokens[:, :FINDINGS])]
        else:
            logits, gate, hints = model(evidence, prompts, ids)
            words = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), ids.reshape(-1), ignore_index=PAD)
        gates = F.binary_cross_entropy_with_logits(gate[:, 0], 1 - worse)
        kinds = hint_loss(hints, labels)
        loss = 3 * words + kinds + 0.5 * gates
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        now = time.time()
        spent, last = spent + now - last, now
        sums.append([words.item(), kinds.item(), gates.item()])
        if step % 50 == 0:
            (on_tokens, on_latents), _, _ = right(model, judged, np.arange(len(judged)))
            means = np.mean(sums[-50:], 0)
            line = dict(step=step, seconds=round(spent), words=means[0], kinds=means[1], gates=means[2], held_out=[on_tokens, on_latents])
            print(json.dumps(line), flush=True)
            log.write(json.dumps(line) + "\n")
            log.flush()
            last = time.time()
        if step % 200 == 0 or spent >= budget:
            torch.save(dict(model=model.state_dict(), optimizer=optimizer.state_dict(), spent=spent, step=step), state_file)


if __name__ == "__main__":
    main()

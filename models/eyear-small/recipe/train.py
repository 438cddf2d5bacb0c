"""Teaches the network on episodes: first what each finding is, then the words. Seeded; goes on where it was cut. A sample is
one of a picture, of a sound, or of both at once, put together from two episodes.

    python train.py --cache cache/pictures cache/sounds cache/real --out run --minutes 60
"""

import argparse
import json
import shutil
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from episodes import LABELS, OF_SENSE, SENSE_OF
from model import CELLS, CHANNELS, EXPECTED, FINDINGS, HEAT, LUMA, MEASURES, PROMPT, Eyear, prompt, weights
from words import END, LANGUAGES, PAD, SENSES, SPECIAL, WORDS, Found, Told, Tokenizer, is_poor, question, report

# What is broken is often both seen and heard; half of the samples of both senses go together so.
COMPANIONS = {
    **{"wear": "rub", "scratch": "rub", "crack": "knock", "chip": "tooth", "break": "gap", "missing": "imbalance"},
    **{"pitting": "bearing", "hole": "hiss", "dent": "tone", "foreign": "cavitation"},
}
EVERY = 250  # steps between two lines of the log
# Shares of samples of a picture alone, of a sound alone, of both, and of a clip.
MIX = {("image",): 0.37, ("audio",): 0.25, ("image", "audio"): 0.2, ("clip",): 0.18}


# The senses that a part may know together.
BOTH = ("image", "audio")


class Episodes:
    """All samples of one sense of some episodes, in memory."""

    def __init__(self, sense, files, device="cpu"):
        self.sense = sense
        loaded = [np.load(file) for file in files]
        stack = lambda key: np.concatenate([file[key] for file in loaded])
        keep = lambda values: torch.from_numpy(values).to(device)
        self.shapes, self.cells, self.quality = keep(stack("shapes")), keep(stack("cells")), keep(stack("quality"))
        self.labels, self.worse = stack("labels"), stack("worse")
        self.told = [json.loads(str(told)) for file in loaded for told in file["told"]]
        self.poor = [is_poor(sense, quality) for quality in stack("quality")]
        self.family = np.repeat([str(file["family"]) for file in loaded], [len(file["worse"]) for file in loaded])
        self.of_kind = {}
        for row, told in enumerate(self.told):
            for kind in told["kinds"]:
                self.of_kind.setdefault(kind, []).append(row)

    def __len__(self):
        return len(self.told)

    def evidence(self, rows):
        """Evidence of these rows; of a row of -1, nought."""
        at = torch.as_tensor(np.maximum(rows, 0), device=self.shapes.device)
        there = torch.as_tensor(rows >= 0, device=self.shapes.device)
        return [of[at].float() * there.reshape(-1, *[1] * (of.dim() - 1)) for of in (self.shapes, self.cells, self.quality)]

    def found(self, row):
        labels = self.labels[row]
        # Of a clip, times stand before the place.
        return [
            Found(self.sense, LABELS[label], found["place"].split(", ")[-1], found["area"], found["heard"], found.get("moved"))
            for label, found in zip(labels, self.told[row]["findings"])
        ]


class Samples:
    """Episodes of all senses."""

    def __init__(self, of):
        self.of = of  # sense -> Episodes

    def draw(self, rng, count, senses=SENSES):
        """Rows of each sense, -1 where it is not there: `i64[count, senses]`. None but these `senses` are drawn."""
        image, audio = self.of["image"], self.of["audio"]
        rows = np.stack([rng.integers(len(self.of[sense]), size=count) for sense in SENSES], 1)
        shares = np.array([share * (set(there) <= set(senses)) for there, share in MIX.items()])
        for row, mode in zip(rows, rng.choice(len(MIX), size=count, p=shares / shares.sum())):
            there = list(MIX)[mode]
            if there == ("image", "audio") and rng.random() < 0.5:
                kinds = [COMPANIONS[kind] for kind in image.told[row[0]]["kinds"] if kind in COMPANIONS]
                alike = audio.of_kind.get(kinds[0], []) if kinds else []
                row[1] = alike[rng.integers(len(alike))] if alike else row[1]
            row[[sense not in there for sense in SENSES]] = -1
        return rows

    def evidence(self, rows):
        return [self.of[sense].evidence(rows[:, i]) for i, sense in enumerate(SENSES)]

    def labels(self, rows):
        """What each finding is, sense after sense, -1 where there is none."""
        found = [np.where(rows[:, i, None] >= 0, self.of[sense].labels[rows[:, i]], -1) for i, sense in enumerate(SENSES)]
        return np.concatenate(found, 1)

    def worth(self, rows):
        """What each sense is worth, 0 to 1; -1 where it is not there."""
        return np.stack([np.where(rows[:, i] >= 0, 1 - self.of[s].worse[rows[:, i]], -1) for i, s in enumerate(SENSES)], 1)

    def told(self, rng, rows):
        """What can be told of one sample; that the part knows another sense, or is compared with an earlier one, is drawn."""
        there = tuple(sense for sense, row in zip(SENSES, rows) if row >= 0)
        ones = {sense: (self.of[sense], row) for sense, row in zip(SENSES, rows) if row >= 0}
        verdicts = {sense: one.told[row]["verdict"].replace("invalid", "unsure") for sense, (one, row) in ones.items()}
        order = ("pass", "unsure", "fail")
        verdict = max(verdicts.values(), key=order.index)
        decided = None
        if len(there) == 2:
            bad = [sense for sense in there if verdicts[sense] != "pass"]
            decided = {0: "together", 2: "either"}.get(len(bad)) or {"image": "sight", "audio": "hearing"}[bad[0]]
        if rng.random() < 0.15:
            verdict = str(rng.choice(order))
        findings = [found for one, row in ones.values() for found in one.found(row)]
        since = rng.random() < 0.3
        for found in findings:
            found.new = since and rng.random() < 0.5
        return Told(
            verdict,
            findings,
            {sense: one.told[row]["more"] for sense, (one, row) in ones.items()},
            tuple(sense for sense, (one, row) in ones.items() if one.poor[row]),
            there,
            BOTH if rng.random() < 0.1 and set(there) <= set(BOTH) else there,
            decided,
            since,
        )


def texts(rng, samples, count):
    """What is written of random samples: the corpus that the vocabulary is learned from."""
    out = []
    for rows in samples.draw(rng, count):
        told = samples.told(rng, rows)
        for found in told.findings:  # any place, area and kind
            found.area = 10 ** rng.uniform(-3.5, -0.3)
            found.kind = str(rng.choice(list(WORDS["en"]["kind"][found.sense])))
            if found.sense != "audio":
                found.place = str(rng.choice(list(WORDS["en"]["place"])))
        language = str(rng.choice(LANGUAGES))
        out += [report(rng, language, told), *question(rng, language, told)]
    return out


def batches(rng, samples, tokenizer, size, questions, senses):
    """Rows, prompts and what is to be written of them, batch after batch; samples of the same senses and texts of about one
    length go together."""
    while True:
        rows = samples.draw(rng, 8 * size, senses)
        prompts, written = written_of(rng, samples, rows, tokenizer, questions)
        order = np.lexsort([[len(text) for text in written], *(rows >= 0).T])
        for part in rng.permutation(order.reshape(8, size)):
            ids = np.full((size, max(len(written[i]) for i in part)), PAD)
            for row, i in zip(ids, part):
                row[: len(written[i])] = written[i]
            asked = np.array([prompts[i] for i in part])
            asked = asked[:, : (asked > 0).sum(1).max()]
            yield rows[part], torch.from_numpy(asked), torch.from_numpy(ids)


class Texts(torch.utils.data.IterableDataset):
    """Batches by several processes, for writing texts takes longer than learning from them on a GPU."""

    def __init__(self, seed, *of_batches):
        self.seed, self.of_batches = seed, of_batches

    def __iter__(self):
        worker = torch.utils.data.get_worker_info()
        rng = np.random.default_rng([*self.seed, worker.id if worker else 0])
        return batches(rng, *self.of_batches)


def written_of(rng, samples, rows, tokenizer, questions=0.5):
    """Prompts and what is to be written of some samples; `questions` is the share of texts that answer one."""
    prompts, written = [], []
    for row in rows:
        language = str(rng.choice(LANGUAGES))
        told = samples.told(rng, row)
        asked, answer = ("", report(rng, language, told)) if rng.random() >= questions else question(rng, language, told)
        prompts.append(prompt(tokenizer, language, asked))
        written.append([*tokenizer.encode(answer), END])
    return prompts, written


def hint_loss(hints, labels):
    there = labels.reshape(-1) >= 0
    losses = [F.cross_entropy(h.reshape(-1, h.shape[-1])[there], labels.reshape(-1)[there]) for h in hints]
    return sum(losses)


def gate_loss(gates, worth):
    there = worth >= 0
    return F.binary_cross_entropy(gates[there].clamp(1e-4, 1 - 1e-4), worth[there])


def losses_of(rng, model, samples, drawn, device):
    """Losses of the words, of the kinds and of the gates: of a batch of texts, or of rows alone, without words."""
    rows, prompts, ids = drawn if isinstance(drawn, (list, tuple)) else (drawn, None, None)
    rows = np.asarray(rows)
    evidence = varied(rng, samples.evidence(rows))
    labels = torch.from_numpy(samples.labels(rows)).to(device)
    worth = torch.from_numpy(samples.worth(rows)).float().to(device)
    words = torch.zeros((), device=device)
    if ids is None:
        seen, gates = model.sense(evidence)
        hints = [model.kinds(seen)]
    else:
        prompts, ids = prompts.to(device), ids.to(device)
        logits, gates, hints = model(evidence, prompts, ids)
        words = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), ids.reshape(-1), ignore_index=PAD)
    return torch.stack([words, hint_loss(hints, labels), gate_loss(gates, worth)])


def mirrored(evidence, ways):
    """Evidence of a picture as if it were mirrored, `ways` of (sideways, upside down, transposed): defects know no side."""
    shapes, cells, quality = evidence
    sideways, upside, transposed = ways
    planes, at = [], 0
    for side in (HEAT, LUMA, EXPECTED):
        plane = shapes[..., at : at + side * side].reshape(*shapes.shape[:2], side, side)
        plane = plane.flip(-1) if sideways else plane
        plane = plane.flip(-2) if upside else plane
        plane = plane.transpose(-1, -2) if transposed else plane
        planes.append(plane.reshape(*shapes.shape[:2], -1))
        at += side * side
    m = shapes[..., at:].clone()
    there = (m.abs().sum(-1) > 0).float()
    if sideways != upside:
        m[..., 5] = -m[..., 5]  # sine of twice the axis' angle
    if sideways:
        m[..., 7] = there - m[..., 7]
    if upside:
        m[..., 8] = there - m[..., 8]
    if transposed:
        m[..., 4] = -m[..., 4]
        m[..., [1, 2]], m[..., [7, 8]] = m[..., [2, 1]], m[..., [8, 7]]
    cells = cells.clone()
    own, ninths = cells[:, : FINDINGS * CELLS], cells[:, FINDINGS * CELLS :]
    x, y = own[..., CHANNELS + 1].clone(), own[..., CHANNELS + 2].clone()
    x, y = (-x if sideways else x), (-y if upside else y)
    own[..., CHANNELS + 1], own[..., CHANNELS + 2] = (y, x) if transposed else (x, y)
    grid = ninths[..., : CHANNELS + 1].reshape(len(cells), 3, 3, -1)
    grid = grid.flip(2) if sideways else grid
    grid = grid.flip(1) if upside else grid
    grid = grid.transpose(1, 2) if transposed else grid
    ninths[..., : CHANNELS + 1] = grid.reshape(len(cells), 9, -1)
    return [torch.cat([*planes, m], -1), cells, quality]


def varied(rng, evidence):
    """Evidence as another board, precision or pose would give it: a little different; pictures mirrored."""
    out = []
    for sense, (shapes, cells, quality) in zip(SENSES, evidence):
        # Each sample has a strength of its own.
        strong = 0.12 * torch.rand(len(cells), 1, 1, device=cells.device)
        there = (cells[..., -1:] > 0).float()
        noise = strong * cells[..., :CHANNELS].abs().mean((1, 2), keepdim=True) * torch.randn_like(cells[..., :CHANNELS]) * there
        scale = 1 + 0.1 * torch.randn(len(cells), 1, 1, device=cells.device)
        cells = torch.cat([(cells[..., :CHANNELS] + noise) * scale, cells[..., CHANNELS:]], -1)
        if sense == "clip":  # where moments are compared; what differs a little more is no other kind
            planes = shapes[..., HEAT**2 : -MEASURES]
            there = (planes.abs().sum(-1, keepdim=True) > 0).float()
            more = 1 + 0.1 * torch.randn_like(planes[..., :1])
            planes = planes * more + 0.1 * (torch.randn_like(planes[..., :1]) + torch.randn_like(planes)) * there
            shapes = torch.cat([shapes[..., : HEAT**2], planes, shapes[..., -MEASURES:]], -1)
        of = [shapes, cells, quality]
        out.append(mirrored(of, rng.random(3) < 0.5) if sense == "image" else of)
    return out


@torch.no_grad()
def right(model, samples, rows, device):
    """Share of findings on a defect whose kind is told, by sense; what was told of each finding, and what it is."""
    told, labels = [], samples.labels(rows)
    asked = torch.zeros(1, PROMPT, dtype=torch.long, device=device)
    asked[:, 0] = 3
    learning = model.training
    model.eval()
    for part in np.array_split(rows, max(1, len(rows) // 256)):
        seen, _, latents, _ = model.look(samples.evidence(part), asked.expand(len(part), -1))
        told.append(model.kinds(seen, latents).argmax(-1).cpu().numpy())
    model.train(learning)
    told = np.concatenate(told)
    shares = {}
    for i, sense in enumerate(SENSES):
        own = slice(i * FINDINGS, (i + 1) * FINDINGS)
        there = labels[:, own] > 0
        shares[sense] = float((told[:, own] == labels[:, own])[there].mean()) if there.any() else None
    return shares, told, labels


def alone(samples):
    """Every sample of each sense by itself."""
    rows = []
    for i, sense in enumerate(SENSES):
        own = np.full((len(samples.of[sense]), len(SENSES)), -1)
        own[:, i] = np.arange(len(own))
        rows.append(own)
    return np.concatenate(rows)


def grown(model, tokenizer, package):
    """The weights of `model`, begun from those of a package that knew fewer senses, kinds or words: what has a name there is
    taken over, a token by its bytes; a sense that was not there begins as sight."""
    before, tokens = weights(package / "recipe" / "weights.safetensors"), Tokenizer.load(package / "tokenizer.json").index
    known = [(i, tokens[token]) for token, i in tokenizer.index.items() if token in tokens]
    known += [(i, i) for i in range(len(SPECIAL))]
    new, old = map(list, zip(*known))
    state = model.state_dict()
    for name, own in state.items():
        kept = before.get(name, before.get(name.replace(".clip.", ".image."))).to(own.device)
        if name.endswith("embedding.weight"):
            own[new] = kept[old]
        else:
            own[: len(kept)] = kept  # of kinds, the new ones come last
    return state


def of_sense():
    return [[label in OF_SENSE[sense] for label in LABELS] for sense in SENSES]


def is_held_out(file, i):
    """Whole episodes are held out: parts that were never seen. Real ones are halved by their pictures: see `episodes`."""
    return file.stem[0].isdigit() and i % 12 == 5


def files_of(caches, without=()):
    """The episodes of each sense in some folders, those to learn from and those to judge."""
    out = {sense: ([], []) for sense in SENSES}
    for cache in caches:
        files = sorted(file for file in cache.glob("*.npz") if "held-out" not in file.name)
        for i, file in enumerate(files):
            family = str(np.load(file)["family"])
            if family not in without:
                out[SENSE_OF.get(family, "image")][is_held_out(file, i)].append(file)
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--begin", type=Path, help="weights to begin from, with a tokenizer beside them: another run's state.pt")
    parser.add_argument("--grow", type=Path, help="a package to begin from that knew fewer senses, kinds or words; the vocabulary is learned anew")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--first", type=float, default=0.3, help="share of the time for what findings are, before words")
    parser.add_argument("--without", nargs="*", default=[], help="sets to leave out, such as those that want share-alike: cookie ballscrew")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=0, help="processes that write texts; 0: this one does")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--dropped", type=float, default=0.15, help="share of the evidence that is left out while it is taught")
    parser.add_argument("--questions", type=float, default=0.5, help="share of texts that answer a question")
    parser.add_argument("--only-senses", action="store_true", help="what joins the senses and writes stays as it is, with its vocabulary")
    parser.add_argument("--senses", nargs="*", default=SENSES, choices=SENSES, help="senses that learn; the others know enough, which is faster")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    torch.set_num_threads(arguments.threads)
    torch.set_float32_matmul_precision("high")
    rng, device = np.random.default_rng(arguments.seed), arguments.device
    arguments.out.mkdir(parents=True, exist_ok=True)
    files = files_of(arguments.cache, arguments.without)
    learned, judged = (Samples({sense: Episodes(sense, of[half], device) for sense, of in files.items()}) for half in (0, 1))
    tokenizer_file = arguments.out / "tokenizer.json"
    vocabulary = arguments.begin.parent if arguments.begin else arguments.grow if arguments.only_senses else None
    if vocabulary and not tokenizer_file.exists():
        shutil.copy(vocabulary / "tokenizer.json", tokenizer_file)
    if not tokenizer_file.exists():
        Tokenizer.learn(texts(np.random.default_rng(0), learned, 20_000), 1024).save(tokenizer_file)
    tokenizer = Tokenizer.load(tokenizer_file)
    model = Eyear(len(tokenizer.tokens), of_sense(), arguments.dropped).to(device)
    count = {name: round(sum(p.numel() for p in child.parameters()) / 1e6, 2) for name, child in model.named_children()}
    sizes = {sense: (len(learned.of[sense]), len(judged.of[sense])) for sense in SENSES}
    print("samples to learn from, held out:", sizes, "; million parameters:", count, flush=True)
    for sense, of in model.senses.items():
        of.requires_grad_(sense in arguments.senses)
    if arguments.only_senses:
        for name, of in model.named_children():
            if name != "senses":
                of.requires_grad_(False)
    learning = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learning, arguments.rate, weight_decay=0.05, betas=(0.9, 0.98))
    spent, step = 0.0, 0
    state_file = arguments.out / "state.pt"
    if arguments.begin:
        model.load_state_dict(torch.load(arguments.begin, map_location=device)["model"])
    if arguments.grow:
        model.load_state_dict(grown(model, tokenizer, arguments.grow))
    if state_file.exists():
        state = torch.load(state_file, map_location=device)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        spent, step = state["spent"], state["step"]
        rng = np.random.default_rng([arguments.seed, step])
    log = (arguments.out / "log.jsonl").open("a")
    budget, last, sums = 60 * arguments.minutes, time.time(), []
    model.train()
    of_texts = arguments.senses if arguments.only_senses else SENSES
    writing = Texts([arguments.seed, step], learned, tokenizer, arguments.batch, arguments.questions, of_texts)
    order = iter(torch.utils.data.DataLoader(writing, batch_size=None, num_workers=arguments.workers))
    while spent < budget:
        share = spent / budget
        rate = arguments.rate * min(1, (step + 1) / 100) * (1 if share < 0.5 else max(0.02, (1 - share) / 0.5))
        for group in optimizer.param_groups:
            group["lr"] = rate
        with_words = share >= arguments.first
        drawn = next(order) if with_words else learned.draw(rng, arguments.batch, arguments.senses)
        losses = losses_of(rng, model, learned, drawn, device)
        loss = (losses * torch.tensor([3, 1, 0.5], device=device)).sum()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        sums.append(losses.detach())
        now = time.time()
        spent, last = spent + now - last, now
        if step % EVERY == 0:
            means = torch.stack(sums[-EVERY:]).mean(0).tolist()
            shares = right(model, judged, alone(judged), device)[0] if with_words else None
            line = dict(step=step, seconds=round(spent), words=means[0], kinds=means[1], gates=means[2], held_out=shares)
            print(json.dumps(line), flush=True)
            log.write(json.dumps(line) + "\n")
            log.flush()
            last = time.time()
        if step % 500 == 0 or spent >= budget:
            state = dict(model=model.state_dict(), optimizer=optimizer.state_dict(), spent=spent, step=step)
            torch.save(state, state_file)


if __name__ == "__main__":
    main()

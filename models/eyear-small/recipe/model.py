"""The network: evidence of a sense -> tokens; a prompt -> tokens; fusion of both by gated cross-attention; a causal decoder.
Shapes of the evidence are those of `eyear inspect --evidence`."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import load_file

from words import LANGUAGES, SENSES, SORTS, SPECIAL

WIDTH, HEADS, LAYERS, HIDDEN = 192, 4, 4, 512
FINDINGS, CELLS, NINTHS, CHANNELS, OF_CELL = 4, 8, 9, 848, 4
HEAT, LUMA, EXPECTED, MEASURES, QUALITY = 12, 24, 12, 28, 10
SHAPE = HEAT**2 + LUMA**2 + EXPECTED**2 + MEASURES
LATENTS, PROMPT = 8, 64
FAR = -1e4  # what is added to the weight of a token that is not there


class Norm(nn.Module):
    """Root mean square normalisation (Zhang and Sennrich 2019)."""

    def __init__(self, width=WIDTH):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-6) * self.scale


def split(x):
    batch, tokens, width = x.shape
    return x.reshape(batch, tokens, HEADS, width // HEADS).transpose(1, 2)


def join(x):
    batch, heads, tokens, width = x.shape
    return x.transpose(1, 2).reshape(batch, tokens, heads * width)


class Gated(nn.Module):
    """Feed-forward layer with a gate (SwiGLU, Shazeer 2020)."""

    def __init__(self, hidden):
        super().__init__()
        self.up, self.gate = nn.Linear(WIDTH, hidden, bias=False), nn.Linear(WIDTH, hidden, bias=False)
        self.down = nn.Linear(hidden, WIDTH, bias=False)

    def forward(self, x):
        return self.down(F.silu(self.gate(x)) * self.up(x))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.q, self.kv = nn.Linear(WIDTH, WIDTH, bias=False), nn.Linear(WIDTH, 2 * WIDTH, bias=False)
        self.out = nn.Linear(WIDTH, WIDTH, bias=False)

    def forward(self, x, context, mask=None):
        """Also gives the weights, `[batch, heads, queries, context]`."""
        k, v = self.kv(context).chunk(2, -1)
        weights = split(self.q(x)) @ split(k).transpose(-1, -2) * (WIDTH // HEADS) ** -0.5
        weights = (weights if mask is None else weights + mask).softmax(-1)
        return self.out(join(weights @ split(v))), weights


class Block(nn.Module):
    def __init__(self, hidden=2 * WIDTH):
        super().__init__()
        self.before, self.attention = Norm(), Attention()
        self.between, self.mix = Norm(), Gated(hidden)

    def forward(self, x, mask=None):
        y = self.before(x)
        x = x + self.attention(y, y, mask)[0]
        return x + self.mix(self.between(x))


class Sense(nn.Module):
    """Evidence of one sense -> 45 tokens: four findings' shapes, eight cells of each, nine ninths of the whole. `dropped` is the
    share of inputs that are left out while it is taught, so that no one channel is known by heart."""

    def __init__(self, dropped):
        super().__init__()
        self.features = nn.ModuleList([nn.LayerNorm(CHANNELS // 2), nn.LayerNorm(CHANNELS // 2)])
        self.dropped = dropped
        self.cell = nn.Linear(CHANNELS + OF_CELL, WIDTH)
        self.picture = nn.Sequential(
            *(nn.Conv2d(3, 24, 3, 2, 1), nn.ReLU(), nn.Conv2d(24, 48, 3, 2, 1), nn.ReLU()),
            *(nn.Conv2d(48, 64, 3, 2, 1), nn.ReLU(), nn.Flatten()),
        )
        self.shape = nn.Linear(64 * 9 + MEASURES, WIDTH)
        self.place = nn.Parameter(0.02 * torch.randn(FINDINGS + NINTHS, WIDTH))
        self.kind = nn.Parameter(0.02 * torch.randn(3, WIDTH))
        self.blocks = nn.ModuleList(Block() for _ in range(2))
        self.quality = nn.Sequential(nn.Linear(WIDTH + QUALITY, 64), nn.ReLU(), nn.Linear(64, 1))

    def forward(self, shapes, cells, quality):
        """`f32[batch, FINDINGS, SHAPE]`, `f32[batch, FINDINGS * CELLS + NINTHS, CHANNELS + OF_CELL]`, `f32[batch, QUALITY]`
        -> tokens, a mask that is added to attention, and the gate, `f32[batch, 1]`, 0 to 1: what the sense is worth on this
        sample, 0 where it is not there."""
        seen, apart, told = cells[..., : CHANNELS // 2], cells[..., CHANNELS // 2 : CHANNELS], cells[..., CHANNELS:]
        # Features are heavy-tailed; how far a cell is apart is told by the length that normalising takes away.
        far = torch.log1p((apart * apart).mean(-1, keepdim=True)) * told[..., 3:]
        told = torch.cat([told[..., :3], far], -1)
        inputs = torch.cat([norm(torch.sign(x) * torch.log1p(x.abs())) for norm, x in zip(self.features, (seen, apart))], -1)
        there = cells[..., -1] > 0
        if self.training:  # the same channels of all cells of a sample
            kept = (torch.rand(len(cells), 1, CHANNELS, device=cells.device) > self.dropped).float()
            inputs = inputs * kept / (1 - self.dropped)
        cell = self.cell(torch.cat([inputs, told], -1))
        findings = self.place[:FINDINGS]
        of_cell = torch.cat([findings.repeat_interleave(CELLS, 0) + self.kind[0], self.place[FINDINGS:] + self.kind[1]])
        heat, luma, expected, measures = shapes.split([HEAT**2, LUMA**2, EXPECTED**2, MEASURES], -1)
        planes = [
            F.interpolate(plane.reshape(-1, 1, side, side), (LUMA, LUMA), mode="nearest")
            for plane, side in ((heat, HEAT), (luma, LUMA), (expected, EXPECTED))
        ]
        drawn = self.picture(torch.cat(planes, 1).clamp(-4, 4)).reshape(shapes.shape[0], FINDINGS, -1)
        drawn = F.dropout(drawn, self.dropped, self.training)
        shape = self.shape(torch.cat([drawn, measures], -1)) + findings + self.kind[2]
        tokens = torch.cat([shape, cell + of_cell], 1)
        there = torch.cat([there[:, : FINDINGS * CELLS : CELLS], there], 1)
        if self.training:  # a cell or a shape may be left out; the ninths stay
            out = torch.rand(there[:, :-NINTHS].shape, device=cells.device) < self.dropped
            there = torch.cat([there[:, :-NINTHS] & ~out, there[:, -NINTHS:]], 1)
        mask = torch.where(there, 0.0, FAR)[:, None, None, :]
        for block in self.blocks:
            tokens = F.dropout(block(tokens, mask), self.dropped, self.training)
        gate = self.quality(torch.cat([tokens[:, -NINTHS:].mean(1), quality], -1))
        return tokens, mask, torch.sigmoid(gate) * (cells[:, -1, -1:] > 0)


class Prompt(nn.Module):
    """The language and the question -> tokens, and of which of `SORTS` the question is. Nought pads."""

    def __init__(self, embedding):
        super().__init__()
        self.embedding, self.place = embedding, nn.Parameter(0.02 * torch.randn(PROMPT, WIDTH))
        self.blocks = nn.ModuleList(Block() for _ in range(2))
        self.sort = nn.Sequential(nn.Linear(2 * WIDTH, 64), nn.ReLU(), nn.Linear(64, len(SORTS)))

    def sorted(self, tokens, ids):
        """Logits of the sorts, from a prompt's tokens: of the first one, which is the language's, and of all in the mean."""
        there = (ids > 0).to(tokens.dtype)[..., None]
        mean = (tokens * there).sum(1) / there.sum(1)
        return self.sort(torch.cat([tokens[:, 0], mean], -1))

    def forward(self, ids):
        mask = torch.where(ids > 0, 0.0, FAR)[:, None, None, :]
        x = 4 * self.embedding(ids) + self.place[: ids.shape[1]]
        for block in self.blocks:
            x = block(x, mask)
        return x, mask


class Fusion(nn.Module):
    """Latents that look at each sense and at the prompt in turn. What a sense gives is multiplied by its gate: how much the
    sense is worth on this sample, 0 where it is not there. One latent stands for each finding of each sense."""

    def __init__(self):
        super().__init__()
        self.latents = nn.Parameter(0.02 * torch.randn(LATENTS, WIDTH))
        kinds = (*SENSES, "text")
        layer = lambda: nn.ModuleDict({kind: nn.ModuleList([Norm(), Attention()]) for kind in kinds})
        self.looks = nn.ModuleList(layer() for _ in range(2))
        self.blocks = nn.ModuleList(Block() for _ in range(2))
        self.out = Norm()

    def forward(self, seen, gates, text, text_mask):
        """`seen`: for each sense its tokens and their mask; `gates`, `f32[batch, senses]`, 0 to 1. Gives the latents,
        `f32[batch, LATENTS + FINDINGS * senses, WIDTH]`, and what they looked at: for each sense the mean weights of the
        last layer, `f32[batch, latents, tokens]`."""
        own = [tokens[:, :FINDINGS] * gates[:, i : i + 1, None] for i, (tokens, _) in enumerate(seen)]
        x = torch.cat([self.latents.expand(text.shape[0], -1, -1), *own], 1)
        weights = []
        for look, block in zip(self.looks, self.blocks):
            weights = []
            for i, sense in enumerate(SENSES):
                norm, attention = look[sense]
                found, weight = attention(norm(x), *seen[i])
                x = x + found * gates[:, i : i + 1, None]
                weights.append(weight.mean(1))
            norm, attention = look["text"]
            x = x + attention(norm(x), text, text_mask)[0]
            x = block(x)
        return self.out(x), weights


def rotate(x, at):
    """Rotary position embedding (Su et al. 2021)."""
    half = x.shape[-1] // 2
    pace = 10000.0 ** (-torch.arange(half, dtype=torch.float32, device=x.device) / half)
    angle = at.to(torch.float32)[:, None] * pace
    cos, sin = torch.cos(angle), torch.sin(angle)
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


class Decoder(nn.Module):
    """One graph for the prefix and for each step: `x`, `f32[batch, tokens, WIDTH]`, and the keys and values of what came
    before, `f32[LAYERS, 2, batch, HEADS, before, WIDTH / HEADS]`, where `before` may be 0."""

    def __init__(self, embedding):
        super().__init__()
        self.embedding = embedding
        self.layers = nn.ModuleList(
            nn.ModuleDict(
                {
                    "before": Norm(),
                    "qkv": nn.Linear(WIDTH, 3 * WIDTH, bias=False),
                    "out": nn.Linear(WIDTH, WIDTH, bias=False),
                    "between": Norm(),
                    "mix": Gated(HIDDEN),
                }
            )
            for _ in range(LAYERS)
        )
        self.last = Norm()

    def forward(self, x, past):
        before, tokens = past.shape[4], x.shape[1]
        at, seen = (torch.arange(n, device=x.device) + first for n, first in ((tokens, before), (before + tokens, 0)))
        mask = torch.where(seen[None] <= at[:, None], 0.0, FAR)
        present = []
        for layer, kept in zip(self.layers, past.unbind(0)):
            q, k, v = layer["qkv"](layer["before"](x)).chunk(3, -1)
            q, k, v = rotate(split(q), at), rotate(split(k), at), split(v)
            k, v = torch.cat([kept[0], k], 2), torch.cat([kept[1], v], 2)
            present.append(torch.stack([k, v]))
            weights = (q @ k.transpose(-1, -2) * (WIDTH // HEADS) ** -0.5 + mask).softmax(-1)
            x = x + layer["out"](join(weights @ v))
            x = x + layer["mix"](layer["between"](x))
        return self.last(x) @ self.embedding.weight.T, torch.stack(present)


def nothing_sensed(evidence):
    """Tokens, mask and gate of a sense that is not there."""
    batch, cells, _ = evidence[1].shape
    of = lambda *shape: evidence[1].new_zeros(shape)
    return of(batch, FINDINGS + cells, WIDTH), of(batch, 1, 1, FINDINGS + cells) + FAR, of(batch, 1)


def nothing(batch, device="cpu"):
    """The past of a text that has not begun."""
    return torch.zeros(LAYERS, 2, batch, HEADS, 0, WIDTH // HEADS, device=device)


class Eyear(nn.Module):
    def __init__(self, vocabulary, of_sense, dropped=0.15):
        """`of_sense`: for each sense, which kinds a finding may be of, as `bool[kinds]`."""
        super().__init__()
        embedding = nn.Embedding(vocabulary, WIDTH)
        nn.init.normal_(embedding.weight, std=0.05)
        self.senses = nn.ModuleDict({sense: Sense(dropped) for sense in SENSES})
        self.text = Prompt(embedding)
        self.fusion, self.decoder = Fusion(), Decoder(embedding)
        rows = torch.stack([torch.where(torch.as_tensor(allowed), 0.0, FAR) for allowed in of_sense])
        self.register_buffer("allowed", rows.repeat_interleave(FINDINGS, 0), persistent=False)
        # What each finding is, straight from its tokens (only while it is taught), and from its latent.
        self.hints = nn.ModuleList(nn.Linear(WIDTH, rows.shape[1]) for _ in range(2))

    def embed(self, ids):
        return 4 * self.decoder.embedding(ids)

    def sense(self, evidence):
        """Tokens with their masks, and gates, of the evidence of each sense, in the order of `SENSES`."""
        # Where no sample of a batch has a sense, nothing is learned of it: what its gate of 0 keeps out need not be computed.
        absent = lambda of: self.training and not (of[1][:, -1, -1] > 0).any()
        sensed = [nothing_sensed(of) if absent(of) else self.senses[sense](*of) for sense, of in zip(SENSES, evidence)]
        return [(tokens, mask) for tokens, mask, _ in sensed], torch.cat([gate for *_, gate in sensed], 1)

    def kinds(self, seen, latents=None):
        """Logits of what each finding is, sense after sense, from its tokens, or from its latent."""
        if latents is None:
            return self.hints[0](torch.cat([tokens[:, :FINDINGS] for tokens, _ in seen], 1)) + self.allowed
        return self.hints[1](latents[:, LATENTS:]) + self.allowed

    def look(self, evidence, prompt):
        seen, gates = self.sense(evidence)
        text, text_mask = self.text(prompt)
        latents, weights = self.fusion(seen, gates, text, text_mask)
        return seen, gates, latents, weights

    def forward(self, evidence, prompt, ids):
        """Logits of each of `ids`, the first from the latents alone; the gates; what each finding is, twice."""
        seen, gates, latents, _ = self.look(evidence, prompt)
        logits, _ = self.decoder(torch.cat([latents, self.embed(ids[:, :-1])], 1), nothing(len(ids), ids.device))
        return logits[:, latents.shape[1] - 1 :], gates, [self.kinds(seen), self.kinds(seen, latents)]


def weights(path):
    """What `export.py` kept of all that was learned."""
    kept = load_file(path)
    names = [name for name in kept if not name.endswith(":step")]
    shaped = lambda name: kept[f"{name}:step"].reshape(-1, *[1] * (kept[name].dim() - 1))
    return {name: (kept[name].float() * shaped(name)).reshape(kept[name].shape) for name in names}


def prompt(tokenizer, language, asked):
    """The ids of a prompt: the language, then the question; nought pads."""
    ids = [SPECIAL.index(f"<{language}>"), *tokenizer.encode(asked)][:PROMPT]
    return ids + [0] * (PROMPT - len(ids))


assert len(LANGUAGES) + 3 == len(SPECIAL)

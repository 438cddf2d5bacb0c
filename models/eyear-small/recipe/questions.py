"""The last stage: what a question is about, from the prompt's tokens. All else stays as it was taught. Questions are those of
`words.toml`, each written as people write: in any case, without marks, with a slip or with words before and behind.

    python questions.py --run run
"""

import argparse
import string
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from model import Eyear, prompt
from train import of_sense
from words import LANGUAGES, SENSES, SORTS, WORDS, Tokenizer

BEFORE = {"en": ["", "", "please, ", "tell me: ", "hi, ", "so "], "zh": ["", "", "请问", "请告诉我，"]}
# What may be there or not, in the place of the label that `words.toml` asks for.
THINGS = {
    "en": ["label", "screw", "cap", "nut", "seal", "sticker", "pin", "lid", "ring", "spring", "clip", "washer", "bolt", "connector", "logo"]
    + ["barcode", "plug", "cover", "gasket", "fuse", "bracket", "cable", "wheel", "text", "stamp", "date", "handle", "needle"],
    "zh": ["标签", "螺丝", "盖子", "螺母", "封条", "贴纸", "销钉", "垫圈", "弹簧", "卡扣", "插头", "条码", "密封圈", "商标", "电缆", "日期"],
}
SIGNS = "板片块条架座壳管线针钉环扣帽塞膜胶布垫轮轴杆把手按键灯屏孔口盒罐瓶袋"
BEHIND = {"en": ["", "", " please", " now", " on this part"], "zh": ["", "", "谢谢", "呢"]}


def thing(rng, language):
    """Something that a part may have, known or not."""
    if rng.random() < 0.5:
        return str(rng.choice(THINGS[language]))
    if language == "zh":
        return "".join(str(one) for one in rng.choice(list(SIGNS), int(rng.integers(1, 4))))
    parts = [str(rng.choice(list("bcdfghlmnprstvw"))) + str(rng.choice(list("aeiou"))) for _ in range(int(rng.integers(1, 4)))]
    return "".join(parts) + str(rng.choice(list("klmnprst")))


def asked(rng, language):
    """A question as somebody writes it, and its sort."""
    words = WORDS[language]
    entry = words["ask"][rng.integers(len(words["ask"]))]
    text = str(rng.choice(entry["ask"]))
    if entry["about"] == "present":
        text = text.replace(THINGS[language][0], thing(rng, language))
    if "{kind}" in text:
        kinds = words["kind"][str(rng.choice(SENSES))]
        name = str(rng.choice(kinds[str(rng.choice(list(kinds)))]))
        for article in ("a ", "an "):
            if language == "en" and name.startswith(article) and rng.random() < 0.5:
                name = ("the " if rng.random() < 0.5 else "") + name.removeprefix(article)
        if rng.random() < 0.15:  # of a kind that has no name here
            name = thing(rng, language)
        text = text.format(kind=name)
    text = str(rng.choice(BEFORE[language])) + text + str(rng.choice(BEHIND[language]))
    if rng.random() < 0.3:  # by a keyboard that has no wide marks
        text = text.translate(str.maketrans("？，！：", "?,!:"))
    if rng.random() < 0.4:
        text = text.translate(str.maketrans("", "", string.punctuation + "？。，！："))
    if rng.random() < 0.3:
        text = text.capitalize() if rng.random() < 0.7 else text.upper()
    if rng.random() < 0.25 and len(text) > 6:  # a slip: a letter left out, twice, or two changed about
        at = int(rng.integers(1, len(text) - 2))
        text = (text[:at] + text[at + 1 :], text[:at] + text[at] + text[at:], text[:at] + text[at + 1] + text[at] + text[at + 2 :])[rng.integers(3)]
    return text, SORTS.index(entry["about"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--count", type=int, default=24_000, help="questions that are learned from")
    parser.add_argument("--epochs", type=int, default=30)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    tokenizer = Tokenizer.load(arguments.run / "tokenizer.json")
    eyear = Eyear(len(tokenizer.tokens), of_sense())
    state = torch.load(arguments.run / "state.pt", map_location="cpu")
    known = {name: value for name, value in state["model"].items() if not name.startswith("text.sort.")}
    eyear.load_state_dict(known, strict=False)  # what is learned here begins anew: there may be other sorts
    ids, sorts = [], []
    for _ in range(arguments.count):
        language = str(rng.choice(LANGUAGES))
        text, sort = asked(rng, language)
        ids.append(prompt(tokenizer, language, text))
        sorts.append(sort)
    ids, sorts = torch.tensor(ids), torch.tensor(sorts)
    with torch.no_grad():
        tokens = torch.cat([eyear.text(part)[0] for part in ids.split(256)])
    held_out = arguments.count // 8
    optimizer = torch.optim.AdamW(eyear.text.sort.parameters(), 2e-3, weight_decay=0.01)
    for epoch in range(arguments.epochs):
        for rows in (held_out + torch.randperm(arguments.count - held_out)).split(128):
            loss = F.cross_entropy(eyear.text.sorted(tokens[rows], ids[rows]), sorts[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            right = (eyear.text.sorted(tokens[:held_out], ids[:held_out]).argmax(-1) == sorts[:held_out]).float().mean()
        print(f"epoch {epoch}: loss {loss.item():.3f}, {right:.4f} of other spellings told", flush=True)
    state["model"] = eyear.state_dict()
    torch.save(state, arguments.run / "state.pt")


if __name__ == "__main__":
    main()

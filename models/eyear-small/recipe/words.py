"""What is written of a judged sample, in the words of `words.toml`: the sentences that the decoder learns, the questions it
is asked, and the vocabulary. eyear makes its grammar from the same file, so that what is learned can be said."""

import json
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

WORDS = tomllib.loads((Path(__file__).resolve().parents[1] / "words.toml").read_text())
LANGUAGES = tuple(WORDS)
SENSES = ("image", "audio", "clip")
# The senses of which a question asks.
ASKED = {"seen": ("image", "clip"), "heard": ("audio",)}
# What a question may be about; the same in every language.
SORTS = tuple(entry["about"] for entry in WORDS[LANGUAGES[0]]["ask"])
PAD, BEGIN, END = 0, 1, 2
SPECIAL = ("<pad>", "<begin>", "<end>", *(f"<{language}>" for language in LANGUAGES))
REPORT = ""  # asked nothing: a whole report


def area(share):
    """A share of the picture in per cent, as eyear writes it."""
    percent = 100 * share
    return f"{percent:.1f}" if percent >= 0.1 else "0.1"


def is_poor(sense, quality):
    """Whether light or focus, or the level of a sound, are clearly worse than in what was taught, by `quality` of the
    evidence; eyear says the same (`src/inspect/writer.rs`)."""
    if sense == "audio":
        level, clipped, _, dropped = quality[:4]
        return abs(level) > 1.5 or clipped > 0.005 or dropped > 0.005
    brightness, contrast, sharpness = quality[:3]
    return abs(brightness) > 1.5 or contrast < -0.8 or not -1.2 <= sharpness <= 1.5


def event(words, heard):
    """Where a finding of a sound lies, from the measures of the event; eyear says the same (`src/decode/grammar.rs`)."""
    (low, high), (begin, end) = heard["hz"], heard["seconds"]
    character = heard["character"]
    if character == "rhythm":
        rate = heard.get("rate")
        form = words["event"]["bearing" if rate else "rhythm"]
        return form.format(hz=f"{low:.1f}", rate=words["rate"].get(rate, ""))
    if character == "tone" and heard["all_the_time"]:
        return words["event"]["tone"].format(hz=f"{0.5 * (low + high):.0f}")
    form = words["event"]["steady" if heard["all_the_time"] else "band"]
    return form.format(low=f"{low / 1e3:.2f}", high=f"{high / 1e3:.2f}", **{"from": f"{begin:.2f}", "to": f"{end:.2f}"})


@dataclass
class Found:
    """A finding: its sense, its kind, and where it is: `place` and `area` (a share) of what is seen, `heard` of a sound, `moved`
    of a clip."""

    sense: str
    kind: str
    place: str = ""
    area: float = 0.0
    heard: dict | None = None
    moved: dict | None = None
    new: bool = True


@dataclass
class Told:
    """What was measured of a sample: `verdict`, `findings`, how many `more` of each sense are not shown, which senses are
    `poor`, which are there and which the part knows, which decided, and whether an earlier sample is compared with."""

    verdict: str
    findings: list = field(default_factory=list)
    more: dict = field(default_factory=dict)
    poor: tuple = ()
    there: tuple = ("image",)
    known: tuple = ("image",)
    decided: str | None = None
    since: bool = False


def finding(rng, words, found):
    template = str(rng.choice(words["finding"][found.sense]))
    kind = str(rng.choice(words["kind"][found.sense][found.kind]))
    if found.sense == "audio":
        return template.format(event=event(words, found.heard), db=f"{found.heard['db']:+.0f}", kind=kind)
    place = words["place"][found.place]
    if found.sense == "clip":
        begin, end = (f"{second:.1f}" for second in found.moved["seconds"])
        motion = words["motion"][found.moved["character"]]
        return template.format(**{"place": place, "from": begin, "to": end, "motion": motion, "kind": kind})
    return template.format(place=place, kind=kind, area=area(found.area))


def findings(rng, words, told, senses=SENSES):
    said = []
    for sense in senses:
        said += [finding(rng, words, found) for found in told.findings if found.sense == sense]
        if told.more.get(sense):
            said.append(words["more"].format(n=told.more[sense]))
    return said


def report(rng, language, told):
    """A whole report. One that passes says nothing of places."""
    words = WORDS[language]
    said = [str(rng.choice(words["verdict"][told.verdict]))]
    for sense in told.known:
        if sense not in told.there:
            said.append(str(rng.choice(words["absent"][sense])))
    if told.verdict != "pass":
        if told.decided:
            said.append(str(rng.choice(words["decided"][told.decided])))
        said += findings(rng, words, told) or [words["whole"]]
    for sense in told.poor:
        said.append(str(rng.choice(words["quality"][sense])))
    said.append(str(rng.choice(words["action"][told.verdict])))
    return words["glue"].join(said)


def question(rng, language, told):
    """A question and its answer."""
    asked, entry, kind = ask(rng, language, told)
    return asked, answer(rng, language, told, entry, kind)


def ask(rng, language, told):
    """A question, its sort, and the sense and the kind that it asks for, if any."""
    words = WORDS[language]
    entry = words["ask"][rng.integers(len(words["ask"]))]
    asked = str(rng.choice(entry["ask"]))
    if "{kind}" not in asked:
        return asked, entry, None
    shown = told.findings if told.verdict != "pass" else []
    kinds = [(found.sense, found.kind) for found in shown if found.kind != "nothing"]
    every = [(sense, kind) for sense in told.there for kind in words["kind"][sense] if kind != "nothing"]
    sense, kind = kinds[rng.integers(len(kinds))] if kinds and rng.random() < 0.5 else every[rng.integers(len(every))]
    return asked.format(kind=str(rng.choice(words["kind"][sense][kind]))), entry, (sense, kind)


def answer(rng, language, told, entry, kind=None):
    """An answer to a sort of question; one of those that are true."""
    words = WORDS[language]
    shown = told.findings if told.verdict != "pass" else []
    more = told.more if told.verdict != "pass" else {}
    about, absent = shown, False
    if kind:
        about = [found for found in shown if (found.sense, found.kind) == kind]
    elif entry["about"] == "present":
        seen = [found for found in shown if found.sense in ASKED["seen"]]
        about, absent = [found for found in seen if found.kind == "missing"], not set(ASKED["seen"]) & set(told.there)
        if seen and not about:
            entry, about = entry | {"yes": entry["other"]}, seen
    elif entry["about"] in ASKED:
        senses = ASKED[entry["about"]]
        about, absent = [found for found in shown if found.sense in senses], not set(senses) & set(told.there)
    elif entry["about"] == "change":
        about, absent = [found for found in shown if found.new], not told.since
    elif entry["about"] == "decided":
        about = [told.decided] if told.decided and told.verdict != "pass" else []
    said = str(rng.choice(entry["absent"] if absent else entry["yes" if about else "no"]))
    action, verdict = words["action"][told.verdict], words["verdict"][told.verdict]
    slots = {"count": len(shown) + sum(more.values()), "action": str(rng.choice(action)), "verdict": str(rng.choice(verdict))}
    if about and entry["about"] == "decided":
        slots["decided"] = str(rng.choice(words["decided"][told.decided]))
    elif about:
        # All of a kind that is named; else the most severe.
        of_kind = about if kind or entry["about"] == "present" else about[:1]
        slots["meant"] = words["glue"].join(finding(rng, words, found) for found in of_kind)
        everything = {"findings": SENSES, **ASKED}
        slots |= {slot: words["glue"].join(findings(rng, words, told, senses)) for slot, senses in everything.items()}
        slots["new"] = words["glue"].join(finding(rng, words, found) for found in about)
    return said.format(**slots)


class Tokenizer:
    """Tokens are byte strings; a text becomes the longest that fits, again and again. Every byte is a token, so any text
    can be written."""

    def __init__(self, tokens):
        self.tokens = tokens
        self.index = {token: i for i, token in enumerate(tokens) if i >= len(SPECIAL)}
        self.longest = max(map(len, tokens))

    @classmethod
    def load(cls, path):
        return cls([bytes.fromhex(token) for token in json.loads(Path(path).read_text())["tokens"]])

    def save(self, path):
        kept = {"special": list(SPECIAL), "tokens": [token.hex() for token in self.tokens]}
        Path(path).write_text(json.dumps(kept, indent=0) + "\n")

    def encode(self, text):
        data, at, ids = text.encode(), 0, []
        while at < len(data):
            size = next(n for n in range(min(self.longest, len(data) - at), 0, -1) if data[at : at + n] in self.index)
            ids.append(self.index[data[at : at + size]])
            at += size
        return ids

    def decode(self, ids):
        return b"".join(self.tokens[i] for i in ids if i >= len(SPECIAL)).decode(errors="replace")

    @classmethod
    def learn(cls, texts, size):
        """Byte pair encoding (Sennrich et al. 2016) over `texts`, by the `tokenizers` library."""
        from tokenizers import Tokenizer as Learner, models, pre_tokenizers, trainers

        learner = Learner(models.BPE())
        learner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(vocab_size=size - len(SPECIAL), initial_alphabet=alphabet, show_progress=False)
        learner.train_from_iterator(texts, trainer)
        to_byte = byte_of_letter()
        learned = sorted(learner.get_vocab().items(), key=lambda item: item[1])
        return cls([b""] * len(SPECIAL) + [bytes(to_byte[letter] for letter in token) for token, _ in learned])


def byte_of_letter():
    """The letters that stand for bytes in byte-level encodings (GPT-2)."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + i): byte for i, byte in enumerate(others)}

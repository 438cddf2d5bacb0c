"""What is written of a judged sample, in the words of `words.toml`: the sentences that the decoder learns, the questions it
is asked, and the vocabulary. eyear makes its grammar from the same file, so that what is learned can be said."""

import json
import tomllib
from pathlib import Path

WORDS = tomllib.loads((Path(__file__).resolve().parents[1] / "words.toml").read_text())
LANGUAGES = tuple(WORDS)
PAD, BEGIN, END = 0, 1, 2
SPECIAL = ("<pad>", "<begin>", "<end>", *(f"<{language}>" for language in LANGUAGES))
REPORT = ""  # asked nothing: a whole report


def area(share):
    """A share of the picture in per cent, as eyear writes it."""
    percent = 100 * share
    return f"{percent:.1f}" if percent >= 0.1 else "0.1"


def is_poor(quality):
    """Whether light or focus are clearly worse than in what was taught, by `quality` of the evidence; eyear says the same
    (`src/inspect/writer.rs`)."""
    brightness, contrast, sharpness = quality[:3]
    return abs(brightness) > 1.5 or contrast < -0.8 or not -1.2 <= sharpness <= 1.5


class Told:
    """What was measured of a sample: `verdict`, `findings` as (place, share of the picture, kind), `more` findings that
    are not shown, and whether the picture is worse than those that were taught."""

    def __init__(self, verdict, findings, more=0, poor=False):
        self.verdict, self.findings, self.more, self.poor = verdict, findings, more, poor


def finding(rng, words, found):
    place, share, kind = found
    template = str(rng.choice(words["finding"]["image"]))
    return template.format(place=words["place"][place], kind=str(rng.choice(words["kind"][kind])), area=area(share))


def findings(rng, words, told):
    said = [finding(rng, words, found) for found in told.findings]
    if told.more:
        said.append(words["more"].format(n=told.more))
    return said


def report(rng, language, told):
    """A whole report. One that passes says nothing of places."""
    words = WORDS[language]
    said = [str(rng.choice(words["verdict"][told.verdict]))]
    if told.verdict != "pass":
        said += findings(rng, words, told) or [words["whole"]]
    if told.poor:
        said.append(str(rng.choice(words["quality"]["image"])))
    said.append(str(rng.choice(words["action"][told.verdict])))
    return words["glue"].join(said)


def question(rng, language, told):
    """A question and its answer."""
    words = WORDS[language]
    entry = words["ask"][rng.integers(len(words["ask"]))]
    asked = str(rng.choice(entry["ask"]))
    shown = told.findings if told.verdict != "pass" else []
    about = shown
    if "{kind}" in asked:
        kinds = [kind for _, _, kind in shown if kind != "nothing"]
        every = [kind for kind in words["kind"] if kind != "nothing"]
        kind = str(rng.choice(kinds if kinds and rng.random() < 0.5 else every))
        asked = asked.format(kind=str(rng.choice(words["kind"][kind])))
        about = [found for found in shown if found[2] == kind]
    answer = str(rng.choice(entry["yes" if about else "no"]))
    action, verdict = words["action"][told.verdict], words["verdict"][told.verdict]
    slots = {"count": len(shown) + told.more, "action": str(rng.choice(action)), "verdict": str(rng.choice(verdict))}
    if about:
        # Of several, the first: the most severe.
        slots["finding"] = finding(rng, words, about[0])
        slots["findings"] = words["glue"].join(findings(rng, words, told))
    return asked, answer.format(**slots)


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

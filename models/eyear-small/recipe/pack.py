"""Writes `model.toml` of a package: what is in it, and the digest of every file. As a command, of that which holds this folder."""

import hashlib
from pathlib import Path

from episodes import LABELS
from words import SORTS

VERSION = "0.3.3"
HEAD = '''# Written by recipe/pack.py.
format = 1
name = "{name}"
version = "{version}"
summary = "Words for what was found: evidence and a prompt are fused, a decoder writes"
licence = "Apache-2.0"
origin = "Trained by recipe/ on drawn parts and machines with drawn faults, and on pictures of sets whose licence allows it: see README.md."

[text_encoder]                # i32[1, 64] -> f32[1, 64, 192], its mask, and what the question is about
sorts = [{sorts}]
{text_encoder}
[fusion]                      # evidence of `eyear inspect --evidence` and a prompt -> latents
image = "{image}"             # whose evidence it reads
audio = "{audio}"
clip = "{clip}"
kinds = [{kinds}]
golden = {{ input = "golden/input.safetensors", output = "golden/output.safetensors", tolerance = {{ int8 = 0.99 }} }}
{fusion}
[decoder]                     # latents, then a token at a time -> what may follow
embedding = "embedding.safetensors"
{decoder}
[tokenizer]
file = "tokenizer.json"
words = "words.toml"

[sha256]                      # every file of the package but this one
{digests}
'''


def variants(part):
    one = '\n[[{part}.variant]]\nprecision = "{precision}"\nfile = "{part}.{precision}.onnx"\n'
    return "".join(one.format(part=part, precision=precision) for precision in ("int8",))


def pack(folder, name="eyear-small", version=VERSION):
    """Writes the manifest of the package in `folder`."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "model.toml" and "__pycache__" not in path.parts)
    digests = (f'"{path.relative_to(folder).as_posix()}" = "{hashlib.sha256(path.read_bytes()).hexdigest()}"' for path in files)
    text = HEAD.format(
        name=name,
        version=version,
        image="vision-lite0 1.1.0",
        audio="sound-lite0 1.0.0",
        clip="clip-lite0 1.0.0",
        sorts=", ".join(f'"{sort}"' for sort in SORTS),
        kinds=", ".join(f'"{label}"' for label in LABELS),
        digests="\n".join(digests),
        **{part: variants(part) for part in ("text_encoder", "fusion", "decoder")},
    )
    (folder / "model.toml").write_text(text)


if __name__ == "__main__":
    pack(Path(__file__).resolve().parents[1])

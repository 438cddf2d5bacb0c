"""Adds a variant of another precision to a package whose encoder has an fp32 one, with a report of how near it is.

    python quantize.py PACKAGE --precision int8 --calibrate FOLDER --method percentile
    python quantize.py PACKAGE --precision fp16 --calibrate FOLDER
    python quantize.py PACKAGE --precision int4 --calibrate FOLDER --data DATASET --eyear target/release/eyear

FOLDER holds good pictures, sounds or clips, as the package encodes them. Of each four, three calibrate and one is held
out; the report compares the variant with fp32 on those. With --data the whole of eyear is compared too: `eyear eval`
by fp32 and by the variant. The variant, its tolerance, the report and their digests are written into the package.

The packages that eyear ships have a recipe of their own, which gives each channel its own step and so comes nearer; this
one knows nothing of the network.
"""

import argparse
import hashlib
import importlib.util
import json
import math
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import tomlkit
from onnx import TensorProto, helper, numpy_helper, version_converter
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process
from onnxruntime.transformers.float16 import convert_float_to_float16
from PIL import Image
from safetensors.numpy import load_file

MODELS = Path(__file__).resolve().parent.parent
ENCODERS = {"image_encoder": "pictures", "audio_encoder": "sounds", "clip_encoder": "clips"}
METHODS = {
    "minmax": CalibrationMethod.MinMax,
    "entropy": CalibrationMethod.Entropy,
    "percentile": CalibrationMethod.Percentile,
}
PICTURES = {".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".pgm", ".tif", ".tiff", ".webp"}
SOUNDS = {".wav", ".flac"}
CLIPS = {".avi"}
# What `eyear eval` tells of a data set that is compared.
AREAS = ("image_auroc", "audio_auroc", "aupro")
# One in so many samples is held out.
HELD_OUT = 4
# The first opset whose DequantizeLinear takes 4 bits.
INT4_OPSET = 21
INT4_LIMIT = 7
# Places of a sample that tell how the inputs of a layer go together.
PLACES = 512


def main():
    arguments = parsed()
    package = arguments.package
    manifest = tomlkit.parse((package / "model.toml").read_text())
    name, encoder = encoder_of(manifest)
    source = package / variant_of(encoder, "fp32")
    if not source.is_file():
        raise SystemExit(f"{package}: no fp32 variant in ONNX to start from")
    if variant_of(encoder, arguments.precision) and not arguments.replace:
        raise SystemExit(f"{package}: there is {arguments.precision} already; --replace makes it anew")
    samples = inputs_of(name, encoder, arguments.calibrate, arguments.samples)
    held_out = samples[HELD_OUT - 1 :: HELD_OUT]
    calibration = [sample for i, sample in enumerate(samples) if i % HELD_OUT != HELD_OUT - 1]
    if not held_out:
        raise SystemExit(f"{arguments.calibrate}: {len(samples)} {ENCODERS[name]}, wanted are {HELD_OUT} or more")

    file = f"{manifest['name']}.{arguments.precision}.onnx"
    made = {"int8": int8, "fp16": fp16, "int4": int4}[arguments.precision]
    made(source, package / file, str(encoder["input"]), calibration, arguments)

    outputs = [str(output["name"]) for output in encoder["outputs"]]
    report = {
        "precision": arguments.precision,
        "of": source.name,
        "bytes": {"fp32": source.stat().st_size, arguments.precision: (package / file).stat().st_size},
        "held_out": len(held_out),
        "outputs": parity(source, package / file, str(encoder["input"]), outputs, held_out),
    }
    if arguments.precision == "int8":
        method, per_channel = arguments.method, arguments.per_channel
        report |= {"method": method, "per_channel": per_channel, "calibrated": len(calibration)}
    golden = golden_of(package, encoder, file, outputs)
    report["golden"] = golden
    entered(manifest, encoder, arguments.precision, file, golden)
    write(package, manifest, [file])
    if arguments.eyear:
        told = subprocess.run([arguments.eyear, "model", "verify", package], capture_output=True, text=True)
        report["verify"] = (told.stdout + told.stderr).strip()
    if arguments.data:
        report["data"] = {p: judged(arguments, p) for p in ("fp32", arguments.precision)}
    tell(report)
    paper = f"parity/{arguments.precision}.json"
    (package / "parity").mkdir(exist_ok=True)
    (package / paper).write_text(json.dumps(report, indent=1) + "\n")
    write(package, manifest, [paper])


def parsed():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("package", type=Path, help="folder with a model.toml")
    parser.add_argument("--precision", choices=["int8", "fp16", "int4"], required=True)
    parser.add_argument("--calibrate", type=Path, required=True, help="folder of good samples")
    parser.add_argument("--samples", type=int, default=64, help="samples that are read, spread evenly")
    parser.add_argument("--method", choices=METHODS, default="percentile", help="int8: how ranges are found")
    parser.add_argument(
        "--per-channel",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="int8: a step for each channel of the weights, or one for all",
    )
    parser.add_argument("--data", type=Path, help="data set that `eyear eval` judges")
    parser.add_argument("--eyear", default=shutil.which("eyear"), help="the program [default: that of the path]")
    parser.add_argument("--replace", action="store_true", help="the variant may be there already")
    arguments = parser.parse_args()
    if arguments.data and not arguments.eyear:
        parser.error("--data needs the program: name it with --eyear")
    return arguments


def encoder_of(manifest):
    """The table of the package's encoder and its name."""
    for name in ENCODERS:
        if name in manifest:
            return name, manifest[name]
    raise SystemExit(f"{manifest['name']} has none of {', '.join(ENCODERS)}")


def variant_of(encoder, precision):
    """The ONNX file of a precision; empty where there is none."""
    files = [v["file"] for v in encoder["variant"] if v["precision"] == precision and v["file"].endswith(".onnx")]
    return str(files[0]) if files else ""


# What the encoder sees: f32[1, 3, height, width] of each sample.


def inputs_of(name, encoder, folder, count):
    read, endings = {
        "image_encoder": (picture, PICTURES),
        "audio_encoder": (sound, SOUNDS),
        "clip_encoder": (clip, CLIPS),
    }[name]
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in endings)
    files = [files[i * len(files) // count] for i in range(count)] if len(files) > count else files
    return [normalised(encoder, read(encoder, file)) for file in files]


def normalised(encoder, pixels):
    """u8 or float[height, width, 3] → the input."""
    mean, scale = (np.array(encoder[field], np.float32) for field in ("mean", "scale"))
    return np.ascontiguousarray(((pixels.astype(np.float32) - mean) / scale).transpose(2, 0, 1)[None])


def picture(encoder, file):
    size = (int(encoder["width"]), int(encoder["height"]))
    return np.asarray(Image.open(file).convert("RGB").resize(size, Image.Resampling.BILINEAR))


def sound(encoder, file):
    """By the reference that `sound-lite0` keeps, with this package's numbers."""
    import soundfile

    sounds, spec = module("sound-lite0", "sounds"), encoder["spectrogram"]
    if spec["low_hz"] != 0:
        raise SystemExit("a spectrogram that does not begin at 0 Hz is not known here")
    sounds.RATE, sounds.WINDOW, sounds.HOP = spec["rate"], spec["window"], spec["hop"]
    sounds.BANDS, sounds.HIGH_HZ, sounds.RANGE_DB = spec["bands"], spec["high_hz"], spec["range_db"]
    samples, rate = soundfile.read(file, always_2d=True)
    if rate != spec["rate"]:
        raise SystemExit(f"{file}: {rate} samples a second, the package takes {spec['rate']}")
    small, step = sounds.picture(samples.mean(1)), int(encoder["multiple_of"])
    width = max(1, round(small.shape[1] * spec["pixels"] / step)) * step
    grey = sounds.stretched(small, spec["bands"] * spec["pixels"], width)
    return np.repeat(grey[..., None], 3, axis=2)


def clip(encoder, file):
    """By the reference that `clip-lite0` keeps, with this package's numbers."""
    import cv2

    clips, spec = module("clip-lite0", "clips"), encoder["clip"]
    clips.SIDE, clips.CHANGE, clips.MOTION = spec["side"], spec["change"], spec["motion"]
    frames, film = [], cv2.VideoCapture(str(file))
    while True:
        more, frame = film.read()
        if not more:
            return clips.picture(np.stack(frames), spec["tiles"])
        frames.append(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY))


def module(package, name):
    folder = str(MODELS / package / "recipe")
    sys.path.insert(0, folder)
    try:
        # By its file: a module of this name may be known already, this very one among them.
        spec = importlib.util.spec_from_file_location(f"{package}/{name}", f"{folder}/{name}.py")
        found = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = found
        spec.loader.exec_module(found)
        return found
    finally:
        sys.path.remove(folder)


# The variants: each reads the file `source` and writes the file `into`.


class Reader(CalibrationDataReader):
    def __init__(self, name, samples):
        self.rest = iter([{name: sample} for sample in samples])

    def get_next(self):
        return next(self.rest, None)


def int8(source, into, name, samples, arguments):
    """QDQ, u8 activations and s8 weights of 7 bits: 8 would saturate on x86 without VNNI."""
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "plain.onnx"
        quant_pre_process(source, plain, skip_symbolic_shape=True)
        quantize_static(
            plain,
            into,
            Reader(name, samples),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=arguments.per_channel,
            reduce_range=True,
            calibrate_method=METHODS[arguments.method],
        )


def fp16(source, into, _name, _samples, _arguments):
    """Halves inside, f32 at the edges."""
    onnx.save(convert_float_to_float16(onnx.load(source), keep_io_types=True), into)


def int4(source, into, name, samples, _arguments):
    """Weights of 4 bits, a step for each channel that comes out; all sums in f32.

    They are rounded one input after the other, the error of each carried over to those that go along with it, as in the
    recipe of `vision-lite0`; what is left of it in the mean goes into the bias. Depthwise convolutions and those that
    see more than a place stay in f32: they have few weights, and each is a channel's all.
    """
    carried = module("vision-lite0", "quantize").carried
    model = version_converter.convert_version(onnx.load(source), INT4_OPSET)
    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    dense = [node for node in graph.node if weight_of(node, weights) is not None]
    if not dense:
        raise SystemExit(f"{source}: no weights of 1 x 1 convolutions or products that could be stored in 4 bits")
    seen = moments(model, name, sorted({node.input[0] for node in dense}), samples)
    for node in dense:
        weight = weight_of(node, weights)
        mean, covariance = seen[node.input[0]]
        step = best_step(weight, covariance)
        whole = carried(weight.copy(), step, INT4_LIMIT, covariance)
        shape = list(weights[node.input[1]].dims)
        across = node.op_type == "MatMul" or (node.op_type == "Gemm" and not attribute(node, "transB", 0))
        stored = whole.T if across else whole
        held = [f"{node.output[0]}.int4", f"{node.output[0]}.step"]
        graph.initializer.extend([
            helper.make_tensor(held[0], TensorProto.INT4, shape, stored.astype(np.int8).ravel()),
            numpy_helper.from_array(step.astype(np.float32), held[1]),
        ])
        value = f"{node.output[0]}.value"
        node.input[1] = value
        axis = len(shape) - 1 if across else 0
        graph.node.insert(0, helper.make_node("DequantizeLinear", held, [value], value, axis=axis))
        if node.op_type == "Conv" and len(node.input) == 3 and node.input[2] in weights:
            bias = numpy_helper.to_array(weights[node.input[2]]) - (whole * step[:, None] - weight) @ mean
            graph.initializer.append(numpy_helper.from_array(bias.astype(np.float32), f"{value}.bias"))
            node.input[2] = f"{value}.bias"
    used = {tensor for node in graph.node for tensor in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    onnx.checker.check_model(model)
    onnx.save(model, into)


def attribute(node, name, otherwise):
    return next((helper.get_attribute_value(a) for a in node.attribute if a.name == name), otherwise)


def weight_of(node, weights):
    """f64[out, in] of a node that multiplies by weights at each place alone; else nothing."""
    if node.op_type not in ("Conv", "Gemm", "MatMul") or len(node.input) < 2 or node.input[1] not in weights:
        return None
    weight = numpy_helper.to_array(weights[node.input[1]])
    if node.op_type == "Conv":
        if weight.ndim != 4 or weight.shape[2:] != (1, 1) or attribute(node, "group", 1) != 1:
            return None
        weight = weight[:, :, 0, 0]
    elif weight.ndim != 2 or attribute(node, "transA", 0):
        return None
    elif not attribute(node, "transB", 0):
        weight = weight.T
    return weight.astype(np.float64) if weight.dtype == np.float32 else None


def moments(model, name, tensors, samples):
    """{tensor: mean f64[channels] and mean product f64[channels, channels]} over samples."""
    watched = onnx.ModelProto.FromString(model.SerializeToString())
    watched.graph.output.extend(helper.make_empty_tensor_value_info(t) for t in tensors if t != name)
    run, found = runs(watched.SerializeToString(), name, tensors), {}
    for sample in samples:
        for tensor, value in zip(tensors, run(sample)):
            # [1, channels, h, w], or channels last.
            flat = value[0].reshape(value.shape[1], -1).T if value.ndim == 4 else value.reshape(-1, value.shape[-1])
            flat = flat[:: max(1, len(flat) // PLACES)].astype(np.float64)
            total, products, count = found.get(tensor, (0, 0, 0))
            found[tensor] = (total + flat.sum(0), products + flat.T @ flat, count + len(flat))
    return {tensor: (total / count, products / count) for tensor, (total, products, count) in found.items()}


def best_step(weight, products):
    """f64[out]: of shares of the widest step the one that loses least, weighed by how much each input speaks."""
    widest = np.maximum(np.abs(weight).max(1), 1e-9) / INT4_LIMIT
    loud = np.diag(products)
    best, least = widest, np.full(len(weight), np.inf)
    for share in np.linspace(0.5, 1, 11):
        step = widest * share
        error = weight - np.clip(np.round(weight / step[:, None]), -INT4_LIMIT, INT4_LIMIT) * step[:, None]
        lost = error**2 @ loud
        best, least = np.where(lost < least, step, best), np.minimum(lost, least)
    return best


# How near it is.


def runs(file, name, outputs):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    return lambda sample: session.run(outputs, {name: sample})


def cosine(a, b):
    a, b = a.ravel().astype(np.float64), b.ravel().astype(np.float64)
    return float(a @ b / max(math.sqrt((a @ a) * (b @ b)), 1e-30))


def parity(source, variant, name, outputs, samples):
    """Of each output: cosine with fp32, in the mean and least; largest difference, in deviations of fp32's values."""
    reference, other = runs(source, name, outputs), runs(variant, name, outputs)
    pairs = [list(zip(reference(sample), other(sample))) for sample in samples]
    table = {}
    for i, output in enumerate(outputs):
        cosines = [cosine(*pair[i]) for pair in pairs]
        off = [float(np.abs(pair[i][0] - pair[i][1]).max() / max(pair[i][0].std(), 1e-9)) for pair in pairs]
        table[output] = {"mean": np.mean(cosines).item(), "least": min(cosines), "off": max(off)}
    return table


def golden_of(package, encoder, file, outputs):
    """Least cosine with the package's recording."""
    golden, name = encoder["golden"], str(encoder["input"])
    inputs, expected = (load_file(package / golden[field]) for field in ("input", "output"))
    if name not in inputs:
        raise SystemExit(f"{golden['input']}: no tensor `{name}`")
    got = runs(package / file, name, outputs)(inputs[name])
    return min(cosine(value, expected[output]) for value, output in zip(got, outputs))


def judged(arguments, precision):
    """Areas under curves by `eyear eval`."""
    command = [arguments.eyear, "eval", arguments.data, "--model", arguments.package, "--precision", precision]
    told = subprocess.run([*command, "--json"], capture_output=True, text=True)
    if told.returncode:
        raise SystemExit(f"eyear eval: {told.stderr.strip()}")
    return {field: value for field, value in json.loads(told.stdout).items() if field in AREAS and value is not None}


def tell(report):
    row = "{:24s} {:>10s} {:>10s} {:>22s}"
    print(row.format(f"{report['precision']} to fp32", "mean", "least", "off (deviations)"))
    for name, figures in report["outputs"].items():
        print(row.format(name, *(f"{figures[field]:.5f}" for field in ("mean", "least", "off"))))
    size = ", ".join(f"{name} {count / 1e6:.2f} MB" for name, count in report["bytes"].items())
    print(f"golden {report['golden']:.5f}; {report['held_out']} held out; {size}")
    if "verify" in report:
        print(report["verify"])
    for precision, figures in report.get("data", {}).items():
        print(f"{precision}: " + ", ".join(f"{name} {value:.4f}" for name, value in figures.items()))


# What is written down.


def entered(manifest, encoder, precision, file, golden):
    """The variant and its tolerance, in the manifest."""
    if not variant_of(encoder, precision):
        variant = tomlkit.table()
        variant["precision"], variant["file"] = precision, file
        encoder["variant"].append(variant)
    for variant in encoder["variant"]:
        if variant["precision"] == precision and variant["file"].endswith(".onnx"):
            variant["file"] = file
    # Another processor rounds a little differently: leave it room.
    encoder["golden"]["tolerance"][precision] = math.floor((golden - 0.001) * 100) / 100


def write(package, manifest, files):
    for file in files:
        manifest["sha256"][file] = hashlib.sha256((package / file).read_bytes()).hexdigest()
    (package / "model.toml").write_text(tomlkit.dumps(manifest))


if __name__ == "__main__":
    main()

"""The layers as a static int8 QDQ graph: u8 activations, s8 weights.

Plain QDQ gives a tensor one step size for all its channels, so quiet channels
drown in rounding. Here each channel has its own step, at no cost at run time:
the steps are multiplied into the weights of the convolutions around the tensor.
All tensors inside the graph therefore count in steps (scale 1, zero point 0),

    real value = size[channel] * (q - zero[channel]),   q in 0..255,

and only the outputs are turned back to real values. ReLU6 needs no node: q
saturates at 0 and 255. Blocks of one stage are added to each other, so they
share their steps. The stem stays in f32: it is the layer that loses most by
rounding and gains no speed by it.
"""

from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime

from network import Graph, float_graph

# The range that a channel gets is the wider of two: what calibration saw, times
# HEADROOM; and, for parts that look like nothing in the calibration, a number of
# deviations around the mean that the batch norm remembers of the training
# pictures: more for what goes into a ReLU6, which reacts seldom and strongly,
# than for the sums between blocks. Beyond its range a channel saturates, and a
# defect may be there.
HEADROOM = 1.1
REACH_RELU6 = 7.0
REACH_BLOCK = 4.0
# Least range of a channel: a dead one needs a step too.
LEAST_RANGE = 6 / 32
# 7 bits where products are added in pairs in 16 bits (dense convolutions on x86
# without VNNI would saturate with 8); depthwise convolutions add in 32 bits.
DENSE_LIMIT = 64
DEPTHWISE_LIMIT = 127
# Least largest weight of a channel, in steps: a dead channel has no weight, and
# its bias, counted in the weight's scale, must fit 32 bits.
FAINTEST = 1e-3
# Added to the diagonal of a covariance, as a share of its mean.
DAMPING = 0.01
# Pixels of a picture that go into a covariance.
SAMPLES = 512


@dataclass
class Observed:
    """What calibration saw of a tensor: f64[channels] each, covariance f64[channels, channels]."""

    low: np.ndarray
    high: np.ndarray
    mean: np.ndarray
    covariance: np.ndarray


@dataclass
class Steps:
    """real value = size * (q - zero); f64[channels] each."""

    size: np.ndarray
    zero: np.ndarray


def session(model, threads=1, optimized=""):
    """Runs `model` on the CPU; `optimized`: where to write the graph as it is run, if anywhere."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.optimized_model_filepath = optimized
    options.log_severity_level = 3  # the optimized graph is only looked at: no warning that it is for this CPU
    providers = ["CPUExecutionProvider"]
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=providers)


def observe(layers, pictures):
    """Runs the f32 network over `pictures`: {tensor: Observed} for every tensor after the input."""
    names = list(dict.fromkeys(name for layer in layers for name in (layer.name, layer.block) if name))
    model = float_graph(layers, [])
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    network = session(model)
    lows, highs, means = ({name: [] for name in names} for _ in range(3))
    sums, products, counts = (dict.fromkeys(names, 0) for _ in range(3))
    for pixels in pictures:
        for name, tensor in zip(names, network.run(None, {"pixels": pixels})):
            flat = tensor[0].reshape(tensor.shape[1], -1)
            lows[name].append(flat.min(1))
            highs[name].append(flat.max(1))
            means[name].append(flat.mean(1))
            some = flat[:, :: max(1, flat.shape[1] // SAMPLES)].astype(np.float64)
            sums[name] += some.sum(1)
            products[name] += some @ some.T
            counts[name] += some.shape[1]
    seen = {}
    for name in names:
        mean = sums[name] / counts[name]
        seen[name] = Observed(
            low=np.min(lows[name], 0).astype(np.float64),
            high=np.max(highs[name], 0).astype(np.float64),
            mean=np.mean(means[name], 0, dtype=np.float64),
            covariance=products[name] / counts[name] - np.outer(mean, mean),
        )
    return seen


def range_of(seen, usual, variance):
    """(low, high) that a tensor without activation gets, per channel."""
    middle, half = (seen.low + seen.high) / 2, (seen.high - seen.low) / 2 * HEADROOM
    reach = REACH_BLOCK * np.sqrt(variance)
    return np.minimum(middle - half, usual - reach), np.maximum(middle + half, usual + reach)


def choose_steps(layers, seen):
    """{tensor: Steps} for each tensor that the graph keeps in u8, but for the branches."""
    steps = {"pixels": Steps(np.ones(3), np.zeros(3))}
    for layer in layers:
        if layer.relu6:
            usual = layer.usual + REACH_RELU6 * layer.spread
            high = np.clip(np.maximum(seen[layer.name].high * HEADROOM, usual), LEAST_RANGE, 6)
            steps[layer.name] = Steps(high / 255, np.zeros_like(high))
    for trunk in {layer.trunk for layer in layers if layer.block}:
        writers = [layer for layer in layers if layer.block and layer.trunk == trunk]
        # Each block adds its result to those before it.
        usual = np.cumsum([layer.usual for layer in writers], 0)
        variance = np.cumsum([layer.spread**2 for layer in writers], 0)
        ranges = [range_of(seen[w.block], m, v) for w, m, v in zip(writers, usual, variance)]
        low, high = np.min(ranges, 0)[0], np.max(ranges, 0)[1]
        size = np.maximum(high - low, LEAST_RANGE) / 255
        steps.update(dict.fromkeys((w.block for w in writers), Steps(size, np.round(-low / size))))
    return steps


def in_steps(layer, source, result):
    """Weight and bias such that q of the result = weight * q of the source + bias."""
    if layer.groups == 1:
        gain = source.size[None, :] / result.size[:, None]
        weight = layer.weight * gain[:, :, None, None]
        offset = weight.sum((2, 3)) @ source.zero
    else:
        weight = layer.weight * (source.size / result.size)[:, None, None, None]
        offset = weight.sum((1, 2, 3)) * source.zero
    return weight, layer.bias / result.size + result.zero - offset


def rounded(layer, weight, source, seen):
    """s8 weights, their scale per output channel, and the mean error this makes in the result.

    1x1 convolutions are rounded input by input, the error of each carried over
    to the inputs that go along with it (GPTQ, Frantar et al. 2022); the others
    to the nearest.
    """
    dense = layer.groups == 1
    limit = DENSE_LIMIT if dense else DEPTHWISE_LIMIT
    scale = np.maximum(np.abs(weight).max((1, 2, 3)), FAINTEST) / limit
    scale = scale.astype(np.float32).astype(np.float64)
    mean = seen.mean / source.size + source.zero
    if not dense:
        whole = np.round(weight / scale[:, None, None, None])
        error = (whole * scale[:, None, None, None] - weight).sum((1, 2, 3)) * mean
        return whole, scale, error
    covariance = seen.covariance / np.outer(source.size, source.size)
    whole = carried(weight[:, :, 0, 0], scale, limit, covariance)
    error = (whole * scale[:, None] - weight[:, :, 0, 0]) @ mean
    return whole[:, :, None, None], scale, error


def carried(weight, scale, limit, covariance):
    """GPTQ: weight f64[out, in], scale f64[out] → whole numbers f64[out, in]."""
    size = len(covariance)
    covariance = covariance + np.eye(size) * (DAMPING * np.trace(covariance) / size)
    order = np.argsort(-np.diag(covariance), kind="stable")
    inverse = np.linalg.inv(covariance[np.ix_(order, order)])
    share = np.linalg.cholesky(inverse).T
    rest, whole = weight[:, order], np.empty_like(weight)
    for column in range(size):
        whole[:, order[column]] = np.clip(np.round(rest[:, column] / scale), -limit, limit)
        error = rest[:, column] - whole[:, order[column]] * scale
        rest[:, column:] -= np.outer(error / share[column, column], share[column, column:])
    return whole


def int8_graph(layers, seen, outputs):
    """The QDQ model. `seen`: what `observe` gave. Inputs and outputs are those of `float_graph`."""
    graph, steps = Graph(), choose_steps(layers, seen)
    values = {"pixels": "pixels"}

    def as_u8(tensor, name, scale=1.0, zero=0):
        scale = graph.constant(f"{name}.scale", np.float32(scale))
        zero = graph.constant(f"{name}.zero", np.uint8(zero))
        graph.node("QuantizeLinear", [tensor, scale, zero], f"{name}.u8")
        return graph.node("DequantizeLinear", [f"{name}.u8", scale, zero], f"{name}.steps")

    def stored(name, whole, scale, dtype):
        zero = graph.constant(f"{name}.zero", np.zeros(len(scale), dtype))
        scale = graph.constant(f"{name}.scale", scale.astype(np.float32))
        whole = graph.constant(name, whole.astype(dtype))
        return graph.node("DequantizeLinear", [whole, scale, zero], f"{name}.value", axis=0)

    for layer in layers:
        source, result = steps[layer.source], steps.get(layer.name)
        if layer.skip:
            trunk = steps[layer.block]
            result = Steps(trunk.size, np.zeros_like(trunk.zero))
        weight, bias = in_steps(layer, source, result)
        if layer.source == "pixels":
            weight = graph.constant(f"{layer.name}.weight", weight.astype(np.float32))
            bias = graph.constant(f"{layer.name}.bias", bias.astype(np.float32))
        else:
            whole, scale, error = rounded(layer, weight, source, seen[layer.source])
            weight = stored(f"{layer.name}.weight", whole, scale, np.int8)
            bias = stored(f"{layer.name}.bias", np.round((bias - error) / scale), scale, np.int32)
        conv = graph.conv(layer, [values[layer.source], weight, bias], f"{layer.name}.conv")
        if not layer.skip:
            values[layer.name] = as_u8(conv, layer.name)
            continue
        low, high = range_of(seen[layer.name], layer.usual, layer.spread**2)
        low, high = np.min(low / result.size), np.max(high / result.size)
        scale = (high - low) / 255
        branch = as_u8(conv, layer.name, scale, np.round(-low / scale))
        graph.node("Add", [values[layer.skip], branch], f"{layer.block}.sum")
        values[layer.block] = as_u8(f"{layer.block}.sum", layer.block)

    for name, _, _ in outputs:
        size, zero = (
            graph.constant(f"{name}.{what}", value.astype(np.float32)[None, :, None, None])
            for what, value in (("size", steps[name].size), ("offset", steps[name].zero))
        )
        graph.node("Sub", [values[name], zero], f"{name}.centred")
        graph.node("Mul", [f"{name}.centred", size], name)
    return graph.model(outputs)

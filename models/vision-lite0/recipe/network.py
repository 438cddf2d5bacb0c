"""EfficientNet-Lite0 as a list of convolutions, and that list as an ONNX graph.

`read_layers` folds each batch norm into its convolution; `float_graph` writes
the list as it stands. `quantize.py` writes it in int8.
"""

from dataclasses import dataclass, replace

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# (repeats, kernel, stride of the first, expansion, channels in, channels out)
STAGES = [
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
]
BATCH_NORM_EPSILON = 1e-3


@dataclass
class Layer:
    """One convolution; its result is the tensor `name`.

    `weight` is f32[out, in / groups, k, k]. With `relu6` the result is clipped
    to [0, 6]. With `skip` the result is only a branch: `skip + branch` is the
    tensor `block`. `trunk` numbers the stage whose blocks (results without
    activation, linked by additions) this layer writes; None elsewhere. `usual`
    and `spread`, f64[out], are mean and deviation of the result before ReLU6
    over the pictures that the network was trained on.
    """

    name: str
    source: str
    weight: np.ndarray
    bias: np.ndarray
    usual: np.ndarray
    spread: np.ndarray
    stride: int = 1
    groups: int = 1
    relu6: bool = True
    skip: str | None = None
    block: str | None = None
    trunk: int | None = None

    @property
    def pads(self):
        """TF "SAME" for even sizes: with stride 2 the odd pixel of padding lies right and below."""
        total = self.weight.shape[2] - self.stride
        before = total // 2
        return [before, before, total - before, total - before]


def read_layers(state, last_block):
    """The convolutions from the stem to `last_block`, in order, out of the PyTorch weights."""

    def folded(conv, norm):
        gamma, beta, mean, var = (
            state[f"{norm}.{key}"].astype(np.float64)
            for key in ("weight", "bias", "running_mean", "running_var")
        )
        gain = gamma / np.sqrt(var + BATCH_NORM_EPSILON)
        weight = state[f"{conv}.weight"] * gain[:, None, None, None]
        return weight, beta - mean * gain, beta, np.abs(gamma)

    layers = [Layer("stem", "pixels", *folded("_conv_stem", "_bn0"), stride=2)]
    tensor, number = "stem", 0
    for stage, (repeats, _, stride, expansion, first_in, channels_out) in enumerate(STAGES):
        for repeat in range(repeats):
            if number > last_block:
                return layers
            block, key, entry = f"block{number}", f"_blocks.{number}", tensor
            channels_in = channels_out if repeat else first_in
            if expansion != 1:
                conv = folded(f"{key}._expand_conv", f"{key}._bn0")
                layers.append(Layer(f"{block}.expand", tensor, *conv))
                tensor = f"{block}.expand"
            conv = folded(f"{key}._depthwise_conv", f"{key}._bn1")
            depthwise = Layer(f"{block}.depthwise", tensor, *conv)
            layers.append(
                replace(
                    depthwise,
                    stride=1 if repeat else stride,
                    groups=channels_in * expansion,
                )
            )
            conv = folded(f"{key}._project_conv", f"{key}._bn2")
            project = Layer(block, f"{block}.depthwise", *conv, relu6=False, block=block)
            project.trunk = stage
            if repeat:
                project.name, project.skip = f"{block}.project", entry
            layers.append(project)
            tensor, number = block, number + 1
    return layers


class Graph:
    """Collects nodes and constants."""

    def __init__(self):
        self.nodes, self.constants = [], {}

    def constant(self, name, value):
        self.constants[name] = numpy_helper.from_array(value, name)
        return name

    def node(self, op, inputs, output, **attributes):
        self.nodes.append(helper.make_node(op, inputs, [output], output, **attributes))
        return output

    def conv(self, layer, inputs, output):
        kernel = list(layer.weight.shape[2:])
        strides = [layer.stride] * 2
        return self.node(
            "Conv", inputs, output,
            kernel_shape=kernel, strides=strides, pads=layer.pads, group=layer.groups,
        )  # fmt: skip

    def model(self, outputs):
        """`outputs`: (name, stride, channels) each."""
        floats = TensorProto.FLOAT
        pixels = helper.make_tensor_value_info("pixels", floats, [1, 3, "height", "width"])
        results = [
            helper.make_tensor_value_info(
                name, floats, [1, channels, f"height/{stride}", f"width/{stride}"]
            )
            for name, stride, channels in outputs
        ]
        graph = helper.make_graph(
            self.nodes, "vision-lite0", [pixels], results, list(self.constants.values())
        )
        opset = [helper.make_opsetid("", 17)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        return model


def outputs_of(layers, names):
    """(name, stride, channels) of each block in `names`."""
    stride, strides, channels = 1, {}, {}
    for layer in layers:
        stride *= layer.stride
        strides[layer.block], channels[layer.block] = stride, len(layer.bias)
    return [(name, strides[name], channels[name]) for name in names]


def float_graph(layers, outputs):
    """The layers as they stand, in f32."""
    graph = Graph()
    graph.constant("zero", np.float32(0))
    graph.constant("six", np.float32(6))
    for layer in layers:
        weight = graph.constant(f"{layer.name}.weight", layer.weight.astype(np.float32))
        bias = graph.constant(f"{layer.name}.bias", layer.bias.astype(np.float32))
        if layer.relu6:
            graph.conv(layer, [layer.source, weight, bias], f"{layer.name}.conv")
            graph.node("Clip", [f"{layer.name}.conv", "zero", "six"], layer.name)
        else:
            graph.conv(layer, [layer.source, weight, bias], layer.name)
        if layer.skip:
            graph.node("Add", [layer.skip, layer.name], layer.block)
    return graph.model(outputs)


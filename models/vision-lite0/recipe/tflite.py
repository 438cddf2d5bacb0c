"""Writes the int8 network as .tflite, out of the int8 ONNX: the same weights, steps and zero points.

    python tflite.py

Nothing is rounded anew. What ONNX keeps in u8 with a zero point is in TFLite s8
with that zero point less 128, so both name the same real value; weights are s8
per channel and biases s32 in both. Pictures and maps are channels-last here,
f32[1, height, width, channels], and height and width are free.

No TensorFlow: the file is put together by the schema that comes with LiteRT.
"""

from dataclasses import dataclass
from pathlib import Path

import flatbuffers
import numpy as np
import onnx
from ai_edge_litert import schema_py_generated as schema
from onnx import numpy_helper

PACKAGE = Path(__file__).resolve().parent.parent
SOURCE, TARGET = "vision-lite0.int8.onnx", "vision-lite0.int8.tflite"
# The size that the file names; a runtime may resize it to any multiple of 32.
SIDE = 448
# From u8 to s8.
SHIFT = 128

F32, I8, I32 = schema.TensorType.FLOAT32, schema.TensorType.INT8, schema.TensorType.INT32
OPERATORS, OPTIONS = schema.BuiltinOperator, schema.BuiltinOptions
# Least versions of the operators that know these types: an old runtime is enough.
VERSIONS = {
    OPERATORS.CONV_2D: 3, OPERATORS.DEPTHWISE_CONV_2D: 3, OPERATORS.ADD: 2,
    OPERATORS.QUANTIZE: 1, OPERATORS.DEQUANTIZE: 2, OPERATORS.SUB: 1, OPERATORS.MUL: 1,
}  # fmt: skip


@dataclass
class Stored:
    """A constant of the ONNX graph: whole numbers and their scale per channel, or f32 without one."""

    value: np.ndarray
    scale: np.ndarray | None = None


class Writer:
    """Collects tensors and operators."""

    def __init__(self):
        self.buffers, self.tensors, self.operators, self.codes = [schema.BufferT()], [], [], []

    def tensor(self, name, shape, kind, steps=None, axis=0, value=None):
        """The index of a new tensor; `steps`: scale and zero point, each a number or one a channel."""
        tensor = schema.TensorT()
        tensor.name, tensor.type, tensor.buffer = name, kind, 0
        tensor.shape = np.array(shape, np.int32)
        if value is None:
            # -1: the runtime may choose.
            tensor.shapeSignature = np.array([1, -1, -1, shape[-1]], np.int32)
        else:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(value).tobytes(), np.uint8)
            tensor.buffer = len(self.buffers)
            self.buffers.append(buffer)
        if steps is not None:
            scale = np.atleast_1d(np.asarray(steps[0], np.float32))
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = scale
            tensor.quantization.zeroPoint = np.broadcast_to(np.int64(steps[1]), scale.shape).copy()
            tensor.quantization.quantizedDimension = axis
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def operator(self, code, inputs, output, kind, options):
        if code not in self.codes:
            self.codes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex = self.codes.index(code)
        operator.inputs, operator.outputs = np.array(inputs, np.int32), np.array([output], np.int32)
        operator.builtinOptionsType, operator.builtinOptions = kind, options
        self.operators.append(operator)
        return output

    def shape(self, index):
        return [int(side) for side in self.tensors[index].shape]

    def model(self, name, inputs, outputs):
        graph = schema.SubGraphT()
        graph.name, graph.tensors, graph.operators = name, self.tensors, self.operators
        graph.inputs, graph.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
        model = schema.ModelT()
        model.version, model.description = 3, name
        model.subgraphs, model.buffers, model.operatorCodes = [graph], self.buffers, []
        for code in self.codes:
            entry = schema.OperatorCodeT()
            entry.builtinCode = entry.deprecatedBuiltinCode = code
            entry.version = VERSIONS[code]
            model.operatorCodes.append(entry)
        builder = flatbuffers.Builder(1 << 22)
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())


def convert(source):
    """The bytes of the .tflite file for an int8 graph as `quantize.int8_graph` writes it."""
    graph, writer = source.graph, Writer()
    stored = {each.name: Stored(numpy_helper.to_array(each)) for each in graph.initializer}
    [pixels] = graph.input
    # ONNX tensor → index of the TFLite tensor with its values. In s8 a tensor has one index for
    # what stands before and behind DequantizeLinear: TFLite's operators take the steps themselves.
    at = {pixels.name: writer.tensor(pixels.name, [1, SIDE, SIDE, 3], F32)}
    # Results that have no tensor yet, because QuantizeLinear gives them their steps: (emit, shape).
    waiting = {}

    def real(name):
        """The f32 tensor of an ONNX tensor."""
        index = at[name]
        if writer.tensors[index].type == F32:
            return index
        result = writer.tensor(f"{name}.f32", writer.shape(index), F32)
        options = schema.DequantizeOptionsT()
        return writer.operator(OPERATORS.DEQUANTIZE, [index], result, OPTIONS.DequantizeOptions, options)

    for node in graph.node:
        attributes = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
        [result] = node.output
        first, *rest = node.input
        if node.op_type == "DequantizeLinear" and first in stored:
            stored[result] = Stored(stored[first].value, stored[rest[0]].value)
        elif node.op_type == "DequantizeLinear":
            at[result] = at[first]
        elif node.op_type == "QuantizeLinear":
            scale, zero = (stored[name].value for name in rest)
            steps = (scale, int(zero) - SHIFT)
            if first in waiting:
                emit, shape = waiting.pop(first)
                at[result] = emit(writer.tensor(first, shape, I8, steps))
            else:
                target = writer.tensor(result, writer.shape(at[first]), I8, steps)
                options = schema.QuantizeOptionsT()
                at[result] = writer.operator(
                    OPERATORS.QUANTIZE, [at[first]], target, OPTIONS.QuantizeOptions, options
                )
        elif node.op_type == "Conv":
            weight, bias = (stored[name] for name in rest)
            emit, shape, kind = convolution(writer, at[first], rest, weight, bias, attributes)
            if kind == I8:
                waiting[result] = emit, shape
            else:
                at[result] = emit(writer.tensor(result, shape, F32))
        elif node.op_type == "Add":
            inputs = [at[name] for name in node.input]
            waiting[result] = (
                lambda target, inputs=inputs: writer.operator(
                    OPERATORS.ADD, inputs, target, OPTIONS.AddOptions, schema.AddOptionsT()
                ),
                writer.shape(inputs[0]),
            )
        elif node.op_type in ("Sub", "Mul"):
            value = stored[rest[0]].value.reshape(-1)
            inputs = [real(first), writer.tensor(rest[0], value.shape, F32, value=value)]
            code = {"Sub": OPERATORS.SUB, "Mul": OPERATORS.MUL}[node.op_type]
            kind = {"Sub": OPTIONS.SubOptions, "Mul": OPTIONS.MulOptions}[node.op_type]
            options = {"Sub": schema.SubOptionsT, "Mul": schema.MulOptionsT}[node.op_type]()
            target = writer.tensor(result, writer.shape(inputs[0]), F32)
            at[result] = writer.operator(code, inputs, target, kind, options)
        else:
            raise SystemExit(f"no way to write {node.op_type} of {result}")
    return writer.model(graph.name, [at[pixels.name]], [at[output.name] for output in graph.output])


def convolution(writer, source, names, weight, bias, attributes):
    """What emits a convolution into a given tensor, the shape of its result, and the result's type."""
    depthwise, [stride, _] = attributes["group"] > 1, attributes["strides"]
    check_same(attributes)
    # ONNX: [out, in / groups, k, k]. TFLite: [out, k, k, in], depthwise [1, k, k, out].
    if depthwise:
        value, axis = weight.value[:, 0].transpose(1, 2, 0)[None], 3
        code, kind, options = OPERATORS.DEPTHWISE_CONV_2D, OPTIONS.DepthwiseConv2DOptions, schema.DepthwiseConv2DOptionsT()
        options.depthMultiplier = 1
    else:
        value, axis = weight.value.transpose(0, 2, 3, 1), 0
        code, kind, options = OPERATORS.CONV_2D, OPTIONS.Conv2DOptions, schema.Conv2DOptionsT()
    options.padding = schema.Padding.SAME
    options.strideH = options.strideW = stride
    options.dilationHFactor = options.dilationWFactor = 1
    whole = weight.scale is not None
    kinds = (I8, I32) if whole else (F32, F32)
    steps = [(each.scale, 0) if whole else None for each in (weight, bias)]
    inputs = [
        source,
        writer.tensor(names[0], value.shape, kinds[0], steps[0], axis, value),
        writer.tensor(names[1], bias.value.shape, kinds[1], steps[1], 0, bias.value),
    ]
    _, height, width, _ = writer.shape(source)
    shape = [1, height // stride, width // stride, len(bias.value)]
    return lambda target: writer.operator(code, inputs, target, kind, options), shape, kinds[0]


def check_same(attributes):
    """TFLite has no free padding: it must be TF "SAME" for even sizes."""
    [kernel, _], [stride, _] = attributes["kernel_shape"], attributes["strides"]
    before = (kernel - stride) // 2
    same = [before, before, kernel - stride - before, kernel - stride - before]
    if list(attributes["pads"]) != same:
        raise SystemExit(f"padding {attributes['pads']} is not SAME, {same}")


def main():
    written = convert(onnx.load(PACKAGE / SOURCE))
    (PACKAGE / TARGET).write_bytes(written)
    print(f"{TARGET}: {len(written)} bytes")


if __name__ == "__main__":
    main()

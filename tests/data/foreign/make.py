"""Makes the models of this folder with onnx 1.23: `python make.py` beside them.

`maps.onnx` is a backbone in small: any sides, feature maps of strides 8 and 16, and a score that is no map.
`anomaly.onnx` is what anomalib writes, in small: a fixed size, an open batch, outputs by its names, weights in a file
beside it. Its anomaly map is how far a place is from the mean of its surroundings.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).resolve().parent
rng = np.random.default_rng(3)


def tensor(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def constant(name, values):
    return numpy_helper.from_array(np.asarray(values, np.float32), name)


def save(name, nodes, inputs, outputs, weights, **how):
    graph = helper.make_graph(nodes, name, inputs, outputs, weights)
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, producer_name="make.py", opset_imports=opset, ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, HERE / f"{name}.onnx", **how)


fine = rng.normal(0, 0.2, (6, 3, 8, 8))
coarse = rng.normal(0, 0.3, (8, 6, 2, 2))
save(
    "maps",
    [
        helper.make_node("Conv", ["picture", "fine"], ["fine.sum"], strides=[8, 8]),
        helper.make_node("Relu", ["fine.sum"], ["layer2"]),
        helper.make_node("Conv", ["layer2", "coarse"], ["layer3"], strides=[2, 2]),
        helper.make_node("ReduceMean", ["layer3"], ["score"], axes=[1, 2, 3], keepdims=0),
    ],
    [tensor("picture", ["batch", 3, "height", "width"])],
    [
        tensor("layer3", ["batch", 8, "h3", "w3"]),
        tensor("layer2", ["batch", 6, "h2", "w2"]),
        tensor("score", ["batch"]),
    ],
    [constant("fine", fine), constant("coarse", coarse)],
)

save(
    "anomaly",
    [
        helper.make_node("Conv", ["input", "grey"], ["brightness"]),
        helper.make_node("Conv", ["brightness", "around"], ["mean"], pads=[8, 8, 8, 8]),
        helper.make_node("Sub", ["brightness", "mean"], ["off"]),
        helper.make_node("Conv", ["off", "near"], ["place"], pads=[1, 1, 1, 1]),
        helper.make_node("Abs", ["place"], ["anomaly_map"]),
        helper.make_node("ReduceMax", ["anomaly_map"], ["pred_score"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Greater", ["pred_score", "limit"], ["pred_label"]),
        helper.make_node("Greater", ["anomaly_map", "limit"], ["pred_mask"]),
    ],
    [tensor("input", ["batch_size", 3, 128, 128])],
    [
        tensor("pred_score", ["batch_size"]),
        tensor("pred_label", ["batch_size"], TensorProto.BOOL),
        tensor("anomaly_map", ["batch_size", 1, 128, 128]),
        tensor("pred_mask", ["batch_size", 1, 128, 128], TensorProto.BOOL),
    ],
    [
        constant("grey", np.full((1, 3, 1, 1), 1 / 3)),
        constant("around", np.full((1, 1, 17, 17), 1 / 289)),
        constant("near", np.full((1, 1, 3, 3), 1 / 9)),
        constant("limit", 0.1),
    ],
    save_as_external_data=True,
    location="anomaly.onnx.data",
    size_threshold=64,
)

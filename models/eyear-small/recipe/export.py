"""The trained network -> ONNX graphs, quantized, with what proves them: `text_encoder`, `fusion` (with what takes in the
evidence) and `decoder`, and the embedding that the decoder and its words share.

The decoder is written node by node, for its attention is ONNX Runtime's own (`GroupQueryAttention`): it keeps keys and
values in one buffer of fixed length that is input and output at once, so that a step copies none of them.

    python export.py --run run --out ..
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from safetensors.numpy import save_file

import model as network
from model import HEADS, LAYERS, PROMPT, WIDTH, Eyear
from train import of_sense
from words import SENSES, Tokenizer

LONGEST = 384  # positions of the decoder's memory
HEAD = WIDTH // HEADS


class Text(torch.nn.Module):
    def __init__(self, eyear):
        super().__init__()
        self.text = eyear.text

    def forward(self, ids):
        tokens, mask = self.text(ids)
        return tokens, mask, self.text.sorted(tokens, ids).softmax(-1)


class Fuse(torch.nn.Module):
    def __init__(self, eyear):
        super().__init__()
        self.eyear = eyear

    def forward(self, *inputs):
        *evidence, text, text_mask = inputs
        seen, gates = self.eyear.sense([evidence[3 * i : 3 * i + 3] for i in range(len(SENSES))])
        latents, weights = self.eyear.fusion(seen, gates, text, text_mask)
        return latents, gates, *weights, self.eyear.kinds(seen, latents).softmax(-1)


EVIDENCE = ("shapes", "cells", "quality")
INPUTS = [*(f"{sense}_{name}" for sense in SENSES for name in EVIDENCE), "text", "text_mask"]
OUTPUTS = ["latents", "gates", *(f"{sense}_weights" for sense in SENSES), "kinds"]


def traced(module, example, inputs, outputs, path):
    program = torch.onnx.export(module, example, dynamo=True, opset_version=20, input_names=inputs, output_names=outputs)
    program.optimize()
    onnx.save(program.model_proto, path)


class Graph:
    """Nodes of a graph, one after the other."""

    def __init__(self):
        self.nodes, self.constants, self.count = [], [], 0

    def constant(self, name, values):
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def add(self, operator, *inputs, outputs=None, **attributes):
        self.count += 1
        outputs = outputs or [f"{operator.lower()}_{self.count}"]
        self.nodes.append(helper.make_node(operator, list(inputs), outputs, **attributes))
        return outputs[0]


def decoder(eyear, path):
    graph = Graph()
    numbers = lambda parameter: parameter.detach().numpy().astype(np.float32)
    pace = 10000.0 ** (-np.arange(HEAD // 2, dtype=np.float32) / (HEAD // 2))
    angle = np.arange(LONGEST, dtype=np.float32)[:, None] * pace
    cos, sin = graph.constant("cos", np.cos(angle)), graph.constant("sin", np.sin(angle))
    exponent, small = graph.constant("two", np.float32(2.0)), graph.constant("small", np.float32(1e-6))
    axes = graph.constant("last_axis", np.array([-1], np.int64))

    def norm(x, scale, name):
        mean = graph.add("ReduceMean", graph.add("Pow", x, exponent), axes, keepdims=1)
        root = graph.add("Sqrt", graph.add("Add", mean, small))
        return graph.add("Mul", graph.add("Div", x, root), graph.constant(name, numbers(scale)))

    def linear(x, layer, name):
        return graph.add("MatMul", x, graph.constant(name, numbers(layer.weight).T))

    x, inputs, outputs = "x", [], []
    memory = [1, HEADS, LONGEST, HEAD]
    inputs.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, "tokens", WIDTH]))
    inputs.append(helper.make_tensor_value_info("last", TensorProto.INT32, [1]))
    inputs.append(helper.make_tensor_value_info("total", TensorProto.INT32, [1]))
    for i, layer in enumerate(eyear.decoder.layers):
        y = norm(x, layer["before"].scale, f"before_{i}")
        qkv = linear(y, layer["qkv"], f"qkv_{i}")
        kept = [f"keys_{i}", f"values_{i}"]
        attended = [f"attended_{i}", f"keys_out_{i}", f"values_out_{i}"]
        for name in kept:
            inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, memory))
        for name in attended[1:]:
            outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, memory))
        graph.add(
            *("GroupQueryAttention", qkv, "", "", *kept, "last", "total", cos, sin),
            outputs=attended,
            domain="com.microsoft",
            num_heads=HEADS,
            kv_num_heads=HEADS,
            do_rotary=1,
        )
        x = graph.add("Add", x, linear(attended[0], layer["out"], f"out_{i}"))
        y = norm(x, layer["between"].scale, f"between_{i}")
        gate = linear(y, layer["mix"].gate, f"gate_{i}")
        gated = graph.add("Mul", graph.add("Mul", gate, graph.add("Sigmoid", gate)), linear(y, layer["mix"].up, f"up_{i}"))
        x = graph.add("Add", x, linear(gated, layer["mix"].down, f"down_{i}"))
    ends = [graph.constant(n, np.array([v], np.int64)) for n, v in (("from", -1), ("to", 2**62), ("axis", 1))]
    last = norm(graph.add("Slice", x, *ends), eyear.decoder.last.scale, "norm_last")
    graph.add("MatMul", last, graph.constant("words", numbers(eyear.decoder.embedding.weight).T), outputs=["logits"])
    vocabulary = eyear.decoder.embedding.weight.shape[0]
    outputs.insert(0, helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 1, vocabulary]))
    made = helper.make_graph(graph.nodes, "decoder", inputs, outputs, graph.constants)
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    proto = helper.make_model(made, opset_imports=opsets, ir_version=10)
    onnx.checker.check_model(proto)
    onnx.save(proto, path)


def quantized(source, target, bits=8):
    """Weights of the matrix products in `bits` bits, 32 a block, symmetric."""
    quantizer = MatMulNBitsQuantizer(onnx.load(source), bits=bits, block_size=32, is_symmetric=True, accuracy_level=4)
    quantizer.process()
    onnx.save(quantizer.model.model, target)


class Running:
    """The decoder as eyear runs it: one memory, input and output at once."""

    def __init__(self, path):
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = ort.InferenceSession(str(path), options)
        self.memory = [ort.OrtValue.ortvalue_from_numpy(np.zeros((1, HEADS, LONGEST, HEAD), np.float32)) for _ in range(2 * LAYERS)]
        self.seen = 0

    def step(self, x):
        binding = self.session.io_binding()
        binding.bind_output("logits")
        self.seen += x.shape[1]
        binding.bind_cpu_input("x", x)
        binding.bind_cpu_input("last", np.array([self.seen - 1], np.int32))
        binding.bind_cpu_input("total", np.array([self.seen], np.int32))
        for i in range(LAYERS):
            for j, name in enumerate(("keys", "values")):
                binding.bind_ortvalue_input(f"{name}_{i}", self.memory[2 * i + j])
                binding.bind_ortvalue_output(f"{name}_out_{i}", self.memory[2 * i + j])
        self.session.run_with_iobinding(binding)
        return binding.get_outputs()[0].numpy()[0, 0]


def kept_small(eyear, path):
    """All that was learned, in 8 bits and a scale for each row, for those who teach it on."""
    kept = {}
    for name, value in eyear.state_dict().items():
        rows = value.reshape(len(value), -1) if value.dim() else value.reshape(1, 1)
        scale = rows.abs().amax(1, keepdim=True).clamp(min=1e-12) / 127
        kept[name] = (rows / scale).round().to(torch.int8).reshape(value.shape).numpy()
        kept[f"{name}:step"] = scale.reshape(len(rows)).numpy()
    save_file(kept, path)


def export(eyear, tokenizer, run, out, golden):
    """Writes the graphs of a package to `out`, and those in fp32 to `run`; `golden`: an episode of each sense,
    whose first samples prove other machines."""
    torch.manual_seed(0)
    ids = torch.zeros(1, PROMPT, dtype=torch.int32)
    ids[0, :5] = torch.tensor([3, 40, 50, 60, 70])
    first = [np.load(file) for file in golden]
    evidence = [torch.from_numpy(seen[name][:1].astype(np.float32)) for seen in first for name in EVIDENCE]
    # The reference stays with the run: what ships is int8.
    places = {"fp32": run, "int8": out}
    parts = ("text_encoder", "fusion", "decoder")
    files = {part: [place / f"{part}.{precision}.onnx" for precision, place in places.items()] for part in parts}
    text = eyear.text(ids)
    traced(Text(eyear).eval(), (ids,), ["ids"], ["tokens", "mask", "sorts"], files["text_encoder"][0])
    traced(Fuse(eyear).eval(), (*evidence, *text), INPUTS, OUTPUTS, files["fusion"][0])
    decoder(eyear, files["decoder"][0])
    for source, target in files.values():
        quantized(source, target)
        print(source.name, source.stat().st_size, target.name, target.stat().st_size)
    save_file({"embedding": (4 * eyear.decoder.embedding.weight.detach().numpy()).astype(np.float16)}, out / "embedding.safetensors")
    tokenizer.save(out / "tokenizer.json")

    latents = Fuse(eyear)(*evidence, *text)[0]
    (out / "golden").mkdir(exist_ok=True)
    recorded = dict(zip(INPUTS, (*evidence, *text)))
    save_file({name: value.detach().numpy() for name, value in recorded.items()}, out / "golden" / "input.safetensors")
    first = eyear.decoder(latents, network.nothing(1))[0][:, -1]
    save_file(dict(latents=latents.detach().numpy(), logits=first.detach().numpy()), out / "golden" / "output.safetensors")

    # The decoder by steps is the one that was taught.
    words = torch.randint(6, len(tokenizer.tokens), (1, 12))
    whole = eyear.decoder(torch.cat([latents, eyear.embed(words)], 1), network.nothing(1))[0][0, latents.shape[1] - 1 :].detach().numpy()
    for path in files["decoder"]:
        running = Running(path)
        steps = [running.step(latents.detach().numpy())]
        steps += [running.step(eyear.embed(words[:, i : i + 1]).detach().numpy()) for i in range(words.shape[1])]
        print(path.name, "differs by", np.abs(np.stack(steps) - whole).max(), "of", np.abs(whole).max())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--golden", type=Path, nargs=len(SENSES), required=True, help="an episode of pictures, one of sounds and one of clips")
    arguments = parser.parse_args()
    tokenizer = Tokenizer.load(arguments.run / "tokenizer.json")
    eyear = Eyear(len(tokenizer.tokens), of_sense()).eval()
    eyear.load_state_dict(torch.load(arguments.run / "state.pt", map_location="cpu")["model"])
    export(eyear, tokenizer, arguments.run, arguments.out, arguments.golden)
    kept_small(eyear, arguments.out / "recipe" / "weights.safetensors")


if __name__ == "__main__":
    main()

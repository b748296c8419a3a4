"""A graph in half precision: what is large and tame in 16 bits, what could overflow or lose too much in 32."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from compress.encoders.simplify import sweep

_PRODUCTS = frozenset(("MatMul", "Gemm"))
_SUMS = frozenset(("Add", "Sub", "Mul", "Div", "Where"))
_SHAPES = frozenset(("Reshape", "Transpose", "Squeeze", "Unsqueeze", "Expand", "Slice", "Split", "Concat", "Identity"))
_TAME = _SUMS | _SHAPES | {"Gather", "GatherElements", "Gelu", "Erf", "Tanh", "Relu", "Sigmoid", "Neg"}
"""Operators that go on in half precision behind a product. All that are named nowhere here compute in single."""
_SENSITIVE = frozenset(("LayerNormalization", "Softmax", "ReduceMean", "ReduceSum"))
"""Operators that want single precision of what leads to them, too, up to the products."""

_SUFFIX: dict[int, str] = {TensorProto.FLOAT: "fp32", TensorProto.FLOAT16: "fp16", TensorProto.BFLOAT16: "bf16"}
_LARGEST: dict[int, float] = {TensorProto.FLOAT16: 65504.0, TensorProto.BFLOAT16: 2.0**127 * (2 - 2.0**-7)}
_LEAST: dict[int, float] = {TensorProto.FLOAT16: 2.0**-24, TensorProto.BFLOAT16: 2.0**-126}
"""What a scale becomes at least: engines take none of 0."""


def half(model: onnx.ModelProto, kind: int) -> onnx.ModelProto:
    """The model itself, changed so that its products, its tables and what follows them are of `kind`.

    `kind` is FLOAT16 or BFLOAT16. In fp32 stay the norms, the softmax and all operators that are not known to be tame,
    with the sums that lead to them: the residuals, and the attention's scores with their mask. Scores are scaled before
    the product instead of behind it, as they leave the range of FLOAT16 unscaled first. Inputs and outputs keep their
    types. A graph that is half already stays as it is.
    """
    _Lowering(model.graph, kind, _types(model)).apply()
    return model


def _types(model: onnx.ModelProto) -> dict[str, int]:
    """The element type of each value and weight."""
    bare = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    bare.graph.name = model.graph.name
    bare.graph.node.extend(model.graph.node)
    bare.graph.output.extend(model.graph.output)
    bare.graph.input.extend(model.graph.input)
    bare.graph.input.extend(
        helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims) for tensor in model.graph.initializer
    )
    graph = onnx.shape_inference.infer_shapes(bare).graph
    return {value.name: value.type.tensor_type.elem_type for value in (*graph.input, *graph.value_info, *graph.output)}


class _Lowering:
    """A graph whose nodes are taken in their order, each with its inputs in the type that it computes in."""

    def __init__(self, graph: onnx.GraphProto, kind: int, types: dict[str, int]) -> None:
        self.graph, self.kind, self.types = graph, kind, types
        self.weights = {tensor.name: tensor for tensor in graph.initializer}
        self.makers = {output: node for node in graph.node for output in node.output}
        self.scales = {node.input[1] for node in graph.node if node.op_type == "DequantizeLinear"}
        self.results = {value.name for value in graph.output}
        self.nodes: list[onnx.NodeProto] = []

    def apply(self) -> None:
        self.scale_before()
        exact = {node.output[0] for node in self.exact()}
        for node in self.graph.node:
            computed = self.kind if node.output[0] not in exact and self.tame(node) else TensorProto.FLOAT
            if node.op_type == "QuantizeLinear":  # its scale is of its input's type
                computed = self.types[node.input[0]]
            for place, name in enumerate(node.input):
                if self.types.get(name) in _SUFFIX and node.op_type != "Cast":
                    node.input[place] = self.typed(name, computed)
            self.nodes.append(node)
            for place, name in enumerate(node.output):
                if self.types.get(name) == TensorProto.FLOAT and computed == self.kind:
                    self.lowered(node, place, name)
        del self.graph.node[:]
        self.graph.node.extend(self.nodes)
        sweep(self.graph)

    def scale_before(self) -> None:
        """Multiply one factor of an attention's scores by their scale, in place of the scores."""
        readers = Counter(name for node in self.graph.node for name in node.input)
        scales: dict[str, onnx.NodeProto] = {}
        for node in self.graph.node:
            scores = self.makers.get(node.input[0]) if node.op_type in ("Mul", "Div") else None
            if scores is None or scores.op_type != "MatMul" or readers[scores.output[0]] > 1:
                continue
            constant = self.weights.get(node.input[1])
            if constant is not None and not constant.dims and self.weights.keys().isdisjoint(scores.input):
                product = node.output[0]
                node.input[0], scores.output[0] = scores.input[0], product
                scores.input[0] = node.output[0] = f"{product}.factor"
                self.types[node.output[0]] = TensorProto.FLOAT
                scales[product] = node
        moved = {node.output[0] for node in scales.values()}
        nodes: list[onnx.NodeProto] = []
        for node in self.graph.node:
            if node.output[0] not in moved:
                nodes += [scales[node.output[0]], node] if node.output[0] in scales else [node]
        del self.graph.node[:]
        self.graph.node.extend(nodes)
        self.makers = {output: node for node in self.graph.node for output in node.output}

    def exact(self) -> Iterator[onnx.NodeProto]:
        """The nodes that lead to a sensitive one, up to the products."""
        seen: set[str] = set()
        waiting = [name for node in self.graph.node if node.op_type in _SENSITIVE for name in node.input]
        while waiting:
            name = waiting.pop()
            node = self.makers.get(name)
            if name not in seen and node is not None and node.op_type in _SUMS | _SHAPES:
                yield node
                waiting.extend(node.input)
            seen.add(name)

    def tame(self, node: onnx.NodeProto) -> bool:
        """Whether a node computes in half precision: a product, a table of weights, or what follows such a one."""
        if node.op_type in _PRODUCTS or node.op_type == "DequantizeLinear":
            return True
        if node.op_type == "Gather" and node.input[0] in self.weights:
            return True
        return node.op_type in _TAME and any(self.types.get(name) == self.kind for name in node.input)

    def typed(self, name: str, wanted: int) -> str:
        """What a value or a weight is called in the type that is wanted; made if it is not there."""
        if self.types[name] == wanted:
            return name
        called = f"{name}.{_SUFFIX[wanted]}"
        if called not in self.types:
            self.types[called] = wanted
            if name in self.weights:
                self.graph.initializer.append(_rounded(self.weights[name], called, wanted, name in self.scales))
            else:
                self.nodes.append(helper.make_node("Cast", [name], [called], name=called, to=wanted))
        return called

    def lowered(self, node: onnx.NodeProto, place: int, name: str) -> None:
        """Note that an output is of half precision; what the graph answers is cast back."""
        if name not in self.results:
            self.types[name] = self.kind
            return
        node.output[place] = f"{name}.{_SUFFIX[self.kind]}"
        self.types[node.output[place]] = self.kind
        self.nodes.append(
            helper.make_node("Cast", [node.output[place]], [name], name=f"{name}.fp32", to=TensorProto.FLOAT)
        )


def _rounded(tensor: onnx.TensorProto, name: str, kind: int, scale: bool) -> onnx.TensorProto:
    """A weight, or a scale of weights, in half precision; what lies beyond its range becomes its largest number."""
    values = np.clip(numpy_helper.to_array(tensor), _LEAST[kind] if scale else -_LARGEST[kind], _LARGEST[kind])
    return numpy_helper.from_array(values.astype(helper.tensor_dtype_to_np_dtype(kind)), name)

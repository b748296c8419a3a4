"""The same answers from fewer operations: exact changes of an exported graph."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import onnx
from onnx import helper, numpy_helper

_POINTWISE = frozenset(
    (
        *("Add", "Sub", "Mul", "Div", "Pow", "Min", "Max", "And", "Or", "Not", "Where", "Cast", "Identity"),
        *("Sqrt", "Neg", "Abs", "Erf", "Exp", "Gelu", "Relu", "Tanh", "Sigmoid"),
    )
)
"""Operators that work number by number, their inputs broadcast."""

Axis = int | None
"""The axis of which only the first entry is wanted; None: all of the value."""


def simplify(graph: onnx.GraphProto) -> None:
    """Leave out of a graph what its answers don't need, in place. They stay the same but for rounding.

    1. A classification head takes the first token of the last hidden states. That choice is moved up through everything
       that treats each token by itself, and through the queries of the attention: what is left of the last layer is its
       keys and values, and one token of the rest. A graph whose head takes no first token keeps its last layer.
    2. New shapes that keep the numbers of rows and tokens are constants that say so, and are not put together anew.

    The graph must hold the shapes of its inner values, as the exporter writes them.
    """
    _Simplifier(graph).apply()
    sweep(graph)


class _Simplifier:
    """What every value of a graph is wanted for, from the outputs up."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.graph = graph
        self.weights = {tensor.name: tensor for tensor in graph.initializer}
        self.shapes: dict[str, list[int | str]] = {
            value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
            for value in (*graph.value_info, *graph.input)
        }
        self.shapes |= {name: list(tensor.dims) for name, tensor in self.weights.items()}

    def apply(self) -> None:
        """Narrow the nodes of which one token is wanted, and choose that token where they begin."""
        narrowed, inputs = self.wanted()
        made: dict[tuple[str, int], onnx.NodeProto] = {}
        nodes: list[onnx.NodeProto] = []
        for node in self.graph.node:
            for place, axis in enumerate(inputs.get(node.output[0], ())):
                name = node.input[place]
                if axis is not None and narrowed.get(name) != axis:
                    if (name, axis) not in made:
                        made[name, axis] = self.first(name, axis)
                        nodes.append(made[name, axis])
                    node.input[place] = made[name, axis].output[0]
            if node.op_type == "Reshape" and self.keeps(node):
                self.reshape(node, 1 if node.output[0] in narrowed else 0)
            nodes.append(node)
        del self.graph.node[:]
        self.graph.node.extend(nodes)

    def wanted(self) -> tuple[dict[str, int], dict[str, Sequence[Axis]]]:
        """The values made for the first entry of an axis only, and for each node by its output what it wants of its inputs."""
        uses: dict[str, set[Axis]] = defaultdict(set)
        for value in self.graph.output:
            uses[value.name].add(None)
        narrowed: dict[str, int] = {}
        inputs: dict[str, Sequence[Axis]] = {}
        for node in reversed(self.graph.node):
            output, found = node.output[0], None
            axis = next(iter(uses[output]), None) if len(uses[output]) == 1 else None
            if self.pools(node):
                found = [1, None]
            elif axis is not None and len(node.output) == 1 and all(name in self.shapes for name in node.input):
                found = self.needs(node, axis, len(self.shapes[output]))
                narrowed |= {output: axis} if found else {}
            inputs |= {output: found} if found else {}
            for name, part in zip(node.input, found or [None] * len(node.input), strict=True):
                uses[name].add(part)
        return narrowed, inputs

    def pools(self, node: onnx.NodeProto) -> bool:
        """Whether a node takes the first token of hidden states (batch, tokens, width)."""
        chosen = self.weights.get(node.input[1]) if node.op_type == "Gather" else None
        if chosen is None or chosen.dims or attribute(node, "axis", 0) != 1:
            return False
        return int(numpy_helper.to_array(chosen)) == 0 and len(self.shapes.get(node.input[0], ())) == 3

    def needs(self, node: onnx.NodeProto, axis: int, rank: int) -> list[Axis] | None:
        """What a node needs of its inputs to make the first entry of its output's axis; None if it mixes that axis."""
        rest: list[Axis] = [None] * (len(node.input) - 1)
        if node.op_type in _POINTWISE:
            return [self.broadcast(name, axis, rank) for name in node.input]
        if node.op_type in ("LayerNormalization", "Softmax") and axis < rank - 1:
            return [axis, *rest] if attribute(node, "axis", -1) in (-1, rank - 1) else None
        if node.op_type == "MatMul" and axis == rank - 2 and len(self.shapes[node.input[0]]) == rank:
            return [axis, *rest]
        if node.op_type == "Transpose":
            return [attribute(node, "perm", [])[axis]]
        if node.op_type == "Reshape" and axis == 1 and self.keeps(node):
            return [axis, *rest]
        return None

    def keeps(self, node: onnx.NodeProto) -> bool:
        """Whether a new shape keeps the numbers of rows and tokens, and the sizes behind them are known."""
        before, after = (self.shapes.get(name, []) for name in (node.input[0], node.output[0]))
        known = not any(isinstance(size, str) for size in (*before[2:], *after[2:]))
        return known and len(before) > 2 and before[:2] == after[:2]

    def broadcast(self, name: str, axis: int, rank: int) -> Axis:
        """An input that lacks the axis, or has one entry there, is taken as it is."""
        shape = self.shapes[name]
        own = axis - rank + len(shape)
        return None if own < 0 or shape[own] == 1 else own

    def reshape(self, node: onnx.NodeProto, tokens: int) -> None:
        """Write the new shape as a constant: as many rows as there are (0), so many tokens, the sizes behind them."""
        behind = [int(size) for size in self.shapes[node.output[0]][2:]]
        node.input[1] = self.numbers([0, tokens, *behind])
        del node.attribute[:]  # `allowzero` would take 0 as a size

    def first(self, name: str, axis: int) -> onnx.NodeProto:
        """The node that takes the first entry of a value's axis."""
        ends = [self.numbers([number]) for number in (0, 1, axis)]
        return helper.make_node("Slice", [name, *ends], [f"{name}.first{axis}"])

    def numbers(self, values: list[int]) -> str:
        """The name of a constant."""
        name = f"numbers.{'.'.join(map(str, values))}"
        if name not in self.weights:
            tensor = helper.make_tensor(name, onnx.TensorProto.INT64, [len(values)], values)
            self.weights[name] = tensor
            self.graph.initializer.append(tensor)
        return name


def sweep(graph: onnx.GraphProto) -> None:
    """Leave out nodes and weights that nothing reads any more."""
    read = {value.name for value in graph.output}
    kept = []
    for node in reversed(graph.node):
        if not read.isdisjoint(node.output):
            read.update(node.input)
            kept.append(node)
    weights = [tensor for tensor in graph.initializer if tensor.name in read]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(weights)


def attribute(node: onnx.NodeProto, name: str, default: Any) -> Any:
    """An attribute's value; the default if it is left out."""
    found = [helper.get_attribute_value(entry) for entry in node.attribute if entry.name == name]
    return found[0] if found else default

"""Static INT8 whose activations' outliers were moved into the weights first."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import InputError
from compress.quantization import Material, recipe
from compress.quantization.static_qdq import quantized, weighted_products

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import onnx

_STRENGTHS = (0.35, 0.5, 0.65, 0.8)
_PAPER = 0.5


@recipe("int8", calibrates=True)
def smooth(graph: Path, out: Path, material: Material) -> tuple[str, ...]:
    """Static INT8 as by `static_qdq`, after SmoothQuant: channels with outliers are divided, and their weights multiplied.

    The division is folded into what makes the channels: the LayerNormalization before queries, keys, values and the
    first feed-forward product (whose other readers get a multiplication that undoes it), or the values' weights before
    the attention's output. The second feed-forward product stays as it is: nothing linear makes its input.
    How far the outliers are moved is chosen by how little the answers diverge from the float graph's. Layers that share
    their weights (ALBERT) get weights of their own, and the file grows by that.

    Source: Xiao et al. 2023, arXiv:2211.10438, section 4, equation 4
    Raises: InputError if there is no calibration batch.
    """
    quick = Material(material.precision, material.calibration)

    def write(model: onnx.ModelProto, file: Path) -> None:
        quantized(model, graph, file, quick, "smooth")

    model, notes = smoothest(graph, material, "smooth", write, _STRENGTHS)
    return (*notes, *quantized(model, graph, out, material, "smooth"))


def smoothest(
    graph: Path,
    material: Material,
    recipe: str,
    write: Callable[[onnx.ModelProto, Path], None],
    strengths: Sequence[float],
) -> tuple[onnx.ModelProto, tuple[str, ...]]:
    """The graph with outliers moved as far as brings the answers of what `write` quantizes nearest to its own; and notes.

    A strength of 0 leaves the graph as it is. Without rows to judge by the strength is 0.5, as in the paper.
    """
    from compress.encoders.graph import read_graph
    from compress.quantization._judge import Judge
    from compress.quantization._ranges import largest

    weighted = weighted_products(read_graph(graph))
    peaks = largest(read_graph(graph), [node.input[0] for node in weighted], material.calibration)
    if not peaks:
        raise InputError(f"the recipe `{recipe}` needs calibration rows, and there is none.")

    def made(strength: float) -> onnx.ModelProto:
        return smoothed(read_graph(graph), peaks, strength) if strength else read_graph(graph)

    if material.validation is None:
        return made(_PAPER), ()
    judge = Judge(graph, material.validation, recipe)
    tried: dict[float, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for strength in strengths:
            write(made(strength), Path(folder, "graph.onnx"))
            tried[strength] = judge(Path(folder, "graph.onnx")).divergence
    best = min(tried, key=tried.__getitem__)
    rest = ", ".join(f"{strength:g}: {value:.2g}" for strength, value in tried.items())
    return made(best), (
        f"SmoothQuant with a migration strength of {best:g} (divergence in nats on {judge.rows} validation rows, by "
        f"strength: {rest})",
    )


def smoothed(model: onnx.ModelProto, peaks: dict[str, NDArray[np.float32]], strength: float) -> onnx.ModelProto:
    """The model itself, changed so that it answers as before, with channels of alike magnitude.

    `peaks` holds the largest magnitude in each channel, (width,), of the weighted products' inputs.
    """
    return _Smoother(model).apply(peaks, strength)


class _Smoother:
    def __init__(self, model: onnx.ModelProto) -> None:
        self.model, self.graph = model, model.graph
        self.weights = {tensor.name: tensor for tensor in self.graph.initializer}
        self.makers = {output: node for node in self.graph.node for output in node.output}
        self.readers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
        for node in self.graph.node:
            for name in node.input:
                self.readers[name].append(node)

    def apply(self, peaks: dict[str, NDArray[np.float32]], strength: float) -> onnx.ModelProto:
        from onnx import numpy_helper

        products: dict[str, list[onnx.NodeProto]] = defaultdict(list)
        for node in weighted_products(self.model):
            products[node.input[0]].append(node)
        for name, nodes in products.items():
            matrices = [numpy_helper.to_array(self.weights[node.input[1]]) for node in nodes]
            heaviest = np.max([np.abs(matrix).max(1) for matrix in matrices], axis=0)
            some = (peaks[name] > 0) & (heaviest > 0)
            scale = np.ones_like(heaviest)
            scale[some] = peaks[name][some] ** strength / heaviest[some] ** (1 - strength)
            if self.divide(name, nodes, scale.astype(np.float32)):
                for node, matrix in zip(nodes, matrices, strict=True):
                    node.input[1] = self.stored(f"{node.input[1]}.{node.name}.smooth", matrix * scale[:, None])
        self.sort()
        return self.model

    def divide(self, name: str, nodes: list[onnx.NodeProto], scale: NDArray[np.float32]) -> bool:
        """Divide the channels of a value where it is made; False if that is not possible."""
        from onnx import helper

        maker = self.makers.get(name)
        if maker is None:
            return False
        if maker.op_type == "LayerNormalization":
            for place in range(1, len(maker.input)):
                self.divide_weight(maker, place, scale)
            others = [node for node in self.readers[name] if all(node is not own for own in nodes)]
            if others:
                restored = f"{name}.{maker.name}.whole"
                factor = self.stored(f"{restored}.scale", scale)
                self.graph.node.append(helper.make_node("Mul", [name, factor], [restored], name=restored))
                for node in others:
                    for place, value in enumerate(node.input):
                        if value == name:
                            node.input[place] = restored
            return True
        return self.divide_values(maker, scale)

    def divide_values(self, maker: onnx.NodeProto, scale: NDArray[np.float32]) -> bool:
        """Divide the channels of the attention's answer by way of the values' weights."""
        mixed = self.up(maker)
        if mixed is None or mixed.op_type != "MatMul" or mixed.input[1] in self.weights:
            return False
        added = self.up(self.makers.get(mixed.input[1]))
        if added is None or added.op_type != "Add" or len(self.readers[added.output[0]]) != 1:
            return False
        bias = next((place for place, value in enumerate(added.input) if value in self.weights), None)
        if bias is None:
            return False
        product = self.makers.get(added.input[1 - bias])
        if product is None or product.op_type != "MatMul" or product.input[1] not in self.weights:
            return False
        if list(self.weights[product.input[1]].dims)[1:] != [len(scale)]:
            return False
        self.divide_weight(product, 1, scale)
        self.divide_weight(added, bias, scale)
        return True

    def up(self, node: onnx.NodeProto | None) -> onnx.NodeProto | None:
        """What makes a value, past new shapes and orders that nothing else reads."""
        while node is not None and node.op_type in ("Reshape", "Transpose") and len(self.readers[node.output[0]]) == 1:
            node = self.makers.get(node.input[0])
        return node

    def divide_weight(self, node: onnx.NodeProto, place: int, scale: NDArray[np.float32]) -> None:
        from onnx import numpy_helper

        whole = numpy_helper.to_array(self.weights[node.input[place]])
        node.input[place] = self.stored(f"{node.input[place]}.{node.name}.smooth", whole / scale)

    def stored(self, name: str, values: NDArray[Any]) -> str:
        """The name of a new weight."""
        from onnx import numpy_helper

        tensor = numpy_helper.from_array(np.ascontiguousarray(values, np.float32), name)
        self.weights[name] = tensor
        self.graph.initializer.append(tensor)
        return name

    def sort(self) -> None:
        """Bring every node behind those it reads from, and leave out weights that nothing reads any more."""
        from compress.encoders.simplify import sweep

        made = {value.name for value in self.graph.input} | set(self.weights) | {""}
        waiting, ordered = list(self.graph.node), []
        while waiting:
            rest = []
            for node in waiting:
                if made.issuperset(node.input):
                    ordered.append(node)
                    made.update(node.output)
                else:
                    rest.append(node)
            waiting = rest
        del self.graph.node[:]
        self.graph.node.extend(ordered)
        sweep(self.graph)

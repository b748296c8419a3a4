"""INT8 weights and activations by NNCF's rules for transformers, with an accuracy limit."""

from __future__ import annotations

import logging
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from compress.errors import InputError
from compress.quantization import Material, recipe

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    import onnx

    from compress.quantization import Feeds
    from compress.quantization._judge import Judge, Judged

_RANKED_BATCHES = 8


@recipe("int8", calibrates=True, packages=("nncf",))
def nncf(graph: Path, out: Path, material: Material) -> tuple[str, ...]:
    """Static INT8 for OpenVINO.

    NNCF moves large activations into the weights behind them (SmoothQuant; left out if the answers to validation rows
    are nearer to the float graph's without), then gives weights, the embedding tables among them, symmetric 8-bit
    integers with one scale an output channel, and the inputs of their products asymmetric ones. The queries' products
    with the keys are in integers too, those of attention's shares with the values in float.

    If more than `max_drop` of the validation rows are lost by that, each input is put back to float alone; those whose
    return brings the answers nearest to the float graph's stay there, one after another, until what is lost is within
    `max_drop`. Weights stay integers: NNCF's own accuracy control puts them back too.

    Raises: InputError if there is no calibration batch, or if the graph is larger than NNCF takes.
    """
    from compress.encoders.graph import MESSAGE_LIMIT_BYTES, read_graph, write_graph

    batches = list(material.calibration())
    if not batches:
        raise InputError("the recipe `nncf` needs calibration rows, and there is none.")
    weights = sum(len(tensor.raw_data) for tensor in read_graph(graph).graph.initializer)
    if weights > MESSAGE_LIMIT_BYTES:
        raise InputError(
            f"the recipe `nncf` takes graphs of up to 2 GB, and this one has {weights / 1e9:.1f} GB. "
            "Take the recipe `static_qdq`, or a smaller model."
        )
    if material.validation is None:
        write_graph(_quantized(graph, batches, smooth=True), out)
        return ()
    return _judged(graph, batches, out, material)


def _quantized(graph: Path, batches: Sequence[Feeds], *, smooth: bool) -> onnx.ModelProto:
    from compress.encoders.graph import read_graph

    model = read_graph(graph)
    with _quiet() as engine:
        alphas = engine.AdvancedSmoothQuantParameters() if smooth else engine.AdvancedSmoothQuantParameters(matmul=-1)
        made: onnx.ModelProto = engine.quantize(
            model,
            engine.Dataset(batches),
            subset_size=len(batches),
            model_type=engine.ModelType.TRANSFORMER,
            ignored_scope=engine.IgnoredScope(names=_of_shares(model)),
            advanced_parameters=engine.AdvancedQuantizationParameters(smooth_quant_alphas=alphas),
        )
    return made


def _of_shares(model: onnx.ModelProto) -> list[str]:
    """The products with attention's shares, which NNCF itself knows to leave in float only right behind the softmax.

    In integers OpenVINO answers wrongly to the last layer's.
    """
    makers = {output: node for node in model.graph.node for output in node.output}

    def shares(name: str) -> bool:
        node = makers.get(name)
        return node is not None and (node.op_type == "Softmax" or (node.op_type == "Squeeze" and shares(node.input[0])))

    return [node.name for node in model.graph.node if node.op_type == "MatMul" and shares(node.input[0])]


def _judged(graph: Path, batches: Sequence[Feeds], out: Path, material: Material) -> tuple[str, ...]:
    """Write the better of two graphs with as many inputs in float as the limit asks for, and say what was chosen."""
    from compress.encoders.graph import write_graph
    from compress.quantization._judge import Judge

    assert material.validation is not None
    rows = list(material.validation())
    judge = Judge(graph, lambda: rows, "nncf")
    ranking = Judge(graph, lambda: rows[:: -(-len(rows) // _RANKED_BATCHES)], "nncf")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "graph.onnx")

        def judged(by: Judge, model: onnx.ModelProto) -> Judged:
            write_graph(model, file)
            return by(file)

        made = {way: _quantized(graph, batches, smooth=way == "with") for way in ("with", "without")}
        tried = {way: judged(judge, model) for way, model in made.items()}
        best = min(tried, key=lambda way: tried[way].divergence)
        quantized, whole = made[best], tried[best].accuracy
        inputs = [node.output[0] for node in quantized.graph.node if node.op_type == "QuantizeLinear"]
        floor, found = judge.accuracy - material.max_drop, whole
        left: list[str] = []
        if found < floor:
            order = sorted(inputs, key=lambda name: judged(ranking, in_float(quantized, [name])).divergence)
            while found < floor and len(left) < len(order):
                left = order[: len(left) + 1]
                found = judged(judge, in_float(quantized, left)).accuracy
    write_graph(in_float(quantized, left), out)
    rest = ", ".join(f"{way} {one.divergence:.2g}" for way, one in tried.items())
    notes = [f"NNCF {best} SmoothQuant: the answers' divergence on {judge.rows} validation rows, in nats, is {rest}"]
    if left:
        notes.append(
            f"{len(left)} of {len(inputs)} inputs stay in float: the accuracy is {found:.4f}, in INT8 throughout "
            f"{whole:.4f}, in fp32 {judge.accuracy:.4f}"
        )
    return (*notes, *([] if found >= floor else [f"the loss is above {material.max_drop:g} even so"]))


def in_float(model: onnx.ModelProto, quantized: Collection[str]) -> onnx.ModelProto:
    """A copy of a graph in which some quantized values are the ones that they were made of."""
    import onnx

    from compress.encoders.simplify import sweep

    made = onnx.ModelProto()
    made.CopyFrom(model)
    before = {node.output[0]: node.input[0] for node in made.graph.node if node.output[0] in quantized}
    back = {
        node.output[0]: before[node.input[0]]
        for node in made.graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] in before
    }
    for node in made.graph.node:
        for index, name in enumerate(node.input):
            node.input[index] = back.get(name, name)
    sweep(made.graph)
    return made


@contextmanager
def _quiet() -> Iterator[Any]:
    """NNCF without progress bars, log and telemetry, which it would send without having asked."""
    import rich

    kind, sender = logging.getLoggerClass(), sys.modules.get("openvino_telemetry")
    sys.modules["openvino_telemetry"] = cast("Any", None)  # it cannot be imported, as if it were not installed
    console = rich.get_console()
    loud, console.quiet = console.quiet, True
    try:
        import nncf as engine

        engine.set_log_level(logging.ERROR)
        yield engine
    finally:
        console.quiet = loud
        logging.setLoggerClass(kind)
        if sender is None:
            del sys.modules["openvino_telemetry"]
        else:
            sys.modules["openvino_telemetry"] = sender

"""Dynamic INT8, except for the products that hurt most."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from compress.quantization import Material, recipe
from compress.quantization.dynamic import write
from compress.quantization.static_qdq import weighted_products

if TYPE_CHECKING:
    import onnx


@recipe("int8", calibrates=True, by_call=True)
def mixed(graph: Path, out: Path, material: Material) -> tuple[str, ...]:
    """INT8 as by `dynamic`, with as many products left in float as the accuracy asks for.

    First everything is quantized. If more than `max_drop` of the validation rows are lost by that, the products of one
    input (such as queries, keys and values of a layer) are quantized alone, each in turn; those whose answers diverge
    most from the float graph's go back to float, one after another, until what is lost is within `max_drop`.

    Source: sensitivity by layer as in Wu et al. 2020, arXiv:2004.09602, section 5.1
    Raises: InputError if there are no validation rows
    """
    from compress.encoders.graph import read_graph
    from compress.quantization._judge import Judge

    if material.validation is None:
        write(read_graph(graph), out)
        return ()
    judge = Judge(graph, material.validation, "mixed")
    groups = _groups(read_graph(graph))
    everything = [name for names in groups for name in names]
    floor = judge.accuracy - material.max_drop
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "graph.onnx")

        def judged(left: list[str]) -> tuple[float, float]:
            write(read_graph(graph), file, left)
            return judge(file)

        left: list[str] = []
        if judged(left)[1] < floor:
            harm = {names: judged([name for name in everything if name not in names])[0] for names in groups}
            for names in sorted(groups, key=harm.__getitem__, reverse=True):
                left += names
                if judged(left)[1] >= floor:
                    break
    write(read_graph(graph), out, left)
    if not left:
        return (
            f"nothing had to stay in float: on {judge.rows} validation rows the loss is within {material.max_drop:g}",
        )
    return (f"{len(left)} of {len(everything)} products stay in float: {', '.join(left)}",)


def _groups(model: onnx.ModelProto) -> list[tuple[str, ...]]:
    """The names of the products that have weights, those of one input together."""
    found: dict[str, list[str]] = defaultdict(list)
    for node in weighted_products(model):
        found[node.input[0]].append(node.name)
    return [tuple(names) for names in found.values()]

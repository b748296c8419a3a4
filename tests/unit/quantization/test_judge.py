from pathlib import Path

import graphs
import numpy
import pytest

from compress.encoders.graph import read_graph, write_graph
from compress.errors import InputError
from compress.quantization._judge import Judge


def test_a_graph_does_not_diverge_from_itself() -> None:
    judge = Judge(graphs.graph(), graphs.labelled, "any")
    assert judge.rows == 32
    assert judge(graphs.graph()) == (0, 1)


def test_the_divergence_is_the_mean_over_rows_in_nats(tmp_path: Path) -> None:
    model = read_graph(graphs.graph())
    (bias,) = [tensor for tensor in model.graph.initializer if tensor.name == "classifier.bias"]
    logits = numpy.concatenate([graphs.answers(graphs.graph(), feed) for feed, _ in graphs.labelled()])
    shift = numpy.zeros(logits.shape[1], numpy.float32)
    shift[0] = 100
    bias.raw_data = (numpy.frombuffer(bias.raw_data, numpy.float32) + shift).tobytes()
    write_graph(model, tmp_path / "sure.onnx")
    seen = Judge(graphs.graph(), graphs.labelled, "any")(tmp_path / "sure.onnx")

    def logs(values: numpy.ndarray) -> numpy.ndarray:
        return (
            values
            - numpy.log(numpy.exp(values - values.max(-1, keepdims=True)).sum(-1, keepdims=True))
            - values.max(-1, keepdims=True)
        )

    p, q = logs(logits.astype(float)), logs(logits.astype(float) + shift)
    assert seen.divergence == pytest.approx((numpy.exp(p) * (p - q)).sum(-1).mean(), rel=1e-4)
    assert seen.accuracy == (logits.argmax(-1) == 0).mean()


def test_answers_that_are_no_numbers_are_never_near_nor_right(tmp_path: Path) -> None:
    model = read_graph(graphs.graph())
    (bias,) = [tensor for tensor in model.graph.initializer if tensor.name == "classifier.bias"]
    bias.raw_data = numpy.full(len(bias.raw_data) // 4, numpy.nan, numpy.float32).tobytes()
    write_graph(model, tmp_path / "broken.onnx")
    assert Judge(graphs.graph(), graphs.labelled, "any")(tmp_path / "broken.onnx") == (numpy.inf, 0)


def test_no_row_is_an_error() -> None:
    with pytest.raises(InputError, match="`any` needs validation rows"):
        Judge(graphs.graph(), list, "any")

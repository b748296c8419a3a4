"""Core ML itself, which is part of macOS: elsewhere these tests are skipped with that reason."""

from pathlib import Path

import graphs
import numpy
import pytest

from compress.encoders import checkpoint
from compress.targets import Extent
from compress.targets.coreml import coreml

REASON = coreml.unavailable() or coreml.unrunnable("fp16")
pytestmark = [pytest.mark.hardware, pytest.mark.skipif(REASON is not None, reason=str(REASON))]


@pytest.mark.parametrize(("precision", "worst"), [("fp16", 0.005), ("int8", 0.1)])
def test_padding_changes_no_answer(precision: str, worst: float, tmp_path: Path) -> None:
    checkpoint.save(graphs.model(), tmp_path / "checkpoint")
    file = tmp_path / coreml.file_name(precision, None)
    settings = coreml.build(tmp_path / "checkpoint", precision, file, extent=Extent(4, 64), options={})
    session = coreml.open(file, settings, threads=1)
    batch = graphs.feeds(rows=4, length=20)
    long = {name: numpy.pad(value, ((0, 0), (0, 44))) for name, value in batch.items()}
    exact = graphs.expected(graphs.model(), batch)
    for feeds in (batch, long):
        assert numpy.abs(session(feeds) - exact).mean() < worst * exact.std()
    session.close()

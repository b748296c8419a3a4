"""The published reports can be read and compared with."""

from pathlib import Path

import pytest

from compress.report import record
from compress.report.gate.verdict import judge

REPORTS = sorted((Path(__file__).parents[2] / "reports").glob("*.json"))


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.stem)
def test_a_published_report_is_a_baseline(path: Path) -> None:
    found = record.load(path)
    assert found.name == path.stem
    assert judge(found, found.gate, found).answer == "pass"
    for kind in (".md", ".svg"):
        assert path.with_suffix(kind).is_file()


def test_the_quickstarts_is_there() -> None:
    assert "voice-commands" in [path.stem for path in REPORTS]

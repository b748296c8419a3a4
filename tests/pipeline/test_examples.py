"""Every example is valid and can be planned."""

from pathlib import Path

import pytest

from compress.run import checks
from compress.run.plan import Plan

ROOT = Path(__file__).parents[2]
EXAMPLES = [ROOT / "pipeline.yaml", *sorted((ROOT / "examples").glob("*/*.yaml"))]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_examples_are_valid(path: Path) -> None:
    loaded = checks.load(path)
    items = Plan(loaded).items()
    assert items[0].step.name == "teacher"
    assert items[-1].step.name == "report"

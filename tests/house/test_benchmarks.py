"""What the scripts take from the program is there: they run too long to be tests."""

import ast
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks").rglob("*.py")), ids=lambda path: path.stem)
def test_what_a_script_imports_is_there(path: Path) -> None:
    missing = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "compress":
            module = import_module(str(node.module))
            names = [one.name for one in node.names if not hasattr(module, one.name)]
            missing += [f"{node.module}.{name}" for name in names if find_spec(f"{node.module}.{name}") is None]
    assert not missing

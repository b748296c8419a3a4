"""Imports go only down the floors, lazy and type-checking ones too; rooms of one floor do not import each other."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import compress

ROOT = Path(compress.__file__).parent
FLOORS = [
    {"errors", "interruption", "units"},
    {"files", "registry"},
    {"losses", "importance", "mappings", "metrics", "statistics", "config", "store"},
    {"encoders", "data"},
    {"training", "pruning", "quantization", "targets", "bench", "report"},
    {"stages"},
    {"run"},
    {"cli"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
MODULES = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.py") if path.parent != ROOT or path.stem in FLOOR)


def imports(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def room(parts: tuple[str, ...]) -> str:
    return parts[0].removesuffix(".py")


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_imports_go_down(module: Path) -> None:
    home = room(module.parts)
    assert home in FLOOR, f"{home} stands on no floor"
    for line, name in imports(ROOT / module):
        if not name.startswith("compress."):
            continue
        other = name.split(".")[1]
        if other in FLOOR and other != home:
            assert FLOOR[other] < FLOOR[home], (
                f"{module}:{line}: {home} (floor {FLOOR[home]}) imports {other} (floor {FLOOR[other]})"
            )


def test_every_room_stands_on_a_floor() -> None:
    rooms = {path.name for path in ROOT.iterdir() if path.is_dir() and (path / "__init__.py").is_file()}
    assert rooms <= set(FLOOR)

"""What a loss reads and which settings it takes, by its source: importing it imports torch."""

import ast
from functools import cache

from compress import registry


def reads(loss: str) -> str | None:
    """What a loss is marked to read; None for a third party's, which its stage finds out."""
    made = _function(loss)
    marks = () if made is None else (mark for mark in made.decorator_list if isinstance(mark, ast.Call))
    values = (key.value for mark in marks for key in mark.keywords if key.arg == "reads")
    return next((str(value.value) for value in values if isinstance(value, ast.Constant)), None)


def takes(loss: str, option: str, *, foreign: bool = True) -> bool:
    """Whether a loss's signature names a setting; of a third party's, which is not known here, `foreign`."""
    made = _function(loss)
    return foreign if made is None else any(option == key.arg for key in made.args.kwonlyargs)


@cache
def _function(loss: str) -> ast.FunctionDef | None:
    """The formula as it is written; None for a third party's."""
    file = registry.ROOT / "losses" / f"{loss}.py"
    if not file.is_file():
        return None
    functions = (node for node in ast.parse(file.read_bytes()).body if isinstance(node, ast.FunctionDef))
    return next((made for made in functions if made.name == loss), None)

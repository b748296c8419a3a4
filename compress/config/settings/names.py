"""Names, and lists of one."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from compress.config.group import Positive


def listed(value: Any) -> Any:
    """One value stands for a list of one."""
    if isinstance(value, list):
        return tuple(value)
    return (value,) if isinstance(value, int | str) else value


MAIN = "teacher"
"""What the main teacher is called among the others."""


def _model_name(kind: str) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if isinstance(value, str) and "." in value:
            better = value.replace(".", "-")
            raise ValueError(
                f"a {kind}'s name has no dot, which `--set` reads as the step to the next key. Write `{better}`"
            )
        if value == MAIN:
            raise ValueError(f"a {'further teacher' if kind == 'teacher' else kind} cannot be named `{MAIN}`")
        return value

    return check


Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
StudentName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$"), BeforeValidator(_model_name("student"))]
TeacherName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$"), BeforeValidator(_model_name("teacher"))]
Tokens = Annotated[int, Field(ge=4)]
Texts = Annotated[tuple[str, ...], Field(min_length=1)]
Counts = Annotated[tuple[Positive, ...], Field(min_length=1)]
Lengths = Annotated[tuple[Tokens, ...], Field(min_length=1)]

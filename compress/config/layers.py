"""How layers of the teacher are named: by a rule, or one by one."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

Layer = Annotated[int, Field(ge=0)]


def _kind(given: Any) -> str:
    return "(name)" if isinstance(given, str) else "(list)"


Mapping = Annotated[
    Annotated[str, Tag("(name)")] | Annotated[tuple[Layer | None, ...], Tag("(list)")], Discriminator(_kind)
]
"""A layer mapping's name, or a teacher layer for each student layer; None: it learns from none."""
Start = Annotated[
    Annotated[Literal["measured"], Tag("(name)")] | Annotated[tuple[Layer, ...], Tag("(list)")], Discriminator(_kind)
]
"""The teacher layers that first weights are taken from, or how they are found."""

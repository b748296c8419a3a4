"""What every group of keys has in common, and the kinds of numbers that stand in several."""

import ast
import inspect
import textwrap
from functools import cache
from itertools import pairwise
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(ge=1)]


class Closed(BaseModel):
    """A closed, frozen group of keys; what a key means is said by the string below it, and nowhere else."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler(core_schema)
        told = meanings(cls)
        for key, value in handler.resolve_ref_schema(schema).get("properties", {}).items():
            if key in told:
                value["description"] = told[key]
        return schema


@cache
def meanings(group: type[BaseModel]) -> dict[str, str]:
    """What a group's keys mean, by their names in the file.

    Read from the source when it is asked for; pydantic would read it at each start of the program.
    """
    found: dict[str, str] = {}
    for owner in reversed(group.__mro__):
        if issubclass(owner, Closed):
            found |= _strings(owner)
    return {field.alias or name: found[name] for name, field in group.model_fields.items() if name in found}


def _strings(owner: type) -> dict[str, str]:
    found = {}
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(owner)))
    except (OSError, TypeError, SyntaxError):  # the sources are not installed, or are being edited
        return {}
    for key, below in pairwise(
        line for written in tree.body if isinstance(written, ast.ClassDef) for line in written.body
    ):
        match key, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(meaning))):
                found[name] = inspect.cleandoc(meaning)
    return found

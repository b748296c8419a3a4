"""The JSON Schema of what a person writes: the settings without what the cards fill in."""

from typing import Any

from compress.config.pipeline import DEFAULT_TEACHER
from compress.config.settings import Pipeline


def pipeline_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of pipeline files, for editors."""
    schema = Pipeline.model_json_schema()
    schema["required"].remove("teacher")
    del schema["$defs"]["Teacher"]["required"]
    schema["$defs"]["Teacher"]["properties"]["use"]["default"] = DEFAULT_TEACHER
    for named in ("students", "teachers"):
        schema["properties"][named]["additionalProperties"] = False  # pydantic leaves other names open
    schema["title"] = "compress pipeline"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}

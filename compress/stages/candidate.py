"""What is measured: the teacher in PyTorch, and every exported file."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from compress import registry
from compress.files import DESCRIPTION, read_json
from compress.report.variant import REFERENCE, TEACHER
from compress.targets import Export, plain


class Candidate(NamedTuple):
    """A model in one runtime and precision."""

    model: str
    target: str
    precision: str
    recipe: str | None
    file: Path
    settings: Mapping[str, Any]
    facts: Mapping[str, Any]
    folder: Path
    """Where its tokenizer lies."""

    @property
    def id(self) -> str:
        """Its name among all: `tiny onnxruntime-int8`."""
        return f"{self.model} {self.export}"

    @property
    def export(self) -> str:
        """Its name among those of its model: `onnxruntime-int8`."""
        return Export(self.target, self.precision, self.recipe).id

    @property
    def plain(self) -> str | None:
        """The id of the plain precision that a lower one is compared with."""
        other = plain(registry.TARGETS.load(self.target), self.precision)
        return None if other is None else Export(self.target, other, None).id

    def open(self, threads: int) -> Any:
        """A session that answers feeds."""
        return registry.TARGETS.load(self.target).open(self.file, self.settings, threads=threads)

    def described(self, parameters: int) -> dict[str, Any]:
        """What the report's record says of it before it is asked anything; `parameters` are those of the teacher."""
        return {
            "model": self.model,
            "runtime": self.target,
            "precision": self.precision,
            "recipe": self.recipe,
            "quantization": self.facts.get("quantization"),
            "plain": self.plain,
            "asked": self.facts.get("asked", True),
            "notes": self.facts.get("notes", []),
            "parameters": self.facts.get("parameters", parameters),
            "size_bytes": self.facts["size_bytes"],
            "parity": self.facts.get("parity"),
        }


def candidates(teacher: Path, exports: Mapping[str, Path]) -> Iterator[Candidate]:
    """The teacher in PyTorch first, then the exports in their order; what two steps built is there once."""
    target, _, precision = REFERENCE.partition("-")
    facts: dict[str, Any] = {"size_bytes": (teacher / "model.safetensors").stat().st_size}
    yield Candidate(TEACHER, target, precision, None, teacher, {}, facts, teacher)
    found: dict[str, Candidate] = {}
    for step, folder in exports.items():
        description = read_json(folder / DESCRIPTION)
        for built in description["files"]:
            candidate = Candidate(
                model=step.split("/")[1],
                target=description["target"],
                precision=built["precision"],
                recipe=built["recipe"],
                file=folder / built["file"],
                settings=built["settings"],
                facts={**built, "parameters": description["parameters"]},
                folder=folder,
            )
            # A plain precision that a step built to compare with may be one that another step was asked for.
            if built["asked"] or candidate.id not in found:
                found[candidate.id] = candidate
    yield from found.values()

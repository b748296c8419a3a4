"""`compress init`: a new project that `compress check` can guide from there."""

import csv
import json
from pathlib import Path
from typing import Annotated

import typer

_TEMPLATE = """\
# What every key means: `compress check --schema`, or hover over it in an editor that reads the schema.
name: {name}
task:
  type: text-classification
  data: {{train: {train}, validation: {validation}{test}}}
  text: {text}
  label: {label}
  max_length: 128
teacher:
  use: {teacher}
students:
  small:
    use: distilbert
  tiny:
    use: tinybert-4
export:
  - {{target: onnxruntime, precision: [fp32, int8]}}
measure: {{batch: [1, 8], sequence: [16, 64], threads: 1}}
gate:
  accuracy: {{keep: 0.97, on: onnxruntime-int8}}
"""


def init(
    folder: Annotated[Path, typer.Argument(help="The project's folder; it may exist.")] = Path(),
    train: Annotated[Path | None, typer.Option("--train", help="Training rows (CSV, TSV, JSONL, Parquet).")] = None,
    validation: Annotated[Path | None, typer.Option("--validation", help="Validation rows.")] = None,
    test: Annotated[Path | None, typer.Option("--test", help="Test rows.")] = None,
    teacher: Annotated[str, typer.Option("--teacher", help="A teacher card.")] = "bert-base",
) -> int:
    """Write a project: a pipeline file, the folders for cards and reports, and a .gitignore."""
    from compress.config import catalogue
    from compress.errors import InputError
    from compress.files import write_text

    pipeline = folder / "pipeline.yaml"
    if pipeline.exists():
        raise InputError(f"{pipeline}: is there already. Choose another folder or remove it.")
    catalogue.card("teachers", teacher, folder, "--teacher")
    given = [
        (option, path) for option, path in (("--train", train), ("--validation", validation), ("--test", test)) if path
    ]
    missing = [f"{option} {path}: there is no such file." for option, path in given if not path.is_file()]
    if missing:
        raise InputError("\n".join(missing))
    text, label = _columns(train)
    values = {
        "name": json.dumps(_name(folder.absolute().name)),
        "train": _relative(train, folder) if train else "data/train.tsv",
        "validation": _relative(validation, folder) if validation else "data/validation.tsv",
        "test": f", test: {_relative(test, folder)}" if test else "" if train else ", test: data/test.tsv",
        "text": json.dumps(text),
        "label": json.dumps(label),
        "teacher": teacher,
    }
    for room in ("teachers", "students", "reports"):
        (folder / room).mkdir(parents=True, exist_ok=True)
    if not (folder / ".gitignore").exists():
        write_text(folder / ".gitignore", "/runs/\n")
    write_text(pipeline, _TEMPLATE.format(**values))
    typer.echo(f"Wrote {pipeline}. Next:")
    if not train:
        typer.echo(f"  put train.tsv, validation.tsv and test.tsv (header label<TAB>text) into {folder / 'data'}")
    typer.echo(f"  compress check {pipeline}\n  compress run {pipeline}")
    return 0


def _columns(train: Path | None) -> tuple[str, str]:
    """The text and label columns that the header of a CSV or TSV file suggests."""
    names = ["text", "label"]
    if train is not None and train.suffix in (".tsv", ".csv", ".txt"):
        with train.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
            names = next(csv.reader(stream, delimiter="," if train.suffix == ".csv" else "\t"), names)
    label = next(
        (name for name in names if name.lower() in ("label", "labels", "intent", "class", "category")), "label"
    )
    text = next(
        (name for name in names if name.lower() in ("text", "sentence", "utterance", "review", "query")), "text"
    )
    return text, label


def _name(folder: str) -> str:
    kept = "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in folder.lower()).strip("-")
    return kept[:60] or "project"


def _relative(path: Path, folder: Path) -> str:
    import os

    return json.dumps(Path(os.path.relpath(path.absolute(), folder.absolute())).as_posix())

"""`compress init`: a new project that `compress check` can guide from there."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from compress.errors import InputError, Problem
from compress.files import write_text

if TYPE_CHECKING:
    from compress.run.ci import Workflow

_TEMPLATE = """\
# What every key means: `compress check --schema`, or hover over it in an editor that reads the schema.
name: {name}
task:
  type: text-classification
  data: {{train: {train}, validation: {validation}{test}{columns}}}
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


_USUAL = {
    "text": ("text", "sentence", "utterance", "review", "query"),
    "label": ("label", "labels", "intent", "class", "category"),
}
"""Names of columns that are taken unasked."""


def init(
    folder: Annotated[Path, typer.Argument(help="The project's folder; it may exist.")] = Path(),
    train: Annotated[Path | None, typer.Option("--train", help="Training rows (CSV, TSV, JSONL, Parquet).")] = None,
    validation: Annotated[Path | None, typer.Option("--validation", help="Validation rows.")] = None,
    test: Annotated[Path | None, typer.Option("--test", help="Test rows.")] = None,
    text: Annotated[str | None, typer.Option("--text", help="Column of the text; found in the header.")] = None,
    label: Annotated[str | None, typer.Option("--label", help="Column of the label; found in the header.")] = None,
    columns: Annotated[
        str | None, typer.Option("--columns", help="All columns of files without a header: label,text.")
    ] = None,
    teacher: Annotated[str, typer.Option("--teacher", help="A teacher card.")] = "bert-base",
    ci: Annotated[
        Literal["github", "gitlab"] | None,
        typer.Option(
            "--ci", help="Write the file by which this CI runs the pipeline, too, or for a project that is there."
        ),
    ] = None,
    install: Annotated[
        str | None,
        typer.Option("--install", help="What pip installs in CI: 'compress @ git+https://HOST/OWNER/compress@TAG'."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the CI's file if it is there.")] = False,
) -> int:
    """Write a project: a pipeline file, the folders for cards and reports, and a .gitignore."""
    from compress.config import catalogue

    pipeline = folder / "pipeline.yaml"
    workflow = _workflow(ci, pipeline, install, force)
    if pipeline.exists():
        if workflow is None or any((train, validation, test, text, label, columns)):
            raise InputError(f"{pipeline}: is there already. Choose another folder, remove it, or give --ci alone.")
        _give(workflow)
        return 0
    catalogue.card("teachers", teacher, folder, "--teacher")
    files, names = _files(train, validation, test), _names(columns)
    found = _columns(files, {"text": text, "label": label}, names)
    values = {
        "name": json.dumps(_name(folder.absolute().name)),
        "train": _relative(train, folder) if train else "data/train.tsv",
        "validation": _relative(validation, folder) if validation else "data/validation.tsv",
        "test": f", test: {_relative(test, folder)}" if test else "" if train else ", test: data/test.tsv",
        "columns": f", columns: {json.dumps(names, ensure_ascii=False)}" if names else "",
        "text": json.dumps(found["text"], ensure_ascii=False),
        "label": json.dumps(found["label"], ensure_ascii=False),
        "teacher": teacher,
    }
    _write(folder, {".gitignore": "/runs/\n", pipeline.name: _TEMPLATE.format(**values)})
    typer.echo(f"Wrote {pipeline}. Next:")
    if not train:
        header = "label<TAB>text" if names is None else "no header"
        typer.echo(f"  put train.tsv, validation.tsv and test.tsv ({header}) into {folder / 'data'}")
    typer.echo(f"  compress check {pipeline}\n  compress run {pipeline}")
    if workflow is not None:
        _give(workflow)
    return 0


def _workflow(
    ci: Literal["github", "gitlab"] | None, pipeline: Path, install: str | None, force: bool
) -> "Workflow | None":
    """The CI's file, not yet written.

    Raises: InputError if it is there already and not to be replaced, or where the runners get this program from is not known
    """
    if ci is None:
        if install or force:
            raise InputError("--install and --force are of the CI's file: say which, --ci github or --ci gitlab.")
        return None
    from compress.run.ci import workflow

    made = workflow(ci, pipeline, install)
    if made.path.exists() and not force:
        raise InputError(f"{made.path}: is there already. --force replaces it.")
    return made


def _give(workflow: "Workflow") -> None:
    """Write the CI's file, and say what comes next."""
    write_text(workflow.path, workflow.text)
    typer.echo(
        f"Wrote {workflow.path}. Next:\n"
        "  commit it with pipeline.yaml, its cards and its data, and push\n"
        "  compress baseline accept REPORT, with the report.json of a run there that you are content with: latencies are\n"
        "  compared on machines of its class alone"
    )


def _files(train: Path | None, validation: Path | None, test: Path | None) -> list[Path]:
    """The given files.

    Raises: InputError unless training and validation rows are given together, and all given files are there.
    """
    given = {
        option: path for option, path in (("--train", train), ("--validation", validation), ("--test", test)) if path
    }
    lacking = [option for option in ("--train", "--validation") if option not in given]
    if given and lacking:
        raise InputError(
            f"{' and '.join(given)} without {' and '.join(lacking)}: rows to train on and rows to watch the training "
            "with belong together. Put some rows, such as a tenth, into a file of their own, and give both."
        )
    missing = [
        Problem(f"{option} {path}", "there is no such file.") for option, path in given.items() if not path.is_file()
    ]
    if missing:
        raise InputError(missing)
    return list(given.values())


def _names(columns: str | None) -> list[str] | None:
    """The names in `--columns`.

    Raises: InputError if one is empty or there twice.
    """
    if columns is None:
        return None
    names = [name.strip() for name in columns.split(",")]
    if not all(names) or len(set(names)) < len(names):
        raise InputError(
            f"--columns {columns}: a name is empty or there twice. Name all columns in their order: --columns label,text."
        )
    return names


def _columns(files: Sequence[Path], given: Mapping[str, str | None], names: list[str] | None) -> dict[str, str]:
    """The text and label columns: as given, else the usual ones among the names or in the first header there is.

    Raises: InputError if a column is not in the names, or not once in the header of every CSV and TSV file.
    """
    headers = {"--columns": names} if names else {f"{file}:1": _header(file) for file in files}
    known = {place: header for place, header in headers.items() if header is not None}
    first = next(filter(None, known.values()), [])
    chosen = {
        key: column or next((name for name in first if name.lower() in _USUAL[key]), key)
        for key, column in given.items()
    }
    faults = {place: _fault(header, chosen.values()) for place, header in known.items()}
    if any(faults.values()):
        raise InputError(Problem(place, fault) for place, fault in faults.items() if fault)
    return chosen


def _header(file: Path) -> list[str] | None:
    """The cells of the first line, none if it is empty; None where no such line names the columns."""
    if file.suffix.lower() not in (".tsv", ".csv", ".txt"):
        return None
    with file.open(encoding="utf-8-sig", errors="replace") as stream:
        line = stream.readline().rstrip("\r\n")
    return next(csv.reader([line]), []) if file.suffix.lower() == ".csv" else line.split("\t") if line else []


def _fault(header: list[str], wanted: Iterable[str]) -> str | None:
    """What is wrong with a header, or with the names of columns."""
    if not header:
        return "the file is empty, or begins with an empty line."
    found = {column: header.count(column) for column in wanted}
    wrong = [f"{'several columns' if count else 'no column'} `{name}`" for name, count in found.items() if count != 1]
    if not wrong:
        return None
    seen = ", ".join(f"`{name[:40]}`" for name in header[:12])
    return (
        f"{' and '.join(wrong)}; there is {seen}. Name the columns of the text and the label: --text NAME --label "
        "NAME. If the files have no header line, name all columns in their order: --columns label,text."
    )


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    """Write the project's files that are not there yet, and its folders: all, or nothing."""
    with ExitStack() as undo:
        for room in ("teachers", "students", "reports"):
            for path in (*reversed((folder / room).parents), folder / room):
                if not path.is_dir():
                    path.mkdir()
                    undo.callback(path.rmdir)
        for name, text in texts.items():
            if not (folder / name).exists():
                write_text(folder / name, text)
                undo.callback((folder / name).unlink)
        undo.pop_all()


def _name(folder: str) -> str:
    kept = "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in folder.lower()).strip("-")
    return kept[:60] or "project"


def _relative(path: Path, folder: Path) -> str:
    import os

    return json.dumps(Path(os.path.relpath(path.absolute(), folder.absolute())).as_posix())

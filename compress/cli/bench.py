"""`compress bench`: exported models and other people's, timed side by side on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from compress.cli.options import Plain
from compress.errors import InputError, Problem

if TYPE_CHECKING:
    from rich.table import Table

    from compress.bench.models import Model


def bench(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="Exported folders or files of them, checkpoint folders, .onnx and .ort files of any maker. The others "
            "are compared with the first.",
        ),
    ],
    batch: Annotated[str, typer.Option("--batch", help="Rows in one call.")] = "1,8",
    sequence: Annotated[str, typer.Option("--sequence", help="Tokens of each row.")] = "16,64",
    threads: Annotated[int, typer.Option("--threads", min=1, help="Threads each runtime may use.")] = 1,
    rounds: Annotated[
        int, typer.Option("--rounds", min=3, help="Interleaved rounds: in each, every model is timed, in a new order.")
    ] = 30,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the rows and of the orders.")] = 0,
    out: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write all that was measured.")] = None,
    plain: Plain = False,
) -> int:
    """Time models side by side: the same rows, interleaved rounds, ratios to the first with 95 % intervals."""
    shapes = [(rows, tokens) for rows in _counts("--batch", batch) for tokens in _counts("--sequence", sequence)]
    if out is not None and out.is_dir():
        raise InputError(f"--json {out}: is a folder. Give a file.")
    models = _found(files)

    from dataclasses import asdict

    from compress.bench import machine
    from compress.bench.comparison import compare
    from compress.cli.console import console
    from compress.files import write_json
    from compress.registry import TARGETS

    shown, here = console(plain), machine.describe()
    with shown.status("opening the models") as status:

        def tell(done: int, total: int, note: str) -> None:
            status.update(f"{note} {done} of {total}")

        cells = compare(models, shapes, threads=threads, rounds=rounds, seed=seed, notify=tell)
    shown.print(_table(models, cells))
    shown.print(
        f"{here.processor}, {threads} thread{'' if threads == 1 else 's'}, {rounds} rounds, seed {seed}. Last column: "
        "the first model's median divided by this one's, and its 95 % interval over the rounds.",
        markup=False,
    )
    if out is not None:
        packages = {package for model in models for package in TARGETS.load(model.target).packages}
        measured = [
            {**model._asdict(), "file": str(model.file), "latency": own}
            for model, own in zip(models, cells, strict=True)
        ]
        about = {"machine": asdict(here), "versions": machine.versions(sorted(packages))}
        write_json(out, {**about, "threads": threads, "rounds": rounds, "seed": seed, "models": measured})
    return 0


def _counts(option: str, text: str) -> list[int]:
    """The numbers of a list with commas."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdecimal() and int(part) > 0 for part in parts):
        raise InputError(f"{option} {text}: give whole numbers above 0 with commas between, such as `1,8`.")
    return list(dict.fromkeys(map(int, parts)))


def _found(files: list[Path]) -> "list[Model]":
    """The models of all paths; every path that has none is told."""
    from compress.bench.models import find

    models, problems = list["Model"](), list[Problem]()
    for file in files:
        try:
            models += find(file)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return models


def _table(models: "list[Model]", cells: list[list[dict[str, Any]]]) -> "Table":
    """A row a shape and model, the shapes one below the other."""
    from rich.table import Table
    from rich.text import Text

    from compress.units import milliseconds, size

    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim", pad_edge=False)
    table.add_column("batch × tokens", no_wrap=True)
    table.add_column("model", overflow="fold", min_width=12)
    table.add_column("runs in", overflow="fold")
    for head in ("size", "median", "p95", "rows/s", "against the first"):
        table.add_column(head, justify="right", no_wrap=head != "against the first")
    for same in zip(*cells, strict=True):
        for model, cell in zip(models, same, strict=True):
            against = "{value:.2f}× ({low:.2f}–{high:.2f})".format_map(cell["to_first"])
            texts = [
                f"{cell['batch']} × {cell['sequence']}" if cell is same[0] else "",
                str(model.file),
                model.target,
                size(model.size_bytes),
                milliseconds(cell["p50_ms"]),
                milliseconds(cell["p95_ms"]),
                f"{cell['rows_per_s']:.0f}",
                "1×" if cell is same[0] else against,
            ]
            table.add_row(*map(Text, texts))
    return table

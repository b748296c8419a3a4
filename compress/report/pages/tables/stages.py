"""The steps of the run."""

from compress import units
from compress.report.pages.tables.table import NONE, Column, Table
from compress.report.record import Record


def table(record: Record) -> Table:
    """The steps of the run: how long each took, where its training ended, what is to be known about it."""
    columns = (
        Column("stage"),
        Column("time", numeric=True),
        Column("epochs", numeric=True),
        Column("last loss", numeric=True),
        Column("last validation accuracy", numeric=True),
        Column("notes"),
    )
    rows = []
    for stage in record.stages:
        last = stage.history[-1] if stage.history else None
        watched = None if last is None else last.validation
        rows.append(
            (
                stage.name,
                units.duration(stage.seconds),
                f"{last.epoch:g}" if last else NONE,
                f"{last.loss:.4g}" if last else NONE,
                NONE if watched is None else units.percent(watched),
                "; ".join(stage.notes),
            )
        )
    return Table(columns, tuple(rows))

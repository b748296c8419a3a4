"""Data sets of the Hugging Face Hub. Only these use the network; they are kept in the Hub's own cache (`HF_HOME`)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from compress.config import settings
from compress.data.formats import Table, Wanted, absent, table
from compress.errors import InputError, NotAvailable


class HubTable(NamedTuple):
    """A split's rows, and the label names that the data set declares."""

    rows: Table
    names: tuple[str, ...] | None


def read(data: settings.Data, split: str, wanted: Wanted) -> HubTable:
    """The wanted columns of a split such as `train` or `train[:90%]`; a declared class becomes its name.

    Raises: InputError if the data set, its configuration or the split is not there; NotAvailable if it cannot be reached
    """
    rows = _load(data, split)
    faults = [
        absent(key, column, rows.column_names) for key, column in wanted.items() if column not in rows.column_names
    ]
    if faults:
        return HubTable(Table([], {}, [(None, fault) for fault in faults]), None)
    columns = {column: rows[column][:] for column in wanted.values()}
    classes = {column: tuple(getattr(rows.features[column], "names", ())) or None for column in columns}
    label = wanted.get("label")
    names = None if label is None else classes[label]
    if label is not None and len(rows) and all(value == -1 or value is None for value in columns[label]):
        return HubTable(Table([], {}, [(None, "no row of this split has a label. Take another split.")]), names)
    for column, values in columns.items():
        if column == label or classes[column]:
            columns[column] = [_named(value, classes[column]) for value in values]
    records = (
        (row, dict(zip(columns, cells, strict=True)))
        for row, cells in enumerate(zip(*columns.values(), strict=True), 1)
    )
    return HubTable(table(records, wanted, []), names)


def _named(value: Any, names: tuple[str, ...] | None) -> Any:
    if value == -1:  # so Hub data sets write that no class is given
        return None
    return names[value] if names and isinstance(value, int) else value


def _load(data: settings.Data, split: str) -> Any:
    import datasets
    from datasets.exceptions import DatasetNotFoundError

    name, config = data.hub, f", config `{data.config}`" if data.config else ""
    try:
        with _quiet():
            return datasets.load_dataset(name, data.config, split=split, revision=data.revision)
    except DatasetNotFoundError as error:
        raise InputError(f"task.data.hub: there is no data set `{name}` that can be read. {error}") from error
    except ConnectionError as error:
        raise NotAvailable(
            f"the data set `{name}` is not on this machine and the Hub cannot be reached: {error}. "
            "Connect once, or give local files as `task.data.train`, `validation` and `test`."
        ) from error
    except (ValueError, datasets.exceptions.DatasetsError, FileNotFoundError) as error:
        raise InputError(f"task.data: `{name}`{config}, split `{split}`, cannot be loaded: {error}") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Without progress bars; the setting is the library's own and global, so it is put back."""
    import datasets

    shown = datasets.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            datasets.enable_progress_bars()

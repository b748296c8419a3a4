"""Local files of rows: TSV, CSV, JSON lines, Parquet. Reads everything as text and knows each row's line.

One reader serves checking and training. `datasets.load_dataset` is not used here, since it changes values: its CSV
reader ends a row at a lone carriage return, its JSON reader turns texts that look like dates into other texts.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from compress.files import opened

Wanted = Mapping[str, str]
"""The columns to read, by the key that names them: one of `task`, or a dotted one of the pipeline, such as `measure.columns.0`."""
Wrong = tuple[int | None, str]
"""What is wrong with a line; with no line number, with the whole file."""


_COLUMNS_COMPARED = 1000
_LINE_LIMIT_BYTES = 10_000_000
"""A line of twice this is always refused; the tokens of a text are a few thousand."""
_ROWS_FREE, _BYTES_FREE, _SMALLER = 1_000_000, 1_000_000_000, 100
"""What any Parquet file may hold. Above it, one whose rows differ takes a byte a row or more, and compresses less than so."""


class Table(NamedTuple):
    """The rows that could be read, and what is wrong with the others."""

    lines: list[int]
    """Line of each row, from 1; in Parquet files the row."""
    values: dict[str, list[str | None]]
    """The wanted columns by their key; None = missing."""
    wrong: list[Wrong]


def read(path: Path, wanted: Wanted, names: Sequence[str] | None) -> Table:
    """The wanted columns of a file; `names` are the columns of a CSV/TSV file without a header line.

    Raises: OSError if the file cannot be read
    """
    suffix = path.suffix.lower()
    if suffix in (".tsv", ".txt", ".csv"):
        text, wrong = _text(path)
        wrong += _nuls(text)
        return _delimited(_csv(text, wrong) if suffix == ".csv" else _tsv(text), wanted, names, wrong)
    if suffix in (".jsonl", ".json", ".ndjson"):
        text, wrong = _text(path)
        return table(_json(text, wrong), wanted, wrong)
    if suffix == ".parquet":
        return _parquet(path, wanted)
    known = "`.tsv`, `.txt` (tab-separated), `.csv`, `.jsonl`, `.parquet`"
    return Table([], {}, [(None, f"the file's ending says no format that can be read. Known: {known}.")])


def records(path: Path) -> tuple[list[tuple[int, dict[str, Any]]], list[Wrong]]:
    """The objects of a JSON lines or Parquet file, values of any kind, each with its line; and what cannot be read.

    Raises: OSError if the file cannot be read
    """
    suffix = path.suffix.lower()
    if suffix in (".jsonl", ".json", ".ndjson"):
        text, wrong = _text(path)
        return list(_json(text, wrong)), wrong
    if suffix != ".parquet":
        return [], [(None, "the file's ending says no format that can be read here. Known: `.jsonl`, `.parquet`.")]
    import pyarrow
    from pyarrow import parquet

    try:
        with opened(path) as stream:
            return list(enumerate(_sized(parquet.ParquetFile(stream), path).read().to_pylist(), 1)), []
    except (pyarrow.ArrowException, ValueError) as error:
        return [], [(None, f"not a Parquet file that can be read: {str(error).splitlines()[0]}")]


def read_texts(path: Path, wanted: Wanted, names: Sequence[str] | None, label: str) -> Table:
    """The wanted columns of a file of rows without labels.

    As `read`, but a `.txt` file has one text a line and no header; and of a CSV/TSV file without a header line the column
    called `label` may be missing.
    Raises: OSError if the file cannot be read
    """
    suffix = path.suffix.lower()
    if suffix == ".txt":
        return _lines(path, wanted)
    if names is None or suffix not in (".tsv", ".csv"):
        return read(path, wanted, names)
    text, wrong = _text(path)
    wrong += _nuls(text)
    rows = list(_csv(text, wrong) if suffix == ".csv" else _tsv(text))
    others = [name for name in names if name != label]
    return _delimited(iter(rows), wanted, others if rows and len(rows[0][1]) == len(others) else names, wrong)


def _lines(path: Path, wanted: Wanted) -> Table:
    """Each line of a file as a text."""
    if "text_pair" in wanted:
        return Table([], {}, [(None, "a `.txt` file has one text a line, these rows have two. Give a `.tsv` file.")])
    text, wrong = _text(path)
    wrong += _nuls(text)
    lines = [line.removesuffix("\r") for line in text.rstrip("\r\n").split("\n")] if text.strip() else []
    if lines and (lines[0] == wanted["text"] or "\t" in lines[0]):
        fault = (
            "this line looks like a header or like columns. A `.txt` file of rows without labels has one text a line; "
        )
        wrong.append((1, f"{fault}call a file with columns `.tsv`."))
    return Table([*range(1, len(lines) + 1)], {"text": [*lines]}, wrong)


def absent(key: str, column: str, found: Iterable[str]) -> str:
    """The sentence for a column that is not there."""
    names = list(found)
    near = get_close_matches(column, names[:_COLUMNS_COMPARED], n=1)
    hint = f" Did you mean `{near[0]}`?" if near else ""
    named = key if "." in key else f"task.{key}"
    return f"no column `{column}`; there is {_listed(names)}.{hint} `{named}` names it."


def table(records: Iterable[tuple[int, Mapping[str, Any]]], wanted: Wanted, wrong: list[Wrong]) -> Table:
    """A table of records that hold any values: texts must be texts, all else texts or whole numbers."""
    lines: list[int] = []
    values: dict[str, list[str | None]] = {key: [] for key in wanted}
    for line, record in records:
        faults = [absent(key, column, record) for key, column in wanted.items() if column not in record]
        row = {}
        for key, column in wanted.items() if not faults else ():
            row[key], fault = _plain(key, column, record[column])
            faults += [fault] if fault else []
        wrong += [(line, fault) for fault in faults]
        if not faults:
            lines.append(line)
            for key, value in row.items():
                values[key].append(value)
    return Table(lines, values, wrong)


def _plain(key: str, column: str, value: Any) -> tuple[str | None, str | None]:
    """A value as text, or what is wrong with it."""
    if value is None:
        return None, None
    if isinstance(value, str):
        if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
            return None, f"`{column}` holds half of a surrogate pair (\\ud800 … \\udfff)."
        if "\0" in value:
            return None, f"`{column}` holds a NUL character."
        return value, None
    text = key in ("text", "text_pair")
    if isinstance(value, int) and not text:
        return json.dumps(value), None
    allowed = "a text" if text else "a text or a whole number"
    return None, f"`{column}` is {json.dumps(value, default=str)[:40]}. Give {allowed}."


def _text(path: Path) -> tuple[str, list[Wrong]]:
    """A file's text without a byte-order mark, and the lines that are not UTF-8; those are read as well as can be."""
    data, long = _bytes(path)
    if long:
        return "", [
            (long, f"the line is longer than {_LINE_LIMIT_BYTES // 10**6} MB. Is the file damaged, or not text?")
        ]
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "", [(1, "the file is UTF-16. Save it as UTF-8.")]
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        return data.decode(), []
    except UnicodeDecodeError:
        wrong: list[Wrong] = []
        for line, content in enumerate(data.split(b"\n"), 1):
            try:
                content.decode()
            except UnicodeDecodeError as error:
                wrong.append((line, f"byte 0x{content[error.start]:02X} is not UTF-8. Save the file as UTF-8."))
        return data.decode(errors="replace"), wrong


def _bytes(path: Path) -> tuple[bytes, int | None]:
    """A file's content; or the number of a line that is too long, from where on nothing is read."""
    parts: list[bytes] = []
    with opened(path) as stream:
        while part := stream.read(_LINE_LIMIT_BYTES):
            if len(part) == _LINE_LIMIT_BYTES and b"\n" not in part:
                return b"", sum(other.count(b"\n") for other in parts) + 1
            parts.append(part)
    return b"".join(parts), None


def _nuls(text: str) -> list[Wrong]:
    lines = enumerate(text.split("\n"), 1) if "\0" in text else ()
    return [(line, "a NUL byte. Is the file damaged, or not text?") for line, content in lines if "\0" in content]


def _tsv(text: str) -> Iterator[tuple[int, list[str]]]:
    """Rows of tab-separated fields. Quotes are letters like others: MRPC and SST-2 hold bare ones."""
    for line, content in enumerate(text.rstrip("\r\n").split("\n"), 1):
        yield line, content.removesuffix("\r").split("\t")


def _csv(text: str, wrong: list[Wrong]) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text.rstrip("\r\n"), newline="\n"), strict=True)
    line = 1
    try:
        for fields in reader:
            yield line, fields
            line = reader.line_num + 1
    except csv.Error as error:
        fault = f"{error}. Is a quote that opens in this row not closed, or not doubled inside?"
        if "new-line character" in str(error):
            fault = "a carriage return in a field without quotes."
        wrong.append((line, f"not CSV: {fault}"))


def _delimited(
    rows: Iterator[tuple[int, list[str]]], wanted: Wanted, names: Sequence[str] | None, wrong: list[Wrong]
) -> Table:
    _, first = next(rows, (1, [""]))
    if first == [""]:
        return Table([], {}, wrong)
    header = list(names or first)
    faults = [absent(key, column, header) for key, column in wanted.items() if column not in header]
    twice = {column for column in wanted.values() if header.count(column) > 1}
    faults += [f"there are several columns `{column}`." for column in sorted(twice)]
    if names and first == header:
        faults.append("this is a header line. Leave out `task.data.columns`, or remove the line.")
    elif faults and not names and any(column not in header for key, column in wanted.items() if "." not in key):
        faults.append("if the first line is no header, name the columns in `task.data.columns`.")
    if faults:
        return Table([], {}, [*wrong, *((1, fault) for fault in faults)])
    lines, kept = [], []
    for line, fields in [(1, first), *rows] if names else rows:
        if len(fields) == len(header):
            lines.append(line)
            kept.append(fields)
        elif not any(fields):
            wrong.append((line, "an empty line."))
        else:
            wrong.append((line, f"{_counted(len(fields))}, {len(header)} are expected ({_listed(header)})."))
    places = {key: header.index(column) for key, column in wanted.items()}
    return Table(lines, {key: [fields[place] for fields in kept] for key, place in places.items()}, wrong)


def _json(text: str, wrong: list[Wrong]) -> Iterator[tuple[int, dict[str, Any]]]:
    for line, content in enumerate(text.split("\n"), 1):
        if not content.strip():
            continue
        try:
            record = json.loads(content)
        except json.JSONDecodeError as error:
            wrong.append((line, f"not JSON: {error.msg} at letter {error.pos + 1}."))
        except (ValueError, RecursionError) as error:
            wrong.append((line, f"not JSON that can be read: {error}."))
        else:
            if isinstance(record, dict):
                yield line, record
            else:
                wrong.append((line, 'not a JSON object. Each line holds one, such as `{"text": …, "label": …}`.'))


def _sized(file: Any, path: Path) -> Any:
    """Raises: ValueError if a Parquet file would fill the memory with copies: a few kB may hold billions of equal rows"""
    told, size = file.metadata, path.stat().st_size
    whole = sum(told.row_group(group).total_byte_size for group in range(told.num_row_groups))
    if told.num_rows > max(_ROWS_FREE, size) or whole > max(_BYTES_FREE, _SMALLER * size):
        raise ValueError(f"{told.num_rows:,} rows of {whole:,} bytes in a file of {size:,}")
    return file


def _parquet(path: Path, wanted: Wanted) -> Table:
    import pyarrow
    from pyarrow import parquet

    try:
        with opened(path) as stream:
            file = _sized(parquet.ParquetFile(stream), path)
            found = file.schema_arrow.names
            faults = [absent(key, column, found) for key, column in wanted.items() if column not in found]
            if faults:
                return Table([], {}, [(None, fault) for fault in faults])
            columns = file.read(columns=[*dict.fromkeys(wanted.values())]).to_pydict()
    except (pyarrow.ArrowException, ValueError) as error:
        return Table([], {}, [(None, f"not a Parquet file that can be read: {str(error).splitlines()[0]}")])
    rows = zip(*columns.values(), strict=True)
    return table(((row, dict(zip(columns, cells, strict=True))) for row, cells in enumerate(rows, 1)), wanted, [])


def _counted(count: int) -> str:
    return "1 column" if count == 1 else f"{count} columns"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"`{name[:40]}`" for name in names[:12])
    return f"{shown} …" if len(names) > 12 else shown or "none"

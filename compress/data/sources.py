"""The rows of a task, checked: local files or a data set of the Hub. Imports no torch."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, NamedTuple, cast

from compress.config import settings
from compress.data import formats, hub
from compress.errors import InputError, Problem
from compress.files import sha256
from compress.losses import UNLABELLED

Split = Literal["train", "validation", "test", "unlabelled"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
"""The splits whose rows have labels."""
SHOWN = 20
"""Problems printed for one file."""
VALUES = 100
"""Different values that a further column may have."""


@dataclass(frozen=True)
class Rows:
    """Texts with their labels."""

    texts: list[str]
    pairs: list[str] | None
    """The second texts, for tasks on pairs."""
    labels: list[int]
    """Class numbers: places in `label_names`; UNLABELLED for a row that has none."""

    def __len__(self) -> int:
        return len(self.texts)


class _Read(NamedTuple):
    """A split as it was read: good rows, with labels as they are written, and what is wrong."""

    place: str
    wanted: formats.Wanted
    table: formats.Table
    names: tuple[str, ...] | None
    """Label names that a Hub data set declares."""


def check(task: settings.Reading, root: Path, further: Sequence[str] = ()) -> list[Problem]:
    """Every row of the local files that cannot be used, with `file:line`; 20 a file are named, the rest counted.

    Files are relative to `root`, the folder of the pipeline file. `further` columns are those that the test rows must have.
    Nothing is looked up on the Hub.
    """
    if task.data.hub is not None:
        return []
    asked = {task.data.split("test"): further}  # which may be the validation file
    train = _read(task, root, "train", asked.get(task.data.split("train"), ()))
    names = _names(task, train)
    problems = _problems(train, names, training=True)
    seen = {task.data.split("train")}
    for split in ("validation", "test"):
        if task.data.split(split) not in seen:
            seen.add(task.data.split(split))
            problems += _problems(_read(task, root, split, asked.get(task.data.split(split), ())), names)
    if task.data.unlabelled is not None:
        problems += _problems(_read(task, root, "unlabelled"), ())
    return problems


def load(task: settings.Reading, root: Path, split: Split) -> Rows:
    """The rows of a split, values as they are written: nothing is stripped, converted or taken for missing.

    Raises: InputError with every row that cannot be used; NotAvailable if a Hub data set cannot be reached
    """
    read = _read(task, root, split)
    if split == "train":
        names = _names(task, read)
        problems = _problems(read, names, training=True)
    elif split == "unlabelled":
        names, problems = (), _problems(read, ())
    else:
        names = task.labels or read.names or label_names(task, root)
        problems = _problems(read, names)
    if problems:
        raise InputError(problems)
    numbers = {name: number for number, name in enumerate(names)}
    values = cast("dict[str, list[str]]", read.table.values)  # no value is missing where there is no problem
    labels = [numbers[label] for label in values["label"]] if "label" in values else [UNLABELLED] * len(values["text"])
    return Rows(values["text"], values.get("text_pair"), labels)


def columns(task: settings.Reading, root: Path, names: Sequence[str]) -> dict[str, list[str]]:
    """What further columns say of each test row, by their names.

    Raises: InputError with every row that cannot be used, for a column that is not there or has more than 100 different values;
    NotAvailable if a Hub data set cannot be reached
    """
    if not names:
        return {}
    read = _read(task, root, "test", names)
    problems = _problems(read, ())
    if problems:
        raise InputError(problems)
    values = cast("dict[str, list[str]]", read.table.values)
    return {name: values[_further(index)] for index, name in enumerate(names)}


def load_texts(path: Path, *, pairs: bool) -> Rows:
    """The rows of a JSONL file of `text`, and `text_pair` if they are pairs, that this program wrote; none has a label.

    Raises: InputError if it is not such a file
    """
    wanted = {"text": "text", "text_pair": "text_pair"} if pairs else {"text": "text"}
    table = formats.read(path, wanted, None)
    if table.wrong:
        raise InputError([Problem(f"{path}:{line}", what) for line, what in table.wrong[:SHOWN]])
    values = cast("dict[str, list[str]]", table.values)
    return Rows(values["text"], values.get("text_pair"), [UNLABELLED] * len(table.lines))


def joined(parts: Sequence[Rows]) -> Rows:
    """Rows of several origins, one after the other."""
    pairs = None if any(part.pairs is None for part in parts) else [text for part in parts for text in part.pairs or ()]
    texts, labels = ([value for part in parts for value in getattr(part, key)] for key in ("texts", "labels"))
    return Rows(texts, pairs, labels)


def label_names(task: settings.Reading, root: Path) -> tuple[str, ...]:
    """Label names in the order of their numbers: the task's own, else those a Hub data set declares, else those of the
    training rows, sorted.

    Raises: InputError with every training row that cannot be used; NotAvailable if a Hub data set cannot be reached
    """
    if task.labels is not None:
        return task.labels
    read = _read(task, root, "train")
    names = _names(task, read)
    problems = _problems(read, names, training=True)
    if problems:
        raise InputError(problems)
    return names


def duplicates(a: Rows, b: Rows) -> int:
    """How many rows of `b` have a text (or pair of texts) that is in `a`, case and blanks aside."""
    known = set(folded(a))
    return sum(text in known for text in folded(b))


def overlaps(task: settings.Reading, root: Path, learned: Literal["train", "unlabelled"] = "train") -> dict[Split, int]:
    """How many rows of the validation and of the test file have a text (or pair) that is in the training file.

    `learned` may name the file of unlabelled rows instead.
    A file that serves as both is counted once, as `validation`. Nothing is looked up on the Hub: there, the answer is
    empty. Rows that cannot be used count as none; `check` names them.
    """
    if task.data.hub is not None:
        return {}
    known = set(_texts(_read(task, root, learned).table))
    counts: dict[Split, int] = {}
    for split in ("validation", "test"):
        if task.data.split(split) != task.data.split("validation") or not counts:
            counts[split] = sum(text in known for text in _texts(_read(task, root, split).table))
    return counts


def digest(task: settings.Reading, root: Path) -> dict[str, str]:
    """What identifies the content of each split: a file's SHA-256; for the Hub its id, revision, config and split.

    Raises: InputError if a file cannot be read
    """
    data = task.data
    found: dict[str, str] = {}
    for split in (*SPLITS, *(("unlabelled",) if data.unlabelled is not None else ())):
        if data.hub is not None:
            found[split] = f"{data.hub}@{data.revision or 'main'}/{data.config or 'default'}/{data.split(split)}"
            continue
        try:
            found[split] = sha256(root / data.split(split))
        except OSError as error:
            raise InputError(Problem(data.split(split), unreadable(root / data.split(split), error))) from error
    return found


def folded(rows: Rows) -> Iterable[tuple[str, ...]]:
    """The text or texts of each row in a form in which case and blanks make no difference."""
    return _folded([rows.texts] if rows.pairs is None else [rows.texts, rows.pairs])


def _texts(table: formats.Table) -> Iterable[tuple[str, ...]]:
    columns = [[text or "" for text in values] for key, values in table.values.items() if key != "label"]
    return (row for row in _folded(columns) if all(row))


def _folded(columns: list[list[str]]) -> Iterable[tuple[str, ...]]:
    return zip(*([" ".join(text.split()).casefold() for text in column] for column in columns), strict=True)


def _wanted(task: settings.Reading, split: Split) -> dict[str, str]:
    pair = {} if task.text_pair is None else {"text_pair": task.text_pair}
    return {"text": task.text, **pair, **({} if split == "unlabelled" else {"label": task.label})}


def _further(index: int) -> str:
    """The key that names a further column."""
    return f"measure.columns.{index}"


def _read(task: settings.Reading, root: Path, split: Split, further: Sequence[str] = ()) -> _Read:
    given = task.data.split(split)
    wanted = _wanted(task, split) | {_further(index): name for index, name in enumerate(further)}
    if task.data.hub is not None:
        table, names = hub.read(task.data, given, wanted)
        return _Read(f"{task.data.hub}/{given}", wanted, table, names)
    try:
        if split == "unlabelled":
            table = formats.read_texts(root / given, wanted, task.data.columns, task.label)
        else:
            table = formats.read(root / given, wanted, task.data.columns)
    except OSError as error:
        table = formats.Table([], {}, [(None, unreadable(root / given, error))])
    return _Read(given, wanted, table, None)


def unreadable(path: Path, error: OSError) -> str:
    """The sentence for a file that cannot be read."""
    if not isinstance(error, FileNotFoundError):
        return f"{path} cannot be read: {error.strerror}."
    here = sorted(other.name for other in path.parent.iterdir()) if path.parent.is_dir() else []
    near = get_close_matches(path.name, here, n=1)
    return f"there is no file {path}." + (f" Did you mean `{near[0]}`?" if near else "")


def _names(task: settings.Reading, train: _Read) -> tuple[str, ...]:
    """Label names in order; none if the training rows cannot tell."""
    found = {label for label in train.table.values.get("label", []) if label and label.strip()}
    return task.labels or train.names or tuple(sorted(found))


def _problems(read: _Read, names: Sequence[str], *, training: bool = False) -> list[Problem]:
    """What is wrong with a split, in the order of its lines."""
    wrong = list(read.table.wrong)
    unread = {line for line, _ in wrong}
    wrong += [fault for fault in _cells(read.table, read.wanted, names) if fault[0] not in unread]
    wrong += _many(read)
    labels = read.table.values.get("label", [])
    if not wrong and not read.table.lines:
        wrong.append((None, "there are no rows."))
    if training and not wrong and len(set(labels)) == 1:
        wrong.append((None, f"every row has the label `{labels[0]}`. A classifier needs rows of two labels or more."))
    wrong.sort(key=lambda fault: fault[0] or 0)
    problems = [Problem(read.place if line is None else f"{read.place}:{line}", what) for line, what in wrong[:SHOWN]]
    if len(wrong) > SHOWN:
        problems.append(Problem(read.place, f"and {len(wrong) - SHOWN} more."))
    return problems


def _cells(table: formats.Table, wanted: formats.Wanted, names: Sequence[str]) -> Iterable[formats.Wrong]:
    """Missing and empty values; labels that are not among the names, if those are known."""
    known, kinds = set(names), {"text": "text", "text_pair": "text", "label": "label"}
    for key, values in table.values.items():
        kind = kinds.get(key, "value")
        for line, value in zip(table.lines, values, strict=True):
            if value is None:
                yield line, f"no {kind} (column `{wanted[key]}`)."
            elif not value or value.isspace():
                yield line, f"empty {kind} (column `{wanted[key]}`)."
            elif key == "label" and known and value not in known:
                yield line, _strange(value, names)


def _many(read: _Read) -> Iterable[formats.Wrong]:
    """Further columns by which rows cannot be parted, since hardly two say the same."""
    for key, values in read.table.values.items():
        count = len(set(values)) if "." in key else 0
        if count > VALUES:
            yield (
                None,
                f"the column `{read.wanted[key]}` has {count:,} different values; {VALUES} are allowed. `{key}` names it.",
            )


def _strange(label: str, names: Sequence[str]) -> str:
    near = get_close_matches(label, names, n=1)
    hint = f" Did you mean `{near[0]}`?" if near else ""
    shown = ", ".join(f"`{name}`" for name in names[:12]) + (" …" if len(names) > 12 else "")
    return f"the label `{label}` is not known.{hint} Known: {shown}."

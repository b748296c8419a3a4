"""Hostile files, made by code: what no mutation finds. Each is written to a place where the program expects a good one."""

import base64
import os
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

GIGABYTE = 10**9


def bomb(depth: int = 9) -> str:
    """YAML of 400 bytes that stands for ten to the power of `depth` values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, depth)]
    return "\n".join(lines) + "\n"


def merges(depth: int = 24) -> str:
    """YAML whose mappings take in two others each, by `<<`."""
    lines = ["a0: &a0 {x: 1}", "b0: &b0 {y: 1}"]
    for level in range(1, depth):
        lines += [f"{name}{level}: &{name}{level} {{<<: [*a{level - 1}, *b{level - 1}], {name}: 1}}" for name in "ab"]
    return "\n".join(lines) + "\n"


def packed(size: int = 2 * 10**8) -> str:
    """Label ids of a report: 200 kB that unpack to 200 MB."""
    return base64.b64encode(zlib.compress(b"\0" * size, 9)).decode()


TEXTS: Mapping[str, bytes] = {
    "nothing": b"",
    "a blank": b" ",
    "line ends": b"\n" * 1000,
    "NULs": b"\0" * 1000,
    "UTF-16": "a: 1\nb: é\n".encode("utf-16"),
    "bytes": bytes(range(256)) * 4,
    "aliases": bomb().encode(),
    "merges": merges().encode(),
    "a loop": b"a: &a [*a]\nb: &b {c: *b}\n",
    "deep lists": b"a: " + b"[" * 100_000,
    "deep mappings": b"a: " + b"{a: " * 20_000,
    "deep blocks": "".join(f"{' ' * level}a:\n" for level in range(900)).encode(),
    "deep dashes": b"a:\n" + b"- " * 50_000 + b"1",
    "deep JSON": b'{"a":' * 100_000,
    "deep JSON, closed": b'{"record_version":1,"a":' + b"[" * 90_000 + b"]" * 90_000 + b"}",
    "many keys": "".join(f"k{key}: {key}\n" for key in range(60_000)).encode(),
    "many wrong keys": "".join(f"key{key}: {key}\n" for key in range(4_500)).encode(),
    "many students": b"students:\n" + "".join(f"  s{key}: {{use: x}}\n" for key in range(3_000)).encode(),
    "many good students": b"students:\n" + "".join(f"  s{key}: {{use: tinybert-4}}\n" for key in range(3_000)).encode(),
    "many exports": b"export:\n" + b"  - {target: onnxruntime, precision: [fp32]}\n" * 1500,
    "many phases": (
        b"students:\n  a:\n    use: tinybert-4\n    distill:\n      phases:\n"
        + b"      - {losses: {soft_label: 1}, epochs: 1}\n" * 1200
    ),
    "many labels": b"task:\n  labels:\n" + "".join(f"    - l{label}\n" for label in range(9_000)).encode(),
    "many values": b"a: [" + b"1," * 400_000 + b"1]",
    "a long scalar": b"a: " + b"x" * 900_000,
    "a long number": b"a: " + b"9" * 400_000,
    "a long float": b"a: 1e" + b"9" * 1000,
    "a long number in JSON": b'{"record_version":' + b"9" * 100_000 + b"}",
    "constants of JSON": b'{"record_version": NaN, "a": Infinity}',
    "an open quote": b'a: "b\n' * 5000,
    "a YAML object": b"a: !!python/object/apply:os.system [id]\n",
    "two documents": b"a: 1\n---\nb: 2\n",
    "half a pair": b'{"text": "\\ud800", "label": "x"}\n',
    "many columns": b"\t".join(b"c%d" % column for column in range(1_000_000)) + b"\n",
    "many columns in CSV": b",".join(b"c%d" % column for column in range(1_000_000)) + b"\n",
    "one column many times": b"text\tlabel\ttext\n" + b"a\tb\tc\n" * 3,
    "a header alone": b"label\ttext\n",
    "one class": b"label\ttext\n" + b"a\tsome words\n" * 40,
    "a wide field": b"label\ttext\n" + b"a\t" + b"x" * 10_000_000 + b"\n",
    "ragged rows": b"label\ttext\n" + b"a\n" * 300 + b"a\tb\tc\n" * 300,
    "an open quote in CSV": b'label,text\nlight,"on\n' * 2000,
    "carriage returns": b"label\ttext\r" * 100,
    "escapes": b"label\ttext\n\x1b]0;title\x07\x1b[2J\ta b\n",
}
"""Content for any file of text."""


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.mkdir()


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _zeros(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _nowhere(path: Path) -> None:
    path.symlink_to("/no/such/place")


def _missing(path: Path) -> None:
    """Nothing is there."""


def _gigabyte(path: Path) -> None:
    with path.open("wb") as stream:  # of one letter the file system would store all: this takes no room
        stream.truncate(GIGABYTE)


PLACES: Mapping[str, Callable[[Path], None]] = {
    "a pipe": _fifo,
    "a folder": _folder,
    "a link to itself": _loop,
    "a link to /dev/zero": _zeros,
    "a link to nowhere": _nowhere,
    "no file": _missing,
    "a line of a gigabyte": _gigabyte,
}
"""What can stand where a file is expected."""


def place(name: str, path: Path) -> None:
    """Put the named thing in the place of a file."""
    path.unlink(missing_ok=True)
    if name in TEXTS:
        path.write_bytes(TEXTS[name])
    else:
        PLACES[name](path)


NAMES = (*TEXTS, *PLACES)

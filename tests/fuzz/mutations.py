"""Ways to harm a good file: its bytes, its lines and scalars, or the values of its JSON."""

import copy
import json
import re
from collections.abc import Callable
from random import Random
from typing import Any

LETTERS = ("\0", "\x1b[31m", "\u202e", "\ufeff", "\ufffe", "\u2028", "\x85", "é", "😀", "\t", "\r", '"', "'", "`")
"""What text files seldom hold: control characters, marks of byte order and of direction, other ends of lines."""

TOKENS = (
    *("1e999", "-1e999", ".nan", ".inf", "NaN", "Infinity", "9" * 5000, "-0", "0x1F", "1e5000000", "1_000", "0.1"),
    *("null", "~", "true", "no", "[]", "{}", '""', "[[[[]]]]", "{a: {b: {c: 1}}}", "- 1", "? x", "!!binary aGk="),
    *("!!python/object/apply:os.system [id]", "!!float x", "!!int y", "!!timestamp z", "!!set {a, b}", "!!omap [a: 1]"),
    *("*a", "&a x", "<<: *a", "<<: 1", "%YAML 9.9", "---", "...", "|", ">-", "2001-99-99", "2001-01-01T00:00:00Z"),
    *("../../etc/passwd", "/dev/zero", "/proc/self/mem", "~", "C:\\x", "a\\b", "a/b", "name\nname", "x" * 300),
    *("<script>alert(1)</script>", "]]>", "javascript:alert(1)", '" onload="x', "[red]x[/]", "{{7*7}}", "%s%n"),
    *("-1", "0", "1", "2", "3.5", "65536", str(2**31), str(2**63), str(2**64), str(-(2**63) - 1)),
)
"""Scalars that break readers, or mean something else than they look like."""

VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        2,
        65536,
        2**31,
        2**63,
        2**64,
        10**400,
        1e308,
        -0.0,
        0.5,
        float("nan"),
        float("inf"),
    ),
    *("", " ", "x", "x" * 100_000, "\0", "\x1b[2J", "\ud800", "é", "../../x", "/dev/zero", "/etc/passwd", "<b>", "1"),
    *([], {}, [[]], [None], [{}], {"": ""}, {"a": None}, [1, "1"], {"file": "x"}),
)
"""Values of every kind, at their edges."""

_SCALAR = re.compile(r"[\w.+/-]+")


def spoiled(random: Random, content: bytes) -> bytes:
    """Text with one to three faults, as bytes; most are still text."""
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        content = random.choice(_WAYS)(random, content)
    return content


def changed(random: Random, value: Any) -> Any:
    """A JSON value with one to three of its parts replaced, removed, doubled, renamed or wrapped."""
    value = copy.deepcopy(value)
    for _ in range(random.choice((1, 1, 2, 3))):
        holders = [holder for holder in _holders(value) if holder]
        if not holders:
            return random.choice(VALUES)
        holder = random.choice(holders)
        key = random.choice(list(holder)) if isinstance(holder, dict) else random.randrange(len(holder))
        way = random.randrange(6)
        if way == 0:
            del holder[key]
        elif way == 1:
            holder[key] = [holder[key]]
        elif way == 2 and isinstance(holder, dict):
            holder[random.choice(("", "x", str(key).upper(), str(key) + "\x1b[31m"))] = holder.pop(key)
        elif way == 2:
            holder.append(copy.deepcopy(holder[key]))
        else:
            holder[key] = copy.deepcopy(random.choice(VALUES))
    return value


def spoiled_json(random: Random, content: bytes) -> bytes:
    """A JSON file with other values, or with faults in its text."""
    if random.random() < 0.25:
        return spoiled(random, content)
    return json.dumps(changed(random, json.loads(content))).encode()


def flipped(random: Random, content: bytes) -> bytes:
    """A binary file with some bytes changed, removed, added or cut off; early ones, where headers are, more often."""
    made = bytearray(content)
    for _ in range(random.choice((1, 1, 4, 16))):
        if not made:
            break
        end = random.choice((16, 256, len(made)))
        place = random.randrange(min(end, len(made)))
        way = random.randrange(5)
        if way == 0:
            del made[place : place + random.choice((1, 8, len(made)))]
        elif way == 1:
            made[place:place] = bytes([random.randrange(256)]) * random.choice((1, 8, 1000))
        elif way == 2:
            made[place : place + 8] = b"\xff" * 8
        else:
            made[place] = random.randrange(256)
    return bytes(made)


def _holders(value: Any) -> list[Any]:
    if not isinstance(value, dict | list):
        return []
    children = value.values() if isinstance(value, dict) else value[:50]
    return [value, *(holder for child in children for holder in _holders(child))]


def _scalar(random: Random, content: bytes) -> bytes:
    """Another scalar in place of one."""
    text = content.decode("utf-8", "replace")
    found = list(_SCALAR.finditer(text))
    if not found:
        return content
    match = random.choice(found)
    return (text[: match.start()] + random.choice(TOKENS) + text[match.end() :]).encode("utf-8", "replace")


def _letter(random: Random, content: bytes) -> bytes:
    place = random.randrange(len(content) + 1)
    return content[:place] + random.choice(LETTERS).encode() + content[place:]


def _lines(random: Random, content: bytes) -> bytes:
    """Lines removed, doubled, swapped, indented, or made of one another."""
    lines = content.split(b"\n")
    one, other = random.randrange(len(lines)), random.randrange(len(lines))
    way = random.randrange(5)
    if way == 0:
        del lines[one]
    elif way == 1:
        lines.insert(other, lines[one])
    elif way == 2:
        lines[one], lines[other] = lines[other], lines[one]
    elif way == 3:
        lines[one] = b" " * random.randrange(1, 5) + lines[one]
    else:
        lines[one] += lines[other]
    return b"\n".join(lines)


def _bytes(random: Random, content: bytes) -> bytes:
    return flipped(random, content)


def _cut(random: Random, content: bytes) -> bytes:
    return content[: random.randrange(len(content) + 1)]


def _ends(random: Random, content: bytes) -> bytes:
    """Other ends of lines, all or some."""
    end = random.choice((b"\r\n", b"\r", b"\n\n", b"\n\r", b"\0", b"\x0b"))
    return content.replace(b"\n", end, random.choice((-1, 1, 3)))


def _encoded(random: Random, content: bytes) -> bytes:
    """The same text in another encoding."""
    text = content.decode("utf-8", "replace") + random.choice(("", "# é\n"))
    return text.encode(random.choice(("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "latin-1", "utf-7")), "replace")


def _longer(random: Random, content: bytes) -> bytes:
    """A piece many times over."""
    place = random.randrange(len(content) + 1)
    piece = content[place : place + random.choice((1, 3, 20))]
    return content[:place] + piece * random.choice((2, 30, 3000)) + content[place:]


_WAYS: tuple[Callable[[Random, bytes], bytes], ...] = (
    *(_scalar, _scalar, _scalar, _letter, _lines, _lines, _bytes, _cut, _ends, _encoded, _longer),
)

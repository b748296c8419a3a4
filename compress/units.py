"""How sizes, times, counts and texts of unknown origin are written for people."""

import re

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff]")
"""What a terminal obeys in place of showing it: control characters, those that turn the direction of text, and those that no XML may have."""


def printable(text: str) -> str:
    """Text as a terminal may be given it: control characters spelt (`\\x1b`), but for tabs and ends of lines."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def size(count_bytes: float) -> str:
    """Bytes as decimal kB / MB / GB, the units of file managers and app stores: `7.9 MB`."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count_bytes >= scale:
            return (
                f"{count_bytes / scale:#.3g} {unit}"
                if count_bytes < 100 * scale
                else f"{count_bytes / scale:.0f} {unit}"
            )
    return f"{count_bytes:.0f} B"


def duration(seconds: float) -> str:
    """Seconds as `0.4 s`, `12 s`, `3 min 20 s` or `2 h 5 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    total = round(seconds)
    if total < 60:
        return f"{total} s"
    if total < 3600:
        return f"{total // 60} min {total % 60} s"
    return f"{total // 3600} h {total % 3600 // 60} min"


def count(number: float) -> str:
    """A count as `950`, `12.3 k`, `22.7 M`, `1.3 G`."""
    for unit, scale in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= scale:
            return f"{number / scale:.1f} {unit}"
    return f"{number:.0f}"


def milliseconds(value_ms: float) -> str:
    """Milliseconds with three digits: `0.412 ms`, `8.49 ms`, `162 ms`."""
    if value_ms >= 100:
        return f"{value_ms:.0f} ms"
    return f"{value_ms:#.3g} ms" if value_ms >= 1 else f"{value_ms:.3f} ms"


def percent(share: float) -> str:
    """A share from 0 to 1 as per cent with two digits after the point: `95.40 %`."""
    return f"{100 * share:.2f} %"

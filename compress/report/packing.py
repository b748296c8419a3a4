"""Label ids as text, short enough to stand in a report."""

import base64
import binascii
import sys
import zlib
from array import array
from collections.abc import Iterable

from compress.errors import InputError

_MOST_ROWS = 10_000_000


def pack(ids: Iterable[int]) -> str:
    """Label ids as base64 of zlib of little-endian 16-bit unsigned integers.

    Raises: OverflowError if an id is not from 0 to 65535
    """
    words = array("H", (int(label) for label in ids))
    if sys.byteorder == "big":
        words.byteswap()
    return base64.b64encode(zlib.compress(words.tobytes(), 9)).decode("ascii")


def unpack(packed: str) -> list[int]:
    """The label ids that `pack` packed.

    Raises: InputError if the text is no such thing
    """
    try:
        return unpacked(packed)
    except ValueError as error:
        raise InputError(str(error)) from error


def unpacked(packed: str, rows: int | None = None) -> list[int]:
    """As `unpack`; with the number of rows, no more than they need is unpacked.

    Raises: ValueError if the text is no such thing
    """
    if rows is not None and rows > _MOST_ROWS:
        raise ValueError(f"{rows} rows are more than the {_MOST_ROWS:,} of the largest report")
    limit = 0 if rows is None else 2 * rows + 2  # a small text may unpack to gigabytes
    try:
        unpacker = zlib.decompressobj()
        words = array("H", unpacker.decompress(base64.b64decode(packed, validate=True), limit))
    except (binascii.Error, zlib.error, ValueError) as error:
        raise ValueError(f"not packed label ids: {error}") from error
    if rows is None and not unpacker.eof:
        raise ValueError("not packed label ids: they end too early")
    if sys.byteorder == "big":
        words.byteswap()
    return words.tolist()

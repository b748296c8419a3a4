"""Label ids as text."""

import base64
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.errors import InputError
from compress.report.packing import pack, unpack, unpacked


@given(st.lists(st.integers(0, 65535), max_size=300))
def test_unpacking_undoes_packing(ids):
    assert unpack(pack(ids)) == ids


def test_packed_ids_are_little_endian_words():
    assert zlib.decompress(base64.b64decode(pack([1, 513]))) == bytes([1, 0, 1, 2])
    with pytest.raises(OverflowError):
        pack([65536])


@pytest.mark.parametrize(
    "text", ["", "!!", "AAAA", pack(list(range(500)))[:40], base64.b64encode(zlib.compress(b"odd")).decode()]
)
def test_what_is_not_packed_is_refused(text):
    with pytest.raises(InputError, match="not packed label ids"):
        unpack(text)


def test_no_more_is_unpacked_than_the_rows_need():
    bomb = base64.b64encode(zlib.compress(bytes(10**8), 9)).decode()
    assert len(unpacked(bomb, 5)) == 6
    with pytest.raises(ValueError, match="9223372036854775808 rows are more than"):
        unpacked(bomb, 2**63)

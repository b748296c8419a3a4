"""Texts of unknown origin."""

from hypothesis import given
from hypothesis import strategies as st

from compress.units import printable


def test_control_characters_are_spelt() -> None:
    assert printable("a\tb\nc\x1b[31m\x07\x9b\r\u202e") == "a\tb\nc\\x1b[31m\\x07\\x9b\\r\\u202e"


@given(st.text())
def test_what_is_printed_says_what_it_did(text: str) -> None:
    shown = printable(text)
    assert printable(shown) == shown
    assert not any(letter < " " and letter not in "\t\n" for letter in shown)
    if text.isprintable():
        assert shown == text

import logging
import os
import sys
import warnings
from pathlib import Path

import pytest

from compress.errors import InputError
from compress.targets import Extent
from compress.targets._engine import missing, refusal, silent, within


def test_what_is_missing_is_named_with_what_installs_it() -> None:
    assert missing("json", "sys", extra="some") is None
    assert (
        missing("json", "no_such_one", "nor_this", extra="some")
        == "not installed: no_such_one nor_this. Run `pip install 'compress[some]'`."
    )


def test_nothing_is_said_and_the_last_line_is_known(capfd: pytest.CaptureFixture[str]) -> None:
    with silent() as said:
        assert said() == ""
        sys.stdout.write("first\n")
        os.write(2, b"from C++\n\n")
        assert said() == "from C++"
        logging.getLogger("engine").critical("loud")
        warnings.warn("loud", stacklevel=1)
    assert capfd.readouterr() == ("", "")
    sys.stdout.write("back\n")
    sys.stderr.write("again\n")
    assert capfd.readouterr() == ("back\n", "again\n")


def test_errors_pass_and_the_streams_come_back(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="mine"), silent():
        raise ValueError("mine")
    os.write(1, b"back\n")
    assert capfd.readouterr() == ("back\n", "")
    assert not logging.root.manager.disable


@pytest.mark.parametrize(
    ("error", "line"), [(ValueError("one \ntwo"), "one"), (KeyError(), "KeyError"), (ValueError(" \n"), "ValueError")]
)
def test_of_an_engines_error_the_first_line_is_told(error: Exception, line: str) -> None:
    assert refusal(error) == line


def test_a_call_must_be_within_what_a_file_was_built_for() -> None:
    within(Path("m"), 4, 8, Extent(4, 8))
    for rows, tokens in ((5, 8), (4, 9)):
        with pytest.raises(
            InputError, match=f"m: a call of {rows} rows of {tokens} tokens is larger .* 4 rows of 8 tok"
        ):
            within(Path("m"), rows, tokens, Extent(4, 8))

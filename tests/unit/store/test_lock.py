"""One run at a time."""

from pathlib import Path

import pytest

from compress.errors import NotAvailable
from compress.store import lock


def test_a_second_holder_is_told_who_holds_it(tmp_path: Path) -> None:
    import os

    with (
        lock.held(tmp_path),
        pytest.raises(NotAvailable, match=f"in use by process {os.getpid()} on "),
        lock.held(tmp_path),
    ):
        pass
    with lock.held(tmp_path):
        assert (tmp_path / ".holder").is_file()

"""One run at a time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from compress.errors import NotAvailable
from compress.store import lock

_HOLD = """
import sys
from pathlib import Path
from compress.store import lock

with lock.held(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_process_left_is_not_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "held\n"
    with pytest.raises(NotAvailable, match=f"in use by process {running.pid} on "), lock.held(tmp_path):
        pass
    running.kill()
    running.communicate()
    left = (tmp_path / ".holder").read_text()
    (tmp_path / "..holder.12345678").write_text("half")
    with lock.held(tmp_path):
        assert not (tmp_path / "..holder.12345678").exists()
        monkeypatch.setattr(lock, "_PATIENCE_S", 0.1)
        (tmp_path / ".holder").write_text(left)
        with pytest.raises(NotAvailable, match=r"in use by another process\. Wait for it"), lock.held(tmp_path):
            pass
        (tmp_path / ".holder").write_text("process 1234567 on elsewhere\n")
        with pytest.raises(NotAvailable, match="in use by process 1234567 on elsewhere"), lock.held(tmp_path):
            pass


def test_a_second_holder_is_told_who_holds_it(tmp_path: Path) -> None:
    with (
        lock.held(tmp_path),
        pytest.raises(NotAvailable, match=f"in use by process {os.getpid()} on "),
        lock.held(tmp_path),
    ):
        pass
    with lock.held(tmp_path):
        assert (tmp_path / ".holder").is_file()

"""Nothing phones home: the libraries keep no events to be sent."""

import os
import subprocess
import sys
from pathlib import Path

import graphs


def test_onnxruntime_keeps_no_events(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib; from compress.registry import TARGETS; "
        "TARGETS.load('onnxruntime').open(pathlib.Path(sys.argv[1]), {}, threads=1).close()"
    )
    home = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    kept = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    subprocess.run([sys.executable, "-c", script, str(graphs.graph())], check=True, env=kept | home)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []

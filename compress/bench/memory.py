"""Peak memory of a fresh process that opens an exported model and answers a few feeds.

`python -m compress.bench.memory TARGET FILE SETTINGS_JSON FEEDS.npz THREADS` is that process: nothing else of the
program is loaded in it, so what it holds is what a service that runs this one model would hold.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy

from compress.errors import KILLED, CompressError, MachineLimit
from compress.registry import TARGETS

Feeds = Mapping[str, "numpy.ndarray[Any, Any]"]
_SOURCE = Path(__file__).parents[2]


def peak_bytes(
    target: str,
    file: Path,
    settings: Mapping[str, Any],
    feeds: Sequence[Feeds],
    threads: int,
    *,
    timeout_s: float = 600,
) -> int:
    """The largest resident memory of a process that opens `file` with `target` and answers `feeds`, in order.

    It counts the interpreter and the runtime's own libraries, as a service would pay for them. Of a runtime that answers
    from a process of its own, that process is counted instead (not on Windows, which does not tell).

    Units:  bytes
    Raises: CompressError if that process fails, is killed or takes longer than `timeout_s`
    """
    with tempfile.TemporaryDirectory() as folder:
        stored = Path(folder, "feeds.npz")
        arrays = {f"{row}/{name}": array for row, feed in enumerate(feeds) for name, array in feed.items()}
        numpy.savez(stored, **arrays)  # type: ignore[arg-type]
        return measure(target, file, settings, stored, threads, timeout_s)["peak"]


def measure(
    target: str, file: Path, settings: Mapping[str, Any], feeds: Path, threads: int, timeout_s: float = 600
) -> dict[str, int]:
    """What the process of this module prints: resident bytes `before` the target was loaded and at the `peak`.

    Raises: as peak_bytes
    """
    command = [sys.executable, "-P", "-m", "compress.bench.memory"]
    command += [target, str(file), json.dumps(dict(settings)), str(feeds), str(threads)]
    paths = [str(_SOURCE), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": str(threads)}
    what = f"measuring the memory of {file} with {target}"
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=timeout_s, check=False, errors="replace"
        )
    except subprocess.TimeoutExpired as error:
        raise CompressError(f"{what} took longer than {timeout_s:g} s.") from error
    if done.returncode == KILLED:
        raise MachineLimit.killed(what)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise CompressError(f"{what} ended with exit status {done.returncode}: {said}")
    result: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return result


def resident() -> tuple[int, int]:
    """This process's resident memory now and at its highest, in bytes; now is 0 where only the highest is known."""
    if sys.platform == "linux":
        # Not getrusage: Linux hands a parent's ru_maxrss on to the process that it starts.
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
        fields = dict(line.split(":", 1) for line in lines if ":" in line)
        return 1024 * int(fields["VmRSS"].split()[0]), 1024 * int(fields["VmHWM"].split()[0])
    elif sys.platform == "win32":  # noqa: RET505 (the type checker wants one branch a platform)
        import ctypes

        # PROCESS_MEMORY_COUNTERS on 64 bits: two 32-bit fields, then peak and current working set, then six more.
        counters = (ctypes.c_uint64 * 9)(72)
        process = ctypes.c_void_p(ctypes.windll.kernel32.GetCurrentProcess())
        ctypes.windll.psapi.GetProcessMemoryInfo(process, ctypes.byref(counters), 72)
        return int(counters[2]), int(counters[1])
    else:
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return 0, unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def ended() -> int:
    """The highest resident memory of any process that this one started and that has ended, in bytes; 0 on Windows."""
    if sys.platform == "win32":
        return 0
    else:  # noqa: RET505 (the type checker wants one branch a platform)
        import resource

        # What Linux hands on here is at most this process's own peak.
        unit = 1 if sys.platform == "darwin" else 1024
        return unit * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss


def main(arguments: Sequence[str]) -> None:
    """Open the model, answer the feeds, print what memory that took as one line of JSON."""
    target, file, settings, stored, threads = arguments
    feeds: dict[int, dict[str, Any]] = {}
    with numpy.load(stored) as arrays:
        for key in arrays.files:
            row, _, name = key.partition("/")
            feeds.setdefault(int(row), {})[name] = arrays[key]
    before, _ = resident()
    session = TARGETS.load(target).open(Path(file), json.loads(settings), threads=int(threads))
    for feed in feeds.values():
        session(feed)
    _, peak = resident()
    session.close()
    print(json.dumps({"before": before, "peak": max(peak, ended())}))


if __name__ == "__main__":
    main(sys.argv[1:])

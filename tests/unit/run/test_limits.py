"""Which errors mean that the machine gave out, and which do not."""

import errno
import os
from pathlib import Path

import pytest

from compress.errors import CompressError, InputError, MachineLimit
from compress.run import limits


def caused(error: Exception, cause: BaseException) -> Exception:
    try:
        raise error from cause
    except Exception as raised:
        return raised


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device ("),
        (OSError(errno.EDQUOT, "x"), f"{os.strerror(errno.EDQUOT)} ("),
        (OSError(errno.EFBIG, "x"), "File too large. Raise the limit on the size of files"),
        (OSError(errno.EMFILE, "x"), "Raise the limit on open files"),
        (OSError(errno.EIO, "x"), "See to the disk"),
        (Exception("File too large (os error 27)"), "File too large."),
        (Exception("Error while serializing: I/O error: No space left on device (os error 28)"), "No space left"),
        (OSError("[Errno 28] Error writing bytes to file"), "No space left"),
        (
            RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 576 vs 534"),
            "not be written whole (",
        ),
        (RuntimeError("[ONNXRuntimeError] : 7 : Protobuf serialization failed."), "not be written whole ("),
        (MemoryError(), "memory ran out (MemoryError)"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "memory ran out ("),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 5 bytes"), "memory ran out ("),
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"), "memory ran out ("),
        (type("OutOfMemoryError", (RuntimeError,), {})("Tried"), "memory ran out ("),
        (RuntimeError("std::bad_alloc"), "memory ran out (std::bad_alloc)"),
        (CompressError("measuring ended with exit status 1: MemoryError"), "memory ran out ("),
        (caused(InputError("model.onnx: cannot be opened"), MemoryError()), "memory ran out ("),
        (caused(RuntimeError("wrapped"), OSError(errno.ENOSPC, "x")), "No space left"),
    ],
)
def test_a_machine_that_gave_out(tmp_path: Path, error: Exception, said: str) -> None:
    limit = limits.found(error, tmp_path)
    assert limit is not None
    assert limit.exit_code == 4
    assert said in str(limit)
    assert "\n" not in str(limit)
    assert str(limit).endswith("; then the same command goes on.")


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO])
def test_what_forbids_to_write_is_no_mistake_in_the_runs_own_folders_only(tmp_path: Path, number: int) -> None:
    own = OSError(number, os.strerror(number), str(tmp_path / "runs" / "demo" / "lock.json"))
    assert f"lock.json: {os.strerror(number)}. " in str(limits.found(own, tmp_path / "runs" / "demo"))
    assert limits.found(own) is None
    assert limits.found(OSError(number, "", "/elsewhere"), tmp_path / "runs" / "demo") is None


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        InputError("data.tsv:3: the text is `Out of memory`"),
        FileNotFoundError(errno.ENOENT, "No such file", "x"),
        ValueError("2"),
        CompressError("it does not answer"),
    ],
)
def test_other_errors_stay_what_they_are(tmp_path: Path, error: Exception) -> None:
    assert limits.found(error, tmp_path) is None
    with pytest.raises(type(error)) as raised, limits.told(tmp_path):
        raise error
    assert raised.value is error


def test_of_a_step_it_says_where_and_how_to_go_on() -> None:
    with pytest.raises(MachineLimit) as raised, limits.told(Path("runs/demo")):
        raise MemoryError("no")
    of_step = raised.value.stopping("prune/tiny", "the same command with `--from prune/tiny`")
    assert str(of_step) == (
        "stopped in prune/tiny: memory ran out (no). Close other programs, raise the limit, or lower `batch_size` or "
        "`max_length`; then the same command with `--from prune/tiny` goes on in prune/tiny."
    )

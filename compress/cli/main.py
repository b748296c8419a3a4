"""The `compress` command: its sub-commands, and how errors become messages and exit codes."""

import io
import os
import sys
import traceback
from collections.abc import Callable
from functools import wraps

import typer

from compress.cli import check, doctor, gate, init, plan, report, run
from compress.errors import CompressError, InputError, Interrupted

_CLOSED = 141
"""128 + SIGPIPE: what a shell tells of a program whose reader went away."""

app = typer.Typer(
    help="One YAML file in, gated edge models out: fine-tune, distil, prune, export, measure and judge text models.",
    epilog="Exit codes: 0 done, 1 gate failed, 2 bad input, 3 not comparable or not available here, 4 internal error, "
    "130 interrupted, 141 nobody reads the output any more.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


class _Ended(Exception):
    """A command has ended, with this exit code. Typer lets it through."""

    def __init__(self, code: int) -> None:
        self.code = code


def _exits(command: Callable[..., int]) -> Callable[..., None]:
    """The command, its exit code raised: typer would pay no heed to it."""

    @wraps(command)
    def exiting(*arguments: object, **options: object) -> None:
        try:
            raise _Ended(command(*arguments, **options))
        except KeyboardInterrupt as error:
            raise Interrupted("interrupted") from error

    return exiting


for _command in (run.run, plan.plan, check.check, report.report, gate.gate, doctor.doctor, init.init):
    app.command()(_exits(_command))


def main() -> None:
    """Run the command line; exits with the code of the design.

    A pipe whose reader has gone (`compress plan | head -1`) ends it quietly with 141, as SIGPIPE ends other programs: 1
    would say that the gate failed. The signal itself stays ignored, since a closed socket raises it too.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a pipe may not know all of Unicode
    try:
        ended = code(sys.argv[1:])
    except BrokenPipeError:
        ended = _CLOSED
    if ended == _CLOSED:  # what is left in the buffers would fail once more when Python ends
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            os.dup2(nowhere, stream.fileno())
    sys.exit(ended)


def code(arguments: list[str]) -> int:
    """Run the command line with the given arguments and return its exit code.

    Raises: BrokenPipeError if nobody reads the error messages any more.
    """
    try:
        app(arguments)
    except _Ended as end:
        return end.code
    except SystemExit as exit_:
        # No command ends so: help and wrong options do, and where nobody reads any more typer and rich, with 1.
        ended = exit_.code if isinstance(exit_.code, int) else 0 if exit_.code is None else 4
        return _CLOSED if ended == 1 else ended
    except CompressError as error:
        notes = list(getattr(error, "__notes__", ()))
        if isinstance(error, InputError) and not notes:
            count = len(error.problems)
            notes = [f"{count} error{'s' if count > 1 else ''}, nothing was run."]
        typer.echo("\n".join([str(error), *notes]), err=True)
        return error.exit_code
    except OSError as error:
        if error.filename is None:
            traceback.print_exc()
            return 4
        typer.echo(f"{error.filename}: {error.strerror}.", err=True)
        return 2
    except Exception:
        traceback.print_exc()
        typer.echo("\nThis is a fault of compress, not of your files. Please report it with the lines above.", err=True)
        return 4
    return 0

"""The `compress` command: its sub-commands, and how errors become messages and exit codes."""

import io
import logging
import os
import sys
import traceback
from collections.abc import Callable
from functools import wraps
from typing import Annotated

import typer

from compress import interruption
from compress.cli import baseline, bench, bundle, check, doctor, gate, init, log, plan, report, run
from compress.errors import CompressError, InputError, Interrupted
from compress.run import limits, team
from compress.units import printable

_CLOSED = 141
"""128 + SIGPIPE: what a shell tells of a program whose reader went away."""

app = typer.Typer(
    help="One YAML file in, gated edge models out: fine-tune, distil, prune, export, measure and judge text models.",
    epilog="Exit codes: 0 done, 1 gate failed, 2 bad input, 3 not comparable or not available here, 4 internal error or "
    "the machine gave out, 130 interrupted (143 by SIGTERM), 141 nobody reads the output any more.",
    add_completion=False,
    no_args_is_help=True,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
)

for _loud in ("torchao", "torch.utils._pytree"):  # transformers imports torchao where an engine brought it
    logging.getLogger(_loud).setLevel(logging.ERROR)


class _Ended(Exception):
    """A command has ended: with this exit code, or by this error. Typer lets it through; it has ends of its own for others."""

    def __init__(self, end: int | BaseException, log_json: object = False) -> None:
        self.end = end
        self.log_json = bool(log_json)


def _exits(command: Callable[..., int]) -> Callable[..., None]:
    """The command, its end raised: typer would pay no heed to an exit code."""

    @wraps(command)
    def exiting(*arguments: object, **options: object) -> None:
        try:
            end: int | BaseException = command(*arguments, **options)
        except BaseException as error:
            end = error
        raise _Ended(end, options.get("log_json"))

    return exiting


@app.callback()
def _program(
    version: Annotated[bool, typer.Option("--version", is_eager=True, help="Print the version and exit.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"compress {installed('compress')}")
        raise _Ended(0)


for _command in (
    run.run,
    plan.plan,
    check.check,
    report.report,
    gate.gate,
    bench.bench,
    bundle.bundle,
    doctor.doctor,
    init.init,
):
    app.command()(_exits(_command))

_baselines = typer.Typer(help="Reports that later ones may not be worse than.", no_args_is_help=True)
_baselines.command()(_exits(baseline.accept))


@_baselines.callback()
def _of_baselines() -> None:
    """Without it typer would take the one command for the whole group."""


app.add_typer(_baselines, name="baseline")


def main() -> None:
    """Run the command line; exits with the code of the design.

    A pipe whose reader has gone (`compress plan | head -1`) ends it quietly with 141, as SIGPIPE ends other programs: 1
    would say that the gate failed. The signal itself stays ignored, since a closed socket raises it too.
    """
    _open()
    with interruption.heeded():
        _main()


def _open() -> None:
    """Have input and outputs that were closed (`2>&-`) lead nowhere: the next files opened would get their numbers."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", encoding="utf-8"))


def _main() -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a pipe may not know all of Unicode
    try:
        ended = code(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        ended = _CLOSED
    if ended == _CLOSED:  # what is left in the buffers would fail once more when Python ends
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            os.dup2(nowhere, stream.fileno())
    # Were Python taken down, a thread of Gloo's that drops its last tensor then would abort; and it would take its time.
    if team.several() or interruption.asked():
        os._exit(ended)
    sys.exit(ended)


def code(arguments: list[str]) -> int:
    """Run the command line with the given arguments and return its exit code.

    Raises: BrokenPipeError if nobody reads the error messages any more.
    """
    try:
        app(arguments)
    except _Ended as ended:
        if isinstance(ended.end, int):
            return ended.end
        error = _foreseen(ended.end)
        exit_code = _told(error)
        if ended.log_json and exit_code != _CLOSED:
            log.emit("error", error=str(error) or type(error).__name__, exit_code=exit_code)
        return exit_code
    except SystemExit as exit_:
        if interruption.asked():  # before the command began
            return _told(_foreseen(exit_))
        # No command ends so: help and wrong options do, and where nobody reads them, typer and rich with 1.
        return _CLOSED if exit_.code == 1 else int(exit_.code or 0)
    except Exception as error:
        return _told(_foreseen(error))
    return 0


def _foreseen(error: BaseException) -> BaseException:
    """The error as one that this program has words for, if it has."""
    if isinstance(error, KeyboardInterrupt) or (interruption.asked() and not isinstance(error, Interrupted)):
        return Interrupted(interruption.words())  # whatever else a library made of it
    return (limits.found(error) if isinstance(error, Exception) else None) or error


def _told(error: BaseException) -> int:
    """Say what went wrong; gives the exit code."""
    if isinstance(error, Interrupted):
        typer.echo(str(error), err=True)
        return interruption.exit_code()
    if isinstance(error, CompressError):
        notes = list(getattr(error, "__notes__", ()))
        if isinstance(error, InputError) and not notes:
            count = len(error.problems)
            notes = [f"{count} error{'s' if count > 1 else ''}, nothing was run."]
        typer.echo(printable("\n".join([str(error), *notes])), err=True)
        return error.exit_code
    if isinstance(error, BrokenPipeError) and _unread():
        return _CLOSED
    if isinstance(error, OSError) and error.filename is not None:
        typer.echo(printable(f"{error.filename}: {error.strerror}."), err=True)
        return 2
    traceback.print_exception(error)
    if not isinstance(error, OSError):
        typer.echo("\nThis is a fault of compress, not of your files. Please report it with the lines above.", err=True)
    return 4


def _unread() -> bool:
    """Whether nobody reads the output any more. Other pipes break too; this one takes no further line."""
    try:
        for stream in (sys.stdout, sys.stderr):
            stream.write("\n")
            stream.flush()
    except BrokenPipeError:
        return True
    return False

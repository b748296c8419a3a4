"""Everything that can go wrong on purpose. The class fixes the exit code of the command."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import NamedTuple, Self

KILLED = -9
"""The exit status of a process that was killed."""


class Problem(NamedTuple):
    """One mistake: `where` it is (`file:line: key.path`) and `what` was seen, is allowed and can be done."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.where else self.what


class CompressError(Exception):
    """An error the program foresees: printed without a traceback. Raised as itself, it is an internal one."""

    exit_code = 4


class InputError(CompressError):
    """What the user gave cannot be used. Carries every problem found, not only the first."""

    exit_code = 2

    def __init__(self, problems: str | Problem | Iterable[Problem]) -> None:
        if isinstance(problems, str):
            problems = [Problem("", problems)]
        elif isinstance(problems, Problem):
            problems = [problems]
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class UnknownName(InputError):
    """A name that no file, card or entry point answers to."""

    def __init__(self, kind: str, name: str, known: Iterable[str], where: str = "") -> None:
        super().__init__(Problem(where, unknown(kind, name, known)))


class NotAvailable(CompressError):
    """Something cannot be done or compared here: a missing package, device or comparable measurement."""

    exit_code = 3


class ShapeMismatch(CompressError):
    """Two tensors that must have one shape do not."""

    def __init__(self, what: str, student: Sequence[int], teacher: Sequence[int]) -> None:
        super().__init__(f"{what}: the student's shape {tuple(student)} does not match the teacher's {tuple(teacher)}.")


class ParityError(CompressError):
    """An exported model does not answer as its PyTorch source does."""


class NotFinite(CompressError):
    """A model answers with NaN or infinite numbers."""


class TrainingFailed(CompressError):
    """A model met a number it cannot go on from (NaN or infinite)."""


class MachineLimit(CompressError):
    """The machine gave out: a full or failing disk, too little memory, a limit. Nothing that was finished is lost."""

    def __init__(self, what: str, remedy: str, *, step: str = "", again: str = "the same command") -> None:
        """`what` gave out, the `remedy` for it, the step that it stopped, and the command that goes on."""
        self.what, self.remedy = what, remedy
        goes_on = f"goes on in {step}" if step else "goes on"
        super().__init__(f"{f'stopped in {step}: ' if step else ''}{what}. {remedy}; then {again} {goes_on}.")

    def stopping(self, step: str, again: str) -> Self:
        """The same, of a step of a run."""
        return type(self)(self.what, self.remedy, step=step, again=again)

    @classmethod
    def killed(cls, what: str) -> Self:
        """Of a process that this program started."""
        return cls(
            f"{what}: its process was killed, as systems do when memory runs out",
            "Close other programs, or raise the limit",
        )


class Interrupted(CompressError):
    """The user stopped the run; what was done is saved."""

    exit_code = 130


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """The sentence for a name that is not known: what was seen, the nearest name, all names."""
    names = sorted(known)
    near = get_close_matches(name, names, n=1, cutoff=0.6)
    hint = f" Did you mean `{near[0]}`?" if near else ""
    listed = ", ".join(names) or "there is none"
    return f"no such {kind} `{name}`.{hint} Known: {listed}."

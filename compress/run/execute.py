"""Running a plan: each step once, from where it was left, its artifact whole or not there."""

import os
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Protocol

from compress import interruption
from compress.errors import CompressError, Interrupted, MachineLimit
from compress.run import limits, team
from compress.run.job import Job
from compress.run.plan import Item, Plan
from compress.run.steps import Step
from compress.store import artifact, fingerprint, lock, seal

# Read by the libraries when they are imported. Threads that spin long for each other make a step 30 times slower where
# another program wants a core (4 times with this count); uneven layers at many lengths overflow oneDNN's default cache (11.4 ms became 6.0 ms a
# batch); and nothing may draw its own progress bars, or wonder about how several processes train.
_ENVIRONMENT = {
    "GOMP_SPINCOUNT": "20000",
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "30000",
    "LRU_CACHE_CAPACITY": "30000",
    "TORCH_CPP_LOG_LEVEL": "ERROR",
    "TOKENIZERS_PARALLELISM": "true",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
}


class Watcher(Protocol):
    """Who is told how a run goes."""

    def fresh(self, step: Step) -> None:
        """The step's artifact is up to date."""

    def working(self, step: Step, reasons: Sequence[str]) -> AbstractContextManager[Any]:
        """The step runs while the context is open."""

    def note(self, text: str) -> None:
        """Something is to be said that belongs to no step."""

    def progress(self, done: int, total: int, note: str) -> None:
        """How far the running step is."""


def execute(plan: Plan, watcher: Watcher, *, start: str | None = None, until: str | None = None) -> list[Item]:
    """Make every artifact that is not fresh, in order; return what was made and why.

    Of several processes the first one calls this, the others `take_part`.
    Raises: Interrupted if the user stops it; whatever a stage raises. Finished steps stay finished.
    """
    _prepare()
    chosen = plan.selected(start, until)
    forced = plan.forced(chosen, start)
    made: list[Item] = []
    folder = plan.loaded.folder
    with limits.told(folder), team.Others() as others, lock.held(folder), _temporary(folder):
        artifact.sweep(folder)
        for position, step in enumerate(chosen):
            if not any(later.trains for later in chosen[position:]):
                others.dismiss()
            item = plan.items([step], forced, contents=True)[0]
            if item.state == "fresh":
                watcher.fresh(step)
                continue
            again = _again(step, forced, made)
            said = f"stopped in {step.name}. T{again[1:]} goes on from its last checkpoint."
            try:
                with interruption.says(said), limits.told(folder), watcher.working(step, item.reasons):
                    _make(plan, step, watcher, others)
            except KeyboardInterrupt as error:
                raise Interrupted(said) from error
            except MachineLimit as error:
                raise error.stopping(step.name, again) from error
            except CompressError as error:
                error.add_note(f"Stopped in {step.name}. What was finished before it is kept.")
                raise
            made.append(item)
        _record(plan, watcher)
    return made


@contextmanager
def _temporary(run: Path) -> Iterator[None]:
    """Have all temporary files lie in the run folder, where they go with the run, or when a killed one is started again."""
    folder, before = run / ".work" / ".temporary", os.environ.get("TMPDIR")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    tempfile.tempdir = os.environ["TMPDIR"] = str(folder.absolute())
    try:
        yield
    finally:
        tempfile.tempdir = None
        os.environ.pop("TMPDIR")
        if before is not None:
            os.environ["TMPDIR"] = before
        shutil.rmtree(folder, ignore_errors=True)


def _again(step: Step, forced: Collection[str], made: Sequence[Item]) -> str:
    """The command that goes on from a step: the same `--from` would make again what it has made."""
    anew = any(done.step.name in forced for done in made)
    return f"the same command with `--from {step.name}`" if anew else "the same command"


def take_part() -> None:
    """Train with the first process whenever it does, until it lets this one go.

    Says nothing and keeps nothing, and reads no file of the pipeline: the first process does, once.
    """
    _prepare()
    with team.connected():
        while (job := team.called()) is not None:
            with tempfile.TemporaryDirectory() as folder:
                job.perform(Path(folder), _unsaid)


def _prepare() -> None:
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def _unsaid(_done: int, _total: int, _note: str) -> None:
    """Progress that the first process tells of."""


def _make(plan: Plan, step: Step, watcher: Watcher, others: team.Others) -> None:
    parts = plan.parts(step)
    mark = fingerprint.digest(parts)
    job = _job(plan, step, _work(plan.loaded.folder / ".work" / step.name, mark, watcher.progress))
    begun = time.perf_counter()
    with artifact.create(plan.folder(step.name), step.name, parts, mark) as draft:
        with others.training(job) if step.trains else nullcontext():
            job.perform(draft.folder, watcher.progress)
        draft.seconds = time.perf_counter() - begun
    shutil.rmtree(job.work, ignore_errors=True)


def _job(plan: Plan, step: Step, work: Path) -> Job:
    settings = plan.loaded.settings
    return Job(
        stage=step.stage,
        name=step.name,
        settings=step.settings,
        needs={
            role: plan.folder(names) if isinstance(names, str) else {name: plan.folder(name) for name in names}
            for role, names in step.inputs.items()
        },
        work=work,
        root=plan.loaded.root,
        seed=settings.seed,
        tensorboard=plan.loaded.folder / "tensorboard" / step.name if settings.tensorboard else None,
    )


def _work(folder: Path, mark: str, say: seal.Say) -> Path:
    """The folder for half-done work, emptied if it belongs to other settings, inputs or code, or to nobody knows what."""
    note = folder / f"fingerprint{seal.SUFFIX}"
    told = {"fingerprint": mark}
    if seal.kept(note, say) != told:
        if folder.exists():
            shutil.rmtree(folder)  # what cannot be removed is an error: below a new fingerprint it would count as new
        folder.mkdir(parents=True)
        seal.write(note, told)
    return folder


def _record(plan: Plan, watcher: Watcher) -> None:
    """Write down what the run used: `lock.json` in the run folder."""
    path, used = plan.loaded.folder / artifact.LOCK, {}
    if path.is_file() and (fault := seal.fault(path)):
        watcher.note(f"{fault.removesuffix('.')}: written anew.")
    for step in plan.steps:
        made = plan.artifact(step.name)
        if made is not None:
            used[step.name] = {
                "fingerprint": made.manifest.fingerprint,
                "content": made.manifest.digest,
                "parts": dict(made.manifest.parts),
            }
    seal.write(path, {"steps": used})

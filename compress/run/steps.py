"""A pipeline as steps: what each one reads, and which code and libraries its numbers depend on."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from compress import registry, targets
from compress.config.pipeline import Loaded
from compress.config.settings import MAIN, Export, Origin, Student, Teacher, declared
from compress.config.source import KeyPath, dotted
from compress.report.variant import REFERENCE

Split = Literal["train", "validation", "test", "unlabelled"]
Keys = Mapping[str, KeyPath]
_TORCH = ("torch", "transformers", "tokenizers", "numpy", "datasets")


@dataclass(frozen=True)
class Step:
    """One stage of a run, with everything its result depends on."""

    name: str
    """`distill/tiny`: also the folder of its artifact below the run's."""
    stage: str
    """Module and function of `compress.stages`."""
    settings: Mapping[str, Any]
    """Arguments of the stage's `Settings`."""
    keys: Keys
    """Where the settings that its result depends on stand in the pipeline, each under a name that stays."""
    inputs: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    """Steps whose artifacts it reads, by the role in the stage's `Needs`."""
    splits: tuple[Split, ...] = ()
    """Data it reads."""
    weights: tuple[KeyPath, ...] = ()
    """Where the `model` settings of pretrained weights it reads stand."""
    files: tuple[KeyPath, ...] = ()
    """Where further files that it reads are named."""
    plugins: tuple[str, ...] = ()
    """Modules it loads by name."""
    script: Path | None = None
    """A script of this program, or a folder of such, that it copies as it is."""
    packages: tuple[str, ...] = ()
    """Libraries whose version changes its numbers."""
    trains: bool = False
    """Several processes can do it together."""
    machine: bool = False
    """Its numbers hold on one machine class only."""

    @property
    def needed(self) -> tuple[str, ...]:
        """The names of all steps it reads from."""
        return tuple(name for value in self.inputs.values() for name in ((value,) if isinstance(value, str) else value))


def steps(loaded: Loaded) -> list[Step]:
    """All steps of a pipeline, in the order they run."""
    found = [_teacher(loaded, (MAIN,), loaded.settings.teacher)]
    for name in _further(loaded, *loaded.settings.students.values()):
        adviser = loaded.settings.teachers[name]
        if adviser.model is not None:
            whole = Teacher(use=adviser.use or name, model=adviser.model, train=adviser.train)
            found.append(_teacher(loaded, ("teachers", name), whole))
    found += _augment(loaded)
    for name, student in loaded.settings.students.items():
        found.append(_distill(loaded, name, student))
        if student.prune is not None:
            found.append(_prune(loaded, name, student))
    trained = tuple(step.name for step in found)
    exports = tuple(_exports(loaded))
    measure = _measure(loaded, exports)
    return [*found, *exports, measure, _report(loaded, (*trained, *(step.name for step in exports)), measure)]


def _at(*path: str, keys: tuple[str, ...] = ()) -> Keys:
    """The key path, or those of the given keys below it, each named by its dots."""
    paths = [(*path, key) for key in keys] if keys else [path]
    return {".".join(path): path for path in paths}


_TASK = _at("task", keys=("type", "text", "text_pair", "label", "labels", "max_length", "truncation"))


def final(name: str, student: Student) -> str:
    """The step whose artifact is the finished student."""
    return f"prune/{name}" if student.prune is not None else f"distill/{name}"


def _further(loaded: Loaded, *students: Student) -> list[str]:
    """The further teachers of students, in the order of the pipeline."""
    asked = {name for student in students for name in student.distill.advisers}
    return [name for name in loaded.settings.teachers if name in asked]


def _teacher(loaded: Loaded, path: tuple[str, ...], teacher: Teacher) -> Step:
    """The main teacher, or a further one: `teachers/big`, since an artifact holds no other one."""
    task = loaded.settings.task
    return Step(
        name="/".join(path),
        stage="teacher",
        settings={"task": task, "teacher": teacher},
        keys={**_TASK, **_at(*path, "train"), **_at(*path, "model", "scratch"), **_at("seed")},
        splits=("train", "validation"),
        weights=() if teacher.model.scratch else ((*path, "model"),),
        plugins=(registry.TASKS.module(task.type),),
        packages=(*_TORCH, "accelerate"),
        trains=True,
    )


def _augment(loaded: Loaded) -> Iterator[Step]:
    """The step that makes new rows, if a student learns from them."""
    augment = loaded.settings.augment
    if augment is None or all("augmented" not in origins(loaded, one) for one in loaded.settings.students.values()):
        return
    yield Step(
        name="augment",
        stage="augment",
        settings={"task": loaded.settings.task, "augment": augment},
        keys={
            **_at("task", keys=("text", "text_pair")),
            **_at("augment", keys=("copies", "joined", "replace", "candidates")),
            **_at("seed"),
        },
        inputs={} if augment.masked_lm or not augment.copies else {"teacher": "teacher"},
        splits=("train", "validation", "test"),
        weights=(("augment", "masked_lm"),) if augment.masked_lm else (),
        packages=_TORCH,
    )


def origins(loaded: Loaded, student: Student) -> tuple[Origin, ...]:
    """Where the rows come from that a student learns from: as it says, else all that the pipeline has."""
    unlabelled, augment = loaded.settings.task.data.unlabelled, loaded.settings.augment
    return student.distill.origins(declared(unlabelled is not None, augment is not None))


def _distill(loaded: Loaded, name: str, student: Student) -> Step:
    trainings = student.distill.trainings
    mappings = [each.layer_mapping if isinstance(each.layer_mapping, str) else "explicit" for each in trainings]
    if "start" in mappings:  # which comes down to a list
        mappings.append("explicit")
    losses = [loss for each in trainings for loss in each.losses]
    further = {adviser: loaded.settings.teachers[adviser] for adviser in _further(loaded, student)}
    called = {adviser: one.call for adviser, one in further.items() if one.call is not None}
    learned = origins(loaded, student)
    return Step(
        name=f"distill/{name}",
        stage="distill",
        settings={"task": loaded.settings.task, "student": student, "teachers": further},
        keys={
            **_TASK,
            **_at("students", name, keys=("architecture", "start", "start_layers", "distill")),
            **{f"teachers.{adviser}.call": ("teachers", adviser, "call") for adviser in called},
            **_at("seed"),
        },
        inputs={
            "teacher": "teacher",
            "teachers": tuple(f"teachers/{adviser}" for adviser, one in further.items() if one.model is not None),
            **({"augmented": "augment"} if "augmented" in learned else {}),
        },
        splits=("train", "validation", *(("unlabelled",) if "unlabelled" in learned else ())),
        weights=(("students", name, "model"),) if student.model else (),
        files=tuple(("teachers", adviser, "predictions") for adviser, one in further.items() if one.predictions),
        plugins=(
            registry.TASKS.module(loaded.settings.task.type),
            *(registry.MAPPINGS.module(mapping) for mapping in dict.fromkeys(mappings)),
            *(registry.LOSSES.module(loss) for loss in dict.fromkeys(losses)),
            *(registry.TEACHERS.module(entry) for entry in called.values()),
        ),
        packages=(*_TORCH, "accelerate", *(("scipy",) if "emd" in mappings else ())),
        trains=True,
    )


def _prune(loaded: Loaded, name: str, student: Student) -> Step:
    assert student.prune is not None
    asked, distill = student.prune, _distill(loaded, name, student)
    on = asked.target.on if asked.target is not None else None
    plugins, packages = _engine(targets.named(on)) if on is not None else ((), ())
    if asked.units:
        plugins = (registry.IMPORTANCE.module(asked.importance), *plugins)
    read = distill if asked.trains else _untrained(loaded, name, student, distill)
    return Step(
        name=f"prune/{name}",
        stage="prune",
        settings=distill.settings,
        keys={
            **_TASK,
            **(_learned(name, distill) if asked.trains else read.keys),
            **_at("students", name, "prune"),
            **_at("seed"),
        },
        inputs={**read.inputs, "student": distill.name},
        splits=read.splits,
        files=read.files,
        plugins=(*read.plugins, *plugins),
        packages=(*read.packages, "torch-pruning", *packages),
        trains=True,
        machine=asked.target is not None and asked.target.speedup is not None,
    )


def _learned(name: str, distill: Step) -> Keys:
    """What the training after a cut takes from the student's distillation."""
    asked = (
        *("losses", "layer_mapping", "temperature", "relation_heads"),
        *("teachers", "data", "fake_quantize", "phases", "cache"),
    )
    called = {key: path for key, path in distill.keys.items() if path[0] == "teachers"}
    return {**_at("students", name, "distill", keys=asked), **called}


def _untrained(loaded: Loaded, name: str, student: Student, distill: Step) -> Step:
    """What a cut that nothing is trained after reads of what the student learned from: at most its rows."""
    asked = student.prune
    assert asked is not None
    below, keys, further = ("students", name, "distill"), dict[str, KeyPath](), set[str]()
    if asked.reduces:
        further = {"augmented", "unlabelled"}.intersection(origins(loaded, student))
        paths: list[KeyPath] = [(*below, "data")]
        for number, phase in enumerate(student.distill.phases):
            paths += [(*below, "phases", number, "data")] if "data" in phase.model_fields_set else []
        keys = {dotted(path): path for path in paths}
    validation: tuple[Split, ...] = ("validation",) if asked.vocabulary is not None else ()
    unlabelled: tuple[Split, ...] = ("unlabelled",) if "unlabelled" in further else ()
    return Step(
        name=distill.name,
        stage=distill.stage,
        settings=distill.settings,
        keys=keys,
        inputs={"augmented": "augment"} if "augmented" in further else {},
        splits=("train", *validation, *unlabelled),
        plugins=(registry.TASKS.module(loaded.settings.task.type),),
        packages=(*_TORCH, "accelerate"),
    )


def _engine(export: targets.Export) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The modules and the libraries that build and run an export."""
    target = registry.TARGETS.load(export.target)
    recipe = targets.chosen(target, export.precision, export.recipe)
    recipes = [recipe] if recipe else []
    modules = (registry.TARGETS.module(export.target), *(registry.RECIPES.module(name) for name in recipes))
    return modules, _libraries(target, recipes)


def _libraries(target: targets.Target, recipes: Iterable[str]) -> tuple[str, ...]:
    """The packages that build and run what a target makes by the recipes."""
    further = (package for recipe in recipes for package in registry.RECIPES.load(recipe).packages)
    return tuple(dict.fromkeys((*target.packages, *further)))


def _exports(loaded: Loaded) -> Iterator[Step]:
    finals = {name: final(name, student) for name, student in loaded.settings.students.items()}
    for model, step in {"teacher": "teacher", **finals}.items():
        for index, export in enumerate(loaded.settings.export):
            if model != "teacher":
                yield _export(loaded, model, step, export, index)
            elif _compared(export) and export.target not in {other.target for other in loaded.settings.export[:index]}:
                yield _export(loaded, model, step, reference(export), index)


def _compared(export: Export) -> bool:
    """Whether the teacher is exported beside the students: its checkpoint is measured as it is in any case."""
    return not REFERENCE.startswith(f"{export.target}-")


def reference(export: Export) -> Export:
    """What the teacher is exported as beside the students: the same target, plain."""
    plain = next(iter(registry.TARGETS.load(export.target).precisions))
    return Export(target=export.target, precision=(plain,), max_batch=export.max_batch, options=export.options)


def _export(loaded: Loaded, model: str, step: str, export: Export, index: int) -> Step:
    target = registry.TARGETS.load(export.target)
    built = {next(iter(target.precisions)), *export.precision}  # the plain one is always there, to compare with
    asked = {targets.chosen(target, precision, export.recipe) for precision in built}
    recipes = sorted(filter(None, asked))
    read = ["target", "max_batch", "options"]
    read += [] if model == "teacher" else ["precision", "recipe"]
    if any(registry.RECIPES.load(recipe).calibrates for recipe in recipes):
        read += ["calibration_rows", "max_drop"]
    return Step(
        name=f"export/{model}/{export.id}",
        stage="export",
        settings={"task": loaded.settings.task, "export": export},
        keys={**_TASK, **{f"export.{key}": ("export", index, key) for key in read}},
        inputs={"model": step},
        splits=("train", "validation"),
        plugins=(
            registry.TASKS.module(loaded.settings.task.type),
            *(registry.TARGETS.module(name) for name in sorted({"pytorch", export.target})),
            *(registry.RECIPES.module(recipe) for recipe in recipes),
        ),
        script=target.predict,
        packages=("torch", "transformers", "tokenizers", "numpy", "datasets", *_libraries(target, recipes)),
        machine=len(target.tunings) > 1,  # the fastest is found by timing
    )


def _measure(loaded: Loaded, exports: tuple[Step, ...]) -> Step:
    names = sorted({export.target for export in loaded.settings.export})
    task = loaded.settings.task
    metrics = {task.metric, *registry.TASKS.load(task.type).metrics}
    plugins = [registry.TASKS.module(task.type), *(registry.METRICS.module(name) for name in sorted(metrics))]
    return Step(
        name="measure",
        stage="measure",
        settings={"task": loaded.settings.task, "measure": loaded.settings.measure},
        keys={
            **_TASK,
            **_at("task", "metric"),
            **_at("measure", keys=("batch", "sequence", "threads", "rounds")),
            **_at("seed"),
        },
        inputs={"teacher": "teacher", "exports": tuple(step.name for step in exports)},
        splits=("train", "validation", "test", *(("unlabelled",) if task.data.unlabelled is not None else ())),
        plugins=(*plugins, *(registry.TARGETS.module(target) for target in {"pytorch", *names})),
        packages=(*_TORCH, *(package for target in names for package in registry.TARGETS.load(target).packages)),
        machine=True,
    )


def _report(loaded: Loaded, made: tuple[str, ...], measure: Step) -> Step:
    return Step(
        name="report",
        stage="report",
        settings={"pipeline": loaded.settings, "command": loaded.command},
        keys={
            **_at("name"),
            **_at("task", keys=("text", "text_pair", "label")),
            **_at("measure", keys=("columns", "shown_rows")),
            **_at("gate"),
            **_at("seed"),
            **_at("teacher", keys=("use", "model")),
            **{f"students.{name}.model": ("students", name, "model") for name in loaded.settings.students},
            **{
                f"export.{index}.{key}": ("export", index, key)
                for index in range(len(loaded.settings.export))
                for key in ("max_drop", "on_regression")
            },
        },
        inputs={"made": made, "measured": measure.name},
        splits=("test",),
    )

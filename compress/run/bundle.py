"""A folder to serve, send or upload: an export's model files, what they need to answer, and what is known of them."""

import ast
import re
import shutil
import sys
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from compress.errors import InputError, unknown
from compress.files import DESCRIPTION, PREPROCESS, opened, read_json, sha256, write_json, write_text
from compress.report import record
from compress.report.gate.trade import trades
from compress.report.pages import card
from compress.report.record import Record
from compress.run import triton
from compress.store import artifact, fingerprint, lock
from compress.store.artifact import MANIFEST, Artifact
from compress.store.described import read_export, read_preprocess
from compress.targets import RUN, Export

_SCRIPT = "predict.py"
_SCRIPT_LIMIT_BYTES = 1_000_000


class Asked(NamedTuple):
    """What is to be in a bundle."""

    precisions: tuple[str, ...] = ()
    """All that the pipeline asks for if empty."""
    triton: bool = False
    """Whether the model files lie in folders of a Triton model repository, in place of the Hub's layout."""
    license: str | None = None
    """SPDX identifier of the licence; that of the pretrained weights if None."""


class _Found(NamedTuple):
    """An export in its run."""

    made: Artifact
    run: Path
    report: Record
    digest: str
    """Of the report."""

    @property
    def step(self) -> str:
        return self.made.manifest.stage

    @property
    def model(self) -> str:
        return self.step.split("/")[1]


def bundle(export: Path, out: Path | None = None, asked: Asked | None = None) -> Path:
    """Bundle an export of a run, whole or not at all; gives the folder: `out`, else `bundle/MODEL/EXPORT` in the run.

    A bundle that is there is replaced. The same export and report give the same bytes.
    Raises: InputError if there is no such export, it was changed, its report is missing or older, or what is asked for
    cannot be had; NotAvailable if the run is in progress
    """
    asked = asked or Asked()
    run = _run(export)
    out = out or run / "bundle" / Path(*export.absolute().parts[-2:])
    _check_place(out, run)
    with lock.held(run):
        found = _find(export, run)
        described = read_export(export)
        chosen = list(_chosen(found, described, asked.precisions))
        if asked.triton:
            triton.check(described["target"])
        parts = fingerprint.settings(asked._asdict(), "settings") | {
            f"input.{found.step}": found.made.manifest.digest,
            "input.report": found.digest,
        }
        with artifact.create(out, f"bundle/{found.model}/{export.name}", parts, fingerprint.digest(parts)) as draft:
            _fill(draft.folder, found, described, chosen, asked)
    return out


def _run(export: Path) -> Path:
    """The folder of the run that an export is of.

    Raises: InputError if there is no export, with those that are below
    """
    made = artifact.read(export) if export.is_dir() else None
    if made is None or not made.manifest.stage.startswith("export/"):
        below = sorted(path.parent for path in export.glob(f"**/{MANIFEST}") if path.parent != export)
        listed = [str(path) for path in below if path.parent.parent.name == "export"]
        there = f" There: {', '.join(listed)}." if listed else ""
        raise InputError(
            f"{export}: no export of a run. Give the folder of one, such as runs/NAME/export/STUDENT/onnxruntime.{there}"
        )
    folder, step = export.absolute(), made.manifest.stage
    if folder.parts[-3:] != tuple(step.split("/")):
        raise InputError(f"{export}: is {step}, outside of its run, where its report lies. Give its folder in the run.")
    return folder.parents[2]


def _check_place(out: Path, run: Path) -> None:
    """See that nothing is lost by a bundle that takes this folder's place.

    Raises: InputError if something else is there, or if the folder is within a step's of the run
    """
    home = out.absolute().resolve()
    within = home.relative_to(run.resolve()).parts if home.is_relative_to(run.resolve()) else ("bundle", "")
    if within[:1] != ("bundle",) or len(within) < 2:
        raise InputError(f"--out {out}: belongs to the run. Give a folder outside of {run}, or leave it out.")
    if not out.exists():
        return
    made = artifact.read(out) if out.is_dir() else None
    if (made is None or not made.manifest.stage.startswith("bundle/")) and not (
        out.is_dir() and not any(out.iterdir())
    ):
        raise InputError(f"--out {out}: something else is there. Give a folder that is empty, new or a bundle.")


def _find(export: Path, run: Path) -> _Found:
    """The export, unchanged, with the report that measured it.

    Raises: InputError if it was changed, or if the report is missing or of another export
    """
    made, measured, told = (artifact.read(folder) for folder in (export, run / "measure", run / "report"))
    assert made is not None
    for part in filter(None, (made, told)):
        if damage := part.damage(contents=True):
            raise InputError(f"{damage}. Make it anew: `compress run --from {part.manifest.stage}`.")
    if measured is None or told is None:
        raise InputError(f"{run}: has no report, which a model card is made of. Finish the run: `compress run`.")
    read = (measured.manifest.parts.get(f"input.{made.manifest.stage}"), told.manifest.parts.get("input.measure"))
    if read != (made.manifest.digest, measured.manifest.digest):
        raise InputError(f"{told.folder}: is not the report of {export} as it is now. Finish the run: `compress run`.")
    return _Found(made, run, record.load(told.folder / "report.json"), told.manifest.digest)


def _chosen(found: _Found, described: dict[str, Any], precisions: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """The descriptions of the model files that go into the bundle, the one to be run last.

    Raises: InputError if a precision is not there, or was dropped by what the pipeline says of regressions
    """
    files = {file["precision"]: file for file in described["files"] if file["asked"] or file["precision"] in precisions}
    dropped = {
        trade.variant.id: trade
        for trade in trades(found.report)
        if trade.variant.model == found.model and trade.regressed and trade.variant.on_regression == "drop"
    }
    for precision in precisions:
        if precision not in files:
            raise InputError(f"--precision: {unknown('precision of this export', precision, files)}")
    kept = [
        file
        for precision, file in files.items()
        if (not precisions or precision in precisions) and _id(described, file) not in dropped
    ]
    left_out = [dropped[_id(described, file)] for file in files.values() if _id(described, file) in dropped]
    refused = [trade for trade in left_out if trade.variant.precision in precisions]
    if refused or not kept:
        told = " ".join(trade.sentence for trade in refused or left_out)
        raise InputError(f"{found.step}: `on_regression: drop` leaves this out of bundles: {told}")
    yield from kept


def _id(described: dict[str, Any], file: dict[str, Any]) -> str:
    return Export(described["target"], file["precision"], file["recipe"]).id


def _fill(folder: Path, found: _Found, described: dict[str, Any], chosen: list[dict[str, Any]], asked: Asked) -> None:
    """Everything of the bundle but its manifest."""
    own: dict[str, list[str]] = {file["file"]: [] for file in described["files"]}
    companions: list[str] = []
    for name in found.made.manifest.files:
        owner = next((file for file in own if _belongs(name, file)), None)
        (companions if owner is None else own[owner]).append(name)
    for file in chosen:
        if not own[file["file"]]:
            raise InputError(f"{found.made.folder / DESCRIPTION}: its file {file['file']} is not there. Export again.")
    preprocess = read_preprocess(found.made.folder)
    for name in companions:
        if name not in (DESCRIPTION, PREPROCESS):
            _copy(found.made, name, folder / name)
    filed, moved = [], {}
    for file in chosen:
        home = PurePosixPath(file["file"]).parent
        place = folder / home
        if asked.triton:
            place = triton.write(folder, described["target"], _serving(found, file, preprocess))
        for name in own[file["file"]]:
            _copy(found.made, name, place / PurePosixPath(name).relative_to(home))
        moved[file["file"]] = (place / PurePosixPath(file["file"]).name).relative_to(folder).as_posix()
        filed.append(card.Filed(moved[file["file"]], _id(described, file), file["size_bytes"]))
    run = {key: chosen[-1][key] for key in RUN}
    preprocess |= {**run, "file": moved[run["file"]]}
    write_json(folder / PREPROCESS, preprocess)
    loadable = preprocess["file"].startswith("onnx/") and preprocess["file"].endswith(".onnx")
    facts = card.Facts(found.model, filed, preprocess, asked.license, loadable=loadable)
    write_text(folder / "README.md", card.render(found.report, facts._replace(**_scripts(folder))))


def _scripts(folder: Path) -> dict[str, Any]:
    """What a card says of the scripts in a bundle."""
    script, npm = folder / _SCRIPT, folder / "package.json"
    told: dict[str, Any] = {}
    if script.is_file():
        told["script"] = _packages(script)
    if npm.is_file():
        try:
            told["node"] = sorted(map(str, read_json(npm)["dependencies"]))
        except (KeyError, TypeError, IndexError) as error:
            raise InputError(f"{npm}: lists no `dependencies`.") from error
    return told


def _belongs(name: str, file: str) -> bool:
    """Whether a file is a part of a model file or folder: it lies in it, or beside it with the same stem (weights)."""
    one, other = PurePosixPath(name), PurePosixPath(file)
    beside = one.parent == other.parent and one.name.partition(".")[0] == other.name.partition(".")[0]
    return beside or other in one.parents


def _copy(made: Artifact, name: str, place: Path) -> None:
    """Copy a file of an artifact.

    Raises: InputError if it is changed meanwhile
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(made.folder / name, place)
    if sha256(place) != made.manifest.files[name]["sha256"]:
        raise InputError(f"{made.folder / name}: was changed while it was copied. Bundle it again.")


def _serving(found: _Found, file: dict[str, Any], preprocess: dict[str, Any]) -> triton.Serving:
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{found.report.name}-{found.model}-{file['precision']}")
    name += f"-{file['recipe']}" if file["recipe"] else ""
    return triton.Serving(name, PurePosixPath(file["file"]).name, {**preprocess, **{key: file[key] for key in RUN}})


def _packages(script: Path) -> list[str]:
    """The packages that a script imports beside Python's own.

    Raises: InputError if it is no Python
    """
    try:
        with opened(script, _SCRIPT_LIMIT_BYTES) as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            nodes: Iterable[ast.AST] = ast.walk(ast.parse(stream.read()))
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InputError(f"{script}: not a Python script that can be read: {error}.") from error
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    return sorted(names - sys.stdlib_module_names)

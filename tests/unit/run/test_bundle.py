"""Bundles of a made-up run: what is taken along, what is refused, whole or not at all."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sample

from compress.errors import CompressError, InputError
from compress.files import sha256, write_json
from compress.report import record
from compress.report.variant import Estimate
from compress.run import bundle as bundles
from compress.run.bundle import Asked, bundle
from compress.store import artifact

STEP = "export/tiny/onnxruntime"
SCRIPT = "import json, numpy.linalg\nfrom onnxruntime import InferenceSession\nfrom pathlib import Path\n"
NAMES = {"fp32": "model", "fp16": "model_fp16", "int8": "model_quantized"}


def described(precision: str, asked: bool = True) -> dict:
    return {
        "precision": precision,
        "quantization": None,
        "recipe": None,
        "asked": asked,
        "file": f"onnx/{NAMES[precision]}.onnx",
        "settings": {"of": precision},
        "batch": 1 if precision == "int8" else 32,
        "size_bytes": 100,
    }


def made_run(root: Path, change: Callable[[record.Record], record.Record] = lambda found: found) -> Path:
    """A run folder with one export of three precisions, fp16 not asked for, measured and reported; gives the export's."""
    run = root / "runs" / "demo"
    files = [described("fp32"), described("fp16", asked=False), described("int8")]
    with artifact.create(run / STEP, STEP, {}, "mark") as draft:
        for file in files:
            (draft.folder / file["file"]).parent.mkdir(exist_ok=True)
            (draft.folder / file["file"]).write_text(f"graph {file['precision']}")
        (draft.folder / "onnx" / "model.onnx_data").write_text("weights of fp32")
        write_json(draft.folder / "export.json", {"target": "onnxruntime", "parameters": 9, "files": files})
        facts = {"labels": ["a", "b"], "max_length": 12, "truncation": "tail", "texts": 1, "inputs": ["input_ids"]}
        write_json(
            draft.folder / "preprocess.json",
            {**facts, **{key: files[-1][key] for key in ("file", "settings", "batch")}},
        )
        write_json(draft.folder / "config.json", {"model_type": "bert"})
        (draft.folder / "tokenizer.json").write_text("{}")
        (draft.folder / "predict.py").write_text(SCRIPT)
    found = artifact.read(run / STEP)
    assert found is not None
    with artifact.create(run / "measure", "measure", {f"input.{STEP}": found.manifest.digest}, "mark") as draft:
        write_json(draft.folder / "measurements.json", {})
    measured = artifact.read(run / "measure")
    assert measured is not None
    with artifact.create(run / "report", "report", {"input.measure": measured.manifest.digest}, "mark") as draft:
        record.save(change(sample.record(rows=50)), draft.folder / "report.json")
    return run / STEP


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_a_bundle_holds_what_was_asked_for_with_a_card_and_digests(tmp_path: Path) -> None:
    export = made_run(tmp_path)
    out = bundle(export)
    assert out == tmp_path / "runs" / "demo" / "bundle" / "tiny" / "onnxruntime"
    found = contents(out)
    assert set(found) == {
        "README.md",
        "config.json",
        "manifest.json",
        "onnx/model.onnx",
        "onnx/model.onnx_data",
        "onnx/model_quantized.onnx",
        "predict.py",
        "preprocess.json",
        "tokenizer.json",
    }
    facts = json.loads(found["preprocess.json"])
    assert (facts["file"], facts["batch"], facts["truncation"]) == ("onnx/model_quantized.onnx", 1, "tail")
    manifest = json.loads(found["manifest.json"])
    assert {name: entry["sha256"] for name, entry in manifest["files"].items()} == {
        name: sha256(out / name) for name in found if name != "manifest.json"
    }
    card = found["README.md"].decode()
    assert "It needs `numpy`, `onnxruntime`, and cuts texts" in card
    assert 'dtype: "q8"' in card


def test_the_card_says_which_scripts_are_there() -> None:
    folder = Path(bundles.__file__).parents[1] / "targets"
    assert bundles._scripts(folder / "_onnxruntime_web") == {"node": ["@huggingface/tokenizers", "onnxruntime-web"]}
    assert bundles._scripts(folder) == {}


def test_bundling_again_gives_the_same_bytes_in_its_place(tmp_path: Path) -> None:
    export = made_run(tmp_path)
    before = contents(bundle(export))
    (tmp_path / "runs" / "demo" / "bundle" / "tiny" / "onnxruntime" / "stray").write_text("x")
    assert contents(bundle(export)) == contents(bundle(export, tmp_path / "elsewhere")) == before


def test_only_the_precisions_asked_for_are_taken_and_the_last_is_run(tmp_path: Path) -> None:
    out = bundle(made_run(tmp_path), asked=Asked(("fp16", "fp32")))
    assert {path.name for path in (out / "onnx").iterdir()} == {"model.onnx", "model.onnx_data", "model_fp16.onnx"}
    facts = json.loads((out / "preprocess.json").read_text())
    assert {key: facts[key] for key in ("file", "settings", "batch")} == {
        "file": "onnx/model_fp16.onnx",
        "settings": {"of": "fp16"},
        "batch": 32,
    }
    assert 'dtype: "fp16"' in (out / "README.md").read_text()


def test_a_model_repository_has_each_model_once_and_a_script_that_finds_it(tmp_path: Path) -> None:
    out = bundle(made_run(tmp_path), asked=Asked(triton=True))
    assert {path.name for path in out.iterdir() if path.is_dir()} == {
        "voice-commands-tiny-fp32",
        "voice-commands-tiny-int8",
    }
    plain = out / "voice-commands-tiny-fp32"
    assert {path.name for path in plain.iterdir()} == {"1", "config.pbtxt", "labels.txt"}
    assert {path.name for path in (plain / "1").iterdir()} == {"model.onnx", "model.onnx_data"}
    assert "dynamic_batching { }" in (plain / "config.pbtxt").read_text()
    assert "max_batch_size: 1\n" in (out / "voice-commands-tiny-int8" / "config.pbtxt").read_text()
    facts = json.loads((out / "preprocess.json").read_text())
    assert (out / facts["file"]).read_text() == "graph int8"
    assert "optimum" not in (out / "README.md").read_text()


def slow(found: record.Record) -> record.Record:
    """INT8 slower than fp32, and to be dropped for that."""
    variants = []
    for variant in found.variants:
        if (variant.model, variant.precision) == ("tiny", "int8"):
            ratio = Estimate(value=0.5, low=0.4, high=0.6)
            cells = tuple(cell.model_copy(update={"to_plain": ratio}) for cell in variant.latency)
            variant = variant.model_copy(
                update={"plain": "onnxruntime-fp32", "on_regression": "drop", "latency": cells, "max_drop": 1.0}
            )
        variants.append(variant)
    return found.model_copy(update={"variants": tuple(variants)})


def test_what_the_pipeline_drops_is_left_out_and_refused_when_named(tmp_path: Path) -> None:
    export = made_run(tmp_path, slow)
    out = bundle(export)
    assert {path.name for path in (out / "onnx").iterdir()} == {"model.onnx", "model.onnx_data"}
    with pytest.raises(
        InputError, match=r"`on_regression: drop` leaves this out of bundles: tiny onnxruntime-int8 .* slower"
    ):
        bundle(export, asked=Asked(("int8",)))


def refused(export: Path, out: Path | None = None, asked: Asked | None = None) -> str:
    """What is said; nothing may be written or lost by it."""
    root = export.parents[4] if export.name == "onnxruntime" else export.parent
    before = contents(root)
    with pytest.raises(InputError) as caught:
        bundle(export, out, asked)
    assert contents(root) == before
    return str(caught.value)


def test_another_folder_than_an_exports_is_refused_with_those_below(tmp_path: Path) -> None:
    export = made_run(tmp_path)
    run = tmp_path / "runs" / "demo"
    assert f"There: {export}." in refused(run)
    assert "no export of a run" in refused(run / "measure")
    assert "no export of a run" in refused(tmp_path / "nowhere")
    assert f"is {STEP}, outside of its run" in refused(export.rename(tmp_path / "copy"))


def test_an_unknown_precision_or_target_is_refused(tmp_path: Path) -> None:
    export = made_run(tmp_path)
    assert "no such precision of this export `int9`. Did you mean `int8`?" in refused(export, asked=Asked(("int9",)))
    assert not (tmp_path / "runs" / "demo" / "bundle").exists()


def test_changed_files_are_refused(tmp_path: Path) -> None:
    export = made_run(tmp_path)
    (export / "onnx" / "model.onnx").write_text("graph fp64")
    assert f"has been changed (its SHA-256 differs). Make it anew: `compress run --from {STEP}`." in refused(export)


def test_a_report_that_is_missing_or_of_another_export_is_refused(tmp_path: Path) -> None:
    export = made_run(tmp_path)
    with artifact.create(export, STEP, {}, "mark") as draft:
        write_json(draft.folder / "export.json", {})
    assert "is not the report of" in refused(export)
    (tmp_path / "runs" / "demo" / "report" / "manifest.json").unlink()
    assert "has no report" in refused(export)


@pytest.mark.parametrize("place", ["runs/demo/export/tiny/onnxruntime", "runs/demo", "runs/demo/export/bundle", "mine"])
def test_nothing_else_is_ever_replaced(place: str, tmp_path: Path) -> None:
    export = made_run(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letters.txt").write_text("dear")
    assert f"--out {tmp_path / place}: " in refused(export, tmp_path / place)


def test_a_failure_leaves_the_old_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export = made_run(tmp_path)
    before = contents(bundle(export))

    def fail(*_: object) -> str:
        raise CompressError("disk full")

    monkeypatch.setattr(bundles.card, "render", fail)
    with pytest.raises(CompressError, match="disk full"):
        bundle(export, asked=Asked(("fp32",)))
    folder = tmp_path / "runs" / "demo" / "bundle" / "tiny"
    assert contents(folder / "onnxruntime") == before
    assert [path.name for path in folder.iterdir()] == ["onnxruntime"]


def test_it_starts_quickly_without_torch(tmp_path: Path) -> None:
    export = made_run(tmp_path)
    code = "import sys; from pathlib import Path; from compress.run.bundle import bundle; bundle(Path(sys.argv[1]))\n"
    heavy = "print(sorted({'torch', 'transformers', 'onnx', 'onnxruntime'} & set(sys.modules)))"
    command = [sys.executable, "-c", code + heavy, str(export)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[]\n"

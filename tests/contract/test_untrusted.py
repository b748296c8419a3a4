"""What SECURITY.md promises of files from elsewhere, each with a file that does harm where the promise is broken."""

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import project
import pytest
import sample
import tiny

from compress.cli.main import code
from compress.encoders import checkpoint, source
from compress.errors import InputError
from compress.files import inside
from compress.report import record
from compress.stages.material import tokenizer_of
from compress.store import artifact, described, seal

EVIL = "from pathlib import Path\nPath({!r}).touch()\nfrom transformers import BertConfig as C, BertTokenizer as T\n"
AUTO = {"AutoConfig": "evil.C", "AutoTokenizer": ["evil.T", "evil.T"], "AutoModelForSequenceClassification": "evil.M"}


class Harm:
    """Makes a file when it is unpickled."""

    def __init__(self, made: Path) -> None:
        self.made = made

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.mkdir, (str(self.made),)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model folder."""
    folder = tmp_path / "model"
    checkpoint.save(tiny.model(), folder)
    tiny.tokenizer(folder)
    return folder


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "weights.pth", "last.ckpt"])
def test_pickled_weights_are_refused_with_the_way_to_convert_them(
    name: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (model / "model.safetensors").unlink()
    (model / name).write_bytes(pickle.dumps(Harm(tmp_path / "ran")))
    path = project.write(tmp_path)
    path.write_text(path.read_text().replace("  use: own\n", "  use: own\n  model: {folder: model}\n"))
    assert code(["check", str(path)]) == 2
    assert "a pickle can run code" in (said := capsys.readouterr().err)
    assert "weights_only=True" in said
    assert not (tmp_path / "ran").exists()


def test_the_way_to_convert_runs_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(pickle.dumps(Harm(tmp_path / "ran")))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Exception, match=r"weights_only|[Uu]npickl|magic"):
        exec(source.CONVERT, {})
    assert not (tmp_path / "ran").exists()


def test_pickles_beside_safetensors_are_not_read(model: Path, tmp_path: Path) -> None:
    for name in ("pytorch_model.bin", "training_args.bin", "optimizer.pt", "rng_state.pth", "vocab.pkl"):
        (model / name).write_bytes(pickle.dumps(Harm(tmp_path / "ran")))
    checkpoint.load(model)
    checkpoint.load_encoder(model, labels=["a", "b"])
    tokenizer_of(model)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "header", [b"\xff" * 8, (10**9).to_bytes(8, "little"), (2).to_bytes(8, "little") + b"[]", b"", b"\0" * 16]
)
def test_what_is_no_safetensors_is_refused(header: bytes, model: Path) -> None:
    (model / "model.safetensors").write_bytes(header + bytes(200_000) if header else b"")
    with pytest.raises(InputError, match="model"):
        checkpoint.load(model)


def test_a_pickle_called_safetensors_is_refused(model: Path, tmp_path: Path) -> None:
    (model / "model.safetensors").write_bytes(pickle.dumps(Harm(tmp_path / "ran")))
    with pytest.raises(InputError, match="cannot be read"):
        checkpoint.load(model)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["evil.bin", "../outside.safetensors", "/etc/passwd", "gone.safetensors", ""])
def test_an_index_names_only_safetensors_beside_it(name: str, model: Path, tmp_path: Path) -> None:
    shutil.copyfile(model / "model.safetensors", tmp_path / "outside.safetensors")
    (model / "model.safetensors").unlink()
    (model / "evil.bin").write_bytes(pickle.dumps(Harm(tmp_path / "ran")))
    (model / source.INDEX).write_text(json.dumps({"metadata": {}, "weight_map": {"classifier.weight": name}}))
    with pytest.raises(InputError, match=r"index\.json: .* is no safetensors file beside it"):
        checkpoint.load(model)
    assert not (tmp_path / "ran").exists()


def test_code_in_a_model_folder_is_not_run(model: Path, tmp_path: Path) -> None:
    (model / "evil.py").write_text(EVIL.format(str(tmp_path / "ran")))
    (model / "modeling_compress.py").write_text(EVIL.format(str(tmp_path / "ran")))
    edit(model / "config.json", auto_map=AUTO)
    edit(model / "tokenizer_config.json", auto_map=AUTO, tokenizer_class="evil.T")
    checkpoint.load(model)
    checkpoint.load_encoder(model, labels=["a", "b"])
    tokenizer_of(model)
    edit(model / "config.json", model_type="evil")
    with pytest.raises(InputError, match="no such architecture `evil`"):
        checkpoint.load(model)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "link", "loop", "sub/../../secret", "a\0b"])
def test_names_in_folders_do_not_lead_out_of_them(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (tmp_path / "secret").write_text("x")
    (folder / "link").symlink_to("../secret")
    (folder / "loop").symlink_to("loop")
    with pytest.raises(InputError):
        inside(folder, name)
    files = [dict.fromkeys(("precision", "file"), name) | {"recipe": None, "asked": True, "size_bytes": 1}]
    files = [file | {"settings": {}, "batch": 1} for file in files]
    (folder / "export.json").write_text(json.dumps({"target": "onnxruntime", "parameters": 1, "files": files}))
    with pytest.raises(InputError):
        described.read_export(folder)
    facts = {"size": 1, "sha256": "0" * 64}
    seal.write(folder / artifact.MANIFEST, {"stage": "teacher", "fingerprint": "", "parts": {}, "files": {name: facts}, "seconds": 0, "manifest_version": 2})  # fmt: skip
    found = artifact.read(folder)
    assert found is not None
    with pytest.raises(InputError):
        found.damage(contents=True)


@pytest.mark.parametrize("name", ["../../x", "/x", "a/b", ".", "..", "x\n", "con:x", ""])
@pytest.mark.parametrize("key", ["name: demo", "  small:\n", "  use: one-layer", "  use: own"])
def test_no_name_of_a_pipeline_leads_out_of_its_run(
    name: str, key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = project.write(tmp_path)
    quoted = json.dumps(name)
    new = f"  {quoted}:\n" if key.endswith("\n") else f"{key.partition(':')[0]}: {quoted}"
    path.write_text(path.read_text().replace(key, new))
    assert code(["check", str(path)]) == 2
    assert "pipeline.yaml" in capsys.readouterr().err


def test_nothing_printed_steers_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nasty = "\x1b]0;title\x07[red]\x1b[2Jred[/]\u202e\x9b"
    found = sample.record(rows=50)
    task = found.task.model_copy(update={"labels": tuple(f"{nasty}{n}" for n in range(8))})
    machine = found.machine.model_copy(update={"machine_class": nasty, "processor": nasty})
    stages = tuple(stage.model_copy(update={"notes": (nasty,)}) for stage in found.stages)
    changes = {"task": task, "machine": machine, "stages": stages, "name": nasty, "versions": {nasty: nasty}}
    record.save(found.model_copy(update=changes), tmp_path / "report.json")
    commands = [["report"], ["gate"], ["report", "--format", "markdown"], ["gate", "--baseline", str(tmp_path)]]
    for command, *options in commands:
        code([command, str(tmp_path / "report.json"), *options])
        said = "".join(capsys.readouterr())
        assert said
        assert not set(said) & {"\x1b", "\x07", "\x9b", "\u202e"}
    (tmp_path / f"{nasty.replace('/', '')}.yaml").write_text("a: 1")
    code(["check", str(tmp_path / f"{nasty.replace('/', '')}.yaml")])
    assert "\x1b" not in "".join(capsys.readouterr())

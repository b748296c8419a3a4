import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from huggingface_hub import errors

from compress import files
from compress.config.settings import Architecture, Model, Scratch
from compress.encoders import source
from compress.errors import CompressError, InputError, NotAvailable


def folder(path: Path, content: str = "weights") -> Path:
    path.mkdir(parents=True)
    (path / "config.json").write_text("{}")
    (path / "model.safetensors").write_text(content)
    return path


@pytest.fixture
def package(tmp_path: Path, monkeypatch) -> Path:
    """An importable package that must not be imported."""
    path = tmp_path / "site" / "weights_of_mine"
    folder(path / "models" / "small")
    (path / "__init__.py").write_text("raise RuntimeError('imported')\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return path


def test_a_folder_is_relative_to_the_root(tmp_path: Path, monkeypatch) -> None:
    expected = folder(tmp_path / "models" / "one")
    monkeypatch.chdir("/")
    assert source.locate(Model(folder="models/one"), tmp_path) == source.Located(expected)
    assert source.locate(Model(folder="../models/one"), tmp_path / "cards").path == expected
    assert source.locate(Model(folder=str(expected)), Path("/elsewhere")).path == expected


def test_a_package_is_found_and_not_imported(package: Path, tmp_path: Path) -> None:
    located = source.locate(Model(package="weights_of_mine/models/small"), tmp_path)
    assert located.path == package / "models" / "small"
    assert "weights_of_mine" not in sys.modules


def test_the_first_place_that_is_there_is_taken(package: Path, tmp_path: Path) -> None:
    model = Model(folder="here", package="weights_of_mine/models/small", hub="some/model", revision="v1")
    nowhere = Model(folder="here", package="not_installed_at_all/x", hub="some/model", revision="v1")
    assert source.locate(model, tmp_path).path == package / "models" / "small"
    assert source.locate(nowhere, tmp_path) == source.Located(None, "some/model", "v1")
    here = folder(tmp_path / "here")
    assert source.locate(model, tmp_path) == source.Located(here)


@pytest.mark.parametrize(
    ("model", "kind", "message"),
    [
        (Model(folder="gone"), InputError, "the model's weights are not here: there is no folder ROOT/gone."),
        (
            Model(folder="gone", package="not_installed_at_all/x"),
            NotAvailable,
            "the model's weights are not here: there is no folder ROOT/gone; the package not_installed_at_all is not "
            "installed (`pip install not-installed-at-all`).",
        ),
        (
            Model(package="weights_of_mine/models/large"),
            InputError,
            "the model's weights are not here: the installed package weights_of_mine (ROOT/site/weights_of_mine) has no "
            "folder models/large.",
        ),
        (
            Model(package="this/x"),
            InputError,
            "the model's weights are not here: the installed package this (a single file) has no folder x.",
        ),
    ],
)
def test_what_was_looked_for_where_is_said(
    model: Model, kind: type[CompressError], message: str, package: Path, tmp_path: Path
) -> None:
    with pytest.raises(CompressError) as caught:
        source.locate(model, tmp_path)
    assert type(caught.value) is kind
    assert str(caught.value) == message.replace("ROOT", str(tmp_path))


@pytest.mark.parametrize("name", ["../x", "/etc", "a/../../b", ".", "a.b/c", "a\\..\\b/c", "weights_of_mine/.."])
def test_a_package_path_cannot_leave_the_package(name: str, package: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a package's name and a folder inside"):
        source.locate(Model(package=name, hub="some/model"), tmp_path)


def test_a_link_out_of_a_package_is_refused(package: Path, tmp_path: Path) -> None:
    folder(tmp_path / "outside")
    (package / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(InputError, match="leads out of"):
        source.locate(Model(package="weights_of_mine/link"), tmp_path)


def test_the_pinned_weights_are_taken_and_others_refused(tmp_path: Path) -> None:
    path = folder(tmp_path / "one") / "model.safetensors"
    seen = files.sha256(path)
    assert source.locate(Model(folder="one", sha256=seen), tmp_path).sha256 == seen
    with pytest.raises(InputError) as caught:
        source.locate(Model(folder="one", sha256="0" * 64, hub="some/model"), tmp_path)
    assert (
        str(caught.value) == f"{path}: other weights than the pinned ones. SHA-256 seen: {seen}, expected: {'0' * 64}."
    )
    path.write_text("changed")
    with pytest.raises(InputError, match=f"expected: {seen}"):
        source.locate(Model(folder="one", sha256=seen), tmp_path)


def test_a_pin_of_split_weights_is_refused(tmp_path: Path) -> None:
    (folder(tmp_path / "one") / "model.safetensors").rename(tmp_path / "one" / "model.safetensors.index.json")
    (tmp_path / "one" / "model-1.safetensors").write_bytes(b"weights")
    (tmp_path / "one" / source.INDEX).write_text('{"weight_map": {"a": "model-1.safetensors"}}')
    assert source.locate(Model(folder="one"), tmp_path).path == tmp_path / "one"
    with pytest.raises(InputError, match="split over several files"):
        source.locate(Model(folder="one", sha256="0" * 64), tmp_path)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "has no config.json"),
        (["config.json"], r"has no model.safetensors\."),
        (["config.json", "pytorch_model.bin"], r"pickled \(pytorch_model.bin\), and a pickle can run code"),
    ],
)
def test_a_folder_without_safetensors_is_refused_early(names: list[str], message: str, tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=message):
        source.locate(Model(folder=".", hub="some/model"), tmp_path)


def test_a_model_from_scratch_has_no_place(tmp_path: Path) -> None:
    scratch = Scratch(architecture=Architecture(layers=1, hidden=8, heads=2, intermediate=8))
    with pytest.raises(InputError, match="starts from scratch"):
        source.locate(Model(scratch=scratch), tmp_path)


def test_the_digest_is_of_the_content_that_is_read(tmp_path: Path) -> None:
    one, two = folder(tmp_path / "one"), folder(tmp_path / "two")
    digest = source.digest(source.Located(one))
    assert len(digest) == 64
    (two / "README.md").write_text("not read")
    assert source.digest(source.Located(two)) == digest
    (two / "vocab.txt").write_text("[PAD]")
    assert source.digest(source.Located(two)) != digest
    (one / "model.safetensors").write_text("Weights")
    assert source.digest(source.Located(one)) != digest
    assert source.digest(source.Located(None, "some/model", "v1")) == "some/model@v1"
    assert source.digest(source.Located(None, "some/model")) == "some/model@main"


def test_fetching_takes_the_files_that_are_read_and_checks_the_pin(tmp_path: Path, monkeypatch) -> None:
    path = folder(tmp_path / "cache")
    asked = []

    def download(hub: str, **options: object) -> str:
        asked.append((hub, options))
        return str(path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    seen = files.sha256(path / "model.safetensors")
    assert source.fetch(source.Located(None, "some/model", "v1", seen)) == path
    assert asked == [("some/model", {"revision": "v1", "allow_patterns": list(source.PATTERNS)})]
    assert not any(pattern.endswith((".bin", ".py", "*")) for pattern in source.PATTERNS)
    with pytest.raises(InputError, match=f"seen: {seen}, expected: {'1' * 64}"):
        source.fetch(source.Located(None, "some/model", None, "1" * 64))
    (path / "model.safetensors").rename(path / "pytorch_model.bin")
    with pytest.raises(InputError, match="pickled"):
        source.fetch(source.Located(None, "some/model", "v1"))


def test_converted_weights_are_taken_from_the_hubs_own_bot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offers = {"some/old-model": [SimpleNamespace(num=7)], "some/pickle": []}

    def download(hub: str, revision: str | None = None, **_: object) -> str:
        folder = tmp_path / str(revision).replace("/", "-")
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_text("{}")
        if revision == "refs/pr/7":
            (folder / "model.safetensors").write_text("weights")
        return str(folder)

    def discussions(_self: object, hub: str, **asked: str) -> Iterator[SimpleNamespace]:
        assert asked == {"author": "SFconvertbot", "discussion_type": "pull_request", "discussion_status": "open"}
        return iter(offers[hub])

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    monkeypatch.setattr("huggingface_hub.HfApi.get_repo_discussions", discussions)
    assert source.fetch(source.Located(None, "some/old-model")) == tmp_path / "refs-pr-7"
    with pytest.raises(InputError, match="only pickled weights, which can run code"):
        source.fetch(source.Located(None, "some/pickle"))


def test_a_local_model_needs_no_fetching(tmp_path: Path) -> None:
    assert source.fetch(source.Located(tmp_path)) == tmp_path


def raised(kind: type[Exception]) -> Exception:
    """An error of the Hub, made without the HTTP response that its constructor wants."""
    error = kind.__new__(kind)
    error.args = ("first line\nsecond line",)
    return error


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (errors.RepositoryNotFoundError, InputError, "some/model@v1: the Hub has no such model, or it is private"),
        (errors.GatedRepoError, NotAvailable, "some/model@v1: the Hub gives it only to accounts that were let in"),
        (errors.RevisionNotFoundError, InputError, "some/model@v1: the Hub has the model, but not this revision"),
        (errors.HFValidationError, InputError, "some/model@v1: not a Hub id"),
        (
            errors.LocalEntryNotFoundError,
            NotAvailable,
            r"some/model@v1: not in the Hub's cache, .*HF_HUB_OFFLINE.*`package`",
        ),
        (errors.OfflineModeIsEnabled, NotAvailable, "not in the Hub's cache"),
        (errors.HfHubHTTPError, NotAvailable, r"cannot be reached.*\(HfHubHTTPError\)"),
    ],
)
def test_what_the_hub_answers_is_put_clearly(
    error: type[Exception], kind: type[CompressError], message: str, monkeypatch
) -> None:
    def fail(*_args: object, **_options: object) -> str:
        raise raised(error)

    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)
    with pytest.raises(kind, match=message):
        source.fetch(source.Located(None, "some/model", "v1"))


def test_offline_is_respected(tmp_path: Path) -> None:
    code = (
        "from compress.encoders import source\n"
        "from compress.errors import NotAvailable\n"
        "try:\n    source.fetch(source.Located(None, 'some/model'))\n"
        "except NotAvailable as error:\n    print(error)\n"
    )
    environment = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert seen.stdout.startswith("some/model: not in the Hub's cache")

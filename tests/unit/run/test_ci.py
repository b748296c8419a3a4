"""The CI's file: where it goes, and what pip installs there."""

import json
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from compress.errors import InputError
from compress.run import ci


def origin(monkeypatch: pytest.MonkeyPatch, found: dict[str, Any] | None) -> None:
    class Installed:
        def read_text(self, name: str) -> str | None:
            assert name == "direct_url.json"
            return None if found is None else json.dumps(found)

    monkeypatch.setattr(ci, "distribution", lambda _name: Installed())


def install(tmp_path: Path) -> str:
    made = YAML(typ="safe", pure=True).load(ci.workflow("github", tmp_path / "pipeline.yaml").text)
    return made["jobs"]["gate"]["env"]["INSTALL"]


def test_it_lies_at_the_top_of_the_repository(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    made = ci.workflow("github", tmp_path / "models" / "shop" / "pipeline.yaml", "x")
    assert made.path == tmp_path / ".github" / "workflows" / "compress.yml"
    assert 'PIPELINE: "models/shop/pipeline.yaml"' in made.text


def test_without_a_repository_it_lies_beside_the_pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = ci.workflow("gitlab", Path("shop/pipeline.yaml"), "x")
    assert made.path == Path("shop/.gitlab-ci.yml")
    assert 'PIPELINE: "pipeline.yaml"' in made.text


def test_what_was_installed_from_a_repository_is_installed_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin(monkeypatch, {"url": "https://example.com/a/compress", "vcs_info": {"vcs": "git", "commit_id": "c0ffee"}})
    assert install(tmp_path) == "compress @ git+https://example.com/a/compress@c0ffee"
    origin(monkeypatch, {"url": "https://example.com/compress.whl", "archive_info": {}})
    assert install(tmp_path) == "compress @ https://example.com/compress.whl"


@pytest.mark.parametrize(
    "found",
    [
        None,
        {"url": "file:///home/me/compress", "dir_info": {}},
        {"url": "file:///tmp/compress.whl", "archive_info": {}},
        {"url": "file:///home/me/compress", "vcs_info": {"vcs": "git", "commit_id": "c0ffee"}},
    ],
)
def test_elsewhere_it_must_be_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: dict[str, Any] | None
) -> None:
    origin(monkeypatch, found)
    with pytest.raises(InputError, match="where do the runners get compress from"):
        install(tmp_path)


def test_what_is_not_installed_has_no_origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(ci, "distribution", missing)
    with pytest.raises(InputError, match="--install"):
        install(tmp_path)


@pytest.mark.parametrize("given", ['a "b"', "a\\b", "a: b #c"])
def test_what_is_given_stays_one_text(tmp_path: Path, given: str) -> None:
    for system in ("github", "gitlab"):
        found = YAML(typ="safe", pure=True).load(ci.workflow(system, tmp_path / "pipeline.yaml", given).text)
        job = found["jobs"]["gate"]["env"] if system == "github" else found["compress"]["variables"]
        assert job["INSTALL"] == given

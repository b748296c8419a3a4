"""What a result depends on."""

from pathlib import Path

import plugin
import pytest

from compress.registry import LOSSES
from compress.store import fingerprint


def test_settings_become_flat_parts() -> None:
    parts = fingerprint.settings({"a": {"b": 1, "c": [1, 2]}, "d": None, "e": {}})
    assert parts == {"settings.a.b": "1", "settings.a.c": "[1, 2]", "settings.d": "null", "settings.e": "{}"}


def test_changes_name_what_differs_came_and_went() -> None:
    found = fingerprint.changes({"a": "1", "b": "2"}, {"a": "1", "b": "3", "c": "4"})
    assert found == [("b", "2", "3"), ("c", None, "4")]
    assert fingerprint.changes({"a": "1"}, {}) == [("a", "1", None)]


def test_the_digest_does_not_depend_on_the_order() -> None:
    assert fingerprint.digest({"a": "1", "b": "2"}) == fingerprint.digest({"b": "2", "a": "1"})


def test_code_is_followed_through_imports_but_not_into_plumbing() -> None:
    parts = fingerprint.code(["compress.stages.distill"])
    assert "code.compress.training.objective" in parts
    assert "code.compress.encoders.capture" in parts
    plumbing = {name for name in parts if name.startswith(("code.compress.config", "code.compress.errors"))}
    assert plumbing == {"code.compress.config.schedule"}  # which makes numbers


def test_comments_and_docstrings_do_not_count(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    def digest(text: str) -> str:
        path = tmp_path / "module.py"
        path.write_text(text)
        monkeypatch.setattr(fingerprint, "_file", lambda name: path if name == "compress.module" else None)
        fingerprint._module.cache_clear()
        return fingerprint.code(["compress.module"])["code.compress.module"]

    plain = digest("def f(x):\n    return x + 1\n")
    assert digest('"""Doc."""\n\n\ndef f(x):  # comment\n    """Adds."""\n    return x + 1\n') == plain
    assert digest("def f(x):\n    return x + 2\n") != plain
    fingerprint._module.cache_clear()


def test_a_missing_package_has_a_version_too() -> None:
    assert fingerprint.versions(["no-such-package-anywhere"]) == {"version.no-such-package-anywhere": "not installed"}


def parts_of_a_plug_in(folder: Path, version: str, text: str) -> dict[str, str]:
    files = {"acme/__init__.py": "raise SystemExit", "acme/losses/angle.py": text}
    with pytest.MonkeyPatch.context() as patch:
        plugin.install(patch, folder, "[compress.losses]\nangle = acme.losses.angle:angle\n", files, version)
        fingerprint._file.cache_clear()
        fingerprint._module.cache_clear()
        return fingerprint.code([LOSSES.module("angle")])


def test_a_plug_in_counts_with_its_distributions_version_and_its_own_code(tmp_path: Path) -> None:
    plain = "import torch\nfrom compress.losses import loss\n\nWIDTH = 1\n"
    one = parts_of_a_plug_in(tmp_path / "one", "1.0", plain)
    assert sorted(one) == ["code.acme.losses.angle", "code.compress.losses", "version.acme-kit"]
    assert parts_of_a_plug_in(tmp_path / "two", "1.0", plain.replace("\n\n", "  # a mark\n")) == one
    newer = parts_of_a_plug_in(tmp_path / "three", "1.1", plain)
    assert fingerprint.changes(one, newer) == [("version.acme-kit", "1.0", "1.1")]
    edited = parts_of_a_plug_in(tmp_path / "four", "1.0", plain.replace("1", "2"))
    assert [change.part for change in fingerprint.changes(one, edited)] == ["code.acme.losses.angle"]


def test_a_plug_in_that_is_one_module_counts_with_its_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "acme_single.py").write_text("WIDTH = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert len(fingerprint.code(["acme_single"])["code.acme_single"]) == 64


def test_a_plug_in_without_source_is_there_all_the_same() -> None:
    assert fingerprint.code(["acme_not_registered"]) == {"code.acme_not_registered": "no source"}

"""What a result depends on."""

from pathlib import Path

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
    assert not any(name.startswith(("code.compress.config", "code.compress.errors")) for name in parts)


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


def test_a_plug_in_counts_with_its_distributions_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def install(version: str) -> dict[str, str]:
        folder = tmp_path / version / "acme_kit-1.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: acme-kit\nVersion: {version}\n")
        (folder / "entry_points.txt").write_text("[compress.losses]\nangle = acme.losses.angle:angle\n")
        with monkeypatch.context() as patch:
            patch.syspath_prepend(folder.parent)
            patch.delitem(LOSSES.__dict__, "_plugins", raising=False)
            assert "angle" in LOSSES.names()
            parts = fingerprint.code(["compress.losses.cosine", LOSSES.module("angle")])
        LOSSES.__dict__.pop("_plugins")
        return parts

    one, two = install("1.0"), install("1.1")
    assert fingerprint.changes(one, two) == [("version.acme-kit", "1.0", "1.1")]
    assert "code.compress.losses.cosine" in one

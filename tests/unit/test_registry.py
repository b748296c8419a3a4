"""Third parties' things that are found by name."""

from pathlib import Path

import plugin
import pytest

from compress import registry
from compress.errors import InputError


@pytest.mark.parametrize(
    ("group", "found", "kind"),
    [("losses", registry.LOSSES, "loss"), ("importance", registry.IMPORTANCE, "importance score")],
)
def test_a_plug_in_without_its_mark_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group: str, found: registry.Registry, kind: str
) -> None:
    modules = {
        f"acme_{group}.py": "def bare(student, teacher):\n    pass\n\ndef marked(x):\n    pass\n\nmarked.reads = 1\n"
    }
    points = f"[compress.{group}]\nbare = acme_{group}:bare\nmarked = acme_{group}:marked\n"
    plugin.install(monkeypatch, tmp_path, points, modules)
    assert found.load("marked").reads == 1
    with pytest.raises(
        InputError, match=rf"the {kind} `bare` of acme_{group}:bare has no `reads`. Write the decorator"
    ):
        found.load("bare")


def test_a_plug_in_that_cannot_be_imported_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin.install(monkeypatch, tmp_path, "[compress.losses]\ngone = acme_gone:gone\n", {})
    with pytest.raises(InputError, match="the loss `gone` of acme_gone:gone cannot be loaded"):
        registry.LOSSES.load("gone")

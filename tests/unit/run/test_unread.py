"""Keys that nothing reads, without torch."""

from pathlib import Path

import plugin
import project
import pytest

from compress.errors import InputError
from compress.run import checks


def problems(path: Path, *sets: str) -> list[str]:
    try:
        checks.load(path, sets)
    except InputError as error:
        return [str(problem).replace(f"{path.parent}/", "") for problem in error.problems]
    return []


@pytest.mark.parametrize(
    ("assignment", "keys"),
    [
        ("students.small.prune={hidden: 16, importance: fisher}", ["prune.importance"]),
        ("students.small.prune={vocabulary: {}, rows: 16, multiple: 4}", ["prune.multiple", "prune.rows"]),
        ("students.small.prune={embedding_rank: 8, refit: true, rearrange: false}", ["prune.rearrange", "prune.refit"]),
        ("students.small.distill.temperature=2", []),
        ("students.small.distill.losses={hard_label: 1}", []),
        (
            "students.small={use: one-layer, distill: {losses: {hard_label: 1}, temperature: 2}}",
            ["distill.temperature"],
        ),
        ("students.small.distill.relation_heads=4", ["distill.relation_heads"]),
        ("students.small.distill.relation_heads=null", []),
        ("students.small.distill.layer_mapping=uniform", ["distill.layer_mapping"]),
        ("students.small.distill.cache={budget_gb: 1}", ["distill.cache"]),
        ("students.small.distill={losses: {embedding: 1}, layer_mapping: last}", ["distill.layer_mapping"]),
        ("students.small.distill={losses: {embedding: 1}, cache: {budget_gb: 1}}", []),
        (
            "students.small.distill={layer_mapping: [0], phases: [{losses: {pkd: 1}}, {losses: {soft_label: 1}}]}",
            [],
        ),
        (
            "students.small.distill.phases=[{losses: {pkd: 1}, temperature: 3}, {layer_mapping: [0]}]",
            ["distill.phases.0.temperature", "distill.phases.1.layer_mapping"],
        ),
        (
            "students.small.distill={temperature: 3, phases: [{losses: {pkd: 1}}, {temperature: 4}]}",
            ["distill.temperature"],
        ),
    ],
)
def test_what_nothing_reads_is_refused(tmp_path: Path, assignment: str, keys: list[str]) -> None:
    found = problems(project.write(tmp_path), assignment)
    assert [line.split(": ")[1].removeprefix("students.small.") for line in found] == keys
    assert all("Leave it out, or " in line for line in found)


def test_what_a_card_says_may_be_idle(tmp_path: Path) -> None:
    path = project.write(tmp_path)
    card = tmp_path / "students" / "one-layer.yaml"
    more = "relation_heads: 4, layer_mapping: last, temperature: 2, cache: {budget_gb: 1}, epochs"
    card.write_text(card.read_text().replace("epochs", more))
    assert problems(path, "students.small.distill.losses={hard_label: 1}") == []
    text = path.read_text().replace(
        "use: one-layer", "use: one-layer\n    distill: {temperature: 3, losses: {hard_label: 1}}"
    )
    path.write_text(text)
    (found,) = problems(path)
    assert found == (
        "pipeline.yaml:11: students.small.distill.temperature: is read by none of the losses hard_label. "
        "Leave it out, or add a loss that reads it, such as `soft_label`."
    )


def test_a_third_partys_loss_may_read_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin.install(monkeypatch, tmp_path / "kit", "[compress.losses]\nodd = acme:odd\n", {})
    keys = "temperature: 3, relation_heads: 4, layer_mapping: last, cache: {budget_gb: 1}"
    assert problems(project.write(tmp_path), f"students.small.distill={{losses: {{odd: 1}}, {keys}}}") == []

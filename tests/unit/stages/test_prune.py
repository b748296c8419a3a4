"""What pruning removes is what was asked for, or an error before the recovery."""

from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from transformers import AutoTokenizer

from compress.config import settings
from compress.encoders import checkpoint
from compress.encoders.widths import shape_of
from compress.errors import InputError
from compress.files import read_json
from compress.registry import IMPORTANCE
from compress.report.structure import Structure
from compress.stages import gauge, prune
from compress.stages.build import size_bytes
from compress.stages.context import Context
from compress.training.history import History


def pruned(folder: Path, monkeypatch: pytest.MonkeyPatch, family: str = "bert", seed: int = 0, **asked: Any) -> Any:
    """`structure.json` of a tiny model of 2 layers, 4 heads and 64 neurons each; its recovery is only noted."""
    checkpoint.save(tiny.model(family), folder / "model")
    tiny.tokenizer(folder / "model")
    (folder / "rows.tsv").write_text("label\ttext\na\tthe good film\nb\ta dull film\nc\tlight on\n")
    more = "more.txt" if (folder / "more.txt").exists() else None
    data = settings.Data(train="rows.tsv", validation="rows.tsv", unlabelled=more)
    task = settings.Task(type="text-classification", data=data, max_length=16)
    student = settings.Student(use="tiny", prune=settings.Prune(**{"importance": "magnitude", "refit": False, **asked}))
    trained = []

    def learn(*_: object, **__: object) -> History:
        trained.append(True)
        return History(0, 0, 0, 0.0, "fp32")

    monkeypatch.setattr(prune, "learn", learn)
    context = Context("prune/tiny", folder / "out", folder, folder, seed, lambda done, total, note: None)
    (folder / "out").mkdir()
    needs = prune.Needs(folder / "model", None if asked.get("recover") is False else folder / "model")
    try:
        prune.prune(prune.Settings(task, student), needs, context)
    except InputError:
        assert not trained
        raise
    assert trained == ([True] if asked.get("recover") is not False else [])
    return read_json(folder / "out" / "structure.json")


def test_the_asked_and_the_removed_shares_are_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = pruned(tmp_path, monkeypatch, heads=0.5, neurons=0.76)
    assert found["shares"] == {
        "heads": {"asked": 0.5, "removed": 0.5},
        "neurons": {"asked": 0.76, "removed": 0.75},
    }
    assert sum(layer["neurons"] for layer in found["layers"]) == 32


@pytest.mark.parametrize(
    ("family", "share", "removed"), [("bert", 0.3, 0.25), ("bert", 0.3125, 0.375), ("albert", 0.4, 0.5)]
)
def test_rounding_to_a_whole_head_is_no_mistake(
    family: str, share: float, removed: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = pruned(tmp_path, monkeypatch, family, heads=share)
    assert found["shares"]["heads"] == {"asked": share, "removed": removed}


def test_a_target_is_recorded_with_what_was_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = pruned(tmp_path, monkeypatch, target={"parameters": 0.5}, multiple=4)
    assert found["target"] == {"kind": "parameters", "asked": 0.5, "reached": found["target"]["reached"], "rounds": 1}
    assert 0.45 < found["target"]["reached"] <= 0.5
    removed = {kind: share["removed"] for kind, share in found["shares"].items()}
    assert found["shares"] == {kind: {"asked": None, "removed": share} for kind, share in removed.items()}
    assert Structure.model_validate(found).target is not None


def test_a_speed_up_is_reached_by_what_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ratio(_works: Any, before: Any, after: Any, *_: Any) -> float:
        """As if a call took the time that it takes to read the weights."""
        return size_bytes(after[0] / "model.safetensors") / size_bytes(before[0] / "model.safetensors")

    monkeypatch.setattr(gauge._Works, "ratio", ratio)
    found = pruned(tmp_path, monkeypatch, target={"speedup": 1.3, "on": "pytorch-fp32"}, multiple=4)
    facts = {"kind": "speedup", "asked": 1.3, "on": "pytorch-fp32", "batch": 1, "threads": 1}
    assert facts.items() <= found["target"].items()
    assert found["target"]["reached"] == pytest.approx(1.3, rel=0.05)
    assert found["target"]["sequence"] >= 4
    assert len(list((tmp_path / "runs" / ".cache" / "latency").iterdir())) == 1


def test_shares_that_cannot_be_reached_are_refused_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError) as caught:
        pruned(tmp_path, monkeypatch, heads=0.99, neurons=0.9, multiple=16)
    assert str(caught.value).splitlines() == [
        "students.tiny.prune.heads: 0.99 of all heads was asked for, 0.75 is the nearest that can be removed: "
        "every layer keeps a head. Give 0.75.",
        "students.tiny.prune.neurons: 0.9 of all neurons was asked for, 0.75 is the nearest that can be removed: "
        "with `multiple: 16` a layer that is cut keeps a multiple of 16 neurons. Give 0.75, or a smaller `multiple`.",
    ]


@pytest.mark.parametrize(("multiple", "near"), [(64, "0"), (128, "0"), (32, "0.25")])
def test_steps_that_are_too_coarse_are_refused(
    multiple: int, near: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        InputError, match=rf"0.3 of all neurons was asked for, {near} is the nearest .*smaller `multiple`"
    ):
        pruned(tmp_path, monkeypatch, neurons=0.3, multiple=multiple)


def test_the_recovery_learns_as_the_distillation_did() -> None:
    distill = settings.Distill(
        losses={"soft_label": {"from": 0, "to": 1, "shape": "cosine"}, "minilm_relation": 2},
        layer_mapping=(None, 1),
        temperature={"from": 4, "to": 1},
        relation_heads=4,
        epochs=7,
    )
    found = prune._learning(distill, settings.Prune(heads=0.5, recover={"epochs": 2}))  # type: ignore[arg-type]
    assert found is not None
    assert (found.losses, found.temperature, found.layer_mapping) == (distill.losses, distill.temperature, (None, 1))
    assert (found.relation_heads, found.epochs) == (4, 2)


def test_between_several_cuts_the_same_is_learned() -> None:
    asked = {"heads": 0.5, "steps": 3, "between": {"epochs": 0.25, "learning_rate": 1e-4}, "recover": {"epochs": 2}}
    distill = settings.Distill(losses={"hidden_state": 1}, batch_size=4)
    found = prune._learning(distill, settings.Prune.model_validate(asked))
    assert found is not None
    assert [(each.epochs, each.learning_rate) for each in found.trainings] == [(0.25, 1e-4), (0.25, 1e-4), (2, 5e-5)]
    assert [(dict(each.losses), each.batch_size) for each in found.trainings] == [({"hidden_state": 1}, 32)] * 3
    found = prune._learning(distill, settings.Prune.model_validate({**asked, "recover": False}))
    assert found is not None
    assert [each.epochs for each in found.trainings] == [0.25, 0.25]


@pytest.mark.parametrize(
    ("phases", "own", "expected"),
    [
        ([], None, "int8"),
        ([], False, False),
        ([{}, {"fake_quantize": False}], None, False),
        ([{}, {"fake_quantize": False}], "int8", "int8"),
    ],
)
def test_the_recovery_rounds_as_the_last_phase_unless_it_says_itself(
    phases: list[dict[str, object]], own: object, expected: object
) -> None:
    distill = settings.Distill.model_validate({"fake_quantize": "int8", "phases": tuple(phases)})
    found = prune._learning(distill, settings.Prune.model_validate({"heads": 0.5, "recover": {"fake_quantize": own}}))
    assert found is not None
    assert found.fake_quantize == expected


def test_without_recovery_nothing_is_trained_and_the_history_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pruned(tmp_path, monkeypatch, heads=0.5, recover=False)
    history = read_json(tmp_path / "out" / "history.json")
    assert (history["steps"], history["rows"], history["epochs"]) == (0, 0, [])


@pytest.mark.parametrize("importance", IMPORTANCE.names())
def test_every_score_cuts_and_the_refit_comes_nearer_to_the_uncut_model(
    importance: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apart = []
    for name in ("plain", "fitted"):
        (tmp_path / name).mkdir()
        asked = {"heads": 0.25, "neurons": 0.25, "recover": False, "importance": importance}
        pruned(tmp_path / name, monkeypatch, refit=name == "fitted", **asked)
        before, after = (checkpoint.load(tmp_path / name / folder) for folder in ("model", "out"))
        ids = torch.tensor([[2, 63, 66, 65, 3]])
        with torch.no_grad():
            apart.append(float((before(input_ids=ids).logits - after(input_ids=ids).logits).norm()))
    assert apart[1] < apart[0]


def test_the_random_control_follows_the_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for seed, name in ((0, "one"), (0, "two"), (1, "three")):
        (tmp_path / name).mkdir()
        pruned(tmp_path / name, monkeypatch, seed=seed, heads=0.5, recover=False, importance="random")
        found.append(read_json(tmp_path / name / "out" / "config.json")["compress"]["heads"])
    assert found[0] == found[1] != found[2]


def test_rearranged_heads_are_as_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = pruned(tmp_path, monkeypatch, heads=0.5, neurons=0.5, importance="fisher", rearrange=True)
    assert found["shares"]["heads"]["removed"] == 0.5
    assert found["shares"]["neurons"]["removed"] == 0.5


def test_recover_is_a_group_of_keys_or_false() -> None:
    assert settings.Prune(heads=0.5, recover=False).recover is None  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"recover\n"):
        settings.Prune(heads=0.5, recover=True)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"recover\.epochs\n"):
        settings.Prune(heads=0.5, recover={"epochs": 0})  # type: ignore[arg-type]


def test_tokens_can_be_all_that_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = pruned(tmp_path, monkeypatch, vocabulary={"min_frequency": 1})
    letters = 2 * 26 + len([".", ","]) + 5  # single characters, special tokens; of the words, those of the rows
    seen = {"the", "good", "film", "dull", "light", "on"}
    whole = len(AutoTokenizer.from_pretrained(tmp_path / "model"))
    assert found["vocabulary"] == {"before": whole, "after": letters + len(seen), "train": 1, "validation": 1}
    assert found["layers"] == [{"heads": 4, "neurons": 64}] * 2
    assert checkpoint.load(tmp_path / "out").config.vocab_size == letters + len(seen)
    assert len(AutoTokenizer.from_pretrained(tmp_path / "out")) == letters + len(seen)


def test_tokens_of_unlabelled_rows_are_kept_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "more.txt").write_text("a very great movie\n")
    found = pruned(tmp_path, monkeypatch, vocabulary={"min_frequency": 1})
    kept = set(AutoTokenizer.from_pretrained(tmp_path / "out").get_vocab())
    assert kept.issuperset({"film", "very", "great", "movie"})
    assert kept.isdisjoint({"turn", "bad"})
    assert found["vocabulary"]["after"] == len(kept)


def test_a_size_that_cannot_be_is_refused_before_the_recovery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"^students\.tiny\.prune\.vocabulary: the tokenizer has 7. tokens"):
        pruned(tmp_path, monkeypatch, vocabulary={"size": 90})


@pytest.mark.parametrize("family", ["bert", "albert"])
def test_widths_of_the_whole_model_are_cut_and_recorded(
    family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = pruned(tmp_path, monkeypatch, family, hidden=20, embedding_rank=6, heads=0.5)
    before = 16 if family == "albert" else 32
    assert found["widths"] == {"hidden": {"before": 32, "after": 20}, "embedding_rank": {"before": before, "after": 6}}
    assert found["shares"]["heads"] == {"asked": 0.5, "removed": 0.5}
    made = checkpoint.load(tmp_path / "out")
    assert shape_of(made.config).hidden == 20
    assert made.get_input_embeddings().weight.shape == (100, 6)


def test_a_width_alone_can_be_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = pruned(tmp_path, monkeypatch, hidden=20)
    assert found["widths"] == {"hidden": {"before": 32, "after": 20}}
    assert {layer["heads"] for layer in found["layers"]} == {4}


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"hidden": 32}, "students.tiny.prune.hidden: its hidden states are 32 wide, so they cannot be cut to 32"),
        (
            {"hidden": 20, "embedding_rank": 20},
            "students.tiny.prune.embedding_rank: its word embeddings are of rank 20",
        ),
    ],
)
def test_widths_that_are_not_smaller_are_refused(
    asked: dict[str, int], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=message):
        pruned(tmp_path, monkeypatch, **asked)


def test_everything_is_cut_in_one_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {"vocabulary": {"min_frequency": 1}, "hidden": 20, "embedding_rank": 6, "heads": 0.5, "neurons": 0.5}
    found = pruned(tmp_path, monkeypatch, **asked)
    made, tokens = checkpoint.load(tmp_path / "out"), found["vocabulary"]["after"]
    assert set(found["widths"]) == {"hidden", "embedding_rank"}
    assert made.get_input_embeddings().weight.shape == (tokens, 6)
    assert made.config.vocab_size == tokens == len(AutoTokenizer.from_pretrained(tmp_path / "out"))
    assert sum(shape_of(made.config).heads) == 4


def test_whole_blocks_may_go_for_a_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "whole").mkdir()
    found = pruned(tmp_path / "whole", monkeypatch, target={"flops": 0.1}, blocks=True)
    assert 0 in [layer[kind] for layer in found["layers"] for kind in ("heads", "neurons")]
    assert 0.05 < found["target"]["reached"] <= 0.1
    with pytest.raises(InputError, match=r"target\.flops: 0\.1 was asked for, .* is the least .* or `blocks: true`"):
        pruned(tmp_path, monkeypatch, target={"flops": 0.1})


ASKED = {
    "shares": {"heads": 0.5, "neurons": 0.75},
    "flops": {"target": {"flops": 0.4}, "multiple": 4},
    "no recovery": {"neurons": 0.75, "recover": False},
}


def gradually(folder: Path, asked: dict[str, Any], name: str = "out", notify: Any = lambda *_: None) -> Path:
    """A tiny student cut in three steps, with true trainings between them."""
    if not (folder / "model").exists():
        checkpoint.save(tiny.model(), folder / "model")
        tiny.tokenizer(folder / "model")
        texts = ["the good film", "a dull film", "light on", "the light film on a dull day"] * 4
        lines = [f"{'ab'[number % 2]}\t{text}\n" for number, text in enumerate(texts)]
        (folder / "rows.tsv").write_text("label\ttext\n" + "".join(lines))
    data = settings.Data(train="rows.tsv", validation="rows.tsv")
    task = settings.Task(type="text-classification", data=data, max_length=16)
    learning = {"batch_size": 4, "learning_rate": 1e-3, "checkpoint_steps": 1}
    given = {"steps": 3, "between": learning, "recover": learning, "rows": 8, **asked}
    distill = settings.Distill(losses={"soft_label": 1, "hidden_state": 1})
    student = settings.Student(use="tiny", prune=settings.Prune.model_validate(given), distill=distill)
    work = folder / f"work-{name}"
    work.mkdir(exist_ok=True)
    (folder / name).mkdir(exist_ok=True)
    context = Context("prune/tiny", folder / name, work, folder, 0, notify)
    prune.prune(prune.Settings(task, student), prune.Needs(folder / "model", folder / "model"), context)
    return folder / name


@pytest.mark.parametrize("kind", ASKED)
def test_a_way_in_steps_is_gone_on_bit_for_bit(kind: str, tmp_path: Path) -> None:
    told: list[str] = []
    whole = gradually(tmp_path, ASKED[kind], notify=lambda _done, _total, note: told.append(note))
    steps = [read_json(tmp_path / "work-out" / f"cut-{number}" / "complete.seal") for number in (1, 2, 3)]
    history = read_json(whole / "history.json")
    expected = [2, 2] if kind == "no recovery" else [2, 2, 4]
    assert [phase["steps"] for phase in history["phases"]] == expected
    assert history["steps"] == sum(expected)
    structure = read_json(whole / "structure.json")
    assert Structure.model_validate(structure)
    assert structure["target"] == steps[-1]["target"]
    widths = [shape_of(checkpoint.load(tmp_path / "work-out" / f"cut-{number}").config) for number in (1, 2, 3)]
    left = [sum(shape.heads) / 8 + sum(shape.intermediate) / 128 for shape in widths]
    assert left == sorted(left, reverse=True)
    if kind == "shares":
        # Of 8 heads and 128 neurons 0.5 and 0.75 of the way's 19/27, 26/27 and all are gone.
        assert [sum(shape.heads) for shape in widths] == [5, 4, 4]
        assert [sum(shape.intermediate) for shape in widths] == [64, 32, 32]
        assert structure["shares"]["neurons"] == {"asked": 0.75, "removed": 0.75}
    if kind == "flops":
        reached = [step["target"]["reached"] for step in steps]
        assert reached == pytest.approx([0.578, 0.422, 0.4], abs=0.05)
        assert [step["target"]["rounds"] for step in steps[:2]] == [1, 1]
        assert structure["target"]["asked"] == 0.4
    for stop in (len(told) // 2, len(told) - 2):
        name, count = f"stopped-{stop}", 0

        def interrupt(_done: int, _total: int, _note: str, stop: int = stop) -> None:
            nonlocal count
            count += 1
            if count == stop:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            gradually(tmp_path, ASKED[kind], name, interrupt)
        again = gradually(tmp_path, ASKED[kind], name)
        for file in ("model.safetensors", "config.json", "history.json", "structure.json"):
            assert (again / file).read_bytes() == (whole / file).read_bytes()


def test_a_cut_that_was_half_written_is_made_again(tmp_path: Path) -> None:
    whole = gradually(tmp_path, ASKED["no recovery"])
    torn = tmp_path / "work-torn" / "cut-1"
    torn.mkdir(parents=True)
    (torn / "model.safetensors").write_bytes(b"half")
    again = gradually(tmp_path, ASKED["no recovery"], "torn")
    assert (again / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_a_share_that_the_last_step_would_miss_is_refused_at_the_first(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^students\.tiny\.prune\.heads: 0\.99 of all heads was asked for, 0\.75 is"):
        gradually(tmp_path, {"heads": 0.99})
    assert not (tmp_path / "work-out" / "cut-1").exists()


def test_the_rest_is_made_smaller_before_the_first_step(tmp_path: Path) -> None:
    asked = {"vocabulary": {"min_frequency": 1}, "hidden": 20, "embedding_rank": 6, "neurons": 0.75}
    out = gradually(tmp_path, asked)
    for folder in (tmp_path / "work-out" / "cut-1", out):
        made = checkpoint.load(folder)
        assert shape_of(made.config).hidden == 20
        assert made.get_input_embeddings().weight.shape[1] == 6
    assert sum(shape_of(made.config).intermediate) == 32
    assert read_json(out / "structure.json")["vocabulary"]["after"] == made.config.vocab_size

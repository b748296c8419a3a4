"""The weighted sum of losses between a student and its teacher."""

import copy
from typing import Any

import pytest
import tiny
import torch
from torch import Tensor

from compress.config.settings import Architecture, Distill
from compress.encoders.families import FAMILIES
from compress.encoders.family import unread
from compress.encoders.modules import layers
from compress.encoders.surgery import Masks, cut
from compress.encoders.widths import configured
from compress.errors import InputError, UnknownName
from compress.mappings import Matrix
from compress.registry import LOSSES, MAPPINGS
from compress.training.heads import common_heads
from compress.training.matching import mapped
from compress.training.objective import Distillation

ALL = dict.fromkeys(LOSSES.names(), 1.0)
LABELS = torch.tensor([0, 1, 2])


def settings(**changes: object) -> Distill:
    return Distill(**{"losses": ALL, **changes})


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("family", sorted(FAMILIES))
@pytest.mark.parametrize("hidden", [32, 16])
def test_every_family_learns_by_every_loss(family: str, hidden: int) -> None:
    student, teacher = tiny.model(family, layers=2, hidden=hidden, seed=1), tiny.model(family, layers=4)
    before = copy.deepcopy(teacher.state_dict())
    losses = {name: 1.0 for name in ALL if not unread(FAMILIES[family], name, LOSSES.load(name).reads)}
    objective = Distillation(student, teacher, settings(losses=losses)).train()
    result = objective(**tiny.batch(student), labels=LABELS)
    result["loss"].backward()
    assert set(result["parts"]) == set(losses)
    assert all(part.isfinite() and part > 0 for part in result["parts"].values())
    torch.testing.assert_close(result["loss"], sum(result["parts"].values()), check_dtype=False)
    gradients = {name for name, weight in objective.named_parameters() if weight.grad is not None}
    assert {name.split(".")[0] for name in gradients} == {"student"} | (
        {"projections", "embedding_projection"} if hidden == 16 else set()
    )
    first = [weight for name, weight in layers(student)[0].named_parameters() if "weight" in name]
    assert first
    assert all(weight.grad is not None for weight in first)
    assert all(weight.grad is None for weight in teacher.parameters())
    assert not teacher.training
    assert same(before, teacher.state_dict())
    assert not any("teacher" in name for name in objective.state_dict())


def test_losses_on_the_inside_of_attention_that_cannot_be_read_are_refused_one_by_one() -> None:
    model = tiny.model("xlnet")
    with pytest.raises(InputError, match="cannot read the attention of xlnet: its queries") as caught:
        Distillation(model, model, settings())
    assert [problem.what.split()[2] for problem in caught.value.problems] == ["attention", "minilm_relation"]


def test_the_sentence_is_the_token_that_the_head_reads() -> None:
    """All of a row moved but its last token: to `pkd` nothing is missing, to `hidden_state` there is."""
    teacher = tiny.model("xlnet")
    own, rows = settings(losses={"pkd": 1.0, "hidden_state": 1.0}, layer_mapping=(0, 1)), tiny.batch(teacher)
    objective = Distillation(still(copy.deepcopy(teacher)), teacher, own).train()

    def elsewhere(_module: object, _args: object, output: Any) -> Any:
        moved = output[0].clone()
        moved[:-1] += 1
        return (moved, *output[1:])

    layers(objective.student)[1].register_forward_hook(elsewhere)
    found = objective(**rows, labels=LABELS)["parts"]
    assert found["pkd"] < 1e-5
    assert found["hidden_state"] > 0.1


@pytest.mark.parametrize("name", sorted(ALL))
def test_a_copy_of_the_teacher_has_nothing_to_learn(name: str) -> None:
    teacher = tiny.model()
    student = copy.deepcopy(teacher)
    still(student)  # or in training mode it is no copy
    objective = Distillation(student, teacher, settings(losses={name: 1.0}, layer_mapping=(0, 1))).train()
    with torch.no_grad():
        loss = objective(**tiny.batch(student), labels=LABELS)["loss"]
    assert loss > 0.1 if name == "hard_label" else loss < 1e-5


def test_narrower_students_get_one_projection_a_layer_the_same_for_a_seed() -> None:
    student, teacher = tiny.model(hidden=16), tiny.model(layers=4)
    one, same_seed, other = (Distillation(student, teacher, settings(), seed=seed) for seed in (1, 1, 2))
    assert [tuple(layer.weight.shape) for layer in one.projections] == [(32, 16), (32, 16)]
    assert same(one.projections.state_dict(), same_seed.projections.state_dict())
    assert not same(one.projections.state_dict(), other.projections.state_dict())
    assert not list(Distillation(tiny.model(), teacher, settings()).projections.parameters())


def test_hooks_are_set_only_for_what_is_read() -> None:
    student, teacher = tiny.model(), tiny.model()
    for losses, inner in (
        ({"soft_label": 1, "hard_label": 1}, set()),
        ({"cosine": 1}, {"hidden_states"}),
        ({"attention": 1, "embedding": 1}, {"attention_scores", "embeddings"}),
        ({"minilm_relation": 1, "rkd": 1}, {"relations", "sentence"}),
    ):
        objective = Distillation(student, teacher, settings(losses=losses))
        assert {name for name, wanted in objective.inner.items() if wanted} == inner


def test_the_sum_is_weighted_and_the_temperature_passed_on() -> None:
    student, teacher = tiny.model(seed=1).eval(), tiny.model()
    batch = tiny.batch(student)
    objective = Distillation(student, teacher, settings(losses={"soft_label": 3.0, "logit_mse": 0.5}, temperature=4.0))
    torch.manual_seed(0)
    result = objective.train()(**batch)
    parts = result["parts"]
    torch.testing.assert_close(result["loss"], 3 * parts["soft_label"] + parts["logit_mse"] / 2)
    with torch.no_grad():
        expected = LOSSES.load("soft_label")(result["logits"], teacher(**batch).logits, temperature=4.0)
    torch.testing.assert_close(parts["soft_label"], expected)


def test_stored_logits_replace_the_teacher() -> None:
    student, teacher = tiny.model(seed=1), tiny.model()
    teacher.forward = None  # a call would fail
    stored = torch.randn(10, 3, generator=torch.Generator().manual_seed(0))
    objective = Distillation(student, teacher, settings(losses={"logit_mse": 1}), teacher_logits=stored).train()
    index = torch.tensor([7, 0, 3])
    result = objective(**tiny.batch(student), index=index)
    torch.testing.assert_close(result["loss"], LOSSES.load("logit_mse")(result["logits"], stored[index]))
    with pytest.raises(InputError, match="needs `index`"):
        objective(**tiny.batch(student))
    Distillation(student, None, settings(losses={"logit_mse": 1}), teacher_logits=stored)


def test_a_teacher_of_other_numbers_reads_translated_tokens() -> None:
    teacher = tiny.model()
    student, random = copy.deepcopy(teacher), torch.Generator().manual_seed(0)
    numbers = torch.randperm(tiny.VOCABULARY, generator=random)
    word = student.get_input_embeddings()
    word.weight.data = word.weight.data[numbers]  # the student's token i is the teacher's token numbers[i]
    for module in student.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    for layer in student.bert.encoder.layer:
        layer.attention.self.dropout.p = 0.0
    batch = tiny.batch(teacher)
    asked = settings(losses={"hidden_state": 1, "attention": 1, "logit_mse": 1}, layer_mapping=(0, 1))
    same = Distillation(student, teacher, asked, translate=numbers).train()
    with torch.no_grad():
        assert same(**batch)["loss"] < 1e-9
        assert Distillation(student, teacher, asked).train()(**batch)["loss"] > 0.1
    assert "translate" not in same.state_dict()
    student.config.vocab_size = 50
    Distillation(student, teacher, asked, translate=numbers)


def test_in_eval_mode_the_student_answers_alone() -> None:
    student, teacher = tiny.model(seed=1), tiny.model()
    objective = Distillation(student, teacher, settings()).eval()
    teacher.forward = None
    batch = tiny.batch(student)
    with torch.no_grad():
        torch.testing.assert_close(objective(**batch)["logits"], student(**batch).logits)


def test_a_teacher_of_another_family_gets_the_inputs_it_takes() -> None:
    student, teacher = tiny.model("distilbert", seed=1), tiny.model("bert")
    seen = {}
    teacher.register_forward_pre_hook(lambda _module, _args, inputs: seen.update(inputs), with_kwargs=True)
    objective = Distillation(student, teacher, settings()).train()
    objective(**tiny.batch(teacher), labels=LABELS)
    assert set(seen) == {"input_ids", "attention_mask", "token_type_ids"}


def test_heads_kept_by_both_are_compared_by_their_first_number() -> None:
    teacher = tiny.model(heads=4)
    kept = torch.tensor([True, False, True, False])
    full = Masks.full(teacher)
    pruned = cut(teacher, Masks((kept, ~kept), full.neurons))
    assert common_heads(pruned.config, teacher.config, 0, 1) == ([0, 1], [0, 2])
    assert common_heads(pruned.config, teacher.config, 1, 1) == ([0, 1], [1, 3])
    assert common_heads(teacher.config, pruned.config, 0, 1) == ([1, 3], [0, 1])
    assert common_heads(pruned.config, pruned.config, 0, 1) is None
    narrow = configured(teacher.config, Architecture(heads=2))
    assert common_heads(narrow, teacher.config, 0, 0) is None


@pytest.mark.parametrize("heads", [2, 4])
def test_the_attention_loss_of_cut_and_of_fewer_heads(heads: int) -> None:
    teacher = tiny.model(heads=4)
    student = copy.deepcopy(teacher) if heads == 4 else tiny.model(heads=heads, seed=1)
    full = Masks.full(student)
    first = torch.arange(heads) != 1
    student = cut(student, Masks((first, *full.heads[1:]), full.neurons))
    objective = Distillation(student, teacher, settings(losses={"attention": 1.0}, layer_mapping=(0, 0))).train()
    loss = objective(**tiny.batch(student))["loss"]
    loss.backward()
    assert loss.isfinite()
    assert student.bert.encoder.layer[0].attention.self.query.weight.grad.abs().sum() > 0


def test_layers_are_mapped_by_name_or_list() -> None:
    assert mapped("uniform", 2, 4) == (1, 3)
    assert mapped("last", 2, 4) == (2, 3)
    assert mapped((0, 0), 2, 4) == (0, 0)
    assert mapped((None, 3), 2, 4) == (None, 3)
    with pytest.raises(InputError, match="`start` needs a student that starts"):
        mapped("start", 2, 4)
    with pytest.raises(InputError, match="does not have"):
        mapped((0, 4), 2, 4)
    with pytest.raises(InputError, match="the list itself"):
        mapped("explicit", 2, 4)
    with pytest.raises(UnknownName, match="Did you mean `uniform`"):
        mapped("unifrom", 2, 4)


def test_what_does_not_fit_is_told_at_once() -> None:
    student, teacher = tiny.model(labels=2), tiny.model(labels=3)
    teacher.config.vocab_size = 50
    with pytest.raises(InputError) as caught:
        Distillation(student, teacher, settings(losses={"soft_label": 1}, label_smoothing=0.1))
    assert [problem.what.split(":")[0].split(",")[0] for problem in caught.value.problems] == [
        "the student reads 100 tokens",
        "the student has 2 labels",
        "`label_smoothing",
    ]
    with pytest.raises(UnknownName, match="soft_label"):
        Distillation(student, teacher, settings(losses={"softlabel": 1}))
    with pytest.raises(InputError, match="need the teacher"):
        Distillation(student, None, settings(losses={"embedding": 1}))
    with pytest.raises(InputError, match="hard_label reads labels"):
        Distillation(student, None, settings(losses={"hard_label": 1})).train()(**tiny.batch(student))


@pytest.mark.parametrize("loss", ["hidden_state", "attention", "minilm_relation"])
def test_a_mapping_that_reads_costs_weighs_the_losses_of_the_pairs(loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    student, teacher, seen = still(tiny.model(seed=1)), tiny.model(layers=3), []

    def blend(costs: Matrix) -> Matrix:
        seen.append(costs)
        return [[0.5, 0.5, 0.0], [0.0, 0.25, 0.75]]

    blend.reads = "costs"  # type: ignore[attr-defined]
    found = MAPPINGS.load
    monkeypatch.setattr(MAPPINGS, "load", lambda name: blend if name == "blend" else found(name))
    batch = tiny.batch(student)
    whole = Distillation(student, teacher, settings(losses={loss: 1.0}, layer_mapping="blend")).train()
    part = whole(**batch)["parts"][loss]
    pairs = torch.tensor([[alone(student, teacher, loss, own, other, batch) for other in range(3)] for own in range(2)])
    torch.testing.assert_close(torch.tensor(seen[0]), pairs)
    torch.testing.assert_close(part, (pairs * torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.25, 0.75]])).sum())


def alone(student: Any, teacher: Any, loss: str, own: int, other: int, batch: dict[str, Tensor]) -> float:
    """The loss of one pair of layers, the other student layers learning from none."""
    rule = [other if layer == own else None for layer in range(2)]
    objective = Distillation(student, teacher, settings(losses={loss: 1.0}, layer_mapping=rule)).train()
    return float(objective(**batch)["loss"].item())


def still(model: Any) -> Any:
    """A model without dropout."""
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    for layer in model.bert.encoder.layer if model.config.model_type == "bert" else ():
        layer.attention.self.dropout.p = 0.0
    return model


@pytest.mark.parametrize("rule", ["dynamic", "emd"])
@pytest.mark.parametrize("family", ["bert", "albert"])
def test_layers_that_are_chosen_by_the_batch_are_learned_from(rule: str, family: str) -> None:
    student, teacher = tiny.model(family, hidden=16, seed=1), tiny.model(family, layers=4)
    objective = Distillation(student, teacher, settings(layer_mapping=rule)).train()
    result = objective(**tiny.batch(student), labels=LABELS)
    result["loss"].backward()
    assert all(part.dim() == 0 and part > 0 for part in result["parts"].values())
    assert all(layer.weight.grad.abs().sum() > 0 for layer in objective.projections)


def test_a_layer_that_learns_from_none_gets_no_projection() -> None:
    student, teacher = tiny.model(hidden=16, seed=1), tiny.model(layers=4)
    objective = Distillation(student, teacher, settings(losses={"pkd": 1.0}, layer_mapping=(3, None))).train()
    assert [isinstance(layer, torch.nn.Identity) for layer in objective.projections] == [False, True]
    assert objective.teacher_layers == {3}
    objective(**tiny.batch(student))["loss"].backward()
    assert student.bert.encoder.layer[0].output.dense.weight.grad.abs().sum() > 0
    assert student.bert.encoder.layer[1].output.dense.weight.grad is None


@pytest.mark.parametrize("asked", [None, 4])
def test_the_relations_of_cut_heads_are_compared_with_those_of_the_same_heads(asked: int | None) -> None:
    teacher = tiny.model(heads=4)
    full = Masks.full(teacher)
    student = still(cut(teacher, Masks((torch.arange(4) != 1, *full.heads[1:]), full.neurons)))
    how = settings(losses={"minilm_relation": 1.0}, layer_mapping=(0, None), relation_heads=asked)
    with torch.no_grad():
        loss = Distillation(student, teacher, how).train()(**tiny.batch(student))["loss"]
    assert loss < 1e-5  # of 24 dimensions: the three heads that are left answer as they did


def test_relation_heads_that_divide_no_width_are_refused() -> None:
    student, teacher = tiny.model(hidden=16), tiny.model(hidden=32)
    how = settings(losses={"minilm_relation": 1.0}, relation_heads=32)
    with pytest.raises(InputError, match="`relation_heads: 32` does not divide the student's width, 16"):
        Distillation(student, teacher, how)
    Distillation(student, teacher, settings(losses={"hidden_state": 1.0}, relation_heads=32))


def test_weights_and_temperature_move_with_the_training() -> None:
    student, teacher = still(tiny.model(seed=1)), tiny.model()
    moving = {
        "soft_label": {"from": 0, "to": 2},
        "logit_mse": 1.0,
        "hard_label": {"from": 1, "to": 0, "shape": "cosine"},
    }
    objective = Distillation(student, teacher, settings(losses=moving, temperature={"from": 4, "to": 1})).train()
    assert objective.scheduled == {"losses.soft_label": 0.0, "temperature": 4.0, "losses.hard_label": 1.0}
    batch = tiny.batch(student)
    for share, soft, hard, temperature in ((0.0, 0.0, 1.0, 4.0), (0.25, 0.5, 0.8535534, 3.25), (1.0, 2.0, 0.0, 1.0)):
        objective.advance(share)
        result = objective(**batch, labels=LABELS)
        parts = result["parts"]
        torch.testing.assert_close(
            result["loss"], soft * parts["soft_label"] + parts["logit_mse"] + hard * parts["hard_label"]
        )
        expected = LOSSES.load("soft_label")(result["logits"], teacher(**batch).logits, temperature=temperature)
        torch.testing.assert_close(parts["soft_label"], expected.detach())
    assert Distillation(student, teacher, settings()).scheduled == {}


def test_a_layer_without_heads_learns_no_attention_and_the_rest_as_ever() -> None:
    teacher = tiny.model()
    full = Masks.full(teacher)
    none, every = torch.zeros(4, dtype=torch.bool), torch.ones(4, dtype=torch.bool)
    losses = {}
    for name, heads in (("whole", (every, every)), ("first gone", (none, every)), ("both gone", (none, none))):
        student = cut(teacher, Masks(heads, full.neurons))
        objective = Distillation(student, teacher, settings()).train()
        result = objective(**tiny.batch(student), labels=LABELS)
        result["loss"].backward()
        assert all(part.isfinite() for part in result["parts"].values())
        losses[name] = result["parts"]
    assert losses["both gone"]["attention"] == 0
    assert losses["first gone"]["attention"] > 0
    assert losses["first gone"]["hidden_state"] > 0


@pytest.mark.parametrize("loss", ["attention", "minilm_relation"])
def test_where_no_head_is_left_there_is_nothing_to_learn(loss: str) -> None:
    teacher = tiny.model()
    full = Masks.full(teacher)
    without = torch.zeros(4, dtype=torch.bool)
    student = cut(teacher, Masks((without, full.heads[1]), full.neurons))
    bare = cut(teacher, Masks((without, without), full.neurons))
    Distillation(student, teacher, settings(losses={loss: 1.0}))
    assert Distillation(bare, teacher, settings(losses={loss: 1.0, "logit_mse": 1.0})).live
    for own, mapping in ((bare, "uniform"), (bare, "dynamic"), (student, (0, None))):
        with pytest.raises(
            InputError, match=f"no layer that learns has attention heads left, and {loss} reads nothing"
        ):
            Distillation(own, teacher, settings(losses={loss: 1.0}, layer_mapping=mapping))

"""Shapes that do not fit, without torch."""

import json
from pathlib import Path

import plugin
import project
import pytest

from compress.errors import InputError
from compress.run import checks

BERT = {
    "model_type": "bert",
    "hidden_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "intermediate_size": 96,
    "max_position_embeddings": 64,
}

SCRATCH = (
    "{{scratch: {{family: {}, max_positions: {}, architecture: {{layers: 1, hidden: 8, heads: 2, intermediate: 8}}}}}}"
)


def folder(path: Path, **changes: object) -> str:
    """A model folder whose weights nobody reads."""
    path.mkdir()
    (path / "config.json").write_text(json.dumps(BERT | changes))
    (path / "model.safetensors").write_bytes(b"")
    return str(path)


def problems(path: Path, *sets: str) -> list[str]:
    try:
        checks.load(path, sets)
    except InputError as error:
        return [str(problem).replace(f"{path.parent}/", "") for problem in error.problems]
    return []


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        (
            "students.small.distill.layer_mapping=[0, 1]",
            "layer_mapping: lists 2 teacher layers for a student of 1 layers.",
        ),
        (
            "students.small.distill.layer_mapping=[2]",
            "layer_mapping.0: the teacher has no layer 2. Its 2 layers are 0 to 1.",
        ),
        (
            "students.small={use: one-layer, architecture: {layers: 3}, distill: {layer_mapping: last}}",
            "students.small.distill.layer_mapping: layer mapping `last`: a student of 3 layers and a teacher of 2.",
        ),
        (
            "students.small={use: one-layer, architecture: {layers: 2}, distill: {layer_mapping: [null, 2]}}",
            "layer_mapping.1: the teacher has no layer 2.",
        ),
        ("students.small.distill.layer_mapping=[null]", "layer_mapping: lets no layer learn."),
        (
            "students.small={use: one-layer, architecture: {layers: 3}, distill: {layer_mapping: first}}",
            "students.small.distill.layer_mapping: layer mapping `first`: a student of 3 layers and a teacher of 2.",
        ),
        (
            "students.small={use: one-layer, start: random, distill: {layer_mapping: start}}",
            "students.small.distill.layer_mapping: `start` needs a student that starts from its teacher's layers.",
        ),
        (
            "students.small={use: one-layer, start: random, start_layers: measured}",
            "students.small.start_layers: `start: random` takes no layers.",
        ),
        (
            "students.small={use: one-layer, architecture: {layers: 3}, start_layers: measured}",
            "students.small.start_layers: a student of 3 layers cannot start from a choice of 2.",
        ),
        (
            "students.narrow={use: thin, distill: {losses: {minilm_relation: 1}, relation_heads: 32}}",
            "distill.relation_heads: 32 does not divide the student's width, 16.",
        ),
        (
            "students.narrow={use: thin, distill: {relation_heads: 5, phases: [{}, {losses: {minilm_relation: 1}}]}}",
            "students.narrow.distill.relation_heads: 5 does not divide the student's width, 16.",
        ),
        (
            "students.narrow={use: thin, distill: {phases: [{losses: {minilm_relation: 1}, relation_heads: 32}]}}",
            "students.narrow.distill.phases.0.relation_heads: 32 does not divide the student's width, 16.",
        ),
        (
            "students.small={use: one-layer, start: random, distill: {phases: [{layer_mapping: start}]}}",
            "distill.phases.0.layer_mapping: `start` needs a student",
        ),
        ("students.small.start_layers=[0, 1]", "start_layers: lists 2 teacher layers for a student of 1 layers."),
        ("students.small.start_layers=[]", "start_layers: lists 0 teacher layers for a student of 1 layers."),
        ("students.small.start_layers=[7]", "start_layers.0: the teacher has no layer 7."),
        (
            "students.narrow.architecture.hidden=18",
            "architecture.hidden: `hidden: 18` is not a multiple of `heads: 4`.",
        ),
        ("students.small.architecture.heads=5", "architecture.heads: `hidden: 32` is not a multiple of `heads: 5`."),
        ("students.narrow.architecture.hidden=64", "architecture.hidden: a student of width 64 cannot take"),
        ("students.narrow={use: thin, start: pca, architecture: {hidden: 64}}", "Give at most 32, or `start: random`."),
        ("students.narrow={use: thin, start: layers, architecture: {hidden: 64}}", "a student of width 64 cannot take"),
        (
            "students.narrow.start=layers",
            "thin.yaml:4: students.narrow.architecture.hidden: 16 is not the teacher's 32",
        ),
        ("students.narrow.start=layers", "students.narrow.architecture.intermediate: 32 is not the teacher's 64"),
        ("students.small={use: one-layer, start: layers, architecture: {heads: 2}}", "heads: 2 is not the teacher's 4"),
        ("students.small.distill.label_smoothing=0.1", "0.1 is read by none of the losses soft_label."),
        ("students.small.prune.recover={label_smoothing: 0.1}", "prune.recover.label_smoothing: 0.1 is read by none"),
        (
            "students.small.prune={heads: 0.5, steps: 2, between: {label_smoothing: 0.1}}",
            "prune.between.label_smoothing: 0.1 is read by none",
        ),
        (
            "students.small.distill.phases=[{}, {layer_mapping: [2]}]",
            "students.small.distill.phases.1.layer_mapping.0: the teacher has no layer 2.",
        ),
        (
            "students.small.distill.phases=[{losses: {hard_label: 1}}, {label_smoothing: 0.1}]",
            "students.small.distill.phases.1.label_smoothing: 0.1 is read by none of the losses soft_label.",
        ),
        (
            "students.small.distill={label_smoothing: 0.1, phases: [{losses: {hard_label: 1}}, {}]}",
            "students.small.distill.label_smoothing: 0.1 is read by none of the losses soft_label.",
        ),
        (
            "students.small={use: one-layer, distill: {phases: [{losses: {hard_label: 1}}, {epochs: 1}]}, "
            "prune: {heads: 0.5, recover: {label_smoothing: 0.1}}}",
            "prune.recover.label_smoothing: 0.1 is read by none of the losses soft_label.",
        ),
        (
            f"teachers={{big: {{model: {SCRATCH.format('bart', 32)}}}}}",
            "teachers.big.model.scratch.family: no such family",
        ),
        (
            f"teachers={{big: {{model: {SCRATCH.format('bert', 15)}}}}}",
            "15 tokens that the positions of teachers.big.model",
        ),
        (
            "students.small.prune={hidden: 32}",
            "students.small.prune.hidden: the student's hidden states are 32 wide, so they cannot be cut to 32",
        ),
        (
            "students.small.prune={hidden: 16, embedding_rank: 16}",
            "students.small.prune.embedding_rank: the student's word embeddings are 16 wide: rank 16 takes nothing away",
        ),
        ("students.small.prune.multiple=64", "prune.multiple: the student's layers have 64 neurons"),
        (
            "students.small.prune.heads=0.99",
            "students.small.prune.heads: 0.99 of all heads was asked for, 0.75 is the nearest that can be removed: "
            "every layer keeps a head. Give 0.75.",
        ),
        (
            "students.small.prune={neurons: 0.9, multiple: 16}",
            "students.small.prune.neurons: 0.9 of all neurons was asked for, 0.75 is the nearest that can be removed: "
            "with `multiple: 16` a layer that is cut keeps a multiple of 16 neurons. Give 0.75, or a smaller `multiple`.",
        ),
        (
            "students.small.prune={target: {parameters: 0.1}}",
            "students.small.prune.target.parameters: 0.1 of the parameters of the encoder cannot be reached: layers of 1 head "
            "and 8 neurons keep at least 0.175. Give more, or a smaller student.",
        ),
        (
            "students.small.prune={target: {flops: 0.1, sequence: 8}}",
            "prune.target.flops: 0.1 of the flops of the encoder",
        ),
        ("students.small.prune={neurons: 0.4, multiple: 32}", "0.5 is the nearest that can be removed"),
        (
            "students.small.model={scratch: {architecture: {layers: 1, hidden: 4, heads: 1, intermediate: 4}}}",
            "only a teacher",
        ),
        (
            "teacher.model.scratch.family=bart",
            "teacher.model.scratch.family: no such family `bart`. Did you mean `bert`?",
        ),
        (
            "teacher.model.scratch.family=mpnet",
            "teacher.model.scratch.family: a mpnet model cannot be made from scratch: its code counts positions by",
        ),
        (
            "teacher.model.scratch.family=xlnet",
            "a xlnet model cannot be made from scratch: a learned vocabulary begins",
        ),
        (
            "teacher.model.scratch.family=xlnet",
            "students.small.prune: a xlnet model cannot be pruned: its queries, keys",
        ),
        ("teacher.model.scratch.family=xlnet", "students.narrow.start: a xlnet student cannot start by `pca`: its"),
        (
            "teacher.model.scratch.family=xlnet",
            "students.narrow.distill.losses.attention: the loss attention cannot read the attention of xlnet: its queries",
        ),
        (
            "teacher.model.scratch.family=modernbert",
            "students.narrow.start: a modernbert student cannot start by `pca` with heads 4 wide from a teacher's of 8:",
        ),
        ("teacher.model.scratch.family=modernbert", "students.small.start: a modernbert student cannot start from the"),
        (
            "teacher.model.scratch={family: modernbert, architecture: {layers: 2, hidden: 36, heads: 4, intermediate: 64}}",
            "teacher.model.scratch.architecture: modernbert heads are turned by their positions two dimensions at a time",
        ),
        ("teacher.model.scratch.max_positions=15", "task.max_length: 16 is above the 15 tokens that the positions of"),
        ("task.max_length=33", "task.max_length: 33 is above the 32 tokens that the positions of teacher.model reach."),
    ],
)
def test_single_mistakes(tmp_path: Path, assignment: str, message: str) -> None:
    found = problems(project.write(tmp_path), assignment)
    assert any(message in line for line in found), found


@pytest.mark.parametrize(
    "assignment",
    [
        "students.narrow={use: thin, start: random, architecture: {hidden: 64}}",
        "students.small={use: one-layer, architecture: {layers: 3}}",
        "students.small.distill={label_smoothing: 0.1, losses: {hard_label: 1}}",
        "students.small.prune.multiple=32",
        "students.small={use: one-layer, prune: {target: {parameters: 0.2}}}",
        "students.small={use: one-layer, prune: {target: {flops: 0.05}, blocks: true}}",
        "students.small={use: one-layer, prune: {target: {size_mb: 0.001, on: onnxruntime-int8}}}",
        "students.small={use: one-layer, prune: {heads: 0.5, multiple: 64}}",
        "students.small.prune={heads: 0.8, neurons: 0.76}",
        "students.small.prune={hidden: 18, embedding_rank: 16}",
        "students.small={use: one-layer, architecture: {layers: 2}, prune: {neurons: 0.25, multiple: 32}}",
        "task.max_length=32",
        "students.small={use: one-layer, start_layers: measured, distill: {losses: {pkd: 1}, layer_mapping: start}}",
        "students.small={use: one-layer, architecture: {layers: 3}, distill: {losses: {cosine: 1}, layer_mapping: dynamic}}",
        "students.small={use: one-layer, architecture: {layers: 3}, distill: {losses: {attention: 1}, layer_mapping: [null, 1, null]}}",
        "students.narrow={use: thin, distill: {losses: {minilm_relation: 1}, relation_heads: 16, layer_mapping: emd}}",
        "students.narrow={use: thin, distill: {losses: {soft_label: {from: 0, to: 1}}, temperature: {from: 4, to: 1}}}",
        "students.small.distill.phases=[{losses: {hidden_state: 1}}, {losses: {hard_label: 1}, label_smoothing: 0.1}]",
        f"teachers={{big: {{model: {SCRATCH.format('albert', 16)}}}}}",
    ],
)
def test_what_fits_passes(tmp_path: Path, assignment: str) -> None:
    assert problems(project.write(tmp_path), assignment) == []


def test_a_config_that_is_here_tells_the_shape(tmp_path: Path) -> None:
    path = project.write(tmp_path)
    model = f"teacher.model={{folder: {folder(tmp_path / 'here')}}}"
    assert problems(path, model, "students.narrow.architecture.hidden=48") == []
    found = problems(path, model, "students.narrow.architecture.hidden=52", "task.max_length=65")
    assert [line.split(": ", 2)[1:] for line in found] == [
        ["task.max_length", "65 is above the 64 tokens that the positions of teacher.model reach. Give at most 64."],
        [
            "students.narrow.architecture.hidden",
            "a student of width 52 cannot take its first weights from a teacher of width 48. "
            "Give at most 48, or `start: random`.",
        ],
    ]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "bart"}, "teacher.model: the architecture `bart` is not known."),
        ({"position_embedding_type": "relative_key"}, "teacher.model: a bert model with `position_embedding_type"),
        ({"compress": {"heads": 1}}, "teacher.model: the `compress` entry of config.json"),
        (
            {"compress": {"heads": [[0]] * 3, "neurons": [8] * 3, "head_size": 8}},
            "students.small: a student cannot take its shape from a pruned teacher.",
        ),
    ],
)
def test_a_config_that_cannot_be_used_is_a_mistake(tmp_path: Path, config: dict[str, object], message: str) -> None:
    path = project.write(tmp_path)
    found = problems(path, f"teacher.model={{folder: {folder(tmp_path / 'here', **config)}}}")
    assert any(message in line.replace(".architecture:", ":") for line in found), found


def test_defaults_that_a_config_leaves_out_are_not_guessed(tmp_path: Path) -> None:
    path = project.write(tmp_path)
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "here" / "model.safetensors").write_bytes(b"")
    assert problems(path, "teacher.model={folder: here}", "students.narrow.architecture.hidden=64") == []


def test_a_card_tells_the_shape_of_a_model_on_the_hub(tmp_path: Path) -> None:
    path = project.write(tmp_path)
    wide = ["teacher.use=bert-base", "students.narrow.architecture.hidden=800"]
    assert any("a teacher of width 768" in line for line in problems(path, *wide))
    assert problems(path, *wide, "teacher.model={hub: other/model}") == []


def test_the_family_of_a_card_is_known(tmp_path: Path) -> None:
    path = project.write(tmp_path)
    card = tmp_path / "teachers" / "own.yaml"
    card.write_text(card.read_text().replace("family: bert", "family: bart"))
    assert problems(path)[0].startswith("teachers/own.yaml:6: family: no such family `bart`. Did you mean `bert`?")


def test_a_student_of_its_own_weights_is_checked_by_their_config(tmp_path: Path) -> None:
    path = project.write(tmp_path)
    own = f"students.small.model={{folder: {folder(tmp_path / 'here', max_position_embeddings=15)}}}"
    losses = "students.small.distill.losses={cosine: 1}"  # whose tokens are others
    found = problems(path, own, losses, "students.small.distill.layer_mapping=[0]", "students.small.prune.multiple=96")
    assert sorted(line.split(": ", 2)[1] for line in found) == [
        "students.small.distill.layer_mapping",
        "students.small.distill.losses.cosine",
        "students.small.prune.multiple",
        "task.max_length",
    ]


def test_a_student_without_some_blocks_is_not_narrowed(tmp_path: Path) -> None:
    path, cut = project.write(tmp_path), {"heads": [[0], [], [1]], "neurons": [8] * 3, "head_size": 8}
    hidden, rank = "students.small.prune={hidden: 40}", "students.small.prune={embedding_rank: 12}"
    for place, keys, refused in (
        ("bert", {}, [hidden]),
        ("electra", {"model_type": "electra", "embedding_size": 48}, [hidden]),
        ("projected", {"model_type": "electra", "embedding_size": 16}, [hidden, rank]),
        (
            "factored",
            {"model_type": "electra", "embedding_size": 48, "compress": {**cut, "embedding_rank": 20}},
            [hidden],
        ),
    ):
        own = f"students.small.model={{folder: {folder(tmp_path / place, **{'compress': cut, **keys})}}}"
        asked = [own, "students.small.distill.losses={soft_label: 1}"]
        for prune in (hidden, rank):
            found = [line.split(": ", 2)[1:] for line in problems(path, *asked, prune)]
            key = "students.small.prune." + ("hidden" if prune is hidden else "embedding_rank")
            what = (
                "layer 1 has no attention block, and only whole layers can be projected on fewer dimensions. "
                "Leave it out, or ask for it before blocks are cut."
            )
            assert found == ([[key, what]] if prune in refused else [])


def test_only_answers_are_compared_where_rows_are_padded_on_different_sides(tmp_path: Path) -> None:
    path, here = project.write(tmp_path), tmp_path / "here"
    here.mkdir()
    (here / "config.json").write_text('{"model_type": "xlnet"}')
    (here / "model.safetensors").write_bytes(b"")
    own = ["students.small.model={folder: here}", "students.small.prune=null"]
    assert problems(path, *own, "students.small.distill.losses={soft_label: 1, hard_label: 1}") == []
    inside = "students.small.distill.phases=[{losses: {soft_label: 1, rkd: 1}}]"
    (known,) = problems(path, *own, inside)
    assert "distill.phases.0.losses.rkd: compares the inside of both models token by token" in known
    hub = "teacher.use=bert-base"  # whose tokens are not here
    found = problems(path, *own, inside, hub)
    assert sum("distill.phases.0.losses.rkd: " in line for line in found) == 1
    assert any("losses.rkd: a xlnet student and a bert teacher read other tokens" in line for line in found)


def test_layers_that_are_shared_are_cut_once(tmp_path: Path) -> None:
    path = project.write(tmp_path)
    asked = "students.small={use: one-layer, architecture: {layers: 2}, prune: {heads: 0.65}}"
    assert problems(path, asked, "students.small.prune.heads=0.85") != []
    assert problems(path, asked, "students.small.prune.heads=0.85", "teacher.model.scratch.family=albert") == []
    coarse = "students.small.prune={neurons: 0.25, multiple: 32}"
    assert problems(path, asked, coarse) == []
    assert problems(path, asked, coarse, "teacher.model.scratch.family=albert") != []


def test_layers_that_are_shared_leave_nothing_to_choose(tmp_path: Path) -> None:
    path, asked = project.write(tmp_path), "students.small.start_layers=measured"
    assert problems(path, asked) == []
    found = problems(path, asked, "teacher.model.scratch.family=albert")
    assert any("all layers of albert are one, called again and again" in line for line in found)


def test_a_student_of_its_own_weights_has_no_start(tmp_path: Path) -> None:
    path = project.write(tmp_path)
    own = f"students.small.model={{folder: {folder(tmp_path / 'here')}}}"
    found = problems(path, own, "students.small.distill.layer_mapping=start")
    assert any("`start` needs a student that starts from its teacher's layers" in line for line in found)


def test_a_third_partys_loss_may_read_relations_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin.install(monkeypatch, tmp_path / "kit", "[compress.losses]\nodd = acme:odd\n", {})
    asked = "students.narrow={use: thin, distill: {losses: {odd: 1}, relation_heads: 32}}"
    assert problems(project.write(tmp_path), asked) == []


def test_a_pruned_students_layers_differ_and_are_left_to_the_cut(tmp_path: Path) -> None:
    path, entry = project.write(tmp_path), {"heads": [[0], [0, 1], [0]], "neurons": [8, 64, 8], "head_size": 8}
    here = folder(tmp_path / "here", compress=entry)
    cut = "prune: {heads: 0.4, neurons: 0.7}"
    assert problems(path, f"students.small={{use: one-layer, model: {{folder: {here}}}, {cut}}}") == []


def test_embeddings_may_have_a_width_of_their_own(tmp_path: Path) -> None:
    path = project.write(tmp_path)

    def asked(name: str, rank: int, more: str = "", **config: object) -> list[str]:
        here = f"teacher.model={{folder: {folder(tmp_path / name, **config)}}}"
        return problems(path, here, f"students.small.prune={{embedding_rank: {rank}{more}}}")

    electra = {"model_type": "electra", "embedding_size": 16}
    assert asked("fits", 15, **electra) == []
    assert "the student's word embeddings are 16 wide: rank 16 takes nothing away" in asked("not", 16, **electra)[0]
    assert asked("unknown", 16, model_type="electra") == []
    wide = {"embedding_size": 48}
    assert "are 20 wide" in asked("follows", 30, ", hidden: 20", model_type="electra", **wide)[0]
    assert asked("stays", 30, ", hidden: 20", model_type="albert", **wide) == []
    entry = {"heads": [[0, 1]] * 3, "neurons": [8] * 3, "head_size": 8, "embedding_rank": 9}
    here = folder(tmp_path / "factored", compress=entry)
    small = f"students.small={{use: one-layer, model: {{folder: {here}}}, prune: {{embedding_rank: 9}}}}"
    assert any("are 9 wide: rank 9 takes nothing away" in line for line in problems(path, small))


def test_a_card_does_not_tell_the_embeddings_width_of_every_family(tmp_path: Path) -> None:
    path = project.write(tmp_path)
    for card, width, known in (("bert-base", 768, True), ("electra-large", 1024, False)):
        sets = [f"teacher={{use: {card}}}", f"students.small.prune={{embedding_rank: {width}}}"]
        found = [line for line in problems(path, *sets) if "prune.embedding_rank" in line]
        assert bool(found) is known


def test_rounding_needs_linears(tmp_path: Path) -> None:
    sets = ["teacher.model.scratch.family=xlnet", "students.small.distill.fake_quantize=int8"]
    with pytest.raises(InputError) as error:
        checks.load(project.write(tmp_path), sets)
    found = [str(problem) for problem in error.value.problems]
    assert any("students.small.distill.fake_quantize: `fake_quantize` rounds what Linears" in one for one in found), (
        found
    )

"""Tokenizers that do not fit, without torch."""

import copy
import json
from pathlib import Path

import numpy as np
import project
import pytest
import spelling

from compress.config.settings import KeptTokens
from compress.data import pieces
from compress.errors import InputError
from compress.pruning.vocabulary import choose, entry_of, shrunk
from compress.run import checks

BERT = {
    "model_type": "bert",
    "hidden_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "intermediate_size": 96,
}


def folder(path: Path, kind: str | None = "bert", *, fewer: bool = False, added: str | None = None) -> str:
    """A model folder whose weights nobody reads."""
    path.mkdir()
    (path / "config.json").write_text(json.dumps(BERT | {"max_position_embeddings": 64}))
    (path / "model.safetensors").write_bytes(b"")
    if kind is not None:
        tokenizer = spelling.tokenizer(kind)
        if added is not None:
            tokenizer = copy.deepcopy(tokenizer)
            tokenizer.add_tokens([added])
        if fewer:
            tokenizer = shrunk(tokenizer, choose(tokenizer, np.zeros(0, np.int64), KeptTokens()))
        tokenizer.save_pretrained(path)
    return str(path)


def problems(path: Path, *sets: str) -> list[str]:
    try:
        checks.load(path, sets)
    except InputError as error:
        return [str(problem).replace(f"{path.parent}/", "") for problem in error.problems]
    return []


def models(teacher: str, student: str, losses: str) -> tuple[str, str]:
    own = f"students.small={{use: one-layer, model: {{folder: {student}}}, distill: {{losses: {losses}}}}}"
    return f"teacher.model={{folder: {teacher}}}", own


def test_losses_on_the_inside_need_the_teachers_tokens(tmp_path: Path) -> None:
    path = project.write(tmp_path)
    bert, other = folder(tmp_path / "bert"), folder(tmp_path / "other", "roberta")
    found = problems(path, *models(bert, other, "{hidden_state: 1, soft_label: 1, attention: 1}"))
    assert [line.split(": ")[1] for line in found] == [
        f"students.small.distill.losses.{loss}" for loss in ("hidden_state", "attention")
    ]
    assert "what compares answers will do: hard_label, logit_mse, soft_label." in found[0]
    assert problems(path, *models(bert, other, "{soft_label: 1, hard_label: 1}")) == []
    phases = "students.small.distill.phases=[{losses: {cosine: 1}}, {epochs: 1}]"
    found = problems(path, *models(bert, other, "{soft_label: 1}"), phases)
    assert [line.split(": ")[1] for line in found] == ["students.small.distill.phases.0.losses.cosine"]


def test_fewer_tokens_of_the_same_tokenizer_will_do(tmp_path: Path) -> None:
    path = project.write(tmp_path)
    bert, fewer = folder(tmp_path / "bert"), folder(tmp_path / "fewer", fewer=True)
    assert problems(path, *models(bert, fewer, "{hidden_state: 1}")) == []
    assert len(problems(path, *models(fewer, bert, "{hidden_state: 1}"))) == 1


def test_an_added_token_needs_its_like_in_the_teacher(tmp_path: Path) -> None:
    path, bert = project.write(tmp_path), folder(tmp_path / "bert")
    more = folder(tmp_path / "more", added="[NAME]")
    (found,) = problems(path, *models(bert, more, "{hidden_state: 1, soft_label: 1}"))
    assert "distill.losses.hidden_state: compares the inside of both models token by token" in found
    assert problems(path, *models(bert, more, "{soft_label: 1}")) == []
    assert problems(path, *models(more, bert, "{hidden_state: 1}")) == []


def test_a_teacher_that_learns_its_own_tokens_has_others_than_a_pretrained_student(tmp_path: Path) -> None:
    path = project.write(tmp_path)
    own = models("x", folder(tmp_path / "bert"), "{embedding: 1, logit_mse: 1}")[1]
    assert [line.split(": ")[1] for line in problems(path, own)] == ["students.small.distill.losses.embedding"]


def test_what_is_not_known_is_no_mistake(tmp_path: Path) -> None:
    path = project.write(tmp_path)
    bert, none = folder(tmp_path / "bert"), folder(tmp_path / "none", None)
    assert problems(path, *models(bert, none, "{hidden_state: 1}"), "students.small.prune={vocabulary: 64}") == []
    (tmp_path / "none" / "tokenizer.json").write_text('{"model": {"vocab": 5}}')
    assert problems(path, *models(bert, none, "{hidden_state: 1}"), "students.small.prune={vocabulary: 64}") == []


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("{vocabulary: {size: 308}}", None),
        ("{vocabulary: {}}", None),
        ("{vocabulary: 63}", "students.small.prune.vocabulary: `63` is below 64"),
        ("{vocabulary: 309}", "students.small.prune.vocabulary: the tokenizer has 309 tokens: cut to 309, it keeps"),
        ("{vocabulary: {size: 309}}", "students.small.prune.vocabulary.size: the tokenizer has 309 tokens"),
        ("{vocabulary: false}", "students.small.prune.vocabulary: "),
        ("{vocabulary: {sise: 300}}", "no such key. Did you mean `size`?"),
    ],
)
def test_the_size_of_a_vocabulary(asked: str, message: str | None, tmp_path: Path) -> None:
    path = project.write(tmp_path)
    found = problems(path, f"teacher.model={{folder: {folder(tmp_path / 'bert')}}}", f"students.small.prune={asked}")
    assert (found == []) if message is None else any(message in line for line in found), found


def test_a_size_below_what_texts_need_is_found_and_refused_alike(tmp_path: Path) -> None:
    path, tokenizer = project.write(tmp_path), spelling.tokenizer("roberta")
    teacher = f"teacher.model={{folder: {folder(tmp_path / 'roberta', 'roberta')}}}"
    least = len(pieces.needed(entry_of(tokenizer)))
    found = problems(path, teacher, f"students.small.prune={{vocabulary: {least - 1}}}")
    assert (
        f"{least - 1} is below the {least} tokens that any text needs to be spelled. Give at least {least}." in found[0]
    )
    with pytest.raises(InputError, match=f"Give at least {least}"):
        choose(tokenizer, np.zeros(0, np.int64), KeptTokens(size=least - 1))
    assert problems(path, teacher, f"students.small.prune={{vocabulary: {least}}}") == []


def test_a_vocabulary_that_is_still_to_be_learned_has_at_most_its_size(tmp_path: Path) -> None:
    path = project.write(tmp_path)
    assert problems(path, "students.small.prune={vocabulary: 199}") == []
    assert "has 200 tokens: cut to 200" in problems(path, "students.small.prune={vocabulary: 200}")[0]

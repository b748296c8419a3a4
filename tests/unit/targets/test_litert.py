"""What is special of LiteRT's files; that they answer as the model is in the contract of all targets."""

from itertools import pairwise
from pathlib import Path

import graphs
import numpy
import pytest
import scripts
from hypothesis import given
from hypothesis import strategies as st

from compress.encoders import checkpoint
from compress.errors import InputError
from compress.targets import Extent, Session
from compress.targets import litert as module
from compress.targets.litert import lengths, litert

here = pytest.mark.skipif(litert.unavailable() is not None, reason=str(litert.unavailable()))
SETTINGS = {"batch": 4, "pad_id": 0, "left": False}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported folder with an fp32 file."""
    made = tmp_path_factory.mktemp("out")
    checkpoint.save(graphs.model(), made / "checkpoint")
    file = made / "model.tflite"
    settings = litert.build(made / "checkpoint", "fp32", file, extent=Extent(batch=4, tokens=40), options={})
    assert settings == SETTINGS
    return made


def opened(folder: Path, **settings: object) -> Session:
    return litert.open(folder / "model.tflite", {**SETTINGS, **settings}, threads=1)


def test_files_are_named_by_their_precision() -> None:
    assert litert.file_name("fp32", None) == "litert/model.tflite"
    assert litert.file_name("fp16", None) == "litert/model_fp16.tflite"


def test_a_missing_engine_is_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compress.targets._engine.find_spec", lambda name: None if name == "litert_torch" else name)
    assert litert.unavailable() == "not installed: litert_torch. Run `pip install 'compress[litert]'`."


def test_a_model_that_cannot_be_converted_is_the_users_error_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_args: object) -> bytes:
        raise ValueError("no such operator\nand much more")

    monkeypatch.setattr(module, "_converted", failing)
    checkpoint.save(graphs.model(), tmp_path / "checkpoint")
    with pytest.raises(InputError, match=r"cannot convert this bert model in fp16: no such operator$"):
        litert.build(tmp_path / "checkpoint", "fp16", tmp_path / "x" / "y.tflite", extent=Extent(1, 8), options={})
    assert not (tmp_path / "x").exists()


@given(st.integers(1, 4096))
def test_each_length_is_half_of_the_next_down_to_those_that_are_short(most: int) -> None:
    made = lengths(most)
    assert made[0] == most
    assert made[-1] < 32
    assert all(longer in (2 * shorter, 2 * shorter - 1) for longer, shorter in pairwise(made))
    assert min(made) >= min(most, 16)


@here
def test_the_lengths_share_their_weights(folder: Path) -> None:
    table = graphs.model().state_dict()["bert.embeddings.word_embeddings.weight"].numpy().tobytes()
    assert (folder / "model.tflite").read_bytes().count(table) == 1


@here
@pytest.mark.parametrize("length", [1, 20, 21, 40])
def test_a_row_of_any_length_is_answered_as_by_the_model(
    length: int, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    session, batch = opened(folder), graphs.feeds(rows=2, length=length)
    numpy.testing.assert_allclose(session(batch), graphs.expected(graphs.model(), batch), atol=1e-5)
    assert capfd.readouterr() == ("", "")


@here
def test_rows_are_filled_with_the_padding_on_its_side(folder: Path) -> None:
    batch = graphs.feeds(rows=2, length=10)
    filled = {name: numpy.pad(value, ((0, 0), (10, 0))) for name, value in batch.items()}
    answers = opened(folder, left=True)(batch)
    numpy.testing.assert_allclose(answers, graphs.expected(graphs.model(), filled), atol=1e-5)
    assert numpy.abs(answers - opened(folder)(batch)).max() > 1e-3


@here
@pytest.mark.parametrize(("rows", "length"), [(5, 8), (2, 41)])
def test_a_larger_call_than_it_was_built_for_is_refused(rows: int, length: int, folder: Path) -> None:
    with pytest.raises(InputError, match=f"a call of {rows} rows of {length} tokens .* at most 4 rows of 40 tokens"):
        opened(folder)(graphs.feeds(rows=rows, length=length))


@here
def test_the_script_answers_as_the_session(folder: Path) -> None:
    scripts.check(litert, folder, "model.tflite", SETTINGS, opened(folder))


@here
def test_the_script_fills_rows_on_the_side_of_the_padding(folder: Path) -> None:
    settings = {**SETTINGS, "left": True}
    scripts.check(litert, folder, "model.tflite", settings, opened(folder, left=True))

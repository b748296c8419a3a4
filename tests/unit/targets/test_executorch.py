"""What is special of ExecuTorch's programs; that they answer as the model is in the contract of all targets."""

from pathlib import Path

import graphs
import numpy
import pytest
import scripts

from compress.encoders import checkpoint
from compress.errors import InputError
from compress.targets import Extent, Session
from compress.targets import executorch as module
from compress.targets.executorch import executorch

here = pytest.mark.skipif(executorch.unavailable() is not None, reason=str(executorch.unavailable()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported folder with an INT8 program, and the checkpoint it was built from."""
    made = tmp_path_factory.mktemp("out")
    checkpoint.save(graphs.model(), made / "checkpoint")
    settings = executorch.build(
        made / "checkpoint", "int8", made / "model.pte", extent=Extent(batch=4, tokens=24), options={}
    )
    assert settings == {"inputs": ["input_ids", "attention_mask", "token_type_ids"]}
    return made


def opened(folder: Path, threads: int = 1) -> Session:
    return executorch.open(folder / "model.pte", {"inputs": list(graphs.feeds())}, threads=threads)


def test_files_are_named_by_their_precision() -> None:
    assert executorch.file_name("fp32", None) == "executorch/model.pte"
    assert executorch.file_name("int8", None) == "executorch/model_int8.pte"


def test_a_missing_engine_is_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compress.targets._engine.find_spec", lambda name: None if name == "executorch" else name)
    assert executorch.unavailable() == "not installed: executorch. Run `pip install 'compress[executorch]'`."


def test_a_model_that_cannot_be_built_is_the_users_error_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_args: object, **_settings: object) -> bytes:
        raise ValueError("no such operator\nand much more")

    monkeypatch.setattr(module, "_program", failing)
    checkpoint.save(graphs.model(), tmp_path / "checkpoint")
    with pytest.raises(InputError, match=r"cannot build this bert model in int8: no such operator$"):
        executorch.build(tmp_path / "checkpoint", "int8", tmp_path / "x" / "y.pte", extent=Extent(1, 8), options={})
    assert not (tmp_path / "x").exists()


@here
def test_tables_and_layers_are_rounded(folder: Path) -> None:
    content = (folder / "model.pte").read_bytes()
    for name, value in graphs.model().state_dict().items():
        assert value.dim() < 2 or value.numpy().tobytes() not in content, name
    assert b"embedding_byte" in content


@here
@pytest.mark.parametrize(("rows", "length"), [(5, 8), (2, 25)])
def test_a_larger_call_than_it_was_built_for_is_refused(rows: int, length: int, folder: Path) -> None:
    session = opened(folder)
    assert session(graphs.feeds(rows=4, length=24)).shape == (4, 3)
    with pytest.raises(InputError, match=f"a call of {rows} rows of {length} tokens .* at most 4 rows of 24 tokens"):
        session(graphs.feeds(rows=rows, length=length))


@here
def test_sessions_of_other_numbers_of_threads_take_turns(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    one, two = opened(folder, threads=1), opened(folder, threads=2)
    batch = graphs.feeds()
    answers = [session(batch) for session in (one, two, one, two)]
    for answer in answers[1:]:
        numpy.testing.assert_allclose(answer, answers[0], atol=1e-6)
    one.close()
    numpy.testing.assert_array_equal(two(batch), answers[-1])
    assert capfd.readouterr() == ("", "")


@here
def test_the_script_answers_as_the_session(folder: Path) -> None:
    scripts.check(executorch, folder, "model.pte", {}, opened(folder))

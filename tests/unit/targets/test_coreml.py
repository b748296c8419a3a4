"""What can be seen of Core ML's packages where nothing runs them."""

from pathlib import Path

import graphs
import numpy
import pytest
import torch

from compress.encoders import checkpoint
from compress.encoders.tracing import Logits
from compress.errors import InputError
from compress.files import sha256
from compress.targets import Extent
from compress.targets import coreml as module
from compress.targets._engine import silent
from compress.targets.coreml import coreml

here = pytest.mark.skipif(coreml.unavailable() is not None, reason=str(coreml.unavailable()))
EXTENT = Extent(batch=4, tokens=24)


def content(package: Path) -> dict[str, str]:
    return {str(file.relative_to(package)): sha256(file) for file in package.rglob("*") if file.is_file()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Packages in both precisions."""
    made = tmp_path_factory.mktemp("out")
    checkpoint.save(graphs.model(uneven=True), made / "checkpoint")
    for name, precision in (("fp16", "fp16"), ("int8", "int8"), ("again", "int8")):
        out = made / f"{name}.mlpackage"
        settings = coreml.build(made / "checkpoint", precision, out, extent=EXTENT, options={})
        assert settings == {"inputs": ["input_ids", "attention_mask", "token_type_ids"], "extent": [4, 24]}
    return made


def test_files_are_named_by_their_precision() -> None:
    assert coreml.file_name("fp16", None) == "coreml/model.mlpackage"
    assert coreml.file_name("int8", None) == "coreml/model_int8.mlpackage"


def test_where_it_can_be_built_and_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compress.targets._engine.find_spec", lambda _name: None)
    monkeypatch.setattr("sys.platform", "linux")
    assert coreml.unavailable() == "not installed: coremltools. Run `pip install 'compress[coreml]'`."
    assert coreml.unrunnable("fp16") == "Core ML runs on macOS and iOS alone; nothing on this system does"
    monkeypatch.setattr("sys.platform", "win32")
    assert coreml.unavailable() == "coremltools does not run on Windows. Build on Linux or macOS."
    monkeypatch.setattr("sys.platform", "darwin")
    assert coreml.unrunnable("fp16") is None


def test_a_model_that_cannot_be_converted_is_the_users_error_and_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_args: object, **_settings: object) -> object:
        raise ValueError("no such operator\nand much more")

    monkeypatch.setattr(module, "_converted", failing)
    checkpoint.save(graphs.model(), tmp_path / "checkpoint")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").write_text("old")
    with pytest.raises(InputError, match=r"cannot convert this bert model in fp16: no such operator$"):
        coreml.build(tmp_path / "checkpoint", "fp16", tmp_path / "out", extent=EXTENT, options={})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint", "out"]
    assert (tmp_path / "out" / "old").read_text() == "old"


def test_what_is_converted_answers_as_the_model_with_a_mask_that_fp16_can_hold() -> None:
    assert numpy.isfinite(numpy.float16(module._MASKED))
    batch = graphs.feeds()
    with torch.inference_mode():
        answers = Logits(graphs.model(), masked=module._MASKED)(*map(torch.from_numpy, batch.values())).numpy()
    numpy.testing.assert_allclose(answers, graphs.expected(graphs.model(), batch), atol=1e-6)


@here
def test_a_package_takes_every_call_up_to_its_extent(folder: Path) -> None:
    from coremltools.models import MLModel

    described = MLModel(str(folder / "fp16.mlpackage"), skip_model_load=True).get_spec().description
    for value in described.input:
        sizes = [(size.lowerBound, size.upperBound) for size in value.type.multiArrayType.shapeRange.sizeRanges]
        assert (value.name in graphs.feeds(), sizes) == (True, [(1, 4), (1, 24)])
    assert [value.name for value in described.output] == ["logits"]
    assert not [key for key in described.metadata.userDefined if "date" in key]


@here
def test_integers_make_a_smaller_package_the_same_each_time(folder: Path) -> None:
    whole, small = (
        (folder / f"{name}.mlpackage" / "Data/com.apple.CoreML/weights/weight.bin").stat().st_size
        for name in ("fp16", "int8")
    )
    assert small < whole  # of tables; the layers of a tiny model are below what the converter rounds
    assert (
        content(folder / "int8.mlpackage") == content(folder / "again.mlpackage") != content(folder / "fp16.mlpackage")
    )


@here
def test_a_package_holds_no_number_that_fp16_cannot() -> None:
    with silent():
        made = module._converted(graphs.model(), EXTENT, quantized=False)
    seen = set()
    for step in made._mil_program.functions["main"].operations:
        for value in (
            one for given in step.inputs.values() for one in (given if isinstance(given, tuple) else (given,))
        ):
            number = numpy.asarray(value.val if value.val is not None else 0)
            if number.dtype.kind == "f":
                seen.add(number.dtype.name)
                assert numpy.isfinite(number).all(), (step.name, value.name)
    assert "float16" in seen

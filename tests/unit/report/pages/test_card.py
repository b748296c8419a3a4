"""The model card of a bundle: metadata as the Hub reads it, and what a reader needs."""

import pytest
import sample
from huggingface_hub import ModelCard

from compress.report.pages import card
from compress.report.record import Data, Record, Weights
from compress.report.variant import TEACHER, Unmeasured

PREPROCESS = {
    "labels": list(sample.LABELS),
    "max_length": 64,
    "truncation": "head+tail",
    "texts": 1,
    "inputs": ["input_ids", "attention_mask"],
    "file": "onnx/model_quantized.onnx",
    "settings": {},
    "batch": 1,
}
FILES = (
    card.Filed("onnx/model.onnx", "onnxruntime-fp32", 17_640_233),
    card.Filed("onnx/model_quantized.onnx", "onnxruntime-int8", 4_561_730),
)
ORIGIN = Weights(hub="google/bert-base", license="Apache-2.0", language="en", source="Devlin et al. 2019, section 3")


def facts(**changes: object) -> card.Facts:
    usual = card.Facts("tiny", FILES, PREPROCESS, script=["numpy", "onnxruntime"], loadable=True)
    return usual._replace(**changes)


@pytest.fixture(scope="module")
def record() -> Record:
    return sample.record(rows=50, weights={TEACHER: ORIGIN})


def test_the_metadata_is_read_back_by_the_hubs_own_library(record: Record) -> None:
    data = ModelCard(card.render(record, facts())).data
    assert (data.license, data.language, data.base_model) == ("apache-2.0", "en", "google/bert-base")
    assert (data.pipeline_tag, data.library_name) == ("text-classification", "transformers.js")
    assert data.tags == ["compress", "onnxruntime-fp32", "onnxruntime-int8"]
    assert data.metrics == ["accuracy", "f1"]
    assert data.datasets is None
    measured = record.variant("tiny", "onnxruntime-int8")
    assert measured is not None
    found = {result.metric_name: result for result in data.eval_results}
    assert len(found) == 4
    result = found["accuracy, onnxruntime-int8"]
    assert (result.metric_type, result.metric_value) == ("accuracy", pytest.approx(measured.metrics["accuracy"]))
    assert (result.dataset_split, result.dataset_args) == ("test", {"rows": 50, "sha256": "33" * 32})
    assert found["macro F1, onnxruntime-fp32"].metric_type == "f1"


def test_a_data_set_of_the_hub_is_named(record: Record) -> None:
    data = Data.model_validate({**record.data.model_dump(), "hub": "nyu-mll/glue", "config": "sst2"})
    text = card.render(record.model_copy(update={"data": data}), facts())
    made = ModelCard(text).data
    assert made.datasets == ["nyu-mll/glue"]
    assert {(result.dataset_type, result.dataset_config) for result in made.eval_results} == {("nyu-mll/glue", "sst2")}
    assert "`nyu-mll/glue` (sst2) of the Hub" in text


@pytest.mark.parametrize(
    ("asked", "weights", "expected"),
    [
        (None, {TEACHER: ORIGIN}, ("apache-2.0", None)),
        ("MIT", {TEACHER: ORIGIN}, ("mit", None)),
        ("LicenseRef-ours", {TEACHER: ORIGIN}, ("other", "LicenseRef-ours")),
        ("GPL-3.0-or-later", {TEACHER: ORIGIN}, ("gpl-3.0", None)),
        ("LGPL-2.1-only", {TEACHER: ORIGIN}, ("lgpl-2.1", None)),
        ("ODC-By-1.0", {TEACHER: ORIGIN}, ("odc-by", None)),
        ("GFDL-1.3-only", {TEACHER: ORIGIN}, ("gfdl", None)),
        ("GPL-1.0-only", {TEACHER: ORIGIN}, ("other", "GPL-1.0-only")),
        (None, {TEACHER: Weights(hub="a/b")}, (None, None)),
        (None, {}, (None, None)),
        (None, {TEACHER: ORIGIN, "tiny": Weights(hub="its/own")}, (None, None)),
    ],
)
def test_the_licence_is_the_one_asked_for_or_that_of_the_weights(
    asked: str | None, weights: dict[str, Weights], expected: tuple[str | None, str | None]
) -> None:
    made = sample.record(rows=50, weights=weights)
    assert card.licensed(made, facts(license=asked)) == expected
    text = card.render(made, facts(license=asked))
    data = ModelCard(text).data
    assert (data.license, data.license_name) == expected
    assert ("Not known" in text) == (expected == (None, None))
    assert ("as `LICENSE`" in text) == (expected[0] == "other")


def test_a_student_with_weights_of_its_own_names_them_as_its_base() -> None:
    made = sample.record(rows=50, weights={TEACHER: ORIGIN, "tiny": Weights(hub="its/own")})
    assert ModelCard(card.render(made, facts())).data.base_model == "its/own"
    assert ModelCard(card.render(made, facts(model="small"))).data.base_model == "google/bert-base"


def test_the_text_says_what_is_there_and_how_it_is_used(record: Record) -> None:
    text = card.render(record, facts())
    assert "| `onnx/model_quantized.onnx` | onnxruntime-int8 | 4.56 MB |" in text
    assert '{dtype: "q8"}' in text
    assert 'subfolder="onnx", file_name="model_quantized.onnx"' in text
    assert "It needs `numpy`, `onnxruntime`" in text
    assert "At most 64 tokens" in text
    assert "optimum and transformers.js keep the beginning only" in text
    assert "one text at a time" in text
    head = card.render(record, facts(preprocess={**PREPROCESS, "truncation": "head"}))
    assert "of what is longer the beginning is kept" in head
    assert "transformers.js drops the last special token of what it cuts" in head
    assert f"0: {sample.LABELS[0]}, 1: {sample.LABELS[1]}" in text
    assert "Devlin et al. 2019, section 3" in text
    assert record.machine.processor in text
    other = card.render(record, facts(script=None, loadable=False, preprocess={**PREPROCESS, "batch": 32}))
    assert not any(word in other for word in ("predict.py", "optimum", "transformers.js", "one text at a time"))
    assert "No script is with it." in other


def test_the_text_says_how_each_script_is_run(record: Record) -> None:
    one = card.render(record, facts())
    assert "python predict.py < texts.txt" in one
    assert "predict.mjs" not in one
    web = card.render(record, facts(script=None, node=["@huggingface/tokenizers", "onnxruntime-web"]))
    assert "npm install\nnode predict.mjs" in web
    assert "Both need `@huggingface/tokenizers`, `onnxruntime-web` of npm" in web
    assert "predict.py" not in web


def test_what_could_not_be_measured_is_told_with_its_reason(record: Record) -> None:
    idle = Unmeasured(model="tiny", id="tensorrt-fp16", size_bytes=1_000_000, reason="no GPU | here")
    made = record.model_copy(update={"unmeasured": (idle,)})
    one = card.Filed("tensorrt/model.engine", "tensorrt-fp16", 1_000_000)
    text = card.render(made, facts(files=[one]))
    assert "| `tensorrt/model.engine` | tensorrt-fp16 | 1.00 MB | not measured: no GPU \\| here |  |  |" in text
    data = ModelCard(text).data
    assert (data.eval_results, data.metrics) == (None, None)

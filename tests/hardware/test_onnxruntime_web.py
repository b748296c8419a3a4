"""An exported folder in Node and in a browser, with ONNX Runtime Web and the tokenizer in JavaScript from npm."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Literal
from urllib.parse import urlencode

import graphs
import numpy
import pytest
import spelling
import tiny

from compress.bench import memory
from compress.config import settings
from compress.data.batches import encode, feeds
from compress.data.sources import Rows
from compress.encoders import checkpoint
from compress.stages.context import Context
from compress.stages.export import Needs, Settings, export
from compress.targets import Extent
from compress.targets.onnxruntime_web import modules, onnxruntime_web

PACKAGES = modules()
TOKENIZER, TRANSFORMERS = "@huggingface/tokenizers", "@huggingface/transformers"
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
BROWSER_FILES = (
    f"{TOKENIZER}/dist/tokenizers.min.mjs",
    "onnxruntime-web/dist/ort.wasm.bundle.min.mjs",
    "onnxruntime-web/dist/ort-wasm-simd-threaded.wasm",
)
"""What a page needs of the npm packages."""
PAGE = Path(__file__).with_name("page.mjs")
LABELS = ["off", "on", "maybe"]
TEXTS = ["turn the light on", "a great film, not bad", "off", "the light on " * 10 + "a dull movie", "unheard of"]

pytestmark = [
    pytest.mark.hardware,
    pytest.mark.skipif(onnxruntime_web.unrunnable("fp32") is not None, reason=str(onnxruntime_web.unrunnable("fp32"))),
]


def needs(package: str) -> pytest.MarkDecorator:
    missing = PACKAGES is None or not (PACKAGES / package).is_dir()
    return pytest.mark.skipif(missing, reason=f"the npm package {package} is not found")


@pytest.fixture(scope="module", params=[1, 2], ids=["text", "pair"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the stage exports it, without any package."""
    root = tmp_path_factory.mktemp("web")
    model = tiny.model()
    model.config.id2label = dict(enumerate(LABELS))
    checkpoint.save(model, root / "model")
    tiny.tokenizer(root / "model")
    rows = [f"{LABELS[index % 3]}\t{text}\t{text[::-1]}" for index, text in enumerate(TEXTS)]
    (root / "rows.tsv").write_text("\n".join(["label\ttext\tother", *rows]) + "\n")
    out, work = root / "out", root / "work"
    work.mkdir()
    context = Context("export/tiny/onnxruntime-web", out, work, root, 0, lambda done, total, note: None)
    asked = settings.Export(target="onnxruntime-web", precision=("fp32", "int8"))
    export(Settings(task(request.param, 12, "head+tail"), asked), Needs(root / "model"), context)
    return out


def task(texts: int, limit: int, side: Literal["head", "tail", "head+tail"]) -> settings.Task:
    return settings.Task(
        type="text-classification" if texts == 1 else "text-pair-classification",
        data=settings.Data(train="rows.tsv", validation="rows.tsv"),
        text_pair="other" if texts == 2 else None,
        max_length=limit,
        truncation=side,
    )


def answers(folder: Path, texts: list[str], file: str = "") -> dict[str, float]:
    """The probabilities that the program itself gives the labels, in ONNX Runtime."""
    facts = json.loads((folder / "preprocess.json").read_text())
    cut = task(len(texts), facts["max_length"], facts["truncation"])
    row = encode(Rows(texts[:1], texts[1:] or None, [0]), tiny.tokenizer(folder.parent / "model"), cut)
    [(_, feed)] = feeds(row, 1)
    odds = numpy.exp(graphs.answers(folder / (file or facts["file"]), feed)[0].astype(float))
    return dict(zip(facts["labels"], odds / odds.sum(), strict=True))


def asked(folder: Path) -> list[list[str]]:
    """Rows for the folder's model."""
    pairs = json.loads((folder / "preprocess.json").read_text())["texts"] == 2
    return [[text, TEXTS[0]] if pairs else [text] for text in TEXTS] + [["", "film"] if pairs else [""]]


def test_the_folder_has_what_transformers_js_and_the_page_read(folder: Path) -> None:
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert found >= {"onnx/model.onnx", "onnx/model_quantized.onnx", "tokenizer.json", "tokenizer_config.json"}
    assert found >= {"config.json", "preprocess.json", "package.json", "predict.mjs", "classify.mjs", "index.html"}
    described = json.loads((folder / "export.json").read_text())["files"]
    assert [file["parity"]["agreement"] for file in described] == [1, 1]


@needs(TOKENIZER)
def test_the_script_answers_in_node(folder: Path) -> None:
    (folder / "node_modules").symlink_to(PACKAGES, target_is_directory=True)
    try:
        for texts in asked(folder):
            command = ["node", str(folder / "predict.mjs"), *texts]
            done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder.parent)
            label, score = done.stdout.removesuffix("\n").split("\t")
            expected = answers(folder, texts)
            assert label == max(expected, key=expected.__getitem__)
            assert float(score) == pytest.approx(expected[label], abs=0.005)
        done = subprocess.run(["node", str(folder / "predict.mjs")], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (1, "")
        assert re.fullmatch(r"Give [12] text\(s\) in quotes\.\n", done.stderr)
    finally:
        (folder / "node_modules").unlink()


@needs(TOKENIZER)
@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium")
def test_the_page_answers_in_a_browser_with_three_files_of_the_packages(folder: Path) -> None:
    for name in BROWSER_FILES:
        (folder / "node_modules" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PACKAGES / name, folder / "node_modules" / name)
    try:
        rows = asked(folder)
        addresses = [f"index.html?{urlencode([('text', text) for text in texts])}" for texts in rows]
        command = ["node", str(PAGE), str(BROWSER), str(folder.parent / "browser"), str(folder), *addresses]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        for texts, shown in zip(rows, json.loads(done.stdout), strict=True):
            found = {label: float(score) for label, score in (line.split("\t") for line in shown.splitlines())}
            expected = answers(folder, texts)
            assert list(found) == sorted(expected, key=expected.__getitem__, reverse=True)
            assert found == pytest.approx(expected, abs=0.005)
    finally:
        shutil.rmtree(folder / "node_modules")


PIPELINE = """
import { env, pipeline } from '@huggingface/transformers';
const [folder, ...texts] = process.argv.slice(2);
Object.assign(env, { allowRemoteModels: false, localModelPath: folder });
const found = {};
for (const dtype of ['fp32', 'q8']) {
  const classify = await pipeline('text-classification', 'out', { dtype });
  found[dtype] = [];
  for (const text of texts) found[dtype].push(await classify(text, { top_k: null }));
}
console.log(JSON.stringify(found));
"""


@needs(TRANSFORMERS)
@pytest.mark.parametrize("folder", [1], indirect=True, ids=["text"])
def test_transformers_js_loads_the_folder(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "node_modules").symlink_to(PACKAGES, target_is_directory=True)
    (tmp_path / "pipeline.mjs").write_text(PIPELINE)
    texts = [text for text in TEXTS if len(text) < 20]  # it cuts a text where the tokenizer says, not the task
    command = ["node", "pipeline.mjs", str(folder.parent), *texts]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    found = json.loads(done.stdout)
    for dtype, file in (("fp32", "onnx/model.onnx"), ("q8", "onnx/model_quantized.onnx")):
        for text, answer in zip(texts, found[dtype], strict=True):
            expected = answers(folder, [text], file)
            assert {one["label"]: one["score"] for one in answer} == pytest.approx(expected, abs=0.005)


ENCODE = """
import { readFileSync } from 'node:fs';
import { Tokenizer } from '@huggingface/tokenizers';
import { encode } from './classify.mjs';
const json = (name) => JSON.parse(readFileSync(name));
const tokenizer = new Tokenizer(json('tokenizer.json'), json('tokenizer_config.json'));
console.log(JSON.stringify(json('rows.json').map(([texts, facts]) => encode(tokenizer, texts, facts))));
"""


@needs(TOKENIZER)
@pytest.mark.parametrize("kind", spelling.KINDS)
def test_rows_are_encoded_as_in_training(kind: str, tmp_path: Path) -> None:
    tokenizer = spelling.tokenizer(kind)
    tokenizer.save_pretrained(tmp_path)
    tokenizer.backend_tokenizer.save(str(tmp_path / "tokenizer.json"))
    texts = [*spelling.TEXTS, "", "Don't — naïve café 東京 🤗", "  two  spaces ", "a"]
    rows = [([text], limit, side) for text in texts for limit in (6, 11, 64) for side in ("head", "tail", "head+tail")]
    pairs = [[text, texts[place - 3]] for place, text in enumerate(texts)]
    rows += [(pair, limit, side) for pair in pairs for limit in (9, 14) for side in ("head", "head+tail")]
    expected = []
    for given, limit, side in rows:
        cut = task(len(given), limit, side)
        row = encode(Rows(given[:1], given[1:] or None, [0]), tokenizer, cut, token_types=True)
        expected.append({"ids": row.ids.tolist(), "types": row.types.tolist()})
    facts = [(given, {"max_length": limit, "truncation": side}) for given, limit, side in rows]
    (tmp_path / "rows.json").write_text(json.dumps(facts))
    (tmp_path / "encode.mjs").write_text(ENCODE)
    shutil.copy(onnxruntime_web.predict / "classify.mjs", tmp_path)
    (tmp_path / "node_modules").symlink_to(PACKAGES, target_is_directory=True)
    done = subprocess.run(["node", "encode.mjs"], capture_output=True, text=True, check=True, cwd=tmp_path)
    for row, found, right in zip(rows, json.loads(done.stdout), expected, strict=True):
        assert found["ids"] == right["ids"], row
        if kind in ("bert", "albert"):  # the others take no types
            assert found["types"] == right["types"], row


def test_the_memory_is_that_of_the_process_that_answers(tmp_path: Path) -> None:
    onnxruntime_web.build(graphs.graph(), "fp32", tmp_path / "model.onnx", extent=Extent(8, 16), options={})
    peak = memory.peak_bytes("onnxruntime-web", tmp_path / "model.onnx", {}, [graphs.feeds()], 1)
    assert peak > 70e6  # this runtime alone, in Node, is larger than the process that asks it


def test_more_threads_answer_the_same(tmp_path: Path) -> None:
    onnxruntime_web.build(graphs.graph(), "fp32", tmp_path / "model.onnx", extent=Extent(8, 16), options={})
    session = onnxruntime_web.open(tmp_path / "model.onnx", {}, threads=2)
    batch = graphs.feeds(rows=8, length=32)
    numpy.testing.assert_allclose(session(batch), graphs.answers(graphs.graph(), batch), atol=1e-5)
    session.close()

"""The session's process and where its parts are looked for; a package of a few lines stands for ONNX Runtime Web."""

import os
import shutil
from pathlib import Path

import graphs
import numpy
import pytest

from compress.encoders import graph as graph_module
from compress.encoders.graph import read_graph, write_graph
from compress.errors import CompressError, InputError, NotAvailable
from compress.targets import Extent
from compress.targets.onnxruntime_web import modules, onnxruntime_web

EXTENT = Extent(batch=16, tokens=40)
NODE = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not on the PATH")
PACKAGE = """
console.log('loading');
exports.env = { wasm: {} };
exports.Tensor = class {
  constructor(type, data, dims) { Object.assign(this, { type, data, dims }); }
};
exports.InferenceSession = {
  async create(content) {
    console.log('what a runtime may print', exports.env.wasm.numThreads);
    if (!content.length) throw new Error('an empty file\\nwith more to say');
    return { inputNames: ['attention_mask', 'input_ids'], run };
  },
};
async function run(feeds) {
  const { data, dims } = feeds.input_ids;
  if (data[0] === 13n) throw new Error('no such token');
  if (data[0] === 99n) process.exit(1);
  const logits = new Float32Array(2 * dims[0]);
  data.forEach((id, place) => {
    const row = Math.floor(place / dims[1]);
    logits[2 * row] += Number(id * feeds.attention_mask.data[place]);
    logits[2 * row + 1] = dims[1];
  });
  console.log('answered');
  return { logits: { data: logits } };
}
"""


def install(folder: Path, content: str) -> Path:
    """A folder of npm packages with one of the runtime's name."""
    package = folder / "onnxruntime-web"
    package.mkdir(parents=True)
    (package / "package.json").write_text('{"name": "onnxruntime-web", "main": "main.js"}')
    (package / "main.js").write_text(content)
    return folder


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder where no package is found."""
    monkeypatch.setenv("NODE_PATH", "")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("compress.targets.onnxruntime_web.shutil.which", lambda name: str(tmp_path / "bin" / name))
    return tmp_path


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model for the package that stands for the runtime."""
    monkeypatch.setenv("NODE_PATH", str(install(tmp_path / "packages", PACKAGE)))
    (tmp_path / "model.onnx").write_text("a model")
    return tmp_path / "model.onnx"


def feeds(*rows: list[int]) -> dict[str, numpy.ndarray]:
    ids = numpy.array(rows, numpy.int64)
    return {"input_ids": ids, "attention_mask": (ids > 0).astype(numpy.int64), "labels": numpy.zeros(len(rows))}


def test_files_lie_where_transformers_js_looks_for_them() -> None:
    assert onnxruntime_web.file_name("fp32", None) == "onnx/model.onnx"
    assert onnxruntime_web.file_name("fp16", "fp16") == "onnx/model_fp16.onnx"
    assert onnxruntime_web.file_name("int8", "dynamic") == "onnx/model_quantized.onnx"


def test_what_is_missing_is_named_with_what_to_do(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert onnxruntime_web.unrunnable("fp32") == (
        "the npm package onnxruntime-web is not found. Run `npm install onnxruntime-web` in this folder or one above it, "
        "or set NODE_PATH to the node_modules folder that has it."
    )
    with pytest.raises(NotAvailable, match=r"model\.onnx: cannot be run here: the npm package onnxruntime-web"):
        onnxruntime_web.open(empty / "model.onnx", {}, threads=1)
    monkeypatch.setattr("compress.targets.onnxruntime_web.shutil.which", lambda name: None)
    assert onnxruntime_web.unrunnable("fp32") == "Node is not on the PATH. Install Node 18 or newer."
    with pytest.raises(NotAvailable, match="Node is not on the PATH"):
        onnxruntime_web.open(empty / "model.onnx", {}, threads=1)


def test_the_package_is_looked_for_as_node_does(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    common = install(empty / "lib" / "node_modules", "")
    assert modules() == common
    above = install(empty / "node_modules", "")
    (empty / "deep" / "project").mkdir(parents=True)
    monkeypatch.chdir(empty / "deep" / "project")
    assert modules() == above
    own = install(Path.cwd() / "node_modules", "")
    assert modules() == own
    named = install(empty / "elsewhere", "")
    monkeypatch.setenv("NODE_PATH", os.pathsep.join([str(empty / "nothing"), str(named)]))
    assert modules() == named
    assert onnxruntime_web.unrunnable("fp32") is None


def test_a_graph_with_its_weights_beside_it_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_module, "MESSAGE_LIMIT_BYTES", 1000)
    write_graph(read_graph(graphs.graph()), tmp_path / "large.onnx")
    with pytest.raises(InputError, match=r"large\.onnx: its weights are above 2 GB"):
        onnxruntime_web.build(tmp_path / "large.onnx", "fp32", tmp_path / "out.onnx", extent=EXTENT, options={})
    assert not (tmp_path / "out.onnx").exists()


@NODE
def test_a_session_answers_whatever_the_runtime_prints(file: Path) -> None:
    session = onnxruntime_web.open(file, {}, threads=3)
    numpy.testing.assert_array_equal(session(feeds([5, 6, 0], [7, 0, 0])), [[11, 3], [7, 3]])
    many = numpy.arange(400_000).reshape(2000, 200) % 50 + 1  # more than a pipe holds, both ways
    answers = session(feeds(*many.tolist()))
    numpy.testing.assert_array_equal(answers, numpy.stack([many.sum(1), [200] * 2000], 1))
    assert answers.flags.writeable
    session.close()
    session.close()


@NODE
def test_a_call_that_fails_is_told_and_the_next_one_is_answered(file: Path) -> None:
    session = onnxruntime_web.open(file, {}, threads=1)
    with pytest.raises(CompressError, match=r"^ONNX Runtime Web cannot answer: no such token$"):
        session(feeds([13]))
    numpy.testing.assert_array_equal(session(feeds([2])), [[2, 1]])
    session.close()


@NODE
def test_a_process_that_ends_is_told(file: Path) -> None:
    session = onnxruntime_web.open(file, {}, threads=1)
    for _ in range(2):
        with pytest.raises(CompressError, match=r"^ONNX Runtime Web has stopped: exit status 1$"):
            session(feeds([99]))
    session.close()


@NODE
def test_a_model_that_cannot_be_loaded_is_the_users_error(file: Path) -> None:
    file.write_text("")
    with pytest.raises(InputError, match=r"model\.onnx: ONNX Runtime Web cannot load it: an empty file$"):
        onnxruntime_web.open(file, {}, threads=1)


@NODE
def test_a_package_that_cannot_be_loaded_is_not_available(file: Path) -> None:
    (file.parent / "packages" / "onnxruntime-web" / "main.js").write_text("require('nothing');")
    with pytest.raises(NotAvailable, match="cannot be started in Node: Error: Cannot find module 'nothing'"):
        onnxruntime_web.open(file, {}, threads=1)

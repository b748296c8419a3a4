import subprocess
import sys
from pathlib import Path
from typing import Any

import graphs
import numpy
import pytest
import scripts
from onnx import numpy_helper

from compress.encoders.graph import read_graph, write_graph
from compress.errors import InputError
from compress.quantization import Material
from compress.quantization.static_qdq import quantized
from compress.registry import RECIPES
from compress.stages.build import parts, size_bytes
from compress.targets import Extent
from compress.targets.openvino import openvino

engine = pytest.importorskip("openvino")


def build(precision: str, out: Path, source: Path | None = None) -> dict[str, Any]:
    return openvino.build(source or graphs.graph(), precision, out, extent=Extent(16, 40), options={})


def kernels(file: Path, settings: dict[str, Any]) -> dict[str, set[str]]:
    """The number formats that a file's operations are computed in, by their kind."""
    found: dict[str, set[str]] = {}
    for node in engine.Core().compile_model(file, "CPU", settings).get_runtime_model().get_ops():
        facts = node.get_rt_info()
        found.setdefault(facts["layerType"].value, set()).add(facts["primitiveType"].value.rpartition("_")[2].lower())
    return found


def test_files_lie_where_optimum_looks_for_them() -> None:
    assert openvino.file_name("fp32", None) == "openvino/openvino_model.xml"
    assert openvino.file_name("bf16", None) == "openvino/openvino_model_bf16.xml"
    assert openvino.file_name("int8", "nncf") == "openvino/openvino_model_quantized.xml"
    assert openvino.file_name("int8", "static_qdq") == "openvino/openvino_model_static_qdq.xml"


def test_what_has_no_kernel_is_not_offered() -> None:
    assert {"nncf", "smooth", "static_qdq", "weight_only"} <= openvino.recipes
    assert openvino.recipes.isdisjoint({"dynamic", "fp16", "mixed"})


def test_a_missing_engine_is_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compress.targets._engine.find_spec", lambda name: None if name == "openvino" else name)
    assert openvino.unavailable() == "not installed: openvino. Run `pip install openvino`."
    monkeypatch.undo()
    assert openvino.unavailable() is None


@pytest.mark.parametrize(("known", "runs"), [(["FP32", "INT8"], False), (["BF16", "FP32", "INT8"], True)])
def test_bf16_does_not_run_where_the_processor_lacks_it(
    known: list[str], runs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine.Core, "get_property", lambda _core, _device, _name: known)
    assert openvino.unrunnable("fp32") is openvino.unrunnable("int8") is None
    reason = openvino.unrunnable("bf16")
    assert reason is None if runs else "no bf16 instructions" in str(reason)


def test_the_session_takes_the_threads_and_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}
    real = engine.Core.compile_model

    def spy(core: engine.Core, file: Path, device: str, config: dict[str, Any]) -> engine.CompiledModel:
        seen.update(config, device=device)
        return real(core, file, device, config)

    monkeypatch.setattr(engine.Core, "compile_model", spy)
    settings = build("fp32", tmp_path / "model.xml")
    openvino.open(tmp_path / "model.xml", settings, threads=2).close()
    assert settings == {"INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"}
    assert seen == {**settings, "device": "CPU", "INFERENCE_NUM_THREADS": 2, "ENABLE_CPU_PINNING": False}


def test_each_precision_is_computed_as_its_name_says(tmp_path: Path) -> None:
    formats = {"fp32": "f32", "int8": "i8"} | ({} if openvino.unrunnable("bf16") else {"bf16": "bf16"})
    for precision, products in formats.items():
        source = graphs.graph()
        if precision == "int8":
            source = tmp_path / "int8.onnx"
            RECIPES.load("nncf")(graphs.graph(), source, Material("int8", graphs.calibration))
        file = tmp_path / f"{precision}.xml"
        found = kernels(file, build(precision, file, source))
        assert found["FullyConnected"] == {products}, (precision, found)


def test_weights_take_as_many_bytes_as_the_precision_says(tmp_path: Path) -> None:
    weights = sum(numpy.prod(tensor.dims) for tensor in read_graph(graphs.graph()).graph.initializer)
    for precision, each in (("fp32", 4), ("bf16", 2)):
        file = tmp_path / f"{precision}.xml"
        build(precision, file)
        stored = file.with_suffix(".bin").stat().st_size
        assert each * weights <= stored < each * weights * 1.05
        assert parts(file) == [file, file.with_suffix(".bin")]
        assert size_bytes(file) == stored + file.stat().st_size


def test_a_source_that_is_no_graph_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no graph")
    with pytest.raises(InputError, match=r"broken\.onnx: OpenVINO cannot read the graph: \S"):
        build("fp32", tmp_path / "out" / "model.xml", broken)
    assert not (tmp_path / "out").exists()


def test_lost_weights_are_the_users_error(tmp_path: Path) -> None:
    settings = build("fp32", tmp_path / "model.xml")
    tmp_path.joinpath("model.bin").unlink()
    with pytest.raises(InputError, match=r"model\.xml: OpenVINO cannot load it: .*weights"):
        openvino.open(tmp_path / "model.xml", settings, threads=1)


def test_the_files_hold_no_path_of_the_machine(tmp_path: Path) -> None:
    graph = read_graph(graphs.graph())
    write_graph(graph, tmp_path / "somewhere.onnx")
    build("fp32", tmp_path / "model.xml", tmp_path / "somewhere.onnx")
    text = (tmp_path / "model.xml").read_text()
    assert "somewhere" not in text
    assert str(tmp_path) not in text


def test_the_symmetric_graph_that_tensorrt_takes_answers_as_in_onnxruntime(tmp_path: Path) -> None:
    source, file = tmp_path / "symmetric.onnx", tmp_path / "model.xml"
    quantized(read_graph(graphs.graph()), graphs.graph(), source, graphs.material(), "test", symmetric=True)
    zeros = {node.input[2] for node in read_graph(source).graph.node if node.op_type == "QuantizeLinear"}
    assert zeros
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in read_graph(source).graph.initializer}
    assert not any(values[name].any() for name in zeros)
    settings = build("int8", file, source)
    assert "i8" in kernels(file, settings)["FullyConnected"]
    batch = graphs.feeds(rows=64, length=20, seed=9)
    session = openvino.open(file, settings, threads=1)
    numpy.testing.assert_array_equal(session(batch).argmax(-1), graphs.answers(source, batch).argmax(-1))


def test_what_nncf_makes_answers_as_in_onnxruntime(tmp_path: Path) -> None:
    RECIPES.load("nncf")(graphs.graph(), tmp_path / "int8.onnx", Material("int8", graphs.calibration))
    settings = build("int8", tmp_path / "model.xml", tmp_path / "int8.onnx")
    batch = graphs.feeds(rows=16, length=20, seed=9)
    other = graphs.answers(tmp_path / "int8.onnx", batch)
    session = openvino.open(tmp_path / "model.xml", settings, threads=1)
    assert numpy.abs(session(batch) - other).mean() < 0.02 * other.std()


def test_the_script_answers_as_the_session(tmp_path: Path) -> None:
    settings = build("fp32", tmp_path / "openvino" / "openvino_model.xml")
    session = openvino.open(tmp_path / "openvino" / "openvino_model.xml", settings, threads=1)
    scripts.check(openvino, tmp_path, "openvino/openvino_model.xml", settings, session)


def test_nobody_is_told_of_a_build(tmp_path: Path) -> None:
    """The engines' telemetry is on unless a file in the home folder says otherwise, and writes one when it is used."""
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "import graphs\n"
        "from compress.registry import RECIPES, TARGETS\n"
        "from compress.targets import Extent\n"
        "out = Path(sys.argv[1])\n"
        "RECIPES.load('nncf')(graphs.graph(), out / 'int8.onnx', graphs.material())\n"
        "target = TARGETS.load('openvino')\n"
        "settings = target.build(out / 'int8.onnx', 'int8', out / 'm.xml', extent=Extent(1, 8), options={})\n"
        "target.open(out / 'm.xml', settings, threads=1)(graphs.feeds())\n"
        "print('openvino_telemetry' in sys.modules)\n"
    )
    home = tmp_path / "home"
    home.mkdir()
    environment = {"HOME": str(home), "PYTHONPATH": ":".join(sys.path), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-W", "ignore", "-c", script, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.stdout.splitlines()[-1:] == ["False"], done.stderr
    assert not (home / "intel").exists()

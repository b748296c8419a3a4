"""TensorRT without TensorRT: a module that records what it is told stands for it."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import graphs
import pytest
import torch

from compress.encoders.graph import read_graph
from compress.errors import InputError, NotAvailable
from compress.targets import Extent, _tensorrt
from compress.targets.tensorrt import tensorrt

EXTENT = Extent(batch=8, tokens=33)


class Cache:
    """A timing cache: what it was made from, and one entry more for each build."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def serialize(self) -> bytes:
        return self.content + b"+"


class Config:
    def __init__(self) -> None:
        self.set: dict[str, Any] = {"flags": {"TF32"}, "profiles": []}

    def __setattr__(self, name: str, value: object) -> None:
        if name == "set":
            super().__setattr__(name, value)
        else:
            self.set[name] = value

    def set_flag(self, flag: str) -> None:
        self.set["flags"].add(flag)

    def clear_flag(self, flag: str) -> None:
        self.set["flags"].remove(flag)

    def add_optimization_profile(self, profile: dict[str, Any]) -> None:
        self.set["profiles"].append(profile.shapes)

    def create_timing_cache(self, content: bytes) -> Cache | None:
        return None if content == b"broken" else Cache(content)

    def set_timing_cache(self, cache: Cache, ignore_mismatch: bool) -> bool:
        assert ignore_mismatch is False
        self.set["timing"] = cache.content
        return cache.content != b"another GPU's"


class Profile:
    def __init__(self) -> None:
        self.shapes: dict[str, tuple[tuple[int, int], ...]] = {}

    def set_shape(self, name: str, *shapes: tuple[int, int]) -> None:
        self.shapes[name] = shapes


class Network:
    def __init__(self) -> None:
        self.graph = graphs.graph()

    @property
    def num_inputs(self) -> int:
        return len(read_graph(self.graph).graph.input)

    def get_input(self, index: int) -> Any:
        return read_graph(self.graph).graph.input[index]


class Fake(ModuleType):
    """TensorRT 10.0, where strong typing has to be asked for."""

    __version__ = "10.0.1"
    BuilderFlag = SimpleNamespace(TF32="TF32", VERSION_COMPATIBLE="VERSION_COMPATIBLE")
    HardwareCompatibilityLevel = SimpleNamespace(NONE="none", AMPERE_PLUS="ampere or later")
    NetworkDefinitionCreationFlag = SimpleNamespace(EXPLICIT_BATCH=0, STRONGLY_TYPED=1)
    ExecutionContextAllocationStrategy = SimpleNamespace(STATIC="static", USER_MANAGED="managed")

    def __init__(self) -> None:
        super().__init__("tensorrt")
        self.configs: list[Config] = []
        self.networks: list[int] = []
        self.parsed: list[bytes] = []
        self.runtimes: list[Any] = []
        self.fails: str | None = None
        fake = self

        class ILogger:
            INTERNAL_ERROR, ERROR, WARNING = "internal", "error", "warning"

        class Builder:
            def __init__(self, log: Any) -> None:
                if fake.fails == "start":
                    log.log("error", "CUDA initialization failure\nwith error: 35")
                    raise TypeError("factory function returned nullptr")
                self.log = log

            def create_network(self, flags: int) -> Network:
                fake.networks.append(flags)
                return Network()

            def create_builder_config(self) -> Config:
                fake.configs.append(Config())
                return fake.configs[-1]

            def create_optimization_profile(self) -> Profile:
                return Profile()

            def build_serialized_network(self, network: Network, config: Config) -> bytes | None:
                self.log.log("warning", "not of interest")
                if fake.fails == "build":
                    self.log.log("error", "no kernel for\n  node_x")
                    return None
                return b"engine of " + str(sorted(config.set["flags"])).encode()

        class OnnxParser:
            num_errors = 1

            def __init__(self, network: Network, log: Any) -> None:
                pass

            def parse_from_file(self, path: str) -> bool:
                fake.parsed.append(Path(path).read_bytes())
                return fake.fails != "parse"

            def get_error(self, index: int) -> Any:
                return SimpleNamespace(desc=lambda: "unknown operator MatMulInteger")

        class Runtime:
            def __init__(self, log: Any) -> None:
                self.engine_host_code_allowed = False
                fake.runtimes.append(self)
                self.log = log

            def deserialize_cuda_engine(self, plan: bytes) -> None:
                self.log.log("error", "built by another version")

        self.ILogger, self.Builder, self.OnnxParser, self.Runtime = ILogger, Builder, OnnxParser, Runtime


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Fake:
    made = Fake()
    monkeypatch.setitem(sys.modules, "tensorrt", made)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (8, 6))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA RTX A2000")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return made


def built(out: Path, precision: str = "fp16", **options: Any) -> dict[str, Any]:
    return tensorrt.build(graphs.graph(), precision, out, extent=EXTENT, options=options)


def test_networks_are_strongly_typed_and_take_calls_up_to_the_largest(fake: Fake, tmp_path: Path) -> None:
    built(tmp_path / "model.engine")
    assert fake.networks == [1 << 1]
    shapes = ((1, 1), (8, 17), (8, 33))
    (config,) = fake.configs
    assert config.set["profiles"] == [dict.fromkeys(("input_ids", "attention_mask", "token_type_ids"), shapes)]
    assert (config.set["flags"], config.set["builder_optimization_level"]) == (set(), 3)
    assert "hardware_compatibility_level" not in config.set


def test_options_reach_the_builder(fake: Fake, tmp_path: Path) -> None:
    options = {"version_compatible": True, "hardware_compatible": True, "optimization_level": 5}
    settings = built(tmp_path / "model.engine", **options, typical_batch=1, typical_tokens=8)
    (config,) = fake.configs
    assert config.set["flags"] == {"VERSION_COMPATIBLE"}
    assert config.set["hardware_compatibility_level"] == "ampere or later"
    assert config.set["builder_optimization_level"] == 5
    assert config.set["profiles"][0]["input_ids"] == ((1, 1), (1, 8), (8, 33))
    assert settings["version_compatible"] is True


def test_a_level_that_is_none_is_refused(fake: Fake, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"options\.optimization_level: 6 is not one\. Give 0 to 5\."):
        built(tmp_path / "model.engine", optimization_level=6)
    assert fake.configs == []


def test_kernel_times_are_kept_for_the_next_build_on_this_gpu(fake: Fake, tmp_path: Path) -> None:
    file = tmp_path / "cache" / "compress" / "tensorrt" / "NVIDIA-RTX-A2000-10.0.1.timing"
    for expected in (b"", b"+"):
        built(tmp_path / "model.engine")
        assert fake.configs[-1].set["timing"] == expected
    assert file.read_bytes() == b"++"
    built(tmp_path / "model.engine", timing_cache=str(tmp_path / "mine"))
    assert (tmp_path / "mine" / file.name).read_bytes() == b"+"


@pytest.mark.parametrize("content", [b"broken", b"another GPU's"])
def test_times_that_do_not_fit_are_left_aside(content: bytes, fake: Fake, tmp_path: Path) -> None:
    file = tmp_path / "mine" / "NVIDIA-RTX-A2000-10.0.1.timing"
    file.parent.mkdir()
    file.write_bytes(content)
    built(tmp_path / "model.engine", timing_cache=str(tmp_path / "mine"))
    assert fake.configs[-1].set["timing"] == b""
    assert file.read_bytes() == b"+"


def test_eight_bits_are_mixed_with_fp16_and_other_graphs_are_taken_as_they_are(fake: Fake, tmp_path: Path) -> None:
    built(tmp_path / "fp16.engine", "fp16")
    built(tmp_path / "int8.engine", "int8")
    whole, mixed = fake.parsed
    assert whole == graphs.graph().read_bytes()
    assert len(mixed) < 0.7 * len(whole)


@pytest.mark.parametrize(("precision", "least"), [("fp8", "8.9"), ("bf16", "8.0")])
def test_a_precision_that_the_gpu_lacks_is_refused(
    precision: str, least: str, fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (7, 5))
    with pytest.raises(
        NotAvailable, match=f"{precision} needs a GPU of compute capability {least} or higher; .* has 7.5"
    ):
        built(tmp_path / "model.engine", precision)


@pytest.mark.parametrize(
    ("fails", "error", "said"),
    [
        ("start", NotAvailable, "tensorrt cannot start here: CUDA initialization failure with error: 35"),
        ("parse", InputError, "tensorrt cannot build it: unknown operator MatMulInteger"),
        ("build", InputError, "tensorrt cannot build it: no kernel for node_x"),
    ],
)
def test_what_goes_wrong_is_said_and_nothing_is_written(
    fails: str, error: type[Exception], said: str, fake: Fake, tmp_path: Path
) -> None:
    fake.fails = fails
    with pytest.raises(error, match=said):
        built(tmp_path / "out" / "model.engine")
    assert not (tmp_path / "out").exists()


def test_only_an_engine_known_to_be_ours_may_bring_code(fake: Fake, tmp_path: Path) -> None:
    out = tmp_path / "model.engine"
    for version_compatible in (True, False):
        settings = built(out, version_compatible=version_compatible)
        for given in (settings, {"version_compatible": version_compatible}):
            with pytest.raises(InputError, match="TensorRT cannot load it: built by another version"):
                tensorrt.open(out, given, threads=1)
    assert [runtime.engine_host_code_allowed for runtime in fake.runtimes] == [True, False, False, False]


def test_where_it_cannot_be_used_the_reason_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compress.targets.tensorrt.find_spec", lambda name: None)
    assert tensorrt.unavailable() == (
        "not installed: tensorrt. Run `pip install tensorrt` on a machine with an NVIDIA GPU."
    )
    monkeypatch.setattr("compress.targets.tensorrt.find_spec", lambda name: name)
    monkeypatch.setattr(_tensorrt, "gpu_missing", lambda: "no GPU.")
    assert tensorrt.unavailable() == (
        "no GPU. TensorRT builds on the GPU that will run the engine; `tensorrt-rtx` builds without one."
    )
    monkeypatch.setattr(_tensorrt, "gpu_missing", lambda: None)
    monkeypatch.setattr(_tensorrt, "cuda_missing", lambda: "no CUDA.")
    assert tensorrt.unavailable() == "no CUDA."
    monkeypatch.setattr(_tensorrt, "cuda_missing", lambda: None)
    assert tensorrt.unavailable() is None
    assert tensorrt.unrunnable("fp16") is None


@pytest.mark.parametrize(("line", "missing"), [("cuda: Optional[str] = None", True), ("cuda: str = '13.0'", False)])
def test_a_pytorch_without_cuda_is_told_by_its_version_file(
    line: str, missing: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "version.py").write_text(f"__version__ = '2.13.0'\n{line}\nhip: Optional[str] = None\n")
    monkeypatch.setattr(_tensorrt, "find_spec", lambda name: SimpleNamespace(origin=str(tmp_path / "__init__.py")))
    assert (_tensorrt.cuda_missing() is not None) == missing


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no /dev for it")
@pytest.mark.parametrize(
    ("node", "there"), [("nvidia0", True), ("nvhost-gpu", True), ("dxg", True), ("nvidiactl", False)]
)
def test_a_gpu_is_told_by_its_driver_and_its_node(
    node: str, there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / node).touch()
    monkeypatch.setattr(_tensorrt, "DEVICES", tmp_path)
    monkeypatch.setattr(_tensorrt.ctypes, "CDLL", lambda name: name)
    assert (_tensorrt.gpu_missing() is None) == there

    def absent(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(_tensorrt.ctypes, "CDLL", absent)
    assert _tensorrt.gpu_missing() == "no NVIDIA driver (libcuda.so.1) is installed."

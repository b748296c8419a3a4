import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from compress.bench import machine
from compress.report.record import Machine as Recorded

EPYC = """\
processor	: 0
model name	: AMD EPYC 9R14 96-Core Processor
flags		: fpu avx2 avx512f avx512_bf16 avx512_vnni sse4_2
processor	: 1
model name	: another
"""
GRAVITON = """\
processor	: 0
Features	: fp asimd asimddp sve i8mm bf16
CPU implementer	: 0x41
CPU part	: 0xd40
"""


def test_this_machine_is_described():
    here = machine.describe()
    assert 1 <= here.physical_cores <= here.logical_cores
    assert here.machine_class.startswith(f"{here.architecture}/")
    assert f"/{here.logical_cores}c" in here.machine_class
    assert here == machine.describe()


def test_a_record_holds_a_machine_as_it_is():
    fields = machine.Machine.__dataclass_fields__
    assert list(fields) == list(Recorded.model_fields)
    here = machine.describe()
    assert Recorded(**{name: getattr(here, name) for name in fields}).machine_class == here.machine_class


def test_describing_imports_no_torch():
    code = "import sys; from compress.bench import machine; machine.describe(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_names_and_features_of_x86_and_arm():
    name, features = machine.cpuinfo(EPYC)
    assert name == "AMD EPYC 9R14 96-Core Processor"
    assert features == {"avx2", "avx512f", "avx512_bf16", "avx512_vnni"}
    name, features = machine.cpuinfo(GRAVITON)
    assert name == "Arm Neoverse-V1"
    assert features == {"neon_dotprod", "neon_i8mm"}
    assert machine.cpuinfo(GRAVITON.replace("0xd40", "0xfff"))[0] == "Arm part 0x41-0xfff"
    assert machine.cpuinfo("") == ("", frozenset())


@pytest.mark.parametrize(
    ("text", "cores"),
    [("max 100000\n", None), ("200000 100000\n", 2), ("150000 100000", 2), ("5000 100000", 1), ("", None)],
)
def test_a_containers_share_of_the_cores(text, cores):
    assert machine.quota(text) == cores


def test_a_mac():
    text = "machdep.cpu.brand_string: Apple M2\nhw.physicalcpu: 8\nhw.logicalcpu: 8\nhw.memsize: 17179869184\nhw.optional.arm.FEAT_DotProd: 1\nhw.optional.arm.FEAT_I8MM: 1\nhw.optional.avx2_0: 0\n"
    facts = machine.sysctl(text)
    assert (facts.processor, facts.physical_cores, facts.memory_bytes) == ("Apple M2", 8, 17179869184)
    assert facts.features == {"neon_dotprod", "neon_i8mm"}
    assert machine.sysctl("garbage").logical_cores == 0


@pytest.mark.parametrize("platform", ["darwin", "win32", "freebsd14"])
def test_a_system_that_tells_nothing_is_described_all_the_same(monkeypatch, platform):
    monkeypatch.setattr(machine.sys, "platform", platform)
    monkeypatch.setattr(machine, "_output", lambda command, failed: "")
    assert machine.describe().logical_cores >= 1


def test_a_reader_that_fails_costs_only_its_facts(monkeypatch):
    def broken():
        raise OSError("no /proc here")

    monkeypatch.setattr(machine, "_linux", broken)
    monkeypatch.setattr(machine.sys, "platform", "linux")
    assert machine.describe().memory_bytes == 0


def test_the_class_is_short_and_stable(monkeypatch):
    facts = machine._Facts("Intel(R) Xeon(R) Platinum 8375C CPU @ 2.90GHz", 4, 8, 1, frozenset({"avx2", "avx512_vnni"}))
    monkeypatch.setattr(machine, "_linux", lambda: facts)
    monkeypatch.setattr(machine.sys, "platform", "linux")
    monkeypatch.setattr(machine.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(machine, "_gpus", lambda: ())
    assert machine.describe().machine_class == "x86_64/Intel Xeon Platinum 8375C/8c/avx512_vnni"
    monkeypatch.setattr(machine, "_gpus", lambda: ("NVIDIA L4", "NVIDIA L4"))
    assert machine.describe().machine_class.endswith("/8c/avx512_vnni/2x NVIDIA L4")


def test_gpus_are_read_from_the_drivers_tool(monkeypatch):
    monkeypatch.setattr(machine.shutil, "which", lambda name: name)
    monkeypatch.setattr(machine, "_output", lambda command, failed: "NVIDIA H100 80GB HBM3\n")
    monkeypatch.setattr(machine, "Path", lambda *parts: machine_without_driver(*parts))
    assert machine._gpus() == ("NVIDIA H100 80GB HBM3",)


@pytest.fixture
def tool(monkeypatch, tmp_path):
    """Write a tool that prints a line and ends with an exit status; it is the only one to be found."""

    def write(name, line, status):
        (tmp_path / name).write_text(f"#!/bin/sh\necho '{line}'\nexit {status}\n")
        (tmp_path / name).chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))

    return write


@pytest.mark.parametrize(("status", "expected"), [(0, ("Some line",)), (9, ())])
def test_what_a_failing_driver_prints_is_no_gpu(monkeypatch, tool, status, expected):
    tool("nvidia-smi", "Some line", status)
    monkeypatch.setattr(machine, "Path", lambda *parts: machine_without_driver(*parts))
    assert machine._gpus() == expected


def test_a_mac_that_does_not_know_every_key_tells_the_others(tool):
    tool("sysctl", "hw.physicalcpu: 8", 1)
    assert machine._mac().physical_cores == 8


@pytest.mark.parametrize(
    ("compatible", "expected"),
    [
        ("nvidia,p3737-0000+p3701-0005\0nvidia,tegra234\0", ("NVIDIA Orin",)),
        ("nvidia,tegra999\0", ("NVIDIA tegra999",)),
        ("raspberrypi,5-model-b\0brcm,bcm2712\0", ()),
    ],
)
@pytest.mark.parametrize("loaded", [False, True])
def test_a_boards_gpu_is_the_same_whether_torch_is_loaded_or_not(monkeypatch, compatible, expected, loaded):
    cuda = SimpleNamespace(is_available=lambda: True, device_count=lambda: 1, get_device_name=lambda index: "Orin")
    if loaded:
        monkeypatch.setitem(machine.sys.modules, "torch", SimpleNamespace(cuda=cuda))
    else:
        monkeypatch.delitem(machine.sys.modules, "torch", raising=False)
    monkeypatch.setattr(machine.shutil, "which", lambda name: None)
    monkeypatch.setattr(machine, "Path", lambda *parts: machine_without_driver(*parts))
    monkeypatch.setattr(machine, "_text", lambda path: compatible if "device-tree" in str(path) else "")
    assert machine._gpus() == expected


def test_the_class_is_the_same_after_torch_has_worked():
    code = (
        "from compress.bench import machine; before = machine.describe(); import torch; "
        "torch.ones(300, 300) @ torch.ones(300, 300); assert machine.describe() == before, (before, machine.describe())"
    )
    environment = {**os.environ, "OMP_PROC_BIND": "true", "OMP_NUM_THREADS": "2"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr


def machine_without_driver(*parts):
    from pathlib import Path

    return Path("/nowhere", *(part.lstrip("/") for part in parts))


def test_versions_leave_out_what_is_not_installed():
    found = machine.versions(["numpy", "no-such-package"])
    assert set(found) == {"python", "numpy"}
    assert found["python"] == sys.version.split()[0]

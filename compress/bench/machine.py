"""The machine a number was measured on: processor, cores that may be used, vector instructions, memory, GPUs."""

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

# Strongest last: the machine class is named after the last one that is there.
FEATURES = (
    "avx2",
    "avx512f",
    "avx_vnni",
    "avx512_bf16",
    "avx512_vnni",
    "amx_tile",
    "amx_int8",
    "neon_dotprod",
    "neon_i8mm",
)
_ARM_FLAGS = {"asimddp": "neon_dotprod", "i8mm": "neon_i8mm"}
_ARM_PARTS = {
    "0xd08": "Arm Cortex-A72",
    "0xd0b": "Arm Cortex-A76",
    "0xd0c": "Arm Neoverse-N1",
    "0xd40": "Arm Neoverse-V1",
    "0xd42": "Arm Cortex-A78AE",
    "0xd49": "Arm Neoverse-N2",
    "0xd4f": "Arm Neoverse-V2",
}
_TEGRA = {
    "tegra186": "NVIDIA TX2",
    "tegra194": "NVIDIA Xavier",
    "tegra210": "NVIDIA Tegra X1",
    "tegra234": "NVIDIA Orin",
}
_MAC_FLAGS = {
    "hw.optional.avx2_0": "avx2",
    "hw.optional.avx512f": "avx512f",
    "hw.optional.avx512vnni": "avx512_vnni",
    "hw.optional.arm.FEAT_DotProd": "neon_dotprod",
    "hw.optional.arm.FEAT_I8MM": "neon_i8mm",
}
_MAC_FACTS = ("machdep.cpu.brand_string", "hw.physicalcpu", "hw.logicalcpu", "hw.memsize")
_WINDOWS_FEATURES = {40: "avx2", 41: "avx512f", 43: "neon_dotprod"}


@dataclass(frozen=True, slots=True)
class Machine:
    """What decides the speed of a machine. Cores and memory are those this process may use (affinity, container)."""

    machine_class: str
    """Short stable name; latencies are compared within one class only."""
    processor: str
    physical_cores: int
    logical_cores: int
    memory_bytes: int
    """0 where it cannot be told."""
    system: str
    architecture: str
    features: tuple[str, ...]
    """Vector instructions that matter to quantized models, of those in FEATURES."""
    gpus: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Facts:
    processor: str = ""
    physical_cores: int = 0
    logical_cores: int = 0
    memory_bytes: int = 0
    features: frozenset[str] = frozenset()


def describe() -> Machine:
    """This machine, in milliseconds and without importing PyTorch. What cannot be told is left empty; never raises."""
    reader = {"linux": _linux, "darwin": _mac, "win32": _windows}.get(sys.platform, _Facts)
    try:
        facts = reader()
    except (OSError, ValueError, AttributeError):
        facts = _Facts()
    architecture = {"AMD64": "x86_64", "arm64": "aarch64", "ARM64": "aarch64"}.get(
        platform.machine(), platform.machine()
    )
    logical = facts.logical_cores or os.cpu_count() or 1
    features = tuple(feature for feature in FEATURES if feature in facts.features)
    processor = _clean(facts.processor or platform.processor()) or "unknown processor"
    gpus = _gpus()
    return Machine(
        machine_class=_class(architecture, processor, logical, features, gpus),
        processor=processor,
        physical_cores=min(facts.physical_cores or logical, logical),
        logical_cores=logical,
        memory_bytes=facts.memory_bytes,
        system=f"{platform.system()} {platform.release()}".strip(),
        architecture=architecture,
        features=features,
        gpus=gpus,
    )


def versions(names: Iterable[str]) -> dict[str, str]:
    """The versions of installed packages and of Python itself; a package that is not installed is left out."""
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def cores() -> tuple[int, ...]:
    """The cores this process may run on, one of each physical core first. Empty where the system does not tell."""
    if sys.platform != "linux":
        return ()
    allowed = _allowed()
    first: dict[str, int] = {}
    for core in allowed:
        first.setdefault(_siblings(core), core)
    mains = set(first.values())
    return tuple(sorted(allowed, key=lambda core: (core not in mains, core)))


@cache
def _allowed() -> tuple[int, ...]:
    """The cores of this process when it was asked first: under OMP_PROC_BIND, PyTorch binds this very thread to one."""
    return tuple(sorted(os.sched_getaffinity(0)))


def _class(architecture: str, processor: str, logical: int, features: tuple[str, ...], gpus: tuple[str, ...]) -> str:
    parts = [architecture, processor, f"{logical}c", *features[-1:]]
    if gpus:
        parts.append(f"{len(gpus)}x {gpus[0]}" if len(gpus) > 1 else gpus[0])
    return "/".join(part.replace("/", "-") for part in parts)


def _clean(name: str) -> str:
    """A processor's name without marks and clock speed: `Intel(R) Xeon(R) CPU E5 @ 2.20GHz` -> `Intel Xeon E5`."""
    name = re.sub(r"\((R|TM|C)\)|@.*|\bCPU\b|\bProcessor\b|\b\d+-Core\b", " ", name, flags=re.IGNORECASE)
    return " ".join(name.split())


def _linux() -> _Facts:
    info = cpuinfo(_text("/proc/cpuinfo"))
    allowed = cores()
    logical = min(len(allowed), quota(_text("/sys/fs/cgroup/cpu.max")) or len(allowed))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = _text("/sys/fs/cgroup/memory.max").strip()
    return _Facts(
        processor=_text("/proc/device-tree/model").strip("\0\n ") or info[0],
        physical_cores=len({_siblings(core) for core in allowed}),
        logical_cores=logical,
        memory_bytes=min(memory, int(limit)) if limit.isdigit() else memory,
        features=info[1],
    )


def cpuinfo(text: str) -> tuple[str, frozenset[str]]:
    """The processor's name and vector features in the text of Linux' `/proc/cpuinfo` (x86 and Arm)."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    flags = set(fields.get("flags", "").split())
    flags |= {_ARM_FLAGS[flag] for flag in fields.get("Features", "").split() if flag in _ARM_FLAGS}
    part = fields.get("CPU part", "")
    arm = _ARM_PARTS.get(part, f"Arm part {fields.get('CPU implementer', '?')}-{part}" if part else "")
    return fields.get("model name") or arm, frozenset(flags.intersection(FEATURES))


def quota(text: str) -> int | None:
    """The whole cores a cgroup's `cpu.max` leaves, at least 1; None without a limit."""
    limit, _, period = text.strip().partition(" ")
    if not (limit.isdigit() and period.isdigit()):
        return None
    return max(1, -(-int(limit) // int(period)))


def _siblings(core: int) -> str:
    """A key shared by the hyper-threads of one physical core."""
    return _text(f"/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list").strip() or str(core)


def _mac() -> _Facts:
    # Keys that it does not know make it fail, and it prints the others all the same.
    return sysctl(_output(["sysctl", *_MAC_FACTS, *_MAC_FLAGS], failed=True))


def sysctl(text: str) -> _Facts:
    """The facts in the lines that macOS' `sysctl` prints; a key it does not know is missing there."""
    found = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
    return _Facts(
        processor=found.get("machdep.cpu.brand_string", ""),
        physical_cores=_number(found, "hw.physicalcpu"),
        logical_cores=_number(found, "hw.logicalcpu"),
        memory_bytes=_number(found, "hw.memsize"),
        features=frozenset(feature for key, feature in _MAC_FLAGS.items() if found.get(key) == "1"),
    )


def _number(found: Mapping[str, str], key: str) -> int:
    value = found.get(key, "")
    return int(value) if value.isdigit() else 0


if sys.platform == "win32":

    def _windows() -> _Facts:
        import ctypes
        import winreg

        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"HARDWARE\DESCRIPTION\System\CentralProcessor\0") as key:
            name = str(winreg.QueryValueEx(key, "ProcessorNameString")[0])
        status = (ctypes.c_uint64 * 8)(64)  # MEMORYSTATUSEX: length and load share the first 8 bytes, the total follows
        ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))
        present = ctypes.windll.kernel32.IsProcessorFeaturePresent
        features = frozenset(feature for number, feature in _WINDOWS_FEATURES.items() if present(number))
        return _Facts(processor=name, memory_bytes=int(status[1]), features=features)

else:

    def _windows() -> _Facts:
        return _Facts()


def _gpus() -> tuple[str, ...]:
    """NVIDIA GPUs by name: from the driver's files, else its tool, else the chip they are part of (Jetson).

    PyTorch is not asked, even if it is loaded: a machine has one class, whoever describes it.
    """
    names = []
    for path in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        match = re.search(r"^Model:\s*(.+)$", _text(path), flags=re.MULTILINE)
        names += [match[1].strip()] if match else []
    if not names and shutil.which("nvidia-smi"):
        # It prints its failures where the names would be.
        names = _output(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"], failed=False).split("\n")
    if not any(names):
        chip = re.search(r"nvidia,(tegra\d+)", _text("/proc/device-tree/compatible"))
        names = [_TEGRA.get(chip[1], f"NVIDIA {chip[1]}")] if chip else []
    return tuple(name.strip() for name in names if name.strip())


def _text(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _output(command: list[str], *, failed: bool) -> str:
    """What a command prints; `failed` says whether it counts although its exit status tells of a failure."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout if failed or done.returncode == 0 else ""

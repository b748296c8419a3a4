"""ONNX Runtime Web: WebAssembly in browsers and in Node; transformers.js reads the same folder."""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compress.errors import KILLED, CompressError, InputError, MachineLimit, NotAvailable
from compress.targets import Extent, Feeds, Option, Session
from compress.targets._onnxruntime import ReadsGraphs

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

PACKAGE = "onnxruntime-web"
_SERVER = Path(__file__).with_name("_serve_onnxruntime_web.mjs")
_PATIENCE_S = 10
_COMPILED = "--no-liftoff"
"""WebAssembly is compiled for speed at its first call. Left to itself, V8 does so in threads of its own during the first
hundred calls, which are five times slower for that, as is all that is timed beside them."""


class OnnxRuntimeWeb(ReadsGraphs):
    """Files are named as transformers.js looks for them: `onnx/model.onnx`, `onnx/model_quantized.onnx`.

    What is built runs here in Node, by the WebAssembly that browsers load. The npm package is looked for in the folders of
    `NODE_PATH`, then in `node_modules` of the current folder and of those above it, then beside a global Node's own.
    """

    precisions: Mapping[str, str | None] = {"fp32": None, "fp16": "fp16", "int8": "dynamic"}
    tunings: tuple[Mapping[str, Any], ...] = ({},)
    predict = Path(__file__).with_name("_onnxruntime_web")

    def unrunnable(self, precision: str | None = None) -> str | None:
        """Node or the npm package that is missing, if so."""
        if shutil.which("node") is None:
            return "Node is not on the PATH. Install Node 18 or newer."
        if modules() is None:
            return (
                f"the npm package {PACKAGE} is not found. Run `npm install {PACKAGE}` in this folder or one above it, or "
                "set NODE_PATH to the node_modules folder that has it."
            )
        return None

    def build(
        self, source: Path, precision: str, out: Path, *, extent: Extent, options: Mapping[str, Option]
    ) -> dict[str, Any]:
        """Copy the graph, as for ONNX Runtime.

        Raises: InputError if its weights lie in a file of their own: WebAssembly has no room for 2 GB of them.
        """
        if source.with_name(f"{source.name}_data").is_file():
            raise InputError(
                f"{source}: its weights are above 2 GB, more than a browser loads. Take a smaller precision."
            )
        return super().build(source, precision, out, extent=extent, options=options)

    def open(self, file: Path, settings: Mapping[str, Any], *, threads: int) -> Session:
        """Load a graph in a process of Node, which answers over pipes until the session is closed.

        The time of a call is that of the runtime and, besides, of two pipes and a change of process: some 0.1 ms.
        Raises: InputError if the file cannot be loaded; NotAvailable if the runtime cannot be started.
        """
        node, folder = shutil.which("node"), modules()
        if node is None or folder is None:
            raise NotAvailable(f"{file}: cannot be run here: {self.unrunnable('fp32')}")
        return _Session(file, [node, _COMPILED, str(_SERVER), str(folder / PACKAGE), str(file.resolve()), str(threads)])


def modules() -> Path | None:
    """The folder of npm packages that has ONNX Runtime Web, if there is one."""
    here = Path.cwd()
    folders = [Path(folder) for folder in os.environ.get("NODE_PATH", "").split(os.pathsep) if folder]
    folders += [folder / "node_modules" for folder in (here, *here.parents)]
    node = shutil.which("node")
    if node is not None:
        prefix = Path(node).resolve().parent
        folders += [prefix / "node_modules", prefix.parent / "lib" / "node_modules"]  # Windows; elsewhere
    return next((folder for folder in folders if (folder / PACKAGE / "package.json").is_file()), None)


class _Session:
    """A process of Node that answers: frames of two little-endian uint32 and bytes, each way."""

    def __init__(self, file: Path, command: list[str]) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `close`)
        self._process: subprocess.Popen[bytes] | None = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said
        )
        try:
            failed, content = self._answer("ONNX Runtime Web cannot be started in Node", NotAvailable)
            if failed:
                raise InputError(f"{file}: ONNX Runtime Web cannot load it: {content.decode().partition(chr(10))[0]}")
        except BaseException:
            self.close()
            raise
        self._inputs: list[str] = json.loads(content)

    def __call__(self, feeds: Feeds) -> NDArray[np.float32]:
        import numpy as np

        inputs = [np.ascontiguousarray(feeds[name], "<i8") for name in self._inputs]
        rows, tokens = inputs[0].shape
        stdin = self._running.stdin
        assert stdin is not None
        try:
            stdin.write(b"".join([struct.pack("<II", rows, tokens), *(value.tobytes() for value in inputs)]))
            stdin.flush()
        except BrokenPipeError:
            pass  # it has ended: told below
        failed, content = self._answer("ONNX Runtime Web has stopped", CompressError)
        if failed:
            raise CompressError(f"ONNX Runtime Web cannot answer: {content.decode().partition(chr(10))[0]}")
        return np.frombuffer(content, "<f4").astype(np.float32).reshape(rows, -1)

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            process.communicate(timeout=_PATIENCE_S)  # it ends when nothing more can come
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        self._said.close()

    def _answer(self, without: str, error: type[CompressError]) -> tuple[int, bytes]:
        """Whether it failed, and what came with that; `error`, whose text begins with `without`, if nothing comes."""
        process = self._running
        assert process.stdout is not None
        head = process.stdout.read(8)
        if len(head) == 8:
            failed, length = struct.unpack("<II", head)
            content = process.stdout.read(length)
            if len(content) == length:
                return failed, content
        status = process.wait()
        if status == KILLED:
            raise MachineLimit.killed(without)
        self._said.seek(0)
        told = re.search(r"^\w*Error\b.*", self._said.read().decode(errors="replace"), re.MULTILINE)
        raise error(f"{without}: {told[0] if told else f'exit status {status}'}")

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("the session is closed")
        return self._process


onnxruntime_web = OnnxRuntimeWeb()

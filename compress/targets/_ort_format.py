"""ONNX Runtime's own model format, a FlatBuffer: which operators a file needs, and the same bytes for the same model."""

from __future__ import annotations

import logging
import sys
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_IDENTIFIER = b"ORTM"
_ALIGNED_BYTES = 16
_KEPT_BYTES = 4 * _ALIGNED_BYTES


def operators(model: Path) -> str:
    """The operators of a model and the types they are used with, a line each domain and version.

    It is what ONNX Runtime's build takes as `--include_ops_by_config`.
    """
    with _tool() as tool, tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "config")
        tool.create_config_from_models([model], config, True)
        lines = config.read_text("utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("#"))  # comments name the path


def settle(model: Path) -> None:
    """Rewrite a model's table of types in the order of the operators' names.

    ONNX Runtime writes the table in another order each time. It lies at the beginning of the file, before the graph,
    where nothing else points into it; the graph stays as it is. A file that is laid out otherwise is not changed.
    """
    import flatbuffers

    data = model.read_bytes()
    with _tool():
        from ort_flatbuffers_py.fbs.InferenceSession import InferenceSession

        session = InferenceSession.GetRootAs(data, 0)
        graph, resolver = session.Model()._tab, session.KernelTypeStrResolver()
        fields = graph.Pos - int.from_bytes(data[graph.Pos : graph.Pos + 4], "little", signed=True)
        start = min(graph.Pos, fields)
        if resolver._tab.Pos > start:
            return
        table = sorted(
            _entry(resolver.OpKernelTypeStrArgs(index)) for index in range(resolver.OpKernelTypeStrArgsLength())
        )
        version = session.OrtVersion()
    # The graph is kept from an aligned place on. The builder gets but its first bytes, which the new head points to.
    kept = -(-(len(data) - start) // _ALIGNED_BYTES) * _ALIGNED_BYTES
    rest = data[start:].rjust(kept, b"\0")
    builder = flatbuffers.Builder()
    builder.Prep(_ALIGNED_BYTES, 0)
    builder.CreateByteVector(rest[:_KEPT_BYTES])
    place = _KEPT_BYTES - (graph.Pos - len(data) + kept)
    text, types = builder.CreateString(version), _write(builder, table)
    builder.StartObject(4)
    builder.PrependUOffsetTRelativeSlot(0, text, 0)
    builder.PrependUOffsetTRelativeSlot(1, place, 0)
    builder.PrependUOffsetTRelativeSlot(3, types, 0)
    builder.Finish(builder.EndObject(), _IDENTIFIER)
    model.write_bytes(bytes(builder.Output())[:-_KEPT_BYTES] + rest)


_Entry = tuple[bytes, list[tuple[bytes, list[tuple[int, int]]]]]
"""An operator; the types that its kernels differ by; for each of these the inputs (0) or outputs (1) that have it."""


def _entry(found: Any) -> _Entry:
    kinds = [found.KernelTypeStrArgs(index) for index in range(found.KernelTypeStrArgsLength())]
    return found.OpId(), sorted(
        (kind.KernelTypeStr(), [(kind.Args(j).ArgType(), kind.Args(j).Index()) for j in range(kind.ArgsLength())])
        for kind in kinds
    )


def _write(builder: Any, table: list[_Entry]) -> int:
    """The table, in the order given; where it lies."""
    entries = []
    for name, kinds in table:
        written = []
        for kind, arguments in kinds:
            places = []
            for direction, index in arguments:
                builder.StartObject(2)
                builder.PrependInt8Slot(0, direction, 0)
                builder.PrependUint32Slot(1, index, 0)
                places.append(builder.EndObject())
            written.append(_pair(builder, kind, places))
        entries.append(_pair(builder, name, written))
    vector = _vector(builder, entries)
    builder.StartObject(1)
    builder.PrependUOffsetTRelativeSlot(0, vector, 0)
    return int(builder.EndObject())


def _pair(builder: Any, name: bytes, items: list[int]) -> int:
    """A table of a string and a list."""
    text, vector = builder.CreateString(name), _vector(builder, items)
    builder.StartObject(2)
    builder.PrependUOffsetTRelativeSlot(0, text, 0)
    builder.PrependUOffsetTRelativeSlot(1, vector, 0)
    return int(builder.EndObject())


def _vector(builder: Any, items: list[int]) -> int:
    builder.StartVector(4, len(items), 4)
    for item in reversed(items):
        builder.PrependUOffsetTRelative(item)
    return int(builder.EndVector())


@contextmanager
def _tool() -> Iterator[Any]:
    """The module of ONNX Runtime that reads the format; what it does to logging and to `sys.path` ends with the block."""
    handlers, path = logging.root.handlers[:], sys.path[:]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves files to the garbage collector
        try:
            from onnxruntime.tools import ort_format_model

            said = logging.getLogger("ort_format_model.utils")
            said.setLevel(logging.WARNING)
            yield ort_format_model
        finally:
            logging.root.handlers[:], sys.path[:] = handlers, path

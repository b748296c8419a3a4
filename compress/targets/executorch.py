"""ExecuTorch with XNNPACK, on the processors of phones and boards: the same `.pte` runs on Android, iOS and Linux."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from compress.errors import InputError
from compress.files import write_bytes
from compress.targets import Extent, Feeds, Option, Session
from compress.targets._engine import missing, refusal, silent, within

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor
    from torch.export import ExportedProgram
    from transformers import PreTrainedModel


class ExecuTorch:
    """Programs of dynamic rows and tokens, whose memory is planned for the largest call.

    INT8 is dynamic: weights and tables are rounded when the program is built, what layers take is rounded at each call,
    token by token.
    """

    reads: Literal["checkpoint"] = "checkpoint"
    precisions: Mapping[str, str | None] = {"fp32": None, "int8": None}
    recipes: frozenset[str] = frozenset()
    options: Mapping[str, Option] = {}
    bounded = True
    reproducible = True
    tunings: tuple[Mapping[str, Any], ...] = ({},)
    packages = ("executorch", "torch", "torchao", "transformers")
    predict = Path(__file__).with_name("_predict_executorch.py")

    def misfits(self, options: Mapping[str, Option], extent: Extent) -> Mapping[str, str]:
        """Nothing: there are no options."""
        return {}

    def unavailable(self) -> str | None:
        """Why programs cannot be built here, if so."""
        return missing("executorch", "torchao", extra="executorch")

    def unrunnable(self, precision: str | None = None) -> str | None:
        """Nothing: what is built runs here."""
        return None

    def file_name(self, precision: str, recipe: str | None) -> str:
        """`executorch/model.pte`, with the precision behind the name if it is lower."""
        return f"executorch/model{'' if precision == 'fp32' else f'_{precision}'}.pte"

    def build(
        self, source: Path, precision: str, out: Path, *, extent: Extent, options: Mapping[str, Option]
    ) -> dict[str, Any]:
        """Compile the checkpoint's model for calls up to the extent."""
        from compress.encoders import checkpoint
        from compress.encoders.families import family_of

        model = checkpoint.load(source)
        family = family_of(model)
        with silent():
            try:
                content = _program(model, extent, quantized=precision == "int8")
            except Exception as error:  # the compiler's errors share no class
                raise InputError(
                    f"{source}: ExecuTorch cannot build this {family.model_type} model in {precision}: {refusal(error)}"
                ) from error
        write_bytes(out, content)
        return {"inputs": list(family.inputs)}

    def open(self, file: Path, settings: Mapping[str, Any], *, threads: int) -> Session:
        """Load a program; the runtime's threads are the process's: a call on another number loads it anew."""
        return _Session(file, settings, threads)


def _program(model: PreTrainedModel, extent: Extent, *, quantized: bool) -> bytes:
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import EdgeCompileConfig, to_edge_transform_and_lower
    from executorch.exir.passes.quant_fusion_pass import QuantFusionPass

    with torch.no_grad():
        program = _exported(model, extent, quantized=quantized)
        # `_fix_node_meta_val`: else the fused operators of embeddings break the rules of the format.
        passes = [QuantFusionPass(_fix_node_meta_val=True)] if quantized else None
        lowered = to_edge_transform_and_lower(
            program,
            transform_passes=passes,
            partitioner=[XnnpackPartitioner()],
            compile_config=EdgeCompileConfig(_check_ir_validity=False),
        )
        return bytes(lowered.to_executorch().buffer)


def _exported(model: PreTrainedModel, extent: Extent, *, quantized: bool) -> ExportedProgram:
    """The model's graph of tensor operators, with rounding where it is quantized."""
    import torch

    from compress.encoders.tracing import Logits, bounded

    args, sizes = bounded(model, *extent)
    program = torch.export.export(Logits(model), args, dynamic_shapes=sizes, strict=False)
    if not quantized:
        return program
    rounded = _rounded(program.module(), args)
    return torch.export.export(rounded, args, dynamic_shapes=sizes, strict=False)


def _rounded(graph: Any, args: tuple[Tensor, ...]) -> Any:
    """The graph with 8 bit weights, a scale for each output, and 8 bit tables, a scale for each row."""
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
    from torchao.quantization.pt2e.quantizer.composable_quantizer import ComposableQuantizer
    from torchao.quantization.pt2e.quantizer.embedding_quantizer import EmbeddingQuantizer

    layers = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True, is_dynamic=True))
    prepared = prepare_pt2e(graph, ComposableQuantizer([EmbeddingQuantizer(), layers]))
    prepared(*args)
    return convert_pt2e(prepared)


def _runtime() -> Any:
    """The runtime's module; what it says of itself when first imported is not for users."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import executorch.kernels.quantized  # noqa: F401 - what INT8 programs read their tables with
        from executorch.runtime import Runtime

    return Runtime.get()


class _Pool:
    """The runtime's threads, one pool for the whole process. A program that was loaded holds on to the pool of its time."""

    number = 0
    """How often there was a new one."""

    @classmethod
    def of(cls, threads: int) -> int:
        """The number of the pool that has so many threads, made anew if the present one has not."""
        from executorch.extension.pybindings import portable_lib

        if portable_lib._threadpool_get_thread_count() != threads:
            with silent():
                portable_lib._unsafe_reset_threadpool(threads)
            cls.number += 1
        return cls.number


class _Session:
    _program: Any = None
    _method: Any = None

    def __init__(self, file: Path, settings: Mapping[str, Any], threads: int) -> None:
        self._file = file
        self._threads = threads
        self._pool = -1
        self._load()
        self._inputs: list[str] = settings["inputs"]
        self._built = Extent(*self._method.metadata.input_tensor_meta(0).sizes())

    def _load(self) -> None:
        with silent() as said:
            runtime = _runtime()
            self._method = self._program = None
            self._pool = _Pool.of(self._threads)
            try:
                self._program = runtime.load_program(self._file)
                self._method = self._program.load_method("forward")
            except (RuntimeError, KeyError) as error:
                raise InputError(f"{self._file}: ExecuTorch cannot load it: {said() or refusal(error)}") from error

    def __call__(self, feeds: Feeds) -> NDArray[np.float32]:
        import numpy
        import torch

        if self._method is None:
            raise RuntimeError("the session is closed")
        rows, tokens = feeds["input_ids"].shape
        within(self._file, rows, tokens, self._built)
        if _Pool.of(self._threads) != self._pool:
            self._load()
        answers = self._method.execute(
            [torch.from_numpy(numpy.ascontiguousarray(feeds[name])) for name in self._inputs]
        )
        logits: NDArray[np.float32] = answers[0].numpy()
        return logits

    def close(self) -> None:
        self._method = self._program = None


executorch = ExecuTorch()

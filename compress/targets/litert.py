"""LiteRT (TensorFlow Lite) with XNNPACK, on the processors of Android, iOS and boards: `.tflite` files."""

from __future__ import annotations

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
    from transformers import PreTrainedModel

_SHORTEST = 16
"""Tokens below which no shorter way through the model is worth its place in the file."""
_NAME = "tokens_"


class LiteRT:
    """Files of fixed shapes: one row at a time, padded to the next of some lengths, each a signature over the same weights.

    FP16 is the weights' alone: a smaller file, computed in fp32 on processors. INT8 is dynamic: weights and tables are
    rounded when the file is built, what layers take is rounded at each call.
    """

    reads: Literal["checkpoint"] = "checkpoint"
    precisions: Mapping[str, str | None] = {"fp32": None, "fp16": None, "int8": None}
    recipes: frozenset[str] = frozenset()
    options: Mapping[str, Option] = {}
    bounded = True
    reproducible = True
    tunings: tuple[Mapping[str, Any], ...] = ({},)
    packages = ("ai-edge-litert", "ai-edge-quantizer", "litert-torch", "torch", "transformers")
    predict = Path(__file__).with_name("_predict_litert.py")

    def misfits(self, options: Mapping[str, Option], extent: Extent) -> Mapping[str, str]:
        """Nothing: there are no options."""
        return {}

    def unavailable(self) -> str | None:
        """Why files cannot be built here, if so."""
        return missing("litert_torch", "ai_edge_quantizer", "ai_edge_litert", extra="litert")

    def unrunnable(self, precision: str | None = None) -> str | None:
        """Nothing: what is built runs here."""
        return None

    def file_name(self, precision: str, recipe: str | None) -> str:
        """`litert/model.tflite`, with the precision behind the name if it is lower."""
        return f"litert/model{'' if precision == 'fp32' else f'_{precision}'}.tflite"

    def build(
        self, source: Path, precision: str, out: Path, *, extent: Extent, options: Mapping[str, Option]
    ) -> dict[str, Any]:
        """Convert the checkpoint's model for rows of up to the extent's tokens."""
        from compress.encoders import checkpoint
        from compress.encoders.families import family_of

        model = checkpoint.load(source)
        family = family_of(model)
        with silent():
            try:
                content = _lowered(_converted(model, extent.tokens), precision)
            except Exception as error:  # the converter's errors share no class
                raise InputError(
                    f"{source}: LiteRT cannot convert this {family.model_type} model in {precision}: {refusal(error)}"
                ) from error
        write_bytes(out, content)
        return {"batch": extent.batch, "pad_id": model.config.pad_token_id or 0, "left": family.reads_last}

    def open(self, file: Path, settings: Mapping[str, Any], *, threads: int) -> Session:
        """Load a file."""
        return _Session(file, settings, threads)


def lengths(tokens: int) -> list[int]:
    """The lengths that rows are padded to, the longest first, each half of the one before."""
    made = [tokens]
    while made[-1] >= 2 * _SHORTEST:
        made.append((made[-1] + 1) // 2)
    return made


def _converted(model: PreTrainedModel, tokens: int) -> bytes:
    import litert_torch
    import torch

    from compress.encoders.tracing import Logits, example

    traced, converter = Logits(model), litert_torch.Converter()
    for length in lengths(tokens):
        converter.signature(f"{_NAME}{length}", traced, sample_kwargs=example(model, 1, length))
    with torch.no_grad():
        return bytes(converter.convert().model_content())


def _lowered(content: bytes, precision: str) -> bytes:
    """The file's content with smaller weights."""
    from ai_edge_quantizer import quantizer, recipe, recipe_manager
    from ai_edge_quantizer.algorithm_manager import AlgorithmName
    from ai_edge_quantizer.qtyping import TFLOperationName

    if precision == "fp32":
        return content
    if precision == "int8":
        rules = recipe.dynamic_wi8_afp32()
    else:
        manager = recipe_manager.RecipeManager()
        for operation in (TFLOperationName.FULLY_CONNECTED, TFLOperationName.EMBEDDING_LOOKUP):
            manager.add_weight_only_config(".*", operation, 16, algorithm_key=AlgorithmName.FLOAT_CASTING)
        rules = manager.get_quantization_recipe()
    work = quantizer.Quantizer(content)
    work.load_quantization_recipe(rules)
    return bytes(work.quantize().quantized_model)


class _Session:
    def __init__(self, file: Path, settings: Mapping[str, Any], threads: int) -> None:
        self._file = file
        with silent() as said:
            try:
                from ai_edge_litert.interpreter import Interpreter

                self._engine: Any = Interpreter(str(file), num_threads=threads)
                known = self._engine.get_signature_list()
            except (RuntimeError, ValueError) as error:
                raise InputError(f"{file}: LiteRT cannot load it: {refusal(error) or said()}") from error
        self._lengths = sorted(int(name.removeprefix(_NAME)) for name in known)
        self._inputs: list[str] = known[f"{_NAME}{self._lengths[-1]}"]["inputs"]
        self._built = Extent(settings["batch"], self._lengths[-1])
        self._pad_id: int = settings["pad_id"]
        self._left: bool = settings["left"]
        self._runners: dict[int, Any] = {}

    def __call__(self, feeds: Feeds) -> NDArray[np.float32]:
        import numpy

        if self._engine is None:
            raise RuntimeError("the session is closed")
        rows, tokens = feeds["input_ids"].shape
        within(self._file, rows, tokens, self._built)
        length = next(length for length in self._lengths if length >= tokens)
        padding = (0, 0), ((length - tokens, 0) if self._left else (0, length - tokens))
        filled = {
            name: numpy.pad(
                feeds[name].astype(numpy.int32), padding, constant_values=self._pad_id if name == "input_ids" else 0
            )
            for name in self._inputs
        }
        answers = [
            self._answer(length, {name: rest[row : row + 1] for name, rest in filled.items()}) for row in range(rows)
        ]
        return numpy.concatenate(answers)

    def _answer(self, length: int, row: dict[str, NDArray[np.int32]]) -> NDArray[np.float32]:
        """The logits of one row of such a length, (1, labels)."""
        run = self._runners.get(length)
        if run is None:
            with silent():  # the engine makes room at the first call, and talks of it
                run = self._runners[length] = self._engine.get_signature_runner(f"{_NAME}{length}")
                run(**row)
        logits: NDArray[np.float32]
        (logits,) = run(**row).values()
        return logits

    def close(self) -> None:
        self._engine = None
        self._runners = {}


litert = LiteRT()

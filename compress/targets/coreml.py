"""Core ML on Apple's devices. Packages are built wherever coremltools runs (Linux, macOS) and run on macOS and iOS alone."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from uuid import NAMESPACE_OID, uuid5

from compress.errors import InputError
from compress.files import write_folder, write_json
from compress.targets import Extent, Feeds, Option, Session
from compress.targets._engine import missing, refusal, silent, within

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray
    from transformers import PreTrainedModel

_MASKED = -3e4
"""Added to the scores of padding. The least number of fp32 would be minus infinity in fp16."""
_MODEL = "com.apple.CoreML/model.mlmodel"
_DATE = "com.github.apple.coremltools.conversion_date"


class CoreML:
    """ML programs for iOS 17, macOS 14 and later, of dynamic rows and tokens.

    They compute in fp16. INT8 is their weights' alone, with a scale for each output: a smaller file, not a faster one
    everywhere. Their answers cannot be compared with PyTorch's on Linux, where nothing runs them.
    """

    reads: Literal["checkpoint"] = "checkpoint"
    precisions: Mapping[str, str | None] = {"fp16": None, "int8": None}
    recipes: frozenset[str] = frozenset()
    options: Mapping[str, Option] = {}
    bounded = True
    reproducible = True
    tunings: tuple[Mapping[str, Any], ...] = ({},)
    packages = ("coremltools", "torch", "transformers")
    predict = None

    def misfits(self, options: Mapping[str, Option], extent: Extent) -> Mapping[str, str]:
        """Nothing: there are no options."""
        return {}

    def unavailable(self) -> str | None:
        """Why packages cannot be built here, if so."""
        if sys.platform == "win32":
            return "coremltools does not run on Windows. Build on Linux or macOS."
        return missing("coremltools", extra="coreml")

    def unrunnable(self, precision: str | None = None) -> str | None:
        """Core ML is part of Apple's systems."""
        return None if sys.platform == "darwin" else "Core ML runs on macOS and iOS alone; nothing on this system does"

    def file_name(self, precision: str, recipe: str | None) -> str:
        """The folder `coreml/model.mlpackage`, with the precision behind the name if it is lower."""
        return f"coreml/model{'' if precision == 'fp16' else f'_{precision}'}.mlpackage"

    def build(
        self, source: Path, precision: str, out: Path, *, extent: Extent, options: Mapping[str, Option]
    ) -> dict[str, Any]:
        """Convert the checkpoint's model for calls up to the extent.

        The converter's date and random identifiers are taken out: the same weights give the same bytes.
        """
        from compress.encoders import checkpoint
        from compress.encoders.families import family_of

        model = checkpoint.load(source)
        family = family_of(model)
        with write_folder(out) as folder, silent():
            try:
                made = _converted(model, extent, quantized=precision == "int8")
                made.save(str(folder))
            except Exception as error:  # the converter's errors share no class
                raise InputError(
                    f"{source}: coremltools cannot convert this {family.model_type} model in {precision}: {refusal(error)}"
                ) from error
            _settle(folder)
        return {"inputs": list(family.inputs), "extent": [*extent]}

    def open(self, file: Path, settings: Mapping[str, Any], *, threads: int) -> Session:
        """Load a package; Core ML chooses processors and threads itself."""
        return _Session(file, settings)


def _converted(model: PreTrainedModel, extent: Extent, *, quantized: bool) -> Any:
    """The converter's model."""
    import coremltools
    import numpy
    import torch

    from compress.encoders.tracing import Logits, bounded

    args, sizes = bounded(model, *extent)
    with torch.no_grad():
        program = torch.export.export(
            Logits(model, masked=_MASKED), args, dynamic_shapes=sizes, strict=False
        ).run_decompositions({})
    made = coremltools.convert(
        program,
        outputs=[coremltools.TensorType(name="logits", dtype=numpy.float32)],
        compute_precision=coremltools.precision.FLOAT16,
        minimum_deployment_target=coremltools.target.iOS17,
        skip_model_load=True,
    )
    if not quantized:
        return made
    from coremltools.optimize import coreml

    rounding = coreml.OpLinearQuantizerConfig(mode="linear_symmetric", dtype="int8", granularity="per_channel")
    return coreml.linear_quantize_weights(made, config=coreml.OptimizationConfig(global_config=rounding))


def _settle(package: Path) -> None:
    """Write a package's description anew without what differs from one conversion to the next."""
    from coremltools.proto import Model_pb2

    file = package / "Data" / _MODEL
    model = Model_pb2.Model()
    model.ParseFromString(file.read_bytes())
    model.description.metadata.userDefined.pop(_DATE, None)
    file.write_bytes(model.SerializeToString(deterministic=True))
    listed = json.loads((package / "Manifest.json").read_text(encoding="utf-8"))
    old = sorted(listed["itemInfoEntries"].items(), key=lambda item: item[1]["path"])
    names = {identifier: str(uuid5(NAMESPACE_OID, entry["path"])).upper() for identifier, entry in old}
    listed["itemInfoEntries"] = {names[identifier]: entry for identifier, entry in old}
    listed["rootModelIdentifier"] = names[listed["rootModelIdentifier"]]
    write_json(package / "Manifest.json", listed)


class _Session:
    def __init__(self, file: Path, settings: Mapping[str, Any]) -> None:
        import coremltools

        self._file = file
        with silent() as said:
            try:
                self._model: Any = coremltools.models.MLModel(str(file))
            except Exception as error:  # the engine's errors share no class
                raise InputError(f"{file}: Core ML cannot load it: {refusal(error) or said()}") from error
        self._inputs: list[str] = settings["inputs"]
        self._built = Extent(*settings["extent"])

    def __call__(self, feeds: Feeds) -> NDArray[np.float32]:
        import numpy

        if self._model is None:
            raise RuntimeError("the session is closed")
        rows, tokens = feeds["input_ids"].shape
        within(self._file, rows, tokens, self._built)
        answers = self._model.predict({name: feeds[name].astype(numpy.int32) for name in self._inputs})
        logits: NDArray[np.float32] = numpy.asarray(answers["logits"], numpy.float32)
        return logits

    def close(self) -> None:
        self._model = None


coreml = CoreML()

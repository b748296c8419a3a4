"""ONNX Runtime on phones: `.ort` files, and what a runtime built for them alone must contain."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compress.errors import InputError
from compress.targets import Extent, Option, Session
from compress.targets._engine import refusal
from compress.targets._onnxruntime import ReadsGraphs, load, stem

if TYPE_CHECKING:
    from collections.abc import Mapping


class OnnxRuntimeMobile(ReadsGraphs):
    """Models in ONNX Runtime's own format, optimized ahead of time: minimal builds have no optimizer and read no ONNX.

    Beside `model.ort` lies `model.ort.required_operators.config`, which lists its operators and their types; with it
    ONNX Runtime's `build.py --minimal_build --include_ops_by_config FILE --enable_reduced_operator_type_support` makes a
    runtime of a few MB that runs this model. Every other build of ONNX Runtime runs the model too.
    """

    precisions: Mapping[str, str | None] = {"fp32": None, "int8": "dynamic"}
    tunings: tuple[Mapping[str, Any], ...] = ({},)
    predict = Path(__file__).with_name("_predict_onnxruntime.py")

    def file_name(self, precision: str, recipe: str | None) -> str:
        """`model.ort` for fp32, `model_quantized.ort` for the default INT8, else what `stem` says."""
        return f"{stem(precision, recipe)}.ort"

    def build(
        self, source: Path, precision: str, out: Path, *, extent: Extent, options: Mapping[str, Option]
    ) -> dict[str, Any]:
        """Optimize the graph as far as holds for every processor, and list what it needs.

        The level is `extended`: fused operators, but no layout (NCHWc) or kernel that this machine's processor alone
        has. Signed 8-bit activations stay signed, as ARM has them and x86 would not. SkipLayerNormalization is left
        out, which is slower than the two operators that it stands for.

        Raises: InputError if ONNX Runtime cannot read the graph or its weights are above the 2 GiB of the format.
        """
        import onnxruntime as engine

        from compress.files import flush
        from compress.targets._ort_format import operators, settle

        settings = engine.SessionOptions()
        settings.log_severity_level = 3
        settings.graph_optimization_level = engine.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        settings.add_session_config_entry("session.save_model_format", "ORT")
        settings.add_session_config_entry("session.qdqisint8allowed", "1")
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as folder:
            model, config = Path(folder, out.name), Path(folder, f"{out.name}.required_operators.config")
            settings.optimized_model_filepath = str(model)
            try:
                engine.InferenceSession(
                    str(source),
                    settings,
                    providers=["CPUExecutionProvider"],
                    disabled_optimizers=["SkipLayerNormFusion"],
                )
            except Exception as error:  # the engine's errors share no class
                raise InputError(
                    f"{source}: ONNX Runtime cannot turn it into an .ort file: {refusal(error)}"
                ) from error
            settle(model)
            config.write_text(f"# What {out.name} needs of ONNX Runtime.\n{operators(model)}", "utf-8", newline="\n")
            for made in (config, model):  # the list first: a model without it must never be seen
                made.chmod(0o644)
                flush(made)
                made.replace(out.parent / made.name)
        return {}

    def open(self, file: Path, settings: Mapping[str, Any], *, threads: int) -> Session:
        """Load a model as it is: nothing is optimized any more."""
        return load(file, settings, threads)


onnxruntime_mobile = OnnxRuntimeMobile()

"""Export and quantize a classifier in another tool, in that tool's own environment: told by a JSON file, answers with one line of JSON.

Needs what `requirements-olive.txt`, `-optimum.txt` or `-nncf.txt` beside it pin, or for `onnxruntime` what this program
has; does not import this program. Each tool is used as its own documentation shows it for BERT on a processor. Every
peer writes a folder of its own that holds one deployable file and what belongs to it.
"""

import argparse
import contextlib
import importlib.metadata
import json
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
PACKAGES = ("torch", "transformers", "onnx", "onnxruntime", "optimum-onnx", "olive-ai", "openvino", "nncf")


def rows(task: dict[str, Any]) -> Iterator[dict[str, np.ndarray]]:
    """The calibration rows, one by one and unpadded."""
    packed = np.load(task["rows"])
    for ids in np.split(packed["ids"].astype(np.int64)[None], packed["starts"][1:-1], axis=1):
        yield {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}


def exported(task: dict[str, Any], file: Path, *, dynamo: bool) -> None:
    """PyTorch's own export, with everything that has a default left to it but the names and what may vary."""
    import torch
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(task["teacher"]).eval()
    example = {name: torch.from_numpy(value) for name, value in next(rows(task)).items()}
    axes = {0: "batch", 1: "sequence"}
    told: dict[str, Any] = {"dynamic_shapes": dict.fromkeys(INPUTS, axes), "external_data": False}
    if not dynamo:
        told = {"input_names": [*INPUTS], "dynamic_axes": {**dict.fromkeys(INPUTS, axes), "logits": {0: "batch"}}}
    torch.onnx.export(model, (), str(file), kwargs=example, output_names=["logits"], dynamo=dynamo, **told)


def onnxruntime(task: dict[str, Any], folder: Path, *, dynamo: bool = False) -> Path:
    """`quantize_dynamic` with its defaults, on PyTorch's export.

    It fails on the graphs of PyTorch's newer exporter (`dynamo`) until their value infos, which list the weights, are gone.
    """
    import onnx
    from onnxruntime.quantization import quantize_dynamic

    exported(task, folder / "float.onnx", dynamo=dynamo)
    graph = onnx.load(folder / "float.onnx")
    if dynamo:
        del graph.graph.value_info[:]
    quantize_dynamic(graph, folder / "model.onnx")
    (folder / "float.onnx").unlink()
    return folder / "model.onnx"


def optimum(task: dict[str, Any], folder: Path) -> Path:
    """optimum-onnx's quickstart for quantization, with its settings for AVX512-VNNI."""
    from optimum.onnxruntime import ORTModelForSequenceClassification, ORTQuantizer
    from optimum.onnxruntime.configuration import AutoQuantizationConfig

    model = ORTModelForSequenceClassification.from_pretrained(task["teacher"], export=True)
    wanted = AutoQuantizationConfig.avx512_vnni(is_static=False)
    ORTQuantizer.from_pretrained(model).quantize(save_dir=folder, quantization_config=wanted)
    return folder / "model_quantized.onnx"


def nncf(task: dict[str, Any], folder: Path) -> Path:
    """OpenVINO's tutorial `language-quantize-bert`: post-training quantization with the transformer's model type."""
    import openvino
    import torch
    from nncf import Dataset, ModelType, quantize
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(task["teacher"], return_dict=False).eval()
    example = {name: torch.from_numpy(value) for name, value in next(rows(task)).items()}
    shapes = [(name, openvino.PartialShape([-1, -1]), openvino.Type.i64) for name in INPUTS]
    converted = openvino.convert_model(model, example_input=example, input=shapes)
    converted.outputs[0].get_tensor().set_names({"logits"})
    quantized = quantize(converted, Dataset([*rows(task)]), model_type=ModelType.TRANSFORMER)
    openvino.save_model(quantized, folder / "model.xml")
    return folder / "model.xml"


def olive(task: dict[str, Any], folder: Path, *, static: bool = False) -> Path:
    """Olive's recipe for BERT on a processor (olive-recipes, `intel-bert-base-uncased-mrpc/oci/cpu/ptq.json`), without its search.

    Conversion, transformer optimization, quantization. The recipe searches dynamic and static settings for the best;
    Olive 0.13.0 fails on its evaluators (`'NoneType' object has no attribute 'lower'`), so both kinds are made.
    """
    from olive.workflows import run

    quantization = {"type": "OnnxDynamicQuantization"}
    if static:
        quantization = {"type": "OnnxStaticQuantization", "calibrate_method": "MinMax", "data_config": "rows"}
    work = folder / "work"
    run(workflow(task, work, quantization))
    [found] = work.glob("out/**/*.onnx")
    made = found.replace(folder / "model.onnx")
    shutil.rmtree(work)
    return made


def workflow(task: dict[str, Any], work: Path, quantization: dict[str, Any]) -> dict[str, Any]:
    """Olive's workflow, ending in a pass that quantizes."""
    axes = {"0": "batch_size", "1": "sequence"}
    rows = {
        "data_name": "csv",
        "data_files": task["train"],
        "delimiter": "\t",
        "split": f"train[:{len(np.load(task['rows'])['starts']) - 1}]",
    }
    return {
        "input_model": {
            "type": "HfModel",
            "model_path": task["teacher"],
            "task": "text-classification",
            "load_kwargs": {"attn_implementation": "eager"},
            "io_config": {
                "input_names": [*INPUTS],
                "output_names": ["logits"],
                "input_shapes": [[1, 128]] * 3,
                "input_types": ["int64"] * 3,
                "dynamic_axes": {**dict.fromkeys(INPUTS, axes), "logits": {"0": "batch_size"}},
            },
        },
        "systems": {
            "here": {
                "type": "LocalSystem",
                "accelerators": [{"device": "cpu", "execution_providers": ["CPUExecutionProvider"]}],
            }
        },
        "data_configs": [
            {
                "name": "rows",
                "type": "HuggingfaceContainer",
                "load_dataset_config": rows,
                "pre_process_data_config": {"input_cols": [task["text"]], "label_col": task["label"]},
                "dataloader_config": {"batch_size": 1},
            }
        ],
        "passes": {
            "conversion": {"type": "OnnxConversion"},
            "transformers_optimization": {"type": "OrtTransformersOptimization"},
            "quantization": {**quantization, "per_channel": False, "reduce_range": False, "quant_preprocess": True},
        },
        "host": "here",
        "target": "here",
        "cache_dir": str(work / "cache"),
        "output_dir": str(work / "out"),
    }


PEERS = {
    "quantize_dynamic": onnxruntime,
    "quantize_dynamic, dynamo": lambda task, folder: onnxruntime(task, folder, dynamo=True),
    "optimum-onnx": optimum,
    "nncf": nncf,
    "olive": olive,
    "olive, static": lambda task, folder: olive(task, folder, static=True),
}


def main() -> None:
    """Do what the task file says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", type=Path, help="JSON: teacher, rows, train, text, label, peer, out")
    task = json.loads(parser.parse_args().task.read_text())
    begun = time.perf_counter()
    with contextlib.redirect_stdout(sys.stderr):
        file = PEERS[task["peer"]](task, Path(task["out"]))
    versions = {}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    seconds = time.perf_counter() - begun
    print(json.dumps({"peer": task["peer"], "file": str(file), "seconds": seconds, "versions": versions}))


if __name__ == "__main__":
    main()

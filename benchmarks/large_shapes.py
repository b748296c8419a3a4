"""What it takes to build BERT-base and BERT-large for each target: seconds, size, peak memory. Weights are random.

Each step runs in a process of its own, whose largest resident memory is its peak: the ONNX graph's export first, then
every build from that graph (or from the checkpoint, where a target reads that). A target that is not installed says why.

    pip install -e '.[openvino,rtx]'
    python benchmarks/large_shapes.py
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from compress.bench import machine, memory
from compress.encoders import checkpoint
from compress.errors import CompressError, UnknownName
from compress.quantization import Feeds, Material
from compress.registry import TARGETS
from compress.stages import build
from compress.targets import Extent, named
from compress.units import size

SHAPES = {"bert-base": (12, 768), "bert-large": (24, 1024)}
"""Layers and hidden size."""
EXPORTS = (
    "onnxruntime-fp32",
    "onnxruntime-fp16",
    "onnxruntime-int8",
    "openvino-int8",
    "tensorrt-rtx-fp16",
    "tensorrt-rtx-int8",
)
EXTENT = Extent(batch=8, tokens=384)
LIMIT_BYTES = 24e9
CALIBRATION_ROWS = 16


def random_model(name: str, folder: Path) -> None:
    """Write a checkpoint of a shape."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    layers, hidden = SHAPES[name]
    torch.manual_seed(0)
    config = BertConfig(
        num_hidden_layers=layers,
        hidden_size=hidden,
        num_attention_heads=hidden // 64,
        intermediate_size=4 * hidden,
    )
    checkpoint.save(BertForSequenceClassification(config).eval(), folder)


def calibration() -> Iterator[Feeds]:
    """Random rows: what they are changes neither time nor size."""
    random = np.random.default_rng(0)
    for _ in range(CALIBRATION_ROWS):
        ids = random.integers(1000, 30000, (1, 64))
        yield {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}


def step(what: str, folder: Path) -> dict[str, Any]:
    """One step in this process: `graph`, or the id of an export."""
    begun = time.perf_counter()
    if what == "graph":
        file = build.source(checkpoint.load(folder / "checkpoint"), "onnxruntime", folder)
    else:
        export = named(what)
        target = TARGETS.load(export.target)
        if reason := target.unavailable():
            return {"none": reason}
        read = folder / ("graph.onnx" if target.reads == "graph" else "checkpoint")
        work = folder / "work" / what
        work.mkdir(parents=True)
        material = Material(export.precision, calibration)
        file = build.build(export, read, material, EXTENT, work=work, out=folder / what).file
    seconds = time.perf_counter() - begun
    return {"seconds": seconds, "size_bytes": build.size_bytes(file), "peak_bytes": memory.resident()[1]}


def alone(what: str, folder: Path) -> dict[str, Any]:
    """The same in a fresh process."""
    command = [sys.executable, __file__, "--step", what, "--folder", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"none": (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]}
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def main() -> None:
    """Run the steps and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=[*SHAPES])
    parser.add_argument("--exports", nargs="+", default=EXPORTS, help="as reports name them")
    parser.add_argument("--work", type=Path, help="where the temporary folder goes")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        try:
            print(json.dumps(step(arguments.step, arguments.folder)))
        except UnknownName:
            print(json.dumps({"none": "there is no such target or precision here"}))
        except CompressError as error:
            print(json.dumps({"none": str(error)}))
        return
    print(f"{'':<32}{'seconds':>9}{'size':>10}{'peak memory':>13}   of {LIMIT_BYTES / 1e9:.0f} GB")
    for name in arguments.shapes:
        with tempfile.TemporaryDirectory(dir=arguments.work) as temporary:
            folder = Path(temporary)
            random_model(name, folder / "checkpoint")
            for what in ("graph", *arguments.exports):
                found = alone(what, folder)
                if "none" in found:
                    print(f"{f'{name} {what}':<32}   none: {found['none']}", flush=True)
                    continue
                peak = found["peak_bytes"]
                share = f"{peak / LIMIT_BYTES:.0%}" + ("" if peak <= LIMIT_BYTES else ", too much")
                figures = f"{found['seconds']:9.1f}{size(found['size_bytes']):>10}{size(peak):>13}"
                print(f"{f'{name} {what}':<32}{figures}   {share}", flush=True)
    described = machine.describe()
    packages = ("torch", "transformers", "onnx", "onnxruntime", "openvino", "nncf", "tensorrt_rtx")
    print(f"\nlargest call {EXTENT.batch} x {EXTENT.tokens} tokens; {described.machine_class}")
    print(machine.versions(packages))


if __name__ == "__main__":
    main()

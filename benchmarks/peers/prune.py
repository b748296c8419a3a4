"""Prune a model in another library, in that library's own environment: told by a JSON file, answers with one line of JSON.

Needs torch, transformers 4.57 (TextPruner calls `prune_heads`, which is gone since) and TextPruner or torch-pruning;
does not import this program. Only the pruning is timed: scores, search and cut, no training.
"""

import argparse
import contextlib
import importlib.metadata
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification

Batch = dict[str, torch.Tensor]


def batches(file: str, size: int) -> Iterator[Batch]:
    """Rows of a file as they come, each batch as long as its longest row."""
    packed = np.load(file)
    rows = [torch.from_numpy(row) for row in np.split(packed["ids"].astype(np.int64), packed["starts"][1:-1])]
    for begin in range(0, len(rows), size):
        some = rows[begin : begin + size]
        ids = torch.nn.utils.rnn.pad_sequence(some, batch_first=True)
        lengths = torch.tensor([len(row) for row in some])
        yield {
            "input_ids": ids,
            "attention_mask": (torch.arange(ids.shape[1]) < lengths[:, None]).long(),
            "token_type_ids": torch.zeros_like(ids),
            "labels": torch.from_numpy(packed["labels"][begin : begin + size].astype(np.int64)),
        }


def textpruner(model: Any, rows: list[Batch], heads: int, neurons: int) -> None:
    """TextPruner's iterative pruning, as it comes but for uneven layers, which keep more accuracy than even ones."""
    from textpruner import GeneralConfig, TransformerPruner, TransformerPruningConfig

    wanted = TransformerPruningConfig(
        target_ffn_size=neurons,
        target_num_of_heads=heads,
        pruning_method="iterative",
        n_iters=4,
        head_even_masking=False,
        ffn_even_masking=False,
    )
    with tempfile.TemporaryDirectory() as folder:
        pruner = TransformerPruner(model, wanted, GeneralConfig(use_device="cpu", output_dir=folder))
        pruner.prune(dataloader=rows, save_model=False)


def torch_pruning(model: Any, rows: list[Batch], heads: int, neurons: int, *, everywhere: bool = False) -> None:
    """torch-pruning's pruner with its Taylor score; `everywhere` ranks units over all layers, else within each."""
    import torch_pruning as tp

    layers = model.base_model.encoder.layer
    own = [layer.attention.self for layer in layers]
    inner = {id(layer.intermediate.dense) for layer in layers}
    inner |= {id(part) for one in own for part in (one.query, one.key, one.value)}
    fixed = [
        part
        for part in model.modules()
        if isinstance(part, torch.nn.Linear | torch.nn.Embedding | torch.nn.LayerNorm) and id(part) not in inner
    ]
    model.eval()
    model.zero_grad()
    for batch in rows:
        model(**batch).loss.backward()
    pruner = tp.pruner.BasePruner(
        model,
        example_inputs={name: values for name, values in rows[0].items() if name != "labels"},
        output_transform=lambda answer: answer.logits.sum(),
        importance=tp.importance.GroupTaylorImportance(),
        global_pruning=everywhere,
        pruning_ratio=1 - neurons / model.config.intermediate_size,
        head_pruning_ratio=1 - heads / model.config.num_attention_heads,
        num_heads={part: one.num_attention_heads for one in own for part in (one.query, one.key, one.value)},
        prune_num_heads=True,
        prune_head_dims=False,  # else it cuts every head's width as well
        ignored_layers=fixed,
    )
    pruner.step()
    for one in own:  # it cuts the weights; the module's own numbers are the caller's
        one.num_attention_heads = pruner.num_heads[one.query]
        one.all_head_size = one.query.out_features


def right(model: Any, file: str) -> float:
    """Share of the rows that get their own label."""
    model.eval()
    hits = count = 0
    with torch.inference_mode():
        for batch in batches(file, 64):
            labels = batch.pop("labels")
            hits += int((model(**batch).logits.argmax(-1) == labels).sum())
            count += len(labels)
    return hits / count


def main() -> None:
    """Read the task, prune, and print what is left and what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", type=Path)
    task = json.loads(parser.parse_args().task.read_text())
    torch.set_num_threads(task["threads"])
    torch.manual_seed(task["seed"])
    model = AutoModelForSequenceClassification.from_pretrained(task["teacher"], attn_implementation="eager")
    rows = list(batches(task["rows"], task["batch"]))
    wall, used = time.perf_counter(), time.process_time()
    with contextlib.redirect_stdout(sys.stderr):
        if task["peer"] == "textpruner":
            textpruner(model, rows, task["heads"], task["neurons"])
        else:
            torch_pruning(model, rows, task["heads"], task["neurons"], everywhere=task["peer"].endswith("global"))
    wall, used = time.perf_counter() - wall, time.process_time() - used
    layers = model.base_model.encoder.layer
    size = model.config.hidden_size // model.config.num_attention_heads
    found = {
        "heads": [layer.attention.self.query.out_features // size for layer in layers],
        "neurons": [layer.intermediate.dense.weight.size(0) for layer in layers],  # TextPruner leaves `out_features`
        "accuracies": [right(model, file) for file in task["judged"]],
        "seconds": wall,
        "processor": used,
        "versions": {
            name: importlib.metadata.version(name)
            for name in ("torch", "transformers", "textpruner" if task["peer"] == "textpruner" else "torch-pruning")
        },
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()

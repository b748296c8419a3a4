"""Loads cut models with transformers where compress cannot be imported; run by a test in a process of its own.

Reads folders from the command line; prints, as JSON, what each way to load them answers or raises.
"""

import json
import sys
from pathlib import Path
from typing import Any


class Absent:
    """Finds no module of compress."""

    def find_spec(self, name: str, *_: object) -> None:
        if name.partition(".")[0] == "compress":
            raise ImportError(name)


sys.meta_path.insert(0, Absent())

import torch  # noqa: E402
import transformers  # noqa: E402
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification  # noqa: E402

transformers.logging.set_verbosity(transformers.logging.CRITICAL)
transformers.logging.disable_progress_bar()
IDS = torch.tensor([[5, 6, 7, 8, 9], [10, 11, 12, 2, 3]])


def answers(folder: Path, **options: Any) -> list[list[float]]:
    model = AutoModelForSequenceClassification.from_pretrained(folder, trust_remote_code=True, **options)
    with torch.no_grad():
        return model(input_ids=IDS).logits.tolist()


def failure(load: Any, *given: Any, **options: Any) -> str:
    try:
        load(*given, **options)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "loaded"


def report(folder: Path) -> dict[str, Any]:
    model = AutoModelForSequenceClassification.from_pretrained(folder, trust_remote_code=True)
    bare = AutoModel.from_pretrained(folder, trust_remote_code=True)
    again = folder.with_name(f"{folder.name}-again")
    model.save_pretrained(again)
    concrete = type(model.model)
    model.train()(input_ids=IDS, labels=torch.tensor([0, 1])).loss.backward()
    with torch.no_grad():
        states = bare(input_ids=IDS).last_hidden_state
        model.resize_token_embeddings(110)
        longer = model.eval()(input_ids=IDS + 100 * (IDS == 5)).logits
    return {
        "logits": answers(folder),
        "eager": answers(folder, attn_implementation="eager"),
        "again": answers(again),
        "files": sorted(file.name for file in again.iterdir()),
        "same": all((folder / file.name).read_bytes() == file.read_bytes() for file in again.iterdir()),
        "hidden": [list(states.shape), model.config.hidden_size],
        "trained": any(weight.grad is not None and bool(weight.grad.any()) for weight in model.parameters()),
        "longer": longer.isfinite().all().item(),
        "labels": list(model.config.id2label.values()),
        "refused": {
            "auto": failure(AutoModelForSequenceClassification.from_pretrained, folder, trust_remote_code=False),
            "auto, told to ignore": failure(
                AutoModelForSequenceClassification.from_pretrained,
                folder,
                trust_remote_code=False,
                ignore_mismatched_sizes=True,
            ),
            "bare auto, told to ignore": failure(
                AutoModel.from_pretrained, folder, trust_remote_code=False, ignore_mismatched_sizes=True
            ),
            "config": failure(AutoConfig.from_pretrained, folder, trust_remote_code=False),
            "its class": failure(concrete.from_pretrained, folder),
            "its class, told to ignore": failure(concrete.from_pretrained, folder, ignore_mismatched_sizes=True),
            "its encoder, told to ignore": failure(
                type(model.model.base_model).from_pretrained, folder, ignore_mismatched_sizes=True
            ),
        },
    }


sys.stdout.write(json.dumps({name: report(Path(name)) for name in sys.argv[1:]}))

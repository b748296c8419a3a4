"""Compress BERT-size text models for the edge: distil, prune, export, measure and judge them from one YAML file."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# Read by the libraries when they are imported: nothing may phone home.
for _name in ("HF_HUB_DISABLE_TELEMETRY", "ORT_DISABLE_TELEMETRY"):
    os.environ.setdefault(_name, "1")


def load(folder: str | Path) -> "PreTrainedModel":
    """The model of a folder that this program wrote, plain or pruned, in fp32 and eval mode.

    Raises: InputError if the folder holds no such model.
    """
    from compress.encoders.checkpoint import load as load_checkpoint

    return load_checkpoint(Path(folder))

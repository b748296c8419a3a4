"""Models on disk: `config.json` and `model.safetensors`. A pruned model's config says what its layers were cut to.

Plain classes of transformers must not take a pruned model for one of theirs: told to ignore mismatched sizes they would
give it new random layers. So its config has a `model_type` of its own and words where they expect a number, and its
weights have other names. `modeling_compress.py` beside them is what transformers loads it with.
"""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from logging import ERROR
from pathlib import Path
from typing import Any, cast

import safetensors
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import (
    CONFIG_MAPPING,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING
from transformers.utils import logging

from compress import files
from compress.encoders import modeling_compress, source
from compress.encoders.families import FAMILIES, check_numbers, family_of, paths, plain
from compress.encoders.modules import base, classifier, extras, pooler
from compress.encoders.surgery import Attention, entry, shaped
from compress.encoders.widths import Pruned, embedding_width, head_size, pruned_of, shape_of
from compress.errors import InputError, UnknownName

_MISFITS = (
    *(OSError, RuntimeError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, AssertionError),
    safetensors.SafetensorError,
)
"""How transformers and the classes of its models meet values of a config that they can do nothing with."""

_NEW = 20_000_000
"""Parameters that a checkpoint may lack: heads, poolers."""


def save(model: PreTrainedModel, folder: Path) -> None:
    """Write `config.json` and `model.safetensors`; the same weights give the same bytes.

    A pruned model also gets `modeling_compress.py`, by which transformers loads it without this program.
    """
    pruned = pruned_of(model.config)
    if pruned is not None:
        _save_pruned(model, pruned, folder)
        return
    with _quiet():
        model.save_pretrained(folder)


def _save_pruned(model: PreTrainedModel, pruned: Pruned, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    config = copy.deepcopy(model.config)
    del config.compress
    config.architectures = [type(model).__name__]
    config.dtype = model.dtype
    wrapped = modeling_compress.CutConfig(config, compress=entry(pruned), modules=paths(family_of(model)))
    wrapped.architectures = [modeling_compress.architecture(type(model).__name__)]
    state = {f"{modeling_compress.PREFIX}.{name}": value.contiguous() for name, value in model.state_dict().items()}
    save_file(state, folder / source.WEIGHTS, {"format": "pt"})
    wrapped.to_json_file(folder / "config.json", use_diff=True)
    shutil.copyfile(modeling_compress.__file__, folder / Path(modeling_compress.__file__).name)


def load(folder: Path, *, attention: Attention = "sdpa") -> PreTrainedModel:
    """The model of a folder, plain or pruned, in fp32 and eval mode, as the transformers class its config names.

    Code that lies in the folder is not run.

    Raises: InputError if the folder is no model folder, holds pickled weights only, is of an unknown architecture, or
    its weights do not fit its config exactly.
    """
    weights = source.weights(folder)
    config = _config(folder)
    kind = _class_of(config, folder)
    pruned = pruned_of(config)
    if pruned is not None:
        return _load_pruned(kind, config, pruned, weights, attention)
    model, info = _pretrained(kind, folder, config, attention)
    _complain(
        weights,
        {"missing": info["missing_keys"], "of another shape": _mismatched(info), "not known": _unread(model, info)},
    )
    return model


def load_encoder(path_or_id: str | Path, *, labels: Sequence[str], revision: str | None = None) -> PreTrainedModel:
    """A pretrained encoder under a classification head for `labels`, in fp32 and eval mode.

    The head is new (random: seed torch before) unless the checkpoint has one for the very same labels. A pooler that
    the checkpoint lacks is new too; nothing else may be missing. Takes bare encoders, other heads, pruned models.
    `path_or_id` is a folder, else a Hub id, fetched as `source.fetch` does.
    Raises: InputError and NotAvailable as `load` and `source.fetch` do.
    """
    folder = Path(path_or_id)
    if not folder.is_dir():
        folder = source.fetch(source.Located(None, str(path_or_id), revision))
    weights = source.weights(folder)
    config = _config(folder)
    known = list((config.id2label or {}).values()) == list(labels)
    pruned = pruned_of(config)
    if pruned is not None:
        return _headed(load(folder), pruned, labels, keep=known)
    _relabel(config, labels)
    model, info = _pretrained(AutoModelForSequenceClassification, folder, config, "sdpa")
    row = family_of(config)
    heads = tuple(f"{path}." for path in row.classifier)
    gone = {*info["missing_keys"], *_mismatched(info)}
    around = tuple(f"{path}." for path in (row.pooler, row.head_norm) if path)
    new = (*heads, *around, *(f"{model.base_model_prefix}.{path}" for path in around))
    encoder = {key for key in gone if not key.startswith(new)}
    _complain(weights, {"missing or of another shape": encoder, "not known": _unread(model, info)})
    if not known or any(key.startswith(heads) for key in gone):
        _renew(model)
    return model


def load_masked_lm(folder: Path) -> PreTrainedModel:
    """The masked language model of a folder, in fp32 and eval mode.

    Raises: InputError as `load` does; also if the folder holds an encoder alone, or under another head.
    """
    weights = source.weights(folder)
    model, info = _pretrained(AutoModelForMaskedLM, folder, _config(folder), "sdpa")
    lacking = {*info["missing_keys"], *_mismatched(info)}
    _complain(weights, {"of a masked language model that are missing or of another shape": lacking})
    return model


def parameters(model: nn.Module) -> int:
    """The number of parameters, each tensor counted once."""
    return sum(parameter.numel() for parameter in model.parameters())


def _config(folder: Path) -> PreTrainedConfig:
    """The config as the class of its encoder, whichever way it is written."""
    where = folder / "config.json"
    found = files.read_json(where)
    keys = dict(plain(found)) if isinstance(found, dict) else {}
    name = str(keys.get("model_type"))
    if name not in FAMILIES:
        raise UnknownName("architecture", name, FAMILIES, f"{where}: model_type")
    try:
        check_numbers(FAMILIES[name], keys)
    except InputError as error:
        raise InputError(f"{where}: not a config of {name}: {error}") from error
    try:
        config = CONFIG_MAPPING[name].from_dict({"name_or_path": str(folder), **keys})
    except Exception as error:  # transformers and huggingface_hub raise many kinds for a value that does not fit
        raise InputError(f"{where}: not a config of {name}: {_first_line(error)}") from error
    for key, value in family_of(config).fixed:
        setattr(config, key, value)
    _check_size(config, folder)
    return config


def _check_size(config: PreTrainedConfig, folder: Path) -> None:
    """See that the weights can be those of the config: transformers would make what is missing, however large, first.

    Raises: InputError if the config's tables and layers have more parameters than the files have bytes
    """
    row = family_of(config)
    try:
        _, hidden, heads, neurons = shape_of(config)
        layers = sum(4 * head_size(config) * count + 2 * width for count, width in zip(heads, neurons, strict=True))
        asked = hidden * (layers // (len(heads) if row.shared_layers else 1))
        asked += config.vocab_size * embedding_width(config)
        asked += hidden * int(getattr(config, "max_position_embeddings", 0)) if row.position else 0
    except (AttributeError, TypeError, ValueError, ArithmeticError) as error:
        raise InputError(
            f"{folder / 'config.json'}: not a config of {row.model_type}: {_first_line(error)}."
        ) from error
    there = sum(file.stat().st_size for file in folder.glob("model*.safetensors"))
    if asked > there + _NEW:
        raise InputError(
            f"{folder}: its weights do not fit its config.json, which is of a model of {asked:,} parameters or more; "
            f"they have {there:,} bytes."
        )


def _class_of(config: PreTrainedConfig, folder: Path) -> type[PreTrainedModel]:
    """The transformers class that the config names."""
    names = config.architectures
    name = names[0] if isinstance(names, list) and names else "none"
    found = getattr(transformers, str(name), None)
    if isinstance(found, type) and issubclass(found, PreTrainedModel) and found.config_class is type(config):
        return found
    raise InputError(
        f"{folder / 'config.json'}: architectures: `{name}` is no {config.model_type} model of transformers."
    )


def _pretrained(
    kind: Any, folder: Path, config: PreTrainedConfig, attention: Attention
) -> tuple[PreTrainedModel, dict[str, Any]]:
    try:
        with _quiet():
            model, info = kind.from_pretrained(
                str(folder),
                config=config,
                dtype=torch.float32,
                attn_implementation=attention if family_of(config).sdpa else "eager",
                use_safetensors=True,
                local_files_only=True,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
            )
    except _MISFITS as error:
        raise InputError(
            f"{folder}: its weights cannot be read, or are not of its config.json: {_first_line(error)}"
        ) from error
    return model.eval(), info


def _mismatched(info: dict[str, Any]) -> set[str]:
    return {str(entry[0]) for entry in info["mismatched_keys"]}


def _unread(model: PreTrainedModel, info: dict[str, Any]) -> set[str]:
    """Weights of layers that the model does not have; what lies outside the layers (other heads) may be left unread."""
    return {key for key in info["unexpected_keys"] if f"{family_of(model).layers}." in key}


def _load_pruned(
    kind: type[PreTrainedModel], config: PreTrainedConfig, pruned: Pruned, weights: Path, attention: Attention
) -> PreTrainedModel:
    try:
        with _quiet():
            model = shaped(kind, config, pruned, attention)
        state = load_file(weights)
    except _MISFITS as error:
        raise InputError(f"{weights}: cannot be read, or is not of its config.json: {_first_line(error)}") from error
    start = f"{modeling_compress.PREFIX}."
    state = {name.removeprefix(start): value for name, value in state.items()}
    wanted = model.state_dict()
    shared = wanted.keys() & state.keys()
    _complain(
        weights,
        {
            "missing": wanted.keys() - state.keys(),
            "not known": state.keys() - wanted.keys(),
            "of another shape": {key for key in shared if wanted[key].shape != state[key].shape},
        },
    )
    model.load_state_dict(state)
    return model


def _headed(pruned_model: PreTrainedModel, pruned: Pruned, labels: Sequence[str], *, keep: bool) -> PreTrainedModel:
    """A pruned encoder under a classification head for `labels`."""
    kind = cast(type[PreTrainedModel], MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING[type(pruned_model.config)])
    if keep and isinstance(pruned_model, kind):
        return pruned_model
    config = copy.deepcopy(pruned_model.config)
    _relabel(config, labels)
    with _quiet():
        model = shaped(kind, config, pruned, "sdpa")
    base(model).load_state_dict(base(pruned_model).state_dict(), strict=False)
    for part in (pooler, lambda one: extras(one).head_norm):  # which may stand outside the encoder
        if (old := part(pruned_model)) is not None and (new := part(model)) is not None:
            new.load_state_dict(old.state_dict())
    _renew(model)
    return model


def _relabel(config: PreTrainedConfig, labels: Sequence[str]) -> None:
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: index for index, label in enumerate(labels)}


def _renew(model: PreTrainedModel) -> None:
    """Random first weights for the classification head, as transformers draws them."""
    for linear in classifier(model):
        nn.init.normal_(linear.weight, std=float(getattr(model.config, "initializer_range", 0.02)))
        if linear.bias is not None:
            nn.init.zeros_(linear.bias)


def _complain(weights: Path, bad: dict[str, set[str]]) -> None:
    """Raise InputError if any weights are bad, with a few of their names."""
    found = [
        f"{what}: {', '.join(sorted(keys)[:3])}{' …' * (len(keys) > 3)} ({len(keys)})"
        for what, keys in bad.items()
        if keys
    ]
    if found:
        raise InputError(f"{weights}: does not fit its config.json. Weights {'; '.join(found)}.")


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).strip().splitlines()[0]


@contextmanager
def _quiet() -> Iterator[None]:
    """No load reports and progress bars of transformers: what matters in them is an error here."""
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(ERROR)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]

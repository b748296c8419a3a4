"""What several stages begin and end with: a tokenizer from a folder, encoded rows, a model folder with its history."""

from importlib.util import find_spec
from pathlib import Path
from typing import Literal, cast

from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from compress.config.settings import Task
from compress.data import sources
from compress.data.batches import Encoded, encode
from compress.encoders import checkpoint
from compress.encoders.families import family_of
from compress.encoders.widths import max_length
from compress.errors import InputError, NotAvailable
from compress.files import write_json
from compress.stages.context import Context
from compress.training.devices import place
from compress.training.history import History, Session

HISTORY = "history.json"


def tokenizer_of(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a model folder.

    Raises: InputError if there is none that can be read; NotAvailable if it is a SentencePiece model and the package that
    reads those is not installed.
    """
    pieces = sorted(file.name for file in folder.glob("*.model"))
    if pieces and not (folder / "tokenizer.json").is_file() and find_spec("sentencepiece") is None:
        raise NotAvailable(
            f"{folder}: its tokenizer is a SentencePiece model ({pieces[0]}). To read it, "
            "`pip install sentencepiece protobuf`."
        )
    try:
        return cast("PreTrainedTokenizerBase", AutoTokenizer.from_pretrained(folder, trust_remote_code=False))
    except Exception as error:  # those of tokenizers share no class
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(f"{folder}: no tokenizer can be read there: {said}") from error


def encoded(
    split: Literal["train", "validation", "test"],
    task: Task,
    root: Path,
    tokenizer: PreTrainedTokenizerBase,
    model: PreTrainedModel,
    name: str,
    *,
    types: bool | None = None,
) -> Encoded:
    """The rows of a split as the model, called `name` in errors, takes them.

    `types` says whether the rows have token types; if left out, they have if the model takes some.
    Raises: InputError if the model does not reach `task.max_length`, or if the tokenizer does not fit.
    """
    return as_read(sources.load(task, root, split), task, tokenizer, model, name, types=types)


def as_read(
    rows: sources.Rows,
    task: Task,
    tokenizer: PreTrainedTokenizerBase,
    model: PreTrainedModel,
    name: str,
    *,
    types: bool | None = None,
) -> Encoded:
    """Rows as the model, called `name` in errors, takes them; `types` and errors as in `encoded`."""
    check_reach(model, task, name)
    row = family_of(model)
    types = "token_type_ids" in row.inputs if types is None else types
    return encode(rows, tokenizer, task, token_types=types, left=row.reads_last)


def check_reach(model: PreTrainedModel, task: Task, name: str) -> None:
    """See that a model, called `name`, reads rows of `task.max_length`: else it would fail in the middle of a training.

    Raises: InputError if its position embeddings end before.
    """
    longest = max_length(model.config)
    if task.max_length > longest:
        raise InputError(
            f"task.max_length: {task.max_length} is more than the {longest} tokens that {name} has position embeddings "
            f"for. Give at most {longest}, or a model that reads longer texts."
        )


def called(context: Context) -> str:
    """The model that a step such as `export/tiny/onnxruntime` is about: `the teacher`, or `the student tiny`."""
    name = context.name.split("/")[1]
    return "the teacher" if name == "teacher" else f"the student {name}"


def labels_of(model: PreTrainedModel) -> list[str]:
    """The label names of a model with a classification head, in the order of their ids."""
    names = cast("dict[int, str]", model.config.id2label)
    return [names[index] for index in range(len(names))]


def session(context: Context) -> Session:
    """Where and how this stage trains."""
    return Session(context.work, context.seed, context.notify, context.tensorboard)


def keep_tokenizer(tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel, folder: Path) -> None:
    """Save a model's tokenizer, so that transformers asks it for the token types that the model was trained with."""
    names = tokenizer.model_input_names
    if "token_type_ids" in family_of(model).inputs and "token_type_ids" not in names:
        tokenizer.model_input_names = tokenizer.init_kwargs["model_input_names"] = [*names, "token_type_ids"]
    tokenizer.save_pretrained(folder)


def write(folder: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, history: History) -> None:
    """Write a model folder: config, weights, tokenizer, and how it was trained (times aside: they differ every time).

    Of several processes that trained together the first one writes.
    """
    if not place().is_main_process:
        return
    checkpoint.save(model, folder)
    keep_tokenizer(tokenizer, model, folder)
    write_json(folder / HISTORY, history.record())

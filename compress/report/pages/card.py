"""A model card: what one exported model is, in the metadata that the Hugging Face Hub reads and in words."""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from compress.report import words
from compress.report.pages.markdown import code, plain
from compress.report.record import Record
from compress.report.variant import TEACHER, Variant
from compress.units import count, milliseconds, size

_TASKS = {"text-pair-classification": "text-classification", "text-regression": "text-classification"}
"""What the Hub calls a task, where it has another name."""

_METRICS = {"f1_macro": "f1", "mcc": "matthews_correlation"}
"""What the Hub calls a metric, where it has another name."""

_LICENSES = """
apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0 bigcode-openrail-m afl-3.0
artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda cc cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0
cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0
cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0 cdla-permissive-1.0
cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1
lgpl-3.0 isc lppl-1.3c ms-pl mpl-2.0 odc-by odbl openrail++ osl-3.0 postgresql ofl-1.1 ncsa unlicense zlib pddl lgpl-lr
deepfloyd-if-license llama2 gemma unknown other
"""
"""Source: https://huggingface.co/docs/hub/repositories-licenses"""

_FAMILIES = {"c-uda": "c-uda", "gfdl": "gfdl", "lgpllr": "lgpl-lr", "odbl": "odbl", "odc-by": "odc-by", "pddl": "pddl"}
"""The licences that the Hub lists without a version, by their SPDX identifiers without it."""


class Filed(NamedTuple):
    """A model file of a bundle."""

    path: str
    """Where it lies in the bundle."""
    export: str
    """The id of its export, such as `onnxruntime-int8`."""
    size_bytes: int


class Facts(NamedTuple):
    """What a card says besides the report."""

    model: str
    """`teacher` or a student's name."""
    files: Sequence[Filed]
    preprocess: dict[str, Any]
    """The content of `preprocess.json`."""
    license: str | None = None
    """The licence that is asked for; that of the pretrained weights if None."""
    script: Sequence[str] | None = None
    """The packages that `predict.py` needs; None if there is no such script."""
    node: Sequence[str] | None = None
    """The npm packages that `predict.mjs` and `index.html` need; None if there are no such files."""
    loadable: bool = False
    """Whether optimum and transformers.js find the files."""


def render(record: Record, facts: Facts) -> str:
    """The card, as the README.md of a model repository has it."""
    from huggingface_hub import ModelCard

    body = "\n\n".join(filter(None, _body(record, facts)))
    return str(ModelCard(f"---\n{_metadata(record, facts).to_yaml()}\n---\n\n{body}\n"))


def licensed(record: Record, facts: Facts) -> tuple[str | None, str | None]:
    """The licence as the Hub names it, and the name of one that it does not list; None each where it is not known.

    A student that has weights of its own is not under the teacher's licence.
    """
    weights = record.weights.get(facts.model) or record.weights.get(TEACHER)
    name = facts.license or (weights.license if weights else None)
    if name is None:
        return None, None
    known = re.sub("-(only|or-later)$", "", name.lower())
    known = _FAMILIES.get(re.sub(r"-[0-9.]+$", "", known), known)
    return (known, None) if known in _LICENSES.split() else ("other", name)


def _metadata(record: Record, facts: Facts) -> Any:
    from huggingface_hub import ModelCardData

    weights = [record.weights[name] for name in (facts.model, TEACHER) if name in record.weights]
    listed, named = licensed(record, facts)
    language = weights[0].language if weights else None
    measured = _measured(record, facts)
    return ModelCardData(
        language=None if language == "any" else language,
        license=listed,
        license_name=named,
        library_name="transformers.js" if facts.loadable else None,
        pipeline_tag=_task(record),
        base_model=weights[0].hub if weights else None,
        datasets=[record.data.hub] if record.data.hub else None,
        metrics=list(dict.fromkeys(_METRICS.get(name, name) for variant in measured for name in variant.metrics))
        or None,
        tags=["compress", *dict.fromkeys(file.export for file in facts.files)],
        model_name=f"{record.name}-{facts.model}",
        eval_results=[result for variant in measured for result in _results(record, variant)] or None,
    )


def _results(record: Record, variant: Variant) -> list[Any]:
    from huggingface_hub import EvalResult

    return [
        EvalResult(
            task_type=_task(record),
            dataset_type=record.data.hub or record.name,
            dataset_name=record.data.hub or record.name,
            dataset_config=record.data.config,
            dataset_split="test",
            dataset_args={"rows": record.data.test.rows, "sha256": record.data.test.sha256},
            metric_type=_METRICS.get(name, name),
            metric_name=f"{words.metric(name)}, {variant.id}",
            metric_value=round(value, 6),
        )
        for name, value in variant.metrics.items()
    ]


def _task(record: Record) -> str:
    return _TASKS.get(record.task.type, record.task.type)


def _measured(record: Record, facts: Facts) -> list[Variant]:
    found = (record.variant(facts.model, file.export) for file in facts.files)
    return [variant for variant in found if variant is not None]


def _body(record: Record, facts: Facts) -> list[str]:
    return [
        f"# {plain(record.name)}: {plain(facts.model)}",
        _what(record, facts),
        "## Files",
        _files(record, facts),
        "## Use",
        *_use(facts),
        "## Preprocessing",
        _preprocessing(facts),
        "## Labels",
        ", ".join(f"{number}: {plain(label)}" for number, label in enumerate(facts.preprocess["labels"])),
        "## Data",
        _data(record),
        "## Licence",
        _licence(record, facts),
        "## Where the numbers come from",
        _origin(record),
    ]


def _what(record: Record, facts: Facts) -> str:
    who = "A teacher" if facts.model == TEACHER else "A student"
    kinds = words.plural(len(record.task.labels), "label", "labels")
    measured = _measured(record, facts)
    parameters = f", {count(measured[0].parameters)} parameters" if measured else ""
    told = [f"{who} for {record.task.type.replace('-', ' ')} into {kinds}{parameters}."]
    if record.reference is not None and facts.model != TEACHER:
        told.append(f"Its teacher's {words.metric(record.task.metric)}: {_score(record, record.reference)}.")
    weights = record.weights.get(TEACHER)
    if weights is not None and weights.source:
        told.append(f"The teacher started from the weights of {plain(weights.source)}.")
    return " ".join(told)


def _score(record: Record, variant: Variant) -> str:
    return words.score(record.task.metric, variant.metrics[record.task.metric])


def _files(record: Record, facts: Facts) -> str:
    shape = record.shape
    head = ["file", "export", "size", words.metric(record.task.metric), f"median, {words.shape(*shape)}", "memory"]
    rows = []
    for file in facts.files:
        variant = record.variant(facts.model, file.export)
        row = [f"`{file.path}`", file.export, size(file.size_bytes)]
        if variant is None:
            reasons = [
                built.reason for built in record.unmeasured if (built.model, built.id) == (facts.model, file.export)
            ]
            rows.append([*row, f"not measured: {plain(reasons[0])}" if reasons else "not measured", "", ""])
            continue
        cell = variant.cell(*shape)
        memory = size(variant.peak_memory_bytes) if variant.peak_memory_bytes else ""
        rows.append([*row, _score(record, variant), milliseconds(cell.p50_ms) if cell else "", memory])
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


def _use(facts: Facts) -> list[str]:
    runs, texts = facts.preprocess["file"], facts.preprocess["texts"]
    example = " ".join(['"a text"', '"another text"'][:texts])
    parts = []
    if facts.script is not None:
        parts.append(
            f"`predict.py` runs `{runs}`. It needs {_named(facts.script)}, and cuts texts as training did. Without a text "
            "it reads lines and answers each."
        )
        parts.append(f"```\npython predict.py {example}\npython predict.py < texts.txt\n```")
    if facts.node is not None:
        parts.append(
            f"`predict.mjs` runs `{runs}` in Node, `index.html` in a browser that opens it from a server. Both need "
            f"{_named(facts.node)} of npm, and cut texts as training did."
        )
        parts.append(f"```\nnpm install\nnode predict.mjs {example}\npython -m http.server\n```")
    if facts.loadable:
        path = PurePosixPath(runs)
        parts.append(
            "optimum, with the tokenizer of transformers:\n\n```python\n"
            "from optimum.onnxruntime import ORTModelForSequenceClassification\n"
            f'model = ORTModelForSequenceClassification.from_pretrained(folder, subfolder="{path.parent}", file_name="{path.name}")\n```'
        )
        dtype = {"model": "fp32", "model_fp16": "fp16", "model_quantized": "q8"}.get(path.stem)
        how = f'{{dtype: "{dtype}"}}' if dtype else f'{{dtype: "fp32", model_file_name: "{path.stem}"}}'
        parts.append(
            f'transformers.js:\n\n```js\nconst classify = await pipeline("text-classification", folder, {how});\n```'
        )
    if not parts:
        parts.append(f"`{runs}` is what is served; `preprocess.json` says what it is given. No script is with it.")
    return parts


def _named(packages: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in packages)


def _preprocessing(facts: Facts) -> str:
    limit, kept = facts.preprocess["max_length"], facts.preprocess["truncation"]
    ends = {
        "head": "the beginning",
        "tail": "the end",
        "head+tail": "a quarter of the beginning and the rest of the end",
    }
    told = f"At most {limit} tokens with the special ones; of what is longer {ends[kept]} is kept"
    told += " (`preprocess.json`: `max_length`, `truncation`). "
    told += "Inputs, int64: " if facts.preprocess["file"].endswith(".onnx") else "Inputs: "
    told += ", ".join(f"`{name}`" for name in facts.preprocess["inputs"]) + "."
    if kept == "head+tail" and facts.loadable:
        told += " optimum and transformers.js keep the beginning only: give them texts that are no longer."
    elif facts.loadable:
        told += " transformers.js drops the last special token of what it cuts: give it texts that are no longer."
    if facts.preprocess["batch"] == 1:
        told += " The numbers here are of one text at a time: in a batch, an answer depends a little on its neighbours."
    return told


def _data(record: Record) -> str:
    data = record.data
    place = code(data.hub) + (f" ({plain(data.config)})" if data.config else "") + " of the Hub. " if data.hub else ""
    splits = [
        ("training", data.train),
        ("validation", data.validation),
        ("test", data.test),
        ("unlabelled", data.unlabelled),
    ]
    rows = ", ".join(
        f"{words.number(split.rows)} {name} rows (`{split.sha256[:12]}`)" for name, split in splits if split
    )
    twice = (
        f" {words.plural(data.duplicates, 'test row has', 'test rows have')} a text of the training rows."
        if data.duplicates
        else ""
    )
    return f"{place}{rows}; in brackets the digests of their content.{twice}"


def _licence(record: Record, facts: Facts) -> str:
    listed, named = licensed(record, facts)
    told = (
        f"{plain(named or listed)}."
        if listed
        else "Not known: no card tells it of the weights that this model started from."
    )
    if named:
        told += " The Hub does not list it: put its text beside this card, as `LICENSE`."
    if listed and facts.license is None:
        told += " It is the one that the teacher's card tells."
    return f"{told} What the training rows allow is for whoever publishes the model to see to."


def _origin(record: Record) -> str:
    here = record.machine
    versions = ", ".join(f"{plain(name)} {plain(version)}" for name, version in record.versions.items())
    return "\n".join(
        [
            f"- Measured on {plain(here.processor)} ({plain(here.machine_class)}), {words.plural(record.measure.threads, 'thread', 'threads')}, every test row by itself.",
            f"- Report of {record.created}: {code(record.command)}, seed {record.seed}.",
            f"- {versions}.",
        ]
    )

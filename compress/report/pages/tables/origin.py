"""Where the numbers come from."""

import re

from compress import units
from compress.report import words
from compress.report.record import Record, Split


def facts(record: Record) -> list[tuple[str, str]]:
    """Command, seed, machine, how it was timed, the data with its digests, the pretrained weights."""
    machine, measure = record.machine, record.measure
    return [
        ("command", record.command),
        ("made", f"{record.created.replace('T', ' ').replace('Z', '')} UTC"),
        ("compress", record.versions.get("compress", "unknown")),
        ("seed", str(record.seed)),
        ("task", f"{record.task.type}, {len(record.task.labels)} labels, up to {record.task.max_length} tokens"),
        ("machine class", machine.machine_class),
        ("processor", f"{machine.processor}, {words.plural(machine.physical_cores, 'core', 'cores')}"),
        ("vector instructions", ", ".join(machine.features) or "none that matter"),
        ("memory", units.size(machine.memory_bytes) if machine.memory_bytes else "unknown"),
        ("GPU", ", ".join(machine.gpus) or "none"),
        ("system", f"{machine.system}, {machine.architecture}"),
        (
            "timing",
            f"{words.plural(measure.threads, 'thread', 'threads')}, {measure.rounds} interleaved rounds, "
            f"{_samples(record)} calls a number",
        ),
        *_data(record),
        *_weights(record),
    ]


def _data(record: Record) -> list[tuple[str, str]]:
    data = record.data
    hub = "" if data.hub is None else data.hub + ("" if data.config is None else f", {data.config}")
    splits = [("training rows", data.train), ("validation rows", data.validation), ("test rows", data.test)]
    splits += [] if data.unlabelled is None else [("unlabelled rows", data.unlabelled)]
    told = [("data set on the Hub", hub)] if hub else []
    told += [(name, f"{words.number(split.rows)}, {digest(split)}") for name, split in splits]
    return [*told, ("test rows seen in training", words.number(data.duplicates))]


def digest(split: Split, characters: int = 64) -> str:
    """What names the rows' content: the beginning of their SHA-256, or their revision on the Hub."""
    known = re.fullmatch("[0-9a-f]{64}", split.sha256)
    return f"SHA-256 {split.sha256[:characters]}" if known else split.sha256


def _weights(record: Record) -> list[tuple[str, str]]:
    found = []
    for model, weights in record.weights.items():
        parts = [weights.hub, weights.source, weights.license and f"licence {weights.license}"]
        told = ", ".join(part for part in parts if part)
        found += [(f"weights of {model}", told)] if told else []
    return found


def _samples(record: Record) -> str:
    counts = sorted({cell.samples for variant in record.variants for cell in variant.latency})
    return " to ".join(words.number(count) for count in dict.fromkeys(counts[:1] + counts[-1:])) or "0"


def versions(record: Record) -> list[tuple[str, str]]:
    """Packages and their versions."""
    return sorted(record.versions.items())

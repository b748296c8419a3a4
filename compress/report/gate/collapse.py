"""Has a model stopped telling the rows apart?"""

from compress.report.packing import unpack
from compress.report.record import Record


def collapsed(record: Record) -> tuple[str, ...]:
    """The models that give every row one answer though the rows have several labels, with the variants that do."""
    if len(set(unpack(record.gold))) < 2:
        return ()
    found: dict[tuple[str, int], list[str]] = {}
    for variant in record.variants:
        answers = set(unpack(variant.predictions))
        if len(answers) == 1:
            found.setdefault((variant.model, answers.pop()), []).append(variant.id)
    return tuple(
        f"{model} answers `{record.task.labels[label]}` to every row ({', '.join(variants)})"
        for (model, label), variants in found.items()
    )

"""What was cut where."""

from compress import units
from compress.report import goal, words
from compress.report.pages.tables.table import Column, Table
from compress.report.record import Record
from compress.report.structure import Structure


def layers(cut: Structure) -> Table:
    """Heads and neurons left in each layer."""
    columns = (Column("layer", numeric=True), Column("heads", numeric=True), Column("neurons", numeric=True))
    rows = [
        (str(number), _left(layer.heads, cut.of.heads), _left(layer.neurons, cut.of.neurons))
        for number, layer in enumerate(cut.layers, start=1)
    ]
    return Table(columns, tuple(rows))


def _left(kept: int, whole: int) -> str:
    return f"{words.number(kept)} of {words.number(whole)}"


def removed(cut: Structure) -> str:
    """How much of all heads and neurons is gone, beside what was asked for, where recorded; widths and tokens left."""
    parts = [goal.sentence(cut.target)] if cut.target is not None else []
    for kind, share in cut.shares.items():
        if share.asked or share.removed:
            asked = "" if share.asked is None else f" ({units.percent(share.asked)} asked)"
            parts.append(f"{kind.capitalize()}: {units.percent(share.removed)} removed{asked}.")
    parts += [f"{_WIDTHS[kind]}: {_left(width.after, width.before)}." for kind, width in cut.widths.items()]
    if cut.vocabulary is not None:
        left = cut.vocabulary
        parts.append(
            f"Tokens: {_left(left.after, left.before)} kept; {units.percent(left.train)} of the training rows' tokens and "
            f"{units.percent(left.validation)} of the validation rows' are whole, the others spelled in pieces."
        )
    return " ".join(parts)


_WIDTHS = {"hidden": "Hidden dimensions", "embedding_rank": "Rank of the word embeddings"}


def lines(record: Record) -> list[str]:
    """A line for each student that was cut: what is left of each layer, and what of the whole is gone."""
    found = []
    for student, cut in record.structures.items():
        if cut.cut:
            layers = ", ".join(f"{layer.heads}/{layer.neurons}" for layer in cut.layers)
            found.append(
                f"{student}: heads/neurons left by layer {layers} of {cut.of.heads}/{cut.of.neurons}. {removed(cut)}".strip()
            )
    return found

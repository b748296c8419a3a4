"""Is a lower precision worth it: faster, as accurate and smaller than the same model in the same runtime, plain?"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from compress.report import words
from compress.report.gate.check import Check, blind
from compress.report.gate.margin import Margin, paired
from compress.report.gate.outcomes import counted
from compress.report.record import Record
from compress.report.variant import Cell, Variant
from compress.statistics.evidence import Answer, Limit
from compress.units import percent

_ALIKE = 0.02
"""The share of the speed that counts as none: of several shapes of equal speed, noise would make one slower now and then."""


class Trade(NamedTuple):
    """What a lower precision gives and what it costs."""

    variant: Variant
    plain: Variant
    faster: tuple[Cell, ...]
    """The shapes at which it is faster, beyond the noise of the timing."""
    slower: tuple[Cell, ...]
    """The shapes at which it is slower by more than a fiftieth, beyond the noise of the timing."""
    margin: Margin | None
    """The difference of the accuracies; None without rows."""

    within: Answer | None
    """Whether no more rows are lost than allowed, with the confidence that the gate asks for; None without rows."""

    @property
    def worse(self) -> bool:
        """Whether the rows show that more are lost than allowed."""
        return self.within == "fail"

    @property
    def unsure(self) -> bool:
        """Whether the rows are too few to tell."""
        return self.within == "not comparable"

    @property
    def larger(self) -> bool:
        """Whether its file is no smaller."""
        return self.variant.size_bytes >= self.plain.size_bytes

    @property
    def regressed(self) -> bool:
        """Whether it is slower or worse."""
        return bool(self.slower) or self.worse

    @property
    def fault(self) -> str:
        """What is wrong with it, in a few words; empty if nothing is."""
        slower = f"slower at {_shapes(self.slower)}" if self.slower else ""
        if self.slower and len(self.slower) == sum(cell.to_plain is not None for cell in self.variant.latency):
            slower = f"slower, {_span(self.slower)} as fast"
        lost = f"loses {_points(self.margin)}" if self.worse and self.margin else ""
        return " and ".join(filter(None, (slower, lost)))

    @property
    def sentence(self) -> str:
        """All of it in one sentence."""
        title = f"{self.variant.model} {self.variant.id} against {self.plain.id}"
        return f"{title}: {'; '.join(filter(None, (self._speed(), self._accuracy(), self._size())))}."

    def _speed(self) -> str:
        parts = [
            f"{kind} at {_shapes(cells)}" for kind, cells in (("slower", self.slower), ("faster", self.faster)) if cells
        ]
        rest = [cell for cell in self.variant.latency if cell.to_plain and cell not in (*self.slower, *self.faster)]
        return ", ".join([*parts, *([f"as fast at {_shapes(tuple(rest))}"] if rest else [])])

    def _accuracy(self) -> str:
        if self.margin is None:
            return ""
        seen = f"accuracy {words.points(self.margin.difference)} ± {100 * self.margin.half_width:.2f} points"
        limit = f"{100 * self.variant.max_drop:.2f}"
        if self.worse:
            return f"{seen}, more than the {limit} allowed"
        return f"{seen}, too few rows to tell whether within {limit}" if self.unsure else f"{seen}, within {limit}"

    def _size(self) -> str:
        return f"{percent(self.variant.size_bytes / max(1, self.plain.size_bytes))} of the size"


def trades(record: Record) -> tuple[Trade, ...]:
    """Every lower precision that was asked for, beside the plain one of its runtime, where that was measured."""
    found = []
    for variant in record.variants:
        plain = record.variant(variant.model, variant.plain) if variant.plain and variant.asked else None
        if plain is not None:
            timed = [(cell, cell.to_plain) for cell in variant.latency if cell.to_plain is not None]
            faster = tuple(cell for cell, ratio in timed if ratio.low > 1)
            slower = tuple(cell for cell, ratio in timed if ratio.high < 1 - _ALIKE)
            seen, within = None, None
            if record.data.test.rows:
                seen = paired(record, variant, plain)
                evidence = counted(record, variant, plain).test(Limit(drop=variant.max_drop))
                within = evidence.answer(record.gate.accuracy.confidence)
            found.append(Trade(variant, plain, faster, slower, seen, within))
    return tuple(found)


def dropped(trade: Trade) -> bool:
    """Whether a lower precision is left out, as the pipeline wants it of one that does not pay."""
    return trade.regressed and trade.variant.on_regression == "drop"


def regressions(record: Record, students: Iterable[str]) -> Iterator[Check]:
    """A check for each lower precision that must be neither slower nor worse."""
    name, compared = "export.on_regression", {(one.variant.model, one.variant.id): one for one in trades(record)}
    for variant in record.variants:
        if variant.model in students and variant.asked and variant.plain and variant.on_regression == "fail":
            trade = compared.get((variant.model, variant.id))
            if trade is None:
                text = f"{variant.model} {variant.id}: {variant.plain}, which it is compared with, was not run here."
                yield blind(name, text, variant.model, variant.id)
            else:
                answer: Answer = "fail" if trade.regressed else "not comparable" if trade.unsure else "pass"
                yield Check(name, variant.model, variant.id, None, None, answer, trade.sentence)
    for built in record.unmeasured:
        if built.model in students and built.on_regression == "fail":
            yield blind(name, f"{built.model} {built.id} was not run here: {built.reason}", built.model, built.id)


def faults(record: Record) -> tuple[str, ...]:
    """The lower precisions that are slower or worse, and how."""
    return tuple(
        f"{one.variant.model} {one.variant.id} ({one.fault}{', dropped' if dropped(one) else ''})"
        for one in trades(record)
        if one.regressed
    )


def _points(seen: Margin) -> str:
    return f"{-100 * seen.difference:.2f} ± {100 * seen.half_width:.2f} points"


def _span(cells: tuple[Cell, ...]) -> str:
    ends = sorted(cell.to_plain.value for cell in cells if cell.to_plain)
    return "–".join(dict.fromkeys(words.times(end) for end in (ends[0], ends[-1])))


def _shapes(cells: tuple[Cell, ...]) -> str:
    """Each shape with its ratio: `1 × 16 (2.10×) and 8 × 64 (1.85×)`."""
    written = [
        f"{words.shape(cell.batch, cell.sequence)} ({words.times(cell.to_plain.value)})"
        for cell in cells
        if cell.to_plain
    ]
    return " and ".join(filter(None, (", ".join(written[:-1]), written[-1])))

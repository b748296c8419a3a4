"""How each variant answers."""

from compress import units
from compress.report import words
from compress.report.gate.margin import margin
from compress.report.pages.tables.table import NONE, Column, Table, difference, export, metric
from compress.report.record import Record
from compress.report.variant import Estimate, Variant


def table(record: Record) -> Table:
    """Every metric of each variant, how alike its answers and probabilities are to the teacher's, and its calibration."""
    metrics = list(dict.fromkeys(name for variant in record.variants for name in variant.metrics))
    paired = "accuracy" in metrics
    apart = any(variant.divergence for variant in record.variants)
    calibrated = any(variant.calibration_error for variant in record.variants)
    heads = [words.metric(name) for name in metrics]
    heads += ["points from the teacher"] * paired + ["answers as the teacher"]
    heads += ["divergence (nats)"] * apart + ["calibration error"] * calibrated
    rows = []
    for variant in record.variants:
        cells = [metric(name, variant) for name in metrics]
        cells += [_points(record, variant)] * paired + [units.percent(variant.agreement)]
        cells += [_nats(variant.divergence)] * apart + [_share(variant.calibration_error)] * calibrated
        rows.append((variant.model, export(variant), *cells))
    columns = (Column("model"), Column("runtime"), *(Column(head, numeric=True) for head in heads))
    return Table(columns, tuple(rows), keys=2)


def parity(record: Record) -> Table:
    """How far each exported file's logits are from its PyTorch source's, beside what was allowed; empty without exports."""
    heads = ("logits off by, mean", "at most", "allowed", "answers as its source", "rows")
    rows = [
        (
            variant.model,
            export(variant),
            f"{seen.mean_abs:.2g}",
            f"{seen.max_abs:.2g}",
            f"{seen.tolerance:.2g}",
            units.percent(seen.agreement),
            words.number(seen.rows),
        )
        for variant in record.variants
        if (seen := variant.parity) is not None
    ]
    columns = (Column("model"), Column("export"), *(Column(head, numeric=True) for head in heads))
    return Table(columns, tuple(rows), keys=2)


def _points(record: Record, variant: Variant) -> str:
    seen = None if variant is record.reference else margin(record, variant)
    return NONE if seen is None else difference(seen)


def _nats(seen: Estimate | None) -> str:
    if seen is None:
        return NONE
    if seen.high < 1e-4:  # less than anyone asks for
        return "<0.0001" if seen.high else "0"
    return f"{seen.value:.3g} ({seen.low:.3g}–{seen.high:.3g})"


def _share(seen: Estimate | None) -> str:
    return NONE if seen is None else f"{units.percent(seen.value)} ({100 * seen.low:.2f}–{100 * seen.high:.2f})"

import re

import sample
from tabular import cells

from compress.config import settings
from compress.report.gate.verdict import judge
from compress.report.packing import pack, unpack
from compress.report.pages import html, markdown, terminal
from compress.report.pages.comparison import Run, compare
from compress.report.record import Split

REPORT = sample.record()


def run(report, where="runs/demo"):
    return Run(where, report, judge(report, report.gate))


def sections(*reports):
    return {section.title: section for section in compare([run(report) for report in reports]).sections}


def row(section, model="tiny", export="ONNX Runtime INT8"):
    return next(one for one in cells(section.table) if (one["model"], one["export"]) == (model, export))


def changed(**fields):
    """The report with other fields of tiny's INT8."""
    last = REPORT.variants[-1].model_copy(update=fields)
    return REPORT.model_copy(update={"variants": (*REPORT.variants[:-1], last)})


def better():
    """The report with all of tiny's INT8 answers right."""
    return changed(predictions=REPORT.gold, metrics={"accuracy": 1.0}, size_bytes=9_123_460)


def test_the_same_rows_are_compared_with_an_interval_and_the_best_is_marked():
    seen = row(sections(REPORT, better())["Accuracy"])
    assert seen["A"] == "89.83 %"
    assert re.fullmatch(r"100\.00 % \(\+10\.\d\d; \+\d\.\d\d to \+1\d\.\d\d\) ★", seen["B"])


def test_other_rows_are_told_and_not_compared():
    data = REPORT.data.model_copy(update={"test": Split(rows=600, sha256="44" * 32)})
    section = sections(REPORT, better().model_copy(update={"data": data}))["Accuracy"]
    assert section.about.startswith("B: other test rows or labels than A's")
    assert row(section)["B"] == "100.00 %"


def test_where_only_some_rows_are_others_the_brackets_are_explained():
    data = REPORT.data.model_copy(update={"test": Split(rows=600, sha256="44" * 32)})
    section = sections(REPORT, REPORT.model_copy(update={"data": data}), better())["Accuracy"]
    assert section.about.startswith("B: other test rows or labels than A's")
    assert "In brackets the difference from A" in section.about
    assert (row(section)["B"], row(section)["C"][-1]) == ("89.83 %", ")")


def test_what_reads_the_same_is_as_good():
    seen = row(sections(REPORT, changed(size_bytes=4_561_731))["Size"])
    assert (seen["A"], seen["B"]) == ("4.56 MB", "4.56 MB (1.00×)")


def test_sizes_are_ratios_and_the_smaller_is_best():
    seen = row(sections(REPORT, better())["Size"])
    assert (seen["A"], seen["B"]) == ("4.56 MB ★", "9.12 MB (2.00×)")


def test_milliseconds_are_compared_within_a_machine_class_alone():
    here = sections(REPORT, REPORT)
    assert row(here["Median latency at 1 × 16 tokens"])["B"] == "0.290 ms (1.00×)"
    machine = REPORT.machine.model_copy(update={"machine_class": "another"})
    other = sections(REPORT, REPORT.model_copy(update={"machine": machine}))
    assert not any(title.startswith("Median") for title in other)
    assert "B: another, 1 thread" in other["Speed-up at 1 × 16 tokens"].about
    threads = REPORT.model_copy(update={"measure": settings.Measure(threads=2)})
    assert not any(title.startswith("Median") for title in sections(REPORT, threads))


def test_a_variant_that_a_run_lacks_is_a_dash():
    alone = REPORT.model_copy(update={"variants": REPORT.variants[:-1]})
    assert row(sections(alone, REPORT)["Size"])["A"] == "–"
    assert row(sections(alone, REPORT)["Size"])["B"] == "4.56 MB"


def test_what_differs_is_told_and_nothing_else():
    gate = REPORT.gate.model_copy(update={"size": settings.SizeGate(max_mb=20)})
    other = REPORT.model_copy(update={"seed": 3, "gate": gate, "versions": REPORT.versions | {"torch": "2.12.0"}})
    found = cells(sections(REPORT, other)["What differs"].table)
    assert found == [
        {"what": "seed", "A": "0", "B": "3"},
        {"what": "version of torch", "A": "2.13.0", "B": "2.12.0"},
        {"what": "gate.size.max_mb", "A": "45.0", "B": "20.0"},
    ]
    assert sections(REPORT, REPORT)["What differs"].about.startswith("Nothing")


def test_a_check_that_turned_is_told():
    section = sections(REPORT, better())["Checks that differ"]
    turned = [one for one in cells(section.table) if one["check"] == "accuracy.keep"]
    assert [(one["A"], one["B"]) for one in turned] == [("Fail ✗", "Pass ✓")]
    assert sections(REPORT, REPORT)["Checks that differ"].about == "None does."


def test_another_metric_has_its_interval_from_rows_drawn_anew():
    task = REPORT.task.model_copy(update={"metric": "mcc"})
    first = changed(metrics={"mcc": 0.88}).model_copy(update={"task": task})
    second = changed(metrics={"mcc": 1.0}, predictions=REPORT.gold).model_copy(update={"task": task})
    seen = row(sections(first, second)["Matthews correlation"])["B"]
    assert re.fullmatch(r"1\.000 \(\+0\.11\d; \+0\.0\d\d to \+0\.1\d\d\) ★", seen)


def test_a_metric_that_nobody_knows_has_no_difference():
    task = REPORT.task.model_copy(update={"metric": "mine"})
    first = changed(metrics={"mine": 0.5}).model_copy(update={"task": task})
    assert row(sections(first, first)["Mine"])["B"] == "0.500"


def test_many_runs_have_names_of_their_own():
    titles = cells(compare([run(REPORT)] * 28).sections[0].table)
    assert [one["run"] for one in titles][24:] == ["Y", "Z", "Z1", "Z2"]


def test_every_page_shows_every_section():
    comparison = compare([run(REPORT), run(better())])
    written = markdown.compared(comparison)
    drawn = html.compared(comparison)
    printed = terminal.compared(comparison)
    for section in comparison.sections:
        assert f"## {section.title}" in written
        assert f"<h2>{section.title}</h2>" in drawn
        assert any(getattr(part, "plain", "") == section.title for part in printed.renderables)


def test_no_rows_are_no_comparison():
    empty = REPORT.data.model_copy(update={"test": Split(rows=0, sha256="none")})
    variants = tuple(one.model_copy(update={"predictions": pack([])}) for one in REPORT.variants)
    report = REPORT.model_copy(update={"data": empty, "gold": pack([]), "variants": variants, "rows": ()})
    assert unpack(report.gold) == []
    assert sections(report, report)["Accuracy"].about.startswith("B: other test rows")

import io

import sample
from rich.console import Console

from compress.report import terminal
from compress.report.verdict import judge


def printed(report, gate=None, width=160):
    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(terminal.table(report, judge(report, gate or report.gate)))
    return out.getvalue()


def test_the_answer_is_the_last_line():
    lines = printed(sample.record()).rstrip().splitlines()
    assert lines[-1] == "✗ Fail. Of 24 checks, 1 fails."
    assert lines[-2].startswith("✗ tiny onnxruntime-int8 keeps 96.33 %")
    assert lines[0].split()[:2] == ["model", "runtime"]
    assert "0.290 ms" in lines[10]


def test_markup_in_names_is_printed_as_it_is():
    report = sample.record(rows=60)
    changed = report.variants[-1].model_copy(update={"model": "[red]x[/red]"})
    assert "[red]x[/red]" in printed(report.model_copy(update={"variants": (report.variants[0], changed)}))

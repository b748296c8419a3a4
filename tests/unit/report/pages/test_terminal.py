import io

import pytest
import sample
from rich.console import Console

from compress.report.gate.verdict import judge
from compress.report.pages import terminal


def printed(report, gate=None, width=160):
    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(terminal.table(report, judge(report, gate or report.gate)))
    return out.getvalue()


def test_the_answer_is_the_last_line():
    lines = printed(sample.record()).rstrip().splitlines()
    assert lines[-1].startswith("✗ Fail. Of 24 checks, 1 fails. Slower or worse than plain: small onnxruntime-fp16 (")
    assert any(line.startswith("✗ tiny onnxruntime-int8 keeps 94.23 %") for line in lines)
    assert lines[0].split()[:2] == ["model", "runtime"]
    assert "0.290 ms" in lines[10]


def test_what_was_cut_is_printed():
    assert "tiny: heads/neurons left by layer 3/600, 2/416, 3/392, 4/512 of 4/768." in printed(sample.record())


def test_markup_in_names_is_printed_as_it_is():
    report = sample.record(rows=60)
    changed = report.variants[-1].model_copy(update={"model": "[red]x[/red]"})
    assert "[red]x[/red]" in printed(report.model_copy(update={"variants": (report.variants[0], changed)}))


@pytest.mark.parametrize("width", [80, 100, 200])
def test_numbers_are_whole_however_long_the_names_are(width):
    report = sample.record()
    named = [
        variant if number < 2 else variant.model_copy(update={"model": f"a-student-with-a-long-name-{number}"})
        for number, variant in enumerate(report.variants)
    ]
    text = printed(report.model_copy(update={"variants": tuple(named)}), report.gate, width)
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    for number in ("90.9 MB", "100.00 %", "8.49 ms", "13.5×", "98.78 %", "1.00×"):
        assert number in text
    letters = "".join(line.split(" ")[0] for line in lines)
    assert "a-student-with-a-long-name-7" in letters


def test_names_break_at_their_blanks_first():
    words = printed(sample.record(), width=60).split()
    assert {"runtime", "teacher", "PyTorch", "Runtime"} <= set(words)
    assert not {"PyTorc", "Runtim"} & set(words)


def test_nothing_in_a_name_steers_the_terminal():
    report = sample.record(rows=60)
    changed = report.variants[-1].model_copy(update={"model": "x\x1b[2J\x9by"})
    text = printed(report.model_copy(update={"variants": (report.variants[0], changed)}))
    assert r"x\x1b[2J" in text
    assert "\x1b" not in text

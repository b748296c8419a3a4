"""Workflow commands that nothing in the data can end or begin, and the job's summary."""

import re

import sample
from hypothesis import given
from hypothesis import strategies as st

from compress.report.gate.check import Check
from compress.report.gate.verdict import Verdict, judge
from compress.report.pages import github
from compress.statistics.evidence import Answer

RECORD = sample.record()
COMMAND = re.compile(r"::(error|warning|notice)( [a-z]+=[^:,\n\r]*(,[a-z]+=[^:,\n\r]*)*)?::([^\n\r]*)")


def check(answer: Answer, sentence: str = "a sentence", name: str = "size.max_mb") -> Check:
    return Check(name, "tiny", "onnxruntime-int8", 1.0, 2.0, answer, sentence)


def test_an_error_for_each_trouble_failures_first() -> None:
    checks = (check("not comparable", "cannot be made"), check("pass"), check("fail", "5 % of 10 %\nis: a, b"))
    assert list(github.annotations(Verdict("fail", checks))) == [
        "::error title=Gate failed%3A size.max_mb of tiny onnxruntime-int8::5 %25 of 10 %25%0Ais: a, b",
        "::error title=Gate%3A not comparable%3A size.max_mb of tiny onnxruntime-int8::cannot be made",
    ]


def test_a_place_is_a_file_and_a_line() -> None:
    places = {"size.max_mb": "odd, name:1/pipeline.yaml:18"}
    (line,) = github.annotations(Verdict("fail", (check("fail"),)), places)
    assert line.startswith("::error file=odd%2C name%3A1/pipeline.yaml,line=18,title=")


def test_a_pass_is_a_notice() -> None:
    (line,) = github.annotations(Verdict("pass", (check("pass"),)))
    assert line == "::notice title=Gate passed::Everything the gate asks for holds (1 check)."


def test_precisions_that_do_not_pay_are_a_warning() -> None:
    lines = list(github.annotations(Verdict("pass", (check("pass"),), regressions=("tiny fp16 (slower)",))))
    assert lines[0] == "::warning title=Slower or worse than plain::tiny fp16 (slower)"


def test_the_tenth_error_says_how_many_more_there_are() -> None:
    lines = list(github.annotations(Verdict("fail", tuple(check("fail", str(n)) for n in range(25)))))
    assert len(lines) == 10
    assert "::16 more checks do not pass" in lines[-1]
    assert len(list(github.annotations(Verdict("fail", (check("fail"),) * 10)))) == 10


@given(st.text(), st.text())
def test_nothing_ends_a_command_or_begins_another(name: str, sentence: str) -> None:
    (line,) = github.annotations(Verdict("fail", (check("fail", sentence, name),)), {name: f"{sentence}:3"})
    assert COMMAND.fullmatch(line)
    assert len(line.splitlines()) == 1


def test_long_sentences_are_cut() -> None:
    (line,) = github.annotations(Verdict("fail", (check("fail", "x" * 100_000, "n" * 1000),)))
    assert len(line) < 5000


def test_the_summary_is_the_report_below_a_mebibyte() -> None:
    summary = github.summary(RECORD, judge(RECORD, RECORD.gate))
    assert "**✗ Fail.**" in summary
    wide = Verdict("fail", tuple(check("fail", "\U0001f600" * 2000) for _ in range(1000)))
    assert len(github.summary(RECORD, wide).encode()) < 2**20

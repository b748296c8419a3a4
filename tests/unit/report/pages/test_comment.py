"""The comment on a pull request: short enough, found again, and calling nobody."""

import pytest
import sample
from hypothesis import given
from hypothesis import strategies as st

from compress.report.gate.check import Check
from compress.report.gate.verdict import Verdict, judge
from compress.report.pages import comment, markdown

RECORD = sample.record()
VERDICT = judge(RECORD, RECORD.gate)


def failed(sentence: str, number: int = 1) -> Verdict:
    return Verdict("fail", (Check("size.max_mb", "tiny", "onnxruntime-int8", 1.0, 2.0, "fail", sentence),) * number)


def test_it_is_the_report_after_a_hidden_marker() -> None:
    text = comment.render(RECORD, VERDICT)
    assert text == f"<!-- compress gate: voice-commands -->\n{markdown.render(RECORD, VERDICT)}"


def test_the_marker_is_of_one_run_and_cannot_be_ended_by_its_name() -> None:
    assert comment.marker(sample.record(name="a-->b\n@c")) == "<!-- compress gate: a-b-c -->"
    assert comment.marker(sample.record(name="other")) != comment.marker(RECORD)


def test_what_is_least_important_is_left_out() -> None:
    text = comment.render(RECORD, VERDICT, 6000)
    assert len(text) <= 6000 < len(comment.render(RECORD, VERDICT))
    assert "**✗ Fail.**" in text
    assert "Left out, for it would be too long" in text


@given(st.text(min_size=1), st.integers(1, 40), st.integers(300, 5000))
def test_it_never_has_more_characters_than_allowed(word: str, times: int, limit: int) -> None:
    assert len(comment.render(RECORD, failed(word * times, times), limit)) <= limit


@pytest.mark.parametrize("name", ["@octocat", "see #12", "a@b", "@org/team"])
def test_nobody_is_called(name: str) -> None:
    text = comment.render(RECORD, failed(f"label {name} fell"))
    assert "label" in text
    assert name not in text.replace("\\", "")


@pytest.mark.parametrize(("word", "written"), [("a|b", r"a\|b"), ("<img>", "&lt;img&gt;"), ("a\n/close", "a /close")])
def test_names_stay_text(word: str, written: str) -> None:
    assert f"fell: {written}" in comment.render(RECORD, failed(f"fell: {word}"))

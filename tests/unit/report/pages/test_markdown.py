import dataclasses
import os
import re
from pathlib import Path

import pytest
import sample

from compress.config.settings import Gate
from compress.report.gate.verdict import judge
from compress.report.pages import markdown

GOLDEN = Path(__file__).parents[3] / "golden" / "report.md"


def test_the_page_is_the_golden_one():
    report = sample.record()
    page = markdown.render(report, judge(report, report.gate), "report.svg")
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(page, encoding="utf-8")
    assert page == GOLDEN.read_text(encoding="utf-8"), "UPDATE_GOLDEN=1 writes it anew"


def test_the_verdict_comes_first():
    report = sample.record(rows=40)
    lines = markdown.render(report, judge(report, Gate()), None).splitlines()
    assert lines[:2] == ["# voice-commands", ""]
    assert lines[2].startswith(
        "**✓ Pass.** The gate asks for nothing. Slower or worse than plain: small onnxruntime-fp16"
    )
    assert not any("![" in line for line in lines)


def test_text_from_outside_stays_text():
    nasty = "<script>alert(1)</script>|*a*\n# b"
    labels = (nasty, *sample.LABELS[1:])
    report = sample.record(rows=600, command=f"compress run {nasty}", versions={"python": nasty})
    report = report.model_copy(update={"task": report.task.model_copy(update={"labels": labels}), "name": nasty})
    page = markdown.render(report, judge(report, report.gate))
    assert "`compress run <script>alert(1)</script>|*a* # b`" in page  # code, in which nothing is read
    page = re.sub("`[^`]*`", "", page)
    assert "<script" not in page
    assert r"&lt;script&gt;alert(1)&lt;/script&gt;\|\*a\* \# b" in page
    assert page.count("\n# ") == 0
    tables = [line for line in page.splitlines() if line.startswith("|")]
    for line in tables:
        assert line.endswith("|")
    confused = [line for line in tables if "script" in line]
    assert confused
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in confused} == {9}


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("@someone and me@here", "@&#8203;someone and me@&#8203;here"),
        ("#12, GH-7, # 3", "\\#&#8203;12, GH-&#8203;7, \\# 3"),
        ("https://a.b www.c.d", "https:&#8203;//a.b www&#8203;.c.d"),
        (":tada: at 09:30:00", ":&#8203;tada: at 09:30:00"),
        ("`a` | [b](c) <!-- d --> $e$", "\\`a\\` \\| \\[b\\](c) &lt;!-- d --&gt; <span>$</span>e<span>$</span>"),
        ("a\r\nb\x1b[0m\u202ec", r"a b\\x1b\[0m\\u202ec"),
    ],
)
def test_github_reads_nothing_into_a_text(text, written):
    assert markdown.plain(text) == written


@pytest.mark.parametrize(
    ("text", "written"), [("a b", "`a b`"), ("a `b` c", "``a `b` c``"), ("`", "`` ` ``"), ("a\nb", "`a b`")]
)
def test_code_is_between_more_backticks_than_it_has(text, written):
    assert markdown.code(text) == written


def test_a_comment_is_kept_below_the_limit_and_says_what_it_lacks():
    report = sample.record()
    judged = judge(report, report.gate)
    whole = markdown.render(report, judged)
    assert len(whole) < markdown.COMMENT_LIMIT
    assert markdown.render(report, judged, limit=markdown.COMMENT_LIMIT) == whole
    sizes = [len(whole) - 1, 12_000, 6_000, 3_000]
    for limit in sizes:
        page = markdown.render(report, judged, limit=limit)
        assert len(page) <= limit
        assert "Left out, for it would be too long: Latency, percentiles" in page
        assert page.startswith(whole[:150])
    assert "## Models" in markdown.render(report, judged, limit=6_000)


def test_even_a_verdict_that_is_too_long_is_kept_below_the_limit():
    report = sample.record()
    judged = judge(report, report.gate)
    check = dataclasses.replace(judged.checks[0], answer="fail", sentence="x" * 500)
    page = markdown.render(report, dataclasses.replace(judged, answer="fail", checks=(check,) * 500), limit=2000)
    assert len(page) < 2000
    assert page.startswith("# voice-commands\n\n**✗ Fail.** Of 500 checks, 500 fail.")
    assert page.endswith("Left out, for it would be too long: the rest.\n")

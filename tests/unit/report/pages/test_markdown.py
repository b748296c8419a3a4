import os
import re
from pathlib import Path

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
    assert "<script" not in page
    assert r"&lt;script&gt;alert(1)&lt;/script&gt;\|\*a\* \# b" in page
    assert page.count("\n# ") == 0
    tables = [line for line in page.splitlines() if line.startswith("|")]
    for line in tables:
        assert line.endswith("|")
    confused = [line for line in tables if "script" in line]
    assert confused
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in confused} == {9}

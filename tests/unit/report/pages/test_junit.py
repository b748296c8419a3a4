"""JUnit XML that the schemas of Ant and of Jenkins both allow, whatever stands in the sentences."""

import re
from xml.etree import ElementTree as XML

import pytest
import sample
from hypothesis import given
from hypothesis import strategies as st

from compress.report.gate.check import Check
from compress.report.gate.verdict import Verdict, judge
from compress.report.pages import junit
from compress.statistics.evidence import Answer

SUITE = {"id", "name", "package", "timestamp", "hostname", "tests", "failures", "errors", "skipped", "time"}
RECORD = sample.record()


def check(answer: Answer, sentence: str = "a sentence", student: str = "tiny", name: str = "size.max_mb") -> Check:
    return Check(name, student, "onnxruntime-int8", 1.0, 2.0, answer, sentence)


def suites(text: str) -> list[XML.Element]:
    """The suites, each held to the rules that both schemas share."""
    root = XML.fromstring(text.encode())
    assert (root.tag, root.attrib) == ("testsuites", {})
    for number, suite in enumerate(root):
        assert suite.tag == "testsuite"
        assert set(suite.attrib) == SUITE
        assert suite.get("id") == str(number)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp", ""))
        assert re.fullmatch("properties(,testcase)*,system-out,system-err", ",".join(child.tag for child in suite))
        for property_ in suite[0]:
            assert (property_.tag, set(property_.attrib)) == ("property", {"name", "value"})
        cases = suite.findall("testcase")
        assert len({case.get("name") for case in cases}) == len(cases)
        for case in cases:
            assert set(case.attrib) == {"name", "classname", "time"}
            assert [child.tag for child in case] in ([], ["failure"], ["error"])
            assert all(set(child.attrib) == {"message", "type"} for child in case)
        for attribute, kind in (("tests", "testcase"), ("failures", ".//failure"), ("errors", ".//error")):
            assert int(suite.get(attribute, "")) == len(suite.findall(kind))
        assert suite.get("skipped") == "0"
    return list(root)


def test_a_suite_for_each_student_and_a_case_for_each_check() -> None:
    judged = judge(RECORD, RECORD.gate)
    found = suites(junit.render(RECORD, judged))
    assert [suite.get("name") for suite in found] == ["voice-commands small", "voice-commands tiny"]
    assert sum(len(suite.findall("testcase")) for suite in found) == len(judged.checks)
    failed = {case.find("failure").get("message") for case in found[1].findall("testcase") if len(case)}
    assert failed == {check.sentence for check in judged.checks if check.answer == "fail"}


def test_the_properties_name_versions_and_the_machine() -> None:
    (suite,) = suites(junit.render(RECORD, Verdict("pass", (check("pass"),))))
    properties = {found.get("name"): found.get("value") for found in suite[0]}
    assert properties["version.torch"] == "2.13.0"
    assert properties["machine_class"] == RECORD.machine.machine_class
    assert properties["test.sha256"] == RECORD.data.test.sha256


def test_what_is_not_comparable_is_an_error_and_never_skipped() -> None:
    (suite,) = suites(junit.render(RECORD, Verdict("not comparable", (check("not comparable"),))))
    assert suite.get("errors") == "1"
    assert suite[1][0].tag == "error"


def test_what_is_about_no_student_is_a_suite_of_its_own_at_the_end() -> None:
    baseline = Check("baseline", "", "", None, None, "not comparable", "other rows")
    found = suites(junit.render(RECORD, Verdict("not comparable", (baseline, check("pass")))))
    assert [suite.get("name") for suite in found] == ["voice-commands tiny", "voice-commands"]
    assert found[1][1].get("name") == "baseline"


def test_a_gate_that_asks_for_nothing_says_so() -> None:
    (suite,) = suites(junit.render(RECORD, Verdict("pass", ())))
    assert suite.get("tests") == "0"
    assert "asks for nothing" in (suite.find("system-out").text or "")


def test_checks_of_one_name_are_told_apart() -> None:
    (suite,) = suites(junit.render(RECORD, Verdict("fail", (check("pass"), check("fail")))))
    assert [case.get("name") for case in suite.findall("testcase")] == [
        "size.max_mb onnxruntime-int8",
        "size.max_mb onnxruntime-int8 (2)",
    ]


@pytest.mark.parametrize("text", ["]]>", "<script>&amp;\"'", "a\x00b\x1b[31m", "\ud800", "50 %", "a\nb\r\n::error::"])
def test_any_text_is_held(text: str) -> None:
    (suite,) = suites(junit.render(RECORD, Verdict("fail", (check("fail", text),))))
    seen = suite[1][0].get("message", "")
    assert seen == re.sub("[\x00\x1b\ud800]", "\ufffd", text)


@given(st.text())
def test_no_text_breaks_the_xml(text: str) -> None:
    suites(junit.render(RECORD, Verdict("fail", (check("fail", text, student=text, name=text),))))

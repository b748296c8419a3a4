"""The verdict as JUnit XML, which CI systems show beside tests."""

import re
from collections import Counter
from collections.abc import Sequence
from xml.etree import ElementTree as XML

from compress.report.gate.check import Check
from compress.report.gate.verdict import Verdict
from compress.report.record import Record

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, not even escaped."""


def render(record: Record, verdict: Verdict) -> str:
    """A suite for each student and one for what is about none, with a case for each check.

    What fails is a `failure`, what is not comparable an `error`: a test that could not be done. It is not `skipped`, which CI
    systems show as green. The elements, their order and their attributes are those that the schemas of Ant and of Jenkins
    both allow.
    """
    root = XML.Element("testsuites")
    students = dict.fromkeys([*(check.student for check in verdict.checks), *record.students, ""])
    for student in sorted(students, key=lambda name: (name == "", name)):
        checks = [check for check in verdict.checks if check.student == student]
        if checks or not (student or verdict.checks):
            _suite(root, record, verdict, student, checks)
    XML.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + XML.tostring(root, encoding="unicode") + "\n"


def _suite(root: XML.Element, record: Record, verdict: Verdict, student: str, checks: Sequence[Check]) -> None:
    answers = Counter(check.answer for check in checks)
    counts = {"tests": len(checks), "failures": answers["fail"], "errors": answers["not comparable"], "skipped": 0}
    title = " ".join(filter(None, (record.name, student)))
    suite = _element(
        root,
        "testsuite",
        id=str(len(root)),
        name=title,
        package="compress",
        timestamp=record.created.removesuffix("Z"),
        hostname="localhost",
        **{key: str(count) for key, count in counts.items()},
        time="0",
    )
    properties = _element(suite, "properties")
    for name, value in _origin(record).items():
        _element(properties, "property", name=name, value=value)
    seen: Counter[str] = Counter()
    for check in checks:
        name = " ".join(filter(None, (check.name, check.variant)))
        seen[name] += 1  # a system that follows a case over time needs one name for it alone
        case = _element(
            suite, "testcase", name=name if seen[name] == 1 else f"{name} ({seen[name]})", classname=title, time="0"
        )
        if check.answer != "pass":
            kind = "failure" if check.answer == "fail" else "error"
            _element(case, kind, message=check.sentence, type=check.answer).text = _held(check.sentence)
    lines = [f"{check.answer}: {check.sentence}" for check in checks]
    _element(suite, "system-out").text = _held("\n".join([*lines, verdict.headline, *verdict.notes]))
    _element(suite, "system-err")


def _origin(record: Record) -> dict[str, str]:
    """Where the numbers come from."""
    facts = {
        "created": record.created,
        "machine_class": record.machine.machine_class,
        "processor": record.machine.processor,
        "system": record.machine.system,
        "seed": str(record.seed),
        "test.rows": str(record.data.test.rows),
        "test.sha256": record.data.test.sha256,
    }
    return facts | {f"version.{name}": number for name, number in record.versions.items()}


def _element(parent: XML.Element, tag: str, **attributes: str) -> XML.Element:
    return XML.SubElement(parent, tag, {key: _held(value) for key, value in attributes.items()})


def _held(text: str) -> str:
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text)

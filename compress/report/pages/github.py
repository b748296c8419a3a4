"""The verdict as GitHub Actions shows it: annotations, and the summary of the job."""

import re
from collections.abc import Iterator, Mapping

from compress.report.gate.check import Check
from compress.report.gate.verdict import Verdict
from compress.report.pages import comment
from compress.report.pages.tables import checks
from compress.report.record import Record
from compress.statistics.evidence import Answer

_SHOWN = 10
"""Annotations of one level that GitHub keeps of a step."""
_SUMMARY = 250_000
"""Characters: at four bytes each less than the 1 MiB that a step may say."""
_TITLE, _MESSAGE = 200, 4000
_HEADS: dict[Answer, str] = {"pass": "Gate passed", "fail": "Gate failed", "not comparable": "Gate: not comparable"}


def annotations(verdict: Verdict, places: Mapping[str, str] | None = None) -> Iterator[str]:
    """Workflow commands, a line each: an error for each check that fails or cannot be made, a warning for precisions that do not
    pay, a notice where everything holds.

    `places` says of a check's name where it is asked for, as `file:line`. GitHub keeps ten errors: the tenth says how many more
    there are.
    """
    troubles = checks.troubles(verdict)
    shown = troubles if len(troubles) <= _SHOWN else troubles[: _SHOWN - 1]
    for check in shown:
        yield _command("error", _title(check), check.sentence, (places or {}).get(check.name, ""))
    if len(shown) < len(troubles):
        more = f"{len(troubles) - len(shown)} more checks do not pass; the job's summary has them all."
        yield _command("error", _HEADS[verdict.answer], more)
    if verdict.regressions:
        yield _command("warning", "Slower or worse than plain", "; ".join(verdict.regressions))
    if not troubles:
        yield _command("notice", _HEADS[verdict.answer], verdict.headline)


def summary(record: Record, verdict: Verdict) -> str:
    """The report as Markdown, for the file that `GITHUB_STEP_SUMMARY` names."""
    return comment.render(record, verdict, _SUMMARY) + "\n"


def _title(check: Check) -> str:
    about = " ".join(filter(None, (check.student, check.variant)))
    return f"{_HEADS[check.answer]}: {check.name}{f' of {about}' if about else ''}"


def _command(level: str, title: str, message: str, place: str = "") -> str:
    file, _, line = place.rpartition(":")
    properties = {"file": file, "line": line if file else "", "title": _cut(title, _TITLE)}
    written = ",".join(f"{key}={_property(value)}" for key, value in properties.items() if value)
    return f"::{level} {written}::{_data(_cut(message, _MESSAGE))}"


def _data(text: str) -> str:
    """Text that cannot end the line, and so not begin another command."""
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", " ", text)


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"

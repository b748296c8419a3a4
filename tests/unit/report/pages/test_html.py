import re
from html.parser import HTMLParser

import pytest
import sample

from compress.config.settings import Gate
from compress.report.gate.verdict import judge
from compress.report.pages import html
from compress.report.record import Epoch, Stage

VOID = {"meta", "br", "hr", "img", "input", "link"}


class Page(HTMLParser):
    """Every element with its attributes, the text, and whether the elements close in order."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.said, self.wrong = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.said.append(data)


@pytest.fixture(scope="module")
def report():
    return sample.record()


@pytest.fixture(scope="module")
def text(report):
    return html.render(report, judge(report, report.gate))


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


def test_what_was_cut_stands_beside_what_was_asked(page):
    said = " ".join(page.said).replace("\u00a0", " ")
    assert "Heads: 13.89 % removed (14.00 % asked). Neurons: 27.69 % removed (28.00 % asked)." in said
    assert said.count("% removed") == 2  # the other student's report is older


def test_the_page_is_well_formed(text, page):
    assert text.startswith("<!DOCTYPE html>")
    assert page.wrong == []
    assert page.open == []


def test_the_page_loads_nothing(text, page):
    assert "http://" not in text
    assert "https://" not in text
    assert not {tag for tag, _ in page.elements} & {"script", "link", "img", "iframe", "image", "object", "use"}
    assert not [
        name
        for _, attributes in page.elements
        for name in attributes
        if name.startswith("on") or name in ("src", "href", "xlink:href")
    ]
    assert "@import" not in text
    assert "url(" not in text
    policy = {
        attributes.get("http-equiv"): attributes.get("content") for tag, attributes in page.elements if tag == "meta"
    }
    assert policy["Content-Security-Policy"] == "default-src 'none'; style-src 'unsafe-inline'"


def test_no_id_is_given_twice(page):
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_the_verdict_comes_first(page):
    said = re.sub(r"\s+", " ", " ".join(page.said))
    assert (
        said.index("Of 24 checks, 1 fails.")
        < said.index("Accuracy against latency")
        < said.index("Where the numbers come from")
    )
    assert "✗ Fail tiny onnxruntime-int8 keeps 94.23 % of the teacher's accuracy" in said


def test_every_section_is_there(page, report):
    said = re.sub(r"\s+", " ", " ".join(page.said))
    for wanted in (
        "Models",
        "Latency",
        "Answers",
        "What was cut where",
        "How they learned",
        "Where tiny errs",
        "Slices that moved",
        "Confusion matrix",
        "Rows answered differently",
        "1 × 16: percentiles",
    ):
        assert wanted in said
    for wanted in (report.machine.machine_class, "transformers", "5.23.0", f"SHA-256 {'33' * 32}", report.command):
        assert wanted in said


def test_tables_scroll_in_a_box_of_their_own(page):
    boxes = [attributes for tag, attributes in page.elements if attributes.get("class") == "scroll"]
    assert len(boxes) == sum(tag == "table" for tag, _ in page.elements) == 22
    assert all(box["tabindex"] == "0" and box["role"] == "region" and box["aria-label"] for box in boxes)


def test_every_picture_has_a_label_and_a_narrow_twin(page):
    pictures = [attributes["aria-label"] for tag, attributes in page.elements if tag == "svg"]
    assert len(pictures) == 2 * 4
    assert pictures[0::2] == pictures[1::2]


def test_a_mark_says_what_colour_says(page):
    failed = [attributes for tag, attributes in page.elements if "ends-fail" in attributes.get("class", "")]
    assert len(failed) == sum(
        bool(re.fullmatch(r"(?:[\d.]+\u00a0?.*|slower.*) ✗|worse ▼", data.strip())) for data in page.said
    )


def test_text_from_outside_stays_text(report):
    nasty = "<script>alert('x')</script><img src=x onerror=y>"
    changed = [
        variant.model_copy(update={"model": nasty}) if variant.model == "tiny" else variant
        for variant in report.variants
    ]
    stage = Stage(name=nasty, seconds=1, notes=(nasty,), history=(Epoch(epoch=1, loss=1),))
    machine = report.machine.model_copy(update={"machine_class": nasty, "processor": nasty, "gpus": (nasty,)})
    record = report.model_copy(
        update={
            "name": nasty,
            "command": nasty,
            "variants": tuple(changed),
            "stages": (stage,),
            "machine": machine,
            "versions": {nasty: nasty},
            "structures": {nasty: report.structures["tiny"]},
            "task": report.task.model_copy(update={"labels": tuple(f"{nasty}{n}" for n in range(8))}),
        }
    )
    page = Page(html.render(record, judge(record, Gate(students=(nasty, "nobody"), baseline=nasty))))
    assert page.wrong == []
    assert not {"script", "img"} & {tag for tag, _ in page.elements}
    assert any("onerror" in data for data in page.said)


def test_a_bare_record_has_a_page(report):
    bare = report.model_copy(
        update={"variants": report.variants[:1], "stages": (), "structures": {}, "gate": Gate(), "versions": {}}
    )
    page = Page(html.render(bare, judge(bare, bare.gate)))
    said = " ".join(page.said)
    assert "The gate asks for nothing." in said
    assert "What was cut where" not in said


def test_numbers_stay_with_their_units():
    assert html.tied("keeps 96.33 % (91 % of 95.33 %), 5 MB, ± 3, 7 min") == (
        "keeps 96.33\u00a0% (91\u00a0% of 95.33\u00a0%), 5\u00a0MB,\u00a0±\u00a03, 7\u00a0min"
    )

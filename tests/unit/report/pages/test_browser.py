"""The pages in a real browser: on a telephone and on a desk, light and dark, with friendly and with hostile data."""

from pathlib import Path

import browser
import pytest
import sample

from compress.report import record as records
from compress.report import words
from compress.report.gate.verdict import judge
from compress.report.pages import html
from compress.report.pages.comparison import Run, compare

pytestmark = pytest.mark.skipif(browser.CHROMIUM is None, reason="there is no Chromium")

HOSTILE = """<script>alert(1)</script><img src=x onerror=alert(2)>"'`]]>--></style></svg>{{7*7}}\u202e&amp;"""
PUBLISHED = Path(__file__).parents[4] / "reports" / "voice-commands.json"


def hostile() -> records.Record:
    """The sample report with markup wherever data can stand."""
    value = sample.record().model_dump(mode="json")
    value["name"] = value["command"] = value["machine"]["processor"] = value["machine"]["machine_class"] = HOSTILE
    value["versions"] = {HOSTILE: HOSTILE}
    value["task"]["labels"] = [f"{HOSTILE}{number}" for number in range(len(sample.LABELS))]
    value["columns"] = {HOSTILE: {**value["columns"]["source"], "values": [HOSTILE, f"{HOSTILE}1", f"{HOSTILE}2"]}}
    value["stages"][0] |= {"name": HOSTILE, "notes": [HOSTILE]}
    value["structures"] = {HOSTILE: value["structures"]["tiny"]}
    for row in value["rows"]:
        row |= {"text": HOSTILE * 3, "text_pair": "x" * 900}
    for variant in value["variants"]:
        if variant["model"] == "tiny":
            variant |= {"model": HOSTILE, "notes": [HOSTILE]}
    return records.parse(value, "a hostile report")


def many_labels() -> records.Record:
    """The sample report with 60 labels, the long names of which are not used but for eight."""
    report = sample.record()
    names = tuple(f"a_rather_long_label_without_blanks_{number}" for number in range(52))
    return report.model_copy(update={"task": report.task.model_copy(update={"labels": (*sample.LABELS, *names)})})


def run(report: records.Record) -> Run:
    return Run("runs/demo", report, judge(report, report.gate))


PAGES = {
    "sample": lambda: html.render(*run(sample.record())[1:]),
    "published": lambda: html.render(*run(records.load(PUBLISHED))[1:]),
    "hostile": lambda: html.render(*run(hostile())[1:]),
    "many labels": lambda: html.render(*run(many_labels())[1:]),
    "compared": lambda: html.compared(compare([run(sample.record()), run(sample.record(seed=8)), run(hostile())])),
}


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with browser.Browser(tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture(scope="module", params=PAGES)
def page(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(PAGES[request.param](), encoding="utf-8")
    return path


# Every text with its colour on the colour behind it: the least WCAG contrast, and where.
CONTRAST = """(() => {
  const parse = (text) => {
    const [r, g, b, a = 1] = text.match(/[\\d.]+(?:e-?\\d+)?/g).map(Number);
    return text.startsWith('color(srgb') ? [255 * r, 255 * g, 255 * b, a] : [r, g, b, a];
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (parse(colour)[3] === 1) return parse(colour);
    }
    return [255, 255, 255, 1];
  };
  const luminance = (rgb) => {
    const [r, g, b] = rgb.slice(0, 3).map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  let least = [99, ''];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || !element.getClientRects().length || element.closest('.unseen')) continue;
    const style = getComputedStyle(element);
    const text = luminance(parse(element.closest('svg') ? style.fill : style.color));
    const page = luminance(behind(element));
    const seen = (Math.max(text, page) + 0.05) / (Math.min(text, page) + 0.05);
    if (seen < least[0]) least = [seen, node.data.trim().slice(0, 60)];
  }
  return least;
})()"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [400, 1400])
def test_a_page_opens_quietly_fits_and_can_be_read(chromium, page, width, dark):
    opened = chromium.open(page, width, dark=dark)
    assert opened.complaints == []
    assert opened.addresses == [page.as_uri()]
    assert chromium.tell(opened, "document.documentElement.clientWidth") == width
    chromium.tell(opened, "document.querySelectorAll('details').forEach((one) => one.open = true)")
    assert chromium.tell(opened, "document.scrollingElement.scrollWidth") <= width
    assert chromium.tell(opened, "document.querySelectorAll('script, img, iframe, link, object, a').length") == 0
    contrast, where = chromium.tell(opened, CONTRAST)
    assert contrast >= 4.5, where


@pytest.mark.parametrize("width", [400, 1400])
def test_the_verdict_is_what_is_seen_first(chromium, tmp_path, width):
    path = tmp_path / "report.html"
    path.write_text(PAGES["sample"](), encoding="utf-8")
    opened = chromium.open(path, width)
    first = "document.querySelector('section')"
    assert chromium.tell(opened, f"{first}.classList.contains('verdict') && {first}.innerText").startswith("✗\nFail")
    assert chromium.tell(opened, f"{first}.querySelector('.badge').getBoundingClientRect().bottom") < 400


def test_hostile_data_is_shown_as_it_is(chromium, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(PAGES["hostile"](), encoding="utf-8")
    opened = chromium.open(path, 1400)
    assert chromium.tell(opened, "document.querySelector('h1').textContent") == words.line(HOSTILE)
    assert chromium.tell(opened, "document.querySelector('.said').textContent") == words.line(HOSTILE * 3)
    drawn = chromium.tell(
        opened, "[...document.querySelectorAll('svg text')].map((text) => text.textContent).join(' ')"
    )
    assert "<script>alert(1)</script>" in drawn


def test_what_colour_says_stands_in_words_too(chromium, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(PAGES["sample"](), encoding="utf-8")
    opened = chromium.open(path, 1400)
    marks = {"ends-fail": "✗▼", "ends-open": "?", "ends-best": "★▲", "wrong": "✗", "badge": "✗"}
    for name, signs in marks.items():
        texts = chromium.tell(opened, f"[...document.querySelectorAll('.{name}')].map((one) => one.textContent)")
        assert all(any(sign in text for sign in signs) for text in texts), name
    shades = chromium.tell(opened, "[...document.querySelectorAll('[class^=shade-]')].map((one) => one.textContent)")
    assert set(shades) > {"·", "1"}

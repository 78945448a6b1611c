"""The report as a browser shows it: wide and narrow, light and dark."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("jinja2", reason="a report needs jinja2 of the extra 'report'")
pytest.importorskip("matplotlib", reason="a report needs matplotlib of the extra 'report'")

if TYPE_CHECKING:
    from ostrack_edge.benchmarks.report_html.content import Content

    from .chromium import Chromium

VIEWS = [(width, scheme) for width in (1440, 768, 360) for scheme in ("light", "dark")]

OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"

# Per text: the contrast of its own colour to the nearest opaque ground behind it, as WCAG 2 defines it.
CONTRAST = """
(() => {
  const parse = (color) => color.match(/[0-9.]+/g).map(Number);
  const luminance = ([r, g, b]) => [r, g, b]
    .map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const color = parse(getComputedStyle(e).backgroundColor);
      if (color.length < 4 || color[3] === 1) return color;
    }
    throw new Error("the page has no ground");
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim();
    const element = walker.currentNode.parentElement;
    if (!text || element.closest("style")) continue;
    const style = getComputedStyle(element);
    const ink = parse(element.closest("svg") ? style.fill : style.color);
    const [high, low] = [luminance(ink), luminance(ground(element))].sort((a, b) => b - a);
    found.push([(high + 0.05) / (low + 0.05), text]);
  }
  return found;
})()
"""

# Text of a plot that reaches beyond the plot.
OUTSIDE = """
[...document.querySelectorAll("svg")].flatMap((svg) => {
  const frame = svg.getBoundingClientRect();
  return [...svg.querySelectorAll("text")].filter((text) => {
    const box = text.getBoundingClientRect();
    return box.left < frame.left - 1 || box.right > frame.right + 1 ||
      box.top < frame.top - 1 || box.bottom > frame.bottom + 1;
  }).map((text) => text.textContent);
})
"""

LINES = """
[...document.querySelectorAll("svg path")]
  .map((path) => getComputedStyle(path).stroke)
  .filter((stroke) => stroke !== "none")
"""


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_it_fits_and_can_be_read(browser: Chromium, shown: Path, width: int, scheme: str) -> None:
    browser.open(shown, width, scheme)
    assert browser.evaluate("innerWidth") == width
    assert browser.evaluate(f"matchMedia('(prefers-color-scheme: {scheme})').matches")
    assert browser.evaluate(OVERFLOW) == 0
    contrasts = browser.evaluate(CONTRAST)
    assert len(contrasts) > 100
    assert [text for contrast, text in contrasts if contrast < 4.5] == []


def test_dark_is_dark(browser: Chromium, shown: Path) -> None:
    grounds, lines = [], []
    for scheme in ("light", "dark"):
        browser.open(shown, 800, scheme)
        grounds.append(browser.evaluate("getComputedStyle(document.body).backgroundColor"))
        lines.append(set(browser.evaluate(LINES)))
    assert grounds == ["rgb(255, 255, 255)", "rgb(20, 23, 27)"]
    assert lines[0].isdisjoint(lines[1]), "every line of the plots has a colour of the page's own"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_lines_stand_out_from_the_ground(browser: Chromium, shown: Path, scheme: str) -> None:
    browser.open(shown, 800, scheme)
    script = CONTRAST.replace("const found", "const lines = []; const found").replace(
        "return found",
        "for (let i = 0; i < 8; i++) {"
        "  const probe = document.body.appendChild(document.createElement('i'));"
        "  probe.style.color = `var(--series-${i})`;"
        "  const pair = [luminance(parse(getComputedStyle(probe).color)), luminance(ground(probe))];"
        "  const [high, low] = pair.sort((a, b) => b - a);"
        "  lines.push((high + 0.05) / (low + 0.05));"
        "}"
        "return lines",
    )
    contrasts = browser.evaluate(script)
    assert len(contrasts) == 8
    assert min(contrasts) >= 4.5


def test_it_asks_the_network_for_nothing(browser: Chromium, shown: Path) -> None:
    browser.open(shown, 1024, "light")
    asked = [address for address in browser.requests() if not address.startswith("data:")]
    assert asked == [shown.as_uri()]
    assert browser.complaints() == []


def test_plots_and_pictures_are_drawn(browser: Chromium, shown: Path) -> None:
    browser.open(shown, 1024, "light")
    pictures = browser.evaluate(
        "Promise.all([...document.images].map((i) => i.decode())) && [...document.images].map((i) => i.naturalWidth)"
    )
    assert pictures == [480, 480]
    plots = browser.evaluate(
        "[...document.querySelectorAll('svg')].map((s) => [s.getBoundingClientRect().height, s.ariaLabel])"
    )
    assert len(plots) == 4
    assert all(height > 200 and label for height, label in plots)


@pytest.mark.parametrize(("page", "width"), [("shown", 1024), ("crowded", 1024), ("crowded", 360)])
def test_nothing_is_cut_off(browser: Chromium, request: pytest.FixtureRequest, page: str, width: int) -> None:
    browser.open(request.getfixturevalue(page), width, "light")
    assert browser.evaluate(OVERFLOW) == 0
    assert browser.evaluate(OUTSIDE) == []


@pytest.fixture
def untrained(content: Content, tmp_path: Path) -> Path:
    """A report of a pair with names of usual length, both marked as noise."""
    from ostrack_edge.benchmarks.report_html.write import write_content

    (part,) = content.datasets
    names = ("ostrack-256-onnxruntime-fp32-two-threads", "ostrack-256-onnxruntime-int8-two-threads")
    entrants = tuple(replace(e, name=n, trained=False) for e, n in zip(part.entrants, names, strict=True))
    differences = tuple(replace(d, entrant=names[1], baseline=names[0]) for d in part.differences)
    rows = (replace(part.rows[0], name="MotorcycleChase", values=dict.fromkeys(names, 0.5)),)
    pair = replace(part, entrants=entrants, differences=differences, rows=rows, moments=())
    write_content(replace(content, datasets=(pair,)), tmp_path / "untrained.html")
    return tmp_path / "untrained.html"


@pytest.mark.parametrize("width", [1440, 1300])
def test_no_table_needs_scrolling_on_a_desk(browser: Chromium, untrained: Path, width: int) -> None:
    browser.open(untrained, width, "light")
    overflows = browser.evaluate(
        "[...document.querySelectorAll('.scroll')].map((e) => [e.ariaLabel, e.scrollWidth - e.clientWidth])"
    )
    assert len(overflows) == 5
    assert [label for label, pixels in overflows if pixels > 0] == []


@pytest.mark.parametrize("width", [500, 360])
def test_badges_and_names_do_not_break_within_words(browser: Chromium, untrained: Path, width: int) -> None:
    browser.open(untrained, width, "light")
    lines = "e => { const r = document.createRange(); r.selectNodeContents(e); return r.getClientRects().length }"
    badges = browser.evaluate(f"[...document.querySelectorAll('.noise')].map({lines})")
    assert badges
    assert set(badges) == {1}
    names = "[...document.querySelectorAll('tbody th')].filter((e) => e.innerText === 'MotorcycleChase')"
    assert browser.evaluate(f"{names}.map({lines})") == [1]
    assert browser.evaluate(OVERFLOW) == 0


def test_every_entrant_is_in_every_legend(browser: Chromium, crowded: Path) -> None:
    browser.open(crowded, 1024, "light")
    texts = browser.evaluate("[...document.querySelectorAll('svg')].map((svg) => svg.textContent.replace(/\\s/g, ''))")
    for text in texts:
        assert [i for i in range(10) if f"-{i}-onnxruntime-openvino-$int8$" in text] == list(range(10))


def test_names_are_shown_as_they_are(browser: Chromium, shown: Path) -> None:
    browser.open(shown, 1024, "light")
    names = browser.evaluate("[...document.querySelectorAll('tbody th')].map((th) => th.innerText)")
    assert any(name.startswith("<b>peer</b> & co") for name in names)
    assert browser.evaluate("document.querySelectorAll('b').length") == 0


def test_identifiers_are_unique(browser: Chromium, shown: Path) -> None:
    browser.open(shown, 1024, "light")
    names = browser.evaluate("[...document.querySelectorAll('[id]')].map((e) => e.id)")
    assert len(names) == len(set(names)) > 0

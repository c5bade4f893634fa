"""The page itself, read with an HTML parser: whole, escaped, reachable, needing nothing else."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

from lmkit.errors import LmkitError
from lmkit.evaluate.report import write_picture, write_report

from .conftest import HOSTILE, SHA, made_by_hand

pytest.importorskip("matplotlib", reason="needs the extra report")
pytest.importorskip("jinja2", reason="needs the extra report")

VOID = {"meta", "br", "link", "img", "input", "hr"}


class Page(HTMLParser):
    """All elements with their attributes, parents and text; fails on tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], tuple[int, ...]]] = []
        self.texts: dict[int, str] = {}
        self._open: list[tuple[str, int]] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attributes):
        assert len({name for name, _ in attributes}) == len(attributes), f"<{tag}> repeats itself"
        self.elements.append((tag, dict(attributes), tuple(place for _, place in self._open)))
        if tag not in VOID:
            self._open.append((tag, len(self.elements) - 1))

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self._open and self._open[-1][0] == tag, f"</{tag}> closes {self._open[-1:]}"
        self._open.pop()

    def handle_data(self, data):
        for _, place in self._open:
            self.texts[place] = self.texts.get(place, "") + data

    def all(self, tag: str) -> list[tuple[dict[str, str | None], str]]:
        """Attributes and text of each element ``tag``."""
        return [
            (attributes, self.texts.get(place, ""))
            for place, (name, attributes, _) in enumerate(self.elements)
            if name == tag
        ]

    def within(self, tag: str, place: int) -> list[int]:
        return [
            n for n, (name, _, above) in enumerate(self.elements) if name == tag and place in above
        ]


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(made_by_hand(), path)
    return path.read_text(encoding="utf-8")


@pytest.fixture
def page(text) -> Page:
    return Page(text)


def test_the_page_is_one_whole_file(comparison, tmp_path):
    path = tmp_path / "report.html"
    path.write_text("old", encoding="utf-8")
    write_report(comparison, path)
    first = path.read_bytes()
    assert first.startswith(b"<!DOCTYPE html>") and first.endswith(b"</html>\n")
    write_report(comparison, path)
    # No dates, random ids or addresses of memory of its own.
    assert path.read_bytes() == first
    assert [one.name for one in tmp_path.iterdir()] == ["report.html"]


def test_it_needs_no_network_and_runs_nothing(page, text):
    assert page.all("script") == [] and page.all("link") == [] and page.all("img") == []
    for _, attributes, _ in page.elements:
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("href", "xlink:href", "src"):
                assert value is not None and value.startswith("#")
    assert "url(http" not in text and "@import" not in text
    outside = set(re.findall(r"https?://[^\s\"'<]+", text))
    assert outside <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    (policy,) = [a for a, _ in page.all("meta") if a.get("http-equiv")]
    assert policy["content"] == "default-src 'none'; style-src 'unsafe-inline'"


def test_what_users_name_is_text_and_nothing_else(page, text):
    assert "<script" not in text.lower()
    shown = [text for _, text in page.all("td") + page.all("th") + page.all("li")]
    assert sum(HOSTILE in one for one in shown) >= 6
    assert HOSTILE in page.all("h1")[0][1]
    assert HOSTILE in page.all("pre")[0][1]
    # In the figures too: axis labels, legends and what is said of them.
    drawn = [found for _, found in page.all("text")]
    assert any(found.startswith("<script>alert") for found in drawn)
    assert any(HOSTILE in found for _, found in page.all("desc"))


def test_every_id_is_its_own_and_every_reference_finds_one(page, text):
    ids = [a["id"] for _, a, _ in page.elements if "id" in a]
    assert len(set(ids)) == len(ids)
    named = {
        word
        for _, attributes, _ in page.elements
        for key in ("aria-labelledby", "aria-describedby")
        for word in (attributes.get(key) or "").split()
    }
    named |= {a[k][1:] for _, a, _ in page.elements for k in ("href", "xlink:href") if a.get(k)}
    named |= set(re.findall(r"url\(#([^)]+)\)", text))
    assert named and named <= set(ids)


def test_figures_say_what_they_show(page):
    figures = [a for a, _ in page.all("svg")]
    assert len(figures) == 4
    for attributes in figures:
        assert attributes["role"] == "img" and attributes["viewbox"]
    assert len(page.all("figcaption")) == 4
    titles = [found for _, found in page.all("title")]
    assert len(titles) == 5 and all(titles)
    assert all(len(found) > 30 for _, found in page.all("desc"))
    # No colour of their own: light, dark and paper have their turn.
    styles = " ".join(a["style"] or "" for _, a, _ in page.elements if "style" in a)
    assert not re.search(r"#[0-9a-f]{3,6}\b", styles)
    assert "var(--ink)" in styles and "var(--series-1)" in styles
    defined = set(re.findall(r"--([\w-]+):", page.all("style")[0][1]))
    assert set(re.findall(r"var\(--([\w-]+)", styles)) <= defined


def test_tables_have_headings_for_every_row_and_column(page):
    tables = [n for n, (name, _, _) in enumerate(page.elements) if name == "table"]
    assert len(tables) >= 6
    for table in tables:
        rows = page.within("tr", table)
        headings = page.within("th", rows[0])
        assert headings == [n for n in headings if page.elements[n][1]["scope"] == "col"]
        assert headings and page.within("td", rows[0]) == []
        for row in rows[1:]:
            (first,) = page.within("th", row)
            assert page.elements[first][1]["scope"] == "row"
            assert len(page.within("td", row)) + 1 == len(headings)


def test_the_table_has_every_figure(page):
    models = next(
        n
        for n, (tag, a, _) in enumerate(page.elements)
        if tag == "table" and a["class"] == "models"
    )
    rows = [
        [
            " ".join(page.texts.get(n, "").split())
            for n, (tag, _, above) in enumerate(page.elements)
            if tag in ("td", "th") and row in above
        ]
        for row in page.within("tr", models)
    ]
    assert rows[1] == [
        *("1", "KN 5", "1.500 1.400 to 1.600", "the best", "", "80.5 group a", "3", "1.2 s"),
        *("650,000", "2.8 MB 120,000 n-grams"),
    ]
    assert rows[2][2:6] == [
        *("1.520 1.410 to 1.630", "+0.020 −0.010 to +0.050", "0.210 not told apart", "2.9")
    ]
    assert rows[3][2] == "1.900 1.800 to 2.000 ± 0.012 over 2 seeds"
    assert rows[3][4] == "< 0.001"
    assert rows[4][5:] == ["∞", "–", "–", "–", "–"]
    assert rows[4][1] == "given bytes given"
    assert len(rows) == 5


def test_how_to_reproduce_it(text):
    for fact in (SHA, SHA[::-1], "Seed 7", "5.3 min in all", "every tenth line", "python 3.11.7"):
        assert fact in text
    assert "1 test line stands in the training text too, and count" in text


def test_surprise_has_a_colour_for_each_cell(page):
    cells = [
        (a["class"], found) for a, found in page.all("td") if (a.get("class") or "")[:1] == "h"
    ]
    first = [("h1", "1.0"), ("h2", "2.0"), ("h2 unknown", "3.0"), ("h3", "4.0")]
    assert cells[:4] == first
    assert any("LSTM" in found for a, found in page.all("p") if a.get("class") == "note")


def test_what_there_is_not_has_no_section(comparison, tmp_path):
    comparison.curves, comparison.surprises, comparison.crossings = [], [], []
    comparison.rows = comparison.rows[:1]
    comparison.versions, comparison.command, comparison.started = {}, "", ""
    write_report(comparison, tmp_path / "r.html")
    page = Page((tmp_path / "r.html").read_text(encoding="utf-8"))
    sections = [a["id"] for a, _ in page.all("section")]
    assert sections == ["table", "quality", "samples", "again"]
    assert [a["href"] for a, _ in page.all("a")] == [f"#{name}" for name in sections]


def test_nothing_but_failures_is_a_page_too(comparison, tmp_path):
    comparison.rows, comparison.curves, comparison.surprises = comparison.failed, [], []
    write_report(comparison, tmp_path / "r.html")
    page = Page((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert page.all("svg") == []
    assert any(found == "broken" for _, found in page.all("th"))


def test_the_picture_stands_alone(comparison, tmp_path):
    write_picture(comparison, tmp_path / "p.svg")
    first = (tmp_path / "p.svg").read_text(encoding="utf-8")
    write_picture(comparison, tmp_path / "p.svg")
    assert (tmp_path / "p.svg").read_text(encoding="utf-8") == first
    root = ET.fromstring(first)
    assert root.tag.endswith("svg") and root.get("viewBox")
    assert "prefers-color-scheme: dark" in first
    assert set(re.findall(r"var\(--([\w-]+)", first)) <= set(re.findall(r"--([\w-]+):", first))
    shown = "".join(root.itertext())
    assert "KN 5" in shown and "1.500 · ppl 80.5 (a)" in shown
    write_report(comparison, tmp_path / "q.SVG")
    assert (tmp_path / "q.SVG").read_text(encoding="utf-8") == first
    comparison.rows = comparison.failed
    with pytest.raises(LmkitError, match="nothing to draw"):
        write_picture(comparison, tmp_path / "none.svg")


@pytest.mark.slow
def test_a_place_where_nothing_can_be_written(comparison, tmp_path):
    with pytest.raises(LmkitError, match=r"there is no directory .*nowhere"):
        write_report(comparison, tmp_path / "nowhere" / "r.html")

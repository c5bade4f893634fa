"""What a report says in words and brings to words, without drawing anything."""

from __future__ import annotations

import re
import subprocess
import sys
from xml.etree import ElementTree as ET

import pytest

from lmkit.errors import LmkitError
from lmkit.evaluate import report
from lmkit.evaluate.report import words
from lmkit.evaluate.report.heat import END, WIDEST, heat_map, word_cells
from lmkit.evaluate.results import SentenceSurprise

from .conftest import HOSTILE, TEXT, tokens


def test_what_is_missing_is_said_with_what_to_install(monkeypatch, comparison, tmp_path):
    monkeypatch.setattr(report, "find_spec", lambda name: None)
    with pytest.raises(LmkitError) as refusal:
        report.require_report()
    assert str(refusal.value) == (
        "a report needs matplotlib and Jinja2, which are not installed."
        " Try: pip install 'lmkit[report]'."
    )
    monkeypatch.setattr(report, "find_spec", lambda name: None if name == "jinja2" else object())
    with pytest.raises(LmkitError, match="needs Jinja2, which is not installed"):
        report.write_report(comparison, tmp_path / "r.html")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_is_known_before(monkeypatch, tmp_path):
    monkeypatch.setattr(report, "find_spec", lambda name: object())
    report.require_report(tmp_path / "r.html")
    with pytest.raises(LmkitError, match="it is a directory"):
        report.require_report(tmp_path)
    with pytest.raises(LmkitError, match=r"there is no directory .*nowhere"):
        report.require_report(tmp_path / "nowhere" / "r.html")


def test_nothing_heavy_is_imported_before_a_page_is_made():
    code = (
        "import sys, lmkit.evaluate.report;"
        "print([m for m in ('matplotlib', 'jinja2', 'numpy') if m in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"


def test_findings(comparison):
    assert words.findings(comparison) == [
        "KN 5 codes the test text in the fewest bits: 1.500 per character"
        " (95 % interval 1.400 to 1.600).",
        f"{HOSTILE} may be as good: the test sentences do not decide it (p of 0.05 or more).",
        "LSTM is behind: +0.400 bits per character (+0.350 to +0.450, p < 0.001).",
        "1 model could not be compared.",
    ]
    comparison.rows = comparison.failed
    assert words.findings(comparison) == ["No model could be compared."]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (words.seconds(0.04), "< 0.1 s"),
        (words.seconds(9.94), "9.9 s"),
        (words.seconds(61), "61 s"),
        (words.seconds(150), "2.5 min"),
        (words.seconds(9000), "2.5 h"),
        (words.seconds(None), "–"),
        (words.size(999), "999 bytes"),
        (words.size(2_800_000), "2.8 MB"),
        (words.size(3.2e9), "3.2 GB"),
        (words.round_seconds(0.5), "0.5 s"),
        (words.round_seconds(600), "10 min"),
        (words.round_size(500_000), "500 kB"),
        (words.perplexity(81.97), "82.0"),
        (words.perplexity(4130.9), "4,131"),
        (words.perplexity(float("inf")), "∞"),
        (words.signed(-0.0104), "−0.010"),
        (words.p_value(0.00099), "< 0.001"),
        (words.p_value(0.0272), "0.027"),
        (words.joined(["a"]), "a"),
        (words.joined(["a", "b", "c"]), "a, b and c"),
    ],
)
def test_figures_are_written_for_people(said, expected):
    assert said == expected


def test_words_are_brought_together_from_any_tokens():
    # "a bé <b>": words of 1, 2 and 3 bits, the end of 4.
    by_word = word_cells(TEXT, tokens(["a", "bé", "<b>"], unknown="<b>"))
    assert [(cell.bits, cell.unknown) for cell in by_word] == [
        *((1, False), (2, False), (3, True), (4, False))
    ]
    # Characters "a " 1 + 2, "bé " 3 + 4 + 5, "<b>" 6 + 7 + 8, end 9.
    assert [cell.bits for cell in word_cells(TEXT, tokens(list(TEXT)))] == [3, 12, 21, 9]
    # Bytes: é has two. "a " 1 + 2, "bé " 3 + 4 + 5 + 6, "<b>" 7 + 8 + 9, end 10.
    of_bytes = tokens(["x"] * len(TEXT.encode()))
    assert [cell.bits for cell in word_cells(TEXT, of_bytes)] == [3, 18, 24, 10]
    assert word_cells(TEXT, tokens(["a", "b", "é <b", ">"])) is None
    assert [cell.bits for cell in word_cells("", tokens([]))] == [1]


def test_steps_of_colour_begin_at_their_bound():
    bits = [0.0, 0.99, 1.0, 3.99, 4.0, 15.9, 16.0, 1e9]
    assert [word_cells("", tokens([]))[0].__class__(b, False).step for b in bits] == [
        *(0, 0, 1, 2, 3, 6, 7, 7)
    ]


def test_a_heat_map_has_the_models_in_the_order_of_the_table(comparison):
    found = heat_map(comparison.surprises[0], comparison.ranked)
    (part,) = found.parts
    assert part.words == ["a", "bé", "<b>", END]
    assert [(line.rank, line.name, line.total) for line in part.lines] == [
        (1, "KN 5", 10),
        (2, HOSTILE, 45),
        (4, "given bytes", 55),
    ]
    assert found.missing == ["LSTM"]


def test_a_long_sentence_is_cut_into_parts_about_equally_wide():
    text = " ".join(["seven77"] * 24)
    sentence = SentenceSurprise(0, text, {"KN 5": tokens(text.split(" "))})
    from lmkit.evaluate.results import ModelResult

    found = heat_map(sentence, [ModelResult("KN 5", "", "ngram", rank=1)])
    lengths = [len(part.words) for part in found.parts]
    # 24 words of 7 + 3 places and the end of 7: 247, in parts of at most 116.
    assert sum(lengths) == 25 and len(lengths) == 3
    assert max(lengths) - min(lengths) <= 1
    assert all(sum(max(len(w), 4) + 3 for w in part.words) <= WIDEST for part in found.parts)
    cells = [cell.bits for part in found.parts for cell in part.lines[0].cells]
    assert cells == list(range(1, 26))


def test_the_picture_of_the_readme_follows_the_reader(root):
    """What `make picture` has drawn: well-formed, colours of the reader's scheme only, no date."""
    text = (root / "docs" / "images" / "compare.svg").read_text(encoding="utf-8")
    parsed = ET.fromstring(text)
    assert parsed.get("role") == "img"
    assert "bits per character" in "".join(parsed.itertext())
    rules, drawing = text.split("</style>")
    assert "prefers-color-scheme: dark" in rules
    assert not re.search(r"#[0-9a-f]{6}\b", drawing)
    assert not re.search(r"<metadata|\b20\d\d-\d\d-\d\d", text)

"""``lmkit compare --report``: from text to a page, and what is refused before any training."""

from __future__ import annotations

import io
import random

import pytest

from lmkit.cli.console import Console
from lmkit.cli.main import main
from lmkit.evaluate import report


@pytest.fixture
def compare(tmp_path):
    """A small comparison with ``--report FILE``: status and what was said."""
    generator = random.Random(3)
    words = ["the", "cat", "sat", "on", "a", "mat", "dog", "and", "saw", "naïve"]
    lines = [" ".join(generator.choices(words, k=generator.randrange(4, 12))) for _ in range(400)]
    (tmp_path / "text.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    def run(*words_, file):
        out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
        console = Console(io.BytesIO(), out, io.StringIO())
        models = ["ngram:order=2", "ngram:order=3,tokenizer=char", "ngram:order=0"]
        command = ["compare", tmp_path / "text.txt", "--output", tmp_path / "kept"]
        command += [part for model in models for part in ("--model", model)]
        status = main([*map(str, [*command, "--report", file, *words_])], console)
        return status, console.stderr.getvalue()

    return run


def test_a_comparison_becomes_a_page(compare, tmp_path):
    pytest.importorskip("matplotlib", reason="needs the extra report")
    pytest.importorskip("jinja2", reason="needs the extra report")
    page = tmp_path / "report.html"
    status, said = compare("--curve", "10%,30%,100%", file=page)
    assert status == 0, said
    assert f"report: {page}" in said
    text = page.read_text(encoding="utf-8")
    for section in ("table", "quality", "cost", "learning", "surprise", "samples", "again"):
        assert f'<section id="{section}">' in text
    # Both models are in the heat maps, words and characters alike.
    assert "Not shown" not in text and 'class="heat"' in text
    assert "Not compared" in text and "text.txt" in text
    status, said = compare(file=tmp_path / "bars.svg")
    assert status == 0, said
    assert (tmp_path / "bars.svg").read_text(encoding="utf-8").startswith("<?xml")


def test_what_is_missing_is_said_before_anything_is_trained(compare, tmp_path, monkeypatch):
    monkeypatch.setattr(report, "find_spec", lambda name: None)
    status, said = compare(file=tmp_path / "report.html")
    assert status == 1
    assert said == (
        "Error: a report needs matplotlib and Jinja2, which are not installed."
        " Try: pip install 'lmkit[report]'.\n"
    )
    monkeypatch.setattr(report, "find_spec", lambda name: object())
    status, said = compare(file=tmp_path / "nowhere" / "report.html")
    assert status == 1 and "there is no directory" in said
    assert not (tmp_path / "kept").exists()

"""What people see of models of subwords: whole characters, and text in place of spellings."""

from __future__ import annotations

import json
import re
from itertools import pairwise

import pytest

import lmkit
from lmkit.evaluate.report.heat import word_cells
from lmkit.evaluate.results import TokenSurprise
from lmkit.text.settings import TextSettings
from lmkit.text.subwords.streaming import whole_characters
from lmkit.text.tokenizers.making import make_tokenizer

LINE = "The naïve café costs 5€ 日本\n"


@pytest.fixture(scope="module", params=["bpe", "unigram"])
def model(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "text.txt").write_text(LINE * 4 + "the nave costs a café\n" * 2)
    # Too few tokens for the rare letters, which stay bytes.
    settings = TextSettings(make_tokenizer(request.param, vocabulary_size=275))
    lmkit.train(folder / "text.txt", settings=settings, order=3, output=folder / "m.lm")
    (folder / "line.txt").write_text(LINE)
    return folder / "m.lm"


def test_what_is_drawn_is_never_half_a_character(run, tmp_path):
    """Whatever the length at which drawing ends: here it is within ï and é too."""
    (tmp_path / "text.txt").write_text(LINE * 4)
    model = tmp_path / "m.lm"
    settings = TextSettings(make_tokenizer("bpe", vocabulary_size=258))
    lmkit.train(tmp_path / "text.txt", settings=settings, order=3, output=model)
    rows = []
    for length in range(1, 16):
        result = run(
            "generate", model, "--prompt", "The", "--greedy", "--max-tokens", length, "--json"
        )
        rows += json.loads(result.out)
    assert "The naï" in [row["text"] for row in rows]
    assert not any("\ufffd" in row["text"] for row in rows)
    waits = [
        one["text"]
        for one, other in pairwise(rows)
        if one["text"] == other["text"] and one["tokens"] < other["tokens"]
    ]
    assert len(waits) > 1  # once it is </s> that adds nothing


def test_parts_of_characters_wait_and_what_is_none_is_marked():
    assert whole_characters("caf\udcc3") == "caf"
    assert whole_characters("caf\udcc3\udca9") == "café"
    assert whole_characters("a\udcffb\udce6\udc97") == "a\ufffdb"
    assert whole_characters("") == ""


def test_heat_shows_the_text(run, model):
    line = model.with_name("line.txt")
    plain = run("score", model, line, "--heat").out.split()
    assert "Ġ" not in "".join(plain) and "▁" not in "".join(plain)
    texts = [re.sub(r"/[-\d.]+$", "", one) for one in plain]
    assert texts[-1] == "</s>" and any(text.startswith("␣") for text in texts)
    shown = "".join(texts[:-1]).replace("␣", " ")
    as_bytes = re.sub(rb"\\x(..)", lambda found: bytes([int(found[1], 16)]), shown.encode("utf-8"))
    assert as_bytes.decode() == LINE.strip()
    coloured = run("score", model, line, "--heat", "--color", "always").out.splitlines()[-1]
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured).startswith("The n")


def test_rows_of_tokens_have_the_text_beside_the_spelling(run, model):
    rows = json.loads(run("score", model, model.with_name("line.txt"), "--per-token", "--json").out)
    pieces = [row["text"] for row in rows[:-1]]
    whole = "".join(pieces).encode(errors="surrogateescape").decode()
    assert whole == LINE.strip()
    assert rows[-1]["text"] == rows[-1]["token"] == "</s>"
    assert [row["token"] for row in rows[:-1]] != pieces


def test_a_report_brings_subwords_to_words():
    def cells(text, *pieces):
        tokens = [TokenSurprise(piece, 1.0) for piece in (*pieces, "</s>")]
        found = word_cells(text, tokens)
        return found and [cell.bits for cell in found]

    assert cells("The naïve 日", "Th", "e", " na", "\udcc3", "\udcaf", "ve", " ", "\udce6\udc97",
                 "\udca5") == [2, 5, 2, 1]  # fmt: skip
    assert cells("a cat", "a ", "cat") == [1, 1, 1]
    assert cells("a cat sat", "a cat", " sat") is None  # of two words nobody knows the parts
    assert cells("a cat", "a", " dog") is None


def test_a_subword_model_is_no_source_of_a_noisy_channel(run, model, tmp_path):
    (tmp_path / "pairs.tsv").write_text("teh\tthe\n")
    result = run(
        "train", "--backend", "noisy-channel", "--source", model, "--pairs",
        tmp_path / "pairs.tsv", "--output", tmp_path / "c.lm",
    )  # fmt: skip
    assert result.status == 1
    assert "has to be a model of words, not of the unit 'subword'" in result.err

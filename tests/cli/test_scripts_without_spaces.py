"""Training says where the tokenizer ``word`` meets scripts without spaces between words."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from lmkit.registry import names
from lmkit.text.scripts import unspaced_shares
from lmkit.text.tokenizers.word import WordTokenizer

CLAUSES = {
    "Thai": "ภาษาไทยเป็นภาษาที่มีระดับเสียง",
    "Lao": "ພາສາລາວແມ່ນພາສາທາງການ",
    "Khmer": "ភាសាខ្មែរជាភាសាផ្លូវការ",
    "Burmese (Myanmar)": "မြန်မာဘာသာစကားသည်",
}


@pytest.fixture
def said(run, tmp_path: Path):
    """What training says of a text with these options."""

    def remark(text: str, *options: str) -> str:
        (tmp_path / "t.txt").write_text(text, encoding="utf-8")
        trained = run("train", tmp_path / "t.txt", "-o", tmp_path / "m.lm", *options)
        assert trained.status == 0, trained.err
        lines = [line for line in trained.err.splitlines() if "no spaces between words" in line]
        return "\n".join(lines)

    return remark


@pytest.mark.parametrize("script", CLAUSES)
def test_whole_clauses(script: str, said) -> None:
    found = said(f"{CLAUSES[script]}\n{CLAUSES[script]}\n")
    assert f"note: {script} (100 % of the text)" in found
    assert "one token, mostly a whole clause" in found
    assert re.search(r"--tokenizer (\w+ or )*char$", found)
    assert WordTokenizer().tokenize(CLAUSES[script]) == [CLAUSES[script]]


def test_the_hint_is_what_there_is(said) -> None:
    hint = said(f"{CLAUSES['Thai']}\n").partition("--tokenizer ")[2]
    assert all(name in names("tokenizer") for name in hint.split(" or "))


def test_the_share_of_the_text(said) -> None:
    # Two clauses of 30 characters beside 20 words of 4: 60 of 140 characters.
    assert len(CLAUSES["Thai"]) == 30
    assert "Thai (43 % of the text)" in said(f"{CLAUSES['Thai']}\n" * 2 + "abcd " * 20 + "\n")
    # A word of another script in a text is not worth a remark.
    assert said("abcd " * 200 + "\nไทย\n") == ""


def test_han_by_characters(said) -> None:
    found = said("我们喜欢学习中文。\n日本語とカタカナ\n")
    assert "Chinese characters (Han)" in found and "Japanese kana" in found
    assert "so each character is a token (but a run of Katakana is one token)." in found
    assert "so each character is a token. Try" in said("我们喜欢学习中文。\n")
    assert WordTokenizer().tokenize("日本語とカタカナ、中文。") == [
        *"日本語と", "カタカナ", "、", "中", "文", "。",
    ]  # fmt: skip


@pytest.mark.parametrize("tokenizer", ["char", "byte", "whitespace"])
def test_other_tokenizers_are_meant(tokenizer: str, said) -> None:
    assert said(f"{CLAUSES['Thai']}\n", "--tokenizer", tokenizer) == ""


def test_networks_say_so_too(said) -> None:
    tiny = ("--epochs", "1", "--hidden-size", "2", "--layers", "1", "--seed", "1")
    assert "Thai" in said(f"{CLAUSES['Thai']}\n" * 3, "--backend", "rnn", *tiny)


def test_korean_and_devanagari_have_spaces(said) -> None:
    assert said("한국어는 띄어쓰기가 있다\nहिन्दी में शब्द अलग होते हैं\n") == ""


def test_shares() -> None:
    shares = unspaced_shares(["ไทย", "ab", "漢"], np.array([2, 5, 4]))
    assert shares == {"Thai": 6 / 20, "Chinese characters (Han)": 4 / 20}
    assert unspaced_shares([], np.zeros(0, np.int64)) == {}

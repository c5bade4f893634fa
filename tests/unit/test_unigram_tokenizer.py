"""The unigram tokenizer: what it learns from a text, how it spells any bytes, and that it is a
language model."""

from __future__ import annotations

import pickle
from collections import Counter
from math import exp, log
from typing import Any

import numpy as np
import pytest

from lmkit.errors import UsageError
from lmkit.text.lexicon import Lexicon
from lmkit.text.subwords.unigram_text import BYTE_TOKENS
from lmkit.text.tokenizers.unigram import UnigramTokenizer

from ..reference import unigram as twin

TEXT = "the cat sat on the mat, and the dog's dog sat on the log.\nunseen <|x|> seeing\n" * 4


def learnt(text: str = TEXT, **options: Any) -> UnigramTokenizer:
    options.setdefault("vocabulary_size", 256 + 60)
    return UnigramTokenizer.learn([text.encode(errors="surrogateescape")], **options)


def given(pieces: dict[str, float], **options: Any) -> UnigramTokenizer:
    """A tokenizer of ``pieces`` with their probabilities; a byte has 1/1000."""
    special = options.get("special_tokens", ())
    byte_rows = [(token, log(0.001)) for token in BYTE_TOKENS]
    rows = [(piece, log(p)) for piece, p in pieces.items()]
    return UnigramTokenizer([*byte_rows, *rows, *((t, log(0.01)) for t in special)], **options)


SMALL = {"▁": 0.1, "a": 0.1, "b": 0.1, "ab": 0.1, "▁a": 0.2, "▁ab": 0.1, "ba": 0.05}


def test_a_vocabulary_has_the_size_asked_for() -> None:
    tokenizer = learnt(special_tokens=["<|x|>", "<|y|>"], vocabulary_size=300)
    assert tokenizer.vocabulary[:256] == BYTE_TOKENS
    assert tokenizer.vocabulary[-2:] == ("<|x|>", "<|y|>")
    assert len(tokenizer.vocabulary) == len(set(tokenizer.vocabulary)) == 300
    probabilities = [row[1] for row in tokenizer.as_dict()["pieces"]]
    assert np.exp(probabilities).sum() == pytest.approx(1)


@pytest.mark.parametrize("pattern", ["gpt2", "gpt4", "none", r"\w+|\W"])
def test_frequent_words_are_one_token_and_spaces_go_with_them(pattern: str) -> None:
    tokenizer = learnt(pattern=pattern)
    tokens = tokenizer.tokenize("and the dog")
    assert tokenizer.join(tokens) == "and the dog"
    if pattern.startswith("gpt"):
        assert tokens == ["a", "nd", "▁the", "▁dog"] or tokens[-2:] == ["▁the", "▁dog"]
    if pattern == r"\w+|\W":
        assert tokens[1::2] == ["▁", "▁"]
    if pattern == "none":
        assert any("▁" in token[1:] for token in tokenizer.vocabulary)


def test_what_is_in_no_piece_is_spelt_by_its_bytes() -> None:
    tokenizer = given(SMALL)
    assert tokenizer.tokenize("▁é\t\udcff ") == [
        *("<0xE2>", "<0x96>", "<0x81>"), *("<0xC3>", "<0xA9>"), "<0x09>", "<0xFF>", "▁",
    ]  # fmt: skip
    for line in ("▁ ▁▁ ", "<0x41>", "<unk></s>", "a\nb", "\u2028", "\udc80\udcff", "", "👩‍👩‍👧"):
        assert tokenizer.join(tokenizer.tokenize(line)) == line


def test_widths_are_the_code_points_that_begin_in_a_token() -> None:
    tokenizer = given(SMALL, special_tokens=["<|x|>"])
    tokens = ["▁ab", "<0xC3>", "<0xA9>", "<0x09>", "<|x|>"]
    assert tokenizer.widths(tokens).tolist() == [3, 1, 0, 1, 5]


def test_special_tokens_are_never_cut_and_never_learnt_over() -> None:
    special = ["<|x|>", "the cat", "▁dog", "g"]
    tokenizer = learnt(special_tokens=special)
    assert tokenizer.tokenize("unseen<|x|> the cat")[-3:] == ["<|x|>", "▁", "the▁cat"]
    assert tokenizer.join(tokenizer.tokenize("a<|x|>▁dog dog")) == "a<|x|>▁dog dog"
    # " do" has its g taken; the literal "▁dog" is the token of that name, " dog" is not.
    assert tokenizer.tokenize("▁dog") == ["▁dog"]
    assert tokenizer.tokenize(" dog")[-1] == "g" and len(tokenizer.tokenize(" dog")) > 1
    assert not any("g" in token for token in tokenizer.vocabulary[256:-4])
    # They have probabilities: <|x|> stands there 4 times, and counts once more.
    rows = dict(tokenizer.as_dict()["pieces"])
    assert exp(rows["<|x|>"] - rows["<0x01>"]) == pytest.approx(5)


def test_special_tokens_are_spelt_without_white_space() -> None:
    special = ["the cat", "a\tb", " "]
    tokenizer = learnt(special_tokens=special, pattern="none")
    assert tokenizer.vocabulary[-3:] == ("the▁cat", "a<0x09>b", "▁")
    assert len(set(tokenizer.vocabulary)) == len(tokenizer.vocabulary)
    tokens = tokenizer.tokenize("the cat a\tb▁")
    assert tokens == ["the▁cat", "▁", "a<0x09>b", "<0xE2>", "<0x96>", "<0x81>"]
    assert tokenizer.join(" ".join(tokens).split()) == "the cat a\tb▁"
    assert tokenizer.widths(tokens).tolist() == [7, 1, 3, 1, 0, 0]
    assert UnigramTokenizer.from_dict(tokenizer.as_dict()) == tokenizer
    # As they were spelt before.
    before = given(SMALL, special_tokens=["the cat"])
    assert before.vocabulary[-1] == "the cat"
    assert before.join(before.tokenize("a the cat")) == "a the cat"


def test_probabilities_by_hand() -> None:
    tokenizer = given(SMALL, special_tokens=["<|x|>"])
    # " ab": ▁ab 0.1, ▁a b 0.02, ▁ ab 0.01, ▁ a b 0.001. "<|x|>" 0.01, "é" 0.001 twice.
    whole = log(0.131) + log(0.01) + 2 * log(0.001)
    assert tokenizer.log_prob_of_text(" ab<|x|>é") == pytest.approx(whole)
    assert tokenizer.log_prob(["▁a", "b", "<|x|>", "<0xC3>"]) == pytest.approx(log(2e-7))
    assert tokenizer.log_prob([]) == tokenizer.log_prob_of_text("") == 0
    found = tokenizer.n_best(" ab<|x|>", 3)
    assert [exp(p) * 100 for p, _ in found] == pytest.approx([0.1, 0.02, 0.01])
    assert [tokens for _, tokens in found] == [
        ["▁ab", "<|x|>"], ["▁a", "b", "<|x|>"], ["▁", "ab", "<|x|>"],
    ]  # fmt: skip
    with pytest.raises(UsageError, match="'zz' is no token"):
        tokenizer.log_prob(["zz"])
    with pytest.raises(UsageError, match="no 0 best"):
        tokenizer.n_best("a", 0)


def test_a_text_is_as_probable_as_all_its_segmentations_together() -> None:
    tokenizer = learnt()
    log_probs = dict(tokenizer.as_dict()["pieces"])
    parts = ["the", "▁dog", "'s", "▁unseen", "▁the", "▁sat"]
    line = "".join(parts).replace("▁", " ")
    assert tokenizer.log_prob_of_text(line) == pytest.approx(
        sum(twin.log_prob(part, log_probs) for part in parts)
    )
    assert tokenizer.log_prob_of_text(line) > tokenizer.log_prob(tokenizer.tokenize(line))
    best = tokenizer.n_best(line, 10**4)
    assert best[0][1] == tokenizer.tokenize(line)
    total = np.logaddexp.reduce([p for p, _ in best])
    assert total == pytest.approx(tokenizer.log_prob_of_text(line), abs=1e-3)


def test_a_text_of_several_lines() -> None:
    tokenizer = learnt()
    lines = TEXT.splitlines()
    rows = dict(tokenizer.as_dict()["pieces"])
    # Eight lines end, and the byte counts once more; no other byte is used.
    assert exp(rows["<0x0A>"] - rows["<0x0B>"]) == pytest.approx(9)
    whole = sum(map(tokenizer.log_prob_of_text, lines)) + len(lines) * rows["<0x0A>"]
    assert tokenizer.log_prob_of_text(TEXT) == pytest.approx(whole)
    assert tokenizer.log_prob_of_text(TEXT.encode()) == tokenizer.log_prob_of_text(TEXT)
    assert tokenizer.log_prob_of_text(b"\xff\n") == rows["<0xFF>"] + rows["<0x0A>"]


@pytest.mark.parametrize("n_best", [None, 2])
def test_samples_are_segmentations_by_their_probability(n_best: int | None) -> None:
    tokenizer = given(SMALL, special_tokens=["<|x|>"])
    generator = np.random.default_rng(5)
    drawn = Counter(
        tuple(tokenizer.sample(" ab<|x|>é", 0.5, generator, n_best)) for _ in range(400)
    )
    weights = {p: p**0.5 for p in (0.1, 0.02, 0.01, 0.001)[:n_best]}
    expected = 400 * weights[0.1] / sum(weights.values())
    assert len(drawn) == len(weights)
    assert drawn["▁ab", "<|x|>", "<0xC3>", "<0xA9>"] == pytest.approx(expected, abs=40)
    assert {tokenizer.join(tokens) for tokens in drawn} == {" ab<|x|>é"}
    for alpha in (-1.0, float("inf"), float("nan")):
        with pytest.raises(UsageError, match="alpha"):
            tokenizer.sample("a", alpha, generator)


def test_bulk_sampling_draws_each_word_each_time() -> None:
    tokenizer = given(SMALL)
    text = " ab ab é\n\n" * 500

    def lines_of(other: UnigramTokenizer) -> list[list[str]]:
        lexicon = Lexicon()
        numbers = other.bulk(None, lexicon)(text.encode()).tolist()
        joined = " ".join(lexicon.tokens[number] for number in numbers)
        return [line.split() for line in joined.split("</s>")][:-1]

    drawing = tokenizer.with_sampling(0.5, seed=1)
    lines = lines_of(drawing)
    assert len(lines) == 1000 and not any(lines[1::2])
    assert {tokenizer.join(line) for line in lines[::2]} == {" ab ab é"}
    first = Counter(line[0] for line in lines[::2])
    assert first["▁ab"] > max(first["▁a"], first["▁"]) and min(first["▁a"], first["▁"]) > 80
    assert lines == lines_of(tokenizer.with_sampling(0.5, seed=1))
    assert lines != lines_of(tokenizer.with_sampling(0.5, seed=2))
    assert len({tuple(drawing.tokenize(" ab ab")) for _ in range(40)}) > 3
    assert drawing == tokenizer and drawing.as_dict() == tokenizer.as_dict()
    again = pickle.loads(pickle.dumps(drawing))
    assert [again.tokenize(" ab") for _ in range(9)] == [drawing.tokenize(" ab") for _ in range(9)]
    with pytest.raises(UsageError, match="alpha"):
        tokenizer.with_sampling(-1, seed=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vocabulary_size": 256}, "no room"),
        ({"vocabulary_size": 258, "special_tokens": ["a", "b"]}, "no room"),
        ({"special_tokens": ["<0x41>"]}, "'<0x41>' is a token already"),
        ({"special_tokens": ["<unk>"]}, "'<unk>' is a token already"),
        ({"special_tokens": [""]}, "special token"),
        ({"character_coverage": 0}, "no share"),
        ({"character_coverage": float("nan")}, "no share"),
        ({"pattern": "("}, "pattern"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        learnt(**options)


@pytest.mark.parametrize(
    "change",
    [
        lambda values: values.pop("pieces"),
        lambda values: values["pieces"].pop(),
        lambda values: values["pieces"].pop(3),
        lambda values: values["pieces"].__setitem__(300, ["▁the", -1.0]),
        lambda values: values["pieces"].__setitem__(300, ["<s>", -1.0]),
        lambda values: values["pieces"].__setitem__(300, ["", -1.0]),
        lambda values: values["pieces"].__setitem__(300, ["zz", None]),
        lambda values: values["pieces"].__setitem__(300, ["zz", float("nan")]),
        lambda values: values.update(pattern="("),
        lambda values: values.update(special_tokens=["<|y|>"]),
    ],
)
def test_what_is_damaged_is_refused(change: Any) -> None:
    values = learnt(special_tokens=["<|x|>"]).as_dict()
    assert UnigramTokenizer.from_dict(values) == learnt(special_tokens=["<|x|>"])
    change(values)
    with pytest.raises(UsageError):
        UnigramTokenizer.from_dict(values)

"""Cross-entropy differences of lines: by hand, by brute force, and where models do not compare."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest

import lmkit
from lmkit.errors import UnsupportedError, UsageError
from lmkit.evaluate.difference import CrossEntropyDifference, same_tokens
from lmkit.evaluate.filtering import Bounds, filter_lines
from lmkit.evaluate.scoring import score_lines
from lmkit.model import LanguageModel
from lmkit.text.settings import TextSettings

from ..small_models import train as train_lines

IN = ["a a a b", "a b a", "a a", "b a a a"]
OUT = ["b b c", "c b b a", "b b b c", "c c"]
LINES = ["a a b", "b b c", "", "a z zz c", "c", "  a  b "]


def model_of(lines: list[str], tokenizer: str = "whitespace", **options: object) -> LanguageModel:
    text = io.BytesIO("".join(f"{line}\n" for line in lines).encode())
    lowercase = bool(options.pop("lowercase", False))
    normalize = options.pop("normalize", None)
    settings = TextSettings(tokenizer, lowercase=lowercase, normalize=normalize)
    return lmkit.train(text, settings=settings, **{"order": 2, **options})


def difference_of(model: LanguageModel, other: LanguageModel, lines: list[str], **how: object):
    (scores,) = score_lines(model, [lines])
    return CrossEntropyDifference(model, other, **how).bits(scores)


def test_by_hand() -> None:
    # Unigrams by maximum likelihood. In-domain text "a a b": a 2/4, b 1/4, </s> 1/4 of 4 tokens;
    # the other "a b b b b b b": a 1/8, b 6/8, </s> 1/8 of 8.
    inside = train_lines(["a a b"], 1, "maximum-likelihood")
    outside = train_lines(["a b b b b b b"], 1, "maximum-likelihood")
    assert same_tokens(inside, outside)
    # "a b": 2^-1 · 2^-2 · 2^-2 = 2^-5, against 2^-3 · 3/4 · 2^-3 = 3/4 · 2^-6, in three tokens.
    # "a":   2^-1 · 2^-2 = 2^-3, against 2^-6, in two tokens. "": 2^-2 against 2^-3 in one.
    expected = [(5 - (6 - math.log2(0.75))) / 3, (3 - 6) / 2, 2 - 3]
    assert difference_of(inside, outside, ["a b", "a", ""]).tolist() == pytest.approx(expected)
    # The same bits over the code points and the line's end: 4, 2 and 1 of them.
    expected = [(5 - (6 - math.log2(0.75))) / 4, (3 - 6) / 2, 2 - 3]
    per = difference_of(inside, outside, ["a b", "a", ""], per="character")
    assert per.tolist() == pytest.approx(expected)


def test_is_nothing_between_a_model_and_itself() -> None:
    model = model_of(IN)
    for per in ("token", "character"):
        assert difference_of(model, model, LINES, per=per).tolist() == [0] * len(LINES)


def test_changes_its_sign_with_the_models() -> None:
    one, two = model_of(IN), model_of(OUT)
    there, back = difference_of(one, two, LINES), difference_of(two, one, LINES)
    assert there.tolist() == pytest.approx((-back).tolist())
    assert there[0] < 0 < there[1]


@pytest.mark.parametrize("other", ["whitespace", "word", "char", "byte"])
def test_per_character_is_the_code_lengths_of_each_line(other: str) -> None:
    """Against `LanguageModel.measure` of one line after the other."""
    one, two = model_of(IN, min_count=2), model_of(OUT, other, order=3)
    assert CrossEntropyDifference(one, two).per == "character"
    expected = []
    for line in LINES:
        bits = []
        for model in (one, two):
            figures = model.measure(model.batch(line))
            assert figures.characters is not None
            bits.append(figures.bits_per_character * figures.characters)
        expected.append((bits[0] - bits[1]) / (len(line) + 1))
    assert difference_of(one, two, LINES).tolist() == pytest.approx(expected)


def test_the_same_words_in_another_order_are_the_same_tokens() -> None:
    one = model_of(IN, vocabulary=["a", "b", "c"])
    two = model_of(OUT, vocabulary=["c", "b", "a"])
    assert CrossEntropyDifference(one, two).per == "token"
    expected = [
        (one.perplexity([line]).bits_per_token - two.perplexity([line]).bits_per_token)
        for line in LINES
    ]
    assert difference_of(one, two, LINES).tolist() == pytest.approx(expected)


def test_blocks_do_not_matter() -> None:
    one, two = model_of(IN), model_of(OUT, "char")
    difference = CrossEntropyDifference(one, two)
    blocks = [LINES[:2], LINES[2:3], LINES[3:]]
    parts = [difference.bits(scores) for scores in score_lines(one, blocks)]
    assert np.array_equal(np.concatenate(parts), difference_of(one, two, LINES))


@pytest.mark.parametrize("low", [None, -1.0, 0.0])
@pytest.mark.parametrize("high", [None, -0.2, 0.5])
def test_bounds_keep_what_lies_between_them(low: float | None, high: float | None) -> None:
    one, two = model_of(IN), model_of(OUT)
    against = CrossEntropyDifference(one, two)
    (kept,) = filter_lines(one, [LINES], against=against, max_difference=high, min_difference=low)
    found = difference_of(one, two, LINES).tolist()
    assert kept == [
        line
        for line, bits in zip(LINES, found, strict=True)
        if (low is None or bits >= low) and (high is None or bits <= high)
    ]


def test_both_kinds_of_bounds_must_hold() -> None:
    one, two = model_of(IN), model_of(OUT)
    against = CrossEntropyDifference(one, two)
    (unlikely,) = filter_lines(one, [LINES], min_perplexity=4)
    (inside,) = filter_lines(one, [LINES], against=against, max_difference=0)
    (both,) = filter_lines(one, [LINES], against=against, min_perplexity=4, max_difference=0)
    assert both == [line for line in unlikely if line in inside]
    assert both and both != unlikely and both != inside


def test_what_neither_model_thinks_possible_is_not_kept() -> None:
    one, two = (train_lines(lines, 2, "maximum-likelihood") for lines in (["a b"], ["b a"]))
    bits = difference_of(one, two, ["a b", "b a", "b b"])
    assert bits[0] == -math.inf and bits[1] == math.inf and math.isnan(bits[2])
    against = CrossEntropyDifference(one, two)
    for bound in ({"max_difference": math.inf}, {"min_difference": -math.inf}):
        (kept,) = filter_lines(one, [["a b", "b a", "b b"]], against=against, **bound)
        assert kept == ["a b", "b a"]


def test_models_that_do_not_compare_are_refused() -> None:
    word, char = model_of(IN), model_of(IN, "char")
    with pytest.raises(UnsupportedError, match="same tokens"):
        CrossEntropyDifference(word, char, per="token")
    with pytest.raises(UnsupportedError, match=r"only one was trained with --lowercase"):
        CrossEntropyDifference(word, model_of(IN, lowercase=True))
    with pytest.raises(UnsupportedError, match=r"only one was trained with --normalize nfkc"):
        CrossEntropyDifference(word, model_of(IN, normalize="nfkc"))
    with pytest.raises(UnsupportedError, match="no perplexity"):
        CrossEntropyDifference(word, model_of(IN, smoothing="stupid-backoff"))
    with pytest.raises(UsageError, match="not per 'line'"):
        CrossEntropyDifference(word, word, per="line")


def test_a_model_that_cannot_spell_compares_only_in_its_own_tokens(tmp_path) -> None:
    word = model_of(IN)
    lmkit.export_model(word, tmp_path / "m.arpa")
    imported = lmkit.import_model(tmp_path / "m.arpa")
    assert imported.encoder.spelling_log_probs(["x"]) is None
    assert difference_of(word, imported, LINES) == pytest.approx(np.zeros(len(LINES)), abs=1e-5)
    with pytest.raises(UnsupportedError, match="cannot pay for its unknown words"):
        CrossEntropyDifference(word, imported, per="character")
    with pytest.raises(UnsupportedError, match="cannot pay for its unknown words"):
        CrossEntropyDifference(model_of(OUT), imported)


def test_bounds_that_are_none() -> None:
    with pytest.raises(UsageError, match="must be a number"):
        Bounds(max_difference=math.nan)
    with pytest.raises(UsageError, match="needs a model to differ from"):
        Bounds(min_difference=0.0)


def test_a_network_against_ngrams() -> None:
    network = lmkit.train(
        io.BytesIO("".join(f"{line}\n" for line in IN * 3).encode()),
        backend="rnn",
        settings=TextSettings("char"),
        hidden=8,
        epochs=2,
        workers=1,
    )
    bits = difference_of(network, model_of(OUT), LINES)
    assert np.isfinite(bits).all()

"""Scores of lines and filtering by perplexity, with a model small enough to check by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmkit.errors import UnsupportedError, UsageError
from lmkit.evaluate.filtering import filter_lines, keep_mask
from lmkit.evaluate.scoring import score_lines, token_texts
from lmkit.model import EOS, UNK, Batch, LanguageModel, UnknownWords
from lmkit.text.settings import TextSettings

TOKENS = ["<unk>", "<s>", "</s>", "a", "b"]
# p(a) = 1/2, p(b) = 1/4, p(</s>) = p(<unk>) = 1/8, whatever came before.
PROBABILITIES = [1 / 8, 0, 1 / 8, 1 / 2, 1 / 4]


class Words:
    """The vocabulary of `TOKENS`."""

    tokens = TOKENS


class WordEncoder:
    """Words between spaces."""

    vocabulary = Words()
    settings = TextSettings("whitespace")

    def with_settings(self, **changes):
        return self

    def encode(self, lines):
        words = [[*line.split(), "</s>"] for line in lines]
        flat = [word for line in words for word in line]
        ids = np.array([TOKENS.index(w) if w in TOKENS else UNK for w in flat], np.int32)
        offsets = np.cumsum([0, *map(len, words)])
        positions = np.flatnonzero(ids == UNK)
        distinct = sorted({flat[p] for p in positions})
        types = np.array([distinct.index(flat[p]) for p in positions], np.int32)
        return Batch(ids, offsets, UnknownWords(positions, types, tuple(distinct)))


class Unigrams(LanguageModel):
    """A model without memory."""

    backend = "unigrams"
    encoder = WordEncoder()
    unit = "word"
    context_length = 0

    def __init__(self, normalised=True):
        self.normalised = normalised
        with np.errstate(divide="ignore"):
            self.log_probs = np.log(PROBABILITIES)

    def score(self, batch, state=None):
        return self.log_probs[self.batch(batch).ids], None

    def start(self, batch_size):
        raise NotImplementedError

    advance = next_log_probs = save = describe = start


LINES = ["a a b", "", "a z y z", "b"]


def test_each_line_has_the_sum_of_its_tokens():
    (scores,) = score_lines(Unigrams(), [LINES])
    # a a b </s>: 1/2 · 1/2 · 1/4 · 1/8 = 2^-7; </s>: 2^-3; a and three unknown words and </s>:
    # 2^-1 · 2^-9 · 2^-3 = 2^-13; b </s>: 2^-5.
    assert (scores.log_probability / math.log(2)).tolist() == pytest.approx([-7, -3, -13, -5])
    assert scores.tokens.tolist() == [4, 1, 5, 2]
    assert scores.oovs.tolist() == [0, 0, 3, 0]
    assert scores.perplexity.tolist() == pytest.approx(
        [2 ** (7 / 4), 8, 2 ** (13 / 5), 2 ** (5 / 2)]
    )
    assert scores.token_lines.tolist() == [1] * 4 + [2] + [3] * 5 + [4] * 2


def test_lines_are_counted_across_blocks():
    first, second = score_lines(Unigrams(), [LINES, LINES])
    assert (first.first_line, second.first_line) == (1, 5)
    assert set(second.token_lines.tolist()) == {5, 6, 7, 8}


def test_unknown_words_keep_their_spelling():
    (scores,) = score_lines(Unigrams(), [["a z y z", "<unk> b"]])
    assert token_texts(Unigrams(), scores.batch) == [
        *["a", "z", "y", "z", "</s>"],
        *["<unk>", "b", "</s>"],
    ]


def test_a_batch_without_spellings_shows_unk():
    batch = Batch(np.array([3, UNK, EOS], np.int32), np.array([0, 3]))
    assert token_texts(Unigrams(), batch) == ["a", "<unk>", "</s>"]


def test_scores_that_are_no_probabilities_have_no_perplexity():
    (scores,) = score_lines(Unigrams(normalised=False), [LINES])
    assert np.isnan(scores.perplexity).all()
    with pytest.raises(UnsupportedError, match="scores, not probabilities"):
        filter_lines(Unigrams(normalised=False), [LINES], max_perplexity=5)


@pytest.mark.parametrize(
    "bounds, kept",
    [
        # The perplexities are 3.36, 8, 6.06 and 5.66.
        ({"max_perplexity": 6}, ["a a b", "b"]),
        ({"min_perplexity": 6}, ["", "a z y z"]),
        ({"min_perplexity": 5, "max_perplexity": 7}, ["a z y z", "b"]),
        ({"max_perplexity": 1}, []),
        ({"max_perplexity": math.inf}, LINES),
        ({}, LINES),
    ],
)
def test_lines_within_the_bounds_are_kept(bounds, kept):
    assert list(filter_lines(Unigrams(), [LINES], **bounds)) == [kept]


@pytest.mark.parametrize("bound", [0, -1, math.nan])
def test_a_bound_that_is_no_perplexity_is_refused_before_anything_is_read(bound):
    with pytest.raises(UsageError, match="must be above 0"):
        filter_lines(Unigrams(), iter([]), min_perplexity=bound)


def test_an_impossible_line_is_over_every_bound_but_infinity():
    impossible = np.array([-math.inf])
    one = np.array([1])
    assert not keep_mask(impossible, one, 1e300, None)[0]
    assert keep_mask(impossible, one, math.inf, None)[0]
    assert keep_mask(impossible, one, None, 1e300)[0]


@given(st.lists(st.sampled_from(LINES), min_size=1), st.floats(2, 10))
def test_every_line_is_on_one_side_of_a_bound(lines, bound):
    (low,) = filter_lines(Unigrams(), [lines], max_perplexity=bound)
    (high,) = filter_lines(Unigrams(), [lines], min_perplexity=math.nextafter(bound, math.inf))
    assert sorted(low + high) == sorted(lines)


def test_a_lines_sum_does_not_depend_on_the_lines_before_it() -> None:
    # Sentences of 2, 0 and 3 tokens behind a million others.
    values = -np.random.default_rng(1).random(1_000_005) * 10
    offsets = np.array([0, 1_000_000, 1_000_002, 1_000_002, 1_000_005])
    batch = Batch(np.zeros(len(values), np.int32), offsets)
    sums = batch.sentence_sums(values)
    tail = Batch(np.zeros(5, np.int32), np.array([0, 2, 2, 5]))
    assert np.array_equal(sums[1:], tail.sentence_sums(values[-5:]))
    assert sums[2] == 0.0
    assert sums[3] == pytest.approx(math.fsum(values[-3:].tolist()), rel=1e-15)

"""A unigram language model in use: against all segmentations written out, and by hand."""

from __future__ import annotations

import random
from collections import Counter
from math import exp, log

import numpy as np
import pytest

from lmkit.text.subwords import unigram_encoding
from lmkit.text.subwords.lattice import Ints
from lmkit.text.subwords.unigram_encoding import Segmenter

from ..reference import unigram as twin

UNKNOWN = -20.0


def segmenter_of(log_probs: dict[str, float]) -> Segmenter:
    return Segmenter(
        list(log_probs),
        np.array(list(log_probs.values())),
        lambda symbols: np.full(len(symbols), UNKNOWN),
    )


def sequences(texts: list[str]) -> tuple[Ints, Ints]:
    return np.array([ord(c) for text in texts for c in text], np.int64), np.array(
        [len(text) for text in texts], np.int64
    )


def spelt(log_probs: dict[str, float], numbers: list[int]) -> tuple[str, ...]:
    pieces = list(log_probs)
    return tuple(pieces[n] if n >= 0 else chr(-1 - n) for n in numbers)


def parts_of(log_probs: dict[str, float], found: tuple[Ints, Ints]) -> list[tuple[str, ...]]:
    numbers, counts = found
    return [spelt(log_probs, p.tolist()) for p in np.split(numbers, np.cumsum(counts)[:-1])]


def model_of(seed: int) -> tuple[dict[str, float], list[str]]:
    """Pieces of three letters with probabilities, and texts, of which some have an x, which is
    none."""
    generator = random.Random(seed)
    pieces = {"a", "b", "c", *("".join(generator.choices("abc", k=k)) for k in (2, 2, 2, 3, 3, 4))}
    log_probs = {piece: log(generator.uniform(0.01, 1)) for piece in sorted(pieces)}
    texts = ["".join(generator.choices("abcx", [9, 9, 9, 1], k=k)) for k in range(1, 13)]
    return log_probs, ["", *texts, "", "xx", "abcabc"]


def with_unknown(log_probs: dict[str, float]) -> dict[str, float]:
    return {**log_probs, "x": UNKNOWN}


def test_by_hand() -> None:
    log_probs = {"a": log(0.25), "b": log(0.25), "ab": log(0.2), "abb": log(0.03)}
    model = segmenter_of(log_probs)
    one = sequences(["abb"])
    # ab b: 0.05; abb: 0.03; a b b: 1/64.
    assert parts_of(log_probs, model.best(*one)) == [("ab", "b")]
    assert model.log_probs(*one) == pytest.approx([log(0.05 + 0.03 + 1 / 64)])
    found = model.n_best(*one, 9)
    assert [spelt(log_probs, n) for _, n in found] == [("ab", "b"), ("abb",), ("a", "b", "b")]
    assert [exp(p) for p, _ in found] == pytest.approx([0.05, 0.03, 1 / 64])


@pytest.mark.parametrize("seed", range(4))
def test_best_n_best_and_probabilities_are_those_of_all_segmentations(seed: int) -> None:
    log_probs, texts = model_of(seed)
    model, every = segmenter_of(log_probs), with_unknown(log_probs)
    best = parts_of(log_probs, model.best(*sequences(texts)))
    marginals = model.log_probs(*sequences(texts))
    for text, segmentation, marginal in zip(texts, best, marginals.tolist(), strict=True):
        assert "".join(segmentation) == text
        expected = twin.n_best(text, every, 10**6)
        assert twin.score(segmentation, every) == pytest.approx(expected[0][0])
        assert marginal == pytest.approx(twin.log_prob(text, every))
        for n in (1, 5, 10**6):
            found = model.n_best(*sequences([text]), n)
            assert [p for p, _ in found] == pytest.approx([p for p, _ in expected[:n]])
            if n > 5:
                assert {spelt(log_probs, x) for _, x in found} == {s for _, s in expected}


def test_n_best_of_a_text_in_parts_crosses_none_of_them() -> None:
    log_probs, _ = model_of(1)
    texts = ["abc", "", "xab", "ca"]
    every = with_unknown(log_probs)
    combined = sorted(
        (
            -(p + q + r)
            for p, _ in twin.n_best("abc", every, 99)
            for q, _ in twin.n_best("xab", every, 99)
            for r, _ in twin.n_best("ca", every, 99)
        ),
    )
    found = segmenter_of(log_probs).n_best(*sequences(texts), 12)
    assert [-p for p, _ in found] == pytest.approx(combined[:12])


def test_of_equal_ways_the_one_with_the_longer_last_piece_is_best() -> None:
    log_probs = {"a": -1.0, "aa": -2.0, "aaa": -3.0}
    model = segmenter_of(log_probs)
    assert parts_of(log_probs, model.best(*sequences(["aaaa"]))) == [("a", "aaa")]
    assert spelt(log_probs, model.n_best(*sequences(["aaaa"]), 1)[0][1]) == ("a", "aaa")


def test_a_character_within_pieces_that_is_none_itself() -> None:
    log_probs = {"a": -1.0, "ab": -2.0}
    model = segmenter_of(log_probs)
    assert parts_of(log_probs, model.best(*sequences(["aba", "b"]))) == [("ab", "a"), ("b",)]
    assert model.log_probs(*sequences(["b", "ab"])) == pytest.approx(
        [UNKNOWN, log(exp(-2.0) + exp(-1.0 + UNKNOWN))]
    )


def test_no_pieces_and_no_text() -> None:
    assert parts_of({}, segmenter_of({}).best(*sequences(["ab"]))) == [("a", "b")]
    numbers, counts = segmenter_of({"a": -1.0}).best(*sequences([]))
    assert (len(numbers), len(counts)) == (0, 0)
    assert segmenter_of({"a": -1.0}).n_best(*sequences([""]), 3) == [(0.0, [])]


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    log_probs, texts = model_of(2)
    model = segmenter_of(log_probs)
    which = np.random.default_rng(0).integers(0, len(texts), 50)
    whole = model.best(*sequences(texts)), model.log_probs(*sequences(texts))
    n_best = model.n_best(*sequences(texts), 20)
    monkeypatch.setattr(unigram_encoding, "MOST_SYMBOLS", 9)
    assert np.array_equal(model.best(*sequences(texts))[0], whole[0][0])
    assert model.log_probs(*sequences(texts)) == pytest.approx(whole[1])
    assert model.n_best(*sequences(texts), 20) == n_best
    drawn = model.sample(*sequences(texts), 1.0, np.random.default_rng(0), which)
    found = parts_of(log_probs, drawn)
    assert ["".join(part) for part in found] == [texts[number] for number in which.tolist()]


def test_long_sequences_neither_underflow_nor_take_long() -> None:
    log_probs = {"a": log(1e-9), "aa": log(1e-18)}
    length = 3000
    # Every segmentation has the probability 1e-9 ** length; there are Fibonacci(length + 1).
    expected = length * log(1e-9) + (length + 1) * log((1 + 5**0.5) / 2) - log(5) / 2
    model = segmenter_of(log_probs)
    assert model.log_probs(*sequences(["a" * length])) == pytest.approx([expected])


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0, 3.0])
def test_samples_come_as_often_as_their_probability_to_the_power_alpha(alpha: float) -> None:
    log_probs = {"a": log(0.3), "b": log(0.2), "ab": log(0.3), "ba": log(0.15), "aba": log(0.05)}
    model = segmenter_of(log_probs)
    n = 20_000
    which = np.tile([0, 1], n)
    drawn = model.sample(*sequences(["aba", "ab"]), alpha, np.random.default_rng(3), which)
    parts = parts_of(log_probs, drawn)
    for text, found in (("aba", Counter(parts[::2])), ("ab", Counter(parts[1::2]))):
        weights = {
            s: exp(alpha * twin.score(s, log_probs)) for s in twin.segmentations(text, log_probs)
        }
        total = sum(weights.values())
        for segmentation, weight in weights.items():
            # Four standard deviations.
            p = weight / total
            assert found[segmentation] == pytest.approx(n * p, abs=4 * (n * p * (1 - p)) ** 0.5)

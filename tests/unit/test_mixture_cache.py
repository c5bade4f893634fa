"""The cache of recent words, against a loop over the text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmkit.errors import UsageError
from lmkit.mixture.cache import CLASSES, FILLED, FOLLOWED, Cache, usable


def by_definition(
    ids: list[int], t: int, size: int, decay: float, word: int
) -> tuple[float, float]:
    """p of ``word`` at place ``t`` of ``ids`` under both sources; 0 where they say nothing."""
    words = {"all": 0.0, "word": 0.0}
    pairs = {"all": 0.0, "word": 0.0}
    for i in range(max(0, t - size), t):
        weight = decay ** (t - 1 - i)
        words["all"] += weight
        words["word"] += weight * (ids[i] == word)
        if i >= 1 and t >= 1 and ids[i - 1] == ids[t - 1]:
            pairs["all"] += weight
            pairs["word"] += weight * (ids[i] == word)
    return tuple(s["word"] / s["all"] if s["all"] else 0.0 for s in (words, pairs))


texts = st.lists(st.integers(0, 4), min_size=1, max_size=40)


@given(st.lists(texts, min_size=1, max_size=4), st.integers(1, 12), st.floats(0.3, 1.0))
def test_a_text_is_what_the_definition_says(
    parts: list[list[int]], size: int, decay: float
) -> None:
    ids = np.array([i for part in parts for i in part])
    begins = np.concatenate(([0], np.cumsum([len(part) for part in parts])[:-1]))
    log_probs, classes = Cache(size, decay).of_text(ids, begins)
    expected = [
        by_definition(part, t, size, decay, part[t]) for part in parts for t in range(len(part))
    ]
    np.testing.assert_allclose(np.exp(log_probs), expected, atol=1e-12)
    allowed = usable()[classes]
    assert not np.isfinite(log_probs[~allowed]).any()


@given(texts, st.integers(1, 12), st.floats(0.3, 1.0))
def test_steps_say_the_same_as_a_text_and_sum_to_one(
    text: list[int], size: int, decay: float
) -> None:
    cache, ids = Cache(size, decay), np.array(text)
    log_probs, classes = cache.of_text(ids, np.array([0]))
    history = np.zeros((1, 0), np.int32)
    for t, word in enumerate(text):
        probs, found = cache.next_probs(history, 6)
        assert found[0] == classes[t]
        np.testing.assert_allclose(probs[0, :, word], np.exp(log_probs[t]), atol=1e-12)
        sums = probs[0].sum(axis=1)
        np.testing.assert_allclose(sums, usable()[found[0]].astype(float), atol=1e-12)
        history = cache.extended(history, [word])
        assert history.shape[1] <= cache.keeps


def test_by_hand() -> None:
    """a b a b a with decay 1/2: before the last token, b counts 1 + 1/4, a 1/2 + 1/8; behind b
    stood an a once, so the pair says a."""
    log_probs, _ = Cache(10, 0.5).of_text(np.array([0, 1, 0, 1, 0]), np.array([0]))
    np.testing.assert_allclose(np.exp(log_probs[-1]), [0.625 / 1.875, 1.0])
    assert np.isneginf(log_probs[0]).all()


def test_streams_of_different_lengths_do_not_mind_each_other() -> None:
    cache = Cache(4, 0.8)
    long, short = [1, 2, 1, 3, 1], [1, 2]
    histories = np.array([long, [-1, -1, -1, *short]], np.int32)
    together, classes = cache.next_probs(histories, 5)
    for row, text in enumerate((long, short)):
        alone, one = cache.next_probs(np.array([text], np.int32), 5)
        np.testing.assert_array_equal(together[row], alone[0])
        assert classes[row] == one[0]


def test_a_long_text_neither_overflows_nor_fades() -> None:
    """The same words over and over: far into the text the cache says what it said before."""
    ids = np.tile(np.arange(50), 4000)
    for decay in (1.0, 0.999, 0.5):
        log_probs, _ = Cache(300, decay).of_text(ids, np.array([0]))
        np.testing.assert_allclose(log_probs[-50:], log_probs[1000:1050], atol=1e-9)


def test_a_cache_in_parts_is_one_cache() -> None:
    generator = np.random.default_rng(0)
    ids = generator.integers(0, 30, 3000).astype(np.int32)
    cache = Cache(100, 0.99)
    whole, classes = cache.of_text(ids, np.array([0]))
    for cut in (1, 50, 101, 102, 1500):
        kept = ids[:cut][-cache.keeps :]
        part, found = cache.of_text(np.concatenate((kept, ids[cut:])), np.array([0]))
        np.testing.assert_allclose(part[len(kept) :], whole[cut:], atol=1e-10)
        assert (found[len(kept) :] == classes[cut:]).all()


def test_classes_of_what_there_is_to_go_by() -> None:
    assert (len(FILLED) + 1) * (len(FOLLOWED) + 1) == CLASSES
    cache = Cache(2000, 1.0)
    _, classes = cache.of_text(np.zeros(2000, np.int64), np.array([0]))
    assert len(set(classes.tolist())) >= len(FILLED)
    assert classes[0] == 0


def test_a_strong_decay_forgets_before_numbers_get_too_small() -> None:
    cache = Cache(100_000, 0.5)
    assert cache.reach < 1000
    log_probs, _ = cache.of_text(np.array([1, *([0] * 5000), 1]), np.array([0]))
    assert np.isneginf(log_probs[-1, 0])


@pytest.mark.parametrize("size, decay", [(0, 0.9), (-1, 0.9), (5, 0.0), (5, 1.5), (5, -1.0)])
def test_caches_that_there_are_not(size: int, decay: float) -> None:
    with pytest.raises(UsageError, match="cache"):
        Cache(size, decay)

"""What mixing and caching give on WikiText-2, and what merging keeps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import lmkit
from lmkit.evaluate.perplexity import perplexity_of
from lmkit.text.settings import TextSettings

pytestmark = [pytest.mark.data, pytest.mark.slow]

READ = TextSettings("whitespace", skip_empty_lines=True)
FEW = 20_000
"""Listed n-grams of each order that are looked at."""


@pytest.fixture(scope="module")
def folder(shared_data: Path) -> Path:
    return shared_data / "wikitext-2"


@pytest.fixture(scope="module")
def five(folder: Path) -> lmkit.LanguageModel:
    return lmkit.train(folder / "train.txt", settings=READ, order=5)


@pytest.fixture(scope="module")
def pairs(folder: Path) -> lmkit.LanguageModel:
    return lmkit.train(folder / "train.txt", settings=READ, order=2, smoothing="witten-bell")


def test_a_cache_of_recent_words_beats_the_model(five: lmkit.LanguageModel, folder: Path) -> None:
    mixture = lmkit.mix([five], valid=folder / "valid.txt", cache=True)
    assert five.perplexity(folder / "test.txt").perplexity == pytest.approx(224.81, abs=0.01)
    running, _ = perplexity_of(mixture, folder / "test.txt")
    by_line, _ = perplexity_of(mixture, folder / "test.txt", state="line")
    assert running.perplexity == pytest.approx(137.31, abs=0.1)
    assert by_line.perplexity == pytest.approx(181.39, abs=0.1)


def test_two_ngram_models_and_the_one_that_they_become(
    five: lmkit.LanguageModel, pairs: lmkit.LanguageModel, folder: Path
) -> None:
    valid = folder / "valid.txt"
    mixture = lmkit.mix([five, pairs], valid=valid)
    perplexity = mixture.describe()["fit"]["perplexity"]
    assert perplexity["mixture"] == pytest.approx(238.787, abs=0.01)
    assert mixture.blend.weights[0].tolist() == pytest.approx([0.8806, 0.1194], abs=1e-3)
    merged = lmkit.merge(mixture)
    assert merged.perplexity(valid).perplexity == pytest.approx(238.58, abs=0.01)

    from lmkit.ngram.assembly import log_probs_of_ngrams, ngram_ids

    trie = merged.trie
    generator = np.random.default_rng(0)
    for order in range(1, trie.order + 1):
        rows = generator.choice(trie[order].size, min(FEW, trie[order].size), replace=False)
        ids = ngram_ids(trie, order, rows[rows != 1] if order == 1 else rows)
        parts = [log_probs_of_ngrams(model.trie, ids[:, -model.order :]) for model in (five, pairs)]
        expected = np.logaddexp(
            *(np.log(w) + p for w, p in zip(mixture.blend.weights[0], parts, strict=True))
        )
        np.testing.assert_allclose(log_probs_of_ngrams(trie, ids), expected, rtol=0, atol=1e-5)
    state = merged.start(1)
    for token in merged.encoder.encode_prompt("the first single of the album").tolist():
        assert np.exp(merged.next_log_probs(state)).sum() == pytest.approx(1, abs=1e-6)
        state = merged.advance(state, [token])

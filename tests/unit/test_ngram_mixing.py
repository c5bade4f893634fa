"""Static mixtures of n-gram models merged into one: what they promise, against dictionaries."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lmkit
from lmkit.errors import UnsupportedError
from lmkit.model import BOS
from lmkit.ngram.mixing import Share, merge_mixture
from lmkit.ngram.model import NgramModel

from ..small_models import texts, train
from .ngram_support import DictModel, ngrams_of

WORDS = list("abcde")
METHODS = ["modified-kneser-ney", "witten-bell", "katz", "absolute-discounting", "jelinek-mercer"]


def brute_force(models: list[NgramModel], weights: list[float], ngram: tuple[int, ...]) -> float:
    """The mixture's probability of the last token of ``ngram`` after the others."""
    tables = [DictModel(model) for model in models]
    return sum(
        weight * table.prob(ngram[:-1], ngram[-1])
        for weight, table in zip(weights, tables, strict=True)
    )


def check(models: list[NgramModel], weights: list[float]) -> NgramModel:
    shares = [Share(model, weight) for model, weight in zip(models, weights, strict=True)]
    merged = merge_mixture(shares, models[0].encoder)
    tables = [DictModel(model) for model in models]
    found = DictModel(merged)
    listed = {ngram for table in tables for ngram in table.probs}
    assert set(found.probs) == listed
    for ngram, prob in found.probs.items():
        if ngram[-1] != BOS:
            expected = sum(
                weight * table.prob(ngram[:-1], ngram[-1])
                for weight, table in zip(weights, tables, strict=True)
            )
            assert prob == pytest.approx(expected, rel=1e-5)
    for context in found.contexts():
        assert found.distribution(context).sum() == pytest.approx(1, abs=2e-6)
    return merged


@given(
    texts(),
    texts(),
    st.sampled_from(METHODS),
    st.sampled_from(METHODS),
    st.integers(1, 4),
    st.integers(1, 4),
    st.floats(0.02, 0.98),
)
def test_listed_ngrams_have_the_mixtures_probability_and_all_sums_to_one(
    one: list[str], other: list[str], first: str, second: str, n: int, m: int, weight: float
) -> None:
    models = [
        train(one, n, first, words=WORDS),
        train(other, m, second, words=WORDS),
    ]
    check(models, [weight, 1 - weight])


def test_by_hand() -> None:
    """Two unigram models over a, b, </s> and <unk>: the mixture is exact."""
    models = [
        train(["a a b"], 1, "laplace", words=["a", "b"]),
        train(["b b b"], 1, "laplace", words=["a", "b"]),
    ]
    # (2 + 1) / (4 + 4) and (0 + 1) / (4 + 4) for a: 0.25 * 3/8 + 0.75 * 1/8 = 0.1875
    with pytest.raises(UnsupportedError, match="laplace smoothing does not back off"):
        merge_mixture([Share(models[0], 0.25), Share(models[1], 0.75)], models[0].encoder)
    models = [train(lines, 1, "katz", words=["a", "b"]) for lines in (["a a b"], ["b b b a"])]
    merged = check(models, [0.25, 0.75])
    for word in ("a", "b"):
        ids = merged.batch(word).ids[:1]
        state = merged.start(1)
        each = [model.next_log_probs(model.start(1))[0, ids[0]] for model in models]
        expected = 0.25 * math.exp(each[0]) + 0.75 * math.exp(each[1])
        assert math.exp(merged.next_log_probs(state)[0, ids[0]]) == pytest.approx(expected)


def test_a_model_with_the_tokens_in_another_order() -> None:
    lines, other = ["a b c", "b c a a", "c c b"], ["c b a", "a c"]
    straight = [train(lines, 3, "witten-bell", words=WORDS), train(other, 2, "katz", words=WORDS)]
    turned = train(other, 2, "katz", words=WORDS[::-1])
    into = turned.vocabulary.ids_of(straight[0].vocabulary.tokens)
    merged = merge_mixture([Share(straight[0], 0.6), Share(turned, 0.4, into)], straight[0].encoder)
    expected = check(straight, [0.6, 0.4])
    assert merged.trie.sizes == expected.trie.sizes
    batch = [*lines, *other, "e d a b c"]
    np.testing.assert_allclose(merged.score(batch)[0], expected.score(batch)[0], atol=1e-6)


def test_models_that_lost_ngrams_or_came_from_files(tmp_path) -> None:
    lines = ["a b c d", "b c a a e", "c c b d", "a b c", "e e a", "a b d"] * 2
    whole = train(lines, 4, "modified-kneser-ney", words=WORDS)
    _, pruned = lmkit.prune(whole, entropy=3e-2)
    assert sum(pruned.trie.sizes) < sum(whole.trie.sizes)
    lmkit.export_model(train(lines[:3], 3, "katz", words=WORDS), tmp_path / "katz.arpa")
    imported = lmkit.import_model(tmp_path / "katz.arpa")
    into = imported.vocabulary.ids_of(pruned.vocabulary.tokens)
    merged = merge_mixture([Share(pruned, 0.7), Share(imported, 0.3, into)], pruned.encoder)
    found = DictModel(merged)
    for context in found.contexts():
        assert found.distribution(context).sum() == pytest.approx(1, abs=2e-6)
    ngrams = {ngram for n in range(1, 5) for ngram in ngrams_of(merged.trie, n)}
    assert ngrams >= {ngram for n in range(1, 5) for ngram in ngrams_of(pruned.trie, n)}


def test_a_weight_of_zero_adds_no_ngrams() -> None:
    one, other = (
        train(["a b"], 2, "witten-bell", words=WORDS),
        train(["c d e"], 3, "witten-bell", words=WORDS),
    )
    merged = merge_mixture([Share(one, 1.0), Share(other, 0.0)], one.encoder)
    assert merged.trie.sizes == one.trie.sizes
    lines = ["a b", "c d e"]
    np.testing.assert_allclose(merged.score(lines)[0], one.score(lines)[0], atol=1e-6)


def test_the_merged_model_is_saved_exported_and_pruned(tmp_path) -> None:
    lines = ["a b c d", "b c a a e", "c c b d"] * 2
    models = [train(lines, 3, "witten-bell", words=WORDS), train(["e d"], 2, "katz", words=WORDS)]
    merged = check(models, [0.5, 0.5])
    merged.save(tmp_path / "merged.lm")
    loaded = lmkit.load(tmp_path / "merged.lm")
    assert np.array_equal(loaded.score(lines)[0], merged.score(lines)[0])
    assert loaded.describe() == merged.describe()
    lmkit.export_model(loaded, tmp_path / "merged.arpa")
    again = lmkit.import_model(tmp_path / "merged.arpa")
    np.testing.assert_allclose(again.score(lines)[0], merged.score(lines)[0], atol=1e-5)
    before, pruned = lmkit.prune(loaded, entropy=1e-2)
    assert sum(pruned.trie.sizes) < sum(before)

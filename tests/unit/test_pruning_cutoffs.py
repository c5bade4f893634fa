"""Cutoffs as KenLM means them, in training and afterwards."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from lmkit.errors import UnsupportedError, UsageError
from lmkit.ngram.backend import NgramBackend
from lmkit.ngram.entropy import prune_by_entropy
from lmkit.ngram.model import NgramModel
from lmkit.ngram.pruning import prune_by_cutoffs
from lmkit.registry import names, resolve

from .ngram_support import DictModel, column_of, corpus_of, ngrams_of, train

LINES = [
    "a b c a b d",
    "a b c b c a",
    "the cat sat on the mat",
    "the cat ate the rat",
    "",
    "a rat sat on a cat",
    "b a b a b c",
    "the cat sat",
]
EVERY_FORM = [
    (name, form) for name in names("smoothing") for form in resolve("smoothing", name).forms
]
NORMALISED = [name for name in names("smoothing") if resolve("smoothing", name).normalised]


def assert_same(one: NgramModel, other: NgramModel) -> None:
    assert one.trie.sizes == other.trie.sizes
    assert one.facts == other.facts
    assert one.vocabulary.tokens == other.vocabulary.tokens
    assert one.vocabulary.counts.tolist() == other.vocabulary.counts.tolist()
    for level, same in zip(one.trie.levels, other.trie.levels, strict=True):
        assert [name for name, _ in level.columns()] == [name for name, _ in same.columns()]
        for (name, column), (_, expected) in zip(level.columns(), same.columns(), strict=True):
            assert column.dtype == expected.dtype, name
            np.testing.assert_array_equal(column.array(), expected.array(), err_msg=name)


def test_by_hand() -> None:
    # Kneser-Ney with the discount 0.5, order 2. After "a": b 3 times, c and </s> once, total 5.
    # The cutoff 1 drops the bigrams (a, c) and (a, </s>): what they keep, 0.5 each, joins the
    # 1.5 that was left, 2.5 in all. The lower order counts left contexts of all bigrams, the
    # dropped ones too: a 1 (<s>), b 1 (a), c 1 (a), </s> 3 (b, c, a), 6 in all, and the
    # four halves discounted go to 5 words: a, b, c, </s>, <unk>.
    lines = ["a b", "a b", "a b", "a c", "a"]
    model = train(lines, 2, "kneser-ney", discounts=[0.5], prune=(0, 1))
    words = {token: number for number, token in enumerate(model.vocabulary.tokens)}
    slow = DictModel(model)
    uniform = 2 / 6 / 5
    p_b, p_c, p_end = 0.5 / 6 + uniform, 0.5 / 6 + uniform, 2.5 / 6 + uniform
    a = (words["a"],)
    assert slow.prob((), words["b"]) == pytest.approx(p_b)
    assert slow.prob(a, words["b"]) == pytest.approx(2.5 / 5 + 2.5 / 5 * p_b)
    assert (*a, words["c"]) not in slow.probs
    assert slow.prob(a, words["c"]) == pytest.approx(2.5 / 5 * p_c)
    assert slow.prob(a, words["</s>"]) == pytest.approx(2.5 / 5 * p_end)
    assert slow.prob(a, words["<unk>"]) == pytest.approx(2.5 / 5 * uniform)
    # "c" was seen once, and nothing after it is left: it hands on everything.
    assert slow.weights[words["c"],] == 1.0


@pytest.mark.parametrize("cutoffs", [(0, 1), (0, 0, 1), (0, 1, 2), (1,), (0, 0, 0, 3)])
def test_counts_above_the_cutoff_stay(cutoffs: tuple[int, ...]) -> None:
    whole = train(LINES, 4, "modified-kneser-ney")
    pruned = train(LINES, 4, "modified-kneser-ney", prune=cutoffs)
    whole_words, words = whole.vocabulary.tokens, pruned.vocabulary.tokens
    extended = [*cutoffs, *[cutoffs[-1]] * 4]
    for order in range(1, 5):
        expected = {
            tuple(whole_words[i] for i in ngram): count
            for ngram, count in zip(
                ngrams_of(whole.trie, order), column_of(whole.trie, order, "count"), strict=True
            )
            if count > extended[order - 1] or ngram in {(0,), (1,), (2,)}
        }
        found = [tuple(words[i] for i in ngram) for ngram in ngrams_of(pruned.trie, order)]
        counts = column_of(pruned.trie, order, "count")
        assert dict(zip(found, counts, strict=True)) == expected
    assert pruned.facts["pruned"] == {"cutoffs": list(cutoffs)}
    assert pruned.order == 4


@pytest.mark.parametrize("smoothing", NORMALISED)
@pytest.mark.parametrize("cutoffs", [(0, 0, 1), (0, 1), (1,), (1, 1, 2), (100,)])
def test_distributions_sum_to_one(smoothing: str, cutoffs: tuple[int, ...]) -> None:
    for form in resolve("smoothing", smoothing).forms:
        model = train(LINES, 3, smoothing, form=form, prune=cutoffs)
        state = model.start(1)
        histories = [model.empty(1), state]
        for line in LINES:
            state = model.start(1)
            for token in model.encoder.encode_prompt(line).tolist():
                state = model.advance(state, [token])
                histories.append(state)
        for history in histories:
            total = np.exp(model.next_log_probs(history)).sum()
            assert total == pytest.approx(1, abs=1e-6), (form, history)


@pytest.mark.parametrize("smoothing, form", EVERY_FORM)
@pytest.mark.parametrize("cutoffs", [(0, 0, 1), (1, 2)])
def test_afterwards_is_as_in_training(
    smoothing: str, form: str, cutoffs: tuple[int, ...], tmp_path: Path
) -> None:
    train(LINES, 3, smoothing, form=form).save(tmp_path / "model.lm")
    opened = NgramBackend.open(tmp_path / "model.lm")
    expected = train(LINES, 3, smoothing, form=form, prune=cutoffs)
    assert_same(prune_by_cutoffs(opened, cutoffs), expected)
    # The model that was pruned can still be used.
    assert np.isfinite(opened.score("a b c")[0]).all()
    assert opened.facts["pruned"] is None


def test_what_was_fitted_to_held_out_text_is_not_fitted_again() -> None:
    corpus = corpus_of(LINES)
    valid = corpus_of(["a cat sat", "the mat"], base=corpus.vocabulary)
    options = {"order": 3, "smoothing": "jelinek-mercer"}
    model = NgramBackend.train(corpus, valid, **options)
    expected = NgramBackend.train(corpus, valid, prune=(0, 0, 1), **options)
    assert_same(prune_by_cutoffs(model, (0, 0, 1)), expected)


def test_options_of_the_method_stay() -> None:
    model = train(LINES, 3, "absolute-discounting", discounts=[0.3])
    expected = train(LINES, 3, "absolute-discounting", discounts=[0.3], prune=(0, 1))
    assert_same(prune_by_cutoffs(model, (0, 1)), expected)


def test_cutoffs_below_every_count_change_nothing() -> None:
    model = train(["a b", "a b"], 2, "witten-bell")
    pruned = prune_by_cutoffs(model, (0, 1))
    assert_same(pruned, model)
    assert pruned.facts["pruned"] is None


def test_dropped_words_are_unknown() -> None:
    model = train(["a b b", "a b c", "a"], 2, "modified-kneser-ney", prune=(1,))
    assert model.vocabulary.tokens == ["<unk>", "<s>", "</s>", "a", "b"]
    assert model.vocabulary.limited
    assert model.encoder.encode(["c a"]).ids.tolist() == [0, 3, 2]
    assert math.isfinite(model.score("c")[0][0])


def test_a_model_without_counts_is_refused() -> None:
    model = train(LINES, 2, "witten-bell")
    for level in model.trie.levels:
        level.count = None
    with pytest.raises(UnsupportedError, match="no counts, so it cannot be pruned by cutoffs") as e:
        prune_by_cutoffs(model, (0, 1))
    assert e.value.hint is not None and "--entropy" in e.value.hint


def test_a_pruned_model_is_refused() -> None:
    model = prune_by_entropy(train(LINES, 2, "witten-bell"), 1e-2)
    with pytest.raises(UnsupportedError, match="was pruned and has lost counts"):
        prune_by_cutoffs(model, (0, 1))


@pytest.mark.parametrize("cutoffs", [(1, 0), (-1,), (0, 0, 0)])
def test_cutoffs_that_make_no_sense(cutoffs: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="cutoffs"):
        prune_by_cutoffs(train(LINES, 2, "witten-bell"), cutoffs)

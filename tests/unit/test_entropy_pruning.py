"""Pruning by relative entropy, against taking n-grams out one by one."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmkit.errors import UnsupportedError, UsageError
from lmkit.ngram.backing import Backing
from lmkit.ngram.entropy import prune_by_entropy, prune_to_size, removal_costs
from lmkit.ngram.model import NgramModel
from lmkit.ngram.pruning import keep_ngrams
from lmkit.ngram.trie import BLOCK_ROWS
from lmkit.registry import names

from .ngram_support import DictModel, Ngram, column_of, ngrams_of, train

LINES = [
    "a b c a b d",
    "a b c b c a",
    "the cat sat on the mat",
    "the cat ate the rat",
    "",
    "a rat sat on a cat",
    "b a b a b c",
    "the mat",
    "c",
]
METHODS = [
    ("modified-kneser-ney", "interpolated"),
    ("kneser-ney", "backoff"),
    ("absolute-discounting", "interpolated"),
    ("absolute-discounting", "backoff"),
    ("jelinek-mercer", "interpolated"),
    ("witten-bell", "interpolated"),
    ("katz", "backoff"),
    ("maximum-likelihood", "backoff"),
]
each_method = pytest.mark.parametrize("smoothing, form", METHODS)


def all_ngrams(model: NgramModel) -> list[list[Ngram]]:
    return [ngrams_of(model.trie, order) for order in range(2, model.order + 1)]


def costs_one_by_one(model: NgramModel, *, counted: bool = False) -> dict[Ngram, float]:
    """The cost of each n-gram, by `DictModel`; that of a context is at least its n-grams'."""
    slow = DictModel(model)
    seen = {}
    if counted:
        for order in range(1, model.order):
            counts = column_of(model.trie, order, "count")
            seen |= zip(ngrams_of(model.trie, order), counts, strict=True)
        tokens = sum(count for ngram, count in seen.items() if len(ngram) == 1 and ngram != (1,))
    costs: dict[Ngram, float] = {}
    for ngram in [ngram for order in reversed(all_ngrams(model)) for ngram in order]:
        context = ngram[:-1]
        history = seen[context] / tokens if counted else slow.history(context)
        own = slow.cost_of_losing(ngram, history)
        costs[ngram] = max(own, costs.get(ngram, 0.0))
        costs[context] = max(costs[ngram], costs.get(context, 0.0))
    return {ngram: cost for ngram, cost in costs.items() if len(ngram) > 1}


def assert_sums_to_one(model: NgramModel) -> None:
    slow = DictModel(model)
    for context in slow.contexts():
        assert slow.distribution(context).sum() == pytest.approx(1, abs=1e-6), context


@each_method
@pytest.mark.parametrize("counted", [False, True])
def test_costs_are_those_of_taking_each_ngram_out(smoothing: str, form: str, counted: bool) -> None:
    model = train(LINES, 4, smoothing, form=form)
    costs, _ = removal_costs(model.trie, counted=counted)
    slow = costs_one_by_one(model, counted=counted)
    for order, ngrams in enumerate(all_ngrams(model)):
        expected = [slow[ngram] for ngram in ngrams]
        # The numbers of the model have seven digits, of which small differences are taken.
        np.testing.assert_allclose(costs[order], expected, rtol=1e-4, atol=2e-9)


def test_the_cost_of_a_bigram_by_hand() -> None:
    # After "a" the text has b twice, c and </s> once: with the discount 0.5 p(b|a) = 1.5/4 and
    # p(c|a) = p(</s>|a) = 0.5/4, which leaves 1.5/4. Of the 11 tokens b is 2, c 1, </s> 4:
    # without a, p(b) = 1.5/11, p(c) = 0.5/11, p(</s>) = 3.5/11. a and <unk> are not listed.
    lines = ["a b", "a b", "a c", "a"]
    model = train(lines, 2, "absolute-discounting", form="backoff", discounts=[0.5])
    a, b = model.vocabulary.id_of("a"), model.vocabulary.id_of("b")
    left, below = 1.5 / 4, 1 - (1.5 + 0.5 + 3.5) / 11
    weight, new_weight = left / below, (left + 1.5 / 4) / (below + 1.5 / 11)
    slow = DictModel(model)
    assert slow.prob((a,), b) == pytest.approx(1.5 / 4)
    assert slow.weights[a,] == pytest.approx(weight)
    # p(a) = 3.5/11 says how often all this happens.
    expected = (
        3.5
        / 11
        * (
            1.5 / 4 * math.log(1.5 / 4 / (new_weight * 1.5 / 11))
            + left * math.log(weight / new_weight)
        )
    )
    costs, _ = removal_costs(model.trie)
    assert costs[0][ngrams_of(model.trie, 2).index((a, b))] == pytest.approx(expected, rel=1e-5)


@each_method
def test_pruned_distributions_sum_to_one(smoothing: str, form: str) -> None:
    model = train(LINES, 4, smoothing, form=form)
    for threshold in (1e-4, 1e-3, 1e-2, 0.1, 10):
        assert_sums_to_one(prune_by_entropy(model, threshold))
    for size in range(model.trie[1].size, sum(model.trie.sizes), 7):
        assert_sums_to_one(prune_to_size(model, size))


@each_method
def test_what_goes_costs_less_than_the_threshold(smoothing: str, form: str) -> None:
    model = train(LINES, 3, smoothing, form=form)
    counted = "kneser-ney" in smoothing
    slow = costs_one_by_one(model, counted=counted)
    for threshold in (1e-3, 5e-3, 2e-2):
        pruned = prune_by_entropy(model, threshold)
        left = {ngram for order in all_ngrams(pruned) for ngram in order}
        assert left == {n for n, cost in slow.items() if math.expm1(cost) >= threshold}
        assert 0 < len(left) < len(slow)


def test_what_stays_keeps_its_probability_and_count() -> None:
    model = train(LINES, 3, "modified-kneser-ney")
    pruned = prune_by_entropy(model, 1e-2)
    for order in range(1, 4):
        for name in ("log_prob", "count"):
            before = dict(
                zip(ngrams_of(model.trie, order), column_of(model.trie, order, name), strict=True)
            )
            after = dict(
                zip(ngrams_of(pruned.trie, order), column_of(pruned.trie, order, name), strict=True)
            )
            assert after.items() <= before.items()
    assert pruned.trie[1].size == model.trie[1].size
    assert pruned.facts["pruned"] == {"entropy": 1e-2}
    assert model.facts["pruned"] is None


@pytest.mark.parametrize("order", [2, 3, 5])
def test_every_size_is_met_exactly(order: int) -> None:
    model = train(LINES, order, "witten-bell")
    whole = [set(ngrams) for ngrams in all_ngrams(model)]
    least, most = model.trie[1].size, sum(model.trie.sizes)
    for size in range(least, most + 1):
        pruned = prune_to_size(model, size)
        assert sum(pruned.trie.sizes) == size
        for ngrams, before in zip(all_ngrams(pruned), whole, strict=True):
            assert set(ngrams) <= before
    assert prune_to_size(model, most) is model
    assert prune_to_size(model, most + 1) is model


def test_a_larger_size_keeps_what_a_smaller_one_keeps() -> None:
    model = train(LINES, 3, "kneser-ney")
    smaller: set[Ngram] = set()
    for size in range(model.trie[1].size, sum(model.trie.sizes)):
        ngrams = {n for order in all_ngrams(prune_to_size(model, size)) for n in order}
        assert smaller < ngrams or not smaller
        smaller = ngrams


@pytest.fixture(scope="module")
def gappy(zipf_lines: list[str]) -> NgramModel:
    """A model with holes: n-grams whose suffix is gone, and contexts whose suffix is gone. Its
    distributions no longer sum to one."""
    model = train(zipf_lines[:40], 4, "modified-kneser-ney")
    generator = np.random.default_rng(1)
    flags = [None, *(generator.random(size) < 0.4 for size in model.trie.sizes[1:])]
    gappy = keep_ngrams(model, flags, {"for a test": True})
    for order in (3, 4):
        suffix = gappy.trie[order].suffix
        assert suffix is not None and (suffix.array() < 0).sum() > 10
    gone = [row for row, to in enumerate(column_of(gappy.trie, 3, "suffix")) if to < 0]
    assert sum(gappy.children(4, row)[0] < gappy.children(4, row)[1] for row in gone) > 10
    return gappy


def test_what_is_gone_below_is_backed_off_to(gappy: NgramModel) -> None:
    slow = DictModel(gappy)
    backing = Backing(gappy.trie)
    for order in range(2, 5):
        contexts, ngrams = ngrams_of(gappy.trie, order - 1), ngrams_of(gappy.trie, order)
        for block in backing.blocks(order):
            expected = [math.log(slow.prob(n[1:-1], n[-1])) for n in ngrams[block.rows]]
            np.testing.assert_allclose(block.log_lower, expected, rtol=1e-6)
            below = [slow.unlisted(context) for context in contexts[block.contexts]]
            np.testing.assert_allclose(block.below, below, rtol=1e-6)
        backing.totals.append(np.array([slow.distribution(c).sum() for c in contexts]))


def test_models_with_holes_are_pruned_alike(gappy: NgramModel) -> None:
    slow_costs = costs_one_by_one(gappy)
    costs, _ = removal_costs(gappy.trie)
    for cost, ngrams in zip(costs, all_ngrams(gappy), strict=True):
        np.testing.assert_allclose(cost, [slow_costs[n] for n in ngrams], rtol=1e-4, atol=2e-9)
    before = DictModel(gappy)
    unigrams, bigrams_and_more = gappy.trie[1].size, sum(gappy.trie.sizes[1:])
    after = DictModel(prune_to_size(gappy, unigrams + bigrams_and_more // 2))
    # Contexts that list nothing any more say what the one below says, which is complete.
    for context in {ngram[:-1] for ngram in after.probs}:
        total = before.distribution(context).sum()
        assert after.distribution(context).sum() == pytest.approx(total, abs=1e-6), context


def test_models_without_counts_are_pruned_by_their_own_probabilities() -> None:
    model = train(LINES, 3, "modified-kneser-ney")
    costs, _ = removal_costs(model.trie)
    for level in model.trie.levels:
        level.count = None
    kept = [int((np.expm1(cost) >= 1e-2).sum()) for cost in costs]
    pruned = prune_by_entropy(model, 1e-2)
    assert pruned.trie.sizes[1:] == kept
    assert not pruned.trie.has_counts


def test_contexts_that_leave_nothing_keep_their_mass() -> None:
    # By maximum likelihood nothing follows "b" but "c": no mass is left, until "c" is dropped.
    model = train(["a b c", "a b c", "c a", "a a c"], 3, "maximum-likelihood")
    assert -math.inf in column_of(model.trie, 2, "log_backoff")
    for size in range(model.trie[1].size, sum(model.trie.sizes)):
        assert_sums_to_one(prune_to_size(model, size))


def test_a_threshold_of_zero_drops_nothing() -> None:
    model = train(LINES, 3, "witten-bell")
    assert prune_by_entropy(model, 0.0) is model


def test_an_empty_order_stays_an_order() -> None:
    model = train(LINES, 3, "witten-bell")
    pruned = prune_to_size(model, model.trie[1].size)
    assert pruned.trie.sizes == [model.trie[1].size, 0, 0]
    assert pruned.order == 3
    assert np.exp(pruned.next_log_probs(pruned.start(1))).sum() == pytest.approx(1, abs=1e-6)
    assert np.isfinite(pruned.score("a b c")[0]).all()
    assert prune_by_entropy(pruned, 1.0) is pruned


def test_unigram_models_have_nothing_to_lose() -> None:
    model = train(LINES, 1, "witten-bell")
    assert prune_by_entropy(model, 10.0) is model
    assert prune_to_size(model, 100) is model


def test_pruning_twice_remembers_both() -> None:
    model = train(LINES, 3, "witten-bell")
    pruned = prune_to_size(prune_by_entropy(model, 1e-3), model.trie[1].size + 5)
    assert pruned.facts["pruned"] == {"entropy": 1e-3, "size": model.trie[1].size + 5}


@pytest.mark.parametrize("threshold", [-1e-9, math.nan, math.inf])
def test_thresholds_that_make_no_sense(threshold: float) -> None:
    with pytest.raises(UsageError, match="threshold"):
        prune_by_entropy(train(LINES, 2, "witten-bell"), threshold)


def test_a_size_below_the_unigrams_is_refused() -> None:
    model = train(["a b", "c"], 2, "witten-bell")
    with pytest.raises(UsageError, match="5 n-grams are fewer than the 6 unigrams"):
        prune_to_size(model, 5)
    assert prune_to_size(model, 6).trie.sizes == [6, 0]


@pytest.mark.parametrize("smoothing", ["lidstone", "laplace", "stupid-backoff"])
@pytest.mark.parametrize("prune", [prune_by_entropy, prune_to_size])
def test_other_forms_are_refused(
    smoothing: str, prune: Callable[[NgramModel, int], NgramModel]
) -> None:
    with pytest.raises(UnsupportedError, match=f"{smoothing} smoothing does not back off"):
        prune(train(LINES, 2, smoothing), 20)


@settings(max_examples=40, deadline=None)
@given(
    lines=st.lists(st.lists(st.sampled_from("abcd"), max_size=7).map(" ".join), min_size=1).filter(
        any
    ),
    order=st.integers(1, 4),
    method=st.sampled_from(METHODS),
    part=st.floats(0, 1),
)
def test_any_text_can_be_pruned_to_any_size(
    lines: list[str], order: int, method: tuple[str, str], part: float
) -> None:
    model = train(lines, order, method[0], form=method[1])
    least, most = model.trie[1].size, sum(model.trie.sizes)
    size = least + round(part * (most - least))
    pruned = prune_to_size(model, size)
    assert sum(pruned.trie.sizes) == size
    assert_sums_to_one(pruned)


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch, zipf_lines: list[str]) -> None:
    model = train(zipf_lines, 3, "kneser-ney")
    whole = prune_by_entropy(model, 1e-5)
    for module in ("trie", "pruning"):
        monkeypatch.setattr(f"lmkit.ngram.{module}.BLOCK_ROWS", 100)
    assert model.trie[3].size < BLOCK_ROWS
    pieces = prune_by_entropy(model, 1e-5)
    for one, other in zip(whole.trie.levels, pieces.trie.levels, strict=True):
        for (name, column), (_, same) in zip(one.columns(), other.columns(), strict=True):
            np.testing.assert_array_equal(column.array(), same.array(), err_msg=name)


def test_perplexity_grows_smoothly_with_the_threshold(zipf_lines: list[str]) -> None:
    model = train(zipf_lines[:1500], 3, "modified-kneser-ney")
    held_out = model.encoder.encode(zipf_lines[1500:])
    perplexities, sizes = [], []
    for threshold in (0, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3):
        pruned = prune_by_entropy(model, threshold)
        perplexities.append(pruned.perplexity(held_out).perplexity)
        sizes.append(sum(pruned.trie.sizes))
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) >= 4
    # Held-out text may gain a little at first.
    for before, after in pairwise(perplexities):
        assert 0.99 * before < after < 1.7 * before
    assert perplexities[-1] > perplexities[0]


@pytest.mark.slow
@pytest.mark.data
def test_wikitext_2(shared_data: Path) -> None:
    text = (shared_data / "wikitext-2" / "train.txt").read_text(encoding="utf-8")
    test = (shared_data / "wikitext-2" / "test.txt").read_text(encoding="utf-8")
    model = train(text.splitlines(), 3, "modified-kneser-ney")
    whole = model.perplexity(test).perplexity
    half = prune_to_size(model, sum(model.trie.sizes) // 2)
    tenth = prune_to_size(model, sum(model.trie.sizes) // 10)
    assert sum(half.trie.sizes) == sum(model.trie.sizes) // 2
    assert whole < half.perplexity(test).perplexity < 1.05 * whole
    assert tenth.perplexity(test).perplexity < 1.25 * whole


def test_every_method_is_either_tested_or_refused() -> None:
    refused = {"lidstone", "laplace", "stupid-backoff"}
    assert {name for name, _ in METHODS} | refused == set(names("smoothing"))

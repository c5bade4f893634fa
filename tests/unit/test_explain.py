"""``explain`` and ``continuations``: what people see of a model is what scoring does.

That the formulas come out at the probabilities is in test_smoothing_explained.py.
"""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import lmkit
from lmkit.errors import UsageError
from lmkit.ngram.explain import continuations, explain, split_context
from lmkit.registry import names

from ..small_models import state_after, train

# Of the five sentences: a 3, b 3, c 2, d 1, the 2, cat 2, sat 1, </s> 5 times: 19 tokens.
LINES = ["a b c", "a b d", "b c a", "the cat sat", "the cat"]


def test_a_step_an_order_up_to_that_of_the_model_and_no_further_than_the_sentence() -> None:
    steps = explain(train(LINES, 3, "witten-bell"), "a b c")
    assert [token[0].token for token in steps] == ["a", "b", "c", "</s>"]
    assert [[step.context for step in token] for token in steps] == [
        ["", "<s>"],
        ["", "a", "<s> a"],
        ["", "b", "a b"],
        ["", "c", "b c"],
    ]
    assert [[step.order for step in token] for token in steps] == [[1, 2], *[[1, 2, 3]] * 3]


def test_counts_totals_shares_and_rests_by_hand() -> None:
    last = explain(train(LINES, 2, "witten-bell"), "a b")[1]
    # b was seen 3 times of 19, among 8 different tokens; after a, which has 3 successors of
    # 2 kinds (b, b, </s>), twice. 8 tokens can follow, and <unk>.
    unigram, bigram = last
    assert (unigram.count, unigram.total) == (3, 19)
    assert (unigram.share, unigram.rest) == pytest.approx((3 / (19 + 8), 8 / (19 + 8)))
    assert (bigram.count, bigram.total) == (2, 3)
    assert (bigram.share, bigram.rest) == pytest.approx((2 / (3 + 2), 2 / (3 + 2)))
    lower = 3 / 27 + 8 / 27 / 9
    assert unigram.probability == pytest.approx(lower)
    assert bigram.probability == pytest.approx(2 / 5 + 2 / 5 * lower)
    assert bigram.formula == f"2 / (3 + 2) + 0.4 × {lower:.4g} = {0.4 + 0.4 * lower:.4g}"


def test_kneser_ney_shows_the_number_of_contexts_below_the_highest_order() -> None:
    steps = explain(train(LINES, 2, "kneser-ney"), "the cat")[1]
    # "cat" follows one word only, of 14 different pairs, though it was seen twice.
    pairs = Counter(pair for line in LINES for pair in pairwise(f"<s> {line} </s>".split()))
    assert (steps[0].count, steps[0].total) == (1, len(pairs))
    assert (steps[1].count, steps[1].total) == (2, 2)


def test_what_was_found_an_n_gram_its_context_or_nothing() -> None:
    steps = explain(train(LINES, 3, "absolute-discounting"), "the a cat sat")
    assert [step.found for step in steps[1]] == ["n-gram", "context", "context"]
    # "the a" is no context: after it nothing is known.
    assert [step.found for step in steps[2]] == ["n-gram", "context", "nothing"]
    assert [step.found for step in steps[3]] == ["n-gram", "n-gram", "nothing"]
    seen, unseen = steps[3][1], steps[3][2]
    assert (unseen.count, unseen.total, unseen.share) == (None, None, None)
    assert unseen.probability == seen.probability


def test_a_backoff_weight_is_what_the_order_below_is_multiplied_by() -> None:
    for token in explain(train(LINES, 3, "katz"), "the a b sat"):
        for lower, step in pairwise(token):
            if step.found == "context":
                assert step.backoff_weight is not None
                product = step.backoff_weight * lower.probability
                assert step.probability == pytest.approx(product, rel=1e-6)


def test_an_unknown_word_is_explained_as_such() -> None:
    steps = explain(train(LINES, 2, "modified-kneser-ney"), "the zebra")
    assert [step.token for step in steps[1]] == ["<unk>", "<unk>"]
    assert [step.found for step in steps[1]] == ["context", "context"]
    assert [step.context for step in steps[2]] == ["", "<unk>"]


@pytest.mark.parametrize("smoothing", names("smoothing"))
@pytest.mark.parametrize("line", ["a b c", "sat the b zebra a", ""])
def test_the_last_step_is_what_score_says(smoothing: str, line: str) -> None:
    model = train(LINES, 3, smoothing)
    log_probs, _ = model.score(line)
    last = [token[-1].probability for token in explain(model, line)]
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(np.log(last), log_probs, rtol=1e-6)


def test_a_model_read_from_its_file_explains_the_same(tmp_path: Path) -> None:
    model = train(LINES, 3, "katz")
    model.save(tmp_path / "model.lm")
    assert explain(lmkit.load(tmp_path / "model.lm"), "a b zebra") == explain(model, "a b zebra")


def test_a_model_without_counts_shows_what_it_has(tmp_path: Path) -> None:
    model = train(LINES, 3, "modified-kneser-ney")
    lmkit.export_model(model, tmp_path / "model.arpa")
    steps = explain(lmkit.import_model(tmp_path / "model.arpa"), "a b sat")
    same = explain(model, "a b sat")
    for token, counted in zip(steps, same, strict=True):
        for step, known in zip(token, counted, strict=True):
            assert (step.count, step.total, step.share, step.rest) == (None,) * 4
            assert step.probability == pytest.approx(known.probability, rel=1e-5)
            assert step.found == known.found


def test_a_pruned_model_shows_counts_and_no_totals_which_have_changed() -> None:
    _, model = lmkit.prune(train(LINES, 3, "modified-kneser-ney"), cutoffs=(0, 1))
    steps = explain(model, "a b c")[1]
    # "a b" was seen twice and stays, "<s> a b" as well.
    assert [(step.count, step.total) for step in steps] == [(3, None), (2, None), (2, None)]


def test_a_space_that_is_a_token_is_visible_in_a_context() -> None:
    steps = explain(train(["a b", "a c"], 3, "witten-bell", tokenizer="char"), "a b")
    assert [step.token for step in steps[1]] == [" "] * 3
    assert [step.context for step in steps[2]] == ["", "␣", "a ␣"]


def test_no_text_is_an_empty_sentence() -> None:
    model = train(LINES, 2, "witten-bell")
    assert [token[0].token for token in explain(model, "")] == ["</s>"]


def test_a_sentence_that_is_skipped_as_empty_cannot_be_explained(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("a b\n")
    model = lmkit.train(text, order=2, settings=lmkit.TextSettings(skip_empty_lines=True))
    with pytest.raises(UsageError, match="no sentence to explain"):
        explain(model, " ")


# What follows a context.


@pytest.mark.parametrize("smoothing", ["modified-kneser-ney", "katz", "laplace", "stupid-backoff"])
@pytest.mark.parametrize("context", ["", "a", "a b", "<s>", "<s> the", "cat zebra", "zebra"])
def test_continuations_are_the_likeliest_tokens_of_the_distribution(
    smoothing: str, context: str
) -> None:
    model = train(LINES, 3, smoothing)
    log_probs = model.next_log_probs(state_after(model, context.split()))[0]
    expected = np.sort(np.exp(log_probs[np.isfinite(log_probs)]))[::-1]
    found = continuations(model, context, len(model.vocabulary))
    assert [row.probability for row in found] == pytest.approx(expected.tolist())
    for row in found:
        number = 0 if row.token == "<unk>" else model.vocabulary.id_of(row.token)
        assert row.probability == pytest.approx(math.exp(log_probs[number]))
    assert found[:3] == continuations(model, context, 3)


def test_order_and_count_are_those_of_the_longest_n_gram_that_was_seen() -> None:
    model = train(LINES, 3, "absolute-discounting")
    rows = {row.token: (row.order, row.count) for row in continuations(model, "a b", 20)}
    assert rows["c"] == (3, 1)
    assert rows["d"] == (3, 1)
    assert rows["a"] == (1, 3)
    assert rows["</s>"] == (1, 5)
    assert rows["<unk>"] == (1, 0)
    assert "<s>" not in rows


def test_a_context_longer_than_the_order_counts_with_its_end() -> None:
    model = train(LINES, 2, "witten-bell")
    assert continuations(model, "the cat a b") == continuations(model, "b")


def test_the_beginning_of_a_sentence_is_a_context() -> None:
    model = train(LINES, 2, "maximum-likelihood")
    found = {row.token: row.probability for row in continuations(model, "<s>")}
    assert found == pytest.approx({"a": 0.4, "the": 0.4, "b": 0.2})


def test_a_space_at_the_end_of_a_context_counts_where_spaces_are_tokens() -> None:
    model = train(["ab a", "ab b"], 3, "maximum-likelihood", tokenizer="char")
    assert {row.token for row in continuations(model, "b")} == {" ", "</s>"}
    assert {row.token for row in continuations(model, "b ")} == {"a", "b"}


def test_a_model_without_counts_tells_orders_only(tmp_path: Path) -> None:
    lmkit.export_model(train(LINES, 2, "katz"), tmp_path / "model.arpa")
    found = continuations(lmkit.import_model(tmp_path / "model.arpa"), "the", 1)
    assert [(row.token, row.count, row.order) for row in found] == [("cat", None, 2)]


@pytest.mark.parametrize(
    "context, expected",
    [
        ("<s>", (True, "")),
        ("<s> a b", (True, "a b")),
        ("  <s> a", (True, "a")),
        ("a <s>", (False, "a <s>")),
        ("<s>a", (False, "<s>a")),
        ("a ", (False, "a ")),
    ],
)
def test_a_context_is_parted_from_its_beginning(context: str, expected: tuple[bool, str]) -> None:
    assert split_context(context) == expected

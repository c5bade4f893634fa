"""The methods without learnt parameters on a text small enough to count by eye, and
discounting with given discounts.

    a b b        <s> a: 2     a b: 1     a c: 1     b b: 1     b </s>: 1     c </s>: 1
    a c          a: 2   b: 2   c: 1   </s>: 2   7 tokens

Five tokens can follow a context: a, b, c, </s> and <unk>.
"""

from __future__ import annotations

import math

import pytest

from lmkit.errors import UsageError
from lmkit.ngram.building import make_smoothing

from ..small_models import distribution, train

TEXT = ["a b b", "a c"]


def probabilities(smoothing: str, context: str, order: int = 2, **options: object) -> dict:
    """p(. | context), rounded where float32 ends."""
    model = train(TEXT, order, smoothing, **options)
    found = distribution(model, context.split())
    return {token: math.exp(log_prob) for token, log_prob in found.items()}


def close(**expected: float) -> dict:
    names = {"end": "</s>", "unknown": "<unk>"}
    return {names.get(k, k): pytest.approx(v, rel=1e-6) for k, v in expected.items()}


class TestMaximumLikelihood:
    def test_relative_frequencies(self) -> None:
        # After a stood b once and c once.
        assert probabilities("maximum-likelihood", "a") == close(
            a=0, b=1 / 2, c=1 / 2, end=0, unknown=0
        )
        # After c stood </s> only.
        assert probabilities("maximum-likelihood", "c") == close(a=0, b=0, c=0, end=1, unknown=0)

    def test_after_an_unseen_context_its_longest_seen_suffix(self) -> None:
        # <unk> was not seen: the unigrams, 7 tokens.
        expected = close(a=2 / 7, b=2 / 7, c=1 / 7, end=2 / 7, unknown=0)
        assert probabilities("maximum-likelihood", "<unk>") == expected
        # c b was not seen as a context of two, b was: b and </s> followed it once each.
        expected = close(a=0, b=1 / 2, c=0, end=1 / 2, unknown=0)
        assert probabilities("maximum-likelihood", "c b", order=3) == expected


class TestAdditive:
    def test_laplace_adds_one_to_each_of_five(self) -> None:
        # (1 + 1) / (2 + 5) for b and c, (0 + 1) / (2 + 5) for the others.
        expected = close(a=1 / 7, b=2 / 7, c=2 / 7, end=1 / 7, unknown=1 / 7)
        assert probabilities("laplace", "a") == expected
        # (2 + 1) / (7 + 5) for a, b, </s>; (1 + 1) / 12 for c; 1 / 12 for <unk>.
        expected = close(a=1 / 4, b=1 / 4, c=1 / 6, end=1 / 4, unknown=1 / 12)
        assert probabilities("laplace", "") == expected

    def test_lidstone_adds_k(self) -> None:
        # (1 + 0.5) / (2 + 0.5 * 5) = 1.5 / 4.5; 0.5 / 4.5.
        expected = close(a=1 / 9, b=1 / 3, c=1 / 3, end=1 / 9, unknown=1 / 9)
        assert probabilities("lidstone", "a", k=0.5) == expected

    def test_lower_orders_have_no_part(self) -> None:
        # c b was never a context: all five are equally likely, though b was one.
        expected = close(a=1 / 5, b=1 / 5, c=1 / 5, end=1 / 5, unknown=1 / 5)
        assert probabilities("laplace", "c b", order=3) == expected
        # At the beginning of a sentence the longest context is <s>: (2 + 1) / (2 + 5).
        expected = close(a=3 / 7, b=1 / 7, c=1 / 7, end=1 / 7, unknown=1 / 7)
        assert probabilities("laplace", "<s>", order=3) == expected


class TestWittenBell:
    def test_interpolated(self) -> None:
        # Four different words among 7: they keep 7/11, and 4/11 is shared by all five alike.
        # a, b, </s>: 2/11 + 4/11 * 1/5 = 14/55;  c: 1/11 + 4/55 = 9/55;  <unk>: 4/55.
        expected = close(a=14 / 55, b=14 / 55, c=9 / 55, end=14 / 55, unknown=4 / 55)
        assert probabilities("witten-bell", "") == expected
        # Two different words among the two after a: each keeps 1/4, the rest is 2/4.
        # b: 1/4 + 1/2 * 14/55;  c: 1/4 + 1/2 * 9/55;  a, </s>: 1/2 * 14/55;  <unk>: 1/2 * 4/55.
        expected = close(a=7 / 55, b=1 / 4 + 7 / 55, c=1 / 4 + 4.5 / 55, end=7 / 55, unknown=2 / 55)
        assert probabilities("witten-bell", "a") == expected

    def test_backoff(self) -> None:
        # The rest 4/11 goes to the one word not seen, <unk>.
        expected = close(a=2 / 11, b=2 / 11, c=1 / 11, end=2 / 11, unknown=4 / 11)
        assert probabilities("witten-bell", "", form="backoff") == expected
        # b and c keep 1/4. The rest 1/2 goes to the others, which have 8/11 of the unigrams:
        # a, </s>: 1/2 * (2/11) / (8/11) = 1/8;  <unk>: 1/2 * (4/11) / (8/11) = 1/4.
        expected = close(a=1 / 8, b=1 / 4, c=1 / 4, end=1 / 8, unknown=1 / 4)
        assert probabilities("witten-bell", "a", form="backoff") == expected


class TestStupidBackoff:
    def test_scores(self) -> None:
        # b, c: 1/2. a, </s>: 0.4 * 2/7. <unk>: 0.4 for giving up a, 0.4 for not being seen at
        # all, and one of five.
        expected = close(a=0.8 / 7, b=1 / 2, c=1 / 2, end=0.8 / 7, unknown=0.16 / 5)
        assert probabilities("stupid-backoff", "a") == expected

    def test_a_context_never_seen_costs_the_weight_too(self) -> None:
        # b c (never a context) is given up for c: 0.5 * 1 for </s>, 0.5 * 0.5 * 2/7 for a.
        found = probabilities("stupid-backoff", "c c", order=3, weight=0.5)
        assert found["</s>"] == pytest.approx(0.5)
        assert found["a"] == pytest.approx(0.25 * 2 / 7)

    def test_at_the_beginning_there_is_no_more_to_give_up(self) -> None:
        # After <s> stood a twice. c gives up one token of context, not two.
        found = probabilities("stupid-backoff", "<s>", order=3)
        assert found["a"] == pytest.approx(1)
        assert found["c"] == pytest.approx(0.4 * 1 / 7)


class TestDiscounting:
    def test_absolute(self) -> None:
        # Unigrams: (2 - 0.5) / 7, (1 - 0.5) / 7, and the rest 4 * 0.5 / 7 to all five alike.
        once, twice, unseen = 0.5 / 7 + 0.4 / 7, 1.5 / 7 + 0.4 / 7, 0.4 / 7
        found = probabilities("absolute-discounting", "", discounts=[0.5])
        assert found == close(a=twice, b=twice, c=once, end=twice, unknown=unseen)
        # After a: (1 - 0.5) / 2, and the rest 2 * 0.5 / 2.
        found = probabilities("absolute-discounting", "a", discounts=[0.5])
        assert found["b"] == pytest.approx(1 / 4 + 1 / 2 * twice)
        assert found["a"] == pytest.approx(1 / 2 * twice)

    def test_absolute_as_backoff(self) -> None:
        # Unigrams: <unk> has the whole rest 2/7. After a the others have 1 - 2/7 + ... :
        # b and c keep 1.5/7 + 0.5/7 = 2/7 of the unigrams, so 5/7 are left.
        found = probabilities("absolute-discounting", "a", discounts=[0.5], form="backoff")
        expected = close(
            a=1 / 2 * 1.5 / 5, b=1 / 4, c=1 / 4, end=1 / 2 * 1.5 / 5, unknown=1 / 2 * 2 / 5
        )
        assert found == expected

    def test_kneser_ney_counts_left_contexts(self) -> None:
        # a stood after <s>; b after a and b; c after a; </s> after b and c: 6 pairs.
        # b: (2 - 0.5) / 6 + 4 * 0.5 / 6 * 1/5.
        two, one, none = 1.5 / 6 + 0.4 / 6, 0.5 / 6 + 0.4 / 6, 0.4 / 6
        found = probabilities("kneser-ney", "", discounts=[0.5])
        assert found == close(a=one, b=two, c=one, end=two, unknown=none)
        # The highest order counts occurrences.
        found = probabilities("kneser-ney", "a", discounts=[0.5])
        assert found["b"] == pytest.approx(0.5 / 2 + 1 / 2 * two)

    def test_kneser_ney_keeps_the_counts_of_sentence_beginnings(self) -> None:
        # Order 3. Nothing stands before <s> a, so it counts its 2 occurrences: 1.5/2 for a.
        # The unigrams are as above: a has 0.9/6.
        found = probabilities("kneser-ney", "<s>", order=3, discounts=[0.5])
        assert found["a"] == pytest.approx(1.5 / 2 + 0.5 / 2 * 0.9 / 6)

    def test_modified_kneser_ney_has_a_discount_for_each_count(self) -> None:
        # Unigrams as above with 0.2 for one left context, 0.6 for two:
        # b, </s>: 1.4/6;  a, c: 0.8/6;  rest (2 * 0.2 + 2 * 0.6) / 6 = 1.6/6 to five.
        found = probabilities("modified-kneser-ney", "", discounts=[0.2, 0.6, 2.5])
        assert found == close(a=1.12 / 6, b=1.72 / 6, c=1.12 / 6, end=1.72 / 6, unknown=0.32 / 6)

    def test_three_and_more_share_a_discount(self) -> None:
        # x stands 3 times, y 5 times, </s> once: (3 - 2) / 9, (5 - 2) / 9, (1 - 0.5) / 9, and
        # 4.5/9 for four tokens.
        model = train(["x x x y y y y y"], 1, "modified-kneser-ney", discounts=[0.5, 1, 2])
        found = distribution(model, [])
        assert math.exp(found["x"]) == pytest.approx(1 / 9 + 4.5 / 9 / 4)
        assert math.exp(found["y"]) == pytest.approx(3 / 9 + 4.5 / 9 / 4)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("lidstone", {"k": 0}),
        ("lidstone", {"k": math.inf}),
        ("stupid-backoff", {"weight": 0}),
        ("stupid-backoff", {"weight": 1.5}),
        ("katz", {"max_count": -1}),
        ("katz", {"form": "interpolated"}),
        ("laplace", {"k": 2}),
        ("witten-bell", {"form": "floor"}),
    ],
)
def test_options_that_make_no_sense(name: str, options: dict) -> None:
    with pytest.raises(UsageError) as failure:
        make_smoothing(name, **options)
    assert failure.value.hint


@pytest.mark.parametrize(
    ("name", "options", "count", "total", "sizes", "expected"),
    [
        ("maximum-likelihood", {}, 3, 8, [0, 0, 1, 2], "3 / 8"),
        ("laplace", {}, 3, 8, [0, 0, 1, 2], "(3 + 1) / (8 + 1 × 5)"),
        ("lidstone", {"k": 0.25}, 0, 8, [0, 0, 1, 2], "(0 + 0.25) / (8 + 0.25 × 5)"),
        ("witten-bell", {}, 3, 8, [0, 0, 1, 2], "3 / (8 + 3)"),
        ("stupid-backoff", {}, 3, 8, [0, 0, 1, 2], "3 / 8"),
        ("absolute-discounting", {"discounts": [0.5]}, 3, 8, [0, 0, 1, 2], "(3 - 0.5) / 8"),
    ],
)
def test_explanations_put_the_numbers_into_the_formula(
    name: str, options: dict, count: int, total: int, sizes: list[int], expected: str
) -> None:
    model = train(TEXT, 2, name, **options)
    method = make_smoothing(name)
    method.restore(model.facts["smoothing"]["parameters"])
    assert method.explain(2, count, total, sizes) == expected

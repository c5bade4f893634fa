"""Katz smoothing: Good-Turing ratios, what happens where they are undefined, left-over mass."""

from __future__ import annotations

import math

import pytest

from lmkit.ngram.explain import explain
from lmkit.ngram.smoothing.katz import Katz, good_turing_ratios

from ..small_models import distribution, train


class TestGoodTuringRatios:
    def test_by_hand(self) -> None:
        # n1 = 10, n2 = 4, n3 = 2, k = 2.  A = 3 * 2/10 = 0.6.
        # 1*/1 = 2 * 4/10 = 0.8:             (0.8 - 0.6) / 0.4 = 0.5
        # 2*/2 = 3 * 2/4 / 2 = 0.75:         (0.75 - 0.6) / 0.4 = 0.375
        assert good_turing_ratios([0, 10, 4, 2], 2) == pytest.approx([0.5, 0.375])

    def test_takes_as_much_as_was_seen_once(self) -> None:
        # Katz's condition: the sum of n(r) r (1 - d(r)) is n(1).
        n = [0, 4000, 1100, 520, 300, 190, 130]
        ratios = good_turing_ratios(n, 5)
        assert len(ratios) == 5
        taken = sum(n[r] * r * (1 - ratio) for r, ratio in enumerate(ratios, 1))
        assert taken == pytest.approx(n[1])

    def test_fewer_counts_are_discounted_where_the_ratios_are_undefined(self) -> None:
        # n5 = 0, so d(4) would be negative and d(5) has no value; up to 3 they are as by hand:
        # A = 4 * 10/100 = 0.4;  (0.8 - 0.4)/0.6, (3*20/(2*40) - 0.4)/0.6, (4*10/(3*20) - 0.4)/0.6
        expected = [0.4 / 0.6, 0.35 / 0.6, (2 / 3 - 0.4) / 0.6]
        assert good_turing_ratios([0, 100, 40, 20, 10, 0, 3], 5) == pytest.approx(expected)

    @pytest.mark.parametrize(
        "counts",
        [
            [0, 0, 0, 0, 0, 0, 0],
            [0, 5, 0, 0, 0, 0, 0],
            [0, 1, 9, 9, 9, 9, 9],  # rarer n-grams are fewer
            [0, 0, 3, 2, 1, 1, 1],
        ],
    )
    def test_none_where_no_choice_is_sound(self, counts: list[int]) -> None:
        assert good_turing_ratios(counts, 5) == []


def test_discounted_unigrams() -> None:
    # Nine words and </s> once, four words twice, two three times: n1 = 10, n2 = 4, n3 = 2, so
    # the ratios are 0.5 and 0.375 as above. Of 24 tokens 10 * 0.5 + 8 * 0.375 + 6 = 14 stay;
    # 10/24 go to the one token not seen.
    words = [*"abcdefghi", *"jklm" * 2, *"no" * 3]
    found = distribution(train([" ".join(words)], 1, "katz", max_count=2), [])
    assert math.exp(found["a"]) == pytest.approx(0.5 / 24)
    assert math.exp(found["j"]) == pytest.approx(0.375 * 2 / 24)
    assert math.exp(found["n"]) == pytest.approx(3 / 24)
    assert math.exp(found["<unk>"]) == pytest.approx(10 / 24)


def test_a_context_that_would_leave_nothing_is_raised_by_one() -> None:
    # a b b / a c, no discounts. Unigrams: 2, 2, 1, 2 of 7 + 1, <unk> has the one: 1/8.
    # After a: b and c 1/3 each; 1/3 is left for a, </s> and <unk>, which have 2, 2 and 1 of
    # the unigrams' eighths.
    model = train(["a b b", "a c"], 2, "katz", max_count=0)
    found = {token: math.exp(log_prob) for token, log_prob in distribution(model, ["a"]).items()}
    expected = {"a": 2 / 15, "b": 1 / 3, "c": 1 / 3, "</s>": 2 / 15, "<unk>": 1 / 15}
    assert found == pytest.approx(expected, rel=1e-6)


def test_the_left_over_goes_to_words_of_a_vocabulary_that_were_not_seen() -> None:
    # As above; <unk>, x and y share the one eighth of the unigrams.
    model = train(["a b b", "a c"], 1, "katz", max_count=0, words=["a", "b", "c", "x", "y"])
    found = distribution(model, [])
    for token in ("<unk>", "x", "y"):
        assert math.exp(found[token]) == pytest.approx(1 / 24)


def test_counts_are_discounted_as_far_as_one_likes() -> None:
    # Counts of a small text are kept in single bytes; 300 is more than these hold.
    model = train(["a b b", "a c"], 2, "katz", max_count=300)
    assert model.facts["smoothing"]["parameters"]["ratios"] == [[], []]
    steps = explain(model, "a b")
    assert steps[1][1].formula.startswith("1 / (2 + 1)")


def test_fallbacks_are_noted() -> None:
    notes = train(["a b b", "a c"], 2, "katz").facts["smoothing"]["notes"]
    assert len(notes) == 1
    assert notes[0].startswith("orders 1, 2: ") and "no count is discounted" in notes[0]


class TestExplanation:
    def method(self) -> Katz:
        method = Katz(max_count=2)
        method.restore({"form": "backoff", "max_count": 2, "ratios": [[0.5, 0.375]], "events": 10})
        return method

    def test_discounted(self) -> None:
        assert self.method().explain(1, 2, 9, [0, 1, 1, 2]) == "0.375 × 2 / 9"

    def test_kept_whole(self) -> None:
        assert self.method().explain(1, 6, 9, [0, 1, 1, 1]) == "6 / 9"

    def test_raised_total(self) -> None:
        assert self.method().explain(1, 6, 12, [0, 0, 0, 2]) == "6 / (12 + 1)"

    def test_nothing_is_left_to_give_where_all_words_are_listed(self) -> None:
        assert self.method().explain(1, 6, 60, [0, 0, 0, 10]) == "6 / 60"

    def test_it_says_which_counts_it_tells_apart(self) -> None:
        assert self.method().told_apart == 3

"""Estimated discounts, given discounts, and what happens where there is nothing to go by."""

from __future__ import annotations

import pytest

from lmkit.errors import UsageError
from lmkit.ngram.smoothing.absolute_discounting import AbsoluteDiscounting
from lmkit.ngram.smoothing.kneser_ney import KneserNey
from lmkit.ngram.smoothing.modified_kneser_ney import ModifiedKneserNey

from ..small_models import train


@pytest.mark.parametrize("kind", [AbsoluteDiscounting, KneserNey])
def test_one_discount_by_hand(kind: type[AbsoluteDiscounting]) -> None:
    # n1 = 6, n2 = 3: 6 / (6 + 2 * 3) = 1/2.
    assert kind().estimate([0, 6, 3]) == pytest.approx([0.5])
    assert kind().estimate([0, 6, 0]) is None
    assert kind().estimate([0, 0, 3]) is None


def test_three_discounts_by_hand() -> None:
    # n = 4, 2, 1, 1.  Y = 4 / (4 + 2 * 2) = 1/2.
    # D1 = 1 - 2 * 1/2 * 2/4 = 1/2;  D2 = 2 - 3 * 1/2 * 1/2 = 5/4;  D3 = 3 - 4 * 1/2 * 1/1 = 1.
    assert ModifiedKneserNey().estimate([0, 4, 2, 1, 1]) == pytest.approx([0.5, 1.25, 1.0])


@pytest.mark.parametrize("counts", [[0, 0, 2, 1, 1], [0, 4, 0, 1, 1], [0, 4, 2, 0, 1]])
def test_undefined_discounts(counts: list[int]) -> None:
    assert ModifiedKneserNey().estimate(counts) is None


def test_fallback_is_noted_an_order() -> None:
    facts = train(["a b b", "a c"], 2, "modified-kneser-ney").facts["smoothing"]
    assert facts["parameters"]["discounts"] == [[0.5, 1.0, 1.5]] * 2
    assert [note.partition(":")[0] for note in facts["notes"]] == ["orders 1, 2"]
    assert "0.5, 1, 1.5" in facts["notes"][0]


def test_a_discount_outside_its_bounds_is_not_used() -> None:
    # Bigrams x y seen once by 1, twice by 1, three times by 5: n = 1, 1, 5, 0.
    # Y = 1/3, D2 = 2 - 3 * 1/3 * 5 = -3.
    words = [f"{w}{w} {w}{w}{w}" for w in "abcdefg"]
    lines = [words[0], *[words[1]] * 2]
    for word in words[2:]:
        lines += [word] * 3
    facts = train(lines, 2, "modified-kneser-ney").facts["smoothing"]
    assert facts["parameters"]["discounts"][1] == [0.5, 1.0, 1.5]


def test_a_count_that_is_discounted_whole_counts_only_where_it_can_fall_back() -> None:
    """n4 = 0 makes the third discount 3, which takes all of a count of three. An interpolated
    n-gram has something left then, one of the backoff form has nothing."""
    lines = [f"a{i}" for i in range(4)]  # <s> ai and ai </s>: eight bigrams seen once
    lines += ["b"] * 2 + ["c c"] * 2  # <s> b, b </s>, <s> c, c c, c </s>: five seen twice
    lines += ["d"] * 3  # <s> d, d </s>: two seen three times
    # Y = 8 / (8 + 2 * 5) = 4/9;  D1 = 1 - 2 Y 5/8 = 4/9,  D2 = 2 - 3 Y 2/5 = 22/15,  D3 = 3.
    facts = train(lines, 2, "modified-kneser-ney").facts["smoothing"]
    assert facts["parameters"]["discounts"][1] == pytest.approx([4 / 9, 22 / 15, 3])
    facts = train(lines, 2, "modified-kneser-ney", form="backoff").facts["smoothing"]
    assert facts["parameters"]["discounts"][1] == [0.5, 1.0, 1.5]


class TestGivenDiscounts:
    def test_one_list_is_for_every_order(self) -> None:
        facts = train(["a b"], 3, "kneser-ney", discounts=[0.7]).facts["smoothing"]
        assert facts["parameters"]["discounts"] == [[0.7]] * 3
        assert facts["notes"] == []

    def test_lists_an_order_and_the_last_goes_on(self) -> None:
        facts = train(["a b"], 3, "kneser-ney", discounts=[[0.1], [0.2]]).facts["smoothing"]
        assert facts["parameters"]["discounts"] == [[0.1], [0.2], [0.2]]

    @pytest.mark.parametrize(
        ("discounts", "message"),
        [
            ([], "no discounts"),
            ([0.5, 0.5], "takes 1 discount an order, not 2"),
            ([1.5], "between 0 and 1"),
            ([-0.1], "between 0 and 1"),
        ],
    )
    def test_wrong_ones(self, discounts: list[float], message: str) -> None:
        with pytest.raises(UsageError, match=message) as failure:
            train(["a b"], 2, "kneser-ney", discounts=discounts)
        assert failure.value.hint

    def test_a_whole_count_has_no_backoff(self) -> None:
        train(["a b"], 2, "kneser-ney", discounts=[1.0])
        with pytest.raises(UsageError, match="in the backoff form, below"):
            train(["a b"], 2, "kneser-ney", discounts=[1.0], form="backoff")

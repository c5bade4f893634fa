"""Figures of spelling correction: by hand, against JamSpell's definition, by brute force."""

from __future__ import annotations

import itertools
import math
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmkit.errors import TextError
from lmkit.evaluate.alignment import aligned, segments
from lmkit.evaluate.correction import (
    CorrectionFigures,
    evaluate_pairs,
    evaluate_text,
    judge_line,
    judge_segmentation,
)

WORDS = st.lists(st.sampled_from("abc"), max_size=7)


def fewest_edits(one, other):
    """Levenshtein's distance of two sequences, by its definition."""

    @cache
    def distance(i, j):
        if not i or not j:
            return i + j
        return min(
            distance(i - 1, j - 1) + (one[i - 1] != other[j - 1]),
            distance(i - 1, j) + 1,
            distance(i, j - 1) + 1,
        )

    return distance(len(one), len(other))


def edits_of(matches, rows, columns):
    """The fewest edits that leave the pairs ``matches`` in place: between two of them, as many
    as the longer side has words."""
    path = [(-1, -1), *matches, (rows, columns)]
    return sum(max(r - pr - 1, c - pc - 1) for (pr, pc), (r, c) in itertools.pairwise(path))


@given(WORDS, WORDS)
def test_the_alignment_has_the_fewest_edits(one, other):
    matches = aligned(one, other)
    assert all(one[row] == other[column] for row, column in matches)
    assert all(r < s and c < d for (r, c), (s, d) in itertools.pairwise(matches))
    assert edits_of(matches, len(one), len(other)) == fewest_edits(one, other)


@given(WORDS, WORDS)
def test_the_segments_are_the_two_lines_cut_into_pieces(one, other):
    found = segments(one, other)
    assert [word for piece in found for word in piece.words] == other
    assert [place for piece in found for place in range(piece.first, piece.last)] == list(
        range(len(one))
    )


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), max_size=7))
def test_substitutions_that_are_fewest_are_compared_place_by_place(pairs):
    one, other = [p[0] for p in pairs], [p[1] for p in pairs]
    places = [place for place, (a, b) in enumerate(pairs) if a == b]
    if fewest_edits(one, other) == len(pairs) - len(places):
        assert aligned(one, other) == [(place, place) for place in places]


@pytest.mark.slow
def test_lines_of_any_length_are_aligned_in_bounded_work():
    one = [str(number) for number in range(3000)]
    other = [word for number, word in enumerate(one) if number % 100]
    assert len(aligned(one, other)) == len(other)
    assert aligned(one, [f"x{word}" for word in one]) == []


@pytest.mark.parametrize(
    "reference, other, expected",
    [
        ("the cat", "th e cat", [["th", "e"], ["cat"]]),
        ("of the cat", "ofthe cat", [["ofthe"], ["cat"]]),
        # Three words against two: the letters say which of them was joined.
        ("misspelled of the", "mispeled ofthe", [["mispeled"], ["ofthe"]]),
        ("hello big world", "he llo bigg wrld", [["he", "llo"], ["bigg"], ["wrld"]]),
    ],
)
def test_words_cut_in_two_and_run_together_are_segments(reference, other, expected):
    found = segments(reference.split(), other.split())
    assert [list(piece.words) for piece in found] == expected


def test_the_figures_of_a_line_worked_by_hand():
    # wrong before: teh, wich, form (3 of 7); after: teh is fixed, wich changed in vain, form
    # left as it was, and "sat" broken.
    found = judge_line(
        "teh cat sat wich came form here",
        "the cat sat which came from here",
        "the cat set witch came form here",
    )
    assert found == CorrectionFigures(7, 3, 3, fixed=1, broken=1, changed=3)
    assert found.fix_rate == found.recall == pytest.approx(1 / 3)
    assert found.broken_rate == pytest.approx(1 / 4)
    assert found.precision == pytest.approx(1 / 3)
    # (1 + 0.25) P R / (0.25 P + R) with P = R is P.
    assert found.f0_5 == pytest.approx(1 / 3)
    assert found.accuracy == pytest.approx(4 / 7)


def test_words_split_and_joined_are_judged_as_words():
    # th e -> the: fixed; ofthe stays: two words wrong before and after; sat -> s at: broken.
    found = judge_line("th e cat sat ofthe", "the cat sat of the", "the cat s at ofthe")
    assert found == CorrectionFigures(5, 3, 3, fixed=1, broken=1, changed=2)


def test_a_word_too_many_counts_against_the_word_before_it():
    assert judge_line("a b", "a b", "a x b") == CorrectionFigures(2, 0, 1, 0, broken=1, changed=1)
    assert judge_line("a b", "a b", "x a b") == CorrectionFigures(2, 0, 1, 0, broken=1, changed=1)
    assert judge_line("a", "", "a b") == CorrectionFigures()


@given(st.lists(st.tuples(*[st.sampled_from(["aa", "bb", "cc"])] * 3), max_size=6))
def test_text_that_stands_place_by_place_has_jamspells_figures(triples):
    before, right, after = ([triple[side] for triple in triples] for side in range(3))
    wrong = sum(b != r for b, r in zip(before, right, strict=True))
    left = sum(a != r for a, r in zip(after, right, strict=True))
    if fewest_edits(before, right) != wrong or fewest_edits(after, right) != left:
        return
    found = judge_line(" ".join(before), " ".join(right), " ".join(after))
    assert found.words == len(triples)
    assert found.errors_before == wrong
    assert found.errors_after == left
    assert found.fixed == sum(b != r == a for b, r, a in triples)
    assert found.broken == sum(b == r != a for b, r, a in triples)
    assert found.changed == sum(b != a for b, _, a in triples)


def test_what_is_divided_by_nothing_is_undefined():
    nothing = CorrectionFigures()
    assert math.isnan(nothing.fix_rate)
    assert math.isnan(nothing.f0_5)
    untouched = judge_line("teh", "the", "teh")
    assert math.isnan(untouched.precision)
    assert (untouched.fix_rate, untouched.f0_5) == (0, 0)


def test_text_is_summed_over_its_lines_in_order():
    corrupt, correct = ["teh cat", "", "a dgo"], ["the cat", "", "a dog"]
    fixes = {"teh cat": "the cat"}
    figures, boundaries = evaluate_text(
        lambda lines: [fixes.get(line, line) for line in lines], corrupt, correct
    )
    assert (figures.words, figures.errors_before, figures.errors_after) == (4, 2, 1)
    assert figures.words_per_second > 0
    assert boundaries is None
    assert (
        list(figures.as_dict())
        == (
            "words errors_before errors_after fix_rate broken_rate precision recall f0_5 accuracy"
            " words_per_second"
        ).split()
    )


@pytest.mark.parametrize("lines, said", [(1, "CORRECT ends after"), (3, "CORRUPT ends after")])
def test_texts_with_unequal_numbers_of_lines_are_refused(lines, said):
    with pytest.raises(TextError, match=said):
        evaluate_text(lambda block: block, ["a", "b"], ["a"] * lines)


def test_boundaries_worked_by_hand():
    # Wanted: the|cat|sat, ends 3 and 6. Given: the|cats|at, ends 3 and 7. Right: 3; words: the.
    found = judge_segmentation("the cat sat", "the cats at")
    assert found.boundary_f1 == pytest.approx(2 * 1 / (2 + 2))
    assert found.word_f1 == pytest.approx(2 * 1 / (3 + 3))
    assert judge_segmentation("thecat", "the cat").boundary_f1 == 0


def test_boundaries_where_letters_were_changed():
    found = judge_segmentation("the cat sat", "the bat sat")
    assert (found.boundaries_right, found.words_right) == (2, 2)


@given(st.text("ab", min_size=1, max_size=8), st.integers(0, 255), st.integers(0, 255))
def test_boundaries_are_those_of_the_sets_of_places(letters, wanted, given_):
    def cut(bits):
        pieces = "".join(
            letter + " " * (bits >> place & 1 and place < len(letters) - 1)
            for place, letter in enumerate(letters)
        )
        return pieces, {place for place in range(len(letters) - 1) if bits >> place & 1}

    (one, places), (other, others) = cut(wanted), cut(given_)
    found = judge_segmentation(one, other)
    assert found.boundaries_right == len(places & others)
    assert found.boundaries_wanted == len(places)
    assert found.boundaries_given == len(others)


def test_pairs_worked_by_hand():
    ranked = {"teh": ["the", "ten"], "wich": ["witch", "which"], "xx": list("abcdef"), "yy": ["q"]}
    # Alone "teh" and "xx" are put right (of 5: 2), in the sentence "wich" too but not "xx" (3):
    # there a word beside it is changed as well.
    lines = {
        "teh": "The",
        "xx": "f",
        ", teh ,": ", the ,",
        ", wich ,": ", Which ,",
        ", xx ,": "a f ,",
    }
    found = evaluate_pairs(
        ranked.__getitem__,
        lambda given: [lines.get(line, line) for line in given],
        [("teh", "the", 1), ("wich", "which", 2), ("xx", "f", 1), ("yy", "z", 1)],
    )
    assert found.pairs == 5
    assert found.top1 == pytest.approx(1 / 5)
    assert found.top5 == pytest.approx(3 / 5)
    assert found.mean_reciprocal_rank == pytest.approx((1 + 2 / 2 + 1 / 6) / 5)
    assert found.corrected == pytest.approx(2 / 5)
    assert found.corrected_in_sentence == pytest.approx(3 / 5)


def test_no_pairs_have_no_figures():
    found = evaluate_pairs(lambda word: [], lambda lines: lines, [])
    assert math.isnan(found.corrected) and math.isnan(found.corrected_in_sentence)

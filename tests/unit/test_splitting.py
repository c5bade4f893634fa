"""Words without spaces: each piece of the search against brute force, and the spaces it puts."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lmkit
from lmkit.channel.candidates.wordtable import WordTable
from lmkit.channel.corrector import Corrector
from lmkit.channel.edits.damerau import Damerau
from lmkit.channel.splitting.hashing import HashedText, WordHashes
from lmkit.channel.splitting.lettering import DISCOUNT, ORDER, Lettering
from lmkit.channel.splitting.letters import (
    INSIDE,
    LOWER,
    MIXED,
    SMALL,
    START,
    TITLE,
    UPPER,
    Letters,
)
from lmkit.channel.splitting.parts import PartFinder
from lmkit.channel.splitting.prices import Prices
from lmkit.channel.splitting.reading import LONGEST_PIECE, quietened, suffix_price
from lmkit.channel.splitting.slips import SlipFinder
from lmkit.channel.splitting.ways import Ways
from lmkit.text.settings import TextSettings

TEXT = (
    """the cat sat on the mat .
the cat ate the rat , and the rat did not like that .
I think of the house of the man ; the man is in the house .
London is the place where the man with the cat is .
don't do that , said the man in 1980 .
they went there with their cat from the house .
"""
    * 12
)


def corrector_of(path: Path, lowercase: bool = False, **options: object) -> Corrector:
    path.write_text(TEXT)
    model = lmkit.train(path, order=3, settings=TextSettings(lowercase=lowercase))
    return Corrector(model, channel=Damerau(), split_words=True, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module", params=[False, True], ids=["cased", "lowercase"])
def corrector(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Corrector:
    return corrector_of(tmp_path_factory.mktemp("source") / "text.txt", request.param)


def points_of(words: list[str]) -> tuple[np.ndarray, WordTable]:
    table = WordTable.of(words)
    return np.concatenate(([0], table.alphabet))[table.codes], table


def codes(text: str) -> np.ndarray:
    return np.array([ord(c) for c in text], np.int64)


def room_of(*texts: str) -> np.ndarray:
    return np.concatenate([np.arange(len(text), 0, -1) for text in texts])


# Hashes


@given(st.text("ab'é", min_size=1, max_size=12), st.integers(0, 11))
def test_a_hash_without_a_letter_is_that_of_the_shorter_text(text: str, place: int):
    place %= len(text)
    shorter = text[:place] + text[place + 1 :]
    begin, end = np.array([0]), np.array([len(text)])
    without = HashedText(codes(text)).without(begin, end, np.array([place]))
    expected = HashedText(codes(shorter)).of(begin, np.array([len(shorter)]))
    assert without == expected


@given(st.lists(st.text("abc", min_size=1, max_size=5), unique=True, min_size=1), st.text("abc"))
def test_words_are_found_at_every_place(words: list[str], text: str):
    points, table = points_of(words)
    found = WordHashes(points, table, 4).rows(codes(text), room_of(text))
    assert found.shape == (5, len(text))
    for length, start in itertools.product(range(5), range(len(text))):
        part = text[start : start + length]
        there = len(part) == length > 0 and part in words
        assert found[length, start] == (words.index(part) if there else -1)


# Slips


def slips_of(word: str, letters: str) -> set[str]:
    """All strings one slip away from ``word``."""
    cuts = [(word[:i], word[i:]) for i in range(len(word) + 1)]
    left_out = {a + b[1:] for a, b in cuts if b}
    added = {a + c + b for a, b in cuts for c in letters}
    replaced = {a + c + b[1:] for a, b in cuts if b for c in letters}
    swapped = {a + b[1] + b[0] + b[2:] for a, b in cuts if len(b) > 1}
    return (left_out | added | replaced | swapped) - {word}


@given(
    st.lists(st.text("abc", min_size=2, max_size=5), unique=True, min_size=1, max_size=8),
    st.text("abc", min_size=1, max_size=10),
)
def test_a_word_with_a_slip_is_found_as_by_trying_all_slips(words: list[str], text: str):
    points, table = points_of(words)
    parts = [(i, j) for i in range(len(text)) for j in range(i + 1, len(text) + 1)]
    start = np.array([i for i, _ in parts])
    length = np.array([j - i for i, j in parts])
    finder = SlipFinder(points, table, np.arange(len(words)))
    part, row, log_prob = finder.find(codes(text), start, length)
    found = {(text[slice(*parts[p])], words[r]) for p, r in zip(part, row, strict=True)}
    expected = {
        (text[i:j], word) for i, j in parts for word in words if text[i:j] in slips_of(word, "abc")
    }
    assert found == expected
    assert (log_prob < 0).all()


def test_a_slip_is_as_likely_as_any_of_its_kind():
    points, table = points_of(["there"])
    typed = ["thre", "theree", "thera", "htere"]
    finder = SlipFinder(points, table, np.array([0]))
    sizes = np.array([len(t) for t in typed])
    _, _, log_prob = finder.find(codes("".join(typed)), np.cumsum(sizes) - sizes, sizes)
    # One letter of five left out; one of 26 behind, between or before five, but that is told from
    # the six that were typed; one of 25 others for one of five; one of four pairs swapped.
    assert log_prob == pytest.approx(
        np.log(np.array([1 / 5, 1 / (26 * 6), 1 / (25 * 5), 1 / 4]) / 4)
    )


# Unknown words


def spelt(words: list[str], word: str) -> float:
    """p(``word``) by interpolated Kneser-Ney, straight from the definition."""
    start = "^" * (ORDER - 1)
    seen: Counter[str] = Counter()
    for known in words:
        text = start + known + "."
        seen.update(text[end - ORDER : end] for end in range(ORDER, len(text) + 1))
    tables = {ORDER: dict(seen)}
    for order in range(ORDER - 1, 0, -1):
        tables[order] = Counter(gram[1:] for gram in tables[order + 1])
    symbols = len(set("".join(words))) + 2

    def conditional(before: str, letter: str) -> float:
        table = tables[len(before) + 1]
        after = {gram[-1]: n for gram, n in table.items() if gram[:-1] == before}
        lower = conditional(before[1:], letter) if before else 1 / symbols
        if not after:
            return lower
        mass = DISCOUNT * len(after) * lower + max(after.get(letter, 0) - DISCOUNT, 0)
        return mass / sum(after.values())

    result = 1.0
    for place, letter in enumerate([*word, "."]):
        result *= conditional((start + word)[place : place + ORDER - 1], letter)
    return result


WORDS = ["abba", "ab", "baab", "cab", "bac"]


@pytest.mark.parametrize(
    ("words", "text"), [(WORDS, "abcabbaab"), (["a"], "aaaaaaa"), (["ab", "b"], "abaabbaab")]
)
def test_spellings_are_priced_by_letters_as_by_the_definition(words: list[str], text: str):
    lettering = Lettering(*points_of(words))
    priced = lettering.log_probs(lettering.symbols(codes(text)), room_of(text), 7)
    for length, start in itertools.product(range(1, 8), range(len(text))):
        part = text[start : start + length]
        if len(part) < length:
            assert priced[length, start] == -np.inf
        else:
            assert priced[length, start] == pytest.approx(math.log(spelt(words, part)), rel=1e-5)


def test_all_spellings_sum_to_one_at_most():
    lettering = Lettering(*points_of(WORDS))
    texts = ["".join(t) for size in range(1, 8) for t in itertools.product("abc", repeat=size)]
    text = "".join(texts)
    priced = lettering.log_probs(lettering.symbols(codes(text)), room_of(*texts), 7)
    sizes = np.array([len(t) for t in texts])
    total = np.exp(priced[sizes, np.cumsum(sizes) - sizes].astype(float)).sum()
    assert 0.7 < total < 1.0


# Ways


@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=3),
    st.integers(0, 2**32 - 1),
)
def test_the_best_way_through_each_part_is_found(sizes: list[int], seed: int):
    longest = 4
    room = np.concatenate([np.arange(size, 0, -1) for size in sizes])
    price = -np.random.default_rng(seed).exponential(3.0, (longest + 1, len(room)))
    price[np.arange(longest + 1)[:, None] > room] = -np.inf
    ways = Ways(price, room)
    for first, size in zip(np.cumsum(sizes) - sizes, sizes, strict=True):
        cuts = [
            bounds
            for number in range(size)
            for inner in itertools.combinations(range(1, size), number)
            for bounds in [[0, *inner, size]]
            if max(np.diff(bounds)) <= longest
        ]
        values = [
            sum(price[b - a, first + a] for a, b in itertools.pairwise(bounds)) for bounds in cuts
        ]
        for begin in range(size):
            for length in range(1, min(longest, size - begin) + 1):
                through = max(
                    (
                        value
                        for bounds, value in zip(cuts, values, strict=True)
                        if (begin, begin + length) in itertools.pairwise(bounds)
                    ),
                    default=-np.inf,
                )
                behind = ways.behind_best(
                    np.array([first + begin]), length, price[length, first + begin]
                )
                assert behind[0] == pytest.approx(through - max(values))


# Letters


@pytest.mark.parametrize(
    ("word", "pattern", "rises"),
    [
        ("word", LOWER, 0),
        ("Word", TITLE, 0),
        ("W", TITLE, 0),
        ("WORD", UPPER, 0),
        ("CPUs", UPPER, 0),
        ("wOrd", MIXED, 1),
        ("McDonaldHouse", MIXED, 2),
        ("O'Neill", TITLE, 0),
        ("d'Amico", TITLE, 0),
        ("McHugh", TITLE, 0),
        ("McHughTown", MIXED, 2),
        ("l'homme", LOWER, 0),
        ("BIll", MIXED, 0),
        ("don't", LOWER, 0),
        ("DON'T", UPPER, 0),
    ],
)
def test_how_a_word_is_written(word: str, pattern: int, rises: int):
    letters = Letters(["x", word, "Y"], [START, INSIDE, INSIDE])
    found = letters.patterns(np.array([1]), np.array([len(word)]))
    assert [int(values[0]) for values in found] == [pattern, rises]


def test_an_article_without_its_vowel_belongs_to_the_next_word():
    letters = Letters(["l'homme", "t'homme", "o'Neill", "l'h"], [INSIDE] * 4)
    start = np.array([0, 7, 14, 21])
    elided = letters.is_elided(start, letters.room[start])
    assert elided.tolist() == [True, False, True, False]


def test_letters_lose_their_marks_and_strokes():
    letters = Letters(["ÉŁø’İ", "ab"], [START, SMALL])
    assert "".join(map(chr, letters.plain)) == "elo'iab"
    assert letters.place.tolist() == [START, *[INSIDE] * 4, SMALL, SMALL]
    assert letters.room.tolist() == [5, 4, 3, 2, 1, 2, 1]


# Numbers


@pytest.mark.parametrize(
    ("number", "suffix", "likely"),
    [
        ("1980", "s", True),
        ("80", "s", True),
        ("1987", "s", False),
        ("21", "st", True),
        ("22", "nd", True),
        ("11", "th", True),
        ("112", "th", True),
    ],
)
def test_what_belongs_to_a_number(number: str, suffix: str, likely: bool):
    price = suffix_price(number, suffix)
    assert price is not None
    assert (price >= 0) == likely


@pytest.mark.parametrize(("number", "suffix"), [("2003", "st"), ("11", "st"), ("1.5", "th")])
def test_what_cannot_belong_to_a_number(number: str, suffix: str):
    assert suffix_price(number, suffix) is None


# The whole


@pytest.mark.parametrize(
    "text",
    [
        "the cat sat on the mat",
        "The cat ate the rat, and the rat did not like that.",
        "Then the man of London went there.",
        "don't do that, said the man",
        "the man's cat is in the house",
        "the Blorwin cat sat on the mat",
        "the cat of the 1980s and the 21st man",
        "THE CAT SAT ON THE MAT AND THE CAT ATE",
        'the man said "that is the place" and went',
        "the cat \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea sat",
    ],
)
def test_words_are_found(corrector: Corrector, text: str):
    (correction,) = corrector.correct([text.replace(" ", "")])
    assert correction.corrected == text
    assert all(0.5 <= change.posterior <= 1 + 1e-9 for change in correction.changes)


def test_small_letters_cost_nothing_in_a_line_without_capitals(corrector: Corrector):
    prices = Prices()
    costs = prices.of_words(corrector.lexicon)
    row = corrector.lexicon.rows["london"]
    lower = {place: costs[LOWER + 4 * place, row] for place in (INSIDE, START, SMALL)}
    assert lower[SMALL] == 0.0 > lower[START]
    # Only a source that tells capitals apart knows that there is no london.
    assert lower[INSIDE] == prices.lower_odd * corrector.lexicon.capitals[row]


def test_spaces_that_are_there_stay(corrector: Corrector):
    (correction,) = corrector.correct(["  the cat\tsatonthe  mat "])
    assert correction.corrected == "  the cat\tsat on the  mat "


def test_a_word_with_a_slip_is_one(corrector: Corrector):
    (correction,) = corrector.correct(["thecatwenttherefromteh house"])
    assert correction.corrected == "the cat went there from teh house"


@pytest.mark.parametrize("text", ["the house og the man", "the man of te house"])
def test_a_short_word_with_a_slip_is_one(corrector: Corrector, text: str):
    (correction,) = corrector.correct([text.replace(" ", "")])
    assert correction.corrected == text


def test_a_rare_word_may_be_a_common_one_with_a_slip(tmp_path: Path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT + "tha cot .\n")
    lexicon = Corrector(lmkit.train(path, order=2), channel=Damerau()).lexicon
    parts = PartFinder(lexicon, Prices()).find(Letters(["tha"], [INSIDE]), [])
    whole = parts.row[(parts.start == 0) & (parts.length == 3)]
    assert {lexicon.words[row] for row in whole.tolist() if row >= 0} >= {"tha", "the"}


def test_words_run_together_in_a_list_are_no_words(tmp_path: Path):
    counts = {"sunny": 2e6, "garden": 3e6, "sunnygarden": 500.0, "gardenias": 2e5}
    corrector = corrector_of(tmp_path / "text.txt", lexicon=counts)
    lines = [c.corrected for c in corrector.correct(["thesunnygarden", "thegardenias"])]
    assert lines == ["the sunny garden", "the gardenias"]


def test_long_lines_are_read_in_pieces(corrector: Corrector):
    sentence = "thecatsatonthemat."
    times = 4 * LONGEST_PIECE // len(sentence)
    (correction,) = corrector.correct([sentence * times])
    assert correction.corrected == " ".join(["the cat sat on the mat."] * times)


@pytest.mark.slow
def test_a_very_long_word_is_bounded(corrector: Corrector):
    lines = ["x" * 20_000, '"' * 20_000, "1" * 20_000, "Ab" * 10_000, "'" * 100_000]
    for line, correction in zip(lines, corrector.correct(lines), strict=True):
        assert correction.corrected.replace(" ", "") == line


def test_capitals_all_over_say_nothing():
    assert quietened("THECATSATONTHEMAT.") == "thecatsatonthemat."
    assert quietened("TheCatSat") == "TheCatSat"
    assert quietened("UNO") == "UNO"

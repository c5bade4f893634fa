"""The spelling model: by hand, against a dictionary of counts, and as a valid code."""

from __future__ import annotations

import json
from collections import Counter
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmkit.text import spelling
from lmkit.text.spelling import SpellingModel

END, ESCAPE = "END", "ESCAPE"


class Reference:
    """Interpolated Witten-Bell over characters, from dictionaries, a symbol at a time."""

    def __init__(self, words: list[str], order: int) -> None:
        self.order = order
        self.symbols = [*sorted(set("".join(words))), END, ESCAPE]
        self.counts: dict[tuple[str, ...], Counter[str]] = {}
        for word in words:
            history: tuple[str, ...] = ("BEGIN",)
            for symbol in [*word, END]:
                for length in range(min(order - 1, len(history)) + 1):
                    context = history[len(history) - length :]
                    self.counts.setdefault(context, Counter())[symbol] += 1
                history = (*history, symbol)

    def p(self, symbol: str, history: tuple[str, ...]) -> float:
        value = 1 / len(self.symbols)
        for length in range(min(self.order - 1, len(history)) + 1):
            followers = self.counts.get(history[len(history) - length :])
            if followers:
                total, types = followers.total(), len(followers)
                value = (followers[symbol] + types * value) / (total + types)
        if history == ("BEGIN",):
            return 0.0 if symbol == END else value / (1 - self.raw_end())
        return value

    def raw_end(self) -> float:
        value = 1 / len(self.symbols)
        for context in ((), ("BEGIN",))[: self.order]:
            if followers := self.counts.get(context):
                total, types = followers.total(), len(followers)
                value = (followers[END] + types * value) / (total + types)
        return value

    def probability(self, word: str) -> float:
        result, history = 1.0, ("BEGIN",)
        for character in word:
            known = character in self.symbols
            symbol = character if known else ESCAPE
            result *= self.p(symbol, history)
            if not known:
                result /= 256 ** len(character.encode())
            history = (*history, symbol)
        return result * self.p(END, history)


def test_by_hand() -> None:
    # Words "ab" and "a", order 2. Symbols: a, b, the end, the escape, so p0 = 1/4.
    # Order 1: a 2, b 1, end 2: N = 5, T = 3.
    #   p1(a) = p1(end) = (2 + 3/4) / 8 = 0.34375;  p1(b) = (1 + 3/4) / 8 = 0.21875
    # After the beginning, a twice: N = 2, T = 1.
    #   p(a) = (2 + 0.34375) / 3 = 0.78125;  p(end) = 0.34375 / 3, which is given to the others
    # After a, b and the end once each: N = 2, T = 2.
    #   p(b) = (1 + 2 * 0.21875) / 4 = 0.359375;  p(end) = (1 + 2 * 0.34375) / 4 = 0.421875
    # After b, the end once: N = 1, T = 1:  p(end) = (1 + 0.34375) / 2 = 0.671875
    first = 0.78125 / (1 - 0.34375 / 3)
    model = SpellingModel.train(["ab", "a"], order=2)
    expected = np.log([first * 0.421875, first * 0.359375 * 0.671875])
    np.testing.assert_allclose(model.log_probs(["a", "ab"]), expected)
    # An unknown character: the escape after the beginning, two bytes of it, the end after a
    # context never seen, which is order 1.
    escape = (3 / 4 / 8) / 3 / (1 - 0.34375 / 3)
    np.testing.assert_allclose(model.log_probs(["\u00e9"]), np.log(escape / 256**2 * 0.34375))


words = st.text(st.sampled_from("abc\u00e9\U0001f600"), min_size=1, max_size=6)


@given(st.lists(words, max_size=12), st.integers(1, 5), st.lists(words, max_size=5), st.booleans())
def test_against_dictionaries(
    training: list[str], order: int, test: list[str], dense: bool
) -> None:
    reference = Reference(training, order)
    with pytest.MonkeyPatch.context() as patch:
        if not dense:
            patch.setattr(spelling, "_MOST_BINS", 0)
        model = SpellingModel.train(training, order=order)
    test = [*test, *training, "zz", "a" * 20]
    expected = np.log([reference.probability(word) for word in test])
    np.testing.assert_allclose(model.log_probs(test), expected)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.text("ab", min_size=1, max_size=5), max_size=6), st.integers(1, 4))
def test_a_valid_code_that_wastes_nothing(training: list[str], order: int) -> None:
    # All words over the known characters up to a length, what goes on beyond it, and what
    # leaves by an escape: together exactly one.
    reference = Reference(training, order)
    model = SpellingModel.train(training, order=order)
    known = [symbol for symbol in reference.symbols if len(symbol) == 1]
    length, escaped, alive = 6, 0.0, {("BEGIN",): 1.0}
    for _ in range(length):
        escaped += sum(p * reference.p(ESCAPE, history) for history, p in alive.items())
        alive = {
            (*history, symbol): p * reference.p(symbol, history)
            for history, p in alive.items()
            for symbol in known
        }
    goes_on = sum(p * (1 - reference.p(END, history)) for history, p in alive.items())
    complete = ["".join(word) for n in range(1, length + 1) for word in product(known, repeat=n)]
    total = np.exp(model.log_probs(complete)).sum() if complete else 0.0
    assert total + goes_on + escaped == pytest.approx(1.0)


@pytest.mark.parametrize("literal", [0, 7])
def test_the_sum_over_all_words_approaches_one(literal: int) -> None:
    model = SpellingModel.train(["a", "b", "ab", "ba", "aa", "a"] * 20, literal)
    some = ["".join(word) for n in range(1, 15) for word in product("ab", repeat=n)]
    total = np.exp(model.log_probs([*some, "<unk>"])).sum()
    assert 0.99 < total < 1
    # Unknown characters, beside the known ones, stay within what is left.
    others = ["".join(word) for n in range(1, 6) for word in product("abz\u00e9", repeat=n)]
    others = [word for word in others if set(word) - set("ab")]
    assert total < total + np.exp(model.log_probs(others)).sum() < 1


def test_a_literal_unk_is_an_outcome_of_its_own() -> None:
    words = ["ab", "ba", "cab"]
    plain, literal = SpellingModel.train(words), SpellingModel.train(words, 9)
    # 9 literal ones to 3 others: 9 / 12 of all unknown words.
    spelt = np.exp(plain.log_probs(["<unk>", "ab"]))
    np.testing.assert_allclose(
        np.exp(literal.log_probs(["<unk>", "ab"])), [0.75 + 0.25 * spelt[0], 0.25 * spelt[1]]
    )
    more = SpellingModel.train(words, 9, unknowns=27)
    np.testing.assert_allclose(np.exp(more.log_probs(["ab"])), 0.75 * spelt[1])


def test_without_any_words() -> None:
    model = SpellingModel.train([], 5)
    # The first symbol can only be the escape; then the escape and the end have 1/2 each.
    expected = np.log([1 / 256 / 2, 1 / 256**2 / 4, 1 / 256**3 / 2]) + np.log(1 / 6)
    np.testing.assert_allclose(model.log_probs(["a", "ab", "\u20ac"]), expected)
    np.testing.assert_allclose(np.exp(model.log_probs(["<unk>"])), 5 / 6)


def test_no_words_and_empty_ones() -> None:
    model = SpellingModel.train(["a"])
    assert model.log_probs([]).tolist() == []
    assert model.log_probs(["", "a", ""])[[0, 2]].tolist() == [-np.inf, -np.inf]
    assert np.isfinite(model.log_probs(["\ud800", "\x00"])).all()


@given(st.lists(words, max_size=8))
def test_stored_and_back(training: list[str]) -> None:
    model = SpellingModel.train(training, 2)
    arrays = model.as_arrays()
    test = [*training, "<unk>", "ab\u00e9z"]
    again = SpellingModel.from_arrays(arrays)
    assert again.log_probs(test).tolist() == model.log_probs(test).tolist()
    listed = json.loads(json.dumps({name: values.tolist() for name, values in arrays.items()}))
    assert (
        SpellingModel.from_arrays(listed).log_probs(test).tolist() == again.log_probs(test).tolist()
    )


def test_a_sample_of_very_many_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spelling, "MOST_WORDS", 10)
    words = [f"{number:03}" for number in range(1000)]
    model = SpellingModel.train(words, 1)
    assert model.levels[0].counts.sum() == 10 * 5
    assert model.literal_weight == 1 / 1001


def test_many_different_characters() -> None:
    words = [chr(0x4E00 + number) + chr(0x20000 + number) for number in range(9000)]
    log_probs = SpellingModel.train(words).log_probs(words[:10])
    assert (log_probs < 0).all()
    assert (log_probs > 2 * np.log(1 / 18003)).all()

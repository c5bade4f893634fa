"""The forward sum over a source: against all that may be meant, and over all observed texts."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import lmkit
from lmkit.channel.edits.damerau import Damerau
from lmkit.channel.forward import sentence_log_probs
from lmkit.model import LanguageModel

LETTERS = "ab"
LONGEST = 5
WORDS = ["".join(w) for n in range(1, LONGEST + 1) for w in itertools.product(LETTERS, repeat=n)]


class Noisy:
    """What the forward sum needs of a noisy channel."""

    def __init__(self, source: LanguageModel, keep: float) -> None:
        self.source = source
        self.channel = Damerau()
        self.channel.keep = keep


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    path = tmp_path_factory.mktemp("toy") / "text.txt"
    path.write_text("ab\nab\nba\nab ba\nba ab\n")
    return lmkit.train(path, order=2)


def meant_log_prob(model: Noisy, typed: tuple[str, ...], meant: tuple[str, ...]) -> float:
    """log p(y) p(x | y), y of known words in step with x, or a word as it was typed."""
    source: Any = model.source
    batch = source.batch(" ".join(meant))
    spelling = source.spelling_costs(batch)
    value = source.score(batch)[0].sum() + spelling.sum()
    value += model.channel.log_probs(typed, meant).sum()
    return float(value + (len(typed) - 1) * model.channel.log_space)


@pytest.mark.parametrize("keep", [0.6, 0.95])
@pytest.mark.parametrize(
    "typed", [("ab",), ("ba",), ("b",), ("aab",), ("ab", "bb"), ("a", "ba"), ("áb",)]
)
def test_it_is_the_sum_over_everything_that_may_be_meant(
    source: LanguageModel, keep: float, typed: tuple[str, ...]
) -> None:
    model = Noisy(source, keep)
    known = list(source.vocabulary.tokens[3:])
    assert sorted(known) == ["ab", "ba"]
    meant = itertools.product(*([*known, *({word} - {*known})] for word in typed))
    expected = np.logaddexp.reduce([meant_log_prob(model, typed, y) for y in meant])
    found, _ = sentence_log_probs(model, [typed], beam=1000)
    assert found[0] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("keep", [0.6, 0.95])
def test_all_observed_texts_together_are_at_most_certain_and_nearly_what_is_meant(
    source: LanguageModel, keep: float
) -> None:
    """Over all texts of up to two words of up to `LONGEST` letters. What is missing is what the
    channel types with other letters or in longer words, and what is meant by longer texts; an
    unknown word (here "c") can only be meant by itself."""
    model = Noisy(source, keep)
    texts: list[tuple[str, ...]] = [(), *((word,) for word in WORDS)]
    texts += list(itertools.product(WORDS, repeat=2))
    found, _ = sentence_log_probs(model, texts, beam=1000)
    length = np.array([max(map(len, text), default=0) for text in texts])
    sums = [float(np.exp(found[length <= n]).sum()) for n in range(LONGEST + 1)]
    assert (np.diff(sums) > 0).all()
    assert sums[-1] <= 1
    known = [*source.vocabulary.tokens[3:]]
    assert sums[-1] > meant_up_to_two_words(source, known)
    # Of three words meant, two are typed where the space between them is lost.
    assert (
        sums[-1] < meant_up_to_two_words(source, [*known, "c"]) + 2 * model.channel.table.spaces[1]
    )


def meant_up_to_two_words(source: LanguageModel, words: list[str]) -> float:
    texts = ["", *words, *map(" ".join, itertools.product(words, repeat=2))]
    return sum(float(np.exp(source.score(text)[0].sum())) for text in texts)

"""Beam search against all sentences there are."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lmkit
from lmkit.errors import UsageError
from lmkit.model import BOS, EOS, UNK, Batch, LanguageModel
from lmkit.searching import BeamSearch, Found

from ..small_models import train

END = 2


@dataclass
class Table:
    """A model over 4 tokens (2 is the end) with a distribution for each history of at most
    ``order`` - 1 tokens; streams with the same history meet again where ``meets``."""

    order: int
    seed: int
    meets: bool = True
    advanced: int = 0
    rows: dict[tuple[int, ...], np.ndarray] = field(default_factory=dict)

    def advance(self, state: State, tokens: Sequence[int]) -> State:
        self.advanced += len(tokens)
        longer = [(*h, int(w)) for h, w in zip(state.histories, tokens, strict=True)]
        return State(
            self, [h[max(0, len(h) - self.order + 1) :] if self.meets else h for h in longer]
        )

    def next_log_probs(self, state: State) -> np.ndarray:
        return np.array([self.row(h) for h in state.histories]).reshape(-1, 4)

    def row(self, history: tuple[int, ...]) -> np.ndarray:
        h = history[max(0, len(history) - self.order + 1) :]
        if h not in self.rows:
            generator = np.random.default_rng([self.seed, len(h), *h])
            self.rows[h] = np.log(generator.dirichlet([0.7] * 4))
        return self.rows[h]


@dataclass
class State:
    model: Table
    histories: list[tuple[int, ...]]

    def __len__(self) -> int:
        return len(self.histories)

    def select(self, rows: Sequence[int]) -> State:
        return State(self.model, [self.histories[k] for k in rows])

    def keys(self) -> np.ndarray | None:
        if not self.model.meets:
            return None
        width = self.model.order - 1
        return np.array([(*h, *[-1] * (width - len(h))) for h in self.histories]).reshape(-1, width)


def every_path(model: Table, longest: int, penalty: float) -> list[Found]:
    """All that can be found, by trying everything, the best first."""
    found = []
    inner = [0, 1, 3]
    for length in range(1, longest + 1):
        lasts = [END] if length < longest else [END, *inner]
        for path in itertools.product(*[inner] * (length - 1), lasts):
            total = sum(model.row(path[:k])[path[k]] for k in range(length))
            found.append(Found(path, total, total / length**penalty))
    return sorted(found, key=lambda path: (-path.score, path.ids))


def are_the_best(found: list[Found], everything: list[Found], n: int) -> None:
    """Paths of the same transitions in another order are equally good but for rounding, so that
    what is compared is the scores, and that each path has its own."""
    known = {path.ids: path for path in everything}
    assert len({path.ids for path in found}) == len(found) == min(n, len(everything))
    best = [path.score for path in everything[:n]]
    assert [path.score for path in found] == pytest.approx(best)
    for path in found:
        assert path.score == pytest.approx(known[path.ids].score)
        assert path.log_probability == pytest.approx(known[path.ids].log_probability)


@pytest.mark.parametrize("penalty", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("meets", [True, False])
@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), order=st.integers(2, 4), n=st.integers(1, 9))
def test_a_wide_beam_finds_the_best_of_all(
    penalty: float, meets: bool, seed: int, order: int, n: int
) -> None:
    model = Table(order, seed, meets)
    search = BeamSearch(model, END, beam=81, n=n, max_tokens=5, length_penalty=penalty)
    are_the_best(search.run(State(model, [()])), every_path(model, 5, penalty), n)


@pytest.mark.slow
@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 4))
def test_recombining_loses_nothing(seed: int, n: int) -> None:
    """A bigram model has three states that go on, so three are a whole beam; without recombining
    as many paths lead to each as there are texts."""
    model = Table(2, seed)
    # 2 * beam candidates are tried, and three states have nine.
    found = BeamSearch(model, END, beam=5, n=n, max_tokens=7).run(State(model, [()]))
    are_the_best(found, every_path(model, 7, 0.0), n)
    assert model.advanced <= 7 * 10


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), beam=st.integers(1, 6))
def test_a_narrow_beam_finds_true_probabilities_in_order(seed: int, beam: int) -> None:
    model = Table(4, seed)
    found = BeamSearch(model, END, beam=beam, n=beam, max_tokens=6).run(State(model, [()]))
    everything = {path.ids: path.score for path in every_path(model, 6, 0.0)}
    assert found and len({path.ids for path in found}) == len(found)
    assert [everything[path.ids] for path in found] == pytest.approx([p.score for p in found])
    scores = [path.score for path in found]
    assert scores == sorted(scores, reverse=True)
    again = BeamSearch(model, END, beam=beam, n=beam, max_tokens=6).run(State(model, [()]))
    assert again == found


def test_equal_sentences_come_in_the_order_of_their_ids() -> None:
    model = Table(2, 0)
    model.rows = {h: np.log([0.25] * 4) for h in [(), (0,), (1,), (3,)]}
    found = BeamSearch(model, END, beam=30, n=5, max_tokens=3).run(State(model, [()]))
    assert [path.ids for path in found] == [(2,), (0, 2), (1, 2), (3, 2), (0, 0, 0)]


def test_what_cannot_follow_is_never_found() -> None:
    model = Table(2, 0)
    never = -np.inf
    model.rows = {(): np.array([never, 0, never, never]), (1,): np.array([never, never, 0, never])}
    found = BeamSearch(model, END, beam=4, n=4, max_tokens=9).run(State(model, [()]))
    assert found == [Found((1, 2), 0.0, 0.0)]
    model.rows = {(): np.full(4, never)}
    assert BeamSearch(model, END, beam=4, n=4).run(State(model, [()])) == []


@pytest.mark.parametrize(
    "options, message",
    [
        ({"beam": 2, "n": 3}, "a beam of 2 cannot hold the 3 best"),
        ({"beam": 0, "n": 1}, "a beam of 0 cannot hold"),
        ({"beam": 2, "length_penalty": -1}, "length penalty must be at least 0"),
        ({"beam": 2, "length_penalty": float("nan")}, "length penalty must be at least 0"),
    ],
)
def test_searches_that_make_no_sense(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        BeamSearch(Table(2, 0), END, **options)


def sentences(model: LanguageModel, longest: int) -> dict[tuple[int, ...], float]:
    """log p of every sentence of at most ``longest`` tokens that has no ``<unk>``."""
    words = [t for t in range(len(model.vocabulary)) if t not in (UNK, BOS, EOS)]
    paths = [
        (*path, EOS)
        for length in range(longest)
        for path in itertools.product(words, repeat=length)
    ]
    offsets = np.concatenate(([0], np.cumsum([len(path) for path in paths])))
    batch = Batch(np.concatenate(paths).astype(np.int32), offsets)
    return dict(zip(paths, batch.sentence_sums(model.score(batch)[0]).tolist(), strict=True))


@pytest.mark.parametrize("smoothing", ["modified-kneser-ney", "witten-bell", "stupid-backoff"])
def test_the_likeliest_sentences_of_a_model(smoothing: str) -> None:
    model = train(["a b c", "a b b", "b c", "a", "c a b"] * 2, 3, smoothing)
    everything = sentences(model, 5)
    ranked = sorted(everything, key=lambda path: -everything[path])
    found = model.beam_search(6, beam=100, max_tokens=12)
    assert [sentence.log_probability for sentence in found] == pytest.approx(
        [everything[path] for path in ranked[:6]]
    )
    assert {sentence.ids for sentence in found} == set(ranked[:6])
    assert found[0].text == model.encoder.decode(ranked[0][:-1])


def test_a_prompt_is_where_the_search_begins() -> None:
    model = train(["a b c", "a b b", "b c", "a", "c a b"] * 2, 3, "modified-kneser-ney")
    found = model.beam_search(2, beam=50, prompt="b", max_tokens=3)
    b = model.vocabulary.id_of("b")
    first = float(model.next_log_probs(model.start(1))[0, b])
    everything = {path: total for path, total in sentences(model, 4).items() if path[0] == b}
    assert all(sentence.ids[0] == b for sentence in found)
    assert found[0].log_probability == pytest.approx(max(everything.values()) - first)
    for sentence in found:
        assert sentence.log_probability == pytest.approx(everything[sentence.ids] - first)


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_the_likeliest_sentences_of_a_network(cell: str, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("a b c\na b b\nb c\na\nc a b\n" * 8, encoding="utf-8")
    model = lmkit.train(
        text, backend=cell, hidden=8, epochs=6, batch_size=4, bptt=8, workers=1, dropout=0.0
    )
    everything = sentences(model, 5)
    ranked = sorted(everything, key=lambda path: -everything[path])
    found = model.beam_search(5, beam=120, max_tokens=12)
    assert [sentence.ids for sentence in found] == ranked[:5]
    assert [sentence.log_probability for sentence in found] == pytest.approx(
        [everything[path] for path in ranked[:5]], abs=1e-4
    )
    assert found == model.beam_search(5, beam=120, max_tokens=12)

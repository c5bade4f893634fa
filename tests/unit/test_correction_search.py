"""The lattice and its search, against brute force; what must not change an answer."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import lmkit
from lmkit.channel.corrector import Corrector
from lmkit.channel.decoding.decoder import BeamSearch, Pricing
from lmkit.channel.decoding.joining import Parts, joined
from lmkit.channel.decoding.lattice import Lattice
from lmkit.channel.decoding.noise import reweighted
from lmkit.channel.edits.damerau import Damerau
from lmkit.channel.forward import sentence_log_probs
from lmkit.channel.weights import Weights
from lmkit.model import EOS, Batch, LanguageModel

from .lattice_support import TEXT, lattice_of, paths


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    path = tmp_path_factory.mktemp("source") / "text.txt"
    path.write_text(TEXT)
    return lmkit.train(path, order=3)


@pytest.fixture(scope="module")
def corrector(source: LanguageModel) -> Corrector:
    channel = Damerau()
    channel.keep = 0.9
    return Corrector(source, channel=channel, beam=100_000, behind=np.inf, levels=False, slips=0.0)


SENTENCES = ["teh cat sta", "acat is", "to day the rt", "the", "", "rat , rat 12"]


def weight(source: LanguageModel, lattice: Lattice, path: list[int], unknown: float) -> float:
    """The weight of a whole path, the source's part from ``score``, not from the search: of its
    tokens, and at each place with its twin in place of the token."""
    tokens = lattice.arcs.token[path]
    batch = Batch(tokens.astype(np.int32), np.array([0, len(tokens)]))
    log_probs = np.array(source.score(batch)[0], float)
    for place in np.flatnonzero(lattice.arcs.twin[path]).tolist():
        ids = tokens[: place + 1].astype(np.int32)
        ids[place] = lattice.arcs.twin[path[place]]
        other = source.score(Batch(ids, np.array([0, len(ids)])))[0][place]
        log_probs[place] = np.logaddexp(log_probs[place], other)
    log_probs = log_probs + lattice.arcs.log_unknown[path] + np.where(tokens == 0, unknown, 0.0)
    return float(log_probs.sum() + lattice.arcs.cost[path].sum())


@pytest.mark.parametrize("sentence", SENTENCES)
def test_the_search_equals_brute_force_over_all_ways(
    source: LanguageModel, corrector: Corrector, sentence: str
):
    lattice = lattice_of(corrector, [sentence])
    search = corrector.search(lattice)
    ways = paths(lattice, int(lattice.start[0]), int(lattice.end[0]))
    weights = np.array([weight(source, lattice, way, corrector._unknown) for way in ways])
    final = search.final[0]
    assert search.score[final] == pytest.approx(weights.max(), abs=1e-6)
    assert search.total[final] == pytest.approx(np.logaddexp.reduce(weights), abs=1e-6)
    assert search.path(0) == ways[int(weights.argmax())]
    posterior = np.zeros(len(lattice.arcs))
    for way, share in zip(ways, np.exp(weights - np.logaddexp.reduce(weights)), strict=True):
        posterior[way] += share
    np.testing.assert_allclose(search.posteriors(len(lattice.arcs)), posterior, atol=1e-9)


def test_the_best_text_is_that_of_brute_force_over_all_texts(source: LanguageModel):
    """y over all sequences of words of the source, not over what the lattice happens to have."""
    channel = Damerau()
    channel.keep = 0.9
    corrector = Corrector(
        source,
        channel=channel,
        weights=Weights.exact(0.9),
        beam=1000,
        behind=np.inf,
        levels=False,
        slips=0.0,
    )
    typed = ["teh", "czt", "sat"]
    words = [w for w in source.vocabulary.tokens[3:] if len(w) in (2, 3, 4)]
    prices = {
        (x, w): np.log(0.9) if x == w else channel.log_probs([x], [w])[0]
        for x, w in itertools.product(typed, words)
    }
    texts = list(itertools.product(words, repeat=3))
    batch = source.batch([" ".join(y) for y in texts])
    scores = np.add.reduceat(source.score(batch)[0], batch.offsets[:-1])
    scores += [sum(prices[pair] for pair in zip(typed, y, strict=True)) for y in texts]
    best = texts[int(scores.argmax())]
    assert corrector.correct([" ".join(typed)])[0].corrected == " ".join(best)


def test_the_search_adds_up_a_words_capitals(source: LanguageModel, corrector: Corrector):
    """Typed small, a word is worth what all its spellings are worth together."""
    lattice = lattice_of(corrector, ["the cat can eat"])
    twins = {
        source.vocabulary.tokens[token]: source.vocabulary.tokens[twin]
        for token, twin in zip(lattice.arcs.token, lattice.arcs.twin, strict=True)
        if twin
    }
    assert twins["the"] == "The"
    search = corrector.search(lattice)
    ways = paths(lattice, int(lattice.start[0]), int(lattice.end[0]))
    weights = np.array([weight(source, lattice, way, corrector._unknown) for way in ways])
    assert search.total[search.final[0]] == pytest.approx(np.logaddexp.reduce(weights), abs=1e-6)


def test_one_lattice_of_many_sentences_is_many_lattices_of_one(corrector: Corrector):
    together = corrector.search(lattice_of(corrector, SENTENCES))
    for number, sentence in enumerate(SENTENCES):
        alone = corrector.search(lattice_of(corrector, [sentence]))
        assert together.total[together.final[number]] == pytest.approx(
            alone.total[alone.final[0]], abs=1e-9
        )


class WithoutKeys:
    """A state whose streams never meet."""

    def __init__(self, state: Any) -> None:
        self.state = state

    def __len__(self) -> int:
        return len(self.state)

    def select(self, rows: Any) -> WithoutKeys:
        return WithoutKeys(self.state.select(rows))

    def keys(self) -> None:
        return None


class ForgetsKeys:
    """A model whose states have neither keys nor ``join``."""

    def __init__(self, model: LanguageModel) -> None:
        self._model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def start(self, batch_size: int) -> WithoutKeys:
        return WithoutKeys(self._model.start(batch_size))

    def advance(self, state: WithoutKeys, tokens: Any) -> WithoutKeys:
        return WithoutKeys(self._model.advance(state.state, tokens))

    def log_probs_of(self, state: WithoutKeys, tokens: Any) -> Any:
        return self._model.log_probs_of(state.state, tokens)


def test_recombination_does_not_change_the_answer(source: LanguageModel, corrector: Corrector):
    lattice = lattice_of(corrector, SENTENCES)
    pricing = Pricing(1.0, 0.0, corrector._unknown)
    forgetful: Any = ForgetsKeys(source)
    search = BeamSearch(lattice, forgetful, pricing, 100_000, np.inf).run()
    recombined = corrector.search(lattice)
    assert len(search.score) > len(recombined.score)
    for number in range(len(SENTENCES)):
        a, b = search.final[number], recombined.final[number]
        assert search.score[a] == pytest.approx(recombined.score[b], abs=1e-9)
        assert search.total[a] == pytest.approx(recombined.total[b], abs=1e-9)
        assert search.path(number) == recombined.path(number)


def test_a_narrow_beam_is_a_lower_bound(corrector: Corrector, source: LanguageModel):
    lattice = lattice_of(corrector, SENTENCES)
    exact = corrector.search(lattice)
    previous = np.full(len(SENTENCES), -np.inf)
    for beam in (1, 2, 4, 16, 1000):
        search = BeamSearch(
            lattice, source, Pricing(1.0, 0.0, corrector._unknown), beam, np.inf, True
        ).run()
        totals = search.total[search.final]
        assert (totals <= exact.total[exact.final] + 1e-9).all()
        previous = np.maximum(previous, totals)
    np.testing.assert_allclose(previous, exact.total[exact.final], atol=1e-9)


def test_reweighting_is_a_search_with_those_weights(corrector: Corrector):
    lattice = lattice_of(corrector, SENTENCES)
    search = corrector.search(lattice)
    extra = np.where(lattice.arcs.kind == 2, -1.5, 0.25)
    again = reweighted(search, extra[search.edge_arc])
    dearer = replace(lattice, arcs=replace(lattice.arcs, cost=lattice.arcs.cost + extra))
    fresh = corrector.search(dearer)
    np.testing.assert_allclose(again.total[again.final], fresh.total[fresh.final], atol=1e-9)
    assert [again.path(i) for i in range(6)] == [fresh.path(i) for i in range(6)]


def test_joined_parts_behave_like_one_state(source: LanguageModel):
    tokens = np.array([3, 4, 5, 6])
    whole = source.advance(source.start(4), tokens)
    first = WithoutKeys(source.advance(source.start(2), tokens[:2]))
    second = WithoutKeys(source.advance(source.start(2), tokens[2:]))
    parts = joined([first, second]).select([3, 0, 1])
    assert isinstance(parts, Parts)
    asked = np.array([[3, 4], [5, EOS], [4, 6]])
    model: Any = ForgetsKeys(source)
    expected = source.log_probs_of(whole.select([3, 0, 1]), asked)
    np.testing.assert_array_equal(parts.log_probs_of(model.log_probs_of, asked), expected)
    onwards = parts.advance(model.advance, np.array([5, 6, 7]))
    plain = source.advance(whole.select([3, 0, 1]), np.array([5, 6, 7]))
    np.testing.assert_array_equal(
        onwards.log_probs_of(model.log_probs_of, asked), source.log_probs_of(plain, asked)
    )


def test_the_probability_of_a_text_is_the_sum_over_all_that_may_be_meant(source: LanguageModel):
    """One typed word, worked out by hand: Σ_y p(y) p(x | y), the end of the sentence included."""

    class Model:
        channel = Damerau()

    model: Any = Model()
    model.source = source
    model.channel.keep = 0.9
    value, exact = sentence_log_probs(model, [["teh"]], beam=1000)
    ways = []
    for word in source.vocabulary.tokens[3:]:
        log_prob = source.score(word)[0].sum() + model.channel.log_probs(["teh"], [word])[0]
        ways.append(log_prob)
    batch = source.batch("teh")
    spelling = source.spelling_costs(batch)
    assert spelling is not None
    kept = model.channel.log_probs(["teh"], ["teh"])[0]
    ways.append(source.score(batch)[0].sum() + spelling.sum() + kept)
    total = np.logaddexp.reduce(ways)
    # Words more than two edits away, and splits in two, are all that may be missing or more.
    assert not exact
    assert value[0] == pytest.approx(total, abs=0.01)


def test_weights_come_from_what_a_model_stores():
    stored = {"source": 0.9, "channel": 0.8, "keep": 0.99, "name": 2.0, "nonsense": 1.0}
    assert Weights.of(stored, 0.5) == Weights(0.9, 0.8, 0.99, None, 2.0)
    assert Weights.of(None, 0.5).keep == 0.5

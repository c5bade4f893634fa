"""A search in two passes, and hypotheses that a network's states do not tell to be alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lmkit
from lmkit.channel.corrector import Corrector
from lmkit.channel.decoding.building import pieces_of
from lmkit.channel.decoding.decoder import BeamSearch, Pricing
from lmkit.channel.decoding.last_tokens import ALIKE, LastTokens
from lmkit.channel.decoding.lattice import CHANGED, Lattice
from lmkit.channel.decoding.passes import two_passes
from lmkit.channel.edits.damerau import Damerau
from lmkit.model import BOS, EOS, LanguageModel

TEXT = """the cat sat on the mat
the cat ate the rat
a rat sat on a cat
the hat is on the cat
to day the rat is at the hat
today the cat is at the mat
a man can eat at a mat
The cat can eat
Today a cat sat on The Hat
"""
SENTENCES = ["teh cat sta on the mta", "acat is", "to day the rt", "the", "", "rat , rat 12"]


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "text.txt"
    path.write_text(TEXT)
    return path


@pytest.fixture(scope="module")
def trigrams(text: Path) -> LanguageModel:
    return lmkit.train(text, order=3)


@pytest.fixture(scope="module")
def network(text: Path) -> LanguageModel:
    return lmkit.train(text, backend="lstm", preset="tiny", epochs=3, hold_out=0.0)


@pytest.fixture(scope="module")
def mixture(text: Path, trigrams: LanguageModel, network: LanguageModel) -> LanguageModel:
    return lmkit.mix([network, trigrams], valid=text)


def corrector_of(source: Any) -> Corrector:
    channel = Damerau()
    channel.keep = 0.9
    return Corrector(source, channel=channel, beam=10_000, behind=np.inf, levels=False, slips=0.0)


def lattice_of(corrector: Corrector, lines: Sequence[str]) -> Lattice:
    read = [corrector.surface.read(line) for line in lines]
    pieces = [p for i, line in enumerate(read) for p in pieces_of(line, i, corrector.surface)]
    return corrector.builder.build(read, pieces)


def paths(lattice: Lattice, node: int, end: int) -> list[list[int]]:
    if node == end:
        return [[]]
    return [
        [arc, *rest]
        for arc in range(int(lattice.first_arc[node]), int(lattice.first_arc[node + 1]))
        for rest in paths(lattice, int(lattice.arcs.target[arc]), end)
    ]


def score_of(search: Any) -> Any:
    return search.score[search.final]


def test_how_far_an_arc_is_behind_is_that_of_the_best_way_through_it(trigrams: LanguageModel):
    corrector = corrector_of(trigrams)
    lattice = lattice_of(corrector, ["teh cat sta"])
    search = corrector.search(lattice)
    steps = {
        (int(origin), int(arc)): (int(target), float(weight))
        for origin, arc, target, weight in zip(
            search.edge_from, search.edge_arc, search.edge_to, search.edge_weight, strict=True
        )
    }
    best = np.full(len(lattice.arcs), -np.inf)
    for way in paths(lattice, int(lattice.start[0]), int(lattice.end[0])):
        hypothesis, total = 0, 0.0
        for arc in way:
            hypothesis, weight = steps[hypothesis, arc]
            total += weight
        best[way] = np.maximum(best[way], total)
    np.testing.assert_allclose(search.behind_best(len(lattice.arcs)), best.max() - best, atol=1e-9)


def test_no_way_through_an_arc_that_was_left_out(trigrams: LanguageModel):
    corrector = corrector_of(trigrams)
    lattice = lattice_of(corrector, ["teh cat sta on the mta"])
    narrow = corrector.search(lattice, beam=1)
    behind = narrow.behind_best(len(lattice.arcs))
    assert np.isinf(behind).any()
    np.testing.assert_allclose(behind[narrow.path(0)], 0.0, atol=1e-9)


def test_two_passes_with_nothing_hopeless_are_one(trigrams: LanguageModel, text: Path):
    corrector = corrector_of(trigrams)
    lattice = lattice_of(corrector, SENTENCES)
    pricing = Pricing(1.0, 0.0, corrector._unknown)
    bigrams = lmkit.train(text, order=2)
    both = two_passes(lattice, bigrams, pricing, trigrams, pricing, 10_000, np.inf, far=np.inf)
    one = corrector.search(lattice)
    np.testing.assert_allclose(score_of(both), score_of(one), atol=1e-9)
    assert [both.path(i) for i in range(6)] == [one.path(i) for i in range(6)]
    arcs = len(lattice.arcs)
    np.testing.assert_allclose(both.posteriors(arcs), one.posteriors(arcs), atol=1e-9)


def test_what_is_hopeless_to_the_first_model_is_not_looked_at(trigrams: LanguageModel, text: Path):
    """With no distance at all the first model's best way is what is left."""
    corrector = corrector_of(trigrams)
    lattice = lattice_of(corrector, SENTENCES)
    pricing = Pricing(1.0, 0.0, corrector._unknown)
    bigrams = lmkit.train(text, order=2)
    first = BeamSearch(lattice, bigrams, pricing, 10_000, np.inf).run()
    both = two_passes(lattice, bigrams, pricing, trigrams, pricing, 10_000, np.inf, far=1e-9)
    assert [both.path(i) for i in range(6)] == [first.path(i) for i in range(6)]
    assert set(both.edge_arc) == {arc for i in range(6) for arc in first.path(i)}
    # Scores are the second model's.
    ways = [lattice.arcs.token[both.path(i)] for i in range(6)]
    assert (score_of(both) != score_of(first)).any() and all(way[-1] == EOS for way in ways)


def test_the_n_grams_of_a_mixture_go_first(
    mixture: Any, trigrams: LanguageModel, network: LanguageModel
):
    assert mixture.coarse is trigrams
    assert trigrams.coarse is trigrams and network.coarse is network
    corrector = corrector_of(mixture)
    corrector.explain = True
    found = [one.corrected for one in corrector.correct(SENTENCES)]
    lattice = lattice_of(corrector, SENTENCES)
    pricing = Pricing(1.0, 0.0, corrector._unknown)
    one = BeamSearch(lattice, mixture, pricing, 10_000, np.inf).run()
    both = corrector.search(lattice)
    np.testing.assert_allclose(score_of(both), score_of(one), atol=1e-6)
    assert len(both.edge_arc) < len(one.edge_arc)
    assert found[0] == "the cat sat on the mat"


def test_the_slow_model_is_asked_about_fewer_histories(mixture: Any, network: LanguageModel):
    asked = []
    original = type(network).log_probs_of

    def counted(self: Any, state: Any, tokens: Any) -> Any:
        asked.append(tokens.size)
        return original(self, state, tokens)

    corrector = corrector_of(mixture)
    lattice = lattice_of(corrector, SENTENCES)
    pricing = Pricing(1.0, 0.0, corrector._unknown)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(network), "log_probs_of", counted)
        corrector.search(lattice)
        two = sum(asked)
        asked.clear()
        BeamSearch(lattice, mixture, pricing, 10_000, np.inf).run()
    assert 0 < two < sum(asked) / 2


def test_n_grams_with_other_numbers_of_the_tokens_go_first_too(
    text: Path, trigrams: LanguageModel, tmp_path: Path
):
    words = tmp_path / "words.txt"
    words.write_text("".join(f"{w}\n" for w in reversed(trigrams.vocabulary.tokens[3:])))
    network = lmkit.train(
        text, backend="lstm", preset="tiny", epochs=1, hold_out=0.0, vocabulary=words
    )
    mixture: Any = lmkit.mix([network, trigrams], valid=text)
    coarse = mixture.coarse
    assert coarse is not mixture and coarse.context_length is not None
    ids, own_ids = (
        model.vocabulary.ids_of(["the", "cat", "sat", "</s>"]) for model in (mixture, trigrams)
    )
    assert ids.tolist() != own_ids.tolist()
    state = coarse.advance(coarse.start(1), ids[:1])
    own = trigrams.advance(trigrams.start(1), own_ids[:1])
    np.testing.assert_allclose(
        coarse.log_probs_of(state, ids[None]), trigrams.log_probs_of(own, own_ids[None]), atol=1e-6
    )


def test_what_every_way_goes_through_is_sure(trigrams: LanguageModel):
    corrector = corrector_of(trigrams)
    lattice = lattice_of(corrector, SENTENCES)
    # As many arcs as make a difference: the likeliest ways, and all ways.
    search = corrector.search(lattice)
    behind = search.behind_best(len(lattice.arcs))
    found = []
    for far in (0.5, 3.0, 8.0, np.inf):
        left = lattice.thinned(np.flatnonzero(behind <= far))
        expected = np.zeros(len(left.arcs), bool)
        for start, end in zip(left.start.tolist(), left.end.tolist(), strict=True):
            ways = [set(way) for way in paths(left, start, end)]
            expected[list(set.intersection(*ways))] = True
        expected &= left.arcs.kind != CHANGED
        np.testing.assert_array_equal(left.sure(), expected)
        found.append(int(expected.sum()))
    assert found[0] > found[2] > 0


def test_what_is_sure_need_not_be_asked_about(mixture: Any):
    """The same ways with the same probabilities, but not the source's score of the sentence."""
    corrector = corrector_of(mixture)
    lattice = lattice_of(corrector, SENTENCES)
    pricing = Pricing(1.0, 0.0, corrector._unknown)
    whole, relative = (
        two_passes(
            lattice, mixture.coarse, pricing, mixture, pricing, 10_000, np.inf, 3.0, relative
        )
        for relative in (False, True)
    )
    assert [whole.path(i) for i in range(6)] == [relative.path(i) for i in range(6)]
    arcs = len(lattice.arcs)
    np.testing.assert_allclose(whole.posteriors(arcs), relative.posteriors(arcs), atol=1e-9)
    assert (score_of(relative) > score_of(whole) + 0.1).any()


def test_who_is_told_the_score_of_a_sentence_gets_the_whole(mixture: Any):
    corrector = corrector_of(mixture)
    corrector.explain = True
    explained = corrector.correct(["teh cat sat on the mat"])[0]
    asked = corrector.suggest("teh", right="cat sat on the mat")[0]
    assert explained.corrected == "the cat sat on the mat" and asked.text == "the"
    alone = float(mixture.score("the cat sat on the mat")[0].sum())
    # A word's capitals are added up.
    assert alone - 0.01 <= asked.log_source <= alone + 2.0
    # Here the other words have been kept where they might have been changed.
    kept = 5 * np.log(0.9)
    assert explained.changes[0].candidates[0].log_source == pytest.approx(
        asked.log_source + kept, abs=0.05
    )


def test_last_tokens_are_remembered():
    last = LastTokens()
    last.begin(2)
    once = last.after(np.array([1, 0]), np.array([7, 8]))
    assert once.tolist() == [[BOS] * (ALIKE - 1) + [7], [BOS] * (ALIKE - 1) + [8]]
    last.extend(once)
    again = last.after(np.array([2]), np.array([9]))
    assert again.tolist() == [[BOS] * (ALIKE - 2) + [7, 9]]


def test_ways_through_a_network_meet_again_behind_what_they_share(network: LanguageModel):
    """Two readings of the first word, and behind as many sure words as are remembered one."""
    corrector = corrector_of(network)
    line = "teh , , , , , ,"
    lattice = lattice_of(corrector, [line])
    search = corrector.search(lattice)
    node = np.zeros(len(search.score), np.int64)
    node[search.edge_to] = lattice.arcs.target[search.edge_arc]
    hypotheses = np.bincount(node, minlength=len(lattice.time))
    start = int(lattice.start[0])
    assert hypotheses[start + 1] > 1
    assert hypotheses[start + ALIKE] > 1
    assert hypotheses[start + ALIKE + 1 : start + 7].tolist() == [1] * (6 - ALIKE)

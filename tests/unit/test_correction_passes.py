"""A search in two passes, and hypotheses that a network's states do not tell to be alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lmkit
from lmkit.channel.corrector import Corrector
from lmkit.channel.decoding.decoder import BEHIND, BeamSearch, Pricing
from lmkit.channel.decoding.last_tokens import ALIKE, LastTokens
from lmkit.channel.decoding.lattice import CHANGED
from lmkit.channel.decoding.passes import two_passes
from lmkit.channel.edits.damerau import Damerau
from lmkit.model import BOS, LanguageModel

from .lattice_support import TEXT, lattice_of, paths

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


def corrector_of(source: Any, behind: float = np.inf) -> Corrector:
    channel = Damerau()
    channel.keep = 0.9
    return Corrector(source, channel=channel, beam=10_000, behind=behind, levels=False, slips=0.0)


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
    both = two_passes(lattice, bigrams, pricing, trigrams, pricing, 10_000, np.inf, hopeless=np.inf)
    one = corrector.search(lattice)
    np.testing.assert_allclose(score_of(both), score_of(one), atol=1e-9)
    assert [both.path(i) for i in range(6)] == [one.path(i) for i in range(6)]
    arcs = len(lattice.arcs)
    np.testing.assert_allclose(both.posteriors(arcs), one.posteriors(arcs), atol=1e-9)


def test_what_is_hopeless_to_the_first_model_is_not_looked_at(trigrams: LanguageModel, text: Path):
    """With no distance at all its best way is what is left, and the text as it was typed."""
    corrector = corrector_of(trigrams)
    lattice = lattice_of(corrector, SENTENCES)
    pricing = Pricing(1.0, 0.0, corrector._unknown)
    bigrams = lmkit.train(text, order=2)
    first = BeamSearch(lattice, bigrams, pricing, 10_000, np.inf).run()
    both = two_passes(lattice, bigrams, pricing, trigrams, pricing, 10_000, np.inf, 1e-9)
    best = {arc for i in range(6) for arc in first.path(i)}
    typed = set(np.flatnonzero(lattice.arcs.kind != CHANGED).tolist())
    assert set(both.edge_arc.tolist()) == best | typed
    # Scores are the second model's.
    assert (score_of(both) != score_of(first)).any()


def test_the_n_grams_of_a_mixture_go_first(
    mixture: Any, trigrams: LanguageModel, network: LanguageModel, text: Path
):
    assert mixture.coarse is trigrams
    assert trigrams.coarse is trigrams and network.coarse is network
    assert lmkit.mix([mixture, network], valid=text).coarse is trigrams
    product: Any = lmkit.mix([network, trigrams], valid=text, kind="log-linear")
    assert product.coarse is trigrams
    corrector = corrector_of(mixture, BEHIND)
    corrector.explain = True
    found = [one.corrected for one in corrector.correct(SENTENCES)]
    lattice = lattice_of(corrector, SENTENCES)
    pricing = Pricing(1.0, 0.0, corrector._unknown)
    one = BeamSearch(lattice, mixture, pricing, 10_000, np.inf).run()
    both = corrector.search(lattice)
    np.testing.assert_allclose(score_of(both), score_of(one), atol=1e-6)
    assert len(both.edge_arc) < len(one.edge_arc)
    assert found[0] == "the cat sat on the mat"


def test_the_heavier_of_two_n_gram_models_goes_first(
    trigrams: LanguageModel, network: LanguageModel, text: Path
):
    bigrams = lmkit.train(text, order=2)
    for light, heavy in ((bigrams, trigrams), (trigrams, bigrams)):
        three: Any = lmkit.mix([light, network, heavy], valid=text)
        three.blend = three.blend.with_weights(np.array([[0.2, 0.5, 0.3]]))
        assert three.coarse is heavy
        three.blend = three.blend.with_weights(np.array([[0.02, 0.94, 0.04]]))
        assert three.coarse is three


def test_a_first_model_that_knows_nothing_of_a_sentence_leaves_all_of_it(
    network: LanguageModel, text: Path
):
    """Maximum likelihood has no way through most sentences, nor anything for unknown words."""
    sure = lmkit.train(text, order=3, smoothing="maximum-likelihood")
    mixture: Any = lmkit.mix([network, sure], valid=text)
    mixture.blend = mixture.blend.with_weights(np.array([[0.5, 0.5]]))
    corrector = corrector_of(mixture)
    assert corrector._coarse_unknown == 0.0
    lines = ["the rat sat on cat mqn", "qqqq xxxx", "the cat sat on the mat", "teh cat sta"]
    lattice = lattice_of(corrector, lines)
    pricing = Pricing(1.0, 0.0, corrector._unknown)
    one = BeamSearch(lattice, mixture, pricing, 10_000, np.inf).run()
    both = two_passes(
        lattice, mixture.coarse, Pricing(), mixture, pricing, 10_000, np.inf, relative=True
    )
    assert (one.final >= 0).all()
    assert [both.path(i) for i in (0, 1, 2)] == [one.path(i) for i in (0, 1, 2)]
    assert [one.corrected for one in corrector.correct(lines[1:3])] == lines[1:3]
    # All sentences of a lattice may be such.
    assert corrector.correct(lines[:1])[0].corrected.startswith("the ")


def test_what_was_typed_stays_beside_a_change(mixture: Any):
    """However unlikely the n-grams hold it: a change's posterior has that in it."""
    corrector = corrector_of(mixture)
    lattice = lattice_of(corrector, ["the cot sat on the mat"])
    pricing = Pricing(1.0, 0.0, corrector._unknown)
    search = two_passes(lattice, mixture.coarse, Pricing(), mixture, pricing, 10, 16.0, 0.01)
    kept = np.flatnonzero(lattice.arcs.kind != CHANGED)
    assert (search.posteriors(len(lattice.arcs))[kept] > 0).all()


def test_unknown_words_are_expected_of_each_model_by_itself(mixture: Any, trigrams: LanguageModel):
    corrector = corrector_of(mixture)
    assert corrector._coarse_unknown == corrector_of(trigrams)._unknown
    assert corrector._coarse_unknown != corrector._unknown


def test_a_wide_search_is_wide_in_both_passes(mixture: Any):
    lattice = lattice_of(corrector_of(mixture), ["teh cat sta on the mta"])
    narrow, wide = (
        set(corrector_of(mixture, behind).search(lattice).edge_arc.tolist())
        for behind in (BEHIND, 30.0)
    )
    assert narrow < wide


def test_the_slow_model_is_asked_about_fewer_histories(mixture: Any, network: LanguageModel):
    asked = []
    original = type(network).log_probs_of

    def counted(self: Any, state: Any, tokens: Any) -> Any:
        asked.append(tokens.size)
        return original(self, state, tokens)

    corrector = corrector_of(mixture, BEHIND)
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
    assert list(coarse.vocabulary.tokens) == list(mixture.vocabulary.tokens)
    assert coarse.vocabulary.tokens != trigrams.vocabulary.tokens
    sentence = "the cat sat on the mat"
    assert coarse.score(sentence)[0] == pytest.approx(trigrams.score(sentence)[0], abs=1e-6)
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
    # Nobody is told relative scores who has not asked for them.
    plain = corrector_of(mixture)
    np.testing.assert_allclose(
        score_of(plain.search(lattice)), score_of(plain.search(lattice, relative=False))
    )
    assert (score_of(plain.search(lattice, relative=True)) != score_of(whole)).any()


def test_who_is_told_the_score_of_a_sentence_gets_the_whole(mixture: Any):
    corrector = corrector_of(mixture)
    corrector.explain = True
    explained = corrector.correct(["teh cat sat on the mat"])[0]
    asked = corrector_of(mixture).suggest("teh", right="cat sat on the mat")[0]
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
    # The sum over all ways takes nothing for something else.
    pricing = Pricing(1.0, 0.0, corrector._unknown)
    total = BeamSearch(lattice, network, pricing, 10_000, np.inf, by_total=True).run()
    node = np.zeros(len(total.score), np.int64)
    node[total.edge_to] = lattice.arcs.target[total.edge_arc]
    assert (np.bincount(node)[start + 1 : start + 7] > 1).all()

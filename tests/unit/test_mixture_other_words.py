"""Mixtures of models with different vocabularies: a model's ``<unk>`` is shared over the words that
only others know, so that each stays a distribution, and so does the mixture."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest

import lmkit
from lmkit.errors import ModelFileError
from lmkit.mixture.model import MixtureModel
from lmkit.model import BOS, LanguageModel
from lmkit.ngram.model import NgramModel
from lmkit.text.settings import TextSettings

from ..small_models import train

ONE = ["a b c", "a <unk> b", "b a a", "c"]
OTHER = ["a d e", "d a <unk> d", "e", "a d b"]
THIRD = ["f a", "a f f d"]


def models() -> list[NgramModel]:
    return [
        train(ONE, 3, "witten-bell"),
        train(OTHER, 2, "katz"),
        train(THIRD, 3, "modified-kneser-ney"),
    ]


def network() -> LanguageModel:
    return lmkit.train(
        Path(__file__), backend="lstm", hidden=4, epochs=1, vocabulary=["d", "e", "and"],
        settings=TextSettings("whitespace"), workers=1,
    )  # fmt: skip


def prob(model: LanguageModel, context: list[str], word: str) -> float:
    state = model.start(1)
    for token in context:
        state = model.advance(state, model.vocabulary.ids_of([token]))
    return math.exp(model.log_probs_of(state, model.vocabulary.ids_of([word])[None])[0, 0])


def every_context(words: list[str]) -> list[list[str]]:
    """None at all, words that all, one or no model knows, and two of these."""
    return [list(c) for n in range(3) for c in itertools.product(words, repeat=n)]


def test_by_hand() -> None:
    """Unigrams of a, b, <unk> and of a, c, d: the joint words are a, b, c, d."""
    one = train(["a a b <unk>"], 1, "katz")
    other = train(["a c d d"], 1, "katz")
    mixture = lmkit.mix([one, other], weights=[0.25, 0.75])
    assert mixture.vocabulary.tokens == ["<unk>", "<s>", "</s>", "a", "b", "c", "d"]
    p, q = (lambda word: prob(one, [], word)), (lambda word: prob(other, [], word))
    # To the first <unk> is c, d and what neither knows; to the second b and that.
    expected = {
        "a": 0.25 * p("a") + 0.75 * q("a"),
        "b": 0.25 * p("b") + 0.75 * q("<unk>") / 2,
        "c": 0.25 * p("<unk>") / 3 + 0.75 * q("c"),
        "d": 0.25 * p("<unk>") / 3 + 0.75 * q("d"),
        "<unk>": 0.25 * p("<unk>") / 3 + 0.75 * q("<unk>") / 2,
        "</s>": 0.25 * p("</s>") + 0.75 * q("</s>"),
    }
    assert sum(expected.values()) == pytest.approx(1)
    for word, value in expected.items():
        assert prob(mixture, [], word) == pytest.approx(value, rel=1e-9), word


@pytest.mark.parametrize("kind", ["linear", "log-linear"])
@pytest.mark.parametrize("parts", ["two", "three", "network"])
def test_sums_to_one_after_every_kind_of_context(kind: str, parts: str) -> None:
    one, other, third = models()
    mixed = {"two": [one, other], "three": [one, other, third], "network": [one, network()]}[parts]
    weights = np.full(len(mixed), 1 / len(mixed))
    mixture = lmkit.mix(mixed, weights=weights.tolist(), kind=kind)
    for context in every_context(["a", "c", "d", "nobody"]):
        state = mixture.start(1)
        for token in context:
            state = mixture.advance(state, mixture.vocabulary.ids_of([token]))
        log_probs = mixture.next_log_probs(state)[0]
        assert np.exp(log_probs).sum() == pytest.approx(1, abs=2e-6), context
        for member, part in zip(mixture.members, state.parts, strict=True):
            assert np.exp(member.next_log_probs(part)).sum() == pytest.approx(1, abs=2e-6)


def test_a_word_that_a_part_lacks_is_an_unknown_word_of_its_history() -> None:
    one, other, _ = models()
    mixture = lmkit.mix([one, other], weights=[0.5, 0.5])
    found = prob(mixture, ["a", "d"], "b")
    share = other.vocabulary
    assert "d" not in one.vocabulary
    assert "b" in share
    expected = prob(one, ["a", "<unk>"], "b") / 2 + prob(other, ["a", "d"], "b") / 2
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("embed", [False, True])
def test_the_file_keeps_the_words_of_all(tmp_path: Path, embed: bool) -> None:
    for number, model in enumerate(models()):
        model.save(tmp_path / f"{number}.lm")
    paths = [tmp_path / f"{number}.lm" for number in range(3)]
    mixture = lmkit.mix(paths, weights=[0.2, 0.3, 0.5], embed=embed, output=tmp_path / "mix.lm")
    loaded = lmkit.load(tmp_path / "mix.lm")
    assert loaded.vocabulary.tokens == mixture.vocabulary.tokens
    lines = [*ONE, *OTHER, *THIRD, "nobody a"]
    np.testing.assert_array_equal(loaded.score(lines)[0], mixture.score(lines)[0])
    # A mixture of it knows its words as well.
    again = lmkit.mix([loaded, models()[0]], weights=[0.5, 0.5])
    assert set(again.vocabulary.tokens) == set(mixture.vocabulary.tokens)
    assert np.exp(again.next_log_probs(again.start(1))).sum() == pytest.approx(1, abs=1e-6)


def test_a_file_whose_words_are_mixed_up_is_damaged(tmp_path: Path) -> None:
    mixture = lmkit.mix(models()[:2], weights=[0.5, 0.5])
    into = mixture.members[0].into
    assert into is not None
    into[0] = 3
    mixture.save(tmp_path / "mix.lm")
    with pytest.raises(ModelFileError, match="its tokens are not those of its models"):
        lmkit.load(tmp_path / "mix.lm")


def test_weights_are_fitted_to_the_words_of_all(tmp_path: Path) -> None:
    """EM gives each its share of a text, though each lacks words of it."""
    valid = tmp_path / "valid.txt"
    valid.write_text("a b c\nd e\nd e\nd e\na nobody\n", encoding="utf-8")
    mixture = lmkit.mix(models()[:2], valid=valid)
    best = mixture.perplexity(valid).perplexity
    assert mixture.facts["fit"]["perplexity"]["mixture"] == pytest.approx(best)
    for weight in np.linspace(0.05, 0.95, 10):
        other = lmkit.mix(models()[:2], weights=[weight, 1 - weight])
        assert other.perplexity(valid).perplexity >= best - 1e-6


def test_words_were_seen_as_often_as_in_all_texts() -> None:
    """Correction asks how often: as of a model of all the texts."""
    one, other, _ = models()
    vocabulary = lmkit.mix([one, other], weights=[0.5, 0.5]).vocabulary
    found = dict(zip(vocabulary.tokens, vocabulary.counts.tolist(), strict=True))
    assert found == {
        "<unk>": 2, "<s>": 8, "</s>": 8, "a": 7, "b": 4, "c": 2, "d": 4, "e": 2
    }  # fmt: skip


def test_what_is_drawn_has_the_words_of_all() -> None:
    mixture = lmkit.mix(models(), weights=[0.3, 0.3, 0.4])
    drawn = " ".join(one.text for one in mixture.generate(200, seed=1))
    assert set(drawn.split()) == set("abcdef")


class TestMerging:
    def merged(self, mixture: MixtureModel) -> NgramModel:
        model = lmkit.merge(mixture)
        assert isinstance(model, NgramModel)
        return model

    def test_listed_ngrams_have_the_mixtures_probability(self) -> None:
        mixture = lmkit.mix(models(), weights=[0.2, 0.5, 0.3])
        merged = self.merged(mixture)
        assert merged.vocabulary.tokens == mixture.vocabulary.tokens
        assert merged.trie.sizes[0] == 9
        from lmkit.ngram.assembly import ngram_ids

        tokens = mixture.vocabulary.tokens
        for order in (2, 3):
            ids = ngram_ids(merged.trie, order, np.arange(merged.trie[order].size))
            for ngram in ids.tolist():
                if ngram[0] != BOS:
                    continue
                words = [tokens[i] for i in ngram[1:]]
                found = prob(merged, words[:-1], words[-1])
                assert found == pytest.approx(prob(mixture, words[:-1], words[-1]), rel=1e-5)

    def test_sums_to_one(self) -> None:
        merged = self.merged(lmkit.mix(models(), weights=[0.2, 0.5, 0.3]))
        for context in every_context(["a", "c", "d", "f", "nobody"]):
            state = merged.start(1)
            for token in context:
                state = merged.advance(state, merged.vocabulary.ids_of([token]))
            assert np.exp(merged.next_log_probs(state)).sum() == pytest.approx(1, abs=2e-6)

    def test_goes_to_arpa_and_back(self, tmp_path: Path) -> None:
        merged = self.merged(lmkit.mix(models(), weights=[0.2, 0.5, 0.3]))
        lmkit.export_model(merged, tmp_path / "merged.arpa")
        again = lmkit.import_model(tmp_path / "merged.arpa")
        lines = [*ONE, *OTHER, *THIRD, "nobody a"]
        np.testing.assert_allclose(again.score(lines)[0], merged.score(lines)[0], atol=1e-5)

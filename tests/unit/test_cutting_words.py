"""Models cut to a word list, against the sums that they promise, after every history."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lmkit
from lmkit.errors import UnsupportedError, UsageError
from lmkit.model import UNK, LanguageModel
from lmkit.ngram.explain import continuations
from lmkit.ngram.model import NgramModel

from ..small_models import distribution, texts, train

METHODS = ["modified-kneser-ney", "witten-bell", "katz", "jelinek-mercer", "maximum-likelihood"]
LINES = ["a b c d", "b c a a e", "c c b d", "a b <unk> c", "e e a", "a b d"] * 2


def cut(model: LanguageModel, words: Sequence[str], **how: bool) -> NgramModel:
    return lmkit.prune(model, vocabulary=list(words), **how)[1]


def contexts(words: Sequence[str], most: int) -> list[list[str]]:
    """Histories of words that stay, anywhere and at the beginning of a sentence."""
    found = [list(c) for n in range(most + 1) for c in itertools.product(words, repeat=n)]
    return found + [["<s>", *context] for context in found]


def check(model: NgramModel, words: Sequence[str]) -> None:
    """Both ways of cutting ``model`` to ``words`` after every history of these."""
    lumped, closed = cut(model, words), cut(model, words, closed=True)
    for context in contexts(words, min(model.order, 3) - 1):
        old = {token: np.exp(lp) for token, lp in distribution(model, context).items()}
        stays = {token: p for token, p in old.items() if token in (*words, "</s>")}
        left = sum(stays.values())
        found = {token: np.exp(lp) for token, lp in distribution(lumped, context).items()}
        assert set(found) == {*stays, "<unk>"}
        assert found == pytest.approx({**stays, "<unk>": sum(old.values()) - left}, abs=3e-6)
        if left < 1e-4:
            continue
        found = {token: np.exp(lp) for token, lp in distribution(closed, context).items()}
        expected = {token: p / left for token, p in stays.items()}
        assert found == pytest.approx({**expected, "<unk>": 0.0}, abs=2e-5 / left)
        assert sum(found.values()) == pytest.approx(1, abs=1e-5)


@pytest.mark.slow
@given(texts(), st.sampled_from(METHODS), st.integers(1, 4), st.sets(st.sampled_from("abcde")))
def test_what_is_left_out_goes_to_unk_or_to_the_others(
    lines: list[str], method: str, order: int, words: set[str]
) -> None:
    model = train(lines, order, method)
    if known := sorted(words & set(model.vocabulary.tokens)):
        check(model, known)


def test_by_hand() -> None:
    """Unigrams of 'a a b c' with </s>: relative frequencies 2/5, 1/5, 1/5, 1/5."""
    model = train(["a a b c"], 1, "maximum-likelihood")
    found = distribution(cut(model, ["a"]), [])
    assert np.exp([found["a"], found["</s>"], found["<unk>"]]) == pytest.approx([0.4, 0.2, 0.4])
    found = distribution(cut(model, ["a"], closed=True), [])
    assert np.exp([found["a"], found["</s>"]]) == pytest.approx([2 / 3, 1 / 3])
    assert found["<unk>"] == -np.inf


def test_models_that_lost_ngrams_or_came_from_files(tmp_path: Path) -> None:
    """Contexts whose shorter forms are not there."""
    whole = train(LINES, 4, "modified-kneser-ney")
    _, pruned = lmkit.prune(whole, entropy=3e-2)
    lmkit.export_model(pruned, tmp_path / "pruned.arpa")
    for model in (pruned, lmkit.import_model(tmp_path / "pruned.arpa")):
        assert isinstance(model, NgramModel)
        check(model, ["a", "c"])
        check(model, ["b", "d", "e"])


def test_a_context_that_says_nothing_of_the_words_that_stay() -> None:
    """After x came only y: given that none of y comes, what follows is as anywhere."""
    model = train(["x y", "a b", "x y"], 2, "maximum-likelihood")
    closed = cut(model, ["x", "a", "b"], closed=True)
    assert distribution(closed, ["x"]) == pytest.approx(distribution(closed, []))


def test_counts_go_to_unk() -> None:
    model = cut(train(["a b", "a c", "a c", "a <unk>"], 2, "witten-bell"), ["a"])
    found = {row.token: row.count for row in continuations(model, "a")}
    assert found == {"<unk>": 4, "</s>": 4, "a": 4}
    assert model.vocabulary.counts[UNK] == 4


def test_every_word_stays() -> None:
    model = train(LINES, 3, "witten-bell")
    same = cut(model, model.vocabulary.tokens)
    np.testing.assert_allclose(same.score(LINES)[0], model.score(LINES)[0], atol=1e-6)
    assert same.trie.sizes == model.trie.sizes


@pytest.mark.parametrize("closed", [False, True])
def test_goes_through_files(tmp_path: Path, closed: bool) -> None:
    model = cut(train(LINES, 3, "katz"), ["a", "b", "nobody"], closed=closed)
    model.save(tmp_path / "cut.lm")
    lines = ["a b", "b a a", "a"]
    np.testing.assert_array_equal(
        lmkit.load(tmp_path / "cut.lm").score(lines)[0], model.score(lines)[0]
    )
    lmkit.export_model(model, tmp_path / "cut.arpa")
    again = lmkit.import_model(tmp_path / "cut.arpa")
    np.testing.assert_allclose(again.score(lines)[0], model.score(lines)[0], atol=1e-5)
    assert (again.score("zebra")[0][0] < -200) == closed


def test_what_closed_models_say_of_unknown_words() -> None:
    model = cut(train(LINES, 3, "katz"), ["a", "b"], closed=True)
    figures = model.perplexity(["a zebra b"])
    assert figures.perplexity == np.inf
    assert np.isfinite(figures.perplexity_excluding_oovs)
    assert all(set(one.text.split()) <= {"a", "b"} for one in model.generate(50, seed=1))


class TestRefusals:
    def test_no_word_is_left(self) -> None:
        with pytest.raises(UsageError, match="none of these words"):
            cut(train(LINES, 2, "katz"), ["nobody", "<unk>", "</s>"])

    def test_no_backoff(self) -> None:
        for method in ("laplace", "stupid-backoff"):
            with pytest.raises(UnsupportedError, match="does not back off to shorter contexts"):
                cut(train(LINES, 2, method), ["a"])

    def test_lost_counts(self) -> None:
        model = cut(train(LINES, 2, "katz"), ["a"])
        with pytest.raises(UnsupportedError, match="pruned"):
            lmkit.resmooth(model, smoothing="witten-bell")

    def test_closed_alone(self) -> None:
        with pytest.raises(UsageError, match="closed is nothing without a vocabulary"):
            lmkit.prune(train(LINES, 2, "katz"), size=10, closed=True)

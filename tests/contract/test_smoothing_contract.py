"""What every registered smoothing method keeps to, in each of its forms and at every order."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmkit.ngram.backend import NgramBackend
from lmkit.ngram.building import make_smoothing
from lmkit.ngram.counting import count_ngrams
from lmkit.ngram.estimation import CountEvidence
from lmkit.ngram.model import NgramModel
from lmkit.ngram.smoothing.base import Block
from lmkit.registry import names, resolve

from ..small_models import corpus_of, distribution, texts, train

CASES = [(name, form) for name in names("smoothing") for form in resolve("smoothing", name).forms]
NORMALISED = [case for case in CASES if resolve("smoothing", case[0]).normalised]
ORDERS = range(1, 6)
EACH_ORDER = [
    pytest.param(order, marks=() if order in (1, 3) else pytest.mark.slow) for order in ORDERS
]

DEGENERATE = {
    "one word": ["a"],
    "one word again and again": ["a a a a a a a a"],
    "one sentence": ["the cat sat on the mat"],
    "one sentence again and again": ["the cat sat"] * 7,
    "all words distinct": ["a b c d", "e f g", "h i j k l"],
    "mostly empty lines": ["", "", "a", "", ""],
    "nothing seen once": ["a b", "a b", "b a", "b a"],
    "only an unknown word": ["<unk>"],
    "unknown words among others": ["<unk> a <unk> b", "a <unk>"],
}


def contexts(lines: list[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Contexts of every kind, up to five tokens long."""
    yield "empty", ()
    yield "beginning", ("<s>",)
    for line in lines[:12]:
        tokens = line.split()[:5]
        for start in range(len(tokens)):
            yield "seen", tuple(tokens[start:])
            yield "its suffix seen", ("<unk>", *tokens[start:])
            yield "its suffix seen", ("<s>", "<unk>", *tokens[start:])
            yield "unseen", tuple(reversed(tokens[start:]))
        for end in range(1, len(tokens) + 1):
            yield "seen from the beginning", ("<s>", *tokens[:end])
    yield "after an unknown word", ("<unk>",)
    yield "after unknown words", ("<unk>", "<unk>", "<unk>", "<unk>")
    yield "after an unknown word at the beginning", ("<s>", "<unk>")


def check_sums(model: NgramModel, lines: list[str]) -> None:
    known = [" ".join(t if t in model.vocabulary else "<unk>" for t in x.split()) for x in lines]
    for kind, context in contexts(known):
        log_probs = np.array(list(distribution(model, context).values()))
        assert not np.isnan(log_probs).any(), (kind, context)
        assert np.exp(log_probs).sum() == pytest.approx(1, abs=1e-6), (kind, context)


@pytest.fixture(scope="module")
def lines(zipf_lines: list[str]) -> list[str]:
    return [line for line in zipf_lines if line][:150]


@pytest.mark.parametrize("order", EACH_ORDER)
@pytest.mark.parametrize(("name", "form"), NORMALISED)
class TestSumsToOne:
    def test_in_a_text(self, name: str, form: str, order: int, lines: list[str]) -> None:
        check_sums(train(lines, order, name, form=form), lines)

    def test_with_unknown_words_in_the_text(
        self, name: str, form: str, order: int, lines: list[str]
    ) -> None:
        words = sorted({token for line in lines for token in line.split()})[::2]
        check_sums(train(lines, order, name, form=form, words=[*words, "never", "seen"]), lines)

    def test_with_cutoffs(self, name: str, form: str, order: int, lines: list[str]) -> None:
        for cutoffs in ([1], [0, 0, 1, 2, 2]):
            check_sums(train(lines, order, name, form=form, prune=cutoffs[:order]), lines)

    def test_on_characters(self, name: str, form: str, order: int) -> None:
        text = ["the cat sat on the mat", "a dog sat on the log", "that hat"]
        model = train(text, order, name, form=form, tokenizer="char")
        check_sums(model, [" ".join(line.replace(" ", "")) for line in text])


@pytest.mark.parametrize("kind", DEGENERATE)
@pytest.mark.parametrize(("name", "form"), CASES)
def test_degenerate_texts_train(name: str, form: str, kind: str) -> None:
    """No exception; where the text does not say enough a note says so."""
    text = DEGENERATE[kind]
    for order in ORDERS:
        model = train(text, order, name, form=form)
        if model.normalised:
            check_sums(model, text)
        log_probs, _ = model.score(model.batch(text))
        assert np.isfinite(log_probs).all()


@pytest.mark.parametrize("kind", DEGENERATE)
@pytest.mark.parametrize(("name", "form"), [c for c in CASES if c[0] != "maximum-likelihood"])
def test_nothing_is_impossible(name: str, form: str, kind: str) -> None:
    """But under maximum likelihood every token may follow every context, <unk> too."""
    text = DEGENERATE[kind]
    for order in (1, 2, 3):
        model = train(text, order, name, form=form)
        for _, context in contexts(text):
            assert np.isfinite(list(distribution(model, context).values())).all()


@pytest.mark.parametrize(
    "name", ["katz", "absolute-discounting", "kneser-ney", "modified-kneser-ney", "jelinek-mercer"]
)
def test_undetermined_parameters_are_noted(name: str) -> None:
    notes = train(["a b"], 3, name).facts["smoothing"]["notes"]
    assert [note for note in notes if re.match(r"orders? [^:]*\b3: ", note)]


@pytest.mark.parametrize("order", EACH_ORDER)
@pytest.mark.parametrize(("name", "form"), CASES)
@settings(max_examples=10)
@given(lines=texts(), cutoffs=st.lists(st.integers(0, 2), max_size=3).map(sorted))
def test_no_text_is_too_odd(
    name: str, form: str, order: int, lines: list[str], cutoffs: list[int]
) -> None:
    model = train(lines, order, name, form=form, prune=cutoffs[:order])
    if model.normalised:
        check_sums(model, lines)


@pytest.mark.parametrize(("name", "form"), CASES)
def test_parameters_are_enough_to_ask_again(name: str, form: str, lines: list[str]) -> None:
    """A method restored from its parameters, which went through JSON, gives the same shares."""
    corpus = corpus_of(lines)
    trie = count_ngrams(corpus.chunks(), 3, len(corpus.vocabulary))
    fitted = make_smoothing(name, form=form)
    evidence = CountEvidence(trie, fitted.continuation)
    fitted.fit(evidence)
    restored = make_smoothing(name)
    restored.restore(json.loads(json.dumps(fitted.parameters())))
    assert restored.form == form
    assert restored.weight == fitted.weight
    for order in (1, 2, 3):
        counts = evidence.counts(order)
        for rows, _, sizes in trie.context_blocks(order):
            block = Block.of(order, counts[rows], sizes, evidence.events)
            for one, other in zip(fitted.shares(block), restored.shares(block), strict=True):
                assert (one == other).all()


@pytest.mark.parametrize(("name", "form"), NORMALISED)
def test_shares_and_rest_are_one(name: str, form: str, lines: list[str]) -> None:
    corpus = corpus_of(lines, vocabulary=[*"abc", *lines[0].split()])
    trie = count_ngrams(corpus.chunks(), 3, len(corpus.vocabulary))
    method = make_smoothing(name, form=form)
    evidence = CountEvidence(trie, method.continuation)
    method.fit(evidence)
    for order in (1, 2, 3):
        counts = evidence.counts(order)
        for rows, _, sizes in trie.context_blocks(order):
            block = Block.of(order, counts[rows], sizes, evidence.events)
            share, rest = method.shares(block)
            assert (share >= 0).all()
            assert (rest >= 0).all()
            assert block.sum(share) + rest == pytest.approx(1)
            assert (rest[block.totals == 0] == 1).all()


@pytest.mark.parametrize(("name", "form"), CASES)
def test_explanations_are_formulas_in_which_the_numbers_stand(
    name: str, form: str, lines: list[str]
) -> None:
    model = train(lines, 2, name, form=form)
    method = make_smoothing(name)
    method.restore(model.facts["smoothing"]["parameters"])
    sizes = [0] * method.told_apart + [1, 3]
    formula = method.explain(2, 7, 41, sizes)
    assert "7" in formula
    assert "41" in formula
    assert "/" in formula


@pytest.mark.parametrize(("name", "form"), CASES)
def test_smoothing_anew_is_training(name: str, form: str, lines: list[str]) -> None:
    """The counts of another model give what the text gives."""
    fresh = train(lines, 3, name, form=form)
    other = train(lines, 4, "witten-bell")
    anew = NgramBackend.resmooth(other, smoothing=name, order=3, form=form)
    assert anew.facts["smoothing"] == fresh.facts["smoothing"]
    for one, two in zip(fresh.trie.levels, anew.trie.levels, strict=True):
        columns, others = dict(one.columns()), dict(two.columns())
        assert columns.keys() == others.keys()
        for column in columns:
            assert np.array_equal(columns[column].array(), others[column].array()), column


def test_scores_that_are_no_probabilities_say_so() -> None:
    model = train(["a b", "b a c"], 3, "stupid-backoff")
    assert not model.normalised
    log_probs = np.array(list(distribution(model, ["c", "a"]).values()))
    assert np.exp(log_probs).sum() != pytest.approx(1, abs=0.01)

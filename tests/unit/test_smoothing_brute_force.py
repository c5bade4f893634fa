"""Every smoothing method against its definition worked out with dicts and loops."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmkit.ngram.model import NgramModel
from lmkit.registry import names, resolve

from ..reference.smoothing import METHODS, Method, with_facts
from ..small_models import distribution, texts, train

CASES = [(name, form) for name in METHODS for form in resolve("smoothing", name).forms]

OPTIONS = {
    "lidstone": ({"k": 0.5}, {"k": 0.5}),
    "katz": ({"max_count": 2}, {"max_count": 2}),
    "stupid-backoff": ({"weight": 0.3}, {"weight": 0.3}),
    "absolute-discounting": ({"discounts": [0.3]}, {"fixed": [[0.3]] * 5}),
    "kneser-ney": (
        {"discounts": [[0.2], [0.4], [0.9]]},
        {"fixed": [[0.2], [0.4], [0.9], [0.9], [0.9]]},
    ),
    "modified-kneser-ney": ({"discounts": [0.4, 1.1, 1.9]}, {"fixed": [[0.4, 1.1, 1.9]] * 5}),
}
"""Options for the method, and the same for its definition."""


def histories(lines: Sequence[str], order: int) -> Iterator[tuple[str, ...]]:
    """Contexts of every kind: none, ``<s>``, those of the text, with and without the beginning
    of the sentence, and made-up ones that it has in part or not at all."""
    yield ()
    yield ("<s>",)
    found = set()
    for line in lines:
        tokens = ["<s>", *line.split()]
        for end in range(1, len(tokens) + 1):
            for start in range(max(end - order, 0), end):
                found.add(tuple(tokens[start:end]))
    yield from sorted(found)
    words = sorted({token for line in lines for token in line.split()})[:2]
    made_up = product([*words, "<unk>"], repeat=min(order - 1, 2)) if order > 1 else []
    for history in made_up:
        yield history
        yield ("<s>", *history)


def check(model: NgramModel, reference: Method, lines: Sequence[str], order: int) -> None:
    for history in histories(lines, order):
        expected = reference.distribution(history)
        found = distribution(model, history)
        assert set(found) == set(expected)
        for token, log_prob in found.items():
            probability = expected[token]
            wanted = math.log(probability) if probability > 0 else -math.inf
            assert log_prob == pytest.approx(wanted, abs=1e-5), (history, token)


def facts_of(name: str, model: NgramModel) -> dict[str, Any]:
    """How many rounds EM took depends on when it has had enough: the definition takes as many."""
    if name != "jelinek-mercer":
        return {}
    note = next(n for n in model.facts["smoothing"]["notes"] if "rounds of EM" in n)
    return {"rounds": int(note.split("weights by ")[1].split(" ")[0])}


def test_every_registered_method_has_a_definition_here() -> None:
    assert set(names("smoothing")) == set(METHODS)


@pytest.mark.parametrize(("name", "form"), CASES)
@settings(max_examples=40)
@given(lines=texts(), order=st.integers(1, 5), more=st.lists(st.sampled_from("xyz"), max_size=2))
def test_agrees_with_its_definition(
    name: str, form: str, lines: list[str], order: int, more: list[str]
) -> None:
    """``more``: words that the vocabulary has and the text has not."""
    words = sorted({token for line in lines for token in line.split()} | set(more))
    model = train(lines, order, name, form=form, words=words)
    kind = with_facts(name, **facts_of(name, model))
    check(model, kind(lines, order, form=form, words=words), lines, order)


@pytest.mark.parametrize(("name", "form"), [case for case in CASES if case[0] in OPTIONS])
@settings(max_examples=15)
@given(lines=texts(), order=st.integers(1, 5))
def test_agrees_with_its_definition_given_options(
    name: str, form: str, lines: list[str], order: int
) -> None:
    options, facts = OPTIONS[name]
    model = train(lines, order, name, form=form, **options)
    check(model, with_facts(name, **facts)(lines, order, form=form), lines, order)


@pytest.mark.parametrize(("name", "form"), CASES)
@settings(max_examples=15)
@given(
    lines=texts("ab"),
    order=st.integers(1, 5),
    cutoffs=st.lists(st.integers(0, 2), min_size=1, max_size=3).map(sorted),
)
def test_agrees_with_its_definition_under_cutoffs(
    name: str, form: str, lines: list[str], order: int, cutoffs: list[int]
) -> None:
    cutoffs = cutoffs[:order]
    model = train(lines, order, name, form=form, prune=cutoffs)
    kind = with_facts(name, **facts_of(name, model))
    reference = kind(lines, order, form=form, cutoffs=cutoffs)
    kept = [" ".join(t if t in reference.events else "<unk>" for t in x.split()) for x in lines]
    check(model, reference, kept, order)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "form"), [c for c in CASES if c[0] != "jelinek-mercer"])
def test_agrees_with_its_definition_on_a_larger_text(
    name: str, form: str, zipf_lines: list[str]
) -> None:
    """Discounts are determined here, Good-Turing's up to five. (EM in loops would take minutes.)"""
    lines = zipf_lines[:400]
    model = train(lines, 3, name, form=form)
    reference = METHODS[name](lines, 3, form=form)
    generator = np.random.default_rng(1)
    chosen = list(histories(lines, 3))
    chosen = [chosen[i] for i in generator.choice(len(chosen), 40, replace=False)]
    for history in [(), ("<s>",), *chosen]:
        expected = reference.distribution(history)
        for token, log_prob in distribution(model, history).items():
            wanted = math.log(expected[token]) if expected[token] > 0 else -math.inf
            assert log_prob == pytest.approx(wanted, abs=1e-5), (history, token)
    notes = model.facts["smoothing"]["notes"]
    assert not [note for note in notes if "order 3" in note or "order 2" in note]

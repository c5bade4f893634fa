"""How a probability comes about, and what follows a context: for people who look inside.

Both work for every n-gram model; where counts are there, in full, the smoothing method is
asked again for the shares of the one context at hand, so what is shown is what training did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UsageError
from lmkit.model import EOS
from lmkit.ngram.estimation import CountEvidence
from lmkit.ngram.lookup import find_children
from lmkit.ngram.model import NgramModel
from lmkit.ngram.smoothing.base import Block, Smoothing
from lmkit.ngram.smoothing.restoring import method_of
from lmkit.ngram.state import NgramState

VISIBLE_SPACE = "␣"
"""What a space that is a token looks like in a context, between the spaces that part tokens."""


@dataclass(frozen=True, slots=True)
class Step:
    """One order of one token's probability p(token | context).

    ``found``: ``"n-gram"``, ``"context"`` (seen, but not with this token) or ``"nothing"``.
    ``count`` and ``total`` are what the method counts: of the n-gram, and of all that follow
    the context. ``share`` is what the n-gram keeps for itself, ``rest`` what the context leaves
    to the order below, ``backoff_weight`` what that order's probability is multiplied by where
    the n-gram is not there. ``formula`` shows the numbers at work. What a model cannot tell
    (no counts) is None.
    """

    order: int
    context: str
    token: str
    found: str
    count: int | None
    total: int | None
    share: float | None
    rest: float | None
    backoff_weight: float | None
    probability: float
    formula: str


@dataclass(frozen=True, slots=True)
class Continuation:
    """A token that may follow a context: how often it did after the longest part of the
    context that has it (``order`` - 1 tokens), and its probability."""

    token: str
    count: int | None
    probability: float
    order: int


def explain(model: NgramModel, text: str) -> list[list[Step]]:
    """The steps, from the unigrams up, of every token of the sentence ``text`` and of ``</s>``."""
    batch = model.batch(text)
    if len(batch) != 1:
        raise UsageError("there is no sentence to explain", "a sentence between quotation marks")
    spellings = [model.vocabulary.tokens[i] for i in batch.ids.tolist()]
    inside = _Inside(model)
    state = model.start(1)
    history = ["<s>"]
    steps = []
    for token, spelling in zip(batch.ids.tolist(), spellings, strict=True):
        steps.append(inside.steps(state, history, token, spelling))
        state = model.advance(state, [token])
        history.append(VISIBLE_SPACE if spelling == " " else spelling)
    return steps


class _Inside:
    """A model with its smoothing method at work again, where its counts allow that."""

    def __init__(self, model: NgramModel) -> None:
        self.model = model
        self.method: Smoothing | None = None
        if model.trie.has_counts and not model.facts["pruned"]:
            facts = model.facts["smoothing"]
            self.method = method_of(facts, model.order)
            self._evidence = CountEvidence(model.trie, self.method.continuation)
            self._counts: dict[int, NDArray[np.integer]] = {}

    def counts(self, order: int) -> NDArray[np.integer]:
        if order not in self._counts:
            self._counts[order] = self._evidence.counts(order)
        return self._counts[order]

    def steps(
        self, state: NgramState, history: Sequence[str], token: int, spelling: str
    ) -> list[Step]:
        steps: list[Step] = []
        lower = 1 / (self.model.trie[1].size - 1)
        for order in range(1, min(self.model.order, int(state.lengths[0]) + 1) + 1):
            context = 0 if order == 1 else int(state.rows[0, order - 2])
            words = " ".join(history[len(history) - order + 1 :]) if order > 1 else ""
            step = self._step(order, context, words, token, spelling, lower, state)
            steps.append(step)
            lower = step.probability
        return steps

    def _step(
        self,
        order: int,
        context: int,
        words: str,
        token: int,
        spelling: str,
        lower: float,
        state: NgramState,
    ) -> Step:
        model = self.model
        row = token
        if order > 1:
            row = -1
            if context >= 0:
                row = int(
                    find_children(model.trie, order, np.array([context]), np.array([token]))[0]
                )
        probability = self._probability(order, context, token, lower, row, state)
        weight = self._backoff_weight(order, context, row, probability, lower)
        found = "n-gram" if row >= 0 else "context" if context >= 0 else "nothing"
        count, total, share, rest, formula = self._at_work(order, context, row)
        if order == 1 and count == 0:
            found = "context"
        shown = _formula(found, formula, rest, weight, lower, probability, model.form)
        return Step(
            order, words, spelling, found, count, total, share, rest, weight, probability, shown
        )

    def _backoff_weight(
        self, order: int, context: int, row: int, probability: float, lower: float
    ) -> float | None:
        """What the order below is multiplied by where the n-gram is not there."""
        model = self.model
        if order > 1 and context >= 0:
            column = model.trie[order - 1].log_backoff
            assert column is not None
            return float(np.exp(column.take(np.array([context]))[0]))
        if order > 1:
            return model.facts["smoothing"]["parameters"].get("weight")
        column = model.trie[1].count
        unseen = column is not None and int(column.take(np.array([row]))[0]) == 0
        return probability / lower if unseen and model.form in ("backoff", "constant") else None

    def _probability(
        self, order: int, context: int, token: int, lower: float, row: int, state: NgramState
    ) -> float:
        """p(token | the last ``order`` - 1 tokens), as scoring computes it."""
        shorter = NgramState(state.rows.copy(), np.minimum(state.lengths, order - 1))
        shorter.rows[0, order - 1 :] = -1
        log_prob = self.model.log_probs_of(shorter, np.array([[token]]))[0, 0]
        return float(np.exp(log_prob))

    def _at_work(
        self, order: int, context: int, row: int
    ) -> tuple[int | None, int | None, float | None, float | None, str]:
        """Count, total, share, rest and formula, from the method itself."""
        if self.method is None or context < 0:
            column = self.model.trie[order].count
            if column is None or row < 0:
                return None, None, None, None, ""
            return int(column.take(np.array([row]))[0]), None, None, None, ""
        start, stop = (
            (0, self.model.trie[1].size) if order == 1 else self.model.children(order, context)
        )
        counts = self.counts(order)[start:stop]
        block = Block.of(order, counts, np.array([stop - start]), self.model.trie[1].size - 1)
        share, rest = self.method.shares(block)
        here = int(counts[row - start]) if row >= 0 else 0
        total = int(block.totals[0])
        most = self.method.told_apart + 1
        sizes = np.bincount(np.minimum(counts.astype(np.int64), most), minlength=most + 1)
        sizes[0] = 0
        formula = self.method.explain(order, here, total, sizes.tolist())
        kept = float(share[row - start]) if row >= 0 else 0.0
        return here, total, kept, float(rest[0]), formula


def _formula(
    found: str,
    formula: str,
    rest: float | None,
    weight: float | None,
    lower: float,
    probability: float,
    form: str,
) -> str:
    if found == "nothing" and weight is None and form == "floor":
        return f"{probability:.4g}, as every token after an unseen context"
    if found == "nothing" and weight is None and form != "constant":
        return f"{probability:.4g}, as one order below"
    if found != "n-gram" and weight is None and form in ("backoff", "constant"):
        weight = probability / lower
    if found != "n-gram" and weight is not None:
        if form == "floor":
            return f"{weight:.4g}, as every unseen token here"
        return f"{weight:.4g} × {lower:.4g} = {probability:.4g}"
    if not formula or rest is None:
        return f"{probability:.4g}"
    if form == "interpolated":
        return f"{formula} + {rest:.4g} × {lower:.4g} = {probability:.4g}"
    return f"{formula} = {probability:.4g}"


def continuations(
    model: NgramModel, context: str, top: int = 20, prefix: str = ""
) -> list[Continuation]:
    """The ``top`` likeliest tokens after ``context``, the likeliest first; of the words that begin
    with ``prefix``, where that is given.

    The context stands anywhere in a sentence, unless it begins with ``<s>``; of a long one the
    last ``order`` - 1 tokens count.
    """
    at_start, rest = split_context(context)
    state = model.start(1) if at_start else model.empty(1)
    for token in model.encoder.encode_prompt(rest).tolist() if rest else []:
        state = model.advance(state, [token])
    spellings: dict[int, str] | Sequence[str]
    if prefix:
        spellings = _beginning_with(model, prefix)
        tokens = np.array(sorted(spellings), np.int64)
        log_probs = model.log_probs_of(state, tokens[None])[0]
    else:
        log_probs = model.next_log_probs(state)[0]
        tokens, spellings = np.arange(len(log_probs)), model.vocabulary.tokens
    top = min(top, int(np.isfinite(log_probs).sum()))
    if not top:
        return []
    # All that are as likely as the last one are looked at, so that a longer list only goes on.
    least = -np.partition(-log_probs, max(top - 1, 0))[max(top - 1, 0)]
    best = np.flatnonzero(log_probs >= least)
    best = best[np.argsort(-log_probs[best], kind="stable")][:top]
    orders, counts = _longest_matches(model, state, tokens[best])
    probabilities = np.exp(log_probs[best]).tolist()
    return [
        Continuation(spellings[i], counts[k], probabilities[k], orders[k])
        for k, i in enumerate(tokens[best].tolist())
    ]


def _beginning_with(model: NgramModel, prefix: str) -> dict[int, str]:
    """The tokens of text that begin with ``prefix``, as the model reads it, by their ids. A space
    may be one, or the first letter of a piece of a word."""
    settings = model.encoder.settings
    normalize = settings.make_normalizer()
    typed = prefix if normalize is None else normalize(prefix)
    if model.unit not in ("subword", "byte"):
        return {i: t for t, i in model.vocabulary.beginning_with(typed).items() if i > EOS}
    # Their tokens are not spelt as the text is.
    first, bytes_of = typed.encode(errors="surrogateescape"), settings.tokenizer.bytes_of
    return {
        i: token
        for i, token in enumerate(model.vocabulary.tokens)
        if i > EOS and bytes_of(token).startswith(first)
    }


def split_context(context: str) -> tuple[bool, str]:
    """Whether ``context`` begins with ``<s>``, and the text after that."""
    first, _, rest = context.lstrip().partition(" ")
    return (True, rest) if first == "<s>" else (False, context)


def _longest_matches(
    model: NgramModel, state: NgramState, tokens: NDArray[np.int64]
) -> tuple[list[int], list[int | None]]:
    """Order and count of the longest n-gram that ends the context with each of ``tokens``."""
    orders = np.ones(len(tokens), np.int64)
    rows = tokens.copy()
    for order, context in enumerate(state.rows[0].tolist(), 2):
        if context < 0:
            continue
        found = find_children(model.trie, order, np.full(len(tokens), context), tokens)
        orders[found >= 0] = order
        rows = np.where(found >= 0, found, rows)
    counts: list[int | None] = [None] * len(tokens)
    for k, (order, row) in enumerate(zip(orders.tolist(), rows.tolist(), strict=True)):
        column = model.trie[order].count
        if column is not None:
            counts[k] = int(column.take(np.array([row]))[0])
    return orders.tolist(), counts

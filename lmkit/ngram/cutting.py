"""Cutting a model to some of its words, exactly: what the others had goes to ``<unk>``, or to the
words that are left.

Let G be the words that go. To ``<unk>``:  p'(<unk>|h) = p(<unk>|h) + sum of p(w|h) over G, and all
else stays as it is. A context that lists some of G lists ``<unk>`` from then on; for the others
that follows, as their backoff weight stays.

To the words that are left, K(h) being their mass:  p'(w|h) = p(w|h) / K(h). That is a model of the
same form again: the backoff weight of h becomes that times K(h') / K(h), h' being h without its
first token.

Either way the distribution after each history of words that stay is the old one, with the others
made one word or conditioned away. Histories with words that go are those with ``<unk>``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UnsupportedError, UsageError
from lmkit.model import BOS, EOS, UNK
from lmkit.ngram.assembly import assemble, ngram_ids
from lmkit.ngram.backing import Backing
from lmkit.ngram.model import NgramModel
from lmkit.ngram.pruning import without_words
from lmkit.ngram.trie import Trie
from lmkit.store.columns import MemoryColumn

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def cut_to_words(model: NgramModel, words: Iterable[str], *, closed: bool = False) -> NgramModel:
    """``model`` with only those of ``words`` that it has. What the others had goes to ``<unk>``, or
    with ``closed``, as what ``<unk>`` had, to the words that are left.

    Raises `UnsupportedError` where the model does not back off to shorter contexts, or its tokens
    are learnt pieces of words, `UsageError` where none of its words is left.
    """
    if model.unit == "subword":
        raise UnsupportedError(
            "the tokens of this model are learnt pieces of words, and its text needs all of them",
            "a model that was trained with --tokenizer word, or --entropy in place of --vocabulary",
        )
    known = set(words)
    keep = np.array([token in known for token in model.vocabulary.tokens])
    keep[[UNK, BOS, EOS]] = False
    if not keep.any():
        raise UsageError(
            "the model has none of these words", "a list of words as the model spells them"
        )
    keep[[UNK, BOS, EOS]] = True
    count = int(keep.sum()) - 3
    return _cut(model, keep, [UNK] if closed else [], {"words": count, "closed": closed})


def without_tokens(model: NgramModel, tokens: list[int]) -> NgramModel:
    """``model`` given that none of ``tokens`` comes: they stay in its vocabulary with no
    probability, and the others sum to one.

    Raises `UnsupportedError` where the model does not back off to shorter contexts.
    """
    names = [model.vocabulary.tokens[token] for token in tokens]
    return _cut(model, np.ones(len(model.vocabulary), bool), tokens, {"impossible": names})


def _cut(model: NgramModel, keep: Flags, never: list[int], why: dict[str, Any]) -> NgramModel:
    """``model`` with the tokens to ``keep`` [V], of which those in ``never`` have no probability:
    without any, the words that go are unknown ones."""
    if model.form not in ("backoff", "interpolated") or not model.normalised:
        raise UnsupportedError(
            f"{model.facts['smoothing']['name']} smoothing does not back off to shorter contexts, "
            "so no words can be taken from it",
            "lmkit train with another smoothing",
        )
    trie = model.trie
    possible = keep.copy()
    possible[never] = False
    possible[BOS] = False
    if never:
        masses = _masses(trie, possible)
        levels: _Levels = _Conditioned(trie, possible, masses)
    else:
        gone = ~keep
        gone[UNK] = True
        levels = _Lumped(trie, possible, gone, _masses(trie, gone))
    new = _assembled(levels, np.cumsum(keep) - 1, int(keep.sum()))
    encoder = model.encoder if keep.all() else without_words(model.encoder, keep)
    facts = {**model.facts, "pruned": {**(model.facts["pruned"] or {}), **why}}
    return NgramModel(new, encoder, facts, list(model.runs))


@dataclass(slots=True)
class _Masses:
    """How much of p(.|h) lies on some tokens: ``of[n]`` of each n-gram h of order n (of the empty
    context at 0), ``below[n]`` of what stands in for h without its first token."""

    of: list[Floats]
    below: list[Floats]


def _masses(trie: Trie, tokens: Flags) -> _Masses:
    """For the ``tokens`` [V], of which ``<s>`` is none."""
    backing = Backing(trie)
    unigrams = np.exp(_array(trie, 1, "log_prob").astype(np.float64))
    backing.totals = [np.array([unigrams[tokens].sum()])]
    below = [np.zeros(0)]
    for order in range(2, trie.order + 1):
        token = trie[order].token
        assert token is not None
        weights = np.exp(_array(trie, order - 1, "log_backoff").astype(np.float64))
        totals, under = np.empty_like(weights), np.empty_like(weights)
        for block in backing.blocks(order):
            here = tokens[token.read(block.rows.start, block.rows.stop)]
            listed = block.sum(np.exp(block.log_prob) * here)
            lower = block.sum(np.exp(block.log_lower) * here)
            under[block.contexts] = backing.totals_below(order - 1, block.contexts)
            left = np.maximum(under[block.contexts] - lower, 0.0)
            totals[block.contexts] = listed + weights[block.contexts] * left
        backing.totals.append(totals)
        below.append(under)
    return _Masses(backing.totals, below)


class _Levels:
    """What the n-grams of each order become. ``alive[n - 1]``: which of those of order n stay."""

    def __init__(self, trie: Trie, possible: Flags) -> None:
        self.trie = trie
        first = possible.copy()
        first[[UNK, BOS, EOS]] = True
        self.alive = [first]
        self.possible = possible

    def owners(self, order: int) -> NDArray[np.int64]:
        """The row, one order below, of the context of each n-gram of ``order``."""
        children = _array(self.trie, order - 1, "first_child")
        return np.repeat(np.arange(len(children) - 1), np.diff(children))

    def log_prob(self, order: int) -> Floats:
        """Of each n-gram of ``order`` that there was."""
        return _array(self.trie, order, "log_prob").astype(np.float64)

    def log_backoff(self, order: int) -> Floats:
        """Of each n-gram of ``order`` that there was."""
        return _array(self.trie, order, "log_backoff").astype(np.float64)

    def added(self, order: int) -> tuple[NDArray[np.int64], Floats, NDArray[np.int64]]:
        """Contexts that list ``<unk>`` from now on, its log-probability there, its count."""
        return np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int64)

    def count(self, order: int) -> NDArray[np.int64]:
        """Of each n-gram of ``order`` that there was."""
        return _array(self.trie, order, "count").astype(np.int64)


class _Conditioned(_Levels):
    """Given that one of the possible tokens comes."""

    def __init__(self, trie: Trie, possible: Flags, masses: _Masses) -> None:
        super().__init__(trie, possible)
        self.masses = masses
        for order in range(2, trie.order + 1):
            # Where nothing that may come has any probability, the context says nothing.
            owners = self.owners(order)
            heads = self.alive[-1] & (masses.of[order - 1] > 0)
            self.alive.append(heads[owners] & possible[_array(trie, order, "token")])

    def log_prob(self, order: int) -> Floats:
        found = super().log_prob(order)
        with np.errstate(divide="ignore"):
            if order == 1:
                found -= np.log(self.masses.of[0][0])
                found[~self.possible] = -np.inf
                return found
            return found - np.log(self.masses.of[order - 1])[self.owners(order)]

    def log_backoff(self, order: int) -> Floats:
        found = super().log_backoff(order)
        mass, below = self.masses.of[order], self.masses.below[order]
        with np.errstate(divide="ignore", invalid="ignore"):
            found += np.log(below) - np.log(mass)
        found[mass <= 0] = 0.0
        found[(mass > 0) & (below <= 0)] = -np.inf
        return found


class _Lumped(_Levels):
    """With the tokens that are ``gone``, ``<unk>`` among them, made one."""

    def __init__(self, trie: Trie, possible: Flags, gone: Flags, masses: _Masses) -> None:
        super().__init__(trie, possible)
        self.gone = gone
        self.masses = masses
        for order in range(2, trie.order + 1):
            inside = self.alive[-1][self.owners(order)]
            self.alive.append(inside & possible[_array(trie, order, "token")])

    def log_prob(self, order: int) -> Floats:
        found = super().log_prob(order)
        with np.errstate(divide="ignore"):
            if order == 1:
                found[UNK] = np.log(self.masses.of[0][0])
                return found
            unknown = _array(self.trie, order, "token") == UNK
            found[unknown] = np.log(self.masses.of[order - 1])[self.owners(order)[unknown]]
        return found

    def added(self, order: int) -> tuple[NDArray[np.int64], Floats, NDArray[np.int64]]:
        token, owners = _array(self.trie, order, "token"), self.owners(order)
        listing = np.zeros(self.trie[order - 1].size, bool)
        listing[owners[self.gone[token]]] = True
        listing[owners[token == UNK]] = False
        listing &= self.alive[order - 2]
        contexts = np.flatnonzero(listing)
        with np.errstate(divide="ignore"):
            log_probs = np.log(self.masses.of[order - 1][contexts])
        return contexts, log_probs, self._lost(order)[contexts]

    def count(self, order: int) -> NDArray[np.int64]:
        found = super().count(order)
        if order == 1:
            found[UNK] = found[self.gone].sum()
            return found
        unknown = _array(self.trie, order, "token") == UNK
        found[unknown] = self._lost(order)[self.owners(order)[unknown]]
        return found

    def _lost(self, order: int) -> NDArray[np.int64]:
        """How often a token that is gone came after each context of ``order``; 0 without counts."""
        size = self.trie[order - 1].size
        if self.trie[order].count is None:
            return np.zeros(size, np.int64)
        gone = self.gone[_array(self.trie, order, "token")]
        counts = super().count(order)[gone]
        totals = np.bincount(self.owners(order)[gone], counts, minlength=size)
        return totals.astype(np.int64)


def _assembled(levels: _Levels, renumbered: NDArray[np.int64], size: int) -> Trie:
    """A trie of the n-grams in ``levels``, the tokens ``renumbered`` [V] among ``size``."""
    old = levels.trie
    tables, values = [], []
    for order in range(2, old.order + 1):
        rows = np.flatnonzero(levels.alive[order - 1])
        contexts, log_probs, counts = levels.added(order)
        ids = ngram_ids(old, order, rows)
        more = np.full((len(contexts), order), UNK, np.int32)
        more[:, :-1] = ngram_ids(old, order - 1, contexts)
        tables.append(renumbered[np.concatenate((ids, more))].astype(np.int32))
        values.append((rows, log_probs, counts))
    assembly = assemble(size, tables, insert_suffixes=False)
    new = assembly.trie
    everything = np.flatnonzero(np.diff(renumbered, prepend=-1))
    places = [everything, *(rows for rows, _, _ in values)]
    for order in range(1, new.order + 1):
        level, rows = new[order], places[order - 1]
        targets = np.arange(size) if order == 1 else assembly.rows[order - 2]
        nothing = (rows, np.zeros(0), np.zeros(0, np.int64))
        _, log_probs, counts = nothing if order == 1 else values[order - 2]
        columns: dict[str, NDArray[Any]] = {
            # Of files whose distributions sum to more than one, shares may be above 1.
            "log_prob": np.minimum(
                np.concatenate((levels.log_prob(order)[rows], log_probs)), 0.0
            ).astype(np.float32)
        }
        if order < new.order:
            zeros = np.zeros(len(log_probs))
            found = np.concatenate((levels.log_backoff(order)[rows], zeros))
            columns["log_backoff"] = found.astype(np.float32)
        if old.has_counts:
            columns["count"] = np.concatenate((levels.count(order)[rows], counts))
        for name, found in columns.items():
            column = np.zeros_like(found)
            column[targets] = found
            setattr(level, name, MemoryColumn(column))
    return new


def _array(trie: Trie, order: int, name: str) -> NDArray[Any]:
    column = getattr(trie[order], name)
    assert column is not None
    values: NDArray[Any] = column.array()
    return values

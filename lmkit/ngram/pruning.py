"""Dropping n-grams from a model: what is left is numbered anew, in the same sorted columns.

Which n-grams go is decided elsewhere: by cutoffs in `lmkit.ngram.estimation`, by relative
entropy in `lmkit.ngram.entropy`. A set of n-grams is one array of flags an order; None stands
for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UnsupportedError
from lmkit.model import BOS, EOS, UNK, Encoder
from lmkit.ngram.building import Progress, require_full_counts, smooth
from lmkit.ngram.counting import Workspace
from lmkit.ngram.model import NgramModel
from lmkit.ngram.smoothing.base import Evidence, Smoothing
from lmkit.ngram.smoothing.restoring import method_of
from lmkit.ngram.trie import BLOCK_ROWS, Level, Trie, row_dtype
from lmkit.registry import resolve
from lmkit.text.encoder import TextEncoder
from lmkit.text.vocabulary import Vocabulary

Flags = NDArray[np.bool_] | None
"""Which n-grams of an order are meant [size]; None: all."""


def prune_by_cutoffs(
    model: NgramModel,
    cutoffs: Sequence[int],
    *,
    memory: int | None = None,
    progress: Progress | None = None,
) -> NgramModel:
    """``model`` without the n-grams whose count is at most the cutoff of their order; the last
    cutoff extends to the higher orders.

    As in KenLM the discounts and totals come from all n-grams, so this is what training with
    these cutoffs gives. Raises `UnsupportedError` where the model has no counts or was pruned
    before, and `UsageError` for cutoffs that are negative, decrease, or outnumber the orders.
    """
    try:
        require_full_counts(model, "pruned by cutoffs")
    except UnsupportedError as error:
        raise UnsupportedError(error.message, "--entropy 1e-8, which needs no counts") from error
    assert isinstance(model.encoder, TextEncoder)
    levels = [replace(level, log_prob=None, log_backoff=None) for level in model.trie.levels]
    pruned = smooth(
        Trie(levels),
        model.encoder,
        fitted_method(model),
        cutoffs=tuple(cutoffs),
        memory=memory,
        progress=progress,
    )
    pruned.runs = list(model.runs)
    return pruned


def fitted_method(model: NgramModel) -> Smoothing:
    """The smoothing method of ``model`` with the parameters that training found: to fit it
    again changes nothing."""
    facts = model.facts["smoothing"]
    kind: Any = resolve("smoothing", facts["name"])

    class Fitted(kind):
        def fit(self, evidence: Evidence) -> None:
            """Nothing: the held-out text that it was fitted to may be gone."""

    method: Smoothing = method_of(facts, model.order, Fitted)
    return method


def keep_ngrams(
    model: NgramModel,
    kept: Sequence[Flags],
    pruned: dict[str, Any],
    *,
    memory: int | None = None,
) -> NgramModel:
    """``model`` with the ``kept`` n-grams only, flags an order, and with what they cannot be
    without: their contexts, their words, and ``<unk>``, ``<s>``, ``</s>``.

    Probabilities and backoff weights stay as they are. Words that go are unknown words from
    then on. ``pruned`` says for `lmkit info` what was done. With ``memory``, a bound in bytes,
    the new columns are kept in scratch files.
    """
    closed = closure(model.trie, kept)
    if all(keep is None for keep in closed):
        return model
    sizes = model.trie.sizes
    survivors = [_Survivors(size, keep) for size, keep in zip(sizes, closed, strict=True)]
    workspace = Workspace.bounded(memory)
    levels = [_kept_level(model.trie, n, survivors, workspace) for n in range(1, len(sizes) + 1)]
    words = closed[0]
    encoder = model.encoder if words is None else without_words(model.encoder, words)
    facts = {**model.facts, "pruned": {**(model.facts["pruned"] or {}), **pruned}}
    return NgramModel(Trie(levels), encoder, facts, list(model.runs))


def closure(trie: Trie, kept: Sequence[Flags]) -> list[Flags]:
    """``kept`` with the contexts and the words of every n-gram in it, and the special tokens.
    An order of which nothing goes has None."""
    closed = [None if keep is None else keep.copy() for keep in kept]
    words = closed[0]
    if words is not None:
        words[[UNK, BOS, EOS]] = True
    for order in range(trie.order, 1, -1):
        keep, contexts = closed[order - 1], closed[order - 2]
        token = trie[order].token
        assert token is not None
        for rows, places, sizes in trie.context_blocks(order):
            here = np.ones(rows.stop - rows.start, bool) if keep is None else keep[rows]
            if contexts is not None:
                contexts[places] |= _sums(here, sizes) > 0
            if words is not None:
                words[token.read(rows.start, rows.stop)[here]] = True
    return [None if keep is None or keep.all() else keep for keep in closed]


def _sums(values: NDArray[Any], sizes: NDArray[np.int64]) -> NDArray[Any]:
    """``values`` [R] summed over contexts of ``sizes`` [C]: [C]."""
    totals = np.concatenate(([0], np.cumsum(values)))
    ends = np.cumsum(sizes)
    return totals[ends] - totals[ends - sizes]


class _Survivors:
    """The n-grams of one order that are kept, and their new rows."""

    def __init__(self, size: int, keep: Flags) -> None:
        self.keep = keep
        self.size = size
        if keep is not None:
            self._before = np.zeros(size + 1, row_dtype(size))
            np.cumsum(keep, out=self._before[1:])
            self.size = int(self._before[-1])

    def select(self, values: NDArray[Any], rows: slice) -> NDArray[Any]:
        """Of the ``values`` of ``rows`` those that are kept."""
        return values if self.keep is None else values[self.keep[rows]]

    def places(self, places: NDArray[Any]) -> NDArray[Any]:
        """Where boundaries between rows lie in the new numbers."""
        return places if self.keep is None else self._before[places]

    def rows(self, rows: NDArray[Any]) -> NDArray[Any]:
        """The new numbers of ``rows``; -1 for those that are gone, and for -1."""
        if self.keep is None:
            return rows
        return np.where((rows >= 0) & self.keep[rows], self._before[rows], -1)


def _kept_level(trie: Trie, order: int, survivors: list[_Survivors], workspace: Workspace) -> Level:
    """The n-grams of ``order`` that are kept, with tokens, suffixes and children in the new
    numbers."""
    level, here = trie[order], survivors[order - 1]
    new = Level(here.size)
    for name, column in level.columns():
        builder = workspace.builder(column.dtype)
        for start in range(0, level.size, BLOCK_ROWS):
            rows = slice(start, min(start + BLOCK_ROWS, level.size))
            values = here.select(column.read(rows.start, rows.stop), rows)
            if name == "token":
                values = survivors[0].rows(values)
            elif name == "suffix":
                values = survivors[order - 2].rows(values)
            elif name == "first_child":
                values = survivors[order].places(values)
            builder.append(values)
        if name == "first_child":
            builder.append(np.array([survivors[order].size]))
        setattr(new, name, builder.finish())
    return new


def without_words(encoder: Encoder, keep: NDArray[np.bool_]) -> TextEncoder:
    """``encoder`` with only the words to ``keep`` [V]; the others are unknown to it, and are
    counted as such."""
    assert isinstance(encoder, TextEncoder)
    old = encoder.vocabulary
    counts = old.counts[keep]
    counts[UNK] += old.counts[~keep].sum()
    tokens = [token for token, stays in zip(old.tokens, keep.tolist(), strict=True) if stays]
    vocabulary = Vocabulary(tokens, counts, limited=True)
    return TextEncoder(encoder.settings, vocabulary, encoder.spelling, errors=encoder.errors)

"""`ClassModel`: n-grams of classes, and words in them, behind the one interface.

    p(w | h) = sum over the classes c of w of p(c | history of classes) p(w | c)

(Brown et al. 1992, "Class-based n-gram models of natural language"). A word may be in several
classes, and in the n-grams itself, where it stands for itself. So the history of classes is not
known from the words: as in the forward algorithm every one that is possible is followed, with its
probability given the words, and equal ones are one.

``B`` is the number of streams, ``K`` of their histories, ``V`` of words, ``C`` of tokens of the
n-grams, ``E`` of edges, ways in which a token of the n-grams may become a word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lmkit.classes.state import ClassState, ranges
from lmkit.model import BOS, EOS, Batch, Encoder, LanguageModel
from lmkit.ngram.model import NgramModel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STREAMS_AT_ONCE = 4096
"""Sentences that are scored side by side."""
LOWEST = -1e300


@dataclass(frozen=True, slots=True)
class Edges:
    """``tags`` [E] of the n-grams, the ``words`` [E] they may become, ascending, and ``log_probs``
    [E]: log p(word | tag)."""

    tags: NDArray[np.int32]
    words: NDArray[np.int32]
    log_probs: Floats


class ClassModel(LanguageModel):
    """The n-grams ``inner`` of classes and words, whose tokens become words by ``edges``.
    ``facts`` is what the file keeps: ``classes`` (how many there are) and ``notes``."""

    backend: ClassVar[str] = "class"

    def __init__(
        self,
        inner: NgramModel,
        encoder: Encoder,
        edges: Edges,
        facts: dict[str, Any],
        runs: list[dict[str, Any]],
    ) -> None:
        self.inner = inner
        self.encoder = encoder
        self.edges = edges
        self.facts = facts
        self.runs = runs
        self.unit = encoder.unit
        size = len(encoder.vocabulary)
        self._starts = np.searchsorted(edges.words, np.arange(size + 1))
        self.ambiguous = len(edges.words) > size
        self.context_length = None if self.ambiguous else inner.context_length

    # -- one token after the other ----------------------------------------------------------

    def start(self, batch_size: int) -> ClassState:
        return ClassState(
            self.inner.start(batch_size), np.arange(batch_size + 1), np.zeros(batch_size)
        )

    def advance(self, state: Any, tokens: NDArray[np.integer] | Sequence[int]) -> ClassState:
        """See `LanguageModel.advance`."""
        return self._step(state, np.asarray(tokens, np.int64))[1]

    def log_probs_of(self, state: Any, tokens: NDArray[np.integer]) -> Floats:
        """See `LanguageModel.log_probs_of`."""
        ids = np.asarray(tokens, np.int64)
        streams = np.repeat(np.arange(len(ids)), ids.shape[1])
        queries, histories, edges = self._ways(state, streams, ids.reshape(-1))
        found = self._log_probs(state, histories, edges)
        return _sums(found, queries, ids.size).reshape(ids.shape)

    def next_log_probs(self, state: Any) -> Floats:
        """See `LanguageModel.next_log_probs`."""
        edges = self.edges
        log_probs = self.inner.next_log_probs(state.inner) + state.log_weights[:, None]
        peak = np.maximum(log_probs.max(axis=1, initial=LOWEST), LOWEST)
        peaks = np.maximum.reduceat(peak, state.starts[:-1])
        shares = np.exp(log_probs - peaks[state.streams][:, None])
        of_tags = np.add.reduceat(shares, state.starts[:-1], axis=0)
        of_edges = of_tags[:, edges.tags] * np.exp(edges.log_probs)
        with np.errstate(divide="ignore"):
            result: Floats = np.log(np.add.reduceat(of_edges, self._starts[:-1], axis=1))
        result += peaks[:, None]
        result[:, BOS] = -np.inf
        return result

    def _ways(self, state: ClassState, streams: Ints, tokens: Ints) -> tuple[Ints, Ints, Ints]:
        """All ways in which each stream of ``streams`` [Q] may take the word of ``tokens`` [Q]
        next: the question that each is of, its history, its edge."""
        sizes = np.diff(state.starts)[streams]
        histories = ranges(state.starts[:-1][streams], sizes)
        queries = np.repeat(np.arange(len(streams)), sizes)
        words = tokens[queries]
        first = self._starts[words]
        count = self._starts[words + 1] - first
        return np.repeat(queries, count), np.repeat(histories, count), ranges(first, count)

    def _log_probs(self, state: ClassState, histories: Ints, edges: Ints) -> Floats:
        """log of weight times p(tag | history) times p(word | tag) of each way."""
        tags = self.edges.tags[edges]
        inner = state.inner.select(histories)
        found: Floats = self.inner.log_probs_of(inner, tags[:, None])[:, 0]
        return found + state.log_weights[histories] + self.edges.log_probs[edges]

    def _step(self, state: ClassState, tokens: Ints) -> tuple[Floats, ClassState]:
        """log p of the next ``tokens`` [B], and the state behind them."""
        size = len(state)
        streams, histories, edges = self._ways(state, np.arange(size), tokens)
        found = self._log_probs(state, histories, edges)
        totals = _sums(found, streams, size)
        # Behind what is impossible every way is as likely as any other.
        dead = np.isneginf(totals)[streams]
        found[dead] = 0.0
        inner = self.inner.advance(state.inner.select(histories), self.edges.tags[edges])
        keys = np.concatenate((streams[:, None], inner.keys()), axis=1)
        _, firsts, same = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        weights = _sums(found, same.reshape(-1), len(firsts))
        streams = streams[firsts]
        starts = np.searchsorted(streams, np.arange(size + 1))
        norms = _sums(weights, streams, size)
        log_weights = weights - norms[streams]
        alive = ~np.isneginf(log_weights)
        if not alive.all():
            firsts, streams, log_weights = firsts[alive], streams[alive], log_weights[alive]
            starts = np.searchsorted(streams, np.arange(size + 1))
        return totals, ClassState(inner.select(firsts), starts, log_weights)

    # -- scoring --------------------------------------------------------------------------

    def score(
        self, batch: Batch | str | Sequence[str], state: Any = None
    ) -> tuple[Floats, ClassState]:
        """See `LanguageModel.score`. Where each word is in one class, that of the n-grams; else the
        sentences go side by side, word by word."""
        batch = self.batch(batch)
        if not len(batch):
            return np.zeros(0), self.start(1) if state is None else state
        if not self.ambiguous:
            own = Batch(self.edges.tags[batch.ids], batch.offsets)
            before = None if state is None else state.inner
            found, inner = self.inner.score(own, before)
            return found + self.edges.log_probs[batch.ids], ClassState(
                inner, np.arange(2), np.zeros(1)
            )
        result = np.empty(len(batch.ids))
        lengths = np.diff(batch.offsets)
        last = self.start(1) if state is None or len(batch) > 1 else state
        order = np.argsort(-lengths, kind="stable")
        parts: list[tuple[Ints, Any]] = []
        if state is not None:
            parts.append((np.zeros(1, np.int64), state))
            order = order[order != 0]
        for first in range(0, len(order), STREAMS_AT_ONCE):
            chosen = order[first : first + STREAMS_AT_ONCE]
            parts.append((chosen, self.start(len(chosen))))
        for chosen, here in parts:
            for place in range(int(lengths[chosen].max(initial=0))):
                going = np.flatnonzero(lengths[chosen] > place)
                if len(going) < len(chosen):
                    chosen, here = chosen[going], here.select(going)
                places = batch.offsets[chosen] + place
                result[places], here = self._step(here, batch.ids[places].astype(np.int64))
                ended = np.flatnonzero((chosen == len(batch) - 1) & (lengths[chosen] == place + 1))
                if len(ended):
                    last = here.select(ended)
        if len(batch.ids) and lengths[-1] and batch.ids[-1] == EOS:
            last = self.start(1)
        return result, last

    # -- the file ---------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        from lmkit.classes.files import save_class_model

        save_class_model(self, path)

    @cached_property
    def _most_classes(self) -> int:
        return int(np.diff(self._starts).max(initial=0))

    def describe(self) -> dict[str, Any]:
        inner = self.inner.describe()
        return {
            "backend": self.backend,
            "order": self.inner.order,
            "smoothing": inner["smoothing"],
            "unit": self.unit,
            "vocabulary": len(self.vocabulary),
            "classes": self.facts["classes"],
            "classes of a word": self._most_classes,
            "ngrams": inner["ngrams"],
            "normalised": self.normalised,
            "text": self.encoder.settings.as_dict(tables=False),
            "notes": [*inner["notes"], *self.facts["notes"]],
        }


def _sums(values: Floats, groups: Ints, size: int) -> Floats:
    """log of the sum of exp ``values`` over each of ``size`` groups."""
    peaks = np.full(size, LOWEST)
    np.maximum.at(peaks, groups, values)
    sums: Any = np.bincount(groups, np.exp(values - peaks[groups]), minlength=size)
    with np.errstate(divide="ignore"):
        result: Floats = np.log(sums) + peaks
    return result

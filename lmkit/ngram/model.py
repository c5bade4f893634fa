"""`NgramModel`: a trie of n-grams behind the one interface.

p(w|h) is the probability of the longest n-gram of the trie that ends the history with w, times
the backoff weights of the longer histories that the trie has (Katz 1987). The interpolated
methods are stored in this form too: their probabilities are mixed once, at training.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import ModelFileError
from lmkit.model import BOS, EOS, Batch, Encoder, LanguageModel
from lmkit.ngram.drawing import draw_by_backing_off
from lmkit.ngram.lookup import find_children
from lmkit.ngram.smoothing.base import Form
from lmkit.ngram.state import NgramState
from lmkit.ngram.trie import Trie
from lmkit.sampling import Sampling


class NgramModel(LanguageModel):
    """A trained n-gram model.

    ``facts`` is what the model file keeps in ``meta`` about it: the smoothing method with its
    parameters and notes, whether n-grams were pruned, and where it came from.
    """

    backend: ClassVar[str] = "ngram"

    def __init__(
        self, trie: Trie, encoder: Encoder, facts: dict[str, Any], runs: list[dict[str, Any]]
    ) -> None:
        self.trie = trie
        self.encoder = encoder
        self.facts = facts
        self.runs = runs
        self.unit = facts["unit"]
        self.context_length = trie.order - 1
        self.normalised = facts["normalised"]

    @property
    def order(self) -> int:
        """The longest n-grams that the model has."""
        return self.trie.order

    @property
    def form(self) -> Form:
        form: Form = self.facts["smoothing"]["parameters"]["form"]
        return form

    @cached_property
    def _unigrams(self) -> NDArray[np.float64]:
        """log p(w) of every token, without context: [V]."""
        column = self.trie[1].log_prob
        assert column is not None
        return column.array().astype(np.float64)

    @cached_property
    def cumulative_unigrams(self) -> NDArray[np.float64]:
        """Running sum of p(w) over the vocabulary: [V]. Raises `ModelFileError` where no token
        has any probability."""
        cumulative = np.cumsum(np.exp(self._unigrams))
        if not cumulative[-1] > 0:
            raise ModelFileError("the model gives no token any probability", "training it again")
        return cumulative

    def continuations(
        self, order: int, context: int
    ) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """The tokens listed at ``order`` after ``context``, ascending, and the running sum of
        their probabilities."""
        start, stop = self.children(order, context)
        level = self.trie[order]
        assert level.token is not None and level.log_prob is not None
        return level.token.read(start, stop), np.cumsum(np.exp(level.log_prob.read(start, stop)))

    def leaves_rest(self, order: int, context: int) -> bool:
        """Whether ``context`` leaves anything to tokens that are not listed at ``order``."""
        return bool(self._log_backoffs(order - 1, np.array([context]))[0] > -np.inf)

    @property
    def missing(self) -> float:
        """What a context costs that the trie has not: nothing, but for stupid backoff."""
        return float(np.log(self.facts["smoothing"]["parameters"]["weight"]))

    @property
    def uniform(self) -> float:
        return -float(np.log(self.trie[1].size - 1))

    def _log_probs(self, order: int, rows: NDArray[np.integer]) -> NDArray[np.float64]:
        column = self.trie[order].log_prob
        assert column is not None
        return column.take(rows).astype(np.float64)

    def _log_backoffs(self, order: int, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        column = self.trie[order].log_backoff
        assert column is not None
        return column.take(rows).astype(np.float64)

    # -- scoring --------------------------------------------------------------------------

    def score(
        self, batch: Batch | str | Sequence[str], state: Any = None
    ) -> tuple[NDArray[np.float64], NgramState]:
        """See `LanguageModel.score`. Sentences begin anew after each ``</s>``."""
        batch = self.batch(batch)
        log_probs, _, final = self._walk(batch, state)
        return log_probs, final

    def score_with_orders(self, batch: Batch) -> tuple[NDArray[np.float64], NDArray[np.int16]]:
        """Log-probability of each token [T] and the order of the longest n-gram behind it [T]."""
        log_probs, matched, _ = self._walk(batch, None)
        return log_probs, matched

    def score_phrases(self, batch: Batch) -> tuple[NDArray[np.float64], NDArray[np.int16]]:
        """As `score_with_orders`, but nothing is known of what stands before a sentence: its first
        token has no history, not even ``<s>``. ``</s>`` has a score too."""
        log_probs, matched, _ = self._walk(batch, None, marks=False)
        return log_probs, matched

    def matched_orders(self, batch: Batch) -> NDArray[np.int16]:
        """Order of the longest n-gram behind the probability of each token: [T]."""
        return self.score_with_orders(batch)[1]

    def _walk(
        self, batch: Batch, state: NgramState | None, marks: bool = True
    ) -> tuple[NDArray[np.float64], NDArray[np.int16], NgramState]:
        """Log-probability and matched order of each token [T], and the final state.

        Goes order by order over all positions at once: an n-gram that ends at a position
        continues the one, an order below, that ends at the position before. Without ``marks``
        nothing continues ``<s>``, which then only parts sentences.
        """
        starts = np.asarray(batch.offsets[:-1])
        tokens = np.insert(batch.ids, starts, BOS)
        begins = starts + np.arange(len(starts))
        depth = self._depths(tokens, begins, state)
        log_probs = self._log_probs(1, tokens)
        matched = np.ones(len(tokens), np.int16)
        places, rows = np.arange(len(tokens)), tokens.astype(np.int64)
        if not (marks and self._marks):
            rows[begins] = -1
        if self._marks and not marks:
            depth -= 1
        if state is not None and len(begins):
            rows[0] = state.rows[0, 0] if self.order > 1 else rows[0]
        history = [rows[-1] if len(rows) else BOS]
        for order in range(2, self.order + 1):
            following = places + 1
            inside = np.flatnonzero((following < len(tokens)) & (rows >= 0))
            inside = inside[tokens[following[inside]] != BOS]
            places, contexts = following[inside], rows[inside]
            rows = find_children(self.trie, order, contexts, tokens[places])
            hit = rows >= 0
            self._back_off(order, log_probs, depth, places[~hit], contexts[~hit])
            places, rows = places[hit], rows[hit]
            log_probs[places] = self._log_probs(order, rows)
            matched[places] = order
            history.append(rows[-1] if len(places) and places[-1] == len(tokens) - 1 else -1)
            if state is not None and order < self.order and state.rows[0, order - 1] >= 0:
                places = np.concatenate(([0], places))
                rows = np.concatenate((state.rows[0, order - 1 : order], rows))
        words = np.ones(len(tokens), bool)
        words[begins] = False
        final = self._state_after(tokens, history, depth)
        return log_probs[words], matched[words], final

    @property
    def running(self) -> Callable[..., LanguageModel] | None:
        """This model reading a running text (`lmkit.ngram.running.RunningNgrams`), if it is one of
        a stream; None for one of sentences, which carries nothing from one to the next."""
        return None if self._marks else self._running

    def _running(self, **options: Any) -> LanguageModel:
        from lmkit.ngram.running import RunningNgrams

        return RunningNgrams(self, **options)

    def _depths(
        self, tokens: NDArray[np.int32], begins: NDArray[np.int64], state: NgramState | None
    ) -> NDArray[np.int64]:
        """How many tokens of history, ``<s>`` with them, each position has."""
        lengths = np.diff(np.append(begins, len(tokens)))
        depth = np.arange(len(tokens)) - np.repeat(begins, lengths)
        first = 1 if state is None else int(state.lengths[0])
        if not self._marks:
            # What stands for <s> is nothing.
            depth -= 1
            first += state is not None
        if state is not None and len(begins):
            depth[: lengths[0]] += first - 1
        return depth

    def _back_off(
        self,
        order: int,
        log_probs: NDArray[np.float64],
        depth: NDArray[np.int64],
        places: NDArray[np.int64],
        contexts: NDArray[np.int64],
    ) -> None:
        """Change ``log_probs`` where no n-gram of ``order`` is found: at ``places`` the trie has
        the context, elsewhere it has not."""
        if self.form == "floor":
            log_probs[depth >= order - 1] = self.uniform
            log_probs[places] = self._log_backoffs(order - 1, contexts)
            return
        if self.form == "constant":
            log_probs[depth >= order - 1] += self.missing
            return
        log_probs[places] += self._log_backoffs(order - 1, contexts)

    def _state_after(
        self, tokens: NDArray[np.int32], history: list[Any], depth: NDArray[np.int64]
    ) -> NgramState:
        if not len(tokens) or tokens[-1] == EOS:
            return self.start(1)
        rows = np.array([history[: self.order - 1]], np.int64).reshape(1, -1)
        return NgramState(rows, np.minimum(depth[-1:] + 1, self.order - 1))

    # -- one token after the other ----------------------------------------------------------

    @property
    def _marks(self) -> bool:
        """Whether sentences begin with ``<s>``."""
        marks: bool = self.encoder.settings.sentence_marks
        return marks

    def start(self, batch_size: int) -> NgramState:
        if not self._marks:
            return self.empty(batch_size)
        rows = np.full((batch_size, self.order - 1), -1, np.int64)
        rows[:, :1] = BOS
        return NgramState(rows, np.full(batch_size, min(1, self.order - 1)))

    def empty(self, batch_size: int) -> NgramState:
        """``batch_size`` streams without any history, not even ``<s>``."""
        rows = np.full((batch_size, self.order - 1), -1, np.int64)
        return NgramState(rows, np.zeros(batch_size, np.int64))

    def advance(self, state: Any, tokens: NDArray[np.integer] | Sequence[int]) -> NgramState:
        """See `LanguageModel.advance`. After ``</s>`` a stream stands at the next ``<s>``."""
        ids = np.asarray(tokens, np.int64)
        rows = np.full_like(state.rows, -1)
        rows[:, :1] = ids[:, None]
        for order in range(2, self.order):
            known = np.flatnonzero(state.rows[:, order - 2] >= 0)
            if not len(known):
                break
            rows[known, order - 1] = find_children(
                self.trie, order, state.rows[known, order - 2], ids[known]
            )
        lengths = np.minimum(state.lengths + 1, self.order - 1)
        ended = ids == EOS
        if ended.any():
            fresh = self.start(1)
            rows[ended], lengths[ended] = fresh.rows[0], fresh.lengths[0]
        return NgramState(rows, lengths)

    def log_probs_of(self, state: Any, tokens: NDArray[np.integer]) -> NDArray[np.float64]:
        """See `LanguageModel.log_probs_of`. Touches only what the asked tokens need."""
        ids = np.asarray(tokens, np.int64)
        flat = ids.reshape(-1)
        log_probs = self._log_probs(1, flat)
        stream = np.repeat(np.arange(len(ids)), ids.shape[1])
        lengths = state.lengths[stream]
        # No history is longer, so that higher orders have nothing to say.
        for order in range(2, min(self.order, int(lengths.max(initial=0)) + 1) + 1):
            contexts = state.rows[stream, order - 2]
            known = np.flatnonzero(contexts >= 0)
            rows = find_children(self.trie, order, contexts[known], flat[known])
            hit = rows >= 0
            self._back_off(order, log_probs, lengths, known[~hit], contexts[known[~hit]])
            log_probs[known[hit]] = self._log_probs(order, rows[hit])
        log_probs[flat == BOS] = -np.inf
        return log_probs.reshape(ids.shape)

    def next_log_probs(self, state: Any) -> NDArray[np.float64]:
        """See `LanguageModel.next_log_probs`."""
        log_probs = np.tile(self._unigrams, (len(state), 1))
        for stream, row in enumerate(log_probs):
            for order, context in enumerate(state.rows[stream].tolist(), 2):
                if state.lengths[stream] < order - 1:
                    break
                self._extend(row, order, context)
        log_probs[:, BOS] = -np.inf
        return log_probs

    def _extend(self, log_probs: NDArray[np.float64], order: int, context: int) -> None:
        """Turn the distribution [V] of ``order - 1`` into that of ``order``, in place."""
        if context < 0:
            if self.form == "floor":
                log_probs[:] = self.uniform
            elif self.form == "constant":
                log_probs += self.missing
            return
        weight = self._log_backoffs(order - 1, np.array([context]))[0]
        if self.form == "constant":
            log_probs += self.missing
        elif self.form == "floor":
            log_probs[:] = weight
        else:
            log_probs += weight
        start, stop = self.children(order, context)
        if stop > start:
            level = self.trie[order]
            assert level.token is not None and level.log_prob is not None
            log_probs[level.token.read(start, stop)] = level.log_prob.read(start, stop)

    def children(self, order: int, context: int) -> tuple[int, int]:
        """Rows at ``order`` of the n-grams that continue ``context``, a row of the order below."""
        column = self.trie[order - 1].first_child
        assert column is not None
        start, stop = column.take(np.array([context, context + 1])).tolist()
        return start, stop

    def draw_next(
        self, state: Any, how: Sampling, generator: np.random.Generator, unknown: bool = False
    ) -> NDArray[np.int64]:
        """See `LanguageModel.draw_next`. Where nothing is filtered, draws by backing off, which
        does not look at the whole vocabulary."""
        if how.plain and self.normalised and self.form != "floor":
            return draw_by_backing_off(self, state, generator, unknown)
        return super().draw_next(state, how, generator, unknown)

    # -- the file -----------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        from lmkit.ngram.files import save_ngram_model

        save_ngram_model(self, path)

    def describe(self) -> dict[str, Any]:
        return {
            "backend": self.backend,
            "order": self.order,
            "smoothing": self.facts["smoothing"]["name"],
            "form": self.form,
            "unit": self.unit,
            "vocabulary": len(self.vocabulary),
            "ngrams": self.trie.sizes,
            "counts": self.trie.has_counts,
            "pruned": self.facts["pruned"],
            "normalised": self.normalised,
            "text": self.facts["text"],
            "parameters": self.facts["smoothing"]["parameters"],
            "notes": self.facts["smoothing"]["notes"],
        }

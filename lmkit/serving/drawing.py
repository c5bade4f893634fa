"""Text drawn token by token, as `LanguageModel.generate` draws it, with what clients want to know
of each token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lmkit.batch import BOS, EOS
from lmkit.model import LanguageModel, State
from lmkit.sampling import Sampling
from lmkit.serving.scoring import read_prompt

Top = list[tuple[int, float]]
"""The likeliest tokens at one place, with their natural log-probabilities, the best first."""


class Token(NamedTuple):
    """A token, its natural log-probability under the model itself, and what was likeliest."""

    id: int
    log_prob: float
    top: Top


@dataclass(frozen=True, slots=True)
class Wanted:
    """How much is drawn, and how. ``top``: how many of the likeliest tokens are told."""

    n: int = 1
    max_tokens: int = 50
    sampling: Sampling = field(default_factory=Sampling)
    seed: int | None = None
    unknown: bool = False
    top: int = 0


def drawn(
    model: LanguageModel, state: State, wanted: Wanted, going: set[int]
) -> Iterator[tuple[int, Token]]:
    """The next token of each stream in ``going``, round by round, from ``state`` (of one stream)
    on. Whoever reads takes a stream out of ``going`` when it has ended.

    The same seed draws what `LanguageModel.generate` draws.
    """
    generator = np.random.default_rng(wanted.seed)
    alive = np.arange(wanted.n)
    state = state.select(np.zeros(wanted.n, np.int64))
    for _ in range(wanted.max_tokens):
        if not len(alive):
            return
        tokens = model.draw_next(state, wanted.sampling, generator, wanted.unknown)
        told = _told(model, state, tokens, wanted.top)
        yield from zip(alive.tolist(), told, strict=True)
        kept = np.array([row for row, one in enumerate(alive.tolist()) if one in going], np.int64)
        alive = alive[kept]
        if len(alive):
            state = model.advance_through(state.select(kept), tokens[kept])


def _told(
    model: LanguageModel, state: State, tokens: NDArray[np.int64], top: int
) -> Iterator[Token]:
    if not top:
        log_probs = model.log_probs_of(state, tokens[:, None])[:, 0]
        for token, value in zip(tokens.tolist(), log_probs.tolist(), strict=True):
            yield Token(token, value, [])
        return
    for row, token in zip(model.next_log_probs(state), tokens.tolist(), strict=True):
        yield Token(token, float(row[token]), likeliest(row, top))


def likeliest(row: NDArray[np.float64], top: int) -> Top:
    """The ``top`` likeliest tokens of ``row`` [V]."""
    top = min(top, len(row))
    best = np.argpartition(-row, top - 1)[:top] if top < len(row) else np.arange(len(row))
    best = best[np.argsort(-row[best], kind="stable")]
    return [(int(n), float(row[n])) for n in best if n != BOS and row[n] > -np.inf]


def read_scored(
    model: LanguageModel, ids: Sequence[int], top: int | None
) -> Iterator[tuple[Token | None, State]]:
    """Each of ``ids`` with its probability, if ``top`` is not None, and the state after it."""
    states = read_prompt(model, ids)
    before = next(states)
    for token, state in zip(ids, states, strict=True):
        told = None
        if top is not None:
            told = next(iter(_told(model, before, np.array([token]), top)))
        before = state
        yield told, state


class Growing:
    """The text of one sample as its tokens come: what may be sent of it, and where it ends.

    ``lines``: the line end that ends it (None: none does). ``stop``: texts that end it, and are
    no part of it.
    """

    def __init__(
        self, encoder: Any, prompt: str, *, lines: int | None, stop: Sequence[str], limit: int
    ) -> None:
        self._encoder = encoder
        self._prompt = prompt
        self._lines = lines
        self._stop = list(stop)
        self._limit = limit
        self._line_end = "\n\n" if encoder.settings.segment == "paragraph" else "\n"
        self._whole = ""
        self._line: list[int] = []
        self._first = True
        self._ended_lines = 0
        self._pending_end = ""
        self._sent = 0
        self._fresh = True
        self._current = ""
        self.tokens: list[Token] = []
        self.finish: str | None = None

    def add(self, token: Token) -> None:
        """One token more; `finish` says whether, and why, it was the last one."""
        self.tokens.append(token)
        if token.id == EOS:
            self._end_line()
        else:
            self._line.append(token.id)
            self._fresh = False
        if self._stop and self.finish is None:
            self._look_for_stop()
        if self.finish is None and len(self.tokens) >= self._limit:
            self.finish = "length"

    def _end_line(self) -> None:
        # The last line end of all is no part of the text.
        self._whole = self.text + self._pending_end
        self._pending_end = self._line_end
        self._line, self._first, self._fresh, self._current = [], False, True, ""
        self._ended_lines += 1
        if self._lines is not None and self._ended_lines >= self._lines:
            self.finish = "stop"

    @property
    def text(self) -> str:
        """All that was drawn so far."""
        if not self._line:
            return self._whole
        if not self._fresh:
            self._fresh = True
            if self._first:
                whole = self._encoder.continued(self._prompt, self._line)
                behind = whole.startswith(self._prompt)
                self._current = (
                    whole[len(self._prompt) :] if behind else self._encoder.decode(self._line)
                )
            else:
                self._current = self._encoder.decode(self._line)
        if self._pending_end:
            self._whole, self._pending_end = self._whole + self._pending_end, ""
        return self._whole + self._current

    def _look_for_stop(self) -> None:
        text = self.text
        places = [place for stop in self._stop if (place := text.find(stop, self._sent)) >= 0]
        if places:
            self._whole, self._line, self._pending_end = text[: min(places)], [], ""
            self.finish = "stop"

    def unsent(self) -> str:
        """What can be sent now and was not yet: all that no later token can take back."""
        text = self.text
        end = len(text)
        if self.finish is None:
            # Half a character may become a whole one, and a stop may have begun.
            end = len(text.rstrip(_HALVES)) - max(map(len, self._stop), default=1) + 1
        piece = text[self._sent : max(end, self._sent)]
        self._sent += len(piece)
        return piece


_HALVES = "".join(map(chr, range(0xDC80, 0xDD00))) + "\N{REPLACEMENT CHARACTER}"


def readable(text: str) -> str:
    """``text`` with U+FFFD for bytes that are no UTF-8, which JSON cannot hold."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")

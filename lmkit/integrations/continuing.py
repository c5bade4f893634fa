"""Texts that go on: how probable a continuation is after its context, and what a model would write.

A context and its continuation are strings. Line ends in them are ``</s>``; the end of the text
is none. What is scored is the text of both together, as the model cuts it:

- Where a token ends between the two, its part after the context is the continuation's.
- Where a token goes over the place between the two, the probability is that of both together
  over that of the context alone: log p(context + continuation) - log p(context). If the context
  alone is impossible, as an unknown word may be, log p(context + continuation) stands for it.
- A learnt token carries the space before it. So white space at the end of a context goes to the
  continuation there, as lm-evaluation-harness has it. Other tokenizers need no such thing.

Unknown words cost what their spelling costs, unless ``spelling`` is off. Networks carry their
state over line ends, unless ``carry`` is off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UnsupportedError
from lmkit.evaluate.places import TokenTexts
from lmkit.model import EOS, UNK, Batch, LanguageModel, avoid_unknown
from lmkit.sampling import Sampling, draw
from lmkit.text.segmentation import BLANKS

MOST_TOKENS = 500_000
"""Tokens that are scored in one go."""
MOST_CELLS = 4_000_000
"""Log-probabilities that are held at once."""
MOST_STREAMS = 64


@dataclass(frozen=True, slots=True)
class _Text:
    """``ids`` [N], with ``</s>`` between lines but not at the end, and the cost of spelling each
    [N]. ``sizes`` are the lengths of its lines, ``</s>`` of the last one too (which is not among
    the ids)."""

    ids: NDArray[np.int32]
    spelling: NDArray[np.float64]
    sizes: tuple[int, ...]

    def common(self, other: _Text) -> int:
        """How many first tokens are the same in both, unknown words by their spellings."""
        size = min(len(self.ids), len(other.ids))
        same = (self.ids[:size] == other.ids[:size]) & (
            self.spelling[:size] == other.spelling[:size]
        )
        return size if same.all() else int(same.argmin())


class Continuing:
    """``model`` at such work. ``special_tokens`` is what a literal ``<s>`` or ``</s>`` is
    (`lmkit.text.settings.TextSettings`; None: as the model was trained).

    Raises `UnsupportedError` for a model that has no probabilities, or none of the next token.
    """

    def __init__(
        self,
        model: LanguageModel,
        *,
        spelling: bool = True,
        carry: bool = True,
        special_tokens: str | None = None,
    ) -> None:
        model.require_probabilities()
        if model.lower_bound:
            raise UnsupportedError(
                f"a model of the backend {model.backend!r} has no distribution of the next token",
                "the model that it takes its words from",
            )
        self.model = model
        self.encoder: Any = model.encoder.with_settings(
            special_tokens=special_tokens, errors="replace"
        )
        self._skip_empty = self.encoder.settings.skip_empty_lines
        self._plain: Any = self.encoder.with_settings(skip_empty_lines=False)
        self._marks = self.encoder.settings.sentence_marks
        self._spelling = spelling
        self._subwords = self.encoder.unit == "subword"
        self._spaces: NDArray[np.bool_] | None = None
        self._running = getattr(model, "running", None) if carry else None
        self._streams = max(1, min(MOST_STREAMS, MOST_CELLS // len(model.vocabulary.tokens)))

    # -- texts as tokens --------------------------------------------------------------------

    def _encoded(self, texts: Sequence[str]) -> list[_Text]:
        lines: list[str] = []
        counts = []
        for text in texts:
            own = self._plain.prompt_lines(text)
            if self._skip_empty:
                own = [*(line for line in own[:-1] if line.strip(BLANKS)), own[-1]]
            lines += own
            counts.append(len(own))
        batch = self._plain.encode(lines)
        costs = np.zeros(len(batch.ids))
        if self._spelling and batch.unknown is not None:
            found = self._plain.spelling_log_probs(batch.unknown.spellings)
            if found is not None:
                costs[batch.unknown.positions] = found[batch.unknown.types]
        encoded = []
        line = 0
        for count in counts:
            bounds = batch.offsets[line : line + count + 1]
            line += count
            start, stop = int(bounds[0]), int(bounds[-1]) - self._marks
            sizes = tuple(np.diff(bounds).tolist())
            encoded.append(_Text(batch.ids[start:stop], costs[start:stop], sizes))
        return encoded

    def _context(self, context: str) -> str:
        """What of ``context`` can matter: its last line, unless the state is carried."""
        if self._running is None and self.encoder.settings.segment == "line":
            context = str(self.encoder.prompt_lines(context)[-1])
        return context

    # -- log-probabilities ------------------------------------------------------------------

    def _scored(self, texts: Sequence[_Text]) -> list[NDArray[np.float64]]:
        """log p of each token of each text, spelling included."""
        found: list[NDArray[np.float64]] = [np.zeros(0)] * len(texts)
        together = []
        for index, text in enumerate(texts):
            if self._running is not None and (len(text.sizes) > 1 or not self._marks):
                batch = _batch([text], self._marks)
                found[index] = self._running().score(batch)[0][: len(text.ids)]
            else:
                together.append(index)
        for group in _groups(together, [len(texts[index].ids) for index in together]):
            log_probs, _ = self.model.score(_batch([texts[index] for index in group], self._marks))
            place = 0
            for index in group:
                size = len(texts[index].ids)
                found[index] = log_probs[place : place + size]
                place += size + self._marks
        return [log_probs + text.spelling for log_probs, text in zip(found, texts, strict=True)]

    def texts(self, texts: Sequence[str]) -> list[float]:
        """log p of each whole text. A final line end is part of it if the text has one."""
        return [float(log_probs.sum()) for log_probs in self._scored(self._encoded(texts))]

    def continuations(
        self, pairs: Sequence[tuple[str, str]], greedy: bool = True
    ) -> list[tuple[float, bool]]:
        """Of each (context, continuation): log p(continuation | context), and whether each of its
        tokens is the likeliest one there (False for all without ``greedy``; an unknown word
        never is)."""
        contexts = [self._context(context) for context, _ in pairs]
        wholes = self._encoded(
            [
                context + continuation
                for context, (_, continuation) in zip(contexts, pairs, strict=True)
            ]
        )
        if self._subwords:
            contexts = [context.rstrip(" \t") for context in contexts]
        befores = self._encoded(contexts)
        shared = [whole.common(before) for whole, before in zip(wholes, befores, strict=True)]
        over = [n for n, before in enumerate(befores) if shared[n] < len(before.ids)]
        scored = self._scored([*wholes, *(befores[n] for n in over)])
        sums = [float(scored[n][shared[n] :].sum()) for n in range(len(pairs))]
        for n, log_probs in zip(over, scored[len(pairs) :], strict=True):
            before = float(log_probs[shared[n] :].sum())
            if np.isfinite(before):
                sums[n] -= before
        likeliest = [False] * len(pairs)
        if greedy:
            likeliest = self._greedy(wholes, shared)
        return list(zip(sums, likeliest, strict=True))

    # -- one token after the other ----------------------------------------------------------

    @property
    def _advance(self) -> Callable[..., Any]:
        return self.model.advance if self._running is None else self.model.advance_through

    def _greedy(self, texts: Sequence[_Text], starts: Sequence[int]) -> list[bool]:
        """Whether each text's tokens from ``starts`` on are the likeliest ones."""
        found = [
            UNK not in text.ids[start:].tolist() for text, start in zip(texts, starts, strict=True)
        ]
        asked = [n for n, text in enumerate(texts) if found[n] and starts[n] < len(text.ids)]
        # Those of about the same length run side by side.
        asked.sort(key=lambda n: (starts[n], len(texts[n].ids)))
        for first in range(0, len(asked), self._streams):
            group = asked[first : first + self._streams]
            state = self.model.start(len(group))
            step = 0
            while group:
                inside = [row for row, n in enumerate(group) if step >= starts[n]]
                if inside:
                    best = self._likeliest(state.select(inside))
                    for row, token in zip(inside, best.tolist(), strict=True):
                        found[group[row]] = token == int(texts[group[row]].ids[step])
                going = [
                    row for row, n in enumerate(group) if found[n] and step + 1 < len(texts[n].ids)
                ]
                group = [group[row] for row in going]
                if group:
                    tokens = np.array([texts[n].ids[step] for n in group])
                    state = self._advance(state.select(going), tokens)
                step += 1
        return found

    def _likeliest(self, state: Any) -> NDArray[np.int64]:
        keys = state.keys()
        if keys is None:
            which, same = np.arange(len(state)), np.arange(len(state))
        else:
            _, which, same = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        log_probs = self.model.next_log_probs(state.select(which))
        avoid_unknown(log_probs)
        best: NDArray[np.int64] = log_probs.argmax(axis=1)[same.reshape(-1)]
        return best

    def written(
        self,
        contexts: Sequence[str],
        *,
        until: Sequence[str] = (),
        max_tokens: int = 256,
        sampling: Sampling | None = None,
        generator: np.random.Generator | None = None,
    ) -> list[str]:
        """What the model writes after each context, up to the first of the strings ``until`` (left
        out) or ``max_tokens`` tokens. ``</s>`` is a line end and stops nothing by itself.
        ``sampling`` None takes the likeliest token each time."""
        how = sampling or Sampling(greedy=True)
        generator = generator or np.random.default_rng(0)
        shown = [self._context(context) for context in contexts]
        spaced = [self._subwords and context.endswith(" ") for context in shown]
        shown = [text[:-1] if cut else text for text, cut in zip(shown, spaced, strict=True)]
        prompts = [text.ids for text in self._encoded(shown)]
        found = [""] * len(contexts)
        order = sorted(range(len(contexts)), key=lambda n: len(prompts[n]))
        stops = [stop for stop in until if stop]
        for first in range(0, len(order) if max_tokens > 0 else 0, self._streams):
            group = order[first : first + self._streams]
            drawn: dict[int, list[int]] = {n: [] for n in group}
            state = self.model.start(len(group))
            step = 0
            while group:
                # A stream reads its prompt while others write already.
                writing = [row for row, n in enumerate(group) if step >= len(prompts[n])]
                tokens = np.array(
                    [prompts[n][step] if step < len(prompts[n]) else EOS for n in group], np.int64
                )
                if writing:
                    begins = [spaced[group[row]] and not drawn[group[row]] for row in writing]
                    tokens[writing] = self._drawn(state.select(writing), begins, how, generator)
                done = set()
                for row in writing:
                    n = group[row]
                    drawn[n].append(int(tokens[row]))
                    found[n] = self._text_after(shown[n], drawn[n])[spaced[n] :]
                    places = [place for stop in stops if (place := found[n].find(stop)) >= 0]
                    if places:
                        found[n] = found[n][: min(places)]
                    if places or len(drawn[n]) == max_tokens:
                        done.add(row)
                going = [row for row in range(len(group)) if row not in done]
                group = [group[row] for row in going]
                if group:
                    state = self._advance(state.select(going), tokens[going])
                step += 1
        return found

    def _drawn(
        self, state: Any, begins: Sequence[bool], how: Sampling, generator: np.random.Generator
    ) -> NDArray[np.int64]:
        """The next token of each stream; where a word ``begins``, one that has the space before
        it, which was cut off the context."""
        if not any(begins):
            return self.model.draw_next(state, how, generator)
        if self._spaces is None:
            self._spaces = TokenTexts(self.model, self.encoder.settings).begins_with_space()
        log_probs = self.model.next_log_probs(state)
        avoid_unknown(log_probs)
        log_probs[np.ix_(np.array(begins), ~self._spaces)] = -np.inf
        return draw(log_probs, how, generator)

    def _text_after(self, context: str, ids: Sequence[int]) -> str:
        text = self.encoder.continued(context, ids)[len(context) :]
        if ids[-1] == EOS:
            text += "\n\n" if self.encoder.settings.segment == "paragraph" else "\n"
        # Bytes that are no letter yet, or never become one, are no text.
        return str(text.encode(errors="surrogateescape").decode(errors="replace"))


def _batch(texts: Sequence[_Text], marks: bool) -> Batch:
    """``texts`` with a sentence a line, the last ``</s>`` of each too."""
    end = np.array([EOS] * marks, np.int32)
    ids = np.concatenate([part for text in texts for part in (text.ids, end)])
    sizes = [size for text in texts for size in text.sizes]
    return Batch(ids, np.concatenate(([0], np.cumsum(sizes))).astype(np.int64))


def _groups(indices: Sequence[int], sizes: Sequence[int]) -> Iterator[list[int]]:
    """``indices`` in parts of at most `MOST_TOKENS`."""
    group: list[int] = []
    total = 0
    for index, size in zip(indices, sizes, strict=True):
        if group and total + size > MOST_TOKENS:
            yield group
            group, total = [], 0
        group.append(index)
        total += size
    if group:
        yield group

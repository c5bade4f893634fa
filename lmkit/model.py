"""The one interface: `LanguageModel`. Everything else is written against it.

Text travels in flat arrays, a `Batch`: token ids of all sentences behind each
other. ``T`` is the number of tokens of a batch, ``S`` of sentences, ``B`` of
parallel streams, ``V`` the size of the vocabulary. Log-probabilities are
natural logarithms.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from lmkit.batch import BOS as BOS
from lmkit.batch import EOS as EOS
from lmkit.batch import UNK as UNK
from lmkit.batch import Batch as Batch
from lmkit.batch import UnknownWords as UnknownWords
from lmkit.batch import rebase as rebase
from lmkit.batch import sums_of_parts as sums_of_parts
from lmkit.errors import UnsupportedError, UsageError
from lmkit.extent import TextExtent
from lmkit.measures import NO_TEXT, Perplexity
from lmkit.sampling import Sampling, draw
from lmkit.searching import BeamSearch


class State(Protocol):
    """Where ``B`` parallel streams of text stand."""

    def __len__(self) -> int:
        """``B``."""

    def select(self, rows: NDArray[np.integer] | Sequence[int]) -> State:
        """The streams ``rows``, in that order; a row may be kept, copied or left out."""

    def keys(self) -> NDArray[np.int64] | None:
        """[B, k]: equal rows have equal futures. None where no two streams ever do."""


class Encoder(Protocol):
    """Turns text into batches and tokens into text, as the model was trained."""

    @property
    def vocabulary(self) -> Any: ...

    @property
    def settings(self) -> Any:
        """How text becomes tokens (`lmkit.text.settings.TextSettings`)."""

    @property
    def unit(self) -> str:
        """``word``, ``character``, ``byte`` or ``subword``: what a token is."""

    def with_settings(
        self,
        *,
        skip_empty_lines: bool | None = None,
        segment: str | None = None,
        special_tokens: str | None = None,
        errors: str | None = None,
    ) -> Encoder:
        """The same encoder but for what may differ after training; None: as it is."""

    def encode(self, lines: Sequence[str]) -> Batch:
        """One sentence a line."""

    def encode_stream(
        self, lines: Iterable[str], extent: TextExtent | None = None
    ) -> Iterator[Batch]:
        """Batches of bounded size; ``extent`` counts the text as it stands there."""

    def encode_file(self, path: Path, extent: TextExtent | None = None) -> Iterator[Batch]:
        """Batches of bounded size, read as training read its text; ``extent`` as above."""

    def encode_prompt(self, text: str) -> NDArray[np.int32]:
        """Ids of ``text`` without a final ``</s>``; each line before the last one has its own."""

    def continued(self, prompt: str, ids: Sequence[int] | NDArray[np.integer]) -> str:
        """``prompt`` as it was typed, and the text of the ``ids`` that came after it."""

    def decode(self, ids: Sequence[int] | NDArray[np.integer]) -> str:
        """Text of ``ids``."""

    def spelling_log_probs(self, spellings: Sequence[str]) -> NDArray[np.float64] | None:
        """log p(spelling | unknown word) of each; None where the model has none."""


@dataclass(frozen=True, slots=True)
class Generated:
    """A sentence that was drawn or found: its text, its token ids (with ``</s>`` where it ended),
    and their summed log-probability under the model itself (not under the filters). ``score`` is
    what a search has ranked it by."""

    text: str
    ids: tuple[int, ...]
    log_probability: float
    score: float | None = None


class LanguageModel(ABC):
    """What every backend offers. `score`, `start`, `advance` and `next_log_probs`
    are the backend's; the rest follows from them."""

    backend: ClassVar[str]

    encoder: Encoder
    unit: str
    """``word``, ``character``, ``byte`` or ``subword``: what a token is."""
    context_length: int | None
    """How many earlier tokens a prediction can depend on; None: all of them."""
    runs: list[dict[str, Any]]
    """What made the model, the earliest first: rows of the table ``runs`` of its file."""
    normalised: bool = True
    """Whether the next-token distributions sum to one (stupid backoff's do not)."""
    lower_bound: bool = False
    """Whether scores are bounds from below, as a search leaves out what is unlikely."""

    @property
    def vocabulary(self) -> Any:
        """The tokens (`lmkit.text.vocabulary.Vocabulary`), ``V`` of them."""
        return self.encoder.vocabulary

    @property
    def coarse(self) -> LanguageModel:
        """A model of the same tokens that is faster, if any, and near enough to leave out what is
        hopeless; else the model itself."""
        return self

    @property
    def quick(self) -> LanguageModel:
        """The same model with a `log_probs_of` that is faster and a little off, by less than
        matters where ways are compared, if it has one; else the model itself."""
        return self

    @abstractmethod
    def score(
        self, batch: Batch | str | Sequence[str], state: State | None = None
    ) -> tuple[NDArray[np.float64], State]:
        """log p(token | everything before it in its sentence) of every token [T], ``</s>``
        included, and the state after the last one.

        Every sentence starts anew at ``<s>``; a given ``state`` (of one stream) is where
        the first sentence goes on instead. A string counts as one sentence.
        """

    @abstractmethod
    def start(self, batch_size: int) -> State:
        """``batch_size`` streams at the beginning of a sentence."""

    @abstractmethod
    def advance(self, state: State, tokens: NDArray[np.integer] | Sequence[int]) -> State:
        """The state after one more token [B] on each stream."""

    def advance_through(self, state: State, tokens: NDArray[np.integer] | Sequence[int]) -> State:
        """As `advance`, for text that goes on over line ends: after ``</s>`` a model that can
        carry its state does so, any other one begins the next sentence."""
        return self.advance(state, tokens)

    @abstractmethod
    def next_log_probs(self, state: State) -> NDArray[np.float64]:
        """log p(next token) [B, V] on each stream; ``<s>`` has -inf."""

    def log_probs_of(self, state: State, tokens: NDArray[np.integer]) -> NDArray[np.float64]:
        """log p of the ``tokens`` [B, K] only: [B, K]. Decoders live on this."""
        return np.take_along_axis(self.next_log_probs(state), np.asarray(tokens), axis=1)

    def draw_next(
        self, state: State, how: Sampling, generator: np.random.Generator, unknown: bool = False
    ) -> NDArray[np.int64]:
        """Draw one next token [B] on each stream; ``<unk>`` only where ``unknown``, or where
        nothing else can follow."""
        log_probs = self.next_log_probs(state)
        if not unknown:
            avoid_unknown(log_probs)
        return draw(log_probs, how, generator)

    @abstractmethod
    def save(self, path: str | Path) -> None:
        """Write the model to one file, atomically: the old one stays until the new one is whole."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Facts about the model for ``lmkit info``: names to JSON values."""

    def batch(self, text: Batch | str | Sequence[str]) -> Batch:
        """``text`` as a batch: a string is one sentence, a sequence one sentence an entry."""
        if isinstance(text, Batch):
            return text
        return self.encoder.encode([text] if isinstance(text, str) else list(text))

    def perplexity(self, text: Path | Batch | Iterable[str]) -> Perplexity:
        """Perplexity of a file (a `Path`), a batch, or lines of text (a string is split into
        lines). Works in bounded memory.

        Bits per character and byte are of the text as it stands there, whatever the model reads
        of it (`lmkit.extent.TextExtent`); of a batch, which has lost that, `measure`'s. Raises
        `UnsupportedError` for a model whose scores are no probabilities.
        """
        self.require_probabilities()
        if isinstance(text, Batch):
            return self.measure(text)
        extent = TextExtent()
        if isinstance(text, Path):
            batches = self.encoder.encode_file(text, extent)
        else:
            lines = self._lines(text) if isinstance(text, str) else text
            batches = self.encoder.encode_stream(lines, extent)
        total = NO_TEXT
        for batch in batches:
            total = total + self.measure(batch)
        return total.over(extent)

    def _lines(self, text: str) -> list[str]:
        """``text`` cut where a file is: at LF, CRLF and CR, and at nothing else (at LF alone for a
        model of bytes)."""
        if not self.encoder.settings.reading["only_lf"]:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        lines = text.split("\n")
        return lines if lines[-1] else lines[:-1]

    def require_probabilities(self) -> None:
        """Raises `UnsupportedError` for a model whose scores are no probabilities."""
        if not self.normalised:
            raise UnsupportedError(
                "this model gives scores, not probabilities, so it has no perplexity",
                "lmkit score for the scores themselves, or train with another smoothing",
            )

    def require_sentence_marks(self, what: str) -> None:
        """Raises `UnsupportedError`, of which ``what`` is the reason, for a model of text in which
        no sentence begins or ends."""
        if not self.encoder.settings.sentence_marks:
            raise UnsupportedError(
                f"{what}: it was trained without sentence marks",
                "a model that was trained without --no-sentence-marks",
            )

    def measure(self, batch: Batch, log_probs: NDArray[np.float64] | None = None) -> Perplexity:
        """The figures of one batch, from its ``log_probs`` [T] where they are known already;
        bits per character are of the reference text that the batch knows the length of."""
        if log_probs is None:
            log_probs, _ = self.score(batch)
        is_unknown = batch.ids == UNK
        # A model that is not asked where lines end has no code for a text of several.
        marks = self.encoder.settings.sentence_marks
        spellings = self.spelling_costs(batch) if marks else None
        return Perplexity(
            sentences=len(batch) if marks else 0,
            tokens=len(batch.ids),
            oovs=int(is_unknown.sum()),
            log_probability_of_known=float(log_probs[~is_unknown].sum()),
            log_probability_of_oovs=float(log_probs[is_unknown].sum()),
            log_probability_of_spellings=None if spellings is None else float(spellings.sum()),
            characters=None if batch.characters is None else int(batch.characters.sum()),
        )

    def spelling_costs(self, batch: Batch) -> NDArray[np.float64] | None:
        """log p(spelling) [U] of each unknown word of ``batch``; None where the model
        has no spelling model or the batch has lost its spellings."""
        if batch.unknown is None:
            return np.zeros(0) if not (batch.ids == UNK).any() else None
        per_type = self.encoder.spelling_log_probs(batch.unknown.spellings)
        return None if per_type is None else per_type[batch.unknown.types]

    def generate(
        self,
        n: int = 1,
        *,
        prompt: str = "",
        max_tokens: int = 50,
        sampling: Sampling | None = None,
        seed: int | None = None,
        unknown: bool = False,
        lines: int | None = 1,
    ) -> list[Generated]:
        """Draw ``n`` sentences that begin with ``prompt``, each up to ``</s>`` or
        ``max_tokens`` new tokens. The same seed gives the same sentences.

        ``prompt`` may have several lines, and what is drawn ends at the ``lines``-th line end
        (None: at none, so that ``max_tokens`` decides). Networks carry their state over line
        ends; models that have none to carry begin each line anew.

        ``unknown`` allows ``<unk>`` to be drawn; else it is only where nothing else can follow.
        """
        if lines is not None and lines < 1:
            raise UsageError(f"lines must be at least 1, not {lines}", "1, or None for all")
        how = sampling or Sampling()
        generator = np.random.default_rng(seed)
        beginning = self.encoder.encode_prompt(prompt)
        state = self._after_prompt(beginning, n)
        drawn: list[list[int]] = [[] for _ in range(n)]
        left = np.full(n, max_tokens if lines is None else lines)
        sums = np.zeros(n)
        alive = np.arange(n)
        for _ in range(max_tokens):
            if not len(alive):
                break
            tokens = self.draw_next(state, how, generator, unknown)
            sums[alive] += self.log_probs_of(state, tokens[:, None])[:, 0]
            for stream, token in zip(alive.tolist(), tokens.tolist(), strict=True):
                drawn[stream].append(token)
            left[alive] -= tokens == EOS
            going = np.flatnonzero(left[alive])
            alive = alive[going]
            state = self.advance_through(state.select(going), tokens[going])
        return [
            self._generated(prompt, beginning, ids, float(total))
            for ids, total in zip(drawn, sums, strict=True)
        ]

    def beam_search(
        self,
        n: int = 1,
        *,
        beam: int = 10,
        prompt: str = "",
        max_tokens: int = 50,
        length_penalty: float = 0.0,
        unknown: bool = False,
    ) -> list[Generated]:
        """The ``n`` best of the sentences that `generate` could draw, the best first, as far as a
        beam of ``beam`` states finds them (`lmkit.searching.BeamSearch`).

        They are ranked by their log-probability after the prompt over their number of tokens to
        the power of ``length_penalty``: 0 for the likeliest ones, 1 for the highest mean. Raises
        `UsageError` for a ``beam`` below ``n`` or a penalty below 0.
        """
        search = BeamSearch(
            self,
            EOS,
            beam=beam,
            n=n,
            max_tokens=max_tokens,
            length_penalty=length_penalty,
            mend=None if unknown else avoid_unknown,
        )
        beginning = self.encoder.encode_prompt(prompt)
        return [
            self._generated(prompt, beginning, found.ids, found.log_probability, found.score)
            for found in search.run(self._after_prompt(beginning, 1))
        ]

    def _after_prompt(self, beginning: NDArray[np.int32], n: int) -> State:
        state = self.start(n)
        for token in beginning:
            state = self.advance_through(state, np.full(n, token))
        return state

    def _generated(
        self,
        prompt: str,
        beginning: NDArray[np.int32],
        drawn: Sequence[int],
        log_probability: float,
        score: float | None = None,
    ) -> Generated:
        ids = (*map(int, beginning), *drawn)
        return Generated(self.encoder.continued(prompt, drawn), ids, log_probability, score)


def avoid_unknown(log_probs: NDArray[np.float64]) -> None:
    """Make ``<unk>`` impossible, in place, in each row [B, V] where anything else is possible."""
    only = log_probs[:, UNK].copy()
    log_probs[:, UNK] = -np.inf
    stuck = np.isneginf(log_probs.max(axis=1))
    log_probs[stuck, UNK] = only[stuck]

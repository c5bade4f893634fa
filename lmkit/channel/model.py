"""The noisy channel as a language model of *observed* text: p(x) = sum over y of p(y) p(x|y).

The source p(y) is any model of words; the channel p(x|y) is an `ErrorModel`. It scores whole
sentences (`lmkit.channel.forward`) and draws text; it has no distribution of the next token, as
a typed word may be the end of one word and the beginning of another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lmkit.channel.base import ErrorModel
from lmkit.channel.candidates.stock import Stock
from lmkit.channel.candidates.stored import StoredStock
from lmkit.channel.weights import CHANNEL, SOURCE
from lmkit.errors import UnsupportedError
from lmkit.measures import Perplexity
from lmkit.model import EOS, Batch, Generated, LanguageModel, State
from lmkit.sampling import Sampling
from lmkit.store.components import Component

WHOLE = "a noisy channel can only score whole sentences: it has no next token"
HINT = "lmkit perplexity or lmkit score; lmkit generate also draws from it"


class NoisyChannelModel(LanguageModel):
    """A channel over a source of words.

    ``weights``: ``source`` and ``channel`` are powers for correcting, ``keep`` is the channel's
    part of words typed as meant; others are the corrector's own. ``lexicon`` are
    settings of the corrector, JSON values; ``stock`` are the words it chooses from, those of the
    source and of a word list, where they are kept with the model.
    Raises `UnsupportedError` for a source that is no model of words, or gives no probabilities.
    """

    backend: ClassVar[str] = "noisy-channel"
    lower_bound = True

    def __init__(
        self,
        source: Component,
        channel: ErrorModel,
        *,
        weights: dict[str, float] | None = None,
        lexicon: dict[str, Any] | None = None,
        facts: dict[str, Any] | None = None,
        runs: Sequence[dict[str, Any]] = (),
        embed: bool = False,
        stock: Stock | StoredStock | None = None,
    ) -> None:
        if source.model.unit != "word":
            raise UnsupportedError(
                f"the source of a noisy channel has to be a model of words, not of the unit "
                f"{source.model.unit!r}",
                "lmkit train TEXT --tokenizer word, to make such a model",
            )
        source.model.require_probabilities()
        source.model.require_sentence_marks("the source of a noisy channel has to know sentences")
        self.component = source
        self.source = source.model
        self.channel = channel
        self.lexicon = dict(lexicon or {})
        self.facts = dict(facts or {})
        self.runs = list(runs)
        self.embed = embed
        self._stock = stock
        self._weights = {"source": SOURCE, "channel": CHANNEL}
        self.encoder = self.source.encoder
        self.unit = self.source.unit
        self.context_length = None
        self.set_weights(**(weights or {}))

    @property
    def stock(self) -> Stock | None:
        """The words kept with the model, in the order of their priors; None without any."""
        return self._stock.stock if isinstance(self._stock, StoredStock) else self._stock

    @property
    def weights(self) -> dict[str, float]:
        """``source``, ``channel``, ``keep``; `set_weights` changes them."""
        return {**self._weights, "keep": self.channel.keep}

    def set_weights(
        self,
        *,
        source: float | None = None,
        channel: float | None = None,
        keep: float | None = None,
        **others: float,
    ) -> None:
        """Change those that are given. ``others`` are kept for the corrector."""
        self._weights.update(others)
        if source is not None:
            self._weights["source"] = source
        if channel is not None:
            self._weights["channel"] = channel
        if keep is not None:
            self.channel.keep = keep

    def score(
        self, batch: Batch | str | Sequence[str], state: State | None = None
    ) -> tuple[NDArray[np.float64], State]:
        """log p of each sentence as observed, all of it at its ``</s>``; 0 at the other tokens.

        A sum over the ways that the search finds: a lower bound. There is no state to go on
        from: raises `UnsupportedError` where one is given.
        """
        if state is not None:
            raise UnsupportedError(WHOLE, HINT)
        sentences = self.batch(batch)
        log_probs = np.zeros(len(sentences.ids))
        log_probs[sentences.offsets[1:] - 1] = self.sentence_log_probs(sentences)
        return log_probs, _NoState(1)

    def sentence_log_probs(self, batch: Batch) -> NDArray[np.float64]:
        """log p [S] of each sentence as observed, its end and its spelling included: a lower
        bound, as the search leaves out what is unlikely."""
        from lmkit.channel.forward import sentence_log_probs

        values, _ = sentence_log_probs(self, self.observed(batch))
        return values

    def observed(self, batch: Batch) -> list[list[str]]:
        """The tokens of each sentence as they were written."""
        tokens = self.vocabulary.tokens
        words = [tokens[number] for number in batch.ids.tolist()]
        if batch.unknown is not None:
            spellings = batch.unknown.spellings
            for place, kind in zip(
                batch.unknown.positions.tolist(), batch.unknown.types.tolist(), strict=True
            ):
                words[place] = spellings[kind]
        return [words[a : b - 1] for a, b in pairwise(batch.offsets.tolist())]

    def measure(self, batch: Batch, log_probs: NDArray[np.float64] | None = None) -> Perplexity:
        """The figures of one batch. No word is unknown to a channel: what was typed is paid for
        letter by letter."""
        if log_probs is None:
            log_probs, _ = self.score(batch)
        return Perplexity(
            sentences=len(batch),
            tokens=len(batch.ids),
            oovs=0,
            log_probability_of_known=float(log_probs.sum()),
            log_probability_of_oovs=0.0,
            log_probability_of_spellings=0.0,
            characters=None if batch.characters is None else int(batch.characters.sum()),
        )

    def spelling_costs(self, batch: Batch) -> NDArray[np.float64] | None:
        """Nothing [U]: `score` has paid for the letters of every word."""
        return np.zeros(0 if batch.unknown is None else len(batch.unknown.positions))

    def start(self, batch_size: int) -> State:
        raise UnsupportedError(WHOLE, HINT)

    def advance(self, state: State, tokens: NDArray[np.integer] | Sequence[int]) -> State:
        raise UnsupportedError(WHOLE, HINT)

    def next_log_probs(self, state: State) -> NDArray[np.float64]:
        raise UnsupportedError(WHOLE, HINT)

    def log_probs_of(self, state: State, tokens: NDArray[np.integer]) -> NDArray[np.float64]:
        raise UnsupportedError(WHOLE, HINT)

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
        """Draw ``n`` sentences from the source and type them through the channel, but for the
        ``prompt``; see `LanguageModel.generate`. ``lines`` is 1: a channel types one sentence.
        ``ids`` are those of the text as typed, the log probability is that of what was meant and
        what was typed together."""
        if lines != 1 or EOS in self.encoder.encode_prompt(prompt):
            raise UnsupportedError(
                "a noisy channel types single sentences, each by itself, and not several lines",
                "one line, or the source model itself",
            )
        return [typed for _, typed in self.generate_pairs(
            n, prompt=prompt, max_tokens=max_tokens, sampling=sampling, seed=seed, unknown=unknown
        )]  # fmt: skip

    def generate_pairs(
        self, n: int = 1, *, prompt: str = "", seed: int | None = None, **options: Any
    ) -> list[tuple[Generated, Generated]]:
        """What was meant, and what was typed: text to train others on. Options as `generate`."""
        meant = self.source.generate(n, prompt=prompt, seed=seed, **options)
        generator = np.random.default_rng(seed)
        beginning = len(self.encoder.encode_prompt(prompt))
        return [(clean, self._typed(clean, prompt, beginning, generator)) for clean in meant]

    def _typed(
        self, meant: Generated, prompt: str, beginning: int, generator: np.random.Generator
    ) -> Generated:
        drawn = [self.vocabulary.tokens[n] for n in meant.ids[beginning:] if n != EOS]
        words = [self.channel.draw(token, generator) for token in drawn]
        log_prob = float(self.channel.log_probs(words, drawn).sum())
        typed: list[str] = []
        space = math.exp(self.channel.log_space)
        for number, word in enumerate(words):
            apart = not number or generator.random() < space
            if number:
                log_prob += math.log(space if apart else 1 - space)
            typed[len(typed) if apart else -1 :] = [word if apart else typed[-1] + word]
        encoder: Any = self.encoder
        parts = [part for piece in typed for part in piece.split(" ") if part]
        text = encoder.with_tokens(prompt, parts)
        end = (EOS,) if meant.ids[-1:] == (EOS,) else ()
        ids = (*encoder.encode_prompt(text).tolist(), *end)
        return Generated(text, ids, meant.log_probability + log_prob)

    def save(self, path: str | Path) -> None:
        from lmkit.channel.files import save_channel_model

        save_channel_model(self, path)

    def describe(self) -> dict[str, Any]:
        rows = list(self.channel.rows())
        return {
            "backend": self.backend,
            "channel": self.channel.name,
            "edits": len(rows),
            "weights": self.weights,
            **self.facts,
            "source": {
                "file": None if self.component.place is None else str(self.component.place),
                **self.source.describe(),
            },
        }


class _NoState:
    """What `score` has for a state: nothing can go on from it."""

    def __init__(self, size: int) -> None:
        self._size = size

    def __len__(self) -> int:
        return self._size

    def select(self, rows: NDArray[np.integer] | Sequence[int]) -> State:
        return _NoState(len(rows))

    def keys(self) -> NDArray[np.int64] | None:
        return None

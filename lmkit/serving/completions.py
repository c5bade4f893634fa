"""OpenAI's ``/v1/completions``, and ``/generate``, on any model that has a next token.

A completion goes on to the end of its line, ``</s>``. That is a token like others in ``logprobs``,
so the log-probabilities of a line and its end sum to `LanguageModel.score`.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lmkit.batch import BOS, EOS
from lmkit.errors import UsageError
from lmkit.measures import LN10
from lmkit.model import LanguageModel
from lmkit.sampling import Sampling
from lmkit.serving.drawing import Growing, Token, Wanted, drawn, read_scored, readable
from lmkit.serving.limits import Limits
from lmkit.serving.places import token_ends
from lmkit.serving.refusals import invalid
from lmkit.serving.scoring import figure, prompt_ids

Record = dict[str, Any]
UNLIKELY = -9999.0
"""What stands for minus infinity in this interface."""
COLDEST = 1e-6
"""Log-probabilities over a temperature below it are past what numbers can hold apart."""


@dataclass(slots=True)
class Piece:
    """Something that is new of one choice: text, tokens, and at last why it ended."""

    index: int
    text: str
    tokens: list[Token] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    finish: str | None = None
    log_probability: float = 0.0
    drawn: int = 0


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt: as it was typed, and its tokens."""

    text: str
    ids: list[int]


def read_prompts(model: LanguageModel, given: Any, limits: Limits) -> list[Prompt]:
    """A prompt, or several, each a text or a list of ids. Raises `Refused` for ids that the
    vocabulary lacks, and for too many tokens."""
    several = given if isinstance(given, list) else [given]
    if several and isinstance(several[0], int):
        several = [several]
    prompts = [_prompt(model, one, limits) for one in several]
    total = sum(len(prompt.ids) for prompt in prompts)
    if total > limits.tokens:
        raise invalid(
            f"the prompts have {total} tokens, and may have {limits.tokens}",
            "prompt",
            "too_many_tokens",
        )
    return prompts


def _prompt(model: LanguageModel, given: str | list[int], limits: Limits) -> Prompt:
    if isinstance(given, str):
        return Prompt(given, prompt_ids(model, given, limits, "prompt"))
    ids = given[1:] if given[:1] == [BOS] else given
    size = len(model.vocabulary.tokens)
    for number in ids:
        if number >= size or number == BOS:
            what = "is <s>, and not the first one" if number == BOS else f"is above {size - 1}"
            raise invalid(f"the token {number} {what}", "prompt")
    text = model.encoder.continued("", ids)
    return Prompt(text + "\n" * (ids[-1:] == [EOS]), ids)


def sampling_of(asked: Record) -> Sampling:
    """How to draw; a temperature of 0, or as good as that, takes the likeliest token each time."""
    temperature, top_p = asked["temperature"], asked["top_p"]
    greedy = temperature < COLDEST
    try:
        return Sampling(
            1.0 if greedy else temperature,
            asked.get("top_k"),
            None if top_p == 1 else top_p,
            greedy=greedy,
        )
    except UsageError as error:
        raise invalid(error.message) from None


def check_total(asked: Record, prompts: int, limits: Limits) -> None:
    """Raises `Refused` for more tokens, over all samples, than one request may draw."""
    total = prompts * asked["n"] * asked["max_tokens"]
    if total > limits.tokens:
        raise invalid(
            f"prompts x n x max_tokens is {total}, and may be {limits.tokens}",
            "max_tokens",
            "too_many_tokens",
        )


def completed(
    model: LanguageModel, prompt: Prompt, first: int, asked: Record, seed: int
) -> Iterator[Piece | None]:
    """What is new of the choices ``first`` to ``first + n`` for one prompt, as it comes; None
    where only time has passed. ``asked`` are the fields of a request that both interfaces have.
    """
    n, logprobs, echo = asked["n"], asked["logprobs"], asked["echo"]
    scored: list[Token] = []
    state = model.start(1)
    for told, after in read_scored(model, prompt.ids, logprobs if echo else None):
        state = after
        if told is not None:
            scored.append(told)
        yield None
    if echo:
        for index in range(n):
            yield _echo(model, prompt, scored, first + index)
    limit = asked["max_tokens"]
    samples = [
        Growing(model.encoder, prompt.text, lines=asked["lines"], stop=asked["stop"], limit=limit)
        for _ in range(n)
    ]
    if not limit:
        for index in range(n):
            yield Piece(first + index, "", finish="length")
        return
    wanted = Wanted(n, limit, sampling_of(asked), seed, asked["unknown"], logprobs or 0)
    going = set(range(n))
    shift = len(prompt.text) if echo else 0
    for index, token in drawn(model, state, wanted, going):
        sample = samples[index]
        piece = Piece(first + index, "", [token])
        if logprobs is not None:
            piece.offsets = [shift + len(sample.text)]
        sample.add(token)
        if logprobs is not None:
            piece.names = [_name(model, token.id, sample.text[piece.offsets[0] - shift :])]
        if sample.finish is not None:
            going.discard(index)
            piece.finish = sample.finish
            piece.log_probability = sum(one.log_prob for one in sample.tokens)
            piece.drawn = len(sample.tokens)
        if asked["stream"] or sample.finish is not None:
            piece.text = readable(sample.unsent())
        yield piece


def _echo(model: LanguageModel, prompt: Prompt, scored: list[Token], index: int) -> Piece:
    piece = Piece(index, readable(prompt.text), scored)
    if scored:
        ends = token_ends(model, prompt.text, prompt.ids)
        piece.offsets = [0, *ends[:-1]]
        piece.names = [
            _name(model, token.id, prompt.text[start:end])
            for token, start, end in zip(scored, piece.offsets, ends, strict=True)
        ]
    return piece


def _name(model: LanguageModel, token: int, text: str) -> str:
    """A token as ``logprobs`` has it: its text as it stands there, or its name if it has none."""
    if not text or readable(text) != text:
        return str(model.vocabulary.tokens[token])
    return text


def choice(model: LanguageModel, piece: Piece, logprobs: int | None) -> Record:
    """``piece`` as OpenAI's interface has it."""
    told = None
    if logprobs is not None:
        told = {
            "tokens": piece.names,
            "token_logprobs": [_finite(token.log_prob) for token in piece.tokens],
            "top_logprobs": None
            if not logprobs
            else [
                _top(model, token, name)
                for token, name in zip(piece.tokens, piece.names, strict=True)
            ],
            "text_offset": piece.offsets,
        }
    return {
        "index": piece.index,
        "text": piece.text,
        "logprobs": told,
        "finish_reason": piece.finish,
    }


def _top(model: LanguageModel, token: Token, name: str) -> dict[str, float]:
    """The likeliest tokens, and the token itself if it is none of them. Those of the same text
    are told apart by their place in it, so the first one counts."""
    found: dict[str, float] = {}
    for number, value in token.top:
        shown = name if number == token.id else str(model.vocabulary.tokens[number])
        found.setdefault(shown, _finite(value))
    found.setdefault(name, _finite(token.log_prob))
    return found


def _finite(value: float) -> float:
    return value if math.isfinite(value) else UNLIKELY


def joined(pieces: Sequence[Piece]) -> list[Piece]:
    """Pieces of the same choices put together: one a choice, in their order."""
    whole: dict[int, Piece] = {}
    for piece in pieces:
        if piece.index not in whole:
            whole[piece.index] = Piece(piece.index, "")
        one = whole[piece.index]
        one.text += piece.text
        one.tokens += piece.tokens
        one.offsets += piece.offsets
        one.names += piece.names
        one.finish = piece.finish or one.finish
        one.log_probability += piece.log_probability
        one.drawn += piece.drawn
    return [whole[index] for index in sorted(whole)]


class Completion:
    """One request to ``/v1/completions``: its work, and its answer in OpenAI's shape."""

    def __init__(self, model: LanguageModel, name: str, asked: Record, limits: Limits) -> None:
        stop = asked["stop"] or []
        # An empty text would stop every sample before it begins.
        stop = [one for one in ([stop] if isinstance(stop, str) else stop) if one]
        self.asked = {**asked, "stop": stop, "unknown": False}
        self.asked["lines"] = None if asked["ignore_eos"] else 1
        self._model = model
        self._limits = limits
        self._head = {
            "id": f"cmpl-{secrets.token_hex(12)}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": name,
        }
        self._prompt_tokens = 0
        self._drawn = 0

    def pieces(self) -> Iterator[Piece | None]:
        """The work, step by step."""
        asked = self.asked
        sampling_of(asked)
        prompts = read_prompts(self._model, asked["prompt"], self._limits)
        yield None
        check_total(asked, len(prompts), self._limits)
        self._prompt_tokens = sum(len(prompt.ids) for prompt in prompts)
        seeds = np.random.SeedSequence(asked["seed"]).generate_state(max(len(prompts), 1))
        for number, prompt in enumerate(prompts):
            # A single prompt draws what `lmkit generate` draws with that seed.
            seed = asked["seed"] if not number else int(seeds[number])
            for piece in completed(self._model, prompt, number * asked["n"], asked, seed):
                if piece is not None:
                    self._drawn += piece.drawn
                yield piece

    def answer(self) -> Iterator[Record | None]:
        """The work, and then the whole answer."""
        pieces: list[Piece] = []
        for piece in self.pieces():
            if piece is not None:
                pieces.append(piece)
            yield None
        whole = joined(pieces)
        choices = [choice(self._model, piece, self.asked["logprobs"]) for piece in whole]
        yield {**self._head, "choices": choices, "usage": self.usage()}

    def events(self) -> Iterator[Record | None]:
        """The answer piece by piece, each with one choice."""
        for piece in self.pieces():
            told = piece is not None and (piece.text or piece.tokens or piece.finish)
            if piece is None or not told:
                yield None
                continue
            if not piece.text and self.asked["logprobs"] is None and piece.finish is None:
                yield None
                continue
            yield {**self._head, "choices": [choice(self._model, piece, self.asked["logprobs"])]}
        if (self.asked["stream_options"] or {}).get("include_usage"):
            yield {**self._head, "choices": [], "usage": self.usage()}

    def usage(self) -> Record:
        """How many tokens were read and drawn."""
        return {
            "prompt_tokens": self._prompt_tokens,
            "completion_tokens": self._drawn,
            "total_tokens": self._prompt_tokens + self._drawn,
        }


class Generation:
    """One request to ``/generate``: samples as `LanguageModel.generate` draws them."""

    def __init__(self, model: LanguageModel, asked: Record, limits: Limits) -> None:
        self.seed = secrets.randbits(32) if asked["seed"] is None else asked["seed"]
        self._asked = {**asked, "echo": False, "logprobs": None, "stop": []}
        if asked["through_lines"]:
            self._asked["lines"] = None
        self._model = model
        self._limits = limits

    def pieces(self) -> Iterator[Piece | None]:
        """The work, step by step."""
        asked = self._asked
        sampling_of(asked)
        check_total(asked, 1, self._limits)
        prompt = _prompt(self._model, asked["prompt"], self._limits)
        yield from completed(self._model, prompt, 0, asked, self.seed)

    def answer(self) -> Iterator[Record | None]:
        """The work, and then all samples, each with its prompt."""
        pieces: list[Piece] = []
        for piece in self.pieces():
            if piece is not None:
                pieces.append(piece)
            yield None
        prompt = self._asked["prompt"]
        samples = [{"text": prompt + one.text, **_figures(one)} for one in joined(pieces)]
        yield {"samples": samples, "seed": self.seed}

    def events(self) -> Iterator[Record | None]:
        """What is new of each sample; the prompt is not told again."""
        for piece in self.pieces():
            if piece is None or not (piece.text or piece.finish):
                yield None
                continue
            event: Record = {"index": piece.index, "text": piece.text}
            if piece.finish is not None:
                event.update(_figures(piece), seed=self.seed)
            yield event


def _figures(piece: Piece) -> Record:
    return {
        "tokens": piece.drawn,
        "log10_probability": figure(piece.log_probability / LN10),
        "finish_reason": piece.finish,
    }

"""What ``/score``, ``/next`` and ``/correct`` answer: records of JSON values.

Infinite and missing figures are None, as JSON has no other word for them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from lmkit.batch import BOS, UNK
from lmkit.errors import LmkitError
from lmkit.evaluate.scoring import LineScores, score_lines, token_texts
from lmkit.measures import LN10
from lmkit.model import LanguageModel, State
from lmkit.serving.limits import Limits
from lmkit.serving.refusals import invalid
from lmkit.text.by_line import needs_paragraphs

if TYPE_CHECKING:
    from lmkit.channel.corrector import Corrector

Record = dict[str, Any]

TOGETHER = 1 << 14
"""Characters of the lines that are worked on in one step, and of requests answered in one go."""


def figure(value: float) -> float | None:
    """``value``, or None where JSON has no number for it."""
    return value if math.isfinite(value) else None


def may_join(model: LanguageModel, lines: Sequence[str]) -> bool:
    """Whether ``lines`` may be scored in one go with those of other requests: they are few, and
    the lines of others are no part of their paragraphs."""
    return size(lines) <= TOGETHER and not needs_paragraphs(model.encoder.settings)


def size(lines: Sequence[str]) -> int:
    """Characters of ``lines``, their ends included."""
    return sum(map(len, lines)) + len(lines)


def check_length(model: LanguageModel, lines: Sequence[str], limits: Limits) -> None:
    """Raises `Refused` for a line of more tokens than one may have."""
    for number, line in enumerate(lines, 1):
        # No tokenizer makes more tokens of a line than it has bytes.
        if len(line) * 4 < limits.tokens or len(line.encode(errors="replace")) < limits.tokens:
            continue
        tokens = len(model.encoder.encode([line]).ids)
        if tokens > limits.tokens:
            raise invalid(
                f"line {number} has {tokens} tokens, and a line may have {limits.tokens}",
                "text",
                "too_many_tokens",
            )


def scored_together(
    model: LanguageModel, requests: Sequence[tuple[list[str], bool]], limits: Limits
) -> list[Record | Exception]:
    """The answers to several requests, each of lines and of whether their tokens are told."""
    try:
        lines = [line for mine, _ in requests for line in mine]
        check_length(model, lines, limits)
        with_tokens = any(per_token for _, per_token in requests)
        records = [
            record
            for scores in score_lines(model, [lines] if lines else [])
            for record in _line_records(model, scores, with_tokens)
        ]
    except Exception as error:  # noqa: BLE001 - it goes to the request that it belongs to
        if len(requests) == 1:
            return [error]
        # One text that cannot be read is no fault of the others.
        return [scored_together(model, [request], limits)[0] for request in requests]
    answers: list[Record | Exception] = []
    for mine, per_token in requests:
        own, records = records[: len(mine)], records[len(mine) :]
        if with_tokens and not per_token:
            own = [{name: record[name] for name in record if name != "per_token"} for record in own]
        answers.append({"lines": own})
    return answers


def scored(
    model: LanguageModel, lines: list[str], per_token: bool, limits: Limits
) -> Iterator[Record | None]:
    """The answer to one request, block by block, with None behind each but the last."""
    records: list[Record] = []
    for scores in score_lines(model, _blocks(model, lines, limits)):
        records += _line_records(model, scores, per_token)
        yield None
    yield {"lines": records}


def _blocks(model: LanguageModel, lines: list[str], limits: Limits) -> Iterator[list[str]]:
    for block in blocks_of(lines):
        check_length(model, block, limits)
        yield block


def blocks_of(lines: Sequence[str]) -> Iterator[list[str]]:
    """``lines`` in blocks of about `TOGETHER` characters."""
    block: list[str] = []
    length = 0
    for line in lines:
        block.append(line)
        length += len(line) + 1
        if length >= TOGETHER:
            yield block
            block, length = [], 0
    if block:
        yield block


def _line_records(model: LanguageModel, scores: LineScores, per_token: bool) -> Iterator[Record]:
    columns = zip(
        scores.tokens.tolist(),
        scores.oovs.tolist(),
        (scores.log_probability / LN10).tolist(),
        scores.perplexity.tolist() if len(scores.lines) else [],
        strict=True,
    )
    tokens = list(_token_records(model, scores)) if per_token else []
    stops = [0, *np.cumsum(scores.tokens).tolist()]
    for (first, last), (count, oovs, log10, perplexity) in zip(
        pairwise(stops), columns, strict=True
    ):
        record = {
            "tokens": count,
            "oovs": oovs,
            "log10_probability": figure(log10),
            "perplexity": figure(perplexity),
        }
        yield {**record, "per_token": tokens[first:last]} if per_token else record


def _token_records(model: LanguageModel, scores: LineScores) -> Iterator[Record]:
    ids = scores.batch.ids.tolist()
    log10 = (scores.log_probs / LN10).tolist()
    for token, number, value in zip(token_texts(model, scores.batch), ids, log10, strict=True):
        yield {
            "token": token,
            "id": number,
            "log10_probability": figure(value),
            "oov": number == UNK,
        }


def read_prompt(
    model: LanguageModel, ids: Sequence[int], state: State | None = None
) -> Iterator[State]:
    """The state after each of ``ids``, which may go on over line ends."""
    state = model.start(1) if state is None else state
    yield state
    for token in ids:
        state = model.advance_through(state, np.array([token]))
        yield state


def prompt_ids(model: LanguageModel, text: str, limits: Limits, param: str) -> list[int]:
    """The ids of ``text``. Raises `Refused` if there are too many."""
    ids = model.encoder.encode_prompt(text).tolist()
    if len(ids) > limits.tokens:
        raise invalid(
            f"{param} has {len(ids)} tokens, and may have {limits.tokens}", param, "too_many_tokens"
        )
    return ids


def next_tokens(
    model: LanguageModel, context: str, top: int, prefix: str, limits: Limits
) -> Iterator[Record | None]:
    """The ``top`` likeliest tokens after ``context`` of those that begin with ``prefix``."""
    state = model.start(1)
    for after in read_prompt(model, prompt_ids(model, context, limits, "context")):
        state = after
        yield None
    log_probs = model.next_log_probs(state)[0]
    tokens = model.vocabulary.tokens
    places = np.arange(len(log_probs))
    if prefix:
        places = np.array([n for n in places.tolist() if tokens[n].startswith(prefix)], np.int64)
    places = places[(places != BOS) & np.isfinite(log_probs[places])]
    best = places[np.argsort(-log_probs[places], kind="stable")[:top]].tolist()
    yield {
        "tokens": [
            {
                "token": tokens[n],
                "id": n,
                "log10_probability": float(log_probs[n]) / LN10,
                "probability": math.exp(log_probs[n]),
            }
            for n in best
        ]
    }


def corrections(corrector: Corrector, lines: list[str]) -> Iterator[Record | None]:
    """What each of ``lines`` was meant to be, block by block."""
    records: list[Record] = []
    for block in blocks_of(lines):
        for one in corrector.correct(block):
            changes = [
                {
                    "offset": change.offset,
                    "length": change.length,
                    "original": change.original,
                    "replacement": change.replacement,
                    "posterior": figure(change.posterior),
                }
                for change in one.changes
            ]
            records.append({"corrected": one.corrected, "changes": changes})
        yield None
    yield {"lines": records}


def corrector_of(model: LanguageModel) -> Corrector | None:
    """What corrects with ``model``; None for one that cannot."""
    from lmkit.channel.corrector import Corrector

    try:
        return Corrector(model)
    except LmkitError:
        return None

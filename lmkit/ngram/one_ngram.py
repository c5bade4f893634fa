"""What a model holds of one n-gram: count, probability and backoff weight."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lmkit.errors import UsageError
from lmkit.model import BOS, EOS
from lmkit.ngram.assembly import find_ngrams
from lmkit.ngram.explain import split_context
from lmkit.ngram.model import NgramModel
from lmkit.ngram.state import NgramState


@dataclass(frozen=True, slots=True)
class OneNgram:
    """An n-gram as the model reads it (``tokens``). ``listed``: whether the model has it by itself;
    where it has not, it has neither count nor backoff weight, and its probability is backed off
    to. Logarithms are natural; ``log_probability`` is -inf for ``<s>``, which nothing predicts."""

    tokens: tuple[str, ...]
    listed: bool
    count: int | None
    log_probability: float
    log_backoff: float | None


def look_up(model: NgramModel, ngram: str) -> OneNgram:
    """The n-gram ``ngram``: text that stands anywhere in a sentence, unless it begins with ``<s>``
    or ends with ``</s>``. The space between them and the text is none of its tokens.

    Raises `UsageError` where it has no token, or more than the model's order, or several lines.
    """
    at_start, words = split_context(ngram)
    stripped = words.rstrip()
    at_end = stripped == "</s>" or stripped.endswith(" </s>")
    if at_end:
        words = stripped.removesuffix("</s>")[:-1]
    inner = model.encoder.encode_prompt(words).tolist()
    if EOS in inner:
        raise UsageError(f"{ngram!r} has a line end, and no n-gram has", "one line a --ngram")
    ids = [*([BOS] if at_start else []), *inner, *([EOS] if at_end else [])]
    if not 1 <= len(ids) <= model.order:
        raise UsageError(
            f"{ngram!r} has {len(ids)} tokens, and the model has n-grams of 1 to {model.order}",
            "lmkit score MODEL TEXT --per-token, for tokens of a longer text",
        )
    row = int(find_ngrams(model.trie, np.array([ids], np.int32))[0])
    level = model.trie[len(ids)]
    rows = np.array([row])
    known = row >= 0
    counted = known and level.count is not None
    weighted = known and level.log_backoff is not None and model.form in ("backoff", "interpolated")
    return OneNgram(
        tuple(model.vocabulary.tokens[i] for i in ids),
        known,
        int(level.count.take(rows)[0]) if counted and level.count is not None else None,
        float(model.log_probs_of(_after(model, ids[:-1]), np.array([ids[-1:]]))[0, 0]),
        float(level.log_backoff.take(rows)[0])
        if weighted and level.log_backoff is not None
        else None,
    )


def _after(model: NgramModel, ids: list[int]) -> NgramState:
    state = model.empty(1)
    for token in ids:
        state = model.start(1) if token == BOS else model.advance(state, [token])
    return state

"""A model from counts and a smoothing method: what training, smoothing anew, adding text,
importing counts and cutting off have in common."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from lmkit.errors import UnsupportedError, UsageError
from lmkit.model import Encoder
from lmkit.ngram.estimation import estimate
from lmkit.ngram.heldout import HeldOut
from lmkit.ngram.model import NgramModel
from lmkit.ngram.smoothing.base import Smoothing
from lmkit.ngram.trie import Trie
from lmkit.registry import resolve

if TYPE_CHECKING:
    from lmkit.text.corpus import Corpus

_OF_ORDER = re.compile(r"order (\d+): (.*)", re.DOTALL)

Progress = Callable[[str, int, int], None]
"""Told of the step's name, how much of it is done, and how much there is."""


def smooth(
    trie: Trie,
    encoder: Encoder,
    method: Smoothing,
    valid: Corpus | None = None,
    *,
    cutoffs: tuple[int, ...] = (),
    memory: int | None = None,
    progress: Progress | None = None,
) -> NgramModel:
    """A model from the counts in ``trie``."""
    marks = encoder.settings.sentence_marks
    held_out = None if valid is None else HeldOut(trie, valid.chunks(), marks)
    kept = estimate(
        trie,
        method,
        cutoffs=cutoffs,
        held_out=held_out,
        memory=memory,
        progress=step(progress, "smoothing"),
    )
    facts = {
        "smoothing": {
            "name": method.name,
            "options": {name: getattr(method, name) for name in method.options},
            "parameters": method.parameters(),
            "notes": folded(method.notes),
        },
        "normalised": method.normalised,
        "pruned": None,
        "unit": encoder.unit,
        "text": encoder.settings.as_dict(tables=False),
    }
    model = NgramModel(trie, encoder, facts, [])
    if any(keep is not None for keep in kept):
        from lmkit.ngram.pruning import keep_ngrams

        model = keep_ngrams(model, kept, {"cutoffs": list(cutoffs)})
    return model


def make_smoothing(name: str, **options: Any) -> Smoothing:
    """The smoothing method ``name`` with its ``options``; those that are None count as not given.

    Raises `UsageError` for a method or an option that there is not.
    """
    kind = resolve("smoothing", name)
    given = {key: value for key, value in options.items() if value is not None}
    known = ("form", *kind.options)
    unknown = sorted(set(given) - set(known))
    if unknown:
        shown = ", ".join(key.replace("_", "-") for key in unknown)
        raise UsageError(
            f"{name} smoothing has no option {shown}",
            f"one of {', '.join(key.replace('_', '-') for key in known)}",
        )
    method: Smoothing = kind(**given)
    return method


def folded(notes: Sequence[str]) -> list[str]:
    """``notes`` with those that say the same of several orders in one: ``orders 4 to 9: ...``."""
    orders: dict[str, list[int]] = {}
    for note in notes:
        found = _OF_ORDER.fullmatch(note)
        said = orders.setdefault(found[2] if found else note, [])
        if found:
            said.append(int(found[1]))
    return [f"{_orders(of)}: {said}" if of else said for said, of in orders.items()]


def _orders(numbers: list[int]) -> str:
    """``order 2``, or ``orders 2, 4 to 9``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    parts = [f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs]
    return f"order{'s' if len(numbers) > 1 else ''} {', '.join(parts)}"


def require_full_counts(model: NgramModel, what: str) -> None:
    """Raises `UnsupportedError` where ``model`` cannot be ``what`` for want of counts."""
    if not model.trie.has_counts:
        raise UnsupportedError(
            f"the model has probabilities but no counts, so it cannot be {what}",
            "a model trained or imported from text or counts",
        )
    if "impossible" in (model.facts["pruned"] or {}):
        never = " and ".join(model.facts["pruned"]["impossible"])
        raise UnsupportedError(
            f"the model was told that {never} never comes, which its counts do not say, so it "
            f"cannot be {what}",
            "training on all the text again",
        )
    if model.facts["pruned"]:
        raise UnsupportedError(
            f"the model was pruned and has lost counts, so it cannot be {what}",
            "the unpruned model, or train on the text again",
        )


def step(progress: Progress | None, name: str) -> Callable[[int, int], None] | None:
    """``progress`` for the step ``name``, to be told only how much is done of how much."""
    if progress is None:
        return None
    return lambda done, total: progress(name, done, total)

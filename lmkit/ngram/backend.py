"""Training and opening n-gram models: the backend that the registry names ``ngram``."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from lmkit.errors import UnsupportedError, UsageError
from lmkit.model import Encoder
from lmkit.ngram.counting import count_ngrams
from lmkit.ngram.estimation import check_cutoffs, estimate
from lmkit.ngram.heldout import HeldOut
from lmkit.ngram.model import NgramModel
from lmkit.ngram.smoothing.base import Smoothing
from lmkit.ngram.trie import Level, Trie
from lmkit.registry import resolve

if TYPE_CHECKING:
    from lmkit.text.corpus import Corpus

DEFAULT_ORDER = 5
DEFAULT_SMOOTHING = "modified-kneser-ney"

_OF_ORDER = re.compile(r"order (\d+): (.*)", re.DOTALL)

Progress = Callable[[str, int, int], None]
"""Told of the step's name, how much of it is done, and how much there is."""


class NgramBackend:
    """Smoothed n-gram counts."""

    name = "ngram"

    @staticmethod
    def train(
        corpus: Corpus,
        valid: Corpus | None = None,
        *,
        order: int = DEFAULT_ORDER,
        smoothing: str = DEFAULT_SMOOTHING,
        prune: Sequence[int] = (),
        memory: int | None = None,
        progress: Progress | None = None,
        **options: Any,
    ) -> NgramModel:
        """Count ``corpus`` up to ``order`` and smooth with the method named ``smoothing``.

        ``prune``: cutoffs, an order each, as KenLM means them. ``memory``: bound in bytes.
        ``options`` go to the method (`make_smoothing`); those that learn from held-out text
        use ``valid``. Raises `UsageError` for options that are unknown or make no sense.
        """
        cutoffs = tuple(prune)
        check_cutoffs(cutoffs, max(order, 1))
        method = make_smoothing(smoothing, **options)
        trie = count_ngrams(
            corpus.chunks(),
            order,
            len(corpus.vocabulary),
            memory=memory,
            progress=_step(progress, "counting"),
        )
        return smooth(
            trie, corpus.encoder, method, valid, cutoffs=cutoffs, memory=memory, progress=progress
        )

    @staticmethod
    def resmooth(
        model: NgramModel,
        valid: Corpus | None = None,
        *,
        smoothing: str = DEFAULT_SMOOTHING,
        order: int | None = None,
        prune: Sequence[int] = (),
        memory: int | None = None,
        progress: Progress | None = None,
        **options: Any,
    ) -> NgramModel:
        """The counts of ``model`` under another smoothing, and another ``order`` where it is
        no higher. The text is not needed.

        Raises `UnsupportedError` where the model has no counts, or lost some by pruning.
        """
        require_full_counts(model, "smoothed anew")
        order = order or model.order
        if not 1 <= order <= model.order:
            raise UsageError(
                f"the model has counts up to order {model.order}, not {order}",
                f"--order {model.order} or less, or train on the text",
            )
        cutoffs = tuple(prune)
        check_cutoffs(cutoffs, order)
        method = make_smoothing(smoothing, **options)
        levels = [
            Level(
                level.size,
                level.token,
                level.count,
                level.suffix,
                level.first_child if n < order else None,
            )
            for n, level in enumerate(model.trie.levels[:order], 1)
        ]
        smoothed = smooth(
            Trie(levels),
            model.encoder,
            method,
            valid,
            cutoffs=cutoffs,
            memory=memory,
            progress=progress,
        )
        smoothed.runs = list(model.runs)
        return smoothed

    @staticmethod
    def append(
        model: NgramModel,
        corpus: Corpus,
        *,
        valid: Corpus | None = None,
        memory: int | None = None,
        progress: Progress | None = None,
    ) -> NgramModel:
        """``model`` with the counts of ``corpus`` added, whose vocabulary extends the model's."""
        from lmkit.ngram.merging import append

        return append(model, corpus, valid=valid, memory=memory, progress=progress)

    @staticmethod
    def prune(
        model: NgramModel,
        *,
        entropy: float | None = None,
        size: int | None = None,
        cutoffs: Sequence[int] | None = None,
    ) -> NgramModel:
        """``model`` without the n-grams that matter least, by one of the three measures."""
        from lmkit.ngram.entropy import prune_by_entropy, prune_to_size
        from lmkit.ngram.pruning import prune_by_cutoffs

        if entropy is not None:
            return prune_by_entropy(model, entropy)
        if size is not None:
            return prune_to_size(model, size)
        return prune_by_cutoffs(model, tuple(cutoffs or ()))

    @staticmethod
    def export(model: NgramModel, path: str | Path | BinaryIO, kind: str) -> None:
        """Write ``model`` in the format ``kind``: ``arpa`` or ``counts``."""
        from lmkit.ngram.arpa_writing import write_arpa
        from lmkit.ngram.countfiles import write_counts

        writers = {"arpa": write_arpa, "counts": write_counts}
        if kind not in writers:
            raise UsageError(
                f"there is no format {kind!r} to write", f"one of {', '.join(writers)}"
            )
        writers[kind](model, path)

    @staticmethod
    def open(path: str | Path) -> NgramModel:
        """Open the model file ``path``."""
        from lmkit.ngram.files import open_ngram_model

        return open_ngram_model(path)


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
    held_out = None if valid is None else HeldOut(trie, valid.chunks())
    kept = estimate(
        trie,
        method,
        cutoffs=cutoffs,
        held_out=held_out,
        memory=memory,
        progress=_step(progress, "smoothing"),
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
        "text": encoder.settings.as_dict(),
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
    if model.facts["pruned"]:
        raise UnsupportedError(
            f"the model was pruned and has lost counts, so it cannot be {what}",
            "the unpruned model, or train on the text again",
        )


def _step(progress: Progress | None, name: str) -> Callable[[int, int], None] | None:
    if progress is None:
        return None
    return lambda done, total: progress(name, done, total)

"""Making a mixture: each model scores the held-out text once, and all weights come of that.

``T`` is the number of held-out tokens, ``M`` of models, ``K`` of sources of probability.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import TextError, UsageError
from lmkit.mixture.blend import KINDS, Blend
from lmkit.mixture.cache import CLASSES, usable
from lmkit.mixture.contexts import token_classes
from lmkit.mixture.member import Member
from lmkit.mixture.model import MixtureModel
from lmkit.mixture.product import Product, fit_powers
from lmkit.mixture.running import Readers
from lmkit.mixture.tuning import tune_cache
from lmkit.mixture.weights import em_weights, em_weights_by_class, mixed
from lmkit.model import BOS, EOS, Batch, rebase
from lmkit.store.components import Component

Floats = NDArray[np.float64]
Progress = Callable[[str, int, int | None], None]

EQUAL, MIXTURE = "equal weights", "mixture"
"""Names of perplexities beside those of the models."""
WEIGHTS_ROUNDED = 1e-3
"""So far the sum of given weights may be off one: they are written with few digits."""
PRODUCT_TOKENS = 4000
"""About how many held-out tokens the powers of a product are fitted to."""


def make_mixture(
    components: Sequence[Component],
    members: Sequence[Member],
    batches: Iterable[Batch] | None,
    *,
    weights: Sequence[float] | None = None,
    kind: str = "linear",
    cache: bool = False,
    cache_size: int | None = None,
    cache_decay: float | None = None,
    state: str = "carry",
    progress: Progress | None = None,
) -> MixtureModel:
    """The mixture of ``components``, which ``members`` ask, under which the held-out text
    ``batches`` is likeliest; with ``weights`` (powers of a product) these are not fitted.

    ``kind`` is one of `lmkit.mixture.blend.KINDS`. ``cache`` adds a cache; its size and decay are
    tuned where they are not given. ``state``: ``carry`` reads the text as one that runs on,
    ``line`` each sentence by itself.

    Raises `UsageError` for what makes no sense, `UnsupportedError` for models that cannot be
    mixed, `TextError` where the text is empty.
    """
    if kind not in KINDS:
        raise UsageError(f"there is no kind of mixture {kind!r}", f"one of {', '.join(KINDS)}")
    if len(components) < 2 and not cache:
        raise UsageError("one model alone is not a mixture", "another model, or --cache")
    fixed = None if weights is None else fixed_blend(kind, weights, len(members), cache)
    if batches is None:
        if fixed is None:
            raise UsageError(
                "there is nothing to fit the weights to",
                "--valid TEXT, or --weights with one weight a model",
            )
        return _given(components, members, fixed)
    if kind == "log-linear" and not cache:
        # Products are of distributions, which are not to be had of a running text.
        state = "line"
    carry = state == "carry"
    held_out = HeldOut(members, batches, carry, carry and kind != "log-linear", progress)
    powers = None if fixed is None else fixed.powers
    blend, extra = _base(kind, members, held_out, powers, progress)
    if fixed is None:
        blend = _weighted(blend, held_out, extra, cache, cache_size, cache_decay, progress)
    else:
        blend = fixed
    model = MixtureModel(components, members, blend, {}, [])
    model.facts = _facts(model, held_out, extra, state)
    return model


class HeldOut:
    """The held-out text: ``ids`` [T], ``last`` [T] (the token before each), ``begins`` of its
    sentences, and ``log_probs`` [T, M] of its tokens under the models. With ``carry`` a cache, and
    with ``carry_states`` the models, go on from sentence to sentence."""

    def __init__(
        self,
        members: Sequence[Member],
        batches: Iterable[Batch],
        carry: bool,
        carry_states: bool,
        progress: Progress | None,
    ) -> None:
        tokens = 0

        def tell(done: int) -> None:
            if progress is not None:
                progress("scoring", tokens + done, None)

        readers = Readers(members, carry_states, tell)
        self.carry = carry
        self.batches: list[Batch] = []
        scores = []
        for batch in batches:
            self.batches.append(batch)
            scores.append(readers.score(batch))
            tokens += len(batch.ids)
        if all((batch.ids == EOS).all() for batch in self.batches):
            raise TextError("the held-out text is empty", "a file with words in it")
        self.ids = np.concatenate([batch.ids for batch in self.batches])
        self.log_probs = np.concatenate(scores)
        lengths = np.concatenate([np.diff(batch.offsets) for batch in self.batches])
        self.begins = np.concatenate(([0], np.cumsum(lengths)[:-1]))
        self.last = np.empty(len(self.ids), np.int64)
        self.last[1:] = self.ids[:-1]
        self.last[self.begins] = BOS

    @property
    def starts(self) -> NDArray[np.int64]:
        """Where a cache is empty."""
        return np.zeros(1, np.int64) if self.carry else self.begins

    def sample(self, tokens: int) -> Batch:
        """About ``tokens`` of it: whole sentences, from all over the first batch."""
        batch = self.batches[0]
        every = max(1, len(batch.ids) // tokens)
        chosen = [rebase(batch, n, n + 1) for n in range(0, len(batch), every)]
        lengths = [len(part.ids) for part in chosen]
        return Batch(
            np.concatenate([part.ids for part in chosen]),
            np.concatenate(([0], np.cumsum(lengths))),
        )


def fixed_blend(kind: str, weights: Sequence[float], count: int, cache: bool) -> Blend:
    """The blend of ``count`` models with these ``weights``, or powers.

    Raises `UsageError` where they are none, or where ``kind`` or a ``cache`` needs more of them.
    """
    values = np.array(weights, np.float64)
    if kind == "by-context" or cache:
        what = "a cache" if cache else "weights by context"
        raise UsageError(
            f"{what} cannot be had of given weights: there are more of them to fit",
            "--valid TEXT in place of --weights",
        )
    if len(values) != count:
        raise UsageError(
            f"{count} models have {count} weights, not {len(values)}",
            "one weight a model, in order",
        )
    if not (np.isfinite(values).all() and (values >= 0).all() and values.any()):
        raise UsageError("weights are numbers from 0 on, not all of them 0", "--weights 0.7,0.3")
    if kind == "log-linear":
        return Blend(kind, np.ones((1, 1)), powers=values)
    if abs(values.sum() - 1) > WEIGHTS_ROUNDED:
        shown = ",".join(f"{value:.4g}" for value in values / values.sum())
        raise UsageError(f"the weights sum to {values.sum():.6g}, not to 1", f"--weights {shown}")
    return Blend(kind, (values / values.sum())[None])


def _given(
    components: Sequence[Component], members: Sequence[Member], blend: Blend
) -> MixtureModel:
    """The mixture with the weights of ``blend``, of which nothing is measured."""
    model = MixtureModel(components, members, blend, {}, [])
    model.facts = {
        "weights": _shares(model, blend.weights),
        "fit": {},
        "notes": _notes(model),
    }
    return model


def _base(
    kind: str,
    members: Sequence[Member],
    held_out: HeldOut,
    powers: Floats | None,
    progress: Progress | None,
) -> tuple[Blend, Floats]:
    """The blend without weights, and log p [T, K] of the held-out tokens under its sources.
    ``powers`` of a product are fitted where they are None."""
    if kind == "log-linear" and len(members) > 1:
        report = None if progress is None else lambda n, most: progress("fitting", n, most)
        if powers is None:
            powers = fit_powers(members, held_out.sample(PRODUCT_TOKENS), report)
        product = Product(members, powers)
        found: list[Floats] = []
        before, total = 0, len(held_out.ids)
        for batch in held_out.batches:

            def tell(done: int, before: int = before) -> None:
                if progress is not None:
                    progress("normalising", before + done, total)

            found.append(product.score(batch, progress=tell))
            before += len(batch.ids)
        return Blend(kind, np.ones((1, 1)), powers=powers), np.concatenate(found)[:, None]
    classes = None
    if kind == "by-context":
        classes = token_classes(members, held_out.last)
    return Blend(kind, np.ones((1, 1)), token_classes=classes), held_out.log_probs


def _weighted(
    blend: Blend,
    held_out: HeldOut,
    sources: Floats,
    cache: bool,
    size: int | None,
    decay: float | None,
    progress: Progress | None,
) -> Blend:
    contexts = blend.context_classes(held_out.last)
    count = 1 + int(blend.token_classes.max()) if blend.token_classes is not None else 1
    if not cache:
        if count == 1:
            return blend.with_weights(em_weights(sources)[None])
        everything = np.ones((count, sources.shape[1]), bool)
        return blend.with_weights(em_weights_by_class(sources, contexts, count, everything))
    chosen = tune_cache(held_out.ids, held_out.starts, sources, size, decay, progress)
    can = np.ones((count * CLASSES, sources.shape[1] + 2), bool)
    can[:, -2:] = np.tile(usable(), (count, 1))
    # In a text that runs on the cache is soon full; what it is worth with a few words in it, as
    # where a line is scored by itself, is learnt from lines by themselves.
    rows, classes = [], []
    for starts in (held_out.starts, held_out.begins) if held_out.carry else (held_out.starts,):
        found, cached = chosen.of_text(held_out.ids, starts)
        rows.append(np.concatenate((sources, found), axis=1))
        classes.append(contexts * CLASSES + cached)
    weights = em_weights_by_class(np.concatenate(rows), np.concatenate(classes), len(can), can)
    return replace(blend, cache=chosen, weights=weights)


def _facts(model: MixtureModel, held_out: HeldOut, sources: Floats, state: str) -> dict[str, Any]:
    """What `MixtureModel.facts` keeps of how the mixture was made."""
    blend, starts = model.blend, held_out.starts
    contexts = blend.context_classes(held_out.last)
    cached = None
    if blend.cache is not None:
        found, cached = blend.cache.of_text(held_out.ids, starts)
        sources = np.concatenate((sources, found), axis=1)
    weights = blend.weights[blend.classes(contexts, cached)]
    after = mixed(sources, weights)
    perplexity = {
        member.name: _perplexity(held_out.log_probs[:, number])
        for number, member in enumerate(model.members)
    }
    count = len(perplexity)
    if count > 1:
        equal = np.full(count, 1.0 / count)
        perplexity[EQUAL] = _perplexity(mixed(held_out.log_probs, equal))
    perplexity[MIXTURE] = _perplexity(after)
    return {
        "weights": _shares(model, weights),
        "fit": {
            "state": state,
            "held_out_tokens": len(held_out.ids),
            "held_out_sentences": len(held_out.begins),
            "perplexity": perplexity,
        },
        "notes": _notes(model),
    }


def _shares(model: MixtureModel, weights: Floats) -> dict[str, float]:
    """The mean weight of each source, from those at each token [T, K]; none of a lone product."""
    if weights.shape[1] == 1 and model.blend.powers is not None:
        return {}
    return dict(zip(model.sources, weights.mean(axis=0).tolist(), strict=True))


def _perplexity(log_probs: Floats) -> float | None:
    surprise = -float(log_probs.mean())
    return math.exp(surprise) if surprise < 700 else None


def _notes(model: MixtureModel) -> list[str]:
    first, *others = model.members
    settings = first.model.encoder.settings
    size = len(model.vocabulary) - 3
    lacking = [
        f"{one.name} lacks {one.lacks:,} of {size:,} {one.model.unit}s of all models, which share "
        "its <unk>"
        for one in model.members
        if one.lacks
    ]
    return lacking + [
        f"{other.name} was trained on text that was read otherwise; it is read as for {first.name}"
        for other in others
        if any(
            getattr(settings, name) != getattr(other.model.encoder.settings, name)
            for name in ("tokenizer", "pre_tokenizer", "lowercase", "normalize", "rules")
        )
    ]

"""Mixtures in a comparison: of the models that stand above them in its list.

``of`` says which: ``best``, the best n-gram model and the best network by the perplexity of the
held-out text; ``ngram``, the best n-gram model alone (with a cache); ``all``, every model with the
same tokens and vocabulary as these. They are models with the tokenizer of the mixture's
specification, which is that of the comparison if it names none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lmkit import api
from lmkit.errors import UnsupportedError, UsageError
from lmkit.evaluate.comparison.specs import Spec, key_of, slug
from lmkit.evaluate.comparison.training import Trained, Workshop, naming_options, opened
from lmkit.evaluate.perplexity import perplexity_of

CHOICES = ("best", "ngram", "all")


@dataclass(slots=True)
class MixSource:
    """A model that may become part of a mixture; ``group`` is equal where tokens and vocabulary
    are."""

    spec: Spec
    path: Path
    key: str
    group: str
    _perplexity: float | None = None

    def perplexity(self, valid: Path) -> float:
        """Of the held-out text, which a network has met when it was trained."""
        if self._perplexity is None:
            model = api.load(self.path)
            loss = (model.describe().get("training") or {}).get("valid_loss")
            if loss is None:
                self._perplexity = perplexity_of(model, valid)[0].perplexity
            else:
                self._perplexity = math.exp(min(loss, 700.0))
        return self._perplexity


def mixed(workshop: Workshop, spec: Spec, sources: Sequence[MixSource]) -> Trained:
    """The mixture of ``spec``, with weights that suit the held-out text.

    Raises `UsageError` for a choice that there is not, `UnsupportedError` where there are no
    models or no held-out text for it.
    """
    options = dict(spec.options)
    own = workshop.corpus.settings_for(spec.tokenizer)
    same = [one for one in sources if workshop.corpus.settings_for(one.spec.tokenizer) == own]
    chosen = choose(workshop, same, str(options.pop("of", "best")), bool(options.get("cache")))
    valid = workshop.corpus.raw.get("valid")
    if valid is None:
        raise UnsupportedError("there is no held-out text to weigh models by", "--valid FILE")
    key = key_of({"parts": [part.key for part in chosen], "options": options})
    path = workshop.folder / f"{slug(spec.name)}-{key}.lm"
    parts = tuple(part.key for part in chosen)
    old = None if workshop.force else opened(path)
    if old is not None:
        return Trained(old, path, "reused", None, key, parts)
    options |= {"errors": workshop.corpus.errors, "progress": workshop.watching.progress}
    with naming_options("mix"):
        model = api.mix([part.path for part in chosen], valid=valid, output=path, **options)
    return Trained(model, path, "trained", None, key, parts)


def choose(
    workshop: Workshop, sources: Sequence[MixSource], which: str, alone: bool
) -> list[MixSource]:
    """The parts of a mixture; one will do where it is mixed with a cache (``alone``)."""
    if which not in CHOICES:
        raise UsageError(f"there is no mixture of {which!r}", f"of={' or of='.join(CHOICES)}")
    ngrams = [source for source in sources if source.spec.backend == "ngram"]
    networks = [source for source in sources if source.spec.is_network]
    if which == "all":
        chosen = [source for source in sources if source.group == sources[0].group]
    else:
        kinds = [ngrams] if which == "ngram" else [ngrams, networks]
        chosen = [_best(workshop, kind) for kind in kinds if kind]
    if len(chosen) < (1 if alone else 2):
        raise UnsupportedError(
            "there are not two models above it to mix",
            "at least two with its tokenizer, or cache=yes",
        )
    return chosen


def _best(workshop: Workshop, sources: Sequence[MixSource]) -> MixSource:
    valid = workshop.corpus.raw.get("valid")
    if len(sources) == 1 or valid is None:
        return sources[0]
    return min(sources, key=lambda source: source.perplexity(valid))

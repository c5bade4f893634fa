"""Models of a comparison as files: trained once, found again by what they were made of.

The name of a file ends in a digest of the text, the options and the seed. A model file is put in
its place only when it is whole, so that one that is there need not be trained again, if it says
that it was trained on that text; a network whose checkpoint is there goes on from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lmkit.api import load, train
from lmkit.errors import LmkitError, ModelFileError, UsageError
from lmkit.evaluate.comparison.corpus import Corpus
from lmkit.evaluate.comparison.specs import MIX, VOCABULARY, Spec, key_of, slug
from lmkit.evaluate.comparison.tokenizers import Learning
from lmkit.evaluate.results import Origin
from lmkit.model import LanguageModel
from lmkit.registry import resolve

LEARN_FROM_VALID = ("jelinek-mercer",)
CHECKPOINT_SECONDS = 20.0
"""Networks are given little time here, so that they are to lose less of it."""


@dataclass
class Watching:
    """Who is told how a training goes: of stages (`lmkit.api.Progress`), of the updates of a
    network (`lmkit.neural.training.course.Watch`)."""

    progress: Callable[[str, int, int | None], None] | None = None
    watch: Callable[[Any], None] | None = None


@dataclass(frozen=True, slots=True)
class Trained:
    """A model and where it is; ``key`` tells it from any other of this corpus, ``parts`` are the
    keys of the models that it is a mixture of."""

    model: LanguageModel
    path: Path
    origin: Origin
    seed: int | None
    key: str
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Workshop:
    """Trains on the texts of ``corpus`` and keeps models in ``folder``; with ``force`` those that
    are there are trained again."""

    corpus: Corpus
    folder: Path
    force: bool = False
    watching: Watching = field(default_factory=Watching)
    learning: Learning = field(default_factory=Learning)

    def make(self, spec: Spec, seed: int, part: Path | None = None) -> Trained:
        """The model of ``spec``: a file that is there, or trained now.

        ``part`` is a part of the training text, in place of the whole. Raises what
        `lmkit.api.train` raises.
        """
        if spec.path is not None:
            return Trained(load(spec.path), spec.path, "given", None, key_of({"path": spec.path}))
        settings = self.corpus.settings_for(spec.tokenizer)
        text = part or self.corpus.raw["train"]
        valid = self.corpus.raw.get("valid")
        options = dict(spec.options)
        # A second one of the same kind must share no seed with the first, however many each has.
        seed += 1000 * (spec.copy - 1)
        drawn = draws(spec)
        facts = {
            "train": self.corpus.facts.train.sha256,
            "part": None if part is None else part.name,
            "valid": self.corpus.facts.valid.sha256 if self.corpus.facts.valid else None,
            "settings": settings.as_dict(),
            "backend": spec.backend,
            "options": options,
            "copy": spec.copy,
            "seed": seed if drawn else None,
        }
        key = key_of(facts)
        path = self.folder / f"{slug(spec.name)}-{key}.lm"
        digest = self.corpus.sha256(text)
        old = None if self.force else opened(path)
        if old is not None and _is_of(old, digest):
            return Trained(old, path, "reused", seed if drawn else None, key)
        limits = {name: options.pop(name) for name in VOCABULARY if name in options}
        if spec.is_network:
            options.setdefault("checkpoint_every", CHECKPOINT_SECONDS)
            if self.watching.watch is not None:
                options["watch"] = self.watching.watch
        if _uses_valid(spec):
            options["valid"] = valid
        call: dict[str, Any] = {
            "output": path,
            "backend": spec.backend,
            "settings": self.learning.settings(
                settings, text, self.corpus.errors, self.watching.progress
            ),
            "errors": self.corpus.errors,
            "seed": seed if drawn else None,
            "progress": self.watching.progress,
            **limits,
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        model = self._trained(text, path, call, options)
        if not _is_of(model, digest):
            raise LmkitError(
                f"{text} has changed while models were trained on it", "the same command again"
            )
        return Trained(model, path, "trained", seed if drawn else None, key)

    def _trained(
        self, text: Path, path: Path, call: dict[str, Any], options: dict[str, Any]
    ) -> LanguageModel:
        checkpoint = Path(f"{path}.checkpoint")
        if self.force:
            checkpoint.unlink(missing_ok=True)
        if checkpoint.exists():
            try:
                return train(text, **call, **options, resume=True)
            except LmkitError as error:
                # Of another version, another number of workers, or damaged: begun anew. What can
                # go wrong later has classes of its own.
                if type(error) not in (LmkitError, ModelFileError):
                    raise
                checkpoint.unlink(missing_ok=True)
        with naming_options(call["backend"]):
            return train(text, **call, **options)


@contextmanager
def naming_options(backend: str) -> Iterator[None]:
    """Makes a `UsageError` of an option that ``backend`` does not know."""
    try:
        yield
    except TypeError as error:
        _, found, name = str(error).partition("unexpected keyword argument ")
        if not found:
            raise
        option = name.strip("'").replace("_", "-")
        raise UsageError(f"{backend} has no option {option}", f"lmkit {_help(backend)}") from error


def _help(backend: str) -> str:
    return "mix --help" if backend == MIX else "train --help"


def _is_of(model: LanguageModel, digest: str) -> bool:
    """Whether ``model`` says that it was trained on the text with this SHA-256."""
    runs: Sequence[dict[str, Any]] = model.runs
    return bool(runs) and runs[-1]["sha256"] == digest


def opened(path: Path) -> LanguageModel | None:
    """The model in ``path``; None where there is none, or one that can no longer be opened."""
    if not path.exists():
        return None
    try:
        return load(path)
    except ModelFileError:
        return None


def draws(spec: Spec) -> bool:
    """Whether a model of ``spec`` depends on random numbers."""
    if spec.path is not None or spec.backend == MIX:
        return False
    return bool(getattr(resolve("backend", spec.backend), "makes_checkpoints", False))


def _uses_valid(spec: Spec) -> bool:
    if spec.backend != "ngram":
        return True
    return spec.options.get("smoothing") in LEARN_FROM_VALID or bool(spec.options.get("tune"))


def training_seconds(model: LanguageModel) -> float | None:
    """How long the training took, in all its sessions."""
    training = model.describe().get("training")
    if isinstance(training, dict) and "seconds" in training:
        return float(training["seconds"])
    runs: Sequence[dict[str, Any]] = model.runs
    return float(runs[-1]["seconds"]) if runs else None

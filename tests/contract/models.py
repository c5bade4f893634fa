"""The models that contract tests run over: a few of each backend, by name."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lmkit
from lmkit.mixture.model import MixtureModel
from lmkit.model import LanguageModel
from lmkit.registry import names, resolve
from lmkit.text.settings import TextSettings

from ..small_models import train

TEXT = [
    "the cat sat on the mat",
    "the dog sat on the log",
    "",
    "a cat and a dog",
    "the cat saw the dog on the mat",
    "a dog saw <unk> on the log",
]
UNSEEN = ["the bird sat on a log", "mat the", "", "dog"]


def ngram(smoothing: str, form: str, order: int) -> Callable[[], LanguageModel]:
    return lambda: train(TEXT, order, smoothing, form=form)


def network(
    backend: str, tokenizer: str = "whitespace", **options: object
) -> Callable[[], LanguageModel]:
    settings = TextSettings(tokenizer=tokenizer)

    def build() -> LanguageModel:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "text.txt"
            path.write_text("".join(f"{line}\n" for line in TEXT * 3), encoding="utf-8")
            shape = {"hidden": 12, "epochs": 2, "bptt": 8, "workers": 1, **options}
            return lmkit.train(path, backend=backend, settings=settings, **shape)

    return build


def mixture(*parts: Callable[[], LanguageModel], **how: Any) -> Callable[[], LanguageModel]:
    def build() -> LanguageModel:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "valid.txt"
            path.write_text("".join(f"{line}\n" for line in UNSEEN + TEXT[2:]), encoding="utf-8")
            return lmkit.mix([part() for part in parts], valid=path, **how)

    return build


def reordered() -> LanguageModel:
    """A model of the same words, in another order."""
    words = sorted({word for line in TEXT for word in line.split()} - {"<unk>"})
    return train(TEXT[:3], 2, "witten-bell", words=words)


def other_words() -> LanguageModel:
    """A model that lacks some of the words, and has some of its own."""
    return train(["the bird sat on a log", "a bird and <unk> bird", "the log"], 3, "witten-bell")


def streamed(smoothing: str, order: int, **how: Any) -> LanguageModel:
    """N-grams of a text as one stream."""
    settings = TextSettings(tokenizer="whitespace", sentence_marks=False)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "text.txt"
        path.write_text("".join(f"{line}\n" for line in TEXT * 2), encoding="utf-8")
        return lmkit.train(path, settings=settings, order=order, smoothing=smoothing, **how)


def classes(definitions: str) -> LanguageModel:
    """N-grams of two classes and of words, as from a file of SRILM's."""
    lines = [
        "the C1 sat on the C2", "a C1 and C2", "C1 saw C1", "", "C2 <unk> a mat", "the C1 sat"
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        lmkit.export_model(train(lines, 3, "witten-bell"), Path(folder) / "classes.arpa")
        file = Path(folder) / "definitions"
        file.write_text(definitions, encoding="utf-8")
        return lmkit.import_model(Path(folder) / "classes.arpa", classes=file)


MODELS: dict[str, Callable[[], LanguageModel]] = {
    f"ngram {smoothing} {form} {order}": ngram(smoothing, form, order)
    for smoothing in names("smoothing")
    for form in resolve("smoothing", smoothing).forms
    for order in (1, 2, 3, 5)
}
MODELS["ngram cut"] = lambda: train(TEXT, 4, "modified-kneser-ney", prune=[0, 1])
MODELS["ngram characters"] = lambda: train(TEXT, 4, "witten-bell", tokenizer="char")
for backend in ("rnn", "gru", "lstm", "transformer"):
    MODELS[f"{backend} words"] = network(backend)
MODELS["lstm characters"] = network("lstm", tokenizer="char", layers=2)
MODELS["gru adaptive"] = network("gru", softmax="adaptive")
TRIGRAM, PAIRS = ngram("modified-kneser-ney", "interpolated", 3), ngram("katz", "backoff", 2)
MODELS["mixture linear"] = mixture(TRIGRAM, PAIRS)
MODELS["mixture reordered"] = mixture(TRIGRAM, reordered, PAIRS)
MODELS["mixture by context"] = mixture(TRIGRAM, reordered, kind="by-context")
MODELS["mixture log-linear"] = mixture(TRIGRAM, reordered, kind="log-linear")
MODELS["mixture cache"] = mixture(TRIGRAM, cache=True, cache_size=5, cache_decay=0.9)
MODELS["mixture cache by context"] = mixture(TRIGRAM, PAIRS, kind="by-context", cache=True)
MODELS["mixture log-linear cache"] = mixture(TRIGRAM, reordered, kind="log-linear", cache=True)
MODELS["mixture network"] = mixture(TRIGRAM, network("lstm"), kind="by-context", cache=True)
MODELS["mixture of other words"] = mixture(TRIGRAM, other_words)
MODELS["mixture of other words by context"] = mixture(other_words, TRIGRAM, kind="by-context")
MODELS["mixture of other words log-linear"] = mixture(other_words, TRIGRAM, kind="log-linear")
MODELS["mixture of other words of three, cache"] = mixture(
    TRIGRAM, other_words, network("lstm"), cache=True
)
MODELS["mixture of other words and a network"] = mixture(other_words, network("lstm"))
MODELS["mixture of mixtures"] = mixture(mixture(TRIGRAM, PAIRS), reordered)
MODELS["ngram without marks"] = lambda: streamed("witten-bell", 3)
MODELS["ngram closed without marks"] = lambda: streamed(
    "modified-kneser-ney", 4, closed_vocabulary=True
)
MODELS["class"] = lambda: classes("C1 cat\nC1 dog\nC2 0.75 mat\nC2 0.25 log\n")
MODELS["class ambiguous"] = lambda: classes(
    "C1 0.5 cat\nC1 0.5 dog\nC2 0.5 mat\nC2 0.25 log\nC2 0.25 dog\nC1 0 on\nC2 0.1 sat\n"
)
MODELS["mixture with classes"] = mixture(
    lambda: classes("C1 cat\nC1 dog\nC2 cat\nC2 bird\n"), TRIGRAM
)
"""A few models of each backend, by names that begin with the backend's."""
SECOND_LOOK = (
    *(" 1", " 2", " 5", "words by context", "words log-linear", "of three, cache"),
    *("closed without marks", "with classes", "class"),
)
EACH_MODEL = [
    pytest.param(name, marks=pytest.mark.slow if name.endswith(SECOND_LOOK) else ())
    for name in MODELS
]
"""Their names; what order 3 of the n-grams says is enough for a quick look."""


def tolerance(model: LanguageModel) -> float:
    """How far two ways to the same log-probability may lie apart: networks compute in float32,
    and a product of matrices rounds otherwise when it has other columns."""
    if isinstance(model, MixtureModel):
        return max(1e-10, *(tolerance(member.model) for member in model.members))
    return 1e-12 if model.backend == "ngram" else 1e-4

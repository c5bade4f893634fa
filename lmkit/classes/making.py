"""A class model of n-grams over classes and of class definitions."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lmkit.classes.definitions import Definitions, read_definitions
from lmkit.classes.model import ClassModel, Edges
from lmkit.errors import UnsupportedError, UsageError
from lmkit.ngram.model import NgramModel
from lmkit.text.encoder import TextEncoder
from lmkit.text.encodings import encoded
from lmkit.text.vocabulary import SPECIAL, Vocabulary

EXAMPLES = 3


def with_classes(
    inner: NgramModel, classes: str | Path, encoding: str | None = None, errors: str = "strict"
) -> ClassModel:
    """The model of the n-grams ``inner``, from an ARPA file, and of the definitions in the file
    ``classes``. Raises what reading these raises, and what `make_class_model` does."""
    if inner.facts["smoothing"]["name"] != "arpa":
        raise UsageError("classes are of an ARPA file, not of counts", "leaving out --classes")
    source = encoded(classes, encoding)
    definitions = read_definitions(source, inner.encoder.settings, errors)
    model = make_class_model(inner, definitions)
    model.runs = [{**run, "sources": [*run["sources"], str(classes)]} for run in inner.runs]
    return model


def make_class_model(inner: NgramModel, definitions: Definitions) -> ClassModel:
    """The model of the n-grams ``inner``, in which the classes of ``definitions`` stand for their
    words, and all other tokens for themselves.

    Raises `UsageError` where none of the classes is among the n-grams, `UnsupportedError` where
    these have only scores.
    """
    if not inner.normalised:
        raise UnsupportedError(
            "the n-grams of classes have scores, not probabilities", "another smoothing"
        )
    tags = {token: number for number, token in enumerate(inner.vocabulary.tokens)}
    known = {
        label: members
        for label, members in definitions.words.items()
        if label in tags and label not in SPECIAL
    }
    if not known:
        raise UsageError(
            "none of the classes is among the n-grams", "the definitions of these n-grams"
        )
    notes = list(definitions.notes)
    missing = [label for label in definitions.words if label not in known]
    if missing:
        shown = ", ".join(missing[:EXAMPLES])
        notes.append(f"{len(missing):,} classes are not among the n-grams, such as {shown}")
    words = {token: None for token in tags if token not in known}
    for members in known.values():
        words.update(dict.fromkeys(members))
    ids = {word: number for number, word in enumerate(words)}
    found = [(ids[token], tag, 1.0) for token, tag in tags.items() if token not in known]
    for label, members in known.items():
        found += [(ids[word], tags[label], prob) for word, prob in members.items()]
    found.sort()
    columns = list(zip(*found, strict=True))
    with np.errstate(divide="ignore"):
        log_probs = np.log(np.array(columns[2], np.float64))
    edges = Edges(np.array(columns[1], np.int32), np.array(columns[0], np.int32), log_probs)
    settings = inner.encoder.settings
    encoder = TextEncoder(settings, Vocabulary(list(words), limited=True))
    return ClassModel(inner, encoder, edges, {"classes": len(known), "notes": notes}, [])

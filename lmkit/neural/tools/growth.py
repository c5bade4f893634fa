"""A trained network with more words: what training on other text begins with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lmkit.errors import UnsupportedError
from lmkit.neural.arrays import Array
from lmkit.neural.networks.language import EMBEDDING, Network
from lmkit.neural.parameters import Parameters
from lmkit.registry import resolve

if TYPE_CHECKING:
    from lmkit.neural.use.model import NeuralModel


def grown(
    model: NeuralModel, vocabulary: int, counts: Array, generator: np.random.Generator
) -> tuple[Network, Parameters]:
    """The network of ``model`` over ``vocabulary`` words, of which the first are the model's.

    Old words keep their weights; new ones begin as a new network's would, scaled to the length
    that the old ones have, with the bias that their ``counts`` [V] call for beside those of the
    words already known. Raises `UnsupportedError` for a softmax that is laid out by frequency.
    """
    old = model.network.architecture
    known = old.vocabulary
    if vocabulary > known and old.softmax == "adaptive":
        raise UnsupportedError(
            "an adaptive softmax is laid out by how frequent words are, so it cannot grow",
            "a model with the full softmax, or training on all the text",
        )
    options = old.softmax_options
    if vocabulary > known:
        # What a softmax knows of the words is laid out for as many as there are.
        options = resolve("softmax", old.softmax).fit_options(counts, options)
    network = Network(replace(old, vocabulary=vocabulary, softmax_options=options))
    parameters = Parameters(network.shapes(), model.parameters.flat.dtype)
    network.initialise(parameters.views, counts, generator)
    for name, view in parameters.views.items():
        before = model.parameters.views[name]
        if view.shape == before.shape:
            view[...] = before
        elif name == "output.b":
            # Both biases are log frequencies up to a constant, which the shared words tell.
            shift = np.average(before - view[:known], weights=counts[:known] + 1e-9)
            view[...] += shift
            view[:known] = before
        else:
            if name in (EMBEDDING, "output.w"):
                view *= np.sqrt((before * before).mean() / max((view * view).mean(), 1e-12))
            view[:known] = before
    return network, parameters

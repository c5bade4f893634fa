"""Opening the file of a network."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lmkit.errors import ModelFileError, UsageError
from lmkit.neural.arrays import Array
from lmkit.neural.networks.architecture import Architecture
from lmkit.neural.networks.bodies import MOST_CONTEXT, TRANSFORMER
from lmkit.neural.networks.language import Network
from lmkit.neural.parameters import Parameters
from lmkit.neural.tree import State, named, restored
from lmkit.neural.use.files import PLACES, fill, load_log, load_tensors, tensor_sizes
from lmkit.neural.use.model import NeuralModel
from lmkit.store.damage import damage
from lmkit.store.facts import (
    NOTES,
    TEXT,
    UNIT,
    VOCABULARY,
    anything,
    boolean,
    check,
    integer,
    mapping,
    number,
    one_of,
    optional,
    record,
    text,
)
from lmkit.store.modelfile import ModelReader
from lmkit.store.spelling import stored_spelling
from lmkit.store.tokenizers import stored_settings
from lmkit.store.vocabulary import StoredVocabulary
from lmkit.text.encoder import TextEncoder

WIDEST = 1 << 24
"""Units of a layer; what a file really has bounds them further."""

TRANSFORMER_OPTIONS = record(
    {"heads": integer(1, WIDEST), "context": integer(2, MOST_CONTEXT)},
    also={
        **dict.fromkeys(("positions", "norm", "activation", "first_weights"), text),
        **dict.fromkeys(("bias", "post_norm"), boolean),
        "feed_forward": optional(integer(1, WIDEST)),
    },
)


def _cell_options(value: Any, where: str) -> None:
    """Those of a cell are all true or false."""
    rule = TRANSFORMER_OPTIONS if isinstance(value, dict) and "heads" in value else BOOLEANS
    rule(value, where)


BOOLEANS = mapping(boolean)

ARCHITECTURE = record(
    {
        "vocabulary": VOCABULARY["vocabulary_size"],
        **dict.fromkeys(("hidden", "layers", "embedding"), integer(1, WIDEST)),
    },
    also={
        **dict.fromkeys(("cell", "softmax"), text),
        **dict.fromkeys(("tied", "residual", "layer_norm"), boolean),
        "cell_options": _cell_options,
        "softmax_options": mapping(anything),
    },
)

FACTS = record(
    {
        "architecture": ARCHITECTURE,
        "unit": UNIT,
        "text": TEXT,
        "training": mapping(anything),
        "notes": NOTES,
        **VOCABULARY,
    },
    also={"quantized": optional(one_of("int8")), "pruned": optional(number(0, 1))},
)
"""``meta`` of a network."""


def open_neural_model(path: str | Path) -> NeuralModel:
    """Open the neural model in ``path``. Raises `ModelFileError` where it is no whole one."""
    reader = ModelReader(path)
    with damage(path):
        meta = reader.meta
        check(meta, FACTS, "meta")
        if meta["architecture"]["vocabulary"] != meta["vocabulary_size"]:
            raise ValueError("its network is of another vocabulary")
        network = stored_network(meta["architecture"], tensor_sizes(reader))
        parameters = Parameters(network.shapes())
        tensors = load_tensors(reader)
        fill(parameters, tensors, reader.path)
        encoder = TextEncoder(
            stored_settings(reader), StoredVocabulary(reader), stored_spelling(reader)
        )
        facts = {key: meta[key] for key in ("unit", "text", "training", "notes")}
        facts |= {key: meta[key] for key in ("quantized", "pruned") if key in meta}
        model = NeuralModel(network, parameters, encoder, facts, reader.runs(), load_log(reader))
        model.start_states = start_states(network, tensors)
    return model


def stored_network(architecture: Mapping[str, Any], sizes: Mapping[str, int]) -> Network:
    """The network of that ``architecture``, where the file has tensors of these ``sizes``, in
    bytes. Nothing is allocated before it is known that the file has as many weights.

    Raises `ValueError` where it has not, and what `Architecture` raises.
    """
    if architecture["layers"] > len(sizes):
        raise ValueError(f"it has no {architecture['layers']} layers")
    try:
        network = Network(Architecture.from_dict(architecture))
    except UsageError as error:
        if architecture.get("cell") != TRANSFORMER:
            raise
        raise ModelFileError(
            f"its network is one that this lmkit does not know: {error.message}",
            "pip install --upgrade lmkit",
        ) from error
    for name, shape in network.shapes().items():
        # A bit of `PLACES` or a byte at least for each weight.
        most = max(sizes.get(name, 0), 8 * sizes.get(f"{name}{PLACES}", 0))
        if not 0 <= math.prod(shape) <= most:
            raise ValueError(f"it lacks the weights {name!r}, or some of them")
    return network


def start_states(network: Network, tensors: Mapping[str, Array]) -> State:
    """The learnt state of a fresh stream; () where there is none. Raises `ValueError` where an
    array of it is missing, or has another shape than its layer."""
    state = network.start(1, np.float32)
    arrays = named(state, "start")
    if not any(name in tensors for name in arrays):
        return ()
    for name, array in arrays.items():
        if name not in tensors:
            raise ValueError("only some layers have a state to begin with")
        if tensors[name].shape != array.shape or tensors[name].dtype.kind != "f":
            raise ValueError(f"the state {name!r} that a layer begins with has another shape")
    return restored(state, "start", tensors)

"""Opening the file of a network."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lmkit.errors import LmkitError, ModelFileError
from lmkit.neural.architecture import Architecture
from lmkit.neural.files import damaged, fill, load_log, load_tensors
from lmkit.neural.model import NeuralModel
from lmkit.neural.network import Network
from lmkit.neural.parameters import Parameters
from lmkit.neural.tree import restored
from lmkit.store.modelfile import ModelReader
from lmkit.store.spelling import stored_spelling
from lmkit.store.vocabulary import StoredVocabulary
from lmkit.text.encoder import TextEncoder
from lmkit.text.settings import TextSettings


def open_neural_model(path: str | Path) -> NeuralModel:
    """Open the neural model in ``path``. Raises `ModelFileError` where it is no whole one."""
    reader = ModelReader(path)
    try:
        meta = reader.meta
        network = Network(Architecture.from_dict(meta["architecture"]))
        parameters = Parameters(network.shapes())
        tensors = load_tensors(reader)
        fill(parameters, tensors, reader.path)
        encoder = TextEncoder(
            TextSettings.from_dict(meta["text"]), StoredVocabulary(reader), stored_spelling(reader)
        )
        facts = {key: meta[key] for key in ("unit", "text", "training", "notes")}
    except KeyError as error:
        raise damaged(reader.path, f"it lacks {error.args[0]!r}") from error
    except LmkitError as error:
        if isinstance(error, ModelFileError):
            raise
        raise damaged(reader.path, error.message) from error
    facts |= {key: meta[key] for key in ("quantized", "pruned") if key in meta}
    model = NeuralModel(network, parameters, encoder, facts, reader.runs(), load_log(reader))
    if "start.0.0" in tensors:
        model.start_states = restored(network.start(1, np.float32), "start", tensors)
    return model

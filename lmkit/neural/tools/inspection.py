"""Looking into a network: which words are near each other, and what its gates do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UnsupportedError, UsageError
from lmkit.model import EOS, UNK
from lmkit.neural.arrays import Room
from lmkit.neural.networks.language import EMBEDDING

if TYPE_CHECKING:
    from lmkit.neural.use.model import NeuralModel


def neighbours(model: NeuralModel, word: str, count: int = 10) -> list[tuple[str, float]]:
    """The tokens whose vectors are nearest to that of ``word``, with the cosine of the angle.

    Raises `UsageError` for a word that the model does not know.
    """
    token = model.vocabulary.id_of(word)
    if token == UNK and word != "<unk>":
        raise UsageError(f"the model does not know {word!r}", "a word of its text")
    vectors = model.parameters.views[EMBEDDING]
    lengths = np.sqrt((vectors * vectors).sum(axis=1)) + 1e-12
    cosines = vectors @ vectors[token] / (lengths * lengths[token])
    cosines[token] = -np.inf
    nearest = np.argsort(-cosines, kind="stable")[:count]
    tokens = model.vocabulary.tokens
    return [(tokens[k], float(cosines[k])) for k in nearest.tolist() if k != token]


@dataclass(frozen=True, slots=True)
class Gates:
    """Activations of one gate of one layer: ``values`` [T, H], a row for each token read."""

    layer: int
    name: str
    values: NDArray[np.float32]


def gates(model: NeuralModel, text: str) -> tuple[list[str], list[Gates]]:
    """The tokens that are read, ``</s>`` before the first included, and every gate's activations
    as the network reads them. Gates are named as in the equations of the cell.

    Raises `UnsupportedError` for a network without cells.
    """
    if not model.network.cells:
        raise UnsupportedError(
            f"a model of the backend {model.backend!r} has no gates", "a model of the backend lstm"
        )
    ids = np.concatenate(([EOS], model.batch(text).ids[:-1]))
    network, room = model.network, Room()
    model.scorer.in_room(room).read(ids[:, None], model.before_start)
    found = []
    for k, cell in enumerate(network.cells):
        values = cell.gates_in(room, len(ids), 1, model.parameters.flat.dtype)
        for place, name in enumerate(cell.gates):
            rows = slice(place * cell.hidden, (place + 1) * cell.hidden)
            found.append(Gates(k, name, values[:, rows, 0].copy()))
    tokens = model.vocabulary.tokens
    return [tokens[token] for token in ids.tolist()], found

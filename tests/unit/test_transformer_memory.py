"""What a Transformer in use allocates: as much as is read, however long its context may be."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from lmkit.model import EOS
from lmkit.neural.blas import one_thread
from lmkit.neural.layers.attention import Sight, attend
from lmkit.neural.networks.architecture import Architecture
from lmkit.neural.networks.bodies import MOST_CONTEXT, POSITIONS, RELATIVE
from lmkit.neural.networks.language import Network
from lmkit.neural.parameters import Parameters
from lmkit.neural.use.scoring import Scorer

MEGABYTE = 1 << 20
WORDS = 20


def scorer(context: int, positions: str = "rotary", width: int = 16) -> Scorer:
    options = {"heads": 2, "context": context, "positions": positions}
    network = Network(Architecture(WORDS, "transformer", width, 2, width, cell_options=options))
    parameters = Parameters(network.shapes())
    network.initialise(parameters.views, np.ones(WORDS), np.random.default_rng(0))
    return Scorer(network, parameters.views)


def peak(task: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        with one_thread():
            task()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def ids(count: int) -> np.ndarray:
    return np.random.default_rng(1).integers(EOS + 1, WORDS, count).astype(np.int32)


@pytest.mark.parametrize("positions", [kind for kind in POSITIONS if kind != "learnt"])
def test_a_long_context_costs_nothing_until_it_is_read(positions: str) -> None:
    made = scorer(MOST_CONTEXT, positions)
    text, offsets = ids(640), np.arange(0, 641, 10)
    assert peak(lambda: made.sentences(text, offsets, made.zero(1))) < 4 * MEGABYTE

    def generate() -> None:
        state = made.zero(32)
        for _ in range(5):
            _, state = made.read(text[None, :32], state)

    assert peak(generate) < 2 * MEGABYTE


def test_scores_of_a_long_text_are_not_kept() -> None:
    made, text = scorer(1 << 12), ids(4000)
    # All scores would be 2 layers * 2 heads * 4000^2 / 2 numbers of four bytes: 128 MB.
    assert peak(lambda: made.stream(text, text, made.zero(1))) < 16 * MEGABYTE


def test_many_long_streams_share_the_memory_of_scores() -> None:
    q = np.ones((64, 2, 2, 32), np.float32)
    k = np.ones((64, 2, 2, 2000), np.float32)
    # Of all 64 at once they would take 2 heads * 2000 keys * 32 queries * 4 bytes each: 33 MB.
    sight = Sight(True, 1968)
    assert peak(lambda: attend(q, k, k, sight, training=False)) < 6 * MEGABYTE


@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("context", [2, 20, 80])
def test_lines_side_by_side_are_what_each_is_alone(positions: str, context: int) -> None:
    """Read in passes that are shorter than the longest, and longer than the shortest."""
    made = scorer(context, positions)
    lengths = [70, 1, 33, 0, 32, 31, 65] if positions in RELATIVE or context == 80 else [2, 0, 1]
    offsets = np.cumsum([0, *lengths])
    text = ids(int(offsets[-1]))
    found = made.sentences(text, offsets, made.zero(1), workers=1)
    for low, high in pairwise(offsets):
        inputs = np.concatenate(([EOS], text[low:high]))[:-1].astype(np.int32)
        alone, _, _ = made.stream(inputs, text[low:high], made.zero(1))
        assert found[low:high] == pytest.approx(alone, abs=1e-4)

"""What a network does besides learning: scoring against training, and generating.

    python benchmarks/neural_use.py [--threads 1] [--seconds 3]

Scoring is of sentences of random lengths, 2 to 50 words or 20 to 400 characters, in batches sorted
by length; training is the step of ``neural_torch.py``. Both count tokens by seconds of processor
time, so that the ratio holds on a machine shared with others.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
from neural_torch import SHAPES, Shape, ours

from lmkit.neural.blas import one_thread
from lmkit.neural.networks.architecture import Architecture
from lmkit.neural.networks.language import Network
from lmkit.neural.parameters import Parameters
from lmkit.neural.use.model import NeuralModel
from lmkit.text.encoder import TextEncoder
from lmkit.text.settings import TextSettings
from lmkit.text.vocabulary import Vocabulary

GENERATING = {
    "2x200, V 10,000, one stream": (Shape(2, 200, 10_000, 1, 1, False, 2_000), 500),
    "char 1x256, V 65, one stream": (Shape(1, 256, 65, 1, 1, False, 8_000, 64), 2_000),
    "char 1x256, V 65, 32 streams": (Shape(1, 256, 65, 32, 1, False, 50_000, 64), 400),
}


def model_of(shape: Shape) -> NeuralModel:
    """A random network that (nearly) never ends a sentence."""
    a = Architecture(shape.vocabulary, "lstm", shape.hidden, shape.layers, shape.width, shape.tied)
    network = Network(a)
    parameters = Parameters(network.shapes())
    counts = 1e6 / np.arange(1, shape.vocabulary + 1)
    network.initialise(parameters.views, counts, np.random.default_rng(0))
    parameters.views["output.b"][2] = -20
    tokens = ["<unk>", "<s>", "</s>", *(f"w{k}" for k in range(3, shape.vocabulary))]
    encoder = TextEncoder(TextSettings(), Vocabulary(tokens, counts.astype(int).tolist()))
    facts = {"unit": "word", "text": {}, "training": {}, "notes": []}
    return NeuralModel(network, parameters, encoder, facts, [], [])


def rate(work: Callable[[], int], seconds: float) -> float:
    """Median tokens a second of processor time."""
    found: list[float] = []
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline or len(found) < 3:
        begun = time.process_time()
        tokens = work()
        found.append(tokens / (time.process_time() - begun))
    return statistics.median(found)


def scoring(shape: Shape, threads: int) -> Callable[[], int]:
    model = model_of(shape)
    generator = np.random.default_rng(0)
    words = shape.vocabulary > 1000
    lengths = generator.integers(*((2, 51) if words else (20, 401)), 256)
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    ids = generator.integers(3, shape.vocabulary, offsets[-1]).astype(np.int32)

    def work() -> int:
        model.scorer.sentences(ids, offsets, model.before_start, threads)
        return len(ids)

    return work


def training(shape: Shape, threads: int) -> Callable[[], int]:
    step = ours(shape, threads)
    ids = np.random.default_rng(0).integers(2, shape.vocabulary, (shape.bptt + 1, shape.batch))

    def work() -> int:
        step(ids)
        return shape.bptt * shape.batch

    return work


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3)
    given = parser.parse_args()
    with one_thread():
        print(f"{'LSTM':34}{'trained/s':>10}{'scored/s':>10}{'ratio':>8}{'goal':>6}")
        for name, shape in SHAPES.items():
            trained = rate(training(shape, given.threads), given.seconds)
            scored = rate(scoring(shape, given.threads), given.seconds)
            print(f"{name:34}{trained:10,.0f}{scored:10,.0f}{scored / trained:8.2f}{3.0:6.1f}")
        print(f"{'generating':34}{'tokens/s':>10}{'goal':>10}")
        for name, (shape, length) in GENERATING.items():
            model = model_of(shape)

            def work(model: NeuralModel = model, n: int = shape.batch, k: int = length) -> int:
                return sum(len(s.ids) for s in model.generate(n, max_tokens=k, seed=1))

            print(f"{name:34}{rate(work, given.seconds):10,.0f}{shape.goal:10,.0f}")


if __name__ == "__main__":
    main()

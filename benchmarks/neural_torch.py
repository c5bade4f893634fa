"""Training steps here against PyTorch's: tokens a second at equal models, interleaved.

    python benchmarks/neural_torch.py [--seconds 6] [--threads 2] [--shape NAME]

A step is forward, backward, clipping and update of random text. Both have the same number of
threads: PyTorch within its products, lmkit over the streams of a batch. The ratio is the median
over the rounds, in which the two take turns, so that a machine shared with others slows both.

With ``--cpu`` tokens are counted by seconds of processor time: with one thread that is what a quiet
machine would show. (Threads that wait for each other use processor time too, so that with two it
says little.)
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lmkit.neural.blas import one_thread
from lmkit.neural.networks.architecture import Architecture
from lmkit.neural.networks.language import Network, Objective, Stretch
from lmkit.neural.noise import Dropout
from lmkit.neural.parameters import Parameters
from lmkit.neural.training.stepper import Stepper
from lmkit.registry import resolve
from lmkit.threads import Team, parts


@dataclass(frozen=True)
class Shape:
    """An LSTM and the batches that it is trained on; ``goal`` is the ratio to reach."""

    layers: int
    hidden: int
    vocabulary: int
    batch: int
    bptt: int
    tied: bool
    goal: float
    embedding: int = 0

    @property
    def width(self) -> int:
        return self.embedding or self.hidden


SHAPES = {
    "2x200, V 10,000, B 20": Shape(2, 200, 10_000, 20, 35, False, 1.3),
    "2x200 tied, V 10,000, B 64": Shape(2, 200, 10_000, 64, 35, True, 1.6),
    "2x650, V 10,000, B 20": Shape(2, 650, 10_000, 20, 35, False, 1.0),
    "1x256 tied, V 33,000, B 32": Shape(1, 256, 33_000, 32, 35, True, 1.3),
    "char 1x256, V 65, B 32": Shape(1, 256, 65, 32, 64, False, 1.0, 64),
    "char 1x512, V 65, B 32": Shape(1, 512, 65, 32, 64, False, 1.0, 64),
}

Step = Callable[[np.ndarray], None]


def ours(shape: Shape, threads: int) -> Step:
    network = Network(
        Architecture(shape.vocabulary, "lstm", shape.hidden, shape.layers, shape.width, shape.tied)
    )
    parameters = Parameters(network.shapes())
    generator = np.random.default_rng(0)
    network.initialise(parameters.views, np.ones(shape.vocabulary), generator)
    optimizer = resolve("optimizer", "adam")()
    optimizer.start(parameters.flat)
    stepper = Stepper(
        network,
        parameters,
        optimizer,
        Team(threads),
        np.random.SeedSequence(0).spawn(threads),
        dropout=Dropout(0.2),
        objective=Objective(),
        clip=1.0,
    )
    states = [
        network.start(part.stop - part.start, np.dtype(np.float32))
        for part in parts(shape.batch, threads)
    ]

    def step(ids: np.ndarray) -> None:
        nonlocal states
        _, states = stepper.loss(Stretch(ids[:-1], ids[1:]), states)
        stepper.update(0.001, stepper.norm())

    return step


def theirs(shape: Shape, threads: int) -> Step:
    import torch

    torch.set_num_threads(threads)
    embedding = torch.nn.Embedding(shape.vocabulary, shape.width)
    lstm = torch.nn.LSTM(shape.width, shape.hidden, shape.layers, dropout=0.2 * (shape.layers > 1))
    output = torch.nn.Linear(shape.hidden, shape.vocabulary)
    if shape.tied:
        output.weight = embedding.weight
    drop = torch.nn.Dropout(0.2)
    modules = torch.nn.ModuleList([embedding, lstm, output])
    optimizer = torch.optim.Adam(modules.parameters(), 0.001)
    state = None

    def step(ids: np.ndarray) -> None:
        nonlocal state
        words = torch.from_numpy(ids)
        optimizer.zero_grad()
        h, last = lstm(drop(embedding(words[:-1])), state)
        logits = output(drop(h)).reshape(-1, shape.vocabulary)
        loss = torch.nn.functional.cross_entropy(logits, words[1:].reshape(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(modules.parameters(), 1.0)
        optimizer.step()
        state = tuple(part.detach() for part in last)

    return step


def measure(
    shape: Shape, seconds: float, threads: int, clock: Callable[[], float]
) -> tuple[float, float, float]:
    """Median tokens a second here and there, and the median of their ratios."""
    generator = np.random.default_rng(0)
    text = [
        generator.integers(2, shape.vocabulary, (shape.bptt + 1, shape.batch)) for _ in range(4)
    ]
    tokens = shape.batch * shape.bptt
    steps = [ours(shape, threads), theirs(shape, threads)]
    for step in steps:
        step(text[0])
    rates: list[list[float]] = [[], []]
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline or len(rates[0]) < 3:
        for step, found in zip(steps, rates, strict=True):
            begun = clock()
            for ids in text:
                step(ids)
            found.append(len(text) * tokens / (clock() - begun))
    ratios = [mine / other for mine, other in zip(*rates, strict=True)]
    return statistics.median(rates[0]), statistics.median(rates[1]), statistics.median(ratios)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cpu", action="store_true", help="count processor time")
    parser.add_argument("--shape", help="only shapes whose name has this in it")
    given = parser.parse_args()
    clock = time.process_time if given.cpu else time.perf_counter
    print(f"{'LSTM':30}{'lmkit':>10}{'torch':>10}{'ratio':>8}{'goal':>6}")
    # PyTorch brings BLAS libraries of its own, which one_thread would hold back: it limits
    # those of NumPy alone, as long as PyTorch has not been imported.
    with one_thread():
        for name, shape in SHAPES.items():
            if given.shape is None or given.shape in name:
                mine, other, ratio = measure(shape, given.seconds, given.threads, clock)
                print(f"{name:30}{mine:10,.0f}{other:10,.0f}{ratio:8.2f}{shape.goal:6.1f}")


if __name__ == "__main__":
    main()

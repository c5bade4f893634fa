"""What ``lmkit info`` shows of a network: nearest words, gates, the course of its training."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from lmkit.cli.console import Console
from lmkit.errors import UnsupportedError

if TYPE_CHECKING:
    from lmkit.neural.use.model import NeuralModel

SHADES = " ░▒▓█"
ROWS = 12


def require_network(model: Any, option: str) -> NeuralModel:
    """``model``, which must be a network. Raises `UnsupportedError`."""
    from lmkit.neural.use.model import NeuralModel

    if not isinstance(model, NeuralModel):
        raise UnsupportedError(
            f"{option} is for networks only, and this model is of the backend {model.backend!r}",
            None,
        )
    return model


def show_neighbours(console: Console, model: Any, word: str) -> None:
    """The words nearest to ``word``, with cosines."""
    from lmkit.neural.tools.inspection import neighbours

    found = neighbours(require_network(model, "--neighbours"), word)
    width = max((len(near) for near, _ in found), default=0)
    for near, cosine in found:
        console.write_line(f"{near.ljust(width)}  {cosine:6.3f}")


def show_gates(console: Console, model: Any, text: str) -> None:
    """A heat map: a line for each gate and layer, a column for each token, its mean activation
    as a number and a shade (of a gate from 0 to 1, of what is from -1 to 1 by its size)."""
    from lmkit.neural.tools.inspection import gates

    tokens, found = gates(require_network(model, "--gates"), text)
    widths = [max(len(token), 6) for token in tokens]
    names = [f"layer {gate.layer + 1} {gate.name}" for gate in found]
    first = max(map(len, names))
    cells = [token.rjust(width) for token, width in zip(tokens, widths, strict=True)]
    console.write_line("  ".join([" " * first, *cells]))
    for name, gate in zip(names, found, strict=True):
        means = gate.values.mean(axis=1).tolist()
        sizes = abs(gate.values).mean(axis=1).tolist()
        cells = [
            f"{mean:.2f}{SHADES[min(int(size * len(SHADES)), len(SHADES) - 1)]}".rjust(width)
            for mean, size, width in zip(means, sizes, widths, strict=True)
        ]
        console.write_line("  ".join([name.ljust(first), *cells]))


def show_curve(console: Console, model: Any) -> None:
    """The losses of training (.) and validation (o) over the epochs."""
    log = require_network(model, "--curve").log
    points = [
        (row["epoch"], row[key], mark)
        for key, mark in (("loss", "."), ("valid_loss", "o"))
        for row in log
        if row[key] is not None and math.isfinite(row[key])
    ]
    if not points:
        raise UnsupportedError("the model has no record of its training", None)
    width = max(20, min(console.width, 100) - 10)
    low, high = min(loss for _, loss, _ in points), max(loss for _, loss, _ in points)
    last = max(epoch for epoch, _, _ in points) or 1.0
    grid = [[" "] * width for _ in range(ROWS)]
    for epoch, loss, mark in points:
        row = round((high - loss) / max(high - low, 1e-9) * (ROWS - 1))
        grid[row][round(epoch / last * (width - 1))] = mark
    for k, line in enumerate(grid):
        label = high - (high - low) * k / (ROWS - 1)
        console.write_line(f"{label:7.3f} {''.join(line)}".rstrip())
    console.write_line(f"{'nats':>7} 0{f'{last:.4g} epochs':>{width - 1}}")
    console.write_line("        . training   o validation")

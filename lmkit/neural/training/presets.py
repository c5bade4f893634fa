"""Numbers of Transformers that go together, and what the options that are given make of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from lmkit.errors import UsageError
from lmkit.neural.networks.bodies import ABSOLUTE, Shape

TRANSFORMERS: dict[str, dict[str, Any]] = {
    "tiny": {
        "hidden": 128,
        "layers": 2,
        "cell_options": {"heads": 4, "context": 64},
        "batch_size": 16,
        "epochs": 12,
        "learning_rate": 0.003,
        "dropout": 0.1,
    },
    "small": {
        "hidden": 256,
        "layers": 4,
        "cell_options": {"heads": 4, "context": 128},
        "batch_size": 16,
        "epochs": 10,
        "learning_rate": 0.0015,
        "dropout": 0.2,
    },
    "medium": {
        "hidden": 384,
        "layers": 6,
        "cell_options": {"heads": 6, "context": 128},
        "batch_size": 16,
        "epochs": 12,
        "learning_rate": 0.001,
        "dropout": 0.2,
    },
    "char": {
        "hidden": 192,
        "layers": 4,
        "cell_options": {"heads": 6, "context": 128},
        "batch_size": 16,
        "epochs": 10,
        "learning_rate": 0.003,
        "dropout": 0.05,
    },
}
COMMON = {"optimizer": "adamw", "weight_decay": 0.1, "warmup": 0.03}
"""Decay shrinks the matrices only."""

RECURRENT = ("residual", "layer_norm", "recurrent_dropout", "weight_drop")
"""Options that say nothing of a Transformer."""


def transformer_values(
    preset: str, chosen: Mapping[str, Any], tokens: int, shape: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The values of ``preset`` for a text of so many ``tokens``, fitted to those that are
    ``chosen``, which come on top of them. ``shape``: that of a model to begin with, which stays.

    Raises `UsageError` where some of them make no sense for a Transformer.
    """
    for name in RECURRENT:
        if chosen.get(name):
            flag = name.replace("_", "-")
            raise UsageError(f"{flag} is for recurrent networks", "--backend lstm")
    values = {**COMMON, **TRANSFORMERS[preset]}
    given = chosen.get("cell_options", {})
    if shape is not None:
        cell = asdict(Shape.of(dict(shape)))
        _check_shape(given, cell)
    else:
        cell = _fitted(values, chosen, given, tokens)
    values["bptt"] = max(1, min(cell["context"], tokens))
    if cell.get("positions") in ABSOLUTE:
        _check_lengths(chosen, cell)
    return {**values, **chosen, "cell_options": cell}


def _check_shape(given: Mapping[str, Any], shape: Mapping[str, Any]) -> None:
    """Raises `UsageError` where what is ``given`` is another shape than that of the model that a
    training begins with."""
    for name, value in given.items():
        if name in shape and shape[name] != value:
            flag = name.replace("_", "-")
            raise UsageError(
                f"the model to begin with has {flag} {shape[name]}, and its shape stays",
                f"leaving out --{flag}",
            )


def _fitted(
    values: Mapping[str, Any], chosen: Mapping[str, Any], given: Mapping[str, Any], tokens: int
) -> dict[str, Any]:
    """The shape that is ``given``, and otherwise that of a preset's ``values``, as far as it fits
    the other options and the text."""
    context = given.get("context")
    if context is not None and context > tokens:
        raise UsageError(
            f"a context of {context:,} tokens is longer than the text, which has {tokens:,}",
            f"--context {max(2, min(64, tokens // 4))}",
        )
    cell = {**values["cell_options"], **given}
    cell["context"] = max(2, min(cell["context"], tokens))
    if "heads" not in given:
        cell["heads"] = fitting_heads(chosen.get("hidden", values["hidden"]), cell["heads"])
    return cell


def _check_lengths(chosen: Mapping[str, Any], cell: Mapping[str, Any]) -> None:
    """Raises `UsageError` where stretches may be longer than there are positions."""
    what = f"{cell['positions']} positions end after {cell['context']} tokens"
    if (chosen.get("bptt") or 0) > cell["context"]:
        raise UsageError(
            f"{what}, and stretches have {chosen['bptt']}", f"--bptt {cell['context']}"
        )
    for name in ("by_sentence", "random_bptt"):
        if chosen.get(name):
            how = "sentences" if name == "by_sentence" else "stretches of random length"
            raise UsageError(f"{what}, and {how} do not", "--positions rotary")


def fitting_heads(width: int, most: int) -> int:
    """The largest number of heads up to ``most`` that gives each the same even number of units, or,
    of an odd width, the same number."""
    for step in (2, 1):
        for heads in range(most, 0, -1):
            if width % (step * heads) == 0:
                return heads
    return 1

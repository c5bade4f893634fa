"""How to train: every number that can be given, and presets for those who do not want to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from lmkit.cores import available_cores
from lmkit.errors import UsageError
from lmkit.neural.networks.bodies import TRANSFORMER
from lmkit.neural.networks.language import Objective
from lmkit.neural.noise import Dropout
from lmkit.neural.training.presets import transformer_values
from lmkit.registry import resolve


@dataclass(frozen=True, slots=True)
class Options:
    """What `lmkit.neural.backend` trains with. Times are seconds, lengths tokens.

    The network: ``hidden``, ``layers``, ``embedding`` (None: as ``hidden``), ``tied``,
    ``residual``, ``layer_norm``, ``softmax``, and the options of cell and softmax.

    The data: ``batch_size`` streams, ``bptt`` steps a stretch (``random_bptt``: of random
    length), or sentence by sentence (``by_sentence``). Without validation text the last
    ``hold_out`` of the text serves as such. With ``tokenizer_dropout`` the text is cut up anew
    each epoch, each merge of its tokenizer left out with that probability.

    The course: ``epochs`` or ``time_budget``; ``optimizer``, ``learning_rate`` (None: the
    optimizer's), ``schedule``, ``warmup``; ``clip`` bounds the gradient's norm; ``patience`` is
    after how many validations without improvement training stops (0: never).

    The rest: dropout as in `Dropout`, penalties as in `Objective`, ``weight_decay``, ``workers``
    threads, ``seed``, and how often, in seconds, a checkpoint is written.
    """

    hidden: int = 256
    layers: int = 1
    embedding: int | None = None
    tied: bool = True
    residual: bool = False
    layer_norm: bool = False
    softmax: str = "full"
    cell_options: dict[str, Any] = field(default_factory=dict)
    softmax_options: dict[str, Any] = field(default_factory=dict)

    batch_size: int = 32
    bptt: int = 35
    random_bptt: bool = False
    by_sentence: bool = False
    hold_out: float = 0.05
    tokenizer_dropout: float = 0.0

    epochs: float | None = None
    time_budget: float | None = None
    optimizer: str = "adam"
    optimizer_options: dict[str, Any] = field(default_factory=dict)
    learning_rate: float | None = None
    schedule: str = "cosine"
    schedule_options: dict[str, Any] = field(default_factory=dict)
    warmup: float = 0.02
    clip: float | None = 1.0
    patience: int = 5
    validate_every: int | None = None

    dropout: float = 0.0
    input_dropout: float | None = None
    embedding_dropout: float = 0.0
    recurrent_dropout: float = 0.0
    weight_drop: float = 0.0
    variational: bool = False
    weight_decay: float = 0.0
    activation_penalty: float = 0.0
    temporal_penalty: float = 0.0
    label_smoothing: float = 0.0
    distillation: float = 0.5

    workers: int = 1
    seed: int = 0
    checkpoint_every: float = 60.0

    def __post_init__(self) -> None:
        for name, least in LEAST.items():
            value = getattr(self, name)
            if value is not None and not value >= least:
                raise UsageError(f"{_flag(name)} must be at least {least}, not {value}")
        for name in ("epochs", "time_budget", "learning_rate", "clip"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise UsageError(f"{_flag(name)} must be a number above 0, not {value}")
        for name in ("label_smoothing", "hold_out", "tokenizer_dropout", "distillation"):
            if not 0 <= getattr(self, name) <= (1 if name == "distillation" else 0.999):
                raise UsageError(
                    f"{_flag(name)} must be at least 0 and below 1, not {getattr(self, name)}"
                )
        for kind in ("softmax", "optimizer", "schedule"):
            resolve(kind, getattr(self, kind))
        # Both check themselves.
        _ = self.rates, self.objective

    @property
    def rates(self) -> Dropout:
        return Dropout(
            self.dropout,
            self.input_dropout,
            self.embedding_dropout,
            self.recurrent_dropout,
            self.weight_drop,
            self.variational,
        )

    @property
    def objective(self) -> Objective:
        return Objective(self.activation_penalty, self.temporal_penalty, self.label_smoothing)

    def as_dict(self) -> dict[str, Any]:
        """Names to JSON values."""
        return asdict(self)


LEAST = {
    "hidden": 1,
    "layers": 1,
    "embedding": 1,
    "batch_size": 1,
    "bptt": 1,
    "workers": 1,
    "patience": 0,
    "validate_every": 1,
    "weight_decay": 0,
    "activation_penalty": 0,
    "temporal_penalty": 0,
    "seed": 0,
    "checkpoint_every": 0,
}

PRESETS: dict[str, dict[str, Any]] = {
    "tiny": {
        "hidden": 128,
        "batch_size": 16,
        "bptt": 24,
        "epochs": 12,
        "learning_rate": 0.005,
        "dropout": 0.2,
    },
    "small": {
        "hidden": 512,
        "embedding": 256,
        "batch_size": 32,
        "bptt": 35,
        "epochs": 10,
        "learning_rate": 0.003,
        "dropout": 0.4,
    },
    "medium": {
        "hidden": 512,
        "layers": 2,
        "embedding": 400,
        "batch_size": 48,
        "bptt": 48,
        "epochs": 12,
        "learning_rate": 0.002,
        "dropout": 0.4,
        "embedding_dropout": 0.05,
    },
    "char": {
        "hidden": 384,
        "embedding": 256,
        "tied": False,
        "batch_size": 32,
        "bptt": 48,
        "epochs": 12,
        "learning_rate": 0.004,
        "dropout": 0.1,
    },
}


LARGE_VOCABULARY = 8000
"""With more tokens the full softmax is most of the work, and a sampled one is trained."""


def make_options(
    preset: str | None,
    given: Mapping[str, Any],
    unit: str,
    tokens: int,
    vocabulary: int = 0,
    taught: bool = False,
    body: str = "lstm",
    shape: Mapping[str, Any] | None = None,
) -> Options:
    """The options of ``preset`` (None: one that suits the unit and the number of tokens), with
    those of ``given`` that are not None in their place. Presets of a ``body`` that is a transformer
    are others than those of recurrent ones. The softmax suits the size of the
    ``vocabulary``, and whether there is a teacher (``taught``). ``shape``: the ``cell_options`` of
    a model to begin with, which stay.

    Raises `UsageError` for a preset or an option that there is not, or a value out of range.
    """
    if preset is None:
        preset = suitable_preset(unit, tokens)
    if preset not in PRESETS:
        raise UsageError(f"there is no preset {preset!r}", f"one of {', '.join(PRESETS)}")
    chosen = {key: value for key, value in given.items() if value is not None}
    known = [entry.name for entry in fields(Options)]
    if unknown := sorted(set(chosen) - set(known)):
        raise UsageError(
            f"a neural model has no option {', '.join(map(_flag, unknown))}",
            f"one of {', '.join(map(_flag, known))}",
        )
    if "optimizer" in chosen and "learning_rate" not in chosen:
        chosen["learning_rate"] = resolve("optimizer", chosen["optimizer"]).default_rate
    if body == TRANSFORMER:
        preset_and_chosen = transformer_values(preset, chosen, tokens, shape)
    else:
        preset_and_chosen = {**PRESETS[preset], **chosen}
    values = {"workers": available_cores(), **preset_and_chosen}
    if "softmax" not in chosen:
        whole = taught or values.get("label_smoothing") or vocabulary <= LARGE_VOCABULARY
        values["softmax"] = "full" if whole else "sampled"
    if "time_budget" in chosen and "epochs" not in chosen:
        values["epochs"] = None
    return Options(**values)


def suitable_preset(unit: str, tokens: int) -> str:
    """The preset for a text of so many ``tokens`` of a ``unit``."""
    if unit in ("character", "byte"):
        return "char" if tokens > 100_000 else "tiny"
    return "tiny" if tokens < 100_000 else "small" if tokens < 3_000_000 else "medium"


def _flag(name: str) -> str:
    return name.replace("_", "-")

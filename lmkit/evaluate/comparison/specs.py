"""What is to be compared, as it is written on a command line.

A specification is a model file, or ``backend:option=value,option=value`` with the options of
``lmkit train``. Commas may stand in a value: what has no ``=`` belongs to the option before it,
``ngram:order=3,prune=0,0,1``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lmkit.errors import UsageError
from lmkit.evaluate.comparison.tokenizers import tokenizer_file, tokenizer_of
from lmkit.registry import family, names
from lmkit.visible import encodable

MIX = "mix"
"""The backend whose models are made of those above it in the table."""

ALIASES = {
    "hidden_size": "hidden",
    "embedding_size": "embedding",
    "discount": "discounts",
    "add": "k",
    "backoff_weight": "weight",
}
"""What ``lmkit train`` calls options that the backends call otherwise."""
NESTED = {
    **dict.fromkeys(
        ("peepholes", "heads", "context", "positions", "norm", "activation"), "cell_options"
    ),
    "cutoffs": "softmax_options",
    "samples": "softmax_options",
    "momentum": "optimizer_options",
}
TEXT = ("tokenizer",)
NORMALIZATION = ("lowercase", "normalize", "segment", "skip_empty_lines", "special_tokens")
VOCABULARY = ("min_count", "vocabulary_size", "vocabulary")

SHORT = {
    "maximum-likelihood": "max. likelihood",
    "laplace": "add-one",
    "lidstone": "Lidstone",
    "jelinek-mercer": "Jelinek-Mercer",
    "witten-bell": "Witten-Bell",
    "katz": "Katz",
    "absolute-discounting": "abs. discounting",
    "kneser-ney": "Kneser-Ney",
    "modified-kneser-ney": "mod. Kneser-Ney",
    "rnn": "Elman RNN",
    "gru": "GRU",
    "lstm": "LSTM",
    "transformer": "Transformer",
    "mix": "mixture",
}
"""Names that fit into a table."""


@dataclass(frozen=True, slots=True)
class Swept:
    """The place of a model in a sweep: the option ``key`` has this ``value``, which may be or end
    in a ``number``; ``line`` names the models that differ in nothing else."""

    key: str
    value: str
    number: float | None
    line: str


@dataclass(frozen=True, slots=True)
class Spec:
    """One model to compare.

    ``text`` is how it was asked for. Either ``path`` is its file, or ``backend`` and ``options``
    (of `lmkit.api.train`) say how to train it; ``tokenizer``
    (`lmkit.evaluate.comparison.tokenizers.tokenizer_of`) is None for that of the comparison.
    """

    text: str
    backend: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    tokenizer: str | None = None
    name: str = ""
    path: Path | None = None
    copy: int = 1
    swept: Swept | None = None

    @property
    def is_network(self) -> bool:
        return family(self.backend) == "neural"


def parse_specs(texts: Sequence[str]) -> list[Spec]:
    """The specifications ``texts``, their names made distinct.

    Raises `UsageError` for one that says nothing that lmkit knows.
    """
    return distinct([parse_spec(text) for text in texts])


def parse_spec(text: str) -> Spec:
    """One specification. Raises `UsageError` where it makes no sense."""
    backend = text.partition(":")[0]
    known = [*names("backend"), MIX]
    if backend not in known:
        path = Path(text)
        if path.exists():
            return Spec(text, name=encodable(path.stem), path=path)
        raise UsageError(
            f"{text!r} is neither a model file nor a backend with options",
            f"a file that is there, or one of {', '.join(known)}, as in ngram:order=3",
        )
    options = _options(text)
    tokenizer = options.pop("tokenizer", None)
    if tokenizer is not None:
        tokenizer_of(tokenizer)
    name = options.pop("name", None) or short_name(backend, options, tokenizer)
    for option, home in NESTED.items():
        if option in options:
            options.setdefault(home, {})[option] = options.pop(option)
    return Spec(text, backend, options, tokenizer, encodable(str(name)))


def distinct(specs: Sequence[Spec]) -> list[Spec]:
    """``specs`` with a number behind a name that came before. One that says the same as another
    is trained a second time, under a seed of its own where it draws."""
    named: dict[str, int] = {}
    trained: dict[str, int] = {}
    result = []
    for spec in specs:
        named[spec.name] = named.get(spec.name, 0) + 1
        identity = json.dumps([spec.backend, spec.options, spec.tokenizer], default=str)
        trained[identity] = trained.get(identity, 0) + 1
        number = named[spec.name]
        name = spec.name if number == 1 else f"{spec.name} ({number})"
        result.append(replace(spec, name=name, copy=trained[identity]))
    return result


def short_name(backend: str, options: dict[str, Any], tokenizer: str | None) -> str:
    """What a table calls a model."""
    left = dict(options)
    if backend == "ngram":
        smoothing = left.pop("smoothing", "modified-kneser-ney")
        parts = [SHORT.get(smoothing, smoothing), str(left.pop("order", 5))]
    else:
        parts = [SHORT.get(backend, backend)]
        if backend == MIX:
            parts = _mixture_name(left)
    left.pop("time_budget", None)
    if tokenizer is not None:
        file = tokenizer_file(tokenizer)
        parts.append(tokenizer if file is None else encodable(file.stem))
    parts += [f"{key.replace('_', '-')}={_shown(value)}" for key, value in left.items()]
    return " ".join(parts)


def _mixture_name(left: dict[str, Any]) -> list[str]:
    which = str(left.pop("of", "best"))
    parts = [{"ngram": "best n-gram", "best": "best mixture"}.get(which, f"mixture of {which}")]
    kind = left.pop("kind", "linear")
    if kind != "linear":
        parts.append(str(kind))
    if left.pop("cache", False):
        parts.append("+ cache")
    return parts


def key_of(facts: dict[str, Any]) -> str:
    """Ten hexadecimal digits that stand for ``facts``."""
    text = json.dumps(facts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def slug(name: str) -> str:
    """``name`` as a part of a file name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "model"


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(map(_shown, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def raw_options(text: str) -> dict[str, str]:
    """The options of a specification as they are written, by the names that backends have for
    them. Raises `UsageError` where one is given twice."""
    rest = text.partition(":")[2]
    raw: dict[str, str] = {}
    last = ""
    for piece in rest.split(",") if rest else []:
        name, equals, value = piece.partition("=")
        if not equals and last and _is_number(piece):
            raw[last] += f",{piece.strip()}"
            continue
        last = name.strip().replace("-", "_")
        last = ALIASES.get(last, last) if equals else last
        if last in raw:
            raise UsageError(
                f"{text}: {last.replace('_', '-')} is given twice", "leaving out one of the two"
            )
        raw[last] = value.strip() if equals else "yes"
    return raw


def _options(text: str) -> dict[str, Any]:
    """Option names to values, with the types that the backends want."""
    raw = raw_options(text)
    for name in NORMALIZATION:
        if name in raw:
            raise UsageError(
                f"{text}: every model of a comparison reads text in the same normalisation,"
                f" so {name.replace('_', '-')} is not one model's",
                f"--{name.replace('_', '-')} for the whole comparison",
            )
    return {name: _value(text, name, value) for name, value in raw.items()}


def _value(text: str, name: str, value: str) -> Any:
    kind, wanted = KINDS.get(name, (_guess, ""))
    try:
        return kind(value)
    except ValueError:
        raise UsageError(
            f"{text}: {name.replace('_', '-')} is {wanted}, not {value!r}", "lmkit train --help"
        ) from None


def seconds_of(value: str) -> float:
    """``90``, ``90s``, ``10m`` or ``1h30m`` in seconds. Raises `ValueError` for anything else."""
    found = re.fullmatch(
        r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?", value.strip().lower()
    )
    parts = found.groups(default="0") if found else ()
    seconds = sum(float(part) * unit for part, unit in zip(parts, (3600, 60, 1), strict=False))
    if seconds <= 0:
        raise ValueError(value)
    return seconds


def _flag(value: str) -> bool:
    if value.lower() in ("yes", "true", "on", "1"):
        return True
    if value.lower() in ("no", "false", "off", "0"):
        return False
    raise ValueError(value)


def _cutoffs(value: str) -> list[int]:
    return [int(part) for part in value.split(",")]


def _numbers(value: str) -> list[float]:
    return [float(part) for part in value.split(",")]


def _guess(value: str) -> Any:
    if "," in value and all(map(_is_number, value.split(","))):
        return [_guess(part) for part in value.split(",")]
    for kind in (int, float, _flag):
        try:
            return kind(value)
        except ValueError:
            continue
    return value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _of(kind: Callable[[str], Any], wanted: str, *options: str) -> dict[str, Any]:
    return dict.fromkeys(options, (kind, wanted))


KINDS: dict[str, tuple[Callable[[str], Any], str]] = {
    **_of(
        int, "a whole number", "order", "max_count", "hidden", "layers", "embedding", "samples",
        "batch_size", "bptt", "workers", "patience", "validate_every", "cache_size",
        *VOCABULARY[:2],
    ),
    **_of(
        float, "a number", "k", "weight", "epochs", "hold_out", "learning_rate", "warmup", "clip",
        "dropout", "input_dropout", "embedding_dropout", "recurrent_dropout", "weight_drop",
        "weight_decay", "activation_penalty", "temporal_penalty", "label_smoothing",
        "distillation", "momentum", "cache_decay",
    ),
    **_of(
        _flag, "yes or no", "tune", "tied", "residual", "layer_norm", "random_bptt", "by_sentence",
        "variational", "peepholes", "cache", "embed",
    ),
    **_of(_cutoffs, "a list of whole numbers", "prune", "cutoffs"),
    **_of(_numbers, "a list of numbers", "discounts"),
    **_of(seconds_of, "a time such as 90s, 10m or 1h30m", "time_budget", "checkpoint_every"),
    **_of(str, "text", "tokenizer", "name", "smoothing", "form", "preset", "softmax", "optimizer",
          "schedule", "vocabulary", "teacher", "of", "kind", "state"),
}  # fmt: skip
"""What the values of the options are; those of other packages' backends are guessed."""

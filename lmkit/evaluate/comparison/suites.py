"""Sets of models that go together, and how they share the time.

``quick`` shows each kind once; ``classic`` is the history of the field: from unigrams over the
smoothing methods to recurrent networks and their mixture with n-grams; ``full`` has every kind;
``subword`` has one n-gram model and one network over words, characters, bytes and subwords.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lmkit.errors import UsageError
from lmkit.evaluate.comparison.specs import Spec, distinct, parse_spec
from lmkit.evaluate.comparison.tokenizers import tokenizer_of
from lmkit.registry import resolve

SMALLER = ("char", "byte", "bpe:500", "bpe:2000", "bpe:8000", "unigram:8000")
"""The tokenizers of the suite ``subword`` beside that of the comparison."""
SUITES: dict[str, tuple[str, ...]] = {
    "quick": (
        "ngram:order=1,smoothing=witten-bell,name=unigram",
        "ngram:order=3,smoothing=witten-bell",
        "ngram:order=5",
        "ngram:order=8,tokenizer=char",
        "lstm",
        "gru:tokenizer=char,preset=tiny,name=GRU char",
        "mix:of=best",
    ),
    "classic": (
        "ngram:order=1,smoothing=witten-bell,name=unigram",
        "ngram:order=3,smoothing=laplace",
        "ngram:order=3,smoothing=witten-bell",
        "ngram:order=3,smoothing=katz",
        "ngram:order=3,smoothing=kneser-ney",
        "ngram:order=3",
        "ngram:order=5",
        "mix:of=ngram,cache=yes",
        "rnn",
        "gru",
        "lstm",
        "lstm:tokenizer=char",
        "mix:of=best,cache=yes",
    ),
    "full": (
        "ngram:order=1,smoothing=witten-bell,name=unigram",
        "ngram:order=3,smoothing=laplace",
        "ngram:order=3,smoothing=lidstone,add=0.01",
        "ngram:order=3,smoothing=jelinek-mercer",
        "ngram:order=3,smoothing=witten-bell",
        "ngram:order=3,smoothing=katz",
        "ngram:order=3,smoothing=absolute-discounting",
        "ngram:order=3,smoothing=kneser-ney",
        "ngram:order=5,smoothing=kneser-ney",
        "ngram:order=2",
        "ngram:order=3",
        "ngram:order=5",
        "ngram:order=5,tune=yes",
        "ngram:order=8,tokenizer=char",
        "ngram:order=8,tokenizer=byte",
        "mix:of=ngram,cache=yes",
        "rnn",
        "gru",
        "lstm",
        "rnn:tokenizer=char",
        "gru:tokenizer=char",
        "lstm:tokenizer=char",
        "lstm:tokenizer=byte",
        "mix:of=best",
        "mix:of=best,cache=yes",
        "mix:of=best,kind=log-linear",
    ),
    "subword": (
        "ngram:order=6",
        "lstm",
        *(
            f"{model}tokenizer={tokenizer}"
            for tokenizer in SMALLER
            for model in ("ngram:order=6,", "lstm:")
        ),
    ),
}
BUDGETS = {"quick": 30.0, "classic": 600.0, "full": 1800.0, "subword": 1200.0}
"""Seconds for the networks of a suite, if nothing else is said."""

APPETITE = {"rnn": 0.7, "gru": 1.0, "lstm": 1.2}
"""How the time is shared: a cell with more gates does more in a step."""
SYMBOLS = 1.5
"""How many times as much a network of characters or bytes gets: its text is longer."""
LEAST_SECONDS = 1.0
"""No network learns anything worth a row in less."""
NGRAM_SECONDS = 2.5e-6
"""About what an n-gram model needs for each order and token; said to be deterministic, so that
the same command line shares out the same times."""


def suite(name: str) -> list[Spec]:
    """The models of a suite. Raises `UsageError` for a name that there is not."""
    if name not in SUITES:
        raise UsageError(f"there is no suite {name!r}", f"one of {', '.join(SUITES)}")
    return distinct([parse_spec(text) for text in SUITES[name]])


def share_out(
    specs: Sequence[Spec],
    budget: float | None,
    tokens: int,
    *,
    trainings: int = 1,
    parts: Sequence[float] = (1.0,),
    equal: bool = False,
) -> list[Spec]:
    """``specs`` with a time budget for each network that has neither one nor a number of epochs.

    ``budget`` (seconds) is for the whole comparison: what n-grams will need for ``tokens`` of
    text is set aside, and the rest shared out. ``trainings`` is how often each network is trained,
    ``parts`` are the parts of the text that each is trained on; a network has its share on the
    whole text, and on a part of it a part of that. ``equal`` gives all networks the same time.

    Raises `UsageError` for a budget that leaves some network too little.
    """
    open_ones = [spec for spec in specs if spec.is_network and not _settled(spec)]
    if budget is None or not open_ones:
        return list(specs)
    counts = sum(
        spec.options.get("order", 5) * (4 if _of_symbols(spec) else 1)
        for spec in specs
        if spec.backend == "ngram"
    )
    left = budget - min(counts * tokens * NGRAM_SECONDS, 0.5 * budget)
    shares = {spec.name: 1.0 if equal else _appetite(spec) for spec in open_ones}
    whole = sum(shares.values()) * trainings * sum(parts)
    least = min(shares.values()) / whole * left
    if least < LEAST_SECONDS:
        enough = round(budget * LEAST_SECONDS / least + 0.5)
        raise UsageError(
            f"a time budget of {budget:g} s leaves a network {least:.1f} s: too little to train in",
            f"--time-budget {enough}s, or fewer models",
        )
    return [
        replace(
            spec,
            options={**spec.options, "time_budget": round(shares[spec.name] / whole * left, 1)},
        )
        if spec in open_ones
        else spec
        for spec in specs
    ]


def _settled(spec: Spec) -> bool:
    return "time_budget" in spec.options or "epochs" in spec.options


def _appetite(spec: Spec) -> float:
    own = APPETITE.get(spec.backend, 1.0)
    return own * (SYMBOLS if _of_symbols(spec) else 1.0)


def _of_symbols(spec: Spec) -> bool:
    """Whether its tokens are single characters or bytes, of which a text has many."""
    if spec.tokenizer is None:
        return False
    return tokenizer_of(spec.tokenizer).unit in ("character", "byte")


def of_one_shape(specs: Sequence[Spec], tokens: int) -> list[Spec]:
    """``specs`` with one preset for all networks that have none, that which suits ``tokens``
    words: the same text is more tokens of a smaller kind, and would get another network."""

    def shaped(spec: Spec) -> Spec:
        suits = getattr(resolve("backend", spec.backend), "suitable_preset", None)
        if suits is None or "preset" in spec.options:
            return spec
        return replace(spec, options={**spec.options, "preset": suits("word", tokens)})

    return [shaped(spec) if spec.is_network else spec for spec in specs]

"""Names of interchangeable parts, and where each of them lives.

The values are strings, ``"module:attribute"``, so that nothing heavy is
imported before it is used. Packages outside lmkit add to a kind through the
entry-point group ``lmkit.<kind>``; the built-in names go through the same
`resolve` as theirs.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from lmkit.errors import UsageError

BUILT_IN: dict[str, dict[str, str]] = {
    "backend": {
        "ngram": "lmkit.ngram.backend:NgramBackend",
        "rnn": "lmkit.neural.backend:RNNBackend",
        "gru": "lmkit.neural.backend:GRUBackend",
        "lstm": "lmkit.neural.backend:LSTMBackend",
        "transformer": "lmkit.neural.backend:TransformerBackend",
        "noisy-channel": "lmkit.channel.backend:NoisyChannelBackend",
        "mixture": "lmkit.mixture.backend:MixtureBackend",
        "class": "lmkit.classes.backend:ClassBackend",
    },
    "channel": {
        "brill-moore": "lmkit.channel.edits.brill_moore:BrillMoore",
        "damerau": "lmkit.channel.edits.damerau:Damerau",
    },
    "tokenizer": {
        "whitespace": "lmkit.text.tokenizers.whitespace:WhitespaceTokenizer",
        "word": "lmkit.text.tokenizers.word:WordTokenizer",
        "char": "lmkit.text.tokenizers.char:CharTokenizer",
        "byte": "lmkit.text.tokenizers.byte:ByteTokenizer",
        "bpe": "lmkit.text.tokenizers.bpe:BpeTokenizer",
        "unigram": "lmkit.text.tokenizers.unigram:UnigramTokenizer",
    },
    # Those that a file describes and no option does.
    "file tokenizer": {
        "wordpiece": "lmkit.text.tokenizers.wordpiece:WordPieceTokenizer",
        "imported": "lmkit.text.tokenizers.imported:ImportedTokenizer",
    },
    "cell": {
        "rnn": "lmkit.neural.cells.rnn:RNN",
        "gru": "lmkit.neural.cells.gru:GRU",
        "lstm": "lmkit.neural.cells.lstm:LSTM",
    },
    "softmax": {
        "full": "lmkit.neural.losses.full:FullSoftmax",
        "adaptive": "lmkit.neural.losses.adaptive:AdaptiveSoftmax",
        "sampled": "lmkit.neural.losses.sampled:SampledSoftmax",
        "nce": "lmkit.neural.losses.nce:NoiseContrastive",
    },
    "optimizer": {
        "sgd": "lmkit.neural.optimizers.sgd:SGD",
        "adam": "lmkit.neural.optimizers.adam:Adam",
        "adamw": "lmkit.neural.optimizers.adamw:AdamW",
        "adagrad": "lmkit.neural.optimizers.adagrad:AdaGrad",
        "asgd": "lmkit.neural.optimizers.asgd:ASGD",
    },
    "schedule": {
        "constant": "lmkit.neural.training.schedules:Constant",
        "plateau": "lmkit.neural.training.schedules:Plateau",
        "cosine": "lmkit.neural.training.schedules:Cosine",
        "one-cycle": "lmkit.neural.training.schedules:OneCycle",
    },
    "smoothing": {
        "maximum-likelihood": "lmkit.ngram.smoothing.maximum_likelihood:MaximumLikelihood",
        "laplace": "lmkit.ngram.smoothing.lidstone:Laplace",
        "lidstone": "lmkit.ngram.smoothing.lidstone:Lidstone",
        "jelinek-mercer": "lmkit.ngram.smoothing.jelinek_mercer:JelinekMercer",
        "witten-bell": "lmkit.ngram.smoothing.witten_bell:WittenBell",
        "katz": "lmkit.ngram.smoothing.katz:Katz",
        "absolute-discounting": "lmkit.ngram.smoothing.absolute_discounting:AbsoluteDiscounting",
        "kneser-ney": "lmkit.ngram.smoothing.kneser_ney:KneserNey",
        "modified-kneser-ney": "lmkit.ngram.smoothing.modified_kneser_ney:ModifiedKneserNey",
        "stupid-backoff": "lmkit.ngram.smoothing.stupid_backoff:StupidBackoff",
    },
}


@cache
def _outside(kind: str) -> dict[str, str]:
    """Names that other installed packages offer for ``kind``."""
    from importlib.metadata import entry_points

    return {entry.name: entry.value for entry in entry_points(group=f"lmkit.{kind}")}


def names(kind: str) -> list[str]:
    """All names of a kind, the built-in ones first, in the order of the registry."""
    built_in = BUILT_IN[kind]
    return [*built_in, *(name for name in sorted(_outside(kind)) if name not in built_in)]


def resolve(kind: str, name: str) -> Any:
    """Import and return what ``name`` stands for.

    Raises `UsageError` where the kind has no such name.
    """
    target = BUILT_IN[kind].get(name) or _outside(kind).get(name)
    if target is None:
        raise UsageError(f"there is no {kind} named {name!r}", f"one of {', '.join(names(kind))}")
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)


def family(backend: str) -> str:
    """What kind of model the backend of that name is, as its class declares in ``family``:
    ``"neural"`` for every network, whatever its body. A backend that declares none is a family of
    its own name; a name that is no backend's has none, which is ``""``."""
    if backend not in names("backend"):
        return ""
    return getattr(resolve("backend", backend), "family", backend)

"""Training and opening networks: the backends ``rnn``, ``gru``, ``lstm`` and ``transformer``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UsageError
from lmkit.model import EOS, UNK
from lmkit.neural.arrays import Array
from lmkit.neural.blas import one_thread
from lmkit.neural.networks.architecture import Architecture
from lmkit.neural.networks.language import Network
from lmkit.neural.parameters import Parameters
from lmkit.neural.training.batches import Streams, all_ids
from lmkit.neural.training.course import Report, Watch
from lmkit.neural.training.distillation import Teacher
from lmkit.neural.training.options import Options, make_options, suitable_preset
from lmkit.neural.tree import State, leaves, mapped
from lmkit.neural.use.model import NeuralModel
from lmkit.neural.use.opening import open_neural_model
from lmkit.registry import resolve

if TYPE_CHECKING:
    from lmkit.neural.training.trainer import Trainer
    from lmkit.text.corpus import Corpus

Progress = Callable[[str, int, int | None], None]

ENOUGH_TO_HOLD_OUT = 2000
"""Shorter texts are trained on whole: too little would be left to judge by."""


SPECIAL = 3
"""Tokens of every vocabulary: ``<unk>``, ``<s>`` and ``</s>``."""


class NeuralBackend:
    """Networks; a subclass says with which body (`lmkit.neural.networks.bodies`)."""

    name: ClassVar[str]
    family: ClassVar[str] = "neural"
    """What `lmkit.registry.family` says of a backend."""
    makes_checkpoints: ClassVar[bool] = True
    """`train` takes ``seed``, ``checkpoint`` and ``resume``."""

    suitable_preset = staticmethod(suitable_preset)

    @classmethod
    def train(
        cls,
        corpus: Corpus,
        valid: Corpus | None = None,
        *,
        preset: str | None = None,
        checkpoint: str | Path | None = None,
        resume: bool = False,
        base: NeuralModel | None = None,
        teacher: NeuralModel | None = None,
        progress: Progress | None = None,
        watch: Watch | None = None,
        memory: int | None = None,
        **options: Any,
    ) -> NeuralModel:
        """Train a network on ``corpus``, and keep the weights that do best on ``valid``.

        ``preset`` (`lmkit.neural.training.options.PRESETS`; None: one that suits the text) says
        how, ``options`` (`lmkit.neural.training.options.Options`) change it. With ``resume`` it
        goes on from ``checkpoint``. ``base`` is a model to begin with, whose vocabulary the corpus
        extends; its shape stays. ``teacher`` is a model over the same vocabulary to learn from.
        ``memory`` bounds the reading of the text only.

        Raises `UsageError` for options that are unknown or make no sense, `TextError` for a text
        without tokens, and what `Trainer.run` raises.
        """
        if not corpus.settings.sentence_marks:
            raise UsageError(
                "a network reads text with the ends of its lines",
                "--backend ngram, or leaving out --no-sentence-marks",
            )
        # Not needed where a model is only opened.
        from lmkit.neural.training.trainer import Trainer
        from lmkit.text.resegmentation import Resegmented

        encoder = corpus.encoder
        tokens = corpus.tokens
        preset = preset or suitable_preset(encoder.unit, tokens)
        chosen = make_options(
            *(preset, options, encoder.unit, tokens, len(corpus.vocabulary), teacher is not None),
            body=cls.name,
            shape=base.network.architecture.cell_options
            if base is not None and base.backend == cls.name
            else None,
        )
        ids = all_ids(corpus.chunks())
        notes: list[str] = []
        held_out = None if valid is None else all_ids(valid.chunks())
        if held_out is None:
            ids, held_out = hold_out(ids, chosen.hold_out, notes)
        if len(corpus.vocabulary) <= SPECIAL + 1:
            what = "one word" if len(corpus.vocabulary) > SPECIAL else "no word"
            notes.append(f"a vocabulary of {what}: a network can only learn how long sentences are")
        counts = unigram_counts(ids, len(corpus.vocabulary))
        network, parameters = _begin(cls.name, corpus, chosen, base, counts)
        about: dict[str, Any] = {"sha256": corpus.sha256, "tokens": tokens}
        drawn = None
        if chosen.tokenizer_dropout:
            drawn = Resegmented(corpus.settings, corpus.vocabulary, ids, chosen.tokenizer_dropout)
            about["tokenizer_dropout"] = chosen.tokenizer_dropout
        trainer = Trainer(
            network,
            parameters,
            chosen,
            ids,
            held_out,
            about,
            checkpoint=None if checkpoint is None else Path(checkpoint),
            watch=_watching(progress, watch),
            teacher=None
            if teacher is None
            else Teacher.for_vocabulary(teacher, corpus.vocabulary.tokens, chosen.distillation),
            drawn=drawn,
        )
        if trainer.feed.batch < chosen.batch_size:
            notes.append(
                f"the text is short: batches of {trainer.feed.batch}, not {chosen.batch_size}"
            )
        if resume:
            trainer.resume()
        trainer.run()
        facts = {
            "unit": encoder.unit,
            "text": corpus.settings.as_dict(tables=False),
            "training": _summary(trainer, preset),
            "notes": notes,
        }
        model = NeuralModel(network, parameters, encoder, facts, [], trainer.log)
        model.start_states = start_states(model, ids)
        model.checkpoint = trainer.checkpoint
        return model

    @staticmethod
    def open(path: str | Path) -> NeuralModel:
        """Open the model file ``path``."""
        return open_neural_model(path)


class RNNBackend(NeuralBackend):
    """Elman's simple recurrent network."""

    name = "rnn"


class GRUBackend(NeuralBackend):
    """The gated recurrent unit."""

    name = "gru"


class LSTMBackend(NeuralBackend):
    """Long short-term memory."""

    name = "lstm"


class TransformerBackend(NeuralBackend):
    """A Transformer, decoder only, as GPT is."""

    name = "transformer"


def hold_out(
    ids: NDArray[np.int32], part: float, notes: list[str]
) -> tuple[NDArray[np.int32], NDArray[np.int32] | None]:
    """``ids`` without, and only, their last ``part``, cut at a sentence's end; nothing is held
    out of a short text."""
    if not part or len(ids) < ENOUGH_TO_HOLD_OUT:
        return ids, None
    ends = np.flatnonzero(ids == EOS) + 1
    wanted = round(len(ids) * (1 - part))
    later = ends[ends >= wanted]
    cut = int(later[0]) if len(later) else wanted
    if cut >= len(ids):
        cut = wanted
    notes.append(f"the last {len(ids) - cut:,} tokens of the text were held out to choose by")
    return ids[:cut], ids[cut:]


def unigram_counts(ids: NDArray[np.int32], vocabulary: int) -> NDArray[np.float64]:
    """Counts [V]; an unknown word that the text has none of counts as the words seen once do
    when every second one of them is taken for unknown (`lmkit.neural.training.feed`)."""
    counts = np.bincount(ids, minlength=vocabulary).astype(np.float64)
    if not counts[UNK]:
        counts[UNK] = (counts == 1).sum() / 2
    return counts


def _begin(
    cell: str, corpus: Corpus, options: Options, base: NeuralModel | None, counts: Array
) -> tuple[Network, Parameters]:
    """The network and its first weights: drawn, or those of ``base``."""
    generator = np.random.default_rng([options.seed, 0])
    if base is not None:
        from lmkit.neural.tools.growth import grown

        if base.backend != cell:
            raise UsageError(
                f"the model to begin with is of the backend {base.backend!r}, not {cell!r}",
                f"--backend {base.backend}",
            )
        return grown(base, len(corpus.vocabulary), counts, generator)
    network = Network(
        Architecture(
            len(corpus.vocabulary),
            cell,
            options.hidden,
            options.layers,
            options.embedding or options.hidden,
            options.tied,
            options.residual,
            options.layer_norm,
            options.softmax,
            dict(options.cell_options),
            resolve("softmax", options.softmax).fit_options(counts, options.softmax_options),
        )
    )
    parameters = Parameters(network.shapes())
    with one_thread():
        network.initialise(parameters.views, counts, generator)
    return network, parameters


def start_states(model: NeuralModel, ids: NDArray[np.int32]) -> State:
    """The average state, of one stream, in which the network meets ``</s>`` in ``ids``; () where it
    meets none, or the network keeps what it has read, of which there is no average."""
    if model.network.context is not None:
        return ()
    streams = Streams(ids, 64, 200)
    scorer = model.scorer
    states = scorer.zero(streams.batch)
    sums = mapped(lambda leaf: np.zeros((*leaf.shape[:-1], 1)), states)
    count = 0
    with one_thread():
        for position in range(min(streams.length, 300)):
            inputs = streams.stretch(0, position, 1).inputs
            if position >= 20:
                ended = np.flatnonzero(inputs[0] == EOS)
                count += len(ended)
                for total, leaf in zip(leaves(sums), leaves(states), strict=True):
                    total += leaf[..., ended].sum(axis=-1, keepdims=True)
            _, states = scorer.read(inputs, states)
    if not count:
        return ()
    dtype = model.parameters.flat.dtype
    return mapped(lambda total: (total / count).astype(dtype), sums)


def _watching(progress: Progress | None, watch: Watch | None) -> Watch | None:
    if progress is None:
        return watch

    def both(report: Report) -> None:
        progress("training", round(1000 * report.progress), 1000)
        if watch is not None:
            watch(report)

    return both


def _summary(trainer: Trainer, preset: str) -> dict[str, Any]:
    place = trainer.place
    return {
        "preset": preset,
        "options": trainer.options.as_dict(),
        "epochs": round(trainer.epoch, 3),
        "updates": place.updates,
        "tokens": place.tokens,
        "seconds": round(place.seconds, 1),
        "valid_loss": place.best_loss,
        "best_epoch": place.best_epoch,
    }

"""`NeuralModel`: a recurrent network behind the one interface.

The network reads ``</s>`` where a sentence begins, as it did in training, where one sentence
followed the other. A sentence that starts anew does so from the start state: the average state
in which the network met ``</s>`` in its training text.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lmkit.cores import available_cores
from lmkit.model import EOS, UNK, Batch, Encoder, Generated, LanguageModel
from lmkit.neural.arrays import Array
from lmkit.neural.blas import one_thread
from lmkit.neural.networks.language import Network
from lmkit.neural.parameters import Parameters
from lmkit.neural.tree import State, named, replaced
from lmkit.neural.use.base import NetworkModel
from lmkit.neural.use.scoring import numbers
from lmkit.neural.use.state import NeuralState
from lmkit.sampling import Sampling, draw


class NeuralModel(NetworkModel):
    """A trained network.

    ``facts`` is what the file keeps in ``meta`` (``unit``, ``text``, ``training``, ``notes``),
    ``log`` the course of the training. ``start_states`` is the state of one stream before
    ``</s>`` is read at the start; () where it is zero. ``workers`` threads score long texts;
    their number changes nothing else.
    """

    backend: ClassVar[str] = "neural"
    context_length = None

    def __init__(
        self,
        network: Network,
        parameters: Parameters,
        encoder: Encoder,
        facts: dict[str, Any],
        runs: list[dict[str, Any]],
        log: list[dict[str, Any]],
    ) -> None:
        self.network = network
        self.parameters = parameters
        self.encoder = encoder
        self.facts = facts
        self.runs = runs
        self.log = log
        self.unit = facts["unit"]
        self.start_states: State = ()
        self.int8: dict[str, tuple[Array, Array]] = {}
        self.checkpoint: Path | None = None
        self.workers = available_cores()
        # The backends are one class with three names.
        self.backend = network.architecture.cell  # type: ignore[misc]

    @cached_property
    def quick(self) -> LanguageModel:
        """See `LanguageModel.quick` and `lmkit.neural.use.quick`; of the weights as they are when
        it is first asked for."""
        from lmkit.neural.use.quick import QuickScorer, is_slow

        if not is_slow(self.network.softmax):
            return self
        twin = copy(self)
        with one_thread():
            scorer = QuickScorer(self.network, self.parameters.views, self._start)
        twin.__dict__ |= {"scorer": scorer, "quick": twin}
        return twin

    # -- scoring --------------------------------------------------------------------------

    def score(
        self, batch: Batch | str | Sequence[str], state: Any = None
    ) -> tuple[NDArray[np.float64], NeuralState]:
        """See `LanguageModel.score`. Sentences start anew; `lmkit.neural.use.running` carries the
        state over them."""
        batch = self.batch(batch)
        ids, offsets = batch.ids, batch.offsets
        with one_thread():
            if state is None or len(batch) == 0:
                log_probs = self.scorer.sentences(ids, offsets, self.before_start, self.workers)
            else:
                first = int(offsets[1])
                log_probs = np.empty(len(ids))
                log_probs[:first], _ = self.follow(ids[:first], state)
                log_probs[first:] = self.scorer.sentences(
                    ids[first:], offsets[1:] - first, self.before_start, self.workers
                )
            numbers(log_probs)
            return log_probs, self._state_after(batch, state)

    def follow(
        self, ids: NDArray[np.int32], state: NeuralState
    ) -> tuple[NDArray[np.float64], NeuralState]:
        """log p [N] of ``ids`` that go on from ``state`` as one stream, whatever ``</s>`` are
        among them, and the state after the last one."""
        if not len(ids):
            return np.zeros(0), state
        log_probs = np.empty(len(ids))
        log_probs[0] = self.scorer.log_prob(state.top, ids[:1])[0]
        # The last token is read too, so that the state stands behind it.
        targets = np.append(ids[1:], UNK)
        found, layers, top = self.scorer.stream(ids, targets, state.layers)
        log_probs[1:] = found[:-1]
        return log_probs, NeuralState(layers, top)

    def _state_after(self, batch: Batch, state: NeuralState | None) -> NeuralState:
        if not len(batch.ids):
            return self.start(1) if state is None else state
        if batch.ids[-1] == EOS:
            return self.start(1)
        last = batch.ids[batch.offsets[-2] :]
        goes_on = state is not None and len(batch) == 1
        return self.follow(last, state if goes_on and state is not None else self.start(1))[1]

    def running(self, **options: Any) -> Any:
        """This model reading a running text, its state carried over sentences and batches; see
        `lmkit.neural.use.running.RunningModel` for the ``options``."""
        from lmkit.neural.use.running import RunningModel

        return RunningModel(self, **options)

    def fit_cache(self, ids: NDArray[np.int32], **options: Any) -> Any:
        """A continuous cache fitted to the running text ``ids`` [N]; see
        `lmkit.neural.use.cache_fitting.fit_cache` for the ``options``."""
        from lmkit.neural.use.cache_fitting import fit_cache

        return fit_cache(self, ids, **options)

    # -- one token after the other ----------------------------------------------------------

    def advance(self, state: Any, tokens: NDArray[np.integer] | Sequence[int]) -> NeuralState:
        """See `LanguageModel.advance`. After ``</s>`` a stream starts anew."""
        ids = np.asarray(tokens, np.int64)
        ended = np.flatnonzero(ids == EOS)
        if len(ended) and len(ended) == len(ids):
            return self.start(len(ids))
        read = self.advance_through(state, ids)
        if not len(ended):
            return read
        fresh = self._start
        top = np.array(read.top)
        top[:, ended] = fresh.top
        return NeuralState(replaced(read.layers, ended, fresh.layers), top)

    def advance_through(
        self, state: Any, tokens: NDArray[np.integer] | Sequence[int]
    ) -> NeuralState:
        """See `LanguageModel.advance_through`. ``</s>`` is read like any other token."""
        ids = np.asarray(tokens, np.int64)
        if not len(ids):
            return state.select(ids)
        top, layers = self.scorer.read(ids[None], state.layers)
        return NeuralState(layers, top)

    def _log_probs(self, state: NeuralState) -> NDArray[np.float64]:
        if state.log_probs is None:
            softmax = self.network.softmax
            found = softmax.log_probs(self.parameters.views, state.top)
            numbers(found[:, EOS])
            state.log_probs = found.astype(np.float64)
        return state.log_probs

    def next_log_probs(self, state: Any) -> NDArray[np.float64]:
        """See `LanguageModel.next_log_probs`."""
        return self._log_probs(state).copy()

    def log_probs_of(self, state: Any, tokens: NDArray[np.integer]) -> NDArray[np.float64]:
        """See `LanguageModel.log_probs_of`."""
        ids = np.asarray(tokens, np.int64)
        if state.log_probs is not None:
            return np.take_along_axis(state.log_probs, ids, axis=1)
        with one_thread():
            found = self.scorer.log_probs_of(state.top, ids, self.workers)
        numbers(found)
        return found

    def draw_next(
        self, state: Any, how: Sampling, generator: np.random.Generator, unknown: bool = False
    ) -> NDArray[np.int64]:
        """See `LanguageModel.draw_next`."""
        log_probs = self._log_probs(state)
        if not unknown:
            log_probs = log_probs.copy()
            log_probs[:, UNK] = -np.inf
        return draw(log_probs, how, generator)

    def generate(self, *arguments: Any, **options: Any) -> list[Generated]:
        """See `LanguageModel.generate`."""
        with one_thread():
            return super().generate(*arguments, **options)

    def beam_search(self, *arguments: Any, **options: Any) -> list[Generated]:
        """See `LanguageModel.beam_search`."""
        with one_thread():
            return super().beam_search(*arguments, **options)

    # -- the file ---------------------------------------------------------------------------

    def stored_tensors(self) -> dict[str, Array]:
        """What the file keeps: the weights (some as int8 with scales) and the start states."""
        from lmkit.neural.use.files import SCALES, packed

        tensors: dict[str, Array] = {}
        for name, view in self.parameters.views.items():
            if name in self.int8:
                values, scales = self.int8[name]
                tensors |= {**packed(name, values), f"{name}{SCALES}": scales}
            else:
                tensors |= packed(name, view)
        return tensors | named(self.start_states, "start")

    def save(self, path: str | Path) -> None:
        """Write the model to ``path``, atomically. The checkpoint of its training is then over."""
        from lmkit.neural.use.files import save_log, save_tensors
        from lmkit.store.modelfile import ModelWriter
        from lmkit.store.spelling import save_spelling
        from lmkit.store.tokenizers import save_tokenizer

        with ModelWriter(path) as writer:
            vocabulary = self.vocabulary
            writer.meta(
                {
                    "backend": self.backend,
                    "architecture": self.network.architecture.as_dict(),
                    "vocabulary_size": len(vocabulary),
                    "vocabulary_limited": vocabulary.limited,
                    **self.facts,
                }
            )
            writer.vocabulary(vocabulary.tokens, vocabulary.counts.tolist())
            save_spelling(writer, getattr(self.encoder, "spelling", None))
            save_tokenizer(writer, self.encoder.settings.tokenizer)
            save_tensors(writer, self.stored_tensors())
            save_log(writer, self.log)
            for row in self.runs:
                writer.run({key: value for key, value in row.items() if key != "id"})
        if self.checkpoint is not None:
            self.checkpoint.unlink(missing_ok=True)
            self.checkpoint = None

    def describe(self) -> dict[str, Any]:
        a = self.network.architecture
        return {
            "backend": self.backend,
            "unit": self.unit,
            "vocabulary": len(self.vocabulary),
            "hidden": a.hidden,
            "layers": a.layers,
            "embedding": a.embedding,
            "tied": a.tied,
            "softmax": a.softmax,
            "weights": self.parameters.count,
            "normalised": self.normalised,
            "text": self.facts["text"],
            "parameters": {
                "residual": a.residual,
                "layer_norm": a.layer_norm,
                "quantized": self.facts.get("quantized"),
                "sparsity": self.facts.get("pruned"),
                **a.cell_options,
                **{k: v for k, v in a.softmax_options.items() if k not in ("counts", "order")},
            },
            "training": self.facts["training"],
            "notes": self.facts["notes"],
        }

"""A neural model that reads a running text: its state is carried over sentences and batches, as
the literature measures perplexity, and by option it learns on the way.

- A network whose places are counted from the beginning of a text, or any with ``stride``, reads
  windows as long as its context, each ``stride`` tokens further, and scores the last ``stride``.
- A long stretch without such options is read in parts side by side (`lmkit.neural.use.parallel`).
- ``cache``: a continuous cache (`lmkit.neural.use.cache`).
- ``dynamic``: dynamic evaluation (Krause et al. 2018): after each ``dynamic_steps`` tokens, which
  were scored first, the weights take a step down their gradient and a little back:
  w += -rate g + decay (w_0 - w).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UnsupportedError, UsageError
from lmkit.model import EOS, Batch, LanguageModel, State
from lmkit.neural import tree
from lmkit.neural.arrays import unwarned
from lmkit.neural.blas import one_thread
from lmkit.neural.networks.language import Stretch
from lmkit.neural.parameters import Parameters
from lmkit.neural.use.base import NetworkModel
from lmkit.neural.use.cache import FLATNESS, WEIGHT, Cache
from lmkit.neural.use.parallel import read_in_parts
from lmkit.neural.use.scoring import Scorer, numbers
from lmkit.neural.use.state import NeuralState
from lmkit.threads import Team

WINDOW = 2048
"""Tokens that are read before their softmax is formed, by all threads."""


class RunningModel(LanguageModel):
    """``model`` on a running text; `score` goes on where the last call ended.

    ``cache``: its size (0: none), with ``cache_weight`` and ``cache_flatness``. ``dynamic``: the
    learning rate of dynamic evaluation (0: none), with ``dynamic_decay`` and ``dynamic_steps``.
    ``stride``: how far windows are apart (None: half a context, where there must be windows).
    ``progress`` is called now and then with the tokens of the batch that are done. The model
    itself is never changed.
    """

    def __init__(
        self,
        model: NetworkModel,
        *,
        cache: int = 0,
        cache_weight: float = WEIGHT,
        cache_flatness: float = FLATNESS,
        dynamic: float = 0.0,
        dynamic_decay: float = 0.002,
        dynamic_steps: int = 20,
        stride: int | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        if dynamic < 0 or not 0 <= dynamic_decay <= 1 or dynamic_steps < 1:
            raise UsageError(
                "dynamic evaluation needs a rate of at least 0, a decay from 0 to 1 and at least"
                " 1 step",
                "--dynamic 0.5",
            )
        network = model.network
        if stride is not None and network.context is None:
            raise UsageError(
                "windows with a stride are for transformers: a recurrent network carries its state",
                "leaving out --stride",
            )
        if stride is not None and not 1 <= stride <= (network.context or 1):
            raise UsageError(
                f"windows have {network.context} tokens, and cannot be {stride} apart",
                f"--stride {(network.context or 2) // 2}",
            )
        if network.limit is not None and stride is None:
            stride = max(1, network.limit // 2)
        if dynamic and stride is not None:
            raise UsageError(
                "dynamic evaluation needs a state that is carried on, and windows carry none",
                "leaving out --dynamic",
            )
        self._stride = stride
        # What was read last, as far as the next window looks back.
        self._read = np.empty(0, np.int32)
        self._position = 0
        self.model = model
        self.backend = model.backend  # type: ignore[misc]
        self.encoder = model.encoder
        self.unit = model.unit
        self.context_length = None
        self.cache = Cache(cache, cache_weight, cache_flatness) if cache else None
        self._rate, self._decay, self._steps = dynamic, dynamic_decay, dynamic_steps
        self._parameters = model.parameters
        if dynamic:
            self._parameters = Parameters(model.network.shapes(), model.parameters.flat.dtype)
            self._parameters.flat[...] = model.parameters.flat
            self._gradient = self._parameters.empty_like()
            self._views = self._parameters.gradients_of(self._gradient)
            self._pull = self._parameters.empty_like()
            self._generator = np.random.default_rng(0)
            self._unlearnt = np.empty(0, np.int32)
        self._scorer = model.scorer
        self._progress = progress
        self._done = 0
        # Where the text stands: one token, and the states before it is read.
        self._layers: tree.State = model.before_start
        self._token = EOS

    def score(
        self, batch: Batch | str | Sequence[str], state: Any = None
    ) -> tuple[NDArray[np.float64], NeuralState]:
        """log p [T] of every token, given all text before it, in this batch or earlier ones."""
        if state is not None:
            raise UnsupportedError("a running text goes on from its own state only")
        ids = self.batch(batch).ids
        self._done = 0
        with one_thread(), Team(self.model.workers) as team:
            if self._rate:
                log_probs = self._dynamic(ids)
            elif self.cache is None:
                log_probs = self._parallel(ids, team)
            else:
                log_probs = self._one_stream(ids, WINDOW, team)
            last = np.array([self._token])
            if self._stride is not None:
                last = np.concatenate((self._read, last))
            h, layers = self._scorer.read_long(last[:, None], self._layers)
        numbers(log_probs, "a lower rate for --dynamic" if self._rate else "training it again")
        return log_probs, NeuralState(layers, h[:, -1:])

    def _inputs(self, ids: NDArray[np.int32]) -> NDArray[np.int32]:
        """What is read to predict ``ids`` [N], which are next: [N, 1]."""
        return np.concatenate((np.array([self._token], ids.dtype), ids[:-1]))[:, None]

    def _one_stream(
        self, ids: NDArray[np.int32], window: int, team: Team | None = None
    ) -> NDArray[np.float64]:
        if self._stride is not None:
            return self._in_windows(ids, self._stride, team)
        log_probs = np.empty(len(ids))
        for start in range(0, len(ids), window):
            here = ids[start : start + window]
            h, self._layers = self._scorer.read(self._inputs(here), self._layers)
            found = self._scorer.log_prob(h, here, team)
            if self.cache is not None:
                found = self.cache.mix(found, h, here)
            log_probs[start : start + len(here)] = found
            self._token = int(here[-1])
            self._tell(len(here))
        return log_probs

    def _in_windows(
        self, ids: NDArray[np.int32], stride: int, team: Team | None
    ) -> NDArray[np.float64]:
        """Windows end at multiples of ``stride`` of the whole text, in whatever pieces it comes:
        each begins in the first state, a context before its end."""
        log_probs, context = np.empty(len(ids)), self.model.network.context or stride
        inputs = np.concatenate((self._read, self._inputs(ids)[:, 0]))
        first = self._position - len(self._read)
        done = 0
        while done < len(ids):
            end = (self._position // stride + 1) * stride
            here = ids[done : done + end - self._position]
            stop = self._position + len(here)
            window = inputs[max(0, end - context - first) : stop - first]
            h, _ = self._scorer.read_long(window[:, None], self._layers)
            h = h[:, -len(here) :]
            found = self._scorer.log_prob(h, here, team)
            if self.cache is not None:
                found = self.cache.mix(found, h, here)
            log_probs[done : done + len(here)] = found
            self._position, done = stop, done + len(here)
            self._tell(len(here))
        if len(ids):
            self._read = inputs[max(0, len(inputs) - context + 1) :]
            self._token = int(ids[-1])
        return log_probs

    def _tell(self, tokens: int) -> None:
        self._done += tokens
        if self._progress is not None:
            self._progress(self._done)

    def _parallel(self, ids: NDArray[np.int32], team: Team) -> NDArray[np.float64]:
        """Most of the text in parts, the rest, or all of a short text, as one stream."""
        if self._stride is not None:
            return self._one_stream(ids, WINDOW, team)
        fresh = self.model.start(1).layers
        found = read_in_parts(self._scorer, ids, self._token, self._layers, fresh, team, self._tell)
        log_probs = np.empty(0)
        if found is not None:
            log_probs, self._layers = found
            self._token = int(ids[len(log_probs) - 1])
        rest = self._one_stream(ids[len(log_probs) :], WINDOW, team)
        return np.concatenate((log_probs, rest))

    def _dynamic(self, ids: NDArray[np.int32]) -> NDArray[np.float64]:
        """Updates fall after every ``dynamic_steps`` tokens of the whole text, in whatever pieces
        it comes."""
        log_probs = np.empty(len(ids))
        done = 0
        while done < len(ids):
            if not len(self._unlearnt):
                self._before = self._token, self._layers
            here = ids[done : done + self._steps - len(self._unlearnt)]
            log_probs[done : done + len(here)] = self._one_stream(here, len(here))
            self._unlearnt = np.concatenate((self._unlearnt, here))
            done += len(here)
            if len(self._unlearnt) == self._steps:
                self._learn()
        return log_probs

    def _learn(self) -> None:
        """One update from the tokens that were scored since the last one."""
        token, layers = self._before
        targets = self._unlearnt[:, None]
        inputs = np.concatenate((np.array([[token]], targets.dtype), targets[:-1]))
        network, weights, gradient = self.model.network, self._parameters, self._gradient
        stretch = Stretch(inputs, targets)
        with unwarned():
            network.train(weights.views, stretch, layers, self._views, self._generator)
            norm = float(np.sqrt(gradient @ gradient))
            gradient *= self._rate * min(1.0, 1.0 / max(norm, 1e-12))
            weights.flat -= gradient
            # Not in the gradient's memory: of that a pass blanks only rows that it has written.
            np.subtract(self.model.parameters.flat, weights.flat, out=self._pull)
            self._pull *= self._decay
            weights.flat += self._pull
        self._scorer = Scorer(network, weights.views)
        self._unlearnt = self._unlearnt[:0]

    def start(self, batch_size: int) -> State:
        return self.model.start(batch_size)

    def advance(self, state: Any, tokens: NDArray[np.integer] | Sequence[int]) -> State:
        return self.model.advance(state, tokens)

    def advance_through(self, state: Any, tokens: NDArray[np.integer] | Sequence[int]) -> State:
        return self.model.advance_through(state, tokens)

    def next_log_probs(self, state: Any) -> NDArray[np.float64]:
        return self.model.next_log_probs(state)

    def save(self, path: str | Path) -> None:
        self.model.save(path)

    def describe(self) -> dict[str, Any]:
        return self.model.describe()

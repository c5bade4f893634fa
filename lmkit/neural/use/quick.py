"""Some log-probabilities of a large vocabulary, without a sum over all of it.

What a softmax costs is its sum: exp(l_i) with l = w h + b over every token, for every history. Most
of that belongs to some thousand tokens. Of the others' logits, tens of thousands of them, only the
sum of the exponentials counts, and its logarithm is taken to the second order in h (the first two
cumulants of w under p_i ~ exp(b_i)):

    log sum_i exp(w_i h + b_i) ~ log sum_i exp(b_i) + m h + h' C h / 2,

with m and C the mean and the covariance of the w_i. It is exact for vectors that are normally
distributed. Log-probabilities are off by the same amount for all tokens after a history; with an
LSTM of 54,000 words by some 0.03 nats as a standard deviation, over what corrections ask for.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lmkit.model import BOS, EOS
from lmkit.neural.arrays import Array, Weights
from lmkit.neural.losses.base import Softmax
from lmkit.neural.losses.full import FullSoftmax
from lmkit.neural.losses.unnormalised import WHOLE, Unnormalised
from lmkit.neural.networks.language import Network
from lmkit.neural.use.scoring import Scorer
from lmkit.neural.use.state import NeuralState

HEAD = 4000
"""So many tokens, the likeliest ones, are summed one by one."""
WORTH = 4
"""The vocabulary has to be so many times as large."""
HISTORIES = 32
"""So many histories of one word, and as many of two, say which tokens are likely."""
ROWS = 8192
"""Rows of w that moments are summed over at once."""


def is_slow(softmax: Softmax) -> bool:
    """Whether ``softmax`` sums over so many tokens that a `QuickScorer` pays."""
    return isinstance(softmax, FullSoftmax) and softmax.vocabulary >= WORTH * HEAD


class QuickScorer(Scorer):
    """As `Scorer`, of a network with a `FullSoftmax`, but that `log_probs_of` is near the truth:
    that of the ``weights`` as they were when it was made."""

    def __init__(self, network: Network, weights: Weights, start: NeuralState) -> None:
        """``start``: one stream at the beginning of a sentence."""
        super().__init__(network, weights)
        softmax = network.softmax
        assert isinstance(softmax, FullSoftmax)
        self._w, self._b = weights[softmax.embedding], weights["output.b"]
        self._sum = Unnormalised()
        likely = np.argsort(-self._likeliness(start), kind="stable")
        head = np.sort(likely[:HEAD])
        self._in_rest = np.ones(len(likely), bool)
        self._in_rest[head] = self._in_rest[BOS] = False
        self._head_w, self._head_b = self._w[head], self._b[head]
        self._rest = Moments(self._w[self._in_rest], self._b[self._in_rest])

    def _likeliness(self, start: NeuralState) -> NDArray[np.float64]:
        """p of each token [V], summed over beginnings of likely words."""
        total = self._summed(start.top)
        count = min(HISTORIES, len(total) - 1)
        states = start.select(np.zeros(count, np.int64)).layers
        for _ in range(2):
            likely = np.argsort(-total, kind="stable")
            words = likely[likely != EOS][:count]
            # Not always the same words behind each other.
            h, states = self.read(np.roll(words, count // 3)[None], states)
            total = total + self._summed(h)
        return total

    def _summed(self, h: Array) -> NDArray[np.float64]:
        """p of each token [V], summed over the histories ``h`` [H, N]."""
        softmax = self.network.softmax
        total = np.zeros(softmax.vocabulary)
        width = max(1, WHOLE // softmax.vocabulary)
        for start in range(0, h.shape[1], width):
            found = softmax.log_probs(self.weights, h[:, start : start + width])
            total += np.exp(found).sum(axis=0)
        return total

    def _asked(self, h: Array, tokens: Array) -> Array:
        h = np.ascontiguousarray(h)
        head = self._sum.log_sums(self._head_w, self._head_b, h)
        logits = self._sum.logits_of(self._w, self._b, h, tokens)
        # The sum of the rest is at least what is asked for of it.
        asked = np.where(self._in_rest[tokens], logits, -np.inf).max(axis=1, initial=-np.inf)
        rest = np.maximum(self._rest.log_sums(h), asked)
        found = logits - np.logaddexp(head, rest)[:, None]
        found[tokens == BOS] = -np.inf
        return found


class Moments:
    """Of the rows of ``w`` [R, H], each counted exp(``b``) [R] times."""

    def __init__(self, w: Array, b: Array) -> None:
        most = b.max()
        counts = np.exp(b - most)
        total = counts.sum(dtype=np.float64)
        self._log_total = most + np.log(total)
        shares = (counts / total).astype(w.dtype)
        self._mean = shares @ w
        self._covariance = np.zeros((w.shape[1], w.shape[1]), w.dtype)
        for start in range(0, len(w), ROWS):
            apart = w[start : start + ROWS] - self._mean
            self._covariance += apart.T @ (apart * shares[start : start + ROWS, None])

    def log_sums(self, h: Array) -> Array:
        """log of the sum of exp(w h + b) over the rows [N], to the second order in ``h`` [H, N]."""
        return self._log_total + self._mean @ h + 0.5 * (h * (self._covariance @ h)).sum(axis=0)

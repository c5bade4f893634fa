"""Adaptive softmax: Grave, Joulin, Cisse, Grangier and Jegou 2017.

The most frequent tokens are in a head, together with one entry for each cluster of rarer ones. A
cluster's tokens have shorter vectors, the fourth part at each further cluster:

    p(token) = p_head(cluster) p_cluster(token),    h_k = projection_k h

Weights: ``head.w`` [c_0 + K, H], ``head.b``; ``tail<k>.p`` [H_k, H], ``tail<k>.w`` [V_k, H_k],
``tail<k>.b`` of each of K clusters.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lmkit.errors import UsageError
from lmkit.model import BOS
from lmkit.neural.arrays import Array, Weights
from lmkit.neural.initialisation import glorot, uniform
from lmkit.neural.losses.base import Softmax
from lmkit.neural.losses.targets import Targets
from lmkit.neural.losses.unnormalised import Unnormalised
from lmkit.neural.parameters import Gradients


class AdaptiveSoftmax(Softmax):
    """``cutoffs``: at which ranks of frequency clusters begin; ``factor``: by which vectors get
    shorter; ``order`` [V - 1]: all tokens but ``<s>``, the most frequent first, which the backend
    gives."""

    name = "adaptive"
    options = ("cutoffs", "factor", "order")
    can_tie = False

    def __init__(
        self,
        *arguments: Any,
        cutoffs: Any = None,
        factor: int = 4,
        order: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(*arguments, **options)
        count = self.vocabulary - 1
        if order is None:
            order = [token for token in range(self.vocabulary) if token != BOS]
        self._order = np.asarray(order)
        if len(self._order) != count:
            raise UsageError(f"the adaptive softmax is laid out for {len(order) + 1} tokens")
        if not np.array_equal(np.sort(self._order), np.delete(np.arange(self.vocabulary), BOS)):
            raise UsageError("the order of the adaptive softmax is not one of all tokens")
        if cutoffs is None:
            cutoffs = sorted({max(1, count // 16), max(1, count // 4)})
        if factor < 1:
            raise UsageError(f"factor must be at least 1, not {factor}")
        edges = [*cutoffs, count]
        if not cutoffs or min(cutoffs) < 1 or edges != sorted(set(edges)):
            raise UsageError(
                f"cutoffs must rise and lie between 1 and {count - 1}, and are {list(cutoffs)}",
                "2000,10000",
            )
        self._edges = edges
        self.clusters = len(cutoffs)
        self.widths = [max(1, self.features // factor ** (k + 1)) for k in range(self.clusters)]
        self._ranks = np.full(self.vocabulary, -1)
        self._ranks[self._order] = np.arange(count)
        self._cluster = np.searchsorted(edges, np.arange(count), side="right")
        self._head = Unnormalised()
        self._tails = [Unnormalised() for _ in range(self.clusters)]

    @classmethod
    def fit_options(cls, counts: Array, options: dict[str, Any]) -> dict[str, Any]:
        order = np.argsort(-np.asarray(counts), kind="stable")
        return {**options, "order": order[order != BOS].tolist()}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        head = self._edges[0] + self.clusters
        shapes: dict[str, tuple[int, ...]] = {
            "head.w": (head, self.features),
            "head.b": (head,),
        }
        for k, width in enumerate(self.widths):
            size = self._edges[k + 1] - self._edges[k]
            shapes[f"tail{k}.p"] = (width, self.features)
            shapes[f"tail{k}.w"] = (size, width)
            shapes[f"tail{k}.b"] = (size,)
        return shapes

    def initialise(self, weights: Weights, counts: Array, generator: np.random.Generator) -> None:
        ranked = np.asarray(counts, np.float64)[self._order] + 0.5
        first = self._edges[0]
        uniform(weights["head.w"], generator, self.features**-0.5)
        masses = []
        for k, width in enumerate(self.widths):
            part = ranked[self._edges[k] : self._edges[k + 1]]
            masses.append(part.sum())
            glorot(weights[f"tail{k}.p"], generator)
            uniform(weights[f"tail{k}.w"], generator, width**-0.5)
            weights[f"tail{k}.b"][...] = np.log(part / part.sum())
        head = np.concatenate((ranked[:first], masses))
        weights["head.b"][...] = np.log(head / head.sum())

    def _places(self, targets: Array) -> tuple[Array, Array, Array]:
        """Of each target its rank, its row of the head, and its cluster (0 for none)."""
        ranks = self._ranks[targets]
        clusters = self._cluster[np.maximum(ranks, 0)]
        rows = np.where(clusters > 0, self._edges[0] + clusters - 1, np.maximum(ranks, 0))
        return ranks, rows, clusters

    def train(
        self,
        weights: Weights,
        h: Array,
        targets: Targets,
        gradients: Gradients,
        generator: np.random.Generator,
    ) -> tuple[Array, Array]:
        """See `Softmax.train`. No label smoothing."""
        if not targets.hard:
            raise UsageError(
                "an adaptive softmax has neither label smoothing nor a teacher", "the full softmax"
            )
        ranks, rows, clusters = self._places(targets.ids)
        scales = targets.scales_as(h.dtype)
        losses, dh = self._head.train(
            *(weights["head.w"], weights["head.b"], h, Targets(rows, scales)),
            *(gradients, ("head.w", "head.b")),
        )
        for k, tail in enumerate(self._tails):
            here = np.flatnonzero(clusters == k + 1)
            if not len(here):
                continue
            p, w, b = (f"tail{k}.{name}" for name in "pwb")
            columns = h[:, here]
            mine = Targets(ranks[here] - self._edges[k], scales[here])
            part, dpart = tail.train(
                *(weights[w], weights[b], weights[p] @ columns, mine, gradients, (w, b))
            )
            losses[here] += part
            gradients.product(p, dpart, columns.T)
            dh[:, here] += weights[p].T @ dpart
        return losses, dh

    def log_prob(self, weights: Weights, h: Array, targets: Array) -> Array:
        ranks, rows, clusters = self._places(targets)
        result = self._head.log_prob(weights["head.w"], weights["head.b"], h, rows)
        for k, tail in enumerate(self._tails):
            here = np.flatnonzero(clusters == k + 1)
            w, b = weights[f"tail{k}.w"], weights[f"tail{k}.b"]
            shorter = weights[f"tail{k}.p"] @ h[:, here]
            result[here] += tail.log_prob(w, b, shorter, ranks[here] - self._edges[k])
        result[targets == BOS] = -np.inf
        return result

    def log_probs(self, weights: Weights, h: Array) -> Array:
        head = self._head.log_probs(weights["head.w"], weights["head.b"], h)
        result = np.full((h.shape[1], self.vocabulary), -np.inf, h.dtype)
        first = self._edges[0]
        result[:, self._order[:first]] = head[:, :first]
        for k, tail in enumerate(self._tails):
            tokens = self._order[self._edges[k] : self._edges[k + 1]]
            shorter = weights[f"tail{k}.p"] @ h
            part = tail.log_probs(weights[f"tail{k}.w"], weights[f"tail{k}.b"], shorter)
            result[:, tokens] = part + head[:, first + k, None]
        return result

"""Merging n-gram models that are mixed with fixed weights into one n-gram model.

The merged model lists every n-gram that one of the models lists, with the probability that the
mixture gives it, each model backing off where it does not list it; the backoff weights are
computed anew, so that every distribution sums to one. That is what SRILM does with ``-mix-lm``
(Stolcke 2002, "SRILM: an extensible language modeling toolkit"). Of what is not listed the mixture
knows more: there the merged model is an approximation.

``R`` is the number of n-grams of a block.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UnsupportedError
from lmkit.model import BOS, UNK, Encoder
from lmkit.ngram.assembly import assemble, log_probs_of_ngrams, ngram_ids
from lmkit.ngram.backing import Backing
from lmkit.ngram.building import Progress
from lmkit.ngram.model import NgramModel
from lmkit.ngram.trie import BLOCK_ROWS, Trie
from lmkit.store.columns import MemoryColumn

Floats = NDArray[np.float64]

NOTHING_LEFT = 1e-10
"""Where less mass than this is below on the tokens that a context does not list, there is none."""
LEAST_LEFT = 1e-9
"""Less than this is never left to them: the sums are not exact enough to say so."""


@dataclass(frozen=True, slots=True)
class Share:
    """``model`` with its ``weight``. ``into`` [V]: its id of each token of the merged model, that
    of ``<unk>`` for those it lacks, which share its probability; None: the ids are the same."""

    model: NgramModel
    weight: float
    into: NDArray[np.int32] | None = None


def merge_mixture(
    shares: Sequence[Share], encoder: Encoder, progress: Progress | None = None
) -> NgramModel:
    """One n-gram model for the mixture of ``shares``, which reads text with ``encoder``.

    Raises `UnsupportedError` for a model whose probabilities are no n-grams' with backoff weights.
    """
    for share in shares:
        _require_backoff_form(share.model)
    shares = [share for share in shares if share.weight > 0]
    order = max(share.model.order for share in shares)
    size = len(encoder.vocabulary)
    tables = [
        np.concatenate([_ngrams(share, n) for share in shares if share.model.order >= n])
        for n in range(2, order + 1)
    ]
    trie = assemble(size, tables, insert_suffixes=False).trie
    del tables
    for n in range(1, order + 1):
        if progress is not None:
            progress("merging", n - 1, 2 * order - 1)
        log_prob = np.empty(trie[n].size, np.float32)
        for rows, ids in _blocks(trie, n):
            log_prob[rows] = _mixed(shares, ids)
        if n == 1:
            log_prob[BOS] = -np.inf
        trie[n].log_prob = MemoryColumn(log_prob)
    _reweigh(trie, progress)
    weights = [share.weight for share in shares]
    facts = {
        "smoothing": {
            "name": "merged mixture",
            "parameters": {"form": "backoff", "weights": weights},
            "notes": [],
        },
        "normalised": True,
        "pruned": None,
        "unit": encoder.unit,
        "text": encoder.settings.as_dict(tables=False),
    }
    return NgramModel(trie, encoder, facts, [])


def _require_backoff_form(model: NgramModel) -> None:
    if model.form not in ("backoff", "interpolated") or not model.normalised:
        raise UnsupportedError(
            f"{model.facts['smoothing']['name']} smoothing does not back off to shorter contexts, "
            "so the mixture cannot become one n-gram model",
            "leaving out --merge: the mixture scores and generates as it is",
        )


def _ngrams(share: Share, order: int) -> NDArray[np.int32]:
    """The n-grams of ``order`` in the ids of the merged model: [M, order]."""
    trie = share.model.trie
    ids = ngram_ids(trie, order, np.arange(trie[order].size))
    if share.into is None:
        return ids
    back = np.empty(share.model.trie[1].size, np.int32)
    back[share.into] = np.arange(len(share.into), dtype=back.dtype)
    back[UNK] = UNK
    return back[ids]


def _blocks(trie: Trie, order: int) -> Iterator[tuple[slice, NDArray[np.int32]]]:
    for start in range(0, trie[order].size, BLOCK_ROWS):
        rows = slice(start, min(start + BLOCK_ROWS, trie[order].size))
        yield rows, ngram_ids(trie, order, np.arange(rows.start, rows.stop))


def _mixed(shares: Sequence[Share], ids: NDArray[np.int32]) -> Floats:
    """log p of the last token of each n-gram ``ids`` [R, n] after the others, in the mixture."""
    total = np.full(len(ids), -np.inf)
    for share in shares:
        own = ids if share.into is None else share.into[ids]
        found = log_probs_of_ngrams(share.model.trie, own[:, -share.model.order :])
        if share.into is not None:
            found[own[:, -1] == UNK] -= np.log((share.into == UNK).sum())
        np.logaddexp(total, np.log(share.weight) + found, out=total)
    return total


def _reweigh(trie: Trie, progress: Progress | None) -> None:
    """Give every context the backoff weight with which its distribution sums to one."""
    backing = Backing(trie)
    for order in range(2, trie.order + 1):
        if progress is not None:
            progress("merging", trie.order + order - 2, 2 * trie.order - 1)
        contexts = trie[order - 1]
        log_backoff, totals = np.zeros(contexts.size, np.float32), np.empty(contexts.size)
        contexts.log_backoff = MemoryColumn(log_backoff)
        for block in backing.blocks(order):
            listed = block.sum(np.exp(block.log_prob))
            left = np.maximum(1.0 - listed, LEAST_LEFT)
            with np.errstate(divide="ignore"):
                weights = np.log(left / block.below)
            weights[block.below < NOTHING_LEFT] = -np.inf
            weights[block.sizes == 0] = 0.0
            log_backoff[block.contexts] = weights
            stored = np.exp(log_backoff[block.contexts].astype(np.float64))
            totals[block.contexts] = listed + stored * block.below
        backing.totals.append(totals)
    if progress is not None:
        progress("merging", 2 * trie.order - 1, 2 * trie.order - 1)

"""Learning the pieces of a unigram language model (Kudo 2018, section 3.2).

The text is given as its distinct parts that no piece reaches across (words, mostly) and how often
each stands there. Learning starts with many substrings of those and repeats two steps, until as
many are left as are wanted: probabilities by EM over all segmentations, and dropping the pieces
without which the text loses least likelihood. Single characters are never dropped.

What a token is expected to stand for is counted as if every single token, a character or a byte,
stood in the text once more than it does. So each has a probability, and EM stays exact.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.text.subwords.lattice import Floats, Ints, Lattice, Nodes
from lmkit.text.subwords.trie import RADIX, Trie
from lmkit.text.subwords.unigram_text import RESERVED, bytes_of, may_be_in_pieces, symbols_of

LONGEST = 16
"""Most characters of a piece, as in sentencepiece."""
COVERAGE = 0.9995
"""The share of the characters of a text that can stand in pieces, as in sentencepiece."""
SEEDS = 12
"""So many times the pieces wanted are there to begin with. More of them, or fewer, gave the novels
a lower likelihood (4 to 60 were tried)."""
SHRINK = 0.9
"""What is left of the pieces after each round. 0.75, as in sentencepiece, takes half the time and
costs 0.15 % of the novels' log-likelihood."""
STEPS = 2
"""Steps of EM in each round, as in sentencepiece; twice that after the last."""
RAREST = 0.5
"""Pieces that are expected less often than this are dropped first."""
LONGEST_PART = 256
MOST_SYMBOLS = 2_000_000
"""Longer parts of a text are cut for learning, and of more than so many symbols in distinct parts
the rarest are left out."""


@dataclass(frozen=True)
class Learnt:
    """Pieces, the likeliest first, and natural log-probabilities. Those of all tokens (pieces,
    bytes, ``others``) sum to one."""

    pieces: tuple[str, ...]
    log_probs: Floats
    byte_log_probs: Floats
    other_log_probs: Floats


@dataclass(frozen=True)
class Candidates:
    """Pieces under work, by length and then by code points."""

    spelling: NDArray[np.int32]
    """The code points of each [P, LONGEST], -1 behind the end."""
    lengths: Ints

    def __len__(self) -> int:
        return len(self.lengths)

    def texts(self) -> list[str]:
        """Each piece [P]."""
        rows = zip(self.spelling.tolist(), self.lengths.tolist(), strict=True)
        return ["".join(map(chr, row[:length])) for row, length in rows]

    def of(self, which: Ints) -> Candidates:
        """Those of the numbers ``which`` [n]."""
        return Candidates(self.spelling[which], self.lengths[which])


class ExpectationMaximization:
    """Probabilities of pieces, made better step by step.

    ``mass`` [R] is how often each row of the lattice stands in the text; ``fixed`` [F] how often
    tokens do that are in no piece, whatever the probabilities.
    """

    def __init__(self, lattice: Lattice, mass: Floats, fixed: Floats, counts: Floats) -> None:
        self.lattice = lattice
        self.mass = mass
        self.fixed = fixed
        self.counts = counts
        """How often each piece is expected [P]: probabilities, but for what they sum to."""

    @property
    def total(self) -> float:
        """How many tokens are expected."""
        return float(self.counts.sum() + self.fixed.sum())

    def step(self) -> float:
        """Expect counts over all segmentations, and make them the new probabilities. Returns the
        log-likelihood of the text by the old ones."""
        log_probs = np.log(self.counts / self.total)
        rows, weights = self.lattice.forward(log_probs[self.lattice.piece])
        fixed = self.fixed[self.fixed > 0]
        likelihood = float(rows @ self.mass + fixed @ np.log(fixed / self.total))
        expected = self.lattice.posteriors(weights, self.mass)
        counts = np.bincount(self.lattice.piece, expected, len(log_probs))
        self.counts = np.maximum(counts, 1e-100)  # a piece that underflows is not log 0
        return likelihood

    def keep(self, which: Ints) -> None:
        """Drop all pieces but the numbers ``which`` [n], in order."""
        new = np.full(len(self.counts), -1, np.int64)
        new[which] = np.arange(len(which))
        self.lattice = self.lattice.only(new)
        self.counts = self.counts[which]


def learn_unigram(
    parts: Sequence[bytes],
    counts: Sequence[int] | NDArray[np.integer],
    size: int,
    *,
    coverage: float = COVERAGE,
    others: Sequence[int] = (),
    reserved: Collection[str] = (),
    progress: Callable[[int, int], Any] | None = None,
) -> Learnt:
    """``size`` pieces for a text of these distinct ``parts`` [n], each of which stands in it
    ``counts`` [n] times. There are fewer if the text has fewer substrings that come twice.

    ``coverage`` is the share of all characters that are pieces themselves; the others are spelt in
    bytes. ``others`` are how often further tokens stand in the text, which share in the
    probability. No piece is one of ``reserved``. ``progress`` is called after each round with the
    number of rounds done, and of all. Of pieces whose loss is the same, the shorter stays, and of
    those the first in the order of code points.
    """
    parts, kept = _within(parts, np.asarray(counts, np.float64))
    forbidden = RESERVED.union(reserved)
    alphabet, symbols, lengths, mass, bytes_seen = _known_text(
        parts, kept, coverage, size, forbidden
    )
    fixed = np.concatenate([bytes_seen, np.asarray(others, np.float64)])
    if not len(alphabet):
        log_probs = np.log(fixed / fixed.sum())
        return Learnt((), np.zeros(0), log_probs[:256], log_probs[256:])
    nodes = Nodes(symbols, lengths)
    candidates, seen, lattice = seeds(nodes, mass[nodes.order], max(size, 1) * SEEDS, forbidden)
    em = ExpectationMaximization(lattice, mass[nodes.order], fixed, seen)
    done = 0
    while True:
        for _ in range(STEPS):
            em.step()
        done += 1
        if progress is not None:
            excess = len(candidates) / max(size, 1)
            progress(done, done + max(0, math.ceil(math.log(excess) / -math.log(SHRINK))))
        if len(candidates) <= size:
            break
        which = _worth_keeping(candidates, em.counts / em.total, em.total, size)
        em.keep(which)
        candidates = candidates.of(which)
    for _ in range(STEPS):
        em.step()
    order = np.argsort(-em.counts, kind="stable")
    texts = candidates.of(order).texts()
    log_fixed = np.log(fixed / em.total)
    return Learnt(
        tuple(texts), np.log(em.counts[order] / em.total), log_fixed[:256], log_fixed[256:]
    )


def _within(parts: Sequence[bytes], counts: Floats) -> tuple[Sequence[bytes], Floats]:
    """The most frequent of ``parts`` that have `MOST_SYMBOLS` bytes; those that are equally
    frequent in an order that has nothing to do with what they are."""
    sizes = np.fromiter(map(len, parts), np.int64, len(parts))
    if sizes.sum() <= MOST_SYMBOLS:
        return parts, counts
    mixed = np.fromiter(map(zlib.crc32, parts), np.int64, len(parts))
    order = np.lexsort((mixed, -counts))
    order = np.sort(order[: int(np.searchsorted(np.cumsum(sizes[order]), MOST_SYMBOLS)) + 1])
    return [parts[number] for number in order.tolist()], counts[order]


def _known_text(
    parts: Sequence[bytes],
    counts: Floats,
    coverage: float,
    most: int,
    forbidden: Collection[str],
) -> tuple[Ints, Ints, Ints, Floats, Floats]:
    """The alphabet, sorted [A]; the sequences of its symbols that the text is made of,
    concatenated, the length and the frequency of each; and how often each byte stands between
    them [256]. Each symbol of the alphabet, and each byte, counts once more."""
    symbols, lengths = symbols_of(parts)
    weights = np.repeat(counts, lengths)
    distinct, which = np.unique(symbols, return_inverse=True)
    frequency = np.bincount(which, weights, len(distinct))
    able = np.flatnonzero(may_be_in_pieces(distinct, forbidden))
    able = able[np.argsort(-frequency[able], kind="stable")]
    covered = np.cumsum(frequency[able])
    enough = int(np.searchsorted(covered, coverage * covered[-1])) + 1 if len(able) else 0
    chosen = np.zeros(len(distinct), np.bool_)
    chosen[able[: min(enough, most)]] = True
    bytes_seen = np.ones(256)
    for symbol, times in zip(distinct[~chosen].tolist(), frequency[~chosen].tolist(), strict=True):
        for byte in bytes_of(symbol):
            bytes_seen[byte] += times
    known = chosen[which]
    cut = np.zeros(len(symbols) + 1, np.bool_)
    cut[0] = True
    cut[np.cumsum(lengths)] = True
    cut[:-1] |= ~known
    cut[1:] |= ~known
    begins = np.flatnonzero(cut)
    since = np.arange(len(symbols)) - np.repeat(begins[:-1], np.diff(begins))
    cut[:-1] |= since % LONGEST_PART == 0
    begins = np.flatnonzero(cut)
    first, lengths = begins[:-1], np.diff(begins)
    of_known = known[first]
    alphabet = distinct[chosen]
    return (
        alphabet,
        np.concatenate([symbols[known], alphabet]),
        np.concatenate([lengths[of_known], np.ones(len(alphabet), np.int64)]),
        np.concatenate([weights[first[of_known]], np.ones(len(alphabet))]),
        bytes_seen,
    )


def seeds(
    nodes: Nodes, mass: Floats, most: int, forbidden: Collection[str] = RESERVED
) -> tuple[Candidates, Floats, Lattice]:
    """The ``most`` substrings with which learning begins, how often each stands in the text, and
    the lattice of them.

    They are all single characters, and of the substrings that come twice or more those of the
    highest count times length (of equals the shorter, then the first by code points). Substrings
    of one length are numbered by those one shorter: what comes once is not looked at again.
    """
    source = np.flatnonzero(nodes.symbols >= 0)
    target, state = source, np.zeros(len(source), np.int64)
    found: list[tuple[NDArray[np.int32], NDArray[np.int32]]] = []
    counted: list[Floats] = []
    begun: list[Ints] = []
    for length in range(1, LONGEST + 1):
        keys, where, which = np.unique(
            state * RADIX + nodes.symbols[target], return_index=True, return_inverse=True
        )
        count = np.bincount(which, mass[nodes.row[source]], len(keys)).astype(np.float64)
        often = count >= (1 if length == 1 else 2)
        counted.append(count[often])
        begun.append(source[where[often]])
        going = often[which]
        source, state = source[going], (np.cumsum(often) - 1)[which[going]]
        found.append((source.astype(np.int32), state.astype(np.int32)))
        target = nodes.after(source, length)
        on = nodes.symbols[target] >= 0
        source, target, state = source[on], target[on], state[on]
    lengths = np.repeat(np.arange(1, LONGEST + 1), list(map(len, counted)))
    counts: Floats = np.concatenate(counted)
    begins = np.concatenate(begun)
    worth = np.where(lengths == 1, np.inf, counts * lengths)
    chosen = np.argsort(-worth, kind="stable")[: most + len(forbidden)]
    texts = _read(nodes, begins[chosen], lengths[chosen]).texts()
    allowed = np.array([text not in forbidden for text in texts], np.bool_)
    chosen = np.sort(chosen[allowed][:most])
    new = np.full(len(counts), -1, np.int32)
    new[chosen] = np.arange(len(chosen))
    return (
        _read(nodes, begins[chosen], lengths[chosen]),
        counts[chosen],
        Lattice.of(nodes, _places(nodes, found, np.split(new, np.cumsum([*map(len, counted)])))),
    )


def _places(
    nodes: Nodes,
    found: Sequence[tuple[NDArray[np.int32], NDArray[np.int32]]],
    new: Sequence[NDArray[np.int32]],
) -> Iterator[tuple[Ints, Ints, Ints]]:
    """(sources, targets, pieces) where those substrings stand that have a number in ``new``."""
    for length, ((source, state), numbers) in enumerate(zip(found, new[:LONGEST], strict=True), 1):
        piece = numbers[state]
        kept = piece >= 0
        at = source[kept].astype(np.int64)
        yield at, nodes.after(at, length), piece[kept].astype(np.int64)


def _read(nodes: Nodes, begins: Ints, lengths: Ints) -> Candidates:
    """The substrings that begin at the nodes ``begins`` [n] and have these ``lengths`` [n]."""
    spelling = np.full((len(begins), LONGEST), -1, np.int32)
    for place in range(LONGEST):
        on = lengths > place
        spelling[on, place] = nodes.symbols[nodes.after(begins[on], place)]
    return Candidates(spelling, lengths)


def _worth_keeping(candidates: Candidates, probs: Floats, total: float, size: int) -> Ints:
    """The numbers of the candidates that stay for another round, in order: `SHRINK` of them, fewer
    if the others are hardly expected, but not fewer than ``size``."""
    loss = _losses(candidates, probs)
    most = min(int(SHRINK * len(probs)), int(np.count_nonzero(probs * total >= RAREST)))
    return np.sort(np.argsort(-loss, kind="stable")[: max(size, most)])


def _losses(candidates: Candidates, probs: Floats) -> Floats:
    """How much log-likelihood a token of the text loses without each candidate [P].

    Without it, its occurrences fall to the pieces of its best other segmentation, which get more
    probable by that. Infinite for single characters.
    """
    losses = np.full(len(probs), np.inf)
    many = np.flatnonzero(candidates.lengths > 1)
    if not len(many):
        return losses
    texts = candidates.spelling[many]
    nodes = Nodes(texts[texts >= 0], candidates.lengths[many])
    trie = Trie(candidates.spelling, candidates.lengths)
    lattice = Lattice.of(nodes, trie.matches(nodes))
    scores = np.log(probs)[lattice.piece]
    # The longest edge into the last node is the candidate itself.
    scores[lattice.starts[nodes.ends + 1] - 1] = -np.inf
    _, chosen = lattice.best(scores)
    others, counts = lattice.trace(np.arange(len(many)), lambda at: chosen[at])
    number = many[nodes.order]
    own = probs[number]
    taken = np.log(probs[others] + np.repeat(own, counts))
    instead = np.add.reduceat(taken, np.cumsum(counts) - counts)
    instead -= counts * np.log1p(own * (counts - 1))
    losses[number] = own * (np.log(own) - instead)
    return losses

"""From lines and readings to one lattice of a batch of sentences.

``O`` is the number of typed tokens of the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmkit.channel.base import ErrorModel
from lmkit.channel.candidates.folding import LONGEST
from lmkit.channel.candidates.lexicon import Lexicon
from lmkit.channel.decoding.lattice import CHANGED, FIXED, KEPT, STEP, Arcs, Lattice
from lmkit.channel.decoding.readings import LIKELY_PART, Readings
from lmkit.channel.decoding.surface import HYPHENS, Line, Surface
from lmkit.channel.groups import stretches
from lmkit.channel.weights import Weights
from lmkit.model import EOS, UNK
from lmkit.text.growing import GrowingArray

LONGEST_SENTENCE = 150
"""Longer lines are searched in pieces of at most so many tokens."""
FIRST_WORD, FIRST_DOUBTFUL, FIRST_KNOWN = 0.5, 0.35, 0.15
"""A capital that begins a sentence says so much less of a name than one within it, where the word
is unknown or rare, where it is rare and like an error, and where it is another of the lexicon."""
JOINED_TO_NAME = 0.25
"""What a part of a word in small letters has of a name's price, behind a capitalised part and a
hyphen: Young-jin. A word that begins a sentence is only a name where it is a rare one."""
TO_NAME = 0.5
"""The part of a name's price that is paid where another name was meant."""
_INSIDE = HYPHENS | {",", "(", "&"}
"""Behind these, as behind a word, a capital is no beginning of a sentence."""
_ENDS = frozenset((".", "!", "?", ";", ":", "...", "…"))


@dataclass(frozen=True, slots=True)
class Piece:
    """Tokens ``begin`` to ``end`` of line ``line`` of the batch: what is searched as a sentence."""

    line: int
    begin: int
    end: int


def pieces_of(line: Line, number: int, surface: Surface) -> list[Piece]:
    """``line`` in pieces of bounded length, cut behind the last end of a sentence that fits."""
    pieces, begin, count = [], 0, len(line.tokens)
    while count - begin > LONGEST_SENTENCE:
        end = begin + LONGEST_SENTENCE
        for place in range(end, begin + LONGEST_SENTENCE // 3, -1):
            if surface.tokens[line.tokens[place - 1]].text in _ENDS:
                end = place
                break
        pieces.append(Piece(number, begin, end))
        begin = end
    pieces.append(Piece(number, begin, count))
    return pieces


@dataclass(frozen=True, slots=True)
class Typed:
    """The typed tokens of a batch, all [O]: the ``number`` of each, whether it is ``open`` to
    correction, its ``node``, whether white space stands before it (``gap``), whether it is
    ``inside`` a sentence, not its first word, and whether it is ``joined`` to a name by a
    hyphen."""

    number: NDArray[np.int64]
    open: NDArray[np.bool_]
    node: NDArray[np.int64]
    gap: NDArray[np.bool_]
    inside: NDArray[np.bool_]
    joined: NDArray[np.bool_]


class LatticeBuilder:
    """Builds lattices of text that ``surface`` has cut, with ``readings`` of its tokens."""

    def __init__(
        self, surface: Surface, readings: Readings, weights: Weights, all_pay: bool = False
    ) -> None:
        """``all_pay``: what is kept costs log p(x | x) of the channel, its edits with it, also
        where it cannot be corrected: so that the probability of a text is one."""
        self._all_pay = all_pay
        self._of_kept = GrowingArray(np.float64)
        self._surface = surface
        self._readings = readings
        self._weights = weights
        self._lexicon: Lexicon = readings.lexicon
        self._channel: ErrorModel = readings.channel
        self._merges: dict[str, tuple[int, float]] = {}

    def learn(self) -> None:
        """Find the readings of all tokens that the surface has met."""
        new = self._surface.tokens[len(self._readings) :]
        if new:
            self._readings.learn(new)

    def build(self, lines: Sequence[Line], pieces: Sequence[Piece]) -> Lattice:
        """The lattice of ``pieces``; arc by arc ``typed`` is an index into their tokens, all
        behind each other."""
        self.learn()
        counts = np.array([piece.end - piece.begin for piece in pieces], np.int64)
        base = np.cumsum(counts + 2) - (counts + 2)
        typed = self._typed(lines, pieces, base, counts)
        time = stretches(np.zeros(len(pieces), np.int64), counts + 2) * STEP
        parts = [self._single(typed), self._closing(base, counts, len(typed.number))]
        split, inner = self._split(typed, time)
        parts += [split, self._merged(lines, pieces, typed)]
        return Lattice.of(
            np.concatenate((time, inner)), base, base + counts + 1, Arcs.joined(parts)
        )

    def _typed(
        self,
        lines: Sequence[Line],
        pieces: Sequence[Piece],
        base: NDArray[np.int64],
        counts: NDArray[np.int64],
    ) -> Typed:
        numbers: list[int] = []
        opened: list[bool] = []
        gaps: list[bool] = []
        inside: list[bool] = []
        joined: list[bool] = []
        familiar = self._readings.familiar.values
        tokens = self._surface.tokens
        for piece in pieces:
            line = lines[piece.line]
            numbers += line.tokens[piece.begin : piece.end]
            opened += line.open[piece.begin : piece.end]
            behind = -1
            within = named = linked = False
            for place in range(piece.begin, piece.end):
                offset, token = line.offsets[place], tokens[line.tokens[place]]
                text = token.text
                gaps.append(offset != behind and behind >= 0)
                inside.append(within)
                joined.append(linked and offset == behind)
                linked = named and offset == behind and text in HYPHENS
                capital = token.pattern == 1
                named = joined[-1] or (capital and (inside[-1] or not familiar[line.tokens[place]]))
                behind = offset + len(text)
                within = text[-1].isalnum() or text in _INSIDE
        return Typed(
            np.array(numbers, np.int64),
            np.array(opened, bool),
            stretches(base, counts),
            np.array(gaps, bool),
            np.array(inside, bool),
            np.array(joined, bool),
        )

    def _single(self, typed: Typed) -> Arcs:
        """Each token as itself, and as one other word."""
        readings, weights = self._readings, self._weights
        starts = readings.starts.values
        first = starts[typed.number]
        sizes = np.where(typed.open, starts[typed.number + 1] - first, 1)
        reading = stretches(first, sizes)
        owner = np.repeat(np.arange(len(first)), sizes)
        kind = readings.kind.values[reading]
        kind[~typed.open[owner]] = FIXED
        label = readings.label.values[reading]
        cost = np.zeros(len(reading))
        cost[kind == KEPT] = np.log(weights.keep)
        if self._all_pay:
            as_typed = np.flatnonzero(label < 0)
            cost[as_typed] = self._kept_costs()[typed.number[owner[as_typed]]]
        else:
            cost += np.where(kind == KEPT, readings.log_channel.values[reading], 0.0)
        changed = np.flatnonzero(kind == CHANGED)
        cost[changed] = (
            weights.log_change + weights.channel * readings.log_channel.values[reading[changed]]
        )
        cost[changed] -= (
            weights.name
            * self._like_a_name(typed)[owner[changed]]
            * np.where(self._lexicon.capitals[label[changed]], TO_NAME, 1.0)
        )
        cost += weights.source * readings.log_adapted.values[reading]
        cost += np.where(typed.gap[owner], self._channel.log_space, 0.0)
        source = typed.node[owner]
        return Arcs(
            source,
            source + 1,
            readings.token.values[reading],
            np.where(
                typed.inside[owner],
                readings.twin_inside.values[reading],
                readings.twin.values[reading],
            ),
            readings.log_unknown.values[reading],
            readings.log_list.values[reading],
            cost,
            kind,
            label,
            owner,
        )

    def _like_a_name(self, typed: Typed) -> NDArray[np.float64]:
        """How much each typed token looks like a name [O]: 1 for a capital within a sentence,
        `FIRST_WORD` and its likes for one at its beginning, `JOINED_TO_NAME`, else 0."""
        readings, number = self._readings, typed.number
        pattern = readings.pattern.values[number]
        first = np.where(readings.doubtful.values[number], FIRST_DOUBTFUL, FIRST_WORD)
        first = np.where(readings.familiar.values[number], FIRST_KNOWN, first)
        like = np.where(typed.inside, 1.0, first)
        joined = JOINED_TO_NAME * (typed.joined & (pattern == 0))
        return np.where(pattern == 1, like, joined)

    def _kept_costs(self) -> NDArray[np.float64]:
        """log p(x | x) of every token that the surface knows."""
        new = [token.text for token in self._surface.tokens[len(self._of_kept) :]]
        if new:
            self._of_kept.extend(self._channel.log_probs(new, new))
        return self._of_kept.values

    def _closing(self, base: NDArray[np.int64], counts: NDArray[np.int64], typed: int) -> Arcs:
        """The end of each sentence."""
        many = len(base)
        zeros = np.zeros(many)
        return Arcs(
            base + counts,
            base + counts + 1,
            np.full(many, EOS, np.int64),
            np.zeros(many, np.int64),
            zeros,
            zeros - np.inf,
            zeros,
            np.full(many, FIXED, np.int8),
            np.full(many, -1, np.int64),
            np.full(many, typed, np.int64),
        )

    def _split(self, typed: Typed, time: NDArray[np.int64]) -> tuple[Arcs, NDArray[np.int64]]:
        """Tokens as two words, and the times of the new nodes between these."""
        readings, weights = self._readings, self._weights
        starts = readings.split_starts.values
        first = starts[typed.number]
        sizes = np.where(typed.open, starts[typed.number + 1] - first, 0)
        reading = stretches(first, sizes)
        owner = np.repeat(np.arange(len(first)), sizes)
        middle = len(time) + np.arange(len(reading))
        node = typed.node[owner]
        cost = weights.log_change + weights.channel * (readings.split_log_channel.values[reading])
        cost -= weights.name * self._like_a_name(typed)[owner]
        cost += np.where(typed.gap[owner], self._channel.log_space, 0.0)
        rows = readings.split_rows.values.reshape(-1, 2)[reading]
        left = self._words(node, middle, rows[:, 0], typed.inside[owner], cost, owner)
        zeros = np.zeros(len(cost))
        right = self._words(middle, node + 1, rows[:, 1], zeros == 0, zeros, owner)
        return Arcs.joined([left, right]), time[node] + 1

    def _words(
        self,
        source: NDArray[np.int64],
        target: NDArray[np.int64],
        rows: NDArray[np.int64],
        inside: NDArray[np.bool_],
        cost: NDArray[np.float64],
        typed: NDArray[np.int64],
    ) -> Arcs:
        """Arcs of the words in ``rows`` of the lexicon, ``inside`` a sentence or first in it."""
        lexicon = self._lexicon
        token = lexicon.token[rows]
        twin = np.where(inside, lexicon.twin_inside[rows], lexicon.twin[rows])
        unknown = np.where(token == UNK, lexicon.log_given_unknown[rows], 0.0)
        kind = np.full(len(rows), CHANGED, np.int8)
        log_list = lexicon.log_list[rows]
        cost = cost + self._weights.source * lexicon.log_adapted[rows]
        return Arcs(source, target, token, twin, unknown, log_list, cost, kind, rows, typed)

    def _merged(self, lines: Sequence[Line], pieces: Sequence[Piece], typed: Typed) -> Arcs:
        """Two tokens as one word."""
        owners: list[int] = []
        joined: list[str] = []
        place = 0
        tokens, rows = self._surface.tokens, self._lexicon.rows
        for piece in pieces:
            line = lines[piece.line]
            for i in range(piece.begin, piece.end - 1):
                if line.open[i] and line.open[i + 1]:
                    left, right = tokens[line.tokens[i]], tokens[line.tokens[i + 1]]
                    behind = line.offsets[i] + len(left.text)
                    if line.offsets[i + 1] == behind + 1 and line.text[behind] == " ":
                        whole = left.folded + right.folded
                        if whole in rows and len(whole) <= LONGEST:
                            owners.append(place + i - piece.begin)
                            joined.append(f"{left.folded} {right.folded}")
            place += piece.end - piece.begin
        found = self._merges_of(joined)
        row = np.array([r for r, _ in found], np.int64)
        log_channel = np.array([p for _, p in found], float)
        owner = np.array(owners, np.int64)
        likely = np.flatnonzero(self._lexicon.log_prior[row] > LIKELY_PART)
        row, log_channel, owner = row[likely], log_channel[likely], owner[likely]
        cost = self._weights.log_change + self._weights.channel * log_channel
        cost += np.where(typed.gap[owner], self._channel.log_space, 0.0)
        node = typed.node[owner]
        return self._words(node, node + 2, row, typed.inside[owner], cost, owner)

    def _merges_of(self, joined: list[str]) -> list[tuple[int, float]]:
        """The lexicon's row of each of ``joined`` words with its space left out, and the channel's
        log-probability of the space."""
        new = [pair for pair in dict.fromkeys(joined) if pair not in self._merges]
        if new:
            words = [pair.replace(" ", "") for pair in new]
            scores = self._channel.log_probs(new, words) - np.log1p(-self._channel.keep)
            for pair, word, score in zip(new, words, scores.tolist(), strict=True):
                self._merges[pair] = self._lexicon.rows[word], score
        return [self._merges[pair] for pair in joined]

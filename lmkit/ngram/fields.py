"""Lines of fields between white space, all at a time and without an object a field: where each
field is, hashes of words, and numbers.

NUL, tab and space separate fields, as KenLM has it; a vertical tab or a form feed is part of
one. ``L`` is the number of lines with anything on them, ``F`` of fields asked about.

Eight bytes of text are one 64-bit integer here. Eight digits become their value in three
multiplications (the "SIMD within a register" of Lamport 1975, "Multiple byte processing with
full-word instructions").
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

PADDING = 16
"""Spaces around the text: eight bytes at any field's begin or before its end can be read."""

_KEEP_LOW = np.array([(1 << 8 * size) - 1 for size in range(9)], np.uint64)
"""Masks of the first 0 to 8 of the bytes in an integer."""
_MIX = np.uint64(0x9E3779B97F4A7C15)
_SLOT_BITS = 22
"""So many bits of slots, 48 MB of them, are not too much."""
_LONG = 64
"""Longer words are hashed one by one."""

_BYTE, _SECOND_BYTE = np.uint64(0xFF), np.uint64(0xFF00)
_ZEROS = np.uint64(0x3030303030303030)
_NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|-inf(inity)?", re.IGNORECASE)
_MOST_DECIMALS = 16
_POWERS = 10.0 ** np.arange(_MOST_DECIMALS + 1)


class BadFieldError(ValueError):
    """A field that is not what it should be; ``row`` is its place among the lines."""

    def __init__(self, row: int) -> None:
        super().__init__(row)
        self.row = row


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of ``L`` lines of one size: ``begins`` and ``lengths`` [L, size], and the
    numbers of the ``lines`` [L]. ``text`` is what they are part of."""

    text: bytes
    begins: NDArray[np.int64]
    lengths: NDArray[np.int64]
    lines: NDArray[np.int64]

    def chosen(self, rows: NDArray[Any]) -> Fields:
        """The fields of the lines in ``rows`` only."""
        return Fields(self.text, self.begins[rows], self.lengths[rows], self.lines[rows])

    def has_tab_before(self, columns: slice) -> NDArray[np.bool_]:
        """Whether a tab stands next before one of the fields in ``columns``: [L]."""
        before = np.frombuffer(self.text, np.uint8)[self.begins[:, columns] - 1]
        found: NDArray[np.bool_] = (before == ord("\t")).any(axis=1)
        return found

    def field(self, row: int, column: int) -> bytes:
        """One field."""
        begin = int(self.begins[row, column])
        return self.text[begin : begin + int(self.lengths[row, column])]

    def words(self, column: int) -> list[bytes]:
        """The fields of one column."""
        begins = self.begins[:, column].tolist()
        ends = (self.begins[:, column] + self.lengths[:, column]).tolist()
        return [self.text[begin:end] for begin, end in zip(begins, ends, strict=True)]

    def hashes(self, columns: slice) -> NDArray[np.uint64]:
        """Hashes of the fields in ``columns``: [L, columns]. Different fields of up to eight
        bytes have different hashes; longer ones have with a probability of 1 - 2^-64."""
        begins = self.begins[:, columns].ravel()
        lengths = self.lengths[:, columns].ravel()
        heads = _heads(_eights(self.text), begins, lengths)
        return self._hashes(heads, begins, lengths).reshape(len(self.lines), -1)

    def _hashes(
        self,
        heads: NDArray[np.uint64],
        begins: NDArray[np.int64],
        lengths: NDArray[np.int64],
    ) -> NDArray[np.uint64]:
        """Hashes of fields that begin with ``heads``."""
        eights = _eights(self.text)
        hashes = _mixed(heads)
        longer = np.flatnonzero(lengths > 8)
        longest = int(lengths.max(initial=0))
        for done in range(8, min(longest, _LONG), 8):
            more = eights[begins[longer] + done]
            more &= _KEEP_LOW[np.minimum(lengths[longer] - done, 8)]
            hashes[longer] = _mixed(_mixed(more) + hashes[longer])
            longer = longer[lengths[longer] > done + 8]
        if longest > _LONG:
            for place in np.flatnonzero(lengths > _LONG).tolist():
                begin = int(begins[place])
                word = self.text[begin : begin + int(lengths[place])]
                hashes[place] = int.from_bytes(blake2b(word, digest_size=8).digest(), "little")
        return hashes

    def ids(self, table: WordTable, columns: range) -> NDArray[np.int32]:
        """The ids that ``table`` has for the words in ``columns``: [L, columns], -1 where none.

        Files repeat a word in many lines one after the other, as they are sorted by context or
        by the last word: only where a column changes is the word looked for.
        """
        eights = _eights(self.text)
        ids = np.empty((len(columns), len(self.lines)), np.int32)
        changed = np.ones(len(self.lines), bool)
        for column, row in zip(columns, ids, strict=True):
            begins, lengths = self.begins[:, column], self.lengths[:, column]
            heads = _heads(eights, begins, lengths)
            np.not_equal(heads[1:], heads[:-1], out=changed[1:])
            changed[1:] |= np.maximum(lengths[1:], lengths[:-1]) > 8
            at = np.flatnonzero(changed)
            if len(at) * 4 > len(changed) * 3:
                row[:] = table.ids_of(self._hashes(heads, begins, lengths))
            else:
                few = table.ids_of(self._hashes(heads[at], begins[at], lengths[at]))
                row[:] = np.repeat(few, np.diff(at, append=len(changed)))
        return ids.T

    def numbers(self, column: int) -> NDArray[np.float64]:
        """The decimal numbers (and ``-inf``) that the fields of ``column`` are: [L].

        Raises `BadFieldError` for the first that is none.
        """
        begins, lengths = self.begins[:, column], self.lengths[:, column]
        eights = _eights(self.text)
        heads = eights[begins]
        negative = (heads & _BYTE) == ord("-")
        heads >>= negative * np.uint64(8)
        decimals = lengths - negative - 2
        # Nearly all are one digit, a point and digits behind it, or one digit.
        whole = (heads & _BYTE) ^ np.uint64(ord("0"))
        ends = begins + lengths
        low, usual = _digits(eights, ends, np.minimum(decimals, 8))
        fraction = low.astype(np.float64)
        if decimals.max(initial=0) > 8:
            high, good = _digits(eights, ends - 8, decimals - 8)
            fraction += high.astype(np.float64) * 1e8
            usual &= good
        usual &= ((heads & _SECOND_BYTE) == ord(".") << 8) & (decimals > 0) | (decimals == -1)
        usual &= whole <= 9
        values = whole + fraction / _POWERS[np.clip(decimals, 0, _MOST_DECIMALS)]
        np.negative(values, where=negative, out=values)
        odd = np.flatnonzero(~usual)
        if len(odd):
            values[odd] = self._other_numbers(column, odd)
        return values

    def _other_numbers(self, column: int, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """`numbers` of the lines ``rows``, whatever their form is."""
        begins, lengths = self.begins[rows, column], self.lengths[rows, column]
        ends = begins + lengths
        codes, eights = np.frombuffer(self.text, np.uint8), _eights(self.text)
        negative = codes[begins] == ord("-")
        begins = begins + negative
        points = ends
        for digits in (3, 2, 1):
            points = np.where(codes[begins + digits] == ord("."), begins + digits, points)
        points = np.minimum(points, ends)
        decimals = np.maximum(ends - points - 1, 0)
        whole, good = _digits(eights, points, points - begins)
        low, good_low = _digits(eights, ends, np.minimum(decimals, 8))
        high, good_high = _digits(eights, ends - 8, np.maximum(decimals - 8, 0))
        good &= good_low & good_high & (points > begins) & (decimals <= _MOST_DECIMALS)
        fraction = high.astype(np.float64) * 1e8 + low
        values = whole + fraction / _POWERS[np.minimum(decimals, _MOST_DECIMALS)]
        np.negative(values, where=negative, out=values)
        for place in np.flatnonzero(~good).tolist():
            row = int(rows[place])
            field = self.field(row, column)
            if not _NUMBER.fullmatch(field):
                raise BadFieldError(row)
            values[place] = float(field)
        return values

    def counts(self, column: int) -> NDArray[np.int64]:
        """The whole numbers from 0 to 2^63 - 1 that the fields of ``column`` are: [L].

        Raises `BadFieldError` for the first that is none.
        """
        lengths = self.lengths[:, column]
        values, good = _digits(_eights(self.text), self.begins[:, column] + lengths, lengths)
        for row in np.flatnonzero(~good).tolist():
            field = self.field(row, column)
            if not field.isdigit() or len(field) > 19 or int(field) >= 1 << 63:
                raise BadFieldError(row)
            values[row] = int(field)
        return values.view(np.int64)


def padded(text: bytes) -> bytes:
    """``text`` with `PADDING` spaces before and behind it."""
    return b" " * PADDING + text + b" " * PADDING


def fields_by_size(text: bytes, first_line: int) -> Iterator[tuple[int, Fields]]:
    """The fields of ``text``, whole lines each ended by LF, the first of which has the number
    ``first_line``: the lines with equally many fields together, the shortest first."""
    text = padded(text)
    if regular := _regular_fields(text, first_line):
        yield regular.begins.shape[1], regular
        return
    codes = np.frombuffer(text, np.uint8)
    ends = codes == ord("\n")
    white = (codes == ord(" ")) | (codes == ord("\t")) | (codes == 0) | ends
    edges = np.flatnonzero(white[1:] != white[:-1]) + 1
    begins = edges[::2]
    lengths = edges[1::2] - begins
    sizes = np.diff(np.searchsorted(begins, np.flatnonzero(ends)), prepend=0)
    lines = np.arange(first_line, first_line + len(sizes))
    found = np.flatnonzero(np.bincount(sizes)).tolist()
    if len(found) == 1 and found[0]:
        shape = len(lines), found[0]
        yield found[0], Fields(text, begins.reshape(shape), lengths.reshape(shape), lines)
        return
    firsts = np.cumsum(sizes) - sizes
    for size in found:
        if size:
            chosen = np.flatnonzero(sizes == size)
            places = firsts[chosen, None] + np.arange(size)
            yield size, Fields(text, begins[places], lengths[places], lines[chosen])


def _regular_fields(text: bytes, first_line: int) -> Fields | None:
    """The fields of the padded ``text`` where each line has as many as the others, and one tab
    or space between two: what toolkits write, found with half of the work."""
    codes = np.frombuffer(text, np.uint8)
    places = np.flatnonzero(codes[PADDING:-PADDING] <= ord(" "))
    places += PADDING
    marks = codes[places]
    ends = marks == ord("\n")
    count = int(np.count_nonzero(ends))
    if not count or len(places) % count:
        return None
    shape = count, len(places) // count
    begins = np.empty_like(places)
    begins[0] = PADDING
    np.add(places[:-1], 1, out=begins[1:])
    lengths = places - begins
    known = ends | (marks == ord(" ")) | (marks == ord("\t"))
    if not ends.reshape(shape)[:, -1].all() or not known.all() or not lengths.all():
        return None
    lines = np.arange(first_line, first_line + count)
    return Fields(text, begins.reshape(shape), lengths.reshape(shape), lines)


def _heads(
    eights: NDArray[np.uint64], begins: NDArray[np.int64], lengths: NDArray[np.int64]
) -> NDArray[np.uint64]:
    """The first eight bytes of fields, or what they have of them, as integers."""
    heads = eights[begins]
    heads &= _KEEP_LOW[np.minimum(lengths, 8)]
    return heads


def _eights(text: bytes) -> NDArray[np.uint64]:
    """The eight bytes from each place of ``text`` on as an integer, the first byte the lowest."""
    return np.ndarray((len(text) - 7,), np.dtype("<u8"), text, strides=(1,))


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A scrambling of 64 bits that maps no two integers to one."""
    values = values * _MIX
    values ^= values >> np.uint64(32)
    values *= _MIX
    values ^= values >> np.uint64(29)
    return values


def _digits(
    eights: NDArray[np.uint64], ends: NDArray[np.int64], sizes: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """The value [F] of the ``sizes`` digits before ``ends``, and whether they are digits, and
    no more than eight."""
    # XOR makes 0 to 9 of the digits; the bytes before them become 0 as well.
    spare = _KEEP_LOW[np.clip(8 - sizes, 0, 8)]
    digits = (eights[ends - 8] ^ _ZEROS) & ~spare
    above_nine = (digits + np.uint64(0x7676767676767676)) | digits
    good = (above_nine & np.uint64(0x8080808080808080)) == 0
    good &= sizes <= 8
    digits *= np.uint64(0x0A01)
    digits >>= np.uint64(8)
    digits &= np.uint64(0x00FF00FF00FF00FF)
    digits *= np.uint64(0x00640001)
    digits >>= np.uint64(16)
    digits &= np.uint64(0x0000FFFF0000FFFF)
    digits *= np.uint64(0x0000271000000001)
    digits >>= np.uint64(32)
    return digits, good


class WordTable:
    """Ids of words by their hashes; it may grow.

    The highest bits of a hash say where to look. Nearly every word has a slot of its own there;
    those whose slot another has are searched for among all the hashes, which are sorted.
    """

    def __init__(self) -> None:
        self._given = np.zeros(0, np.uint64), np.zeros(0, np.int32)
        self.add(*self._given)

    def add(self, hashes: NDArray[np.uint64], ids: NDArray[Any]) -> None:
        """Add words [n] that are not in the table, no two alike: the frequent ones first, best."""
        hashes = np.concatenate((self._given[0], hashes))
        ids = np.concatenate((self._given[1], ids.astype(np.int32)))
        self._given = hashes, ids
        # Four slots a word, or fewer where these would take too much memory.
        bits = min(max(4 * len(ids), 2).bit_length(), max(_SLOT_BITS, len(ids).bit_length()))
        self._shift = np.uint64(64 - bits)
        self._slots = np.zeros(1 << bits, np.uint64)
        self._slot_ids = np.full(1 << bits, -1, np.int32)
        # Of several words the first has the slot: it is written last.
        slots = (hashes[::-1] >> self._shift).view(np.int64)
        self._slots[slots] = hashes[::-1]
        self._slot_ids[slots] = ids[::-1]
        order = np.argsort(hashes, kind="stable")
        self._hashes, self._ids = hashes[order], ids[order]

    def ids_of(self, hashes: NDArray[np.uint64]) -> NDArray[np.int32]:
        """The id of each word: same shape; -1 where it is not in the table."""
        flat = hashes.ravel()
        slots = (flat >> self._shift).view(np.int64)
        ids = self._slot_ids[slots]
        wrong = np.flatnonzero(self._slots[slots] != flat)
        if len(wrong):
            asked = flat[wrong]
            ids[wrong] = -1
            places = np.searchsorted(self._hashes, asked)
            inside = np.flatnonzero(places < len(self._hashes))
            inside = inside[self._hashes[places[inside]] == asked[inside]]
            ids[wrong[inside]] = self._ids[places[inside]]
        return ids.reshape(hashes.shape)

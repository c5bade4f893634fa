"""Strings as arrays of code points, letters as small numbers, short substrings as one number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lmkit.channel.edits.counts import CODE_POINTS, LETTERS, LONGEST, Ints

BITS = LETTERS.bit_length()
PAD = CODE_POINTS
"""Stands where a string has ended; no letter."""
STOP = CODE_POINTS + 1
"""Stands at the end of each intended word; no letter."""
SPACE = ord(" ")


def code_points(strings: Sequence[str]) -> tuple[NDArray[np.int32], Ints]:
    """The code points of all ``strings`` behind each other, and the length of each."""
    lengths = np.fromiter(map(len, strings), np.int64, len(strings))
    flat = np.frombuffer("".join(strings).encode("utf-32-le", "surrogatepass"), np.int32)
    return flat, lengths


def padded(flat: NDArray[np.int32], lengths: Ints, width: int) -> NDArray[np.int32]:
    """[width, S]: a string a column, with `PAD` behind its end."""
    table = np.full((len(lengths), width), PAD, dtype=np.int32)
    table[np.arange(width) < lengths[:, None]] = flat
    return np.ascontiguousarray(table.T)


def with_stops(flat: NDArray[np.int32], lengths: Ints) -> tuple[NDArray[np.int32], Ints]:
    """The same with `STOP` before each space and at each end."""
    spaces = flat == SPACE
    twice = np.repeat(flat, 1 + spaces)
    ends = np.cumsum(1 + spaces)
    twice[(ends - 2)[spaces]] = STOP
    running = np.concatenate(([0], ends))
    bounds = np.concatenate(([0], np.cumsum(lengths)))
    stops = np.insert(twice, running[bounds[1:]], STOP)
    return stops, np.diff(running[bounds]) + 1


def letter_numbers(letters: str) -> NDArray[np.uint16]:
    """The number of each code point, `PAD` and `STOP`: 1 for the first of ``letters``, 0 for all
    that are not among them."""
    numbers = np.zeros(CODE_POINTS + 2, dtype=np.uint16)
    numbers[[ord(letter) for letter in letters]] = np.arange(1, len(letters) + 1)
    return numbers


def keys_at(codes: Ints, length: int) -> Ints:
    """[M, S] for ``codes`` [M, S]: one number for the ``length`` letters that begin at each
    place; -1 where one of them has no number or the string ends."""
    if length == 0:
        return np.zeros(codes.shape, dtype=np.int64)
    keys = np.full(codes.shape, -1, dtype=np.int64)
    stop = len(codes) - length + 1
    if stop <= 0:
        return keys
    whole = np.zeros((stop, codes.shape[1]), dtype=np.int64)
    good = np.ones(whole.shape, dtype=bool)
    for k in range(length):
        part = codes[k : k + stop]
        whole = (whole << BITS) | part
        good &= part > 0
    keys[:stop] = np.where(good, whole, -1)
    return keys


def string_keys(strings: Sequence[str], numbers: NDArray[np.uint16]) -> tuple[Ints, Ints]:
    """The keys of short ``strings`` in ascending order, and the number of each. Keys of
    different lengths differ, as no letter has the number 0."""
    flat, lengths = code_points(strings)
    assert not len(lengths) or int(lengths.max()) <= LONGEST
    codes, begins = numbers[flat].astype(np.int64), np.cumsum(lengths) - lengths
    keys = np.zeros(len(strings), dtype=np.int64)
    for place in range(LONGEST):
        some = np.flatnonzero(lengths > place)
        keys[some] = (keys[some] << BITS) | codes[begins[some] + place]
    order = np.argsort(keys, kind="stable")
    return keys[order], order


def edit_distances(one: Sequence[str], other: Sequence[str]) -> Ints:
    """The Levenshtein distance [P] of each pair of strings: insertions, deletions and
    substitutions that make one the other."""
    (first, sizes), (second, widths) = code_points(one), code_points(other)
    rows, columns = (
        padded(flat, lengths, int(lengths.max(initial=0)))
        for flat, lengths in ((first, sizes), (second, widths))
    )
    everyone = np.arange(len(sizes))
    costs = np.tile(np.arange(len(columns) + 1)[:, None], len(sizes))
    result = widths.copy()
    for number, letters in enumerate(rows, 1):
        before, costs = costs, np.empty_like(costs)
        costs[0] = number
        for place, against in enumerate(columns):
            replaced = before[place] + (letters != against)
            dropped = np.minimum(before[place + 1], costs[place]) + 1
            np.minimum(replaced, dropped, out=costs[place + 1])
        ended = np.flatnonzero(sizes == number)
        result[ended] = costs[widths[ended], everyone[ended]]
    return result

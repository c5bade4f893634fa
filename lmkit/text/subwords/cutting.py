"""Where the patterns of GPT-2 and GPT-4 cut, for all characters of a text at once.

Both are decided by the classes of a character and its neighbours (letter, number, white space,
anything else), so that a few comparisons of whole arrays do what a regular expression does one
character at a time. The classes are those of the ``regex`` package, of all Unicode.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

SPACE, LETTER, NUMBER, OTHER, END, NEWLINE = range(6)
"""Classes. `END` is a line end where lines are cut apart; `NEWLINE` a CR, or an LF that is not."""

Starts = NDArray[np.bool_]
Cut = Callable[[NDArray[Any], NDArray[np.uint8]], Starts]
"""From characters [n] and their classes [n] to whether each begins a piece [n], n > 0."""

_APOSTROPHE, _BLANK, _LONG_S = 0x27, 0x20, 0x17F
_CODE_POINTS = 0x110000


@cache
def classes(lines: bool) -> NDArray[np.uint8]:
    """The class of each code point [0x110000]; with ``lines`` an LF is an `END`."""
    import regex  # type: ignore[import-untyped, unused-ignore]

    everything = np.arange(_CODE_POINTS, dtype="<u4").tobytes().decode("utf-32-le", "surrogatepass")
    table = np.full(_CODE_POINTS, OTHER, np.uint8)
    for kind, pattern in ((LETTER, r"\p{L}+"), (NUMBER, r"\p{N}+"), (SPACE, r"\s+")):
        for found in regex.finditer(pattern, everything):
            table[found.start() : found.end()] = kind
    table[[0x0A, 0x0D]] = NEWLINE
    if lines:
        table[0x0A] = END
    table.setflags(write=False)
    return table


def gpt2(characters: NDArray[Any], kinds: NDArray[np.uint8]) -> Starts:
    """The starts of the pieces of `lmkit.text.subwords.patterns.GPT2`."""
    kinds = np.where(kinds == NEWLINE, np.uint8(SPACE), kinds) if NEWLINE in kinds else kinds
    starts, last = _runs(kinds)
    starts[:-1] |= last
    starts[1:] &= ~(last & (characters[:-1] == _BLANK))
    _contractions(characters, starts, characters)
    return starts


def gpt4(characters: NDArray[Any], kinds: NDArray[np.uint8]) -> Starts:
    """The starts of the pieces of `lmkit.text.subwords.patterns.GPT4`."""
    is_newline = kinds == NEWLINE
    newlines = np.flatnonzero(is_newline)
    if len(newlines):
        kinds = np.where(is_newline, np.uint8(SPACE), kinds)
    starts, last = _runs(kinds)
    runs = starts.copy() if len(newlines) else starts
    last &= ~is_newline[:-1]
    starts[:-1] |= last
    letter, other = kinds[1:] == LETTER, kinds == OTHER
    joined = last & (letter | (other[1:] & (characters[:-1] == _BLANK)))
    starts[1:] &= ~joined
    if len(newlines):
        _newlines(newlines, kinds, runs, starts)
    # A single character before letters goes with them, unless a space before has taken it.
    alone = other[:-1] & letter & starts[:-1]
    alone[1:] &= ~other[:-2]
    starts[1:] &= ~alone
    _threes(kinds, starts)
    folded = characters | 0x20
    if folded.dtype != np.uint8:
        folded[characters == _LONG_S] = ord("s")
    _contractions(characters, starts, folded)
    return starts


def _runs(kinds: NDArray[np.uint8]) -> tuple[Starts, Starts]:
    """Where runs of one class begin [n], and which characters are the last white space before
    something visible on the same line [n - 1]."""
    starts = np.empty(len(kinds), np.bool_)
    starts[0] = True
    np.not_equal(kinds[1:], kinds[:-1], out=starts[1:])
    starts |= kinds == END
    last = (kinds[:-1] == SPACE) & (kinds[1:] != SPACE) & (kinds[1:] != END)
    return starts, last


def _contractions(characters: NDArray[Any], starts: Starts, folded: NDArray[Any]) -> None:
    """'s 't 'd 'm 'll 've 're are pieces where their apostrophe begins one."""
    at = np.flatnonzero((characters == _APOSTROPHE) & starts)
    at = at[at + 1 < len(characters)]
    if not len(at):
        return
    first = folded[at + 1]
    second = folded[np.minimum(at + 2, len(folded) - 1)]
    short = _among(first, "sdmt")
    long = ((first == ord("l")) & (second == ord("l"))) | (
        _among(first, "vr") & (second == ord("e"))
    )
    long &= at + 2 < len(characters)
    starts[at[short | long] + 1] = False
    ends = np.concatenate([at[short] + 2, at[long] + 3])
    starts[ends[ends < len(starts)]] = True


def _among(characters: NDArray[Any], letters: str) -> NDArray[np.bool_]:
    return np.isin(characters, np.array([ord(letter) for letter in letters], characters.dtype))


def _newlines(
    newlines: NDArray[np.int64], kinds: NDArray[np.uint8], runs: Starts, starts: Starts
) -> None:
    """White space through its last line end is a piece; line ends right behind other characters
    go with those; white space at the end of the text is one piece."""
    begins = np.append(np.flatnonzero(runs), len(kinds))
    run = np.searchsorted(begins, newlines, side="right")
    final = np.append(run[1:] != run[:-1], True)
    ends, behind = begins[run[final]], newlines[final] + 1
    inside = ends < len(kinds)
    inside[inside] = kinds[ends[inside]] != END
    behind = behind[inside & (behind < ends)]
    starts[behind] = True
    block = np.flatnonzero(np.append(True, newlines[1:] != newlines[:-1] + 1))
    first = newlines[block]
    past = newlines[np.append(block[1:] - 1, len(newlines) - 1)] + 1
    taken = first > 0
    taken[taken] = kinds[first[taken] - 1] == OTHER
    starts[first[taken]] = False
    past = past[taken]
    starts[past[past < len(starts)]] = True


def _threes(kinds: NDArray[np.uint8], starts: Starts) -> None:
    """Numbers are cut into threes from their beginning."""
    numbers = np.flatnonzero(kinds == NUMBER)
    if len(numbers):
        begins = np.append(True, numbers[1:] != numbers[:-1] + 1)
        begin = np.maximum.accumulate(np.where(begins, numbers, 0))
        starts[numbers[(numbers - begin) % 3 == 0]] = True

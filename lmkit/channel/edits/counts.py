"""The counts that a channel is made of, and the probabilities that follow from them.

The process behind a typed word goes through the intended word from left to right. Before each
letter, and at the word's end, it first decides whether to insert a letter. Then it looks at the
next letters, the longest substring first: it replaces four of them as one edit, or passes on to
three, to two, to one; a single letter is kept, deleted or replaced. Each decision is conditioned
on the substring and on where in the word it lies (`CONTEXTS`), so that the probabilities of all
that can happen next sum to one whatever the word is. The edits are those of Brill & Moore
(2000); that longer ones decide first and pass on what they leave is the smoothing: what was
never seen of four letters is left to three.

``A`` is the number of letters known, letter 0 being any other; ``R`` the number of longer edits,
``N`` of distinct substrings they begin from; the first axis of three is `CONTEXTS`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lmkit.channel.base import CONTEXTS, EditRow
from lmkit.errors import ModelFileError

LONGEST = 4
"""Letters of the longest substring of an edit, on either side."""
LETTERS = 511
"""So many of the most frequent letters have numbers of their own."""
CODE_POINTS = 0x110000
STRANGE = 0.01
"""Part of the letters out of nowhere that is spread evenly over all of Unicode."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(slots=True)
class Counts:
    """Expected counts of what happened.

    ``insert`` [3, A+1]: letters inserted before the first letter, before another one, after the
    last one; ``stop``: words that ended; ``spaces`` [3]: spaces kept, dropped, typed as something
    else; ``single`` [3, A+1, A+1]: one letter for one, the same one included; ``delete``
    [3, A+1]; ``longer`` [R, 3] with ``intended``, ``typed`` their strings; ``seen`` [N, 3]: how
    often ``substrings`` of two letters and more were come upon and not replaced as part of a
    longer one.
    """

    letters: str
    insert: Floats
    stop: float
    spaces: Floats
    single: Floats
    delete: Floats
    intended: list[str] = field(default_factory=list)
    typed: list[str] = field(default_factory=list)
    longer: Floats = field(default_factory=lambda: np.zeros((0, 3)))
    substrings: list[str] = field(default_factory=list)
    seen: Floats = field(default_factory=lambda: np.zeros((0, 3)))

    @classmethod
    def zero(cls, letters: str = "") -> Counts:
        """Nothing seen yet, of ``letters`` and the space."""
        letters = "".join(sorted({*letters, " "}))
        A = len(letters) + 1
        return cls(
            letters, np.zeros((3, A)), 0.0, np.zeros(3), np.zeros((3, A, A)), np.zeros((3, A))
        )

    def rows(self) -> Iterable[EditRow]:
        """The counts for people, the greatest of each kind first; zeros are left out."""
        found = [*self._single_rows(), *self._other_rows()]
        order = {kind: place for place, kind in enumerate(KINDS)}
        found.sort(key=lambda row: (order[row.kind], -row.count, row))
        return found

    def _single_rows(self) -> Iterable[EditRow]:
        names = ["", *self.letters]
        for c, a, b in np.argwhere(self.single > 0).tolist():
            kind = "keep" if a == b else "substitute"
            yield EditRow(kind, CONTEXTS[c], names[a], names[b], float(self.single[c, a, b]))
        for c, a in np.argwhere(self.delete > 0).tolist():
            yield EditRow("delete", CONTEXTS[c], names[a], "", float(self.delete[c, a]))
        for c, b in np.argwhere(self.insert > 0).tolist():
            kind = "split" if names[b] == " " else "insert"
            yield EditRow(kind, CONTEXTS[c], "", names[b], float(self.insert[c, b]))

    def _other_rows(self) -> Iterable[EditRow]:
        for r, c in np.argwhere(self.longer > 0).tolist():
            x, y = self.typed[r], self.intended[r]
            yield EditRow(kind_of(y, x), CONTEXTS[c], y, x, float(self.longer[r, c]))
        for n, c in np.argwhere(self.seen > 0).tolist():
            yield EditRow("seen", CONTEXTS[c], self.substrings[n], "", float(self.seen[n, c]))
        if self.stop:
            yield EditRow("stop", "end", "", "", self.stop)
        for kind, typed, count in zip(SPACES, (" ", "", "-"), self.spaces.tolist(), strict=True):
            if count:
                yield EditRow(kind, "", " ", typed, count)


SPACES = ("space", "merge", "join")
KINDS = (
    *SPACES, "split", "stop", "insert", "delete", "substitute", "transpose", "double", "replace",
    "keep", "seen",
)  # fmt: skip
"""What the rows are of, in the order in which they are written."""
NOT_EDITS = frozenset((*SPACES, "stop", "seen"))
PLACES = {**{context: c for c, context in enumerate(CONTEXTS)}, "": 0}
NOWHERE = frozenset(("",))


def kind_of(intended: str, typed: str) -> str:
    """The name of the edit."""
    if intended == typed:
        return "keep" if intended != " " else "space"
    if not intended:
        return "split" if typed == " " else "insert"
    if not typed:
        return "merge" if intended == " " else "delete" if len(intended) == 1 else "replace"
    if len(intended) == len(typed) == 1:
        return "join" if intended == " " else "substitute"
    if len(intended) == 2 and typed == intended[::-1]:
        return "transpose"
    return "double" if typed == intended * 2 else "replace"


def most_frequent(letters: Mapping[str, float]) -> str:
    """The letters that get numbers of their own."""
    others = (letter for letter in letters if letter != " ")
    return "".join(sorted(others, key=lambda letter: (-letters[letter], letter))[: LETTERS - 1])


def counts_of(rows: Iterable[EditRow]) -> Counts:
    """The counts of rows of a file. Raises `ModelFileError` for a row that makes no sense."""
    kept = [row for row in rows if _makes_sense(*row)]
    found: dict[str, float] = {}
    for kind, _, y, x, count in kept:
        if kind not in NOT_EDITS:
            for letter in y + x:
                found[letter] = found.get(letter, 0.0) + count
    counts = Counts.zero(most_frequent(found))
    number = {letter: n for n, letter in enumerate(counts.letters, 1)}
    longer: dict[tuple[str, str], list[float]] = {}
    seen: dict[str, list[float]] = {}
    for kind, context, y, x, count in kept:
        c = PLACES[context]
        if kind == "seen":
            seen.setdefault(y, [0.0, 0.0, 0.0])[c] += count
        elif kind in SPACES:
            counts.spaces[SPACES.index(kind)] += count
        elif kind == "stop":
            counts.stop += count
        elif len(y) > 1 or len(x) > 1:
            longer.setdefault((y, x), [0.0, 0.0, 0.0])[c] += count
        elif (y and y not in number) or (x and x not in number):
            continue
        elif not y:
            counts.insert[c, number[x]] += count
        elif not x:
            counts.delete[c, number[y]] += count
        else:
            counts.single[c, number[y], number[x]] += count
    counts.intended = [y for y, _ in longer]
    counts.typed = [x for _, x in longer]
    counts.longer = np.array(list(longer.values())).reshape(-1, 3)
    counts.substrings = list(seen)
    counts.seen = np.array(list(seen.values())).reshape(-1, 3)
    return counts


def _makes_sense(kind: str, context: str, intended: str, typed: str, count: float) -> bool:
    """Whether a row is one; raises `ModelFileError` where it is none."""
    try:
        good = (
            0 <= count < math.inf
            and len(intended) <= LONGEST
            and len(typed) <= LONGEST
            and context in (NOWHERE if kind in SPACES else CONTEXTS)
            and (kind in NOT_EDITS or (kind_of(intended, typed) == kind and " " not in intended))
            and (kind != "seen" or (len(intended) > 1 and " " not in intended))
        )
    except TypeError:
        good = False
    if not good:
        raise ModelFileError(
            "the table edits has a row that makes no sense: "
            f"{(kind, context, intended, typed, count)!r}",
            "changing it back, or training the channel again",
        )
    return True

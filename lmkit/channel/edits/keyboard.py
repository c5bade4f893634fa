"""Keys beside each other: where a finger lands that misses.

The rows are those of the common Latin layout (ISO/IEC 9995); its QWERTZ and AZERTY variants
differ in a few letters, which is why neighbours are no more than a prior.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ROWS = ("1234567890-=", "qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./")
SHIFTS = (0.0, 0.5, 0.75, 1.25)
"""How far each row is moved to the right, in widths of a key."""
REACH = 1.3
"""Distance up to which keys are neighbours."""


def neighbours(letters: str) -> NDArray[np.float64]:
    """[L, L]: for each of ``letters`` the chance that each of them is hit in its place, if it is
    a neighbour that is hit: rows sum to one, or to zero where a letter has no neighbour. Case is
    not told apart: the neighbours of a capital are capitals."""
    places = {
        key: (column + SHIFTS[row], float(row))
        for row, keys in enumerate(ROWS)
        for column, key in enumerate(keys)
    }
    at = np.full((len(letters), 2), np.nan)
    capital = np.array([letter != letter.lower() for letter in letters], dtype=bool)
    for number, letter in enumerate(letters):
        at[number] = places.get(letter.lower(), (np.nan, np.nan))
    distance = np.hypot(*(at[:, None, :] - at[None, :, :]).transpose(2, 0, 1))
    near = (distance > 0) & (distance <= REACH) & (capital[:, None] == capital[None, :])
    found = near.sum(axis=1, keepdims=True)
    return np.divide(near, found, out=np.zeros(near.shape), where=found > 0)

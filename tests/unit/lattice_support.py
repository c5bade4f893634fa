"""A small text to correct with, its lattices, and all ways through one."""

from __future__ import annotations

from collections.abc import Sequence

from lmkit.channel.corrector import Corrector
from lmkit.channel.decoding.building import pieces_of
from lmkit.channel.decoding.lattice import Lattice

TEXT = """the cat sat on the mat
the cat ate the rat
a rat sat on a cat
the hat is on the cat
to day the rat is at the hat
today the cat is at the mat
a man can eat at a mat
The cat can eat
Today a cat sat on The Hat
"""


def lattice_of(corrector: Corrector, lines: Sequence[str]) -> Lattice:
    read = [corrector.surface.read(line) for line in lines]
    pieces = [p for i, line in enumerate(read) for p in pieces_of(line, i, corrector.surface)]
    return corrector.builder.build(read, pieces)


def paths(lattice: Lattice, node: int, end: int) -> list[list[int]]:
    """All ways from ``node`` to ``end``."""
    if node == end:
        return [[]]
    return [
        [arc, *rest]
        for arc in range(int(lattice.first_arc[node]), int(lattice.first_arc[node + 1]))
        for rest in paths(lattice, int(lattice.arcs.target[arc]), end)
    ]

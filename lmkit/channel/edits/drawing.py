"""Drawing what somebody may type who meant a string: the process of the channel itself."""

from __future__ import annotations

import numpy as np

from lmkit.channel.edits.counts import LONGEST, Floats
from lmkit.channel.edits.grid import Nodes, nodes_of
from lmkit.channel.edits.strings import SPACE, STOP
from lmkit.channel.edits.table import EditTable


def draw_typed(intended: str, table: EditTable, keep: float, generator: np.random.Generator) -> str:
    """``intended`` as somebody may type it. Letters out of nowhere are drawn from those that the
    channel knows."""
    typed = []
    for number, word in enumerate(intended.split(" ")):
        if number:
            typed.append(_draw_space(table, generator))
        typed.append(word if generator.random() < keep else _draw_word(word, table, generator))
    return "".join(typed)


def _draw_space(table: EditTable, generator: np.random.Generator) -> str:
    kind = int(generator.choice(3, p=table.spaces))
    others = table.at_space.copy()
    others[table.numbers[SPACE]] = 0.0
    return (" ", "", _letter(others, table, generator))[kind]


def _letter(weights: Floats, table: EditTable, generator: np.random.Generator) -> str:
    known = weights[1:]
    if not known.sum():
        return ""
    return table.letters[int(generator.choice(len(known), p=known / known.sum()))]


def _draw_word(word: str, table: EditTable, generator: np.random.Generator) -> str:
    nodes = nodes_of([word], table, 0.0)
    typed: list[str] = []
    i = 0
    while True:
        place = int(nodes.place[i, 0])
        if generator.random() < table.insert_rate[place]:
            typed.append(_letter(table.insert[place], table, generator))
        elif nodes.points[i, 0] == STOP:
            return "".join(typed)
        else:
            taken, text = _draw_edit(word, i, nodes, table, generator)
            i += taken
            typed.append(text)


def _draw_edit(
    word: str, i: int, nodes: Nodes, table: EditTable, generator: np.random.Generator
) -> tuple[int, str]:
    """How many letters the edit at letter ``i`` replaces, and with what: the longest first."""
    for k in range(min(LONGEST, len(word) - i), 1, -1):
        text = _draw_longer(
            int(nodes.numbers[k, i, 0]), int(nodes.where[k, i, 0]), table, generator
        )
        if text is not None:
            return k, text
        if k > 2 or word[i] == word[i + 1]:
            continue
        if generator.random() < table.swap[nodes.where[2, i, 0]]:
            return 2, word[i + 1] + word[i]
    c = int(nodes.where[1, i, 0])
    a = int(table.numbers[ord(word[i])])
    text = _draw_longer(int(nodes.numbers[1, i, 0]), c, table, generator)
    if text is not None:
        return 1, text
    same = table.same[c] if not a else table.single[c, a, a]
    others = table.single[c, a].copy()
    others[a] = 0.0
    left = table.delete[c, a] + same + others[1:].sum()
    chance = generator.random() * left
    if chance < table.delete[c, a]:
        return 1, ""
    if chance < table.delete[c, a] + same:
        return 1, word[i]
    return 1, _letter(others, table, generator)


def _draw_longer(
    number: int, c: int, table: EditTable, generator: np.random.Generator
) -> str | None:
    """What a longer edit of the substring gives; None where there is none this time."""
    if number < 0:
        return None
    rows = np.flatnonzero(table.intended == number)
    place = int(np.searchsorted(np.cumsum(table.longer[rows, c]), generator.random(), "right"))
    return None if place == len(rows) else table.results[table.typed[rows[place]]]

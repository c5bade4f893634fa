"""Suggestions for one word, with or without its context."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lmkit.channel.candidates.marks import find_candidates
from lmkit.channel.corrections import Suggestion
from lmkit.channel.decoding.building import LatticeBuilder, pieces_of
from lmkit.channel.decoding.changes import ChangeReader
from lmkit.channel.decoding.lattice import CHANGED
from lmkit.channel.decoding.readings import Readings
from lmkit.channel.decoding.surface import Line, dressed

if TYPE_CHECKING:
    from lmkit.channel.corrector import Corrector


def suggestions(corrector: Corrector, word: str, left: str, right: str, n: int) -> list[Suggestion]:
    """See `Corrector.suggest`. ``corrector`` is one for this question, with a thorough finder and a
    surface that has met no tokens yet: in each text others may be changed."""
    text = " ".join(part for part in (left, word, right) if part)
    line = corrector.surface.read(text, shouted=True)
    offset = len(left) + 1 if left else 0
    asked = slice(offset, offset + len(word))
    within = [asked.start <= place < asked.stop for place in line.offsets]
    line = replace(line, open=[a and b for a, b in zip(line.open, within, strict=True)])
    if not any(line.open):
        return []
    if not (left.strip() or right.strip()):
        return _alone(corrector, line, asked, n)
    return _in_context(corrector, line, asked, n)


def _alone(corrector: Corrector, line: Line, asked: slice, n: int) -> list[Suggestion]:
    """By the channel and the priors of the lexicon."""
    lexicon = corrector.lexicon
    place = _doubtful(corrector, line)
    token = corrector.surface.tokens[line.tokens[place]]
    near = find_candidates(corrector.finder, [token.folded])
    rows = near.rows
    _, pairs, of_pairs = corrector.readings.splits([token.folded])
    of_rows = near.log_channel - np.log1p(-corrector.channel.keep)
    log_channel = np.concatenate((of_rows, of_pairs)) + np.log1p(-corrector.weights.keep)
    log_source = np.concatenate((lexicon.log_prior[rows], lexicon.log_prior[pairs].sum(axis=1)))
    value = corrector.weights.source * log_source + corrector.weights.channel_alone * log_channel
    kept = -np.inf
    if token.row >= 0:
        own, everyone = np.array([token.row]), np.zeros(len(rows), np.int64)
        doubt = corrector.readings.doubt(own, everyone, rows, of_rows)[0]
        kept = np.log(corrector.weights.keep) + lexicon.log_prior[token.row] + doubt
    total = np.logaddexp.reduce([*value.tolist(), kept])
    found = []
    for i in np.argsort(-value, kind="stable")[:n].tolist():
        chosen = [int(rows[i])] if i < len(rows) else pairs[i - len(rows)].tolist()
        words = [
            dressed(
                lexicon.words[row],
                token.pattern if j == 0 or token.pattern == 2 else 0,
                token.text,
                bool(lexicon.capitals[row]),
            )
            for j, row in enumerate(chosen)
        ]
        text = _spliced(line, asked, line.offsets[place], token.text, " ".join(words))
        posterior = float(np.exp(value[i] - total))
        found.append(Suggestion(text, float(log_channel[i]), float(log_source[i]), posterior))
    return found


def _doubtful(corrector: Corrector, line: Line) -> int:
    """The open token that is worth least: the typed word may be of several."""
    tokens = [corrector.surface.tokens[number] for number in line.tokens]
    prior = corrector.lexicon.log_prior
    worth = [float(prior[token.row]) if token.row >= 0 else -np.inf for token in tokens]
    return min((i for i, opened in enumerate(line.open) if opened), key=worth.__getitem__)


def _spliced(line: Line, asked: slice, begin: int, typed: str, replacement: str) -> str:
    """What is ``asked`` about, which may be of several tokens, with ``replacement`` for what is
    ``typed`` at ``begin`` of the text."""
    end = begin + len(typed)
    return line.text[asked.start : begin] + replacement + line.text[end : asked.stop]


def _in_context(corrector: Corrector, line: Line, asked: slice, n: int) -> list[Suggestion]:
    """By the channel and the source model."""
    unknown = corrector.readings.unknown
    readings = Readings(corrector.source, corrector.finder, unknown=unknown)
    learnt = np.zeros(len(corrector.surface.tokens), bool)
    learnt[[number for number, opened in zip(line.tokens, line.open, strict=True) if opened]] = True
    readings.learn(corrector.surface.tokens, learnt)
    builder = LatticeBuilder(corrector.surface, readings, corrector.weights)
    pieces = pieces_of(line, 0, corrector.surface)
    lattice = builder.build([line], pieces)
    search = corrector.search(lattice, beam=SUGGESTION_BEAM, behind=SUGGESTION_BEHIND)
    reader = ChangeReader(corrector, lattice, search)
    place = _doubtful(corrector, line)
    number = next(i for i, piece in enumerate(pieces) if piece.begin <= place < piece.end)
    before = sum(piece.end - piece.begin for piece in pieces[:number])
    typed = before + place - pieces[number].begin
    here = np.flatnonzero((lattice.arcs.typed == typed) & (lattice.arcs.kind == CHANGED))
    if not len(here):
        return []
    found = [r for r in reader.readings(int(here[0]), 0.0) if lattice.arcs.kind[r[0]] == CHANGED]
    candidates = reader.candidates(line, place, found[:n], number, edits=False)
    return [
        Suggestion(
            _spliced(line, asked, *reader.span(line, place, reading[0]), one.text),
            one.log_channel,
            one.log_source,
            one.posterior,
        )
        for reading, one in zip(found[:n], candidates, strict=True)
    ]


SUGGESTION_BEAM = 64
SUGGESTION_BEHIND = 40.0

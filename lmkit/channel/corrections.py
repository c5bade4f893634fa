"""What correction answers with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from lmkit.channel.base import Edit


class Candidate(NamedTuple):
    """A reading of a typed word: log p(typed | it), log p(it and its sentence) under the source,
    its posterior, and the likeliest edits that lead from it to what was typed."""

    text: str
    log_channel: float
    log_source: float
    posterior: float
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """``length`` characters at ``offset`` of the line, ``original``, become ``replacement``.
    ``posterior``: how likely that is what was meant; ``runners_up``: other readings (the original
    may be one of them) with theirs, the likeliest first; ``candidates``: all of them with what
    speaks for each, where that was asked for."""

    offset: int
    length: int
    original: str
    replacement: str
    posterior: float
    runners_up: tuple[tuple[str, float], ...] = ()
    candidates: tuple[Candidate, ...] = ()


@dataclass(frozen=True, slots=True)
class Correction:
    """A line and what it was corrected to."""

    line: str
    corrected: str
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A word that may have been meant: log p(typed | it), log p(it | its place), and its
    posterior among all readings, the typed word itself with them."""

    text: str
    log_channel: float
    log_source: float
    posterior: float

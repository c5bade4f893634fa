"""Learning a channel without pairs: EM over noisy text against the source model.

What was meant is hidden too. Each round searches the text with the channel so far, in the context
of the source; what may have been meant by each word, as often as its posterior says, are the
pairs from which the channel is learnt anew (Kernighan, Church & Gale 1990, section 5, began so
too). The channel that it began with stays as a prior, since a text holds few errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from lmkit.channel.base import EditRow
from lmkit.channel.corrector import Corrector
from lmkit.channel.decoding.building import pieces_of
from lmkit.channel.decoding.lattice import CHANGED, KEPT, STEP, Lattice
from lmkit.channel.edits.edit_model import EditModel
from lmkit.channel.edits.pairs import collected
from lmkit.channel.weights import Weights
from lmkit.errors import TextError
from lmkit.text.reading import Source, iter_line_blocks, source_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from lmkit.channel.model import NoisyChannelModel

    Progress = Callable[[str, int, int | None], None]

ROUNDS = 3
MOST_TOKENS = 400_000
"""So much text is learnt from; more of it says little that is new."""
BATCH_TOKENS = 20_000
PRIOR = 200.0
"""Errors that the channel stands for which a text is first read with."""
LEAST = 0.01
"""Posterior from which on a pair is learnt from."""
LEAST_KEEP, MOST_KEEP = 0.1, 0.9999
"""However noisy a text is, the next one has words that are right, and errors."""

Found = dict[tuple[str, str], float]


def learn_from_text(
    model: NoisyChannelModel,
    source: Source,
    *,
    iterations: int | None = None,
    errors: str = "strict",
    progress: Progress | None = None,
) -> tuple[EditModel, dict[str, Any]]:
    """The channel that noisy text teaches a ``model`` to begin with, and facts about the learning.

    Reads at most `MOST_TOKENS` words. Raises `TextError` where there are none, `TypeError` where
    the channel is not made of edits.
    """
    channel = model.channel
    if not isinstance(channel, EditModel):
        raise TypeError(f"{type(channel).__name__} cannot be learnt from text")
    first = channel
    lines = list(_some(source, errors))
    if not any(line.split() for line in lines):
        raise TextError(f"{source_name(source)} holds no words to learn from")
    rounds = ROUNDS if iterations is None else iterations
    gaps = sum(line.count(" ") for line in lines)
    course = []
    kept = changed = 0.0
    for number in range(rounds):
        reader = TextReader(model, channel)
        found: Found = {}
        log_prob = 0.0
        for batch in _batches(lines):
            log_prob += reader.read(batch, found)
        kept = sum(count for (x, y), count in found.items() if x == y)
        changed = sum(count for (x, y), count in found.items() if x != y)
        course.append(log_prob)
        if not found:
            raise TextError(f"{source_name(source)} holds no words that the source could have")
        keep = min(max(kept / (kept + changed), LEAST_KEEP), MOST_KEEP)
        channel = _learnt(found, first, channel, keep, gaps)
        if progress is not None:
            progress("learning", number + 1, rounds)
    facts = {
        "noisy_text": source_name(source),
        "iterations": rounds,
        "words": kept + changed,
        "errors": changed,
        "log_likelihoods": course,
    }
    return channel, facts


def _some(source: Source, errors: str) -> Iterator[str]:
    words = 0
    for block in iter_line_blocks(source, errors):
        for line in block:
            yield line
            words += line.count(" ") + 1
            if words >= MOST_TOKENS:
                return


def _batches(lines: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    words = 0
    for line in lines:
        batch.append(line)
        words += line.count(" ") + 1
        if words >= BATCH_TOKENS:
            yield batch
            batch, words = [], 0
    yield batch


class TextReader:
    """Finds what may have been meant in noisy text."""

    def __init__(self, model: NoisyChannelModel, channel: EditModel) -> None:
        weights = Weights(channel=1.0, keep=channel.keep, caution=0.0)
        self._corrector = Corrector(model.source, channel=channel, weights=weights)

    def read(self, lines: list[str], found: Found) -> float:
        """Add the pairs of ``lines``, (typed, intended) and how often, to ``found``. Returns the
        log-probability of the lines, a lower bound."""
        corrector = self._corrector
        read = [corrector.surface.read(line) for line in lines]
        pieces = [
            piece
            for number, line in enumerate(read)
            for piece in pieces_of(line, number, corrector.surface)
        ]
        if not pieces:
            return 0.0
        lattice = corrector.builder.build(read, pieces)
        search = corrector.search(lattice)
        tokens = [n for piece in pieces for n in read[piece.line].tokens[piece.begin : piece.end]]
        posterior = search.posteriors(len(lattice.arcs))
        self._collect(lattice, posterior, tokens, found)
        ends = search.final[search.final >= 0]
        return float(search.total[ends].sum())

    def _collect(
        self, lattice: Lattice, posterior: np.ndarray, tokens: list[int], found: Found
    ) -> None:
        arcs, time = lattice.arcs, lattice.time
        words, surface = self._corrector.lexicon.words, self._corrector.surface
        likely = (posterior >= LEAST) & np.isin(arcs.kind, (KEPT, CHANGED))
        # A word inside a typed one is found with the one it follows.
        likely &= time[arcs.source] % STEP == 0
        for arc in np.flatnonzero(likely).tolist():
            place = int(arcs.typed[arc])
            typed = surface.tokens[tokens[place]].folded
            intended = typed if arcs.kind[arc] == KEPT else words[arcs.label[arc]]
            target = int(arcs.target[arc])
            wide = int(time[target] - time[arcs.source[arc]])
            if time[target] % STEP:
                after = int(lattice.first_arc[target])
                intended = f"{intended} {words[arcs.label[after]]}"
            elif wide == 2 * STEP:
                typed = f"{typed} {surface.tokens[tokens[place + 1]].folded}"
            pair = typed, intended
            found[pair] = found.get(pair, 0.0) + float(posterior[arc])


def _learnt(
    found: Found, first: EditModel, channel: EditModel, keep: float, gaps: int
) -> EditModel:
    """The channel of the pairs ``found`` in a text with so many ``gaps`` between its words, with
    the ``first`` one as its prior."""
    merged = sum(count * y.count(" ") for (_, y), count in found.items())
    spaces = (EditRow("space", "", " ", " ", float(gaps)), EditRow("merge", "", " ", "", merged))
    same = [word for word, meant in found if word == meant]
    # Of the words typed right, those that went through the edits.
    through = np.exp(channel.log_probs(same, same))
    part = (
        np.maximum(1 - channel.keep / through, 0.0).tolist() if channel.keep else [1.0] * len(same)
    )
    weights = dict(found)
    for word, share in zip(same, part, strict=True):
        weights[word, word] *= share
    learnt, _ = type(first).learn(collected(weights.items()), smoothing=first.smoothed, damping=0.0)
    rows = [*_scaled(first), *learnt.rows(), *spaces]
    options = first.options
    return type(first).from_rows(rows, keep=keep, **options)


def _scaled(channel: EditModel) -> Iterator[EditRow]:
    """The rows of ``channel`` as if it had seen `PRIOR` errors."""
    rows = list(channel.rows())
    errors = sum(row.count for row in rows if row.kind not in ("keep", "seen", "stop", "space"))
    share = min(PRIOR / errors, 1.0) if errors else 1.0
    for row in rows:
        yield row._replace(count=row.count * share)

"""The unigram language model as it is told: every segmentation is written out, one after the
other.

The slow twin of `lmkit.text.subwords.unigram_training` and `unigram_encoding`. A text is a dict
from its parts (of characters that are all pieces) to how often each stands there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from math import exp, fsum, inf, log

Pieces = Mapping[str, float]
"""Probabilities, or logarithms of them."""


def segmentations(text: str, pieces: Collection[str]) -> Iterator[tuple[str, ...]]:
    """All ways to write ``text`` in ``pieces``."""
    if not text:
        yield ()
    for end in range(1, len(text) + 1):
        if text[:end] in pieces:
            for rest in segmentations(text[end:], pieces):
                yield (text[:end], *rest)


def score(segmentation: Collection[str], log_probs: Pieces) -> float:
    return fsum(log_probs[piece] for piece in segmentation)


def log_prob(text: str, log_probs: Pieces) -> float:
    """The logarithm of the sum over all segmentations."""
    return log(fsum(exp(score(s, log_probs)) for s in segmentations(text, log_probs)))


def n_best(text: str, log_probs: Pieces, n: int) -> list[tuple[float, tuple[str, ...]]]:
    every = [(score(s, log_probs), s) for s in segmentations(text, log_probs)]
    return sorted(every, key=lambda scored: -scored[0])[:n]


def expected(text: Mapping[str, float], log_probs: Pieces) -> dict[str, float]:
    """How often each piece is expected in ``text``."""
    counts = dict.fromkeys(log_probs, 0.0)
    for part, times in text.items():
        whole = log_prob(part, log_probs)
        for segmentation in segmentations(part, log_probs):
            for piece in segmentation:
                counts[piece] += times * exp(score(segmentation, log_probs) - whole)
    return counts


def substrings(text: Mapping[str, float], longest: int) -> dict[str, float]:
    """How often each substring stands in ``text``: all characters, and what comes twice."""
    counts: Counter[str] = Counter()
    for part, times in text.items():
        for start in range(len(part)):
            for end in range(start + 1, min(start + longest, len(part)) + 1):
                counts[part[start:end]] += times  # type: ignore[assignment]
    return {piece: n for piece, n in counts.items() if len(piece) == 1 or n >= 2}


def loss(piece: str, counts: Mapping[str, float], total: float) -> float:
    """What a token of the text loses in log-likelihood without ``piece``, whose occurrences go to
    the best segmentation of it in other pieces."""
    if len(piece) == 1:
        return inf
    others = {other: log(n) for other, n in counts.items() if other != piece}
    scale = log(total)
    instead = max(
        segmentations(piece, others),
        key=lambda s: fsum(others[other] - scale for other in s),
    )
    own, more = counts[piece], total + counts[piece] * (len(instead) - 1)
    by_others = fsum(log((counts[other] + own) / more) for other in instead)
    return own / total * (log(own / total) - by_others)


def learn(
    text: Mapping[str, float],
    size: int,
    *,
    fixed: float,
    steps: int,
    shrink: float,
    rarest: float,
    longest: int,
    seeds: int,
) -> dict[str, float]:
    """The counts that are expected of ``size`` pieces. ``fixed`` tokens are in no piece."""
    text = Counter(text)
    for character in set("".join(text)):
        text[character] += 1
    counts = substrings(text, longest)
    order = sorted(counts, key=lambda piece: (len(piece), piece))
    worth = sorted(order, key=lambda p: -inf if len(p) == 1 else -counts[p] * len(p))
    counts = {piece: counts[piece] for piece in order if piece in set(worth[:seeds])}
    while True:
        for _ in range(steps):
            counts = step(text, counts, fixed)
        if len(counts) <= size:
            break
        total = fsum(counts.values()) + fixed
        most = min(int(shrink * len(counts)), sum(n >= rarest for n in counts.values()))
        losses = {piece: loss(piece, counts, total) for piece in counts}
        kept = set(sorted(counts, key=lambda piece: -losses[piece])[: max(size, most)])
        counts = {piece: n for piece, n in counts.items() if piece in kept}
    for _ in range(steps):
        counts = step(text, counts, fixed)
    return counts


def step(text: Mapping[str, float], counts: Mapping[str, float], fixed: float) -> dict[str, float]:
    """One step of EM."""
    total = fsum(counts.values()) + fixed
    return expected(text, {piece: log(n / total) for piece, n in counts.items()})

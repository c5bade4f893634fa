"""Attention and positions by the letter of the papers: one query, one key, one number at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

Vector = Sequence[float]


def dot(a: Vector, b: Vector) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def attention(
    queries: Sequence[Vector],
    keys: Sequence[Vector],
    values: Sequence[Vector],
    sees: Callable[[int, int], bool],
    bias: Callable[[int, int], float] = lambda t, s: 0.0,
) -> list[list[float]]:
    """Vaswani et al. 2017, equation 1, for one head; ``sees(t, s)`` says what is not masked."""
    answers = []
    for t, q in enumerate(queries):
        seen = [s for s in range(len(keys)) if sees(t, s)]
        scores = [dot(q, keys[s]) / math.sqrt(len(q)) + bias(t, s) for s in seen]
        shares = [math.exp(score - max(scores)) for score in scores]
        answers.append(
            [
                sum(share * values[s][k] for share, s in zip(shares, seen, strict=True))
                / sum(shares)
                for k in range(len(values[0]))
            ]
        )
    return answers


def additive(
    query: Vector, keys: Sequence[Vector], wq: Sequence[Vector], wk: Sequence[Vector], v: Vector
) -> list[float]:
    """Bahdanau et al. 2015, appendix A.1.2: the mean of ``keys``, by how they suit ``query``."""
    scores = [
        dot(v, [math.tanh(dot(a, query) + dot(b, key)) for a, b in zip(wq, wk, strict=True)])
        for key in keys
    ]
    shares = [math.exp(score - max(scores)) for score in scores]
    return [dot(shares, [key[k] for key in keys]) / sum(shares) for k in range(len(keys[0]))]


def rotary(x: Vector, place: int) -> list[float]:
    """Su et al. 2021: entries k and k + K / 2 as a complex number, turned by an angle."""
    half = len(x) // 2
    turned = [0.0] * len(x)
    for k in range(half):
        number = complex(x[k], x[k + half])
        angle = place / 10_000 ** (2 * k / len(x))
        number *= complex(math.cos(angle), math.sin(angle))
        turned[k], turned[k + half] = number.real, number.imag
    return turned


def bucket(distance: int) -> int:
    """T5's bucket of a key so many steps back: of 32, up to a distance of 128."""
    if distance < 16:
        return distance
    return min(16 + int(math.log(distance / 16) / math.log(128 / 16) * 16), 31)

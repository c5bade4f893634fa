"""A comparison made by hand, with everything in it that a report can show, and hostile names."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from lmkit.evaluate.results import (
    Comparison,
    CorpusFacts,
    Crossing,
    CurvePoint,
    Difference,
    LearningCurve,
    ModelResult,
    PowerLaw,
    SeedResult,
    SentenceSurprise,
    SplitFacts,
    TokenSurprise,
)

HOSTILE = "<script>alert('x')</script> & $\\frac{1$ \"q\""
SHA = "ab" * 32


def _curve(*losses: tuple[float, float]) -> list[dict[str, Any]]:
    return [
        {"tokens": 1000 * n, "seconds": 2.0 * n, "epoch": n / 2, "loss": loss, "valid_loss": valid}
        for n, (loss, valid) in enumerate(losses, 1)
    ]


def _rows() -> list[ModelResult]:
    common: dict[str, Any] = {"sentences": 2, "tokens": 9, "characters": 40}
    return [
        ModelResult(
            "KN 5", "ngram:order=5", "ngram", unit="word", rank=1, bits_per_character=1.5,
            bits_low=1.4, bits_high=1.6, perplexity=80.5, group="a", ngrams=120_000,
            file_bytes=2_800_000, training_seconds=1.25, scoring_tokens_per_second=650_000.0,
            oovs=3, file="models/kn5.lm", samples=["the cat", ""], notes=["note one"], **common,
        ),
        ModelResult(
            HOSTILE, f"ngram:name={HOSTILE}", "ngram", unit="character", rank=2,
            bits_per_character=1.52, bits_low=1.41, bits_high=1.63, perplexity=2.9, group=None,
            difference=Difference(0.02, -0.01, 0.05, 0.21, 0.2), ngrams=500, file_bytes=900,
            training_seconds=0.02, scoring_tokens_per_second=1.0, oovs=0, samples=[HOSTILE],
            notes=[HOSTILE], file=HOSTILE, **common,
        ),
        ModelResult(
            "LSTM", "lstm", "lstm", unit="word", rank=3, bits_per_character=1.9, bits_low=1.8,
            bits_high=2.0, perplexity=231.0, group="a",
            difference=Difference(0.4, 0.35, 0.45, 0.0001, 0.0001), parameters=1_000_000,
            file_bytes=4_000_000, training_seconds=400.0, scoring_tokens_per_second=9000.0, oovs=3,
            seed=7, spread=0.012, training_curve=_curve((7.0, 6.9), (6.1, 6.2), (5.5, 5.9)),
            seeds=[SeedResult(7, 1.89, 230.0, 400.0, "a"), SeedResult(8, 1.91, 232.0, 401.0, "b")],
            **common,
        ),
        ModelResult(
            "given bytes", "x.lm", "gru", unit="byte", rank=4, origin="given",
            bits_per_character=3.0, perplexity=float("inf"),
            difference=Difference(1.5, 1.4, 1.6, 0.0001, 0.0001),
            training_curve=_curve((2.0, 2.1)), **common,
        ),
        ModelResult("broken", "ngram:order=0", "ngram", status="failed", reason=HOSTILE),
    ]  # fmt: skip


TEXT = "a bé <b>"
"""A sentence of three words and eight characters, one of them of two bytes."""


def tokens(pieces: list[str], *, unknown: str = "") -> list[TokenSurprise]:
    """``pieces`` and the end of the line, of 1, 2, 3, ... bits."""
    return [
        TokenSurprise(piece, float(bits), piece == unknown)
        for bits, piece in enumerate([*pieces, "</s>"], 1)
    ]


@pytest.fixture
def comparison() -> Comparison:
    return made_by_hand()


def made_by_hand() -> Comparison:
    train = SplitFacts("train", HOSTILE, SHA, 1000, 20_000, 100_000)
    test = SplitFacts("test", "test.txt", SHA[::-1], 2, 7, 38)
    points = [
        CurvePoint(share, int(1000 * share), int(100_000 * share), bits, 1.0)
        for share, bits in ((0.1, 2.5), (0.3, 2.0), (1.0, 1.5))
    ]
    law = PowerLaw(1.0, 40.0, 0.4, True, 0.01)
    flat = PowerLaw(0.0, 9.0, 0.1, False, 0.2)
    return deepcopy(
        Comparison(
            corpus=CorpusFacts(HOSTILE, train, None, test, "every tenth line", 1, False, 40, 44),
            rows=_rows(),
            surprises=[
                SentenceSurprise(
                    0,
                    TEXT,
                    {
                        "KN 5": tokens(["a", "bé", "<b>"], unknown="<b>"),
                        HOSTILE: tokens(list(TEXT)),
                        "LSTM": tokens(["a", "b", "é <b", ">"]),
                        "given bytes": tokens(["x"] * len(TEXT.encode())),
                    },
                ),
                SentenceSurprise(1, "", {"KN 5": tokens([])}),
            ],
            curves=[
                LearningCurve("KN 5", points, law),
                LearningCurve(HOSTILE, points[1:], None),
                LearningCurve("LSTM", points[::-1], flat),
            ],
            crossings=[Crossing("KN 5", HOSTILE, 30_000.0)],
            versions={"lmkit": "0.1.0", "python": "3.11.7"},
            command=f"lmkit compare {HOSTILE}",
            seed=7,
            resamples=10_000,
            started="2026-11-22T21:00:00+00:00",
            seconds=321.0,
            machine="Linux x86_64, 2 cores",
            notes=[HOSTILE],
        )
    )

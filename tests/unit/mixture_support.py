"""Two small n-gram models of other texts over the same words, and a text to mix them by."""

from __future__ import annotations

from pathlib import Path

from lmkit.ngram.model import NgramModel

from ..small_models import train

LINES = ["the cat sat on the mat", "the dog sat", "", "a cat and a dog", "a dog saw the cat"]
MORE = ["the mat", "a cat sat on a dog", "the dog and the cat", "on the mat a cat"]
HELD_OUT = [
    "the cat saw a dog",
    "a cat on the mat",
    "dog",
    "the bird sat",
    "the cat sat on the cat",
]
WORDS = sorted({word for line in LINES for word in line.split()})


def held_out(folder: Path) -> Path:
    path = folder / "valid.txt"
    path.write_text("".join(f"{line}\n" for line in HELD_OUT * 3), encoding="utf-8")
    return path


def first() -> NgramModel:
    return train(LINES, 3, "witten-bell", words=WORDS)


def second() -> NgramModel:
    return train(MORE, 2, "katz", words=WORDS[::-1])

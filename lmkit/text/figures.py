"""What a tokenizer makes of a text: how much it compresses it, how many tokens a word has, how
much of its vocabulary is used, and all that script by script."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.model import EOS
from lmkit.text.settings import TextSettings
from lmkit.text.stream import TokenStream
from lmkit.text.tokenizers.base import Tokenizer

SCRIPTS = (
    "Latin", "Cyrillic", "Greek", "Han", "Hiragana", "Katakana", "Hangul", "Arabic", "Hebrew",
    "Devanagari", "Bengali", "Tamil", "Telugu", "Gujarati", "Gurmukhi", "Kannada", "Malayalam",
    "Sinhala", "Thai", "Lao", "Khmer", "Myanmar", "Tibetan", "Georgian", "Armenian", "Ethiopic",
)  # fmt: skip
"""The scripts that are told apart, by the names of Unicode."""
OTHER, NONE = "other scripts", "no letters"
_MOST_WORDS = 1_000_000
_AT_ONCE = 50_000


@dataclass(frozen=True, slots=True)
class ScriptFigures:
    """The words of one script: what stands between white space, by the first letter in it.
    ``tokens`` are those of the words alone, each behind a space."""

    script: str
    words: int
    characters: int
    tokens: int

    def as_dict(self) -> dict[str, Any]:
        return {
            "script": self.script,
            "words": self.words,
            "tokens": self.tokens,
            "tokens_per_word": _ratio(self.tokens, self.words),
            "characters_per_token": _ratio(self.characters, self.tokens),
        }


@dataclass(frozen=True, slots=True)
class Figures:
    """Sizes of a text and of what it becomes; line ends are in none of them. ``counts`` are those
    of the tokens of the vocabulary [V], None where it is open; ``used`` is how many different
    tokens the text has."""

    lines: int
    words: int
    characters: int
    bytes: int
    tokens: int
    used: int
    size: int | None
    scripts: tuple[ScriptFigures, ...]
    counts: NDArray[np.int64] | None

    def as_dict(self) -> dict[str, Any]:
        """The sizes and their ratios, as JSON values."""
        return {
            "lines": self.lines,
            "words": self.words,
            "characters": self.characters,
            "bytes": self.bytes,
            "tokens": self.tokens,
            "characters_per_token": _ratio(self.characters, self.tokens),
            "bytes_per_token": _ratio(self.bytes, self.tokens),
            "tokens_per_word": _ratio(self.tokens, self.words),
            "vocabulary_used": self.used,
            "vocabulary_share": None if self.size is None else _ratio(self.used, self.size),
            "scripts": [script.as_dict() for script in self.scripts],
        }


def figures_of(settings: TextSettings, chunks: Iterable[bytes]) -> Figures:
    """The figures of a text as the tokenizer of ``settings`` gets to see it
    (`lmkit.text.stream.TokenStream.prepared`): whole lines, each ended by LF."""
    stream = TokenStream(settings, prepared=True)
    words = _Words(settings)
    totals = np.zeros(0, np.int64)
    characters = size = 0
    for chunk in chunks:
        numbers = np.bincount(stream.numbers(chunk), minlength=len(stream.lexicon))
        numbers[: len(totals)] += totals
        totals = numbers
        characters += len(chunk.decode(errors="surrogateescape"))
        size += len(chunk)
        words.add(chunk)
    lines = int(totals[EOS]) if len(totals) else 0
    vocabulary = settings.tokenizer.vocabulary
    counts = used = None
    if vocabulary is not None:
        counts = _placed(vocabulary, stream.lexicon.tokens, totals)
        used = int((counts > 0).sum())
    scripts = words.by_script()
    return Figures(
        lines=lines,
        words=words.number,
        characters=characters - lines,
        bytes=size - lines,
        tokens=int(totals.sum()) - lines,
        used=int((totals > 0).sum()) - bool(lines) if used is None else used,
        size=None if vocabulary is None else len(vocabulary),
        scripts=scripts,
        counts=counts,
    )


def longest_tokens(tokenizer: Tokenizer, most: int = 10) -> list[str]:
    """The tokens of the vocabulary that stand for the most characters, the longest first."""
    vocabulary = tokenizer.vocabulary or ()
    lengths = [
        len(tokenizer.bytes_of(token).decode(errors="surrogateescape")) for token in vocabulary
    ]
    order = sorted(range(len(vocabulary)), key=lambda place: -lengths[place])
    return [vocabulary[place] for place in order[:most]]


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _placed(
    vocabulary: Sequence[str], tokens: Sequence[str], totals: NDArray[np.int64]
) -> NDArray[np.int64]:
    """``totals``, which are of ``tokens``, by their places in ``vocabulary``."""
    seen = dict(zip(tokens[3:], totals[3:].tolist(), strict=False))
    return np.array([seen.get(token, 0) for token in vocabulary], np.int64)


class _Words:
    """The words of a text, each kind of them cut up once."""

    def __init__(self, settings: TextSettings) -> None:
        self._settings = settings
        self._counts: Counter[bytes] = Counter()
        self._sums: dict[str, NDArray[np.int64]] = {}
        self.number = 0

    def add(self, chunk: bytes) -> None:
        self._counts.update(chunk.split())
        if len(self._counts) > _MOST_WORDS:
            self._sum_up()

    def by_script(self) -> tuple[ScriptFigures, ...]:
        """The figures of each script that there is; the one with the most words first."""
        self._sum_up()
        found = [
            ScriptFigures(script, *map(int, sums.tolist())) for script, sums in self._sums.items()
        ]
        return tuple(sorted(found, key=lambda one: (-one.words, one.script)))

    def _sum_up(self) -> None:
        words = iter(self._counts.items())
        while block := list(islice(words, _AT_ONCE)):
            spelt, often = zip(*block, strict=True)
            counts = np.array(often, np.int64)
            self.number += int(counts.sum())
            stream = TokenStream(self._settings, prepared=True)
            numbers = stream.numbers(b"".join([b" %b\n" % word for word in spelt]))
            tokens = np.diff(np.flatnonzero(numbers == EOS), prepend=-1) - 1
            texts = [word.decode(errors="surrogateescape") for word in spelt]
            lengths = np.fromiter(map(len, texts), np.int64, len(texts))
            scripts = np.array(list(map(script_of, texts)))
            for script in np.unique(scripts).tolist():
                own = scripts == script
                sums = [
                    counts[own].sum(),
                    counts[own] @ lengths[own],
                    counts[own] @ tokens[own],
                ]
                self._sums[script] = self._sums.get(script, np.zeros(3, np.int64)) + sums
        self._counts.clear()


def script_of(word: str) -> str:
    """The script of the first letter of ``word``, of `SCRIPTS`, `OTHER` or `NONE`."""
    if word.isascii():
        return "Latin" if any(map(str.isalpha, word)) else NONE
    found = _letter().search(word)
    if found is None:
        return NONE
    return OTHER if found.lastindex is None else SCRIPTS[found.lastindex - 1]


@cache
def _letter() -> Any:
    import regex  # type: ignore[import-untyped, unused-ignore]

    scripts = "|".join(rf"(\p{{{script}}})" for script in SCRIPTS)
    return regex.compile(rf"(?=\p{{L}})(?:{scripts}|.)", regex.DOTALL)

"""The spelling correctors that `correction.py` measures side by side, each behind one face.

The peers look at words alone. For text each of them is given the words between spaces without
the punctuation around them, what it does not know is replaced by its first suggestion, and
capitals come back as they were: more than these programs do by themselves.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


class Unavailable(Exception):
    """A peer that is not installed here."""


class Speller(ABC):
    """A corrector: suggestions for a word, corrected lines, words of a line without spaces."""

    name: ClassVar[str]

    @abstractmethod
    def suggest(self, word: str) -> Sequence[str]:
        """What may have been meant, the best first."""

    def best(self, word: str) -> Sequence[str]:
        """The same, where only the first one is needed."""
        return self.suggest(word)

    @abstractmethod
    def knows(self, word: str) -> bool:
        """Whether a word is right as far as this corrector can tell."""

    def correct(self, lines: Sequence[str]) -> list[str]:
        """The lines, corrected."""
        return [WORD.sub(lambda found: self._word(found[0]), line) for line in lines]

    def split(self, lines: Sequence[str]) -> list[str] | None:
        """The lines with spaces between their words; None: it has no way to do so."""
        return None

    def _word(self, word: str) -> str:
        if self.knows(word):
            return word
        suggested = self.best(word)
        best = suggested[0] if suggested else word
        if word.isupper() and len(word) > 1:
            return best.upper()
        return best[:1].upper() + best[1:] if word[0].isupper() else best


class SymSpellSpeller(Speller):
    """symspellpy with the dictionary of 82,765 words that it brings."""

    name = "symspellpy"

    def __init__(self) -> None:
        try:
            import symspellpy
        except ImportError as error:
            raise Unavailable("pip install symspellpy") from error
        from importlib.resources import files

        self._symspell = symspellpy.SymSpell(max_dictionary_edit_distance=2)
        dictionary = files("symspellpy") / "frequency_dictionary_en_82_765.txt"
        self._symspell.load_dictionary(str(dictionary), 0, 1)
        self._all, self._top = symspellpy.Verbosity.ALL, symspellpy.Verbosity.TOP
        self._best = lru_cache(None)(self._look_up)

    def _look_up(self, word: str) -> Sequence[str]:
        return [one.term for one in self._symspell.lookup(word.lower(), self._top)]

    def suggest(self, word: str) -> Sequence[str]:
        return [one.term for one in self._symspell.lookup(word.lower(), self._all)]

    def best(self, word: str) -> Sequence[str]:
        return self._best(word)

    def knows(self, word: str) -> bool:
        return word.lower() in self._symspell.words

    def split(self, lines: Sequence[str]) -> list[str] | None:
        return [
            self._symspell.word_segmentation(line, 0).corrected_string if line else line
            for line in lines
        ]


class PySpellChecker(Speller):
    """pyspellchecker, as it comes."""

    name = "pyspellchecker"

    def __init__(self) -> None:
        try:
            import spellchecker
        except ImportError as error:
            raise Unavailable("pip install pyspellchecker") from error
        self._checker = spellchecker.SpellChecker()
        self.suggest = lru_cache(None)(self._look_up)  # type: ignore[method-assign]

    def _look_up(self, word: str) -> Sequence[str]:
        candidates: Any = self._checker.candidates(word.lower()) or ()
        return sorted(candidates, key=self._checker.word_usage_frequency, reverse=True)

    def suggest(self, word: str) -> Sequence[str]:
        raise NotImplementedError  # an instance has a cached one

    def knows(self, word: str) -> bool:
        return word.lower() in self._checker


class PipeSpeller(Speller):
    """A program that speaks ispell's protocol: a line of words in, a line a word out, and an
    empty one."""

    command: ClassVar[tuple[str, ...]]

    def __init__(self) -> None:
        if shutil.which(self.command[0]) is None:
            raise Unavailable(f"apt install {self.command[0]}, with its English")
        self._process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
        )
        assert self._process.stdout is not None
        self._process.stdout.readline()
        self._ask = lru_cache(None)(self._answer)

    def close(self) -> None:
        """End the program."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _answer(self, word: str) -> tuple[str, ...] | None:
        """Its suggestions; None where it knows the word."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"^{word}\n")
        self._process.stdin.flush()
        answer: tuple[str, ...] | None = None
        while line := self._process.stdout.readline().strip():
            if line.startswith(("&", "?")):
                answer = tuple(line.partition(": ")[2].split(", "))
            elif line.startswith("#"):
                answer = ()
        return answer

    def suggest(self, word: str) -> Sequence[str]:
        answer = self._ask(word)
        return (word,) if answer is None else answer

    def knows(self, word: str) -> bool:
        return self._ask(word) is None


class Aspell(PipeSpeller):
    """aspell, in its default mode."""

    name = "aspell"
    command = ("aspell", "-a", "--lang=en_US", "--encoding=utf-8")


class AspellSlow(PipeSpeller):
    """aspell, in the mode that suggests best."""

    name = "aspell slow"
    command = (*Aspell.command, "--sug-mode=slow")


class Hunspell(PipeSpeller):
    """hunspell with Debian's American English."""

    name = "hunspell"
    command = ("hunspell", "-a", "-d", "en_US", "-i", "utf-8")


class Lmkit(Speller):
    """lmkit with a model file and, if given, a word list."""

    name = "lmkit"

    def __init__(self, model: Path, lexicon: Path | None) -> None:
        import lmkit
        from lmkit.channel.corrector import Corrector

        loaded = lmkit.load(model)
        self._corrector = Corrector(loaded, lexicon=lexicon)
        self._splitter = Corrector(loaded, lexicon=lexicon, split_words=True)

    def suggest(self, word: str) -> Sequence[str]:
        return [one.text.lower() for one in self._corrector.suggest(word, n=10)]

    def knows(self, word: str) -> bool:
        raise NotImplementedError("it corrects whole lines")

    def correct(self, lines: Sequence[str]) -> list[str]:
        return [one.corrected for one in self._corrector.correct(lines)]

    def split(self, lines: Sequence[str]) -> list[str] | None:
        return [one.corrected for one in self._splitter.correct(lines)]


PEERS: tuple[type[Speller], ...] = (SymSpellSpeller, PySpellChecker, Aspell, AspellSlow, Hunspell)

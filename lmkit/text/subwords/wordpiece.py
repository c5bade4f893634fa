"""WordPiece: a word becomes the longest pieces of a vocabulary, from left to right.

As in BERT (Devlin et al. 2019, ``tokenization.py``): a piece that does not begin the word is
written with a prefix (``##``). A word that cannot be covered so is unknown as a whole, and so is
one that is too long.
"""

from __future__ import annotations

from collections.abc import Mapping


class WordPiece:
    """Cuts words into the pieces of ``vocabulary``, which has the id of each.

    ``unknown`` is the id of what a word becomes that has no such pieces.
    """

    def __init__(
        self,
        vocabulary: Mapping[str, int],
        unknown: int,
        prefix: str = "##",
        longest_word: int = 100,
    ) -> None:
        self._first = vocabulary
        self._inner = {
            token[len(prefix) :]: id_
            for token, id_ in vocabulary.items()
            if token.startswith(prefix)
        }
        self._longest = max(map(len, vocabulary), default=0)
        self._longest_word = longest_word
        self._unknown = unknown

    def encode(self, word: str) -> list[int]:
        """The ids of the pieces of ``word``."""
        if len(word) > self._longest_word:
            return [self._unknown]
        ids = []
        start, pieces = 0, self._first
        while start < len(word):
            for end in range(min(len(word), start + self._longest), start, -1):
                if (found := pieces.get(word[start:end])) is not None:
                    break
            else:
                return [self._unknown]
            ids.append(found)
            start, pieces = end, self._inner
        return ids

    def unknown_texts(self, word: str) -> list[str]:
        """What each unknown id in the result of `encode` stands for."""
        return [word] if self.encode(word) == [self._unknown] else []

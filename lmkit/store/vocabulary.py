"""The vocabulary of an open model file: looked up token by token while few are asked for,
loaded whole once that is cheaper."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lmkit.model import UNK
from lmkit.store.damage import damaged, query
from lmkit.store.modelfile import ModelReader

FEW = 2000
"""How many tokens are looked up one by one before the whole vocabulary is loaded."""


class StoredVocabulary:
    """Answers as `lmkit.text.vocabulary.Vocabulary` does."""

    def __init__(self, reader: ModelReader) -> None:
        self._connection = reader.connection
        self.limited: bool = reader.meta["vocabulary_limited"]
        self._size: int = reader.meta["vocabulary_size"]
        self._asked = 0

    def __len__(self) -> int:
        return self._size

    def __contains__(self, token: object) -> bool:
        return isinstance(token, str) and self._find(token) is not None

    @cached_property
    def tokens(self) -> list[str]:
        """All tokens, by id."""
        tokens = [t for (t,) in query(self._connection, "SELECT token FROM vocabulary ORDER BY id")]
        if len(tokens) != self._size or set(map(type, tokens)) - {str}:
            raise damaged(self._connection, "tokens of the vocabulary are missing")
        return tokens

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """How often each token was seen in training: [V]."""
        rows = query(self._connection, "SELECT count FROM vocabulary ORDER BY id")
        counts = [count for (count,) in rows]
        if len(counts) != self._size or set(map(type, counts)) - {int}:
            raise damaged(self._connection, "counts of the vocabulary are missing")
        return np.array(counts, np.int64)

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {token: i for i, token in enumerate(self.tokens)}

    def _find(self, token: str) -> int | None:
        self._asked += 1
        if "_ids" in self.__dict__ or self._asked > FEW:
            return self._ids.get(token)
        rows = query(self._connection, "SELECT id FROM vocabulary WHERE token = ?", (token,))
        row = next(rows, None)
        if row is None:
            return None
        if not isinstance(row[0], int):
            raise damaged(self._connection, f"the token {token!r} has no id")
        return row[0]

    def id_of(self, token: str) -> int:
        """The id of ``token``; that of ``<unk>`` for one that is not in the vocabulary."""
        found = self._find(token)
        return UNK if found is None else found

    def ids_of(self, tokens: Sequence[str]) -> NDArray[np.int32]:
        """The id of each of ``tokens``."""
        if self._asked + len(tokens) > FEW:
            find = self._ids.get
            return np.fromiter((find(t, UNK) for t in tokens), np.int32, len(tokens))
        return np.fromiter((self.id_of(t) for t in tokens), np.int32, len(tokens))

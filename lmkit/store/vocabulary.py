"""The vocabulary of an open model file: looked up token by token while few are asked for,
loaded whole once that is cheaper."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.model import UNK
from lmkit.store.checksums import COUNTS, TOKENS, counts_crc, token_crc, tokens_crc
from lmkit.store.damage import damage, damaged, query
from lmkit.store.modelfile import ModelReader

FEW = 2000
"""How many tokens are looked up one by one before the whole vocabulary is loaded."""


class StoredVocabulary:
    """Answers as `lmkit.text.vocabulary.Vocabulary` does."""

    def __init__(self, reader: ModelReader) -> None:
        self._reader = reader
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
        tokens = self._whole("token", str)
        with damage(self._reader.path):
            self._reader.verify(TOKENS, lambda: tokens_crc(tokens))
        return tokens

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """How often each token was seen in training: [V]."""
        with damage(self._reader.path):
            counts = np.array(self._whole("count", int), np.int64)
            self._reader.verify(COUNTS, lambda: counts_crc(counts))
        return counts

    def _whole(self, name: str, kind: type) -> list[Any]:
        values = [
            v for (v,) in query(self._connection, f"SELECT {name} FROM vocabulary ORDER BY id")
        ]
        ends = next(query(self._connection, "SELECT min(id), max(id) FROM vocabulary"))
        if (
            len(values) != self._size
            or ends != (0, self._size - 1)
            or set(map(type, values)) - {kind}
        ):
            raise damaged(self._connection, f"{name}s of the vocabulary are missing")
        return values

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {token: i for i, token in enumerate(self.tokens)}

    def _find(self, token: str) -> int | None:
        self._asked += 1
        if "_ids" in self.__dict__ or self._asked > FEW:
            return self._ids.get(token)
        with damage(self._reader.path):
            return self._looked_up(token)

    def _looked_up(self, token: str) -> int | None:
        """The id of ``token``, from the row that is at or before it in alphabetical order: its
        checksum says which token follows, so that a broken index cannot hide one."""
        if not self._reader.checked:
            row = self._row("WHERE token = ?", token)
        else:
            row = self._row("WHERE token <= ? ORDER BY token DESC", token) or self._row(
                "ORDER BY token DESC"
            )
            following = self._row("WHERE token > ? ORDER BY token", token) or self._row(
                "ORDER BY token"
            )
            if row is None or following is None:
                raise ValueError("it has no vocabulary")
            if row[2] != token_crc(row[0], row[1], following[1]):
                raise ValueError(f"the vocabulary around {token!r} is not what was written")
        if row is None or row[1] != token:
            return None
        if not isinstance(row[0], int) or not 0 <= row[0] < self._size:
            raise ValueError(f"the token {token!r} has no id")
        return row[0]

    def beginning_with(self, prefix: str) -> dict[str, int]:
        """The tokens that begin with ``prefix`` and their ids, in alphabetical order: a range of
        the index, which is read alone."""
        with damage(self._reader.path):
            before = self._row("WHERE token < ? ORDER BY token DESC", prefix)
            rows = [] if before is None else [before]
            crc = "crc" if self._reader.checked else "NULL"
            sql = f"SELECT id, token, {crc} FROM vocabulary WHERE token >= ? ORDER BY token"
            following = self._row("ORDER BY token")
            for row in self._connection.execute(sql, (prefix,)):
                rows.append(row)
                if not str(row[1]).startswith(prefix):
                    following = None
                    break
            ends = rows if following is None else [*rows, following]
            for one, after in pairwise(ends):
                if self._reader.checked and one[2] != token_crc(one[0], one[1], after[1]):
                    raise ValueError(f"the vocabulary around {prefix!r} is not what was written")
            found = {row[1]: row[0] for row in rows if str(row[1]).startswith(prefix)}
            if any(not isinstance(i, int) or not 0 <= i < self._size for i in found.values()):
                raise ValueError(f"a token that begins with {prefix!r} has no id")
        return found

    def _row(self, where: str, *parameters: str) -> tuple[Any, ...] | None:
        crc = "crc" if self._reader.checked else "NULL"
        sql = f"SELECT id, token, {crc} FROM vocabulary {where} LIMIT 1"
        return self._connection.execute(sql, parameters).fetchone()

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

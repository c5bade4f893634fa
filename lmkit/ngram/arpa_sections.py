"""The lines of an ARPA file's sections: checked, as token ids and numbers.

``M`` is the number of entries of a section of order n.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import FormatError
from lmkit.model import BOS, EOS, UNK
from lmkit.ngram.escapes import unescaped
from lmkit.ngram.fields import BadFieldError, Fields, WordTable, fields_by_size
from lmkit.text.settings import TextSettings

LN10 = float(np.log(10))
ROUNDED = 1e-3
"""Up to here a log10 probability above 0 is a rounded 0, which other toolkits write."""
SPECIAL_IDS = {b"<unk>": UNK, b"<UNK>": UNK, b"<s>": BOS, b"</s>": EOS}


def natural(log10: NDArray[np.float64]) -> NDArray[np.float32]:
    """Natural logarithms, as a model keeps them."""
    with np.errstate(over="ignore"):
        # What is beyond the least number of a model is -inf there.
        return (log10 * LN10).astype(np.float32)


def malformed(name: str, line: int, reason: str, hint: str | None = None) -> FormatError:
    """The error for ``line`` of the file ``name``."""
    return FormatError(f"{name}, line {line}: {reason}", hint)


@dataclass(frozen=True, slots=True)
class Entries:
    """``ids`` [M, n], ``log_prob`` and ``log_backoff`` [M] (natural logarithms), and the
    ``lines`` [M] they are on."""

    ids: NDArray[np.int32]
    log_prob: NDArray[np.float32]
    log_backoff: NDArray[np.float32]
    lines: NDArray[np.int64]

    def chosen(self, rows: NDArray[Any]) -> Entries:
        """The entries in ``rows`` only."""
        return Entries(
            self.ids[rows], self.log_prob[rows], self.log_backoff[rows], self.lines[rows]
        )


class _Section:
    """Cuts lines into words and numbers. A backoff at the highest order is passed over later:
    nothing can back off from there."""

    def __init__(self, name: str, order: int) -> None:
        self.name = name
        self.order = order
        self.size = 0
        self.above = 0
        """How many log10 probabilities were slightly above 0."""

    def feed(self, text: bytes, first_line: int) -> None:
        """Take whole lines, the first of which has the number ``first_line``."""
        for size, fields in fields_by_size(text, first_line):
            if not self.order + 1 <= size <= self.order + 2:
                raise malformed(
                    self.name,
                    int(fields.lines[0]),
                    f"{size} fields where a probability, {self.order} "
                    f"word{'s' * (self.order > 1)} and perhaps a backoff should be",
                )
            log_prob = self._numbers(fields, 0, "log10 probability")
            self._check(log_prob > ROUNDED, fields, "a log10 probability above 0")
            self.above += int((log_prob > 0).sum())
            log_prob = np.minimum(log_prob, 0)
            if size == self.order + 2:
                log_backoff = self._numbers(fields, size - 1, "log10 backoff")
                self._check(np.isposinf(log_backoff), fields, "a backoff that is infinite")
            else:
                log_backoff = np.zeros(len(fields.lines))
            self.size += len(fields.lines)
            self._take(fields, log_prob, log_backoff)

    def _take(
        self, fields: Fields, log_prob: NDArray[np.float64], log_backoff: NDArray[np.float64]
    ) -> None:
        """Keep these entries."""
        raise NotImplementedError

    def _numbers(self, fields: Fields, column: int, what: str) -> NDArray[np.float64]:
        try:
            return fields.numbers(column)
        except BadFieldError as error:
            shown = fields.field(error.row, column).decode()
            raise malformed(
                self.name,
                int(fields.lines[error.row]),
                f"{shown!r} is not a {what}",
                "writing numbers with points (LC_ALL=C)" if "," in shown else None,
            ) from None

    def _check(self, wrong: NDArray[np.bool_], fields: Fields, what: str) -> None:
        if wrong.any():
            raise malformed(self.name, int(fields.lines[np.argmax(wrong)]), what)


class UnigramSection(_Section):
    """The first section, which is the vocabulary: ``tokens`` by id, and ``table`` with the ids
    of the words as the file has them."""

    def __init__(self, name: str, settings: TextSettings) -> None:
        super().__init__(name, 1)
        self._settings = settings
        self.tokens = ["<unk>", "<s>", "</s>"]
        self.table = WordTable()
        self._entries: list[tuple[int, bytes, float, float]] = []

    def _take(
        self, fields: Fields, log_prob: NDArray[np.float64], log_backoff: NDArray[np.float64]
    ) -> None:
        words = fields.words(1)
        self._entries += zip(
            fields.lines.tolist(), words, log_prob.tolist(), log_backoff.tolist(), strict=True
        )

    def finish(self, line: int) -> None:
        """Number the words in the order of the file; ``line`` is the one behind them."""
        self._entries.sort()
        ids = dict(SPECIAL_IDS)
        known: set[int] = set()
        values: list[tuple[float, float]] = [(np.nan, 0.0)] * 3
        for number, word, log_prob, log_backoff in self._entries:
            token = ids.setdefault(word, len(self.tokens))
            if token == len(self.tokens):
                self.tokens.append(unescaped(word.decode(), self._settings))
                values.append((log_prob, log_backoff))
            elif token > EOS or token in known:
                shown = word.decode()
                raise malformed(self.name, number, f"the word {shown!r} stands in the file twice")
            else:
                known.add(token)
                values[token] = log_prob, log_backoff
        for marker in (BOS, EOS):
            if marker not in known:
                raise malformed(
                    self.name,
                    line,
                    f"the unigrams end without {self.tokens[marker]}",
                    "adding it: sentences cannot be scored without",
                )
        self._entries.clear()
        self._values = np.array(values).T
        self.table = table_of(ids)

    def columns(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """log10 probability (NaN for a missing ``<unk>``) and backoff of each token, by id."""
        log_prob, log_backoff = self._values
        return log_prob, log_backoff


class NgramSection(_Section):
    """The section of an order of 2 or more."""

    def __init__(self, name: str, order: int, table: WordTable) -> None:
        super().__init__(name, order)
        self._table = table
        self._pieces: list[tuple[NDArray[Any], ...]] = []

    def _take(
        self, fields: Fields, log_prob: NDArray[np.float64], log_backoff: NDArray[np.float64]
    ) -> None:
        ids = self._table.ids_of(fields.hashes(slice(1, self.order + 1)))
        if (ids < 0).any():
            row, column = np.argwhere(ids < 0)[0].tolist()
            shown = fields.field(row, column + 1).decode()
            raise malformed(
                self.name,
                int(fields.lines[row]),
                f"the word {shown!r} is not among the unigrams",
            )
        self._pieces.append((ids, natural(log_prob), natural(log_backoff), fields.lines))

    def entries(self) -> Entries:
        """All entries of the section. Can be asked for once: it is then empty."""
        ids, number = np.zeros((0, self.order), np.int32), np.zeros(0, np.float32)
        nothing = (ids, number, number, np.zeros(0, np.int64))
        columns = map(np.concatenate, zip(nothing, *self._pieces, strict=True))
        result = Entries(*columns)
        self._pieces.clear()
        return result


def table_of(ids: dict[bytes, int]) -> WordTable:
    """A table of the words in ``ids``."""
    table = WordTable()
    for size, fields in fields_by_size(b"\n".join(ids) + b"\n", 1):
        assert size == 1
        table.add(fields.hashes(slice(0, 1)).ravel(), np.fromiter(ids.values(), np.int32))
    return table

"""The lines of an ARPA file's sections: checked, as token ids and numbers.

``M`` is the number of entries of a section of order n.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import FormatError
from lmkit.model import BOS, EOS, UNK
from lmkit.ngram.assembly import well_formed
from lmkit.ngram.counting import STEP
from lmkit.ngram.escapes import unescaped
from lmkit.ngram.fields import BadFieldError, Fields, WordTable, fields_by_size
from lmkit.ngram.growing import GrowingTrie
from lmkit.store.columns import Column
from lmkit.text.settings import TextSettings
from lmkit.threads import Pipeline

LN10 = float(np.log(10))
ROUNDED = 1e-3
"""Up to here a log10 probability above 0 is a rounded 0, which other toolkits write."""
PART_BYTES = 1 << 20
"""How much a thread works on at a time: what comes of so few bytes stays in cache."""
KINDS = (np.float32, np.float32, np.int64)
"""Of what an n-gram has in a growing trie: log probability, log backoff, line."""
FILLS = (np.nan, 0.0, 0)
"""What they are of an n-gram that is not in the file."""
LOG_PROB, LOG_BACKOFF, LINES = range(3)
SPECIAL_IDS = {b"<unk>": UNK, b"<UNK>": UNK, b"<s>": BOS, b"</s>": EOS}


def natural(log10: NDArray[np.float64]) -> NDArray[np.float32]:
    """Natural logarithms, as a model keeps them."""
    with np.errstate(over="ignore"):
        # What is beyond the least number of a model is -inf there.
        return (log10 * LN10).astype(np.float32)


def malformed(name: str, line: int, reason: str, hint: str | None = None) -> FormatError:
    """The error for ``line`` of the file ``name``."""
    return FormatError(f"{name}, line {line}: {reason}", hint)


@dataclass(slots=True)
class Parsed:
    """Lines with equally many fields: ``log_prob`` and ``log_backoff`` (log10) of each, and how
    many log10 probabilities were slightly ``above`` 0."""

    fields: Fields
    log_prob: NDArray[np.float64]
    log_backoff: NDArray[np.float64]
    above: int


class _Section:
    """Cuts lines into words and numbers. A backoff at the highest order is passed over later:
    nothing can back off from there."""

    def __init__(self, name: str, order: int) -> None:
        self.name = name
        self.order = order
        self.size = 0
        self.above = 0
        """How many log10 probabilities were slightly above 0."""

    def _parsed(self, text: bytes, first_line: int) -> Iterator[Parsed]:
        """Whole lines, the first of which has the number ``first_line``. Changes nothing, so that
        threads may share it."""
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
            above = int(np.count_nonzero(log_prob > 0))
            log_prob = np.minimum(log_prob, 0)
            if size == self.order + 2:
                log_backoff = self._numbers(fields, size - 1, "log10 backoff")
                self._check(np.isposinf(log_backoff), fields, "a backoff that is infinite")
            else:
                log_backoff = np.zeros(len(fields.lines))
            yield Parsed(fields, log_prob, log_backoff, above)

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

    def feed(self, text: bytes, first_line: int) -> None:
        """Take whole lines, the first of which has the number ``first_line``."""
        for part in self._parsed(text, first_line):
            self.size += len(part.fields.lines)
            self.above += part.above
            self._entries += zip(
                part.fields.lines.tolist(),
                part.fields.words(1),
                part.log_prob.tolist(),
                part.log_backoff.tolist(),
                strict=True,
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


@dataclass(slots=True)
class _Piece:
    """What lines become: ``ids`` [M, n] of n-grams that a sentence can hold, the rows of their
    ``contexts``, and their ``values``, of `KINDS`; how many others were ``dropped``."""

    ids: NDArray[np.int32]
    contexts: NDArray[np.int64]
    values: list[NDArray[Any]]
    above: int
    dropped: int


class NgramSection(_Section):
    """The section of an order of 2 or more, the next that ``growing`` takes."""

    def __init__(
        self, name: str, order: int, table: WordTable, growing: GrowingTrie, pipeline: Pipeline
    ) -> None:
        super().__init__(name, order)
        self.dropped = 0
        """How many n-grams no sentence can hold."""
        self.repeated: int | None = None
        """The first line whose n-gram stands in the section before."""
        self._table = table
        self._growing = growing
        self._listing = growing.listing()
        self._pipeline = pipeline

    def feed(self, text: bytes, first_line: int) -> None:
        """Have whole lines taken, the first of which has the number ``first_line``; what is wrong
        with them the pipeline says."""
        self._pipeline.put(partial(self._work, text, first_line), self._take)

    def _work(self, text: bytes, line: int) -> _Piece:
        """The n-grams of ``text``, worked on in parts that stay in cache."""
        nothing = np.zeros((0, self.order), np.int32), *(np.zeros(0, k) for k in KINDS)
        parts: list[tuple[NDArray[Any], ...]] = [nothing]
        above = dropped = start = 0
        while start < len(text):
            stop = text.rfind(b"\n", start, start + PART_BYTES) + 1
            if not stop:
                stop = text.index(b"\n", start) + 1
            part = text[start:stop]
            for parsed in self._parsed(part, line):
                columns = self._columns(parsed)
                good = well_formed(columns[0])
                if not good.all():
                    dropped += int(np.count_nonzero(~good))
                    columns = tuple(column[good] for column in columns)
                parts.append(columns)
                above += parsed.above
            start = stop
            if start < len(text):
                line += int(np.count_nonzero(np.frombuffer(part, np.uint8) == ord("\n")))
        ids, *values = map(np.concatenate, zip(*parts, strict=True))
        lines = values[LINES]
        if (lines[1:] < lines[:-1]).any():
            # Those with and without a backoff came apart: together again, they may be sorted.
            order = np.argsort(lines)
            ids, values = ids[order], [column[order] for column in values]
        return _Piece(ids, self._growing.contexts(ids), values, above, dropped)

    def _columns(self, parsed: Parsed) -> tuple[NDArray[Any], ...]:
        fields = parsed.fields
        ids = fields.ids(self._table, range(1, self.order + 1))
        if (ids < 0).any():
            row, column = np.argwhere(ids < 0)[0].tolist()
            shown = fields.field(row, column + 1).decode()
            raise malformed(
                self.name,
                int(fields.lines[row]),
                f"the word {shown!r} is not among the unigrams",
            )
        return ids, natural(parsed.log_prob), natural(parsed.log_backoff), fields.lines

    def _take(self, piece: _Piece) -> None:
        self.size += len(piece.ids) + piece.dropped
        self.above += piece.above
        self.dropped += piece.dropped
        self._listing.append(piece.ids, piece.contexts, piece.values)

    def seal(self) -> None:
        """Make a level of the growing trie of the section."""
        self._growing.seal(self._listing)
        if not self._listing.ascending:
            level = self._growing.levels[-1]
            self.repeated = _first_repeated(level.keys, level.values[LINES])


def _first_repeated(keys: Column, lines: Column) -> int | None:
    """The least of ``lines`` whose key is that of the row before; None: all differ."""
    least = None
    for start in range(0, len(keys), STEP):
        stop = start + STEP + 1
        here = keys.read(start, stop)
        again = np.flatnonzero(here[1:] == here[:-1]) + 1
        if len(again):
            line = int(lines.read(start, stop)[again].min())
            least = line if least is None else min(least, line)
    return least


def table_of(ids: dict[bytes, int]) -> WordTable:
    """A table of the words in ``ids``."""
    table = WordTable()
    for size, fields in fields_by_size(b"\n".join(ids) + b"\n", 1):
        assert size == 1
        table.add(fields.hashes(slice(0, 1)).ravel(), np.fromiter(ids.values(), np.int32))
    return table

"""A lexicon in a model file, so that a channel is asked without reading a vocabulary first.

Columns that begin with ``lexicon.``: the letters of all words behind each other as numbers into the
``alphabet`` and how many each word has; the rows of the words in alphabetical order; and what
`Stock` says of them, ``ids``, ``counts`` and ``capitals`` of those in ``source_rows`` only, and of
the source's tokens. Files made before there were any have none, and are read as ever.
"""

from __future__ import annotations

import sys
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.channel.candidates.folding import PATTERNS, fold
from lmkit.channel.candidates.stock import Stock
from lmkit.channel.candidates.words import PackedWords
from lmkit.channel.candidates.wordtable import WordTable
from lmkit.model import LanguageModel
from lmkit.store.columns import MemoryColumn, narrow
from lmkit.store.damage import damage
from lmkit.store.facts import check, integer, record
from lmkit.store.modelfile import ModelReader, ModelWriter
from lmkit.store.spelling import save_spelling, stored_spelling

KEY = "lexicon_stock"
"""In ``meta``: which version, and how many words."""
VERSION = 1
"""Changes with what counts as a word and how it is folded: of a lexicon of another version only
the words that were listed are taken, the others anew from the source."""
PREFIX = "lexicon."
SPELLING = "lexicon_spelling"
"""How the words of the list are spelt, where there are enough: `lmkit.store.spelling`."""


def save_stock(writer: ModelWriter, stock: Stock) -> None:
    """Write ``stock``."""
    table = stock.words.table
    known = np.flatnonzero(stock.ids.any(axis=0) | (stock.counts > 0) | stock.capitals)
    columns: dict[str, NDArray[Any]] = {
        "alphabet": table.alphabet,
        "codes": table.codes.astype(narrow(len(table.alphabet))),
        "lengths": table.lengths.astype(narrow(int(table.lengths.max(initial=0)))),
        "order": stock.words.order.astype(narrow(len(table))),
        "source_rows": known.astype(narrow(len(table))),
        "ids": stock.ids[:, known].reshape(-1),
        "counts": stock.counts[known],
        "capitals": stock.capitals[known].astype(np.uint8),
        "token_counts": stock.token_counts,
    }
    if stock.listing.any():
        columns["listing"] = stock.listing
    for name, values in columns.items():
        writer.column(PREFIX + name, MemoryColumn(values))
    save_spelling(writer, stock.spelling, SPELLING)
    writer.meta({KEY: {"version": VERSION, "words": len(table)}})


class StoredStock:
    """The lexicon of an open model file, made of ``source`` and a list, read when it is asked
    for."""

    def __init__(self, reader: ModelReader, source: LanguageModel) -> None:
        self._reader = reader
        self._source = source

    @property
    def there(self) -> bool:
        """Whether the file has one."""
        return KEY in self._reader.meta

    @cached_property
    def stock(self) -> Stock:
        """Raises `ModelFileError` where the file is damaged."""
        with damage(self._reader.path):
            facts = self._reader.meta[KEY]
            check(facts, record({"version": integer(), "words": integer()}), KEY)
            words = self._words(facts["words"])
            return self._read(words) if facts["version"] == VERSION else self._renewed(words)

    def _renewed(self, words: PackedWords) -> Stock:
        listed: dict[str, float] = {}
        if self._reader.has_column(PREFIX + "listing"):
            counts = self._column("listing")
            for row in np.flatnonzero(counts).tolist():
                word = fold(words[row])
                listed[word] = listed.get(word, 0.0) + float(counts[row])
        return Stock.of(self._source).with_list(listed)

    def _read(self, words: PackedWords) -> Stock:
        many, tokens = len(words), len(self._source.vocabulary)
        known, counts, capitals = map(self._column, ("source_rows", "counts", "capitals"))
        patterns = self._column("ids").reshape(len(PATTERNS), len(known))
        if not 0 <= patterns.min(initial=0) <= patterns.max(initial=0) < tokens:
            raise ValueError("its lexicon has tokens that its source has not")
        seen = self._column("token_counts")
        if len(seen) != tokens:
            raise ValueError("its lexicon is of another vocabulary")
        if not 0 <= known.min(initial=0) <= known.max(initial=0) < max(many, 1):
            raise ValueError("its lexicon has words that are not there")
        for numbers in (seen, counts):
            if not (np.isfinite(numbers).all() and (numbers >= 0).all()):
                raise ValueError("its lexicon has counts that are none")
        stock = Stock(
            words,
            np.zeros((len(PATTERNS), many), np.int32),
            np.zeros(many),
            np.zeros(many, bool),
            np.zeros(many),
            seen,
            stored_spelling(self._reader, SPELLING),
        )
        stock.ids[:, known] = patterns
        stock.counts[known] = counts
        stock.capitals[known] = capitals
        if self._reader.has_column(PREFIX + "listing"):
            stock.listing[:] = self._column("listing")
            if not (np.isfinite(stock.listing).all() and (stock.listing >= 0).all()):
                raise ValueError("its lexicon has counts that are none")
        return stock

    def _words(self, many: int) -> PackedWords:
        alphabet, codes, lengths, order = map(
            self._column, ("alphabet", "codes", "lengths", "order")
        )
        starts = np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))
        right = len(lengths) == len(order) == many and starts[-1] == len(codes)
        if not right or codes.max(initial=0) > len(alphabet) or codes.min(initial=1) < 1:
            raise ValueError("the words of its lexicon are not whole")
        if not np.array_equal(np.sort(order), np.arange(many)):
            raise ValueError("the words of its lexicon have no order")
        if alphabet.max(initial=0) > sys.maxunicode:
            raise ValueError("its lexicon has letters that are none")
        return PackedWords(WordTable.packed(codes, starts, alphabet), order.astype(np.int64))

    def _column(self, name: str) -> NDArray[Any]:
        return self._reader.column(PREFIX + name).array()

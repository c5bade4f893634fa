r"""Reading ARPA files, the text format that all n-gram toolkits share.

Remarks, which may say anything; the line ``\data\`` with the number of n-grams of each order; a
section an order with lines ``log10-probability  w1 ... wn  log10-backoff``, and ``\end\``.
Separators may be tabs or spaces, a backoff of 0 may be left out, blank lines mean nothing.

What is read is what KenLM reads: a missing ``<unk>`` gets 10^-100, ``<s>`` is never predicted,
and a context that is not listed itself is inserted with its backed-off probability (no score
changes). Unlike there, any order goes. The shorter forms of n-grams may be missing, as pruning
leaves them: their ``suffix`` is -1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import FormatError
from lmkit.model import BOS, UNK
from lmkit.ngram.arpa_sections import (
    LN10,
    Entries,
    NgramSection,
    UnigramSection,
    malformed,
    natural,
)
from lmkit.ngram.assembly import (
    Assembly,
    assemble,
    log_probs_of_ngrams,
    ngram_ids,
    well_formed,
)
from lmkit.ngram.model import NgramModel
from lmkit.ngram.trie import MOST_ORDER, Trie
from lmkit.store.columns import MemoryColumn
from lmkit.text.encoder import TextEncoder
from lmkit.text.reading import Source, TextReader, source_name
from lmkit.text.settings import TextSettings
from lmkit.text.vocabulary import Vocabulary

Progress = Callable[[str, int, int], None]

CHUNK_BYTES = 1 << 20
"""How much is worked on at a time: few enough bytes for what comes of them to stay in cache."""

MISSING_UNK_LOG10 = -100.0
"""What KenLM gives ``<unk>`` in a file without it."""
ODD_SUM = 0.01
"""From how far off one a note says what the unigram probabilities sum to."""

_SIZE = re.compile(rb"\s*ngram\s+(\d+)\s*=\s*(\d+)\s*")
_SECTION = re.compile(rb"\\(\d+)-grams:\s*")


def read_arpa(
    path: Source,
    settings: TextSettings | None = None,
    progress: Progress | None = None,
    errors: str = "strict",
) -> NgramModel:
    """The model in the ARPA file ``path``, which may be compressed; ``-`` is standard input.

    ``settings`` say how text becomes tokens; without them it is taken to be tokenized already
    (the whitespace tokenizer). ``errors`` is what bytes do that are not of the file's encoding
    (`TextReader`). The model's notes tell what the file lacked. Raises
    `FormatError` with the line and the reason for a malformed file, `TextError` for one that
    cannot be read.
    """
    settings = settings or TextSettings(tokenizer="whitespace")
    name = source_name(path)
    parser = _Parser(name, settings)

    def report(done: int, total: int | None) -> None:
        if progress is not None:
            progress("reading", done, total or 0)

    reader = TextReader(path, errors, chunk_bytes=CHUNK_BYTES, progress=report, arpa=True)
    for chunk in reader:
        parser.feed(chunk.data, chunk.first_line)
    unigrams, sections = parser.finish()
    return _model(name, unigrams, sections, settings, reader.notes())


class _Parser:
    """Takes a file chunk by chunk and sorts its lines into sections."""

    def __init__(self, name: str, settings: TextSettings) -> None:
        self.name = name
        self.settings = settings
        self.sizes: list[int] = []
        self.unigrams: UnigramSection | None = None
        self.sections: list[NgramSection] = []
        self._part: Callable[[bytes, int], None] = self._remarks
        self._line = 1
        self._rest = b""

    def feed(self, text: bytes, first_line: int) -> None:
        """Take whole lines, the first of which has the number ``first_line``."""
        self._line = first_line
        start = 0
        while start < len(text):
            mark = _next_mark(text, start)
            self._rest = text[start:mark]
            if mark > start:
                self._part(self._rest, self._line)
            if mark == len(text):
                return
            self._line += self._rest.count(b"\n")
            self._rest = b""
            start = text.index(b"\n", mark) + 1
            self._marker(text[mark : start - 1].rstrip())
            self._line += 1

    def finish(self) -> tuple[UnigramSection, list[NgramSection]]:
        """The sections, once the file has ended."""
        if self._part == self._remarks:
            raise FormatError(
                f"{self.name} has no line \\data\\: it is not an ARPA file",
                "--format counts, for lines of n-grams with their counts",
            )
        if self._part != self._behind_end:
            last = self._line + self._rest.count(b"\n") - 1
            raise malformed(
                self.name, last, "the file ends here, without \\end\\", "the whole file"
            )
        assert self.unigrams is not None
        return self.unigrams, self.sections

    def _marker(self, line: bytes) -> None:
        """A line that begins with a backslash."""
        if self._part == self._remarks:
            if line == b"\\data\\":
                self._part = self._header
            return
        if line == b"\\end\\" and self._part != self._behind_end:
            self._leave_section()
            self._part = self._behind_end
            return
        found = _SECTION.fullmatch(line)
        if found is None or self._part == self._behind_end:
            raise self._wrong(f"{line.decode()!r} makes no sense here")
        self._leave_section(int(found[1]))
        self._enter_section(int(found[1]))

    def _leave_section(self, following: int | None = None) -> None:
        """Check that the section of order ``following`` (None: the end) may come now."""
        if not self.sizes:
            raise self._wrong("\\data\\ is not followed by any 'ngram 1=...'")
        done = (self.unigrams is not None) + len(self.sections)
        if done:
            section = self.sections[-1] if self.sections else self.unigrams
            assert section is not None and self.unigrams is not None
            if section.size != self.sizes[done - 1]:
                raise self._wrong(
                    f"the header promises {self.sizes[done - 1]:,} n-grams of order {done}, "
                    f"the section has {section.size:,}"
                )
            if done == 1:
                self.unigrams.finish(self._line)
        if following is None:
            # SRILM may leave out the sections of orders without any n-gram.
            for order in range(done + 1, len(self.sizes) + 1):
                if order == 1 or self.sizes[order - 1]:
                    raise self._wrong(f"\\end\\ where \\{order}-grams: should come")
                self._enter_section(order)
        elif following > len(self.sizes):
            raise self._wrong(f"the header says nothing of n-grams of order {following}")
        elif following != done + 1:
            where = f"\\{done + 1}-grams:" if done < len(self.sizes) else "\\end\\"
            raise self._wrong(f"\\{following}-grams: where {where} should come")

    def _enter_section(self, order: int) -> None:
        if order == 1:
            self.unigrams = UnigramSection(self.name, self.settings)
            self._part = self.unigrams.feed
        else:
            assert self.unigrams is not None
            self.sections.append(NgramSection(self.name, order, self.unigrams.table))
            self._part = self.sections[-1].feed

    def _remarks(self, text: bytes, first_line: int) -> None:
        """What comes before the data: the CMU-Cambridge toolkit shows a whole file there."""

    def _header(self, text: bytes, first_line: int) -> None:
        for number, line in enumerate(text.split(b"\n"), first_line):
            if not line.strip():
                continue
            found = _SIZE.fullmatch(line)
            if found is None:
                raise malformed(self.name, number, "expected 'ngram ORDER=NUMBER'")
            if int(found[1]) != len(self.sizes) + 1:
                raise malformed(
                    self.name,
                    number,
                    f"order {int(found[1])} where order {len(self.sizes) + 1} should come",
                )
            if len(self.sizes) == MOST_ORDER:
                raise malformed(self.name, number, f"orders go up to {MOST_ORDER:,}")
            self.sizes.append(int(found[2]))

    def _behind_end(self, text: bytes, first_line: int) -> None:
        for number, line in enumerate(text.split(b"\n"), first_line):
            if line.strip():
                raise malformed(self.name, number, "something follows \\end\\")

    def _wrong(self, reason: str) -> FormatError:
        return malformed(self.name, self._line, reason)


def _next_mark(text: bytes, start: int) -> int:
    """Where the next line of ``text`` that begins with a backslash does, or its end."""
    if text.startswith(b"\\", start):
        return start
    found = text.find(b"\n\\", start)
    return len(text) if found < 0 else found + 1


def _model(
    name: str,
    unigrams: UnigramSection,
    sections: Sequence[NgramSection],
    settings: TextSettings,
    notes: list[str],
) -> NgramModel:
    log_prob, log_backoff = unigrams.columns()
    if np.isnan(log_prob[UNK]):
        log_prob[UNK] = MISSING_UNK_LOG10
        notes.append(f"the file has no <unk>: it got the log10 probability {MISSING_UNK_LOG10:g}")
    log_prob[BOS] = -np.inf
    above = unigrams.above + sum(section.above for section in sections)
    if above:
        notes.append(f"{above:,} log10 probabilities slightly above 0 were taken as 0")
    entries = [_checked(section, notes) for section in sections]
    assembly = assemble(len(log_prob), [e.ids for e in entries], insert_suffixes=False)
    trie = assembly.trie
    trie[1].log_prob = MemoryColumn(natural(log_prob))
    if trie.order > 1:
        trie[1].log_backoff = MemoryColumn(natural(log_backoff))
    for order, entry in enumerate(entries, 2):
        _fill(name, assembly, order, entry)
    added = sum(map(len, assembly.inserted))
    if added:
        notes.append(
            f"{added:,} n-grams that others begin with were not in the file: they were inserted "
            "with their backed-off probability"
        )
    total = float(np.exp(log_prob * LN10).sum())
    if abs(total - 1) > ODD_SUM:
        notes.append(f"the unigram probabilities sum to {total:.4g}, not to 1")
    encoder = TextEncoder(settings, Vocabulary(unigrams.tokens, limited=True))
    facts = {
        "smoothing": {"name": "arpa", "parameters": {"form": "backoff"}, "notes": notes},
        "normalised": True,
        "pruned": None,
        "unit": encoder.unit,
        "text": settings.as_dict(tables=False),
    }
    return NgramModel(trie, encoder, facts, [])


def _checked(section: NgramSection, notes: list[str]) -> Entries:
    """The entries of ``section`` without those that no sentence can hold."""
    entries = section.entries()
    good = well_formed(entries.ids)
    if good.all():
        return entries
    dropped = len(good) - int(good.sum())
    notes.append(
        f"{dropped:,} n-grams of order {section.order} with <s> after or </s> before another "
        "token were left out"
    )
    return entries.chosen(good)


def _fill(name: str, assembly: Assembly, order: int, entries: Entries) -> None:
    """The columns of ``order``, those below being there."""
    trie, rows, inserted = assembly.trie, assembly.rows[order - 2], assembly.inserted[order - 2]
    level = trie[order]
    if len(rows) + len(inserted) != level.size:
        raise _duplicate(name, trie, order, rows, entries)
    log_prob = np.empty(level.size, np.float32)
    log_prob[rows] = entries.log_prob
    if len(inserted):
        ids = ngram_ids(trie, order, inserted)
        log_prob[inserted] = log_probs_of_ngrams(trie, ids, longest=order - 1)
    level.log_prob = MemoryColumn(log_prob)
    if order < trie.order:
        log_backoff = np.zeros(level.size, np.float32)
        log_backoff[rows] = entries.log_backoff
        level.log_backoff = MemoryColumn(log_backoff)


def _duplicate(
    name: str, trie: Trie, order: int, rows: NDArray[np.int64], entries: Entries
) -> FormatError:
    by_row = np.lexsort((entries.lines, rows))
    second = by_row[1:][rows[by_row[1:]] == rows[by_row[:-1]]]
    line = int(entries.lines[second].min())
    return malformed(name, line, f"this n-gram of order {order} stands in the file twice")

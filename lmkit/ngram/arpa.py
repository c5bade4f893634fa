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
from collections.abc import Callable

import numpy as np

from lmkit.cores import available_cores
from lmkit.errors import FormatError, LmkitError
from lmkit.model import BOS, UNK
from lmkit.ngram.arpa_sections import (
    FILLS,
    KINDS,
    LN10,
    LOG_BACKOFF,
    LOG_PROB,
    PART_BYTES,
    NgramSection,
    UnigramSection,
    malformed,
    natural,
)
from lmkit.ngram.assembly import log_probs_of_ngrams
from lmkit.ngram.counting import Workspace
from lmkit.ngram.growing import GrowingTrie, steps
from lmkit.ngram.model import NgramModel
from lmkit.ngram.trie import MOST_ORDER, Trie
from lmkit.store.columns import MemoryColumn
from lmkit.text.encoder import TextEncoder
from lmkit.text.reading import Source, TextReader, source_name
from lmkit.text.settings import TextSettings
from lmkit.text.vocabulary import Vocabulary
from lmkit.threads import Pipeline

Progress = Callable[[str, int, int], None]

CHUNK_BYTES = 8 << 20
"""How much is read at a time, and given to a thread: some hundred thousand lines."""

MEMORY = 1 << 30
"""The working memory, in bytes, that reading keeps to where nothing else is said."""
BYTES_PER_NGRAM = 64
"""What an n-gram takes while a file is read, if all is kept in memory."""

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
    memory: int | None = None,
) -> NgramModel:
    """The model in the ARPA file ``path``, which may be compressed; ``-`` is standard input.

    ``settings`` say how text becomes tokens; without them it is taken to be tokenized already
    (the whitespace tokenizer). ``errors`` is what bytes do that are not of the file's encoding
    (`TextReader`). ``memory`` bounds the working memory in bytes, but for the vocabulary (None:
    `MEMORY`): the columns of a file that needs more are kept in scratch files. The model's notes
    tell what the file lacked. Raises `FormatError` with the line and the reason for a malformed
    file, `TextError` for one that cannot be read, `UsageError` for too little memory.
    """
    settings = settings or TextSettings(tokenizer="whitespace")
    name = source_name(path)
    Workspace.bounded(memory)

    def report(done: int, total: int | None) -> None:
        if progress is not None:
            progress("reading", done, total or 0)

    chunk_bytes = min(CHUNK_BYTES, max((memory or MEMORY) >> 7, PART_BYTES))
    reader = TextReader(
        path, errors, chunk_bytes=chunk_bytes, progress=report, arpa=True, hashed=False
    )
    with Pipeline(available_cores()) as pipeline:
        parser = _Parser(name, settings, pipeline, memory)
        try:
            for chunk in reader:
                parser.feed(chunk.data, chunk.first_line)
        except LmkitError:
            # What is wrong in a line before comes first.
            pipeline.drain()
            raise
        parser.finish()
    return _model(parser, settings, reader.notes())


class _Parser:
    """Takes a file chunk by chunk and sorts its lines into sections."""

    def __init__(
        self, name: str, settings: TextSettings, pipeline: Pipeline, memory: int | None
    ) -> None:
        self.name = name
        self.settings = settings
        self.sizes: list[int] = []
        self._pipeline = pipeline
        self._memory = memory
        self.unigrams = UnigramSection(name, settings)
        self.growing: GrowingTrie | None = None
        self.sections: list[NgramSection] = []
        self._part: Callable[[bytes, int], None] = self._remarks
        self._begun = 0
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

    def finish(self) -> None:
        """See to it that nothing is missing, once the file has ended."""
        self._pipeline.drain()
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
        for section in self.sections:
            if section.repeated is not None:
                reason = f"this n-gram of order {section.order} stands in the file twice"
                raise malformed(self.name, section.repeated, reason)

    def _marker(self, line: bytes) -> None:
        """A line that begins with a backslash."""
        self._pipeline.drain()
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
        done = self._begun
        if done:
            section = self.sections[-1] if self.sections else self.unigrams
            if section.size != self.sizes[done - 1]:
                raise self._wrong(
                    f"the header promises {self.sizes[done - 1]:,} n-grams of order {done}, "
                    f"the section has {section.size:,}"
                )
            self._seal()
        if following is None:
            # SRILM may leave out the sections of orders without any n-gram.
            for order in range(done + 1, len(self.sizes) + 1):
                if order == 1 or self.sizes[order - 1]:
                    raise self._wrong(f"\\end\\ where \\{order}-grams: should come")
                self._enter_section(order)
                self._seal()
        elif following > len(self.sizes):
            raise self._wrong(f"the header says nothing of n-grams of order {following}")
        elif following != done + 1:
            where = f"\\{done + 1}-grams:" if done < len(self.sizes) else "\\end\\"
            raise self._wrong(f"\\{following}-grams: where {where} should come")

    def _seal(self) -> None:
        """End the section that was begun last, which is whole."""
        if self.sections:
            self.sections[-1].seal()
            return
        self.unigrams.finish(self._line)
        room = MEMORY if self._memory is None else self._memory
        in_memory = sum(self.sizes) * BYTES_PER_NGRAM <= room
        self.growing = GrowingTrie(
            len(self.unigrams.tokens),
            Workspace() if in_memory else Workspace.bounded(room),
            KINDS,
            FILLS,
        )

    def _enter_section(self, order: int) -> None:
        self._begun = order
        if order == 1:
            self._part = self.unigrams.feed
            return
        assert self.growing is not None
        table = self.unigrams.table
        section = NgramSection(self.name, order, table, self.growing, self._pipeline)
        self.sections.append(section)
        self._part = section.feed

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
    found = text.find(b"\\", start)
    # A backslash alone is found many times as fast as one behind a line end.
    while found > start and text[found - 1] != ord("\n"):
        found = text.find(b"\\", found + 1)
    return len(text) if found < 0 else found


def _model(parser: _Parser, settings: TextSettings, notes: list[str]) -> NgramModel:
    unigrams, growing = parser.unigrams, parser.growing
    assert growing is not None
    log_prob, log_backoff = unigrams.columns()
    if np.isnan(log_prob[UNK]):
        log_prob[UNK] = MISSING_UNK_LOG10
        notes.append(f"the file has no <unk>: it got the log10 probability {MISSING_UNK_LOG10:g}")
    log_prob[BOS] = -np.inf
    above = unigrams.above + sum(section.above for section in parser.sections)
    if above:
        notes.append(f"{above:,} log10 probabilities slightly above 0 were taken as 0")
    notes += [
        f"{section.dropped:,} n-grams of order {section.order} with <s> after or </s> before "
        "another token were left out"
        for section in parser.sections
        if section.dropped
    ]
    trie = growing.trie()
    trie[1].log_prob = MemoryColumn(natural(log_prob))
    if trie.order > 1:
        trie[1].log_backoff = MemoryColumn(natural(log_backoff))
    added = sum(_fill(trie, growing, order) for order in range(2, trie.order + 1))
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


def _fill(trie: Trie, growing: GrowingTrie, order: int) -> int:
    """Give ``trie`` the probabilities and weights of ``order``, those below being there; returns
    how many n-grams were inserted."""
    level, grown = trie[order], growing.levels[order - 2]
    if order < trie.order:
        level.log_backoff = grown.values[LOG_BACKOFF]
    level.log_prob = grown.values[LOG_PROB]
    if not growing.inserted[order - 2]:
        return 0
    builder = growing.workspace.builder(np.float32)
    for start, stop in steps(level.size):
        log_prob = level.log_prob.read(start, stop).copy()
        missing = np.flatnonzero(np.isnan(log_prob))
        if len(missing):
            ids = growing.ids(order, missing + start)
            log_prob[missing] = log_probs_of_ngrams(trie, ids, longest=order - 1)
        builder.append(log_prob)
    level.log_prob = builder.finish()
    # The orders above look for these.
    trie.give_keys(order, grown.array)
    return growing.inserted[order - 2]

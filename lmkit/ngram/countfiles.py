"""Counts files: lines ``w1 ... wn <TAB> count``, in any order, n-grams of any lengths.

Written are the raw counts of every order, those with ``<s>``, ``</s>`` and ``<unk>`` too. Read
are such files, SRILM's, and lists of words with counts. What a longer n-gram contains and no
line gives is inserted, with the larger of two sums: of the counts of what continues it, and
of what it is the rest of. In counts of a text both are at most the true count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.cores import available_cores
from lmkit.errors import FormatError
from lmkit.files.atomic import Target, open_target
from lmkit.model import BOS, EOS, UNK
from lmkit.ngram.assembly import Table, well_formed
from lmkit.ngram.backend import DEFAULT_SMOOTHING
from lmkit.ngram.building import (
    make_smoothing,
    require_full_counts,
    smooth,
)
from lmkit.ngram.counting import Workspace, narrowed_column
from lmkit.ngram.digits import count_text
from lmkit.ngram.escapes import unescaped
from lmkit.ngram.estimation import check_cutoffs
from lmkit.ngram.fields import BadFieldError, Fields, WordTable, fields_by_size
from lmkit.ngram.growing import GrowingTrie, Listing, steps
from lmkit.ngram.model import NgramModel
from lmkit.ngram.ngram_lines import NgramLines
from lmkit.ngram.trie import MOST_ORDER, Trie, check_order
from lmkit.store.columns import Builder, MemoryColumn, narrow
from lmkit.text.corpus import spelling_of_rare, valid_corpus
from lmkit.text.encoder import TextEncoder
from lmkit.text.reading import Source, TextReader, source_name
from lmkit.text.settings import TextSettings
from lmkit.text.vocabulary import SPECIAL, Vocabulary
from lmkit.threads import Pipeline

Progress = Callable[[str, int, int], None]

CHUNK_BYTES = 1 << 20
LARGEST = 2**63 - 1
FORMS = (
    "lines w1 ... wn<TAB>count, or --format google-books for ngram<TAB>year<TAB>matches<TAB>volumes"
)


def write_counts(model: NgramModel, path: Target, progress: Progress | None = None) -> None:
    """Write all counts of ``model`` to ``path``, atomically: the n-gram with single spaces, a
    tab, the count, one order after the other. ``-`` is standard output; the end of the name
    says how the file is compressed.

    Raises `UnsupportedError` where the model has no counts, or lost some by pruning.
    """
    require_full_counts(model, "exported as counts")
    trie = model.trie
    total, done = sum(trie.sizes), 0
    with open_target(path) as file:
        lines = NgramLines(trie, model.vocabulary.tokens)

        def told(size: int) -> None:
            nonlocal done
            done += size
            if progress is not None:
                progress("writing", done, total)

        for order in range(1, trie.order + 1):
            column = trie[order].count
            assert column is not None
            lines.write(file, order, [], [(column, count_text)], told)


def read_counts(
    path: Source,
    *,
    smoothing: str = DEFAULT_SMOOTHING,
    order: int | None = None,
    settings: TextSettings | None = None,
    valid: Source | None = None,
    prune: Sequence[int] = (),
    memory: int | None = None,
    progress: Progress | None = None,
    errors: str = "strict",
    **options: Any,
) -> NgramModel:
    """A model from the counts in ``path``, which may be compressed; ``-`` is standard input.

    The counts of equal lines are added up. ``order`` is that of the model: longer n-grams are
    passed over (None: that of the longest). ``errors`` is what bytes do that are not of the
    encoding (`TextReader`). ``smoothing``, ``prune``, ``memory`` and ``options``
    are those of `NgramBackend.train`, ``valid`` a file of held-out text; ``settings`` say how text
    becomes tokens (the default: it is tokenized already). The model's notes tell what the file
    lacked.

    Raises `FormatError` with the line and the reason for a malformed file, `TextError` for
    one that cannot be read, `UsageError` for options that make no sense.
    """
    return read_count_files(
        [path],
        partial(CountReading, {}),
        smoothing=smoothing,
        order=order,
        settings=settings,
        valid=valid,
        prune=prune,
        memory=memory,
        progress=progress,
        errors=errors,
        **options,
    )


def read_count_files(
    paths: Sequence[Source],
    new_reading: Callable[[int | None, Workspace], CountReading],
    *,
    smoothing: str = DEFAULT_SMOOTHING,
    order: int | None = None,
    settings: TextSettings | None = None,
    valid: Source | None = None,
    prune: Sequence[int] = (),
    memory: int | None = None,
    progress: Progress | None = None,
    errors: str = "strict",
    **options: Any,
) -> NgramModel:
    """`read_counts` for several files that belong together; ``new_reading`` gives what takes
    their lines, for n-grams up to an order, and keeps them in a workspace."""
    settings = settings or TextSettings(tokenizer="whitespace")
    method = make_smoothing(smoothing, **options)
    if order is not None:
        check_order(order)
        check_cutoffs(tuple(prune), order)
    reading = new_reading(order, Workspace.bounded(memory))

    def report(done: int, total: int | None) -> None:
        if progress is not None:
            progress("reading", done, total or 0)

    reader = TextReader(list(paths), errors, chunk_bytes=CHUNK_BYTES, progress=report)
    for chunk in reader:
        reading.feed(chunk.data, chunk.source, chunk.first_line)
    if not reading.tables:
        raise FormatError(f"{', '.join(map(source_name, paths))}: {reading.nothing()}")
    notes = [*reader.notes(), *reading.notes()]
    trie = reading.trie(notes)
    encoder = _encoder(reading.words, trie, settings)
    model = smooth(
        trie,
        encoder,
        method,
        valid_corpus(valid, encoder.vocabulary, settings, errors),
        cutoffs=tuple(prune),
        memory=memory,
        progress=progress,
    )
    model.facts["smoothing"]["notes"][:0] = notes
    return model


class CountReading:
    """Takes count files chunk by chunk; ``words`` are the tokens as the files have them, by id,
    and ``tables[n]`` the ids of the n-grams of order n so far, one after the other, and their
    counts, which ``workspace`` keeps."""

    def __init__(
        self, aliases: Mapping[bytes, int], order: int | None, workspace: Workspace
    ) -> None:
        self.words: list[bytes] = [token.encode() for token in SPECIAL]
        self.tables: dict[int, tuple[Builder, Builder]] = {}
        self._order = order
        self._workspace = workspace
        self._ids = {word: number for number, word in enumerate(self.words)} | dict(aliases)
        self._table = WordTable()
        for _, fields in fields_by_size(b"\n".join(self._ids) + b"\n", 1):
            hashes = fields.hashes(slice(0, 1)).ravel()
            self._table.add(hashes, np.fromiter(self._ids.values(), np.int32))

    def feed(self, text: bytes, name: str, first_line: int) -> None:
        """Take whole lines, the first of which has the number ``first_line``."""
        for size, fields in fields_by_size(text, first_line):
            order = size - 1
            if order == 0:
                shown = fields.field(0, 0).decode()
                raise _malformed(name, fields, 0, f"{shown!r} stands alone, without a count")
            tabs = fields.has_tab_before(slice(1, order))
            if tabs.any():
                raise _malformed(name, fields, int(np.argmax(tabs)), "a tab inside an n-gram")
            try:
                counts = fields.counts(order)
            except BadFieldError as error:
                shown = fields.field(error.row, order).decode()
                reason = f"{shown!r} is not a count: a count is a whole number, 0 or more"
                raise _malformed(name, fields, error.row, reason) from None
            if self._order is None and order > MOST_ORDER:
                reason = f"an n-gram of {order:,} words; orders go up to {MOST_ORDER:,} (--order)"
                raise _malformed(name, fields, 0, reason)
            self.take(fields, order, counts)

    def take(self, fields: Fields, order: int, counts: NDArray[np.int64]) -> None:
        """Take the n-grams whose words the first ``order`` of ``fields`` are, with their
        ``counts`` [L]; lines of one n-gram that follow each other become one."""
        if self._order is not None and order > self._order:
            return
        ids = self._numbered(fields, order)
        first = np.flatnonzero(np.append(True, (ids[1:] != ids[:-1]).any(axis=1)))
        if len(first) < len(ids) and float(counts.sum(dtype=np.float64)) <= LARGEST:
            ids, counts = ids[first], np.add.reduceat(counts, first)
        if order not in self.tables:
            self.tables[order] = (
                self._workspace.builder(np.int32),
                self._workspace.builder(np.int64),
            )
        table, numbers = self.tables[order]
        table.append(ids.ravel())
        numbers.append(counts)

    def nothing(self) -> str:
        """What to say of files without any count."""
        return "there are no counts in it"

    def notes(self) -> list[str]:
        """What had to be decided on the way."""
        return []

    def _numbered(self, fields: Fields, order: int) -> Table:
        hashes = fields.hashes(slice(0, order))
        ids = self._table.ids_of(hashes)
        if (ids < 0).any():
            places = np.flatnonzero(ids.ravel() < 0)
            new, first = np.unique(hashes.ravel()[places], return_index=True)
            by_place = np.argsort(first)
            self._table.add(new[by_place], len(self.words) + np.arange(len(new)))
            for place in places[first[by_place]].tolist():
                self.words.append(fields.field(*divmod(place, order)))
            ids = self._table.ids_of(hashes)
        return ids

    def trie(self, notes: list[str]) -> Trie:
        """All the n-grams and their counts; ``notes`` gets what had to be decided. Can be asked
        for once."""
        growing = GrowingTrie(len(self.words), self._workspace, (np.int64,), (-1,), _summed)
        highest = self._order or max(self.tables)
        unigrams = np.full(len(self.words), -1, np.int64)
        for ids, counts in self._table_of(1, notes):
            words = ids[:, 0]
            unigrams[words] = np.maximum(unigrams[words], 0)
            np.add.at(unigrams, words, counts)
        for order in range(2, highest + 1):
            listing = growing.listing()
            with Pipeline(available_cores()) as pipeline:
                for ids, counts in self._table_of(order, notes):
                    pipeline.put(
                        partial(growing.contexts, ids), partial(_appended, listing, ids, counts)
                    )
            growing.seal(listing)
        trie = growing.trie()
        if _lacks_suffixes(trie):
            growing.insert_suffixes()
            trie = growing.trie()
        _count(trie, growing, unigrams, self._workspace, notes)
        return trie

    def _table_of(self, order: int, notes: list[str]) -> Iterator[tuple[Table, NDArray[np.int64]]]:
        """The n-grams of ``order`` that a sentence can hold, and their counts, some at a time."""
        if order not in self.tables:
            return
        table, numbers = (builder.finish() for builder in self.tables.pop(order))
        dropped, total = 0, 0.0
        for start, stop in steps(len(numbers), self._workspace):
            ids = table.read(start * order, stop * order).reshape(-1, order)
            counts = numbers.read(start, stop)
            good = well_formed(ids)
            if not good.all():
                dropped += int(np.count_nonzero(~good))
                ids, counts = ids[good], counts[good]
            total += float(counts.sum(dtype=np.float64))
            if total > LARGEST:
                raise FormatError(f"the counts of order {order} add up to more than 2^63")
            yield ids, counts
        if dropped:
            notes.append(
                f"{dropped:,} n-grams of order {order} with <s> after or "
                "</s> before another token were left out"
            )


def _appended(
    listing: Listing, ids: Table, counts: NDArray[np.int64], contexts: NDArray[np.int64]
) -> None:
    listing.append(ids, contexts, [counts])


def _summed(
    keys: NDArray[np.uint64], values: list[NDArray[Any]]
) -> tuple[NDArray[np.uint64], list[NDArray[Any]]]:
    """Equal keys as one, with the sum of their counts."""
    first = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
    return keys[first], [np.add.reduceat(column, first) for column in values]


def _lacks_suffixes(trie: Trie) -> bool:
    """Whether an n-gram without its first token is missing."""
    columns = [level.suffix for level in trie.levels[2:] if level.suffix is not None]
    return any(
        bool((column.read(start, stop) < 0).any())
        for column in columns
        for start, stop in steps(len(column))
    )


def _count(
    trie: Trie,
    growing: GrowingTrie,
    unigrams: NDArray[np.int64],
    workspace: Workspace,
    notes: list[str],
) -> None:
    """Fill the ``count`` columns: from the highest order down, as what is missing below comes
    from above. Of ``unigrams`` -1 are missing."""
    for order in range(trie.order, 1, -1):
        (column,) = growing.levels[order - 2].values
        if growing.inserted[order - 2]:
            totals = column.array().copy()
            missing = np.flatnonzero(totals < 0)
            totals[missing] = _derived(trie, order)[missing]
            column = MemoryColumn(totals)
        trie[order].count = narrowed_column(column, workspace)
    missing = np.flatnonzero(unigrams < 0)
    unigrams[missing] = 0
    if trie.order == 1:
        missing = np.setdiff1d(missing, (UNK, BOS, EOS))
    elif len(missing):
        unigrams[missing] = _derived(trie, 1)[missing]
    trie[1].count = MemoryColumn(unigrams.astype(narrow(int(unigrams.max(initial=0)))))
    # A special token that does not occur has its place in the vocabulary, and no count to miss.
    derived = sum(growing.inserted) + int((unigrams[missing] > 0).sum())
    if derived:
        notes.append(
            f"{derived:,} n-grams that longer ones contain had no count: it was derived from theirs"
        )
    if not unigrams[EOS]:
        notes.append(
            "the counts have no </s>: the end of a sentence is as probable as a word never seen"
        )


def _derived(trie: Trie, order: int) -> NDArray[np.int64]:
    """What the counts of the order above say that each n-gram of ``order`` has at least."""
    above, children = trie[order + 1], trie[order].first_child
    assert above.count is not None and above.suffix is not None and children is not None
    counts = above.count.array().astype(np.int64)
    totals = np.concatenate(([0], np.cumsum(counts)))
    first = children.array()
    as_context = totals[first[1:]] - totals[first[:-1]]
    as_suffix = np.zeros(trie[order].size, np.int64)
    np.add.at(as_suffix, above.suffix.array(), counts)
    return np.maximum(as_context, as_suffix)


def _encoder(words: Sequence[bytes], trie: Trie, settings: TextSettings) -> TextEncoder:
    column = trie[1].count
    assert column is not None
    counts = column.array().astype(np.int64)
    tokens = [unescaped(word.decode(), settings) for word in words]
    spelling = spelling_of_rare(tokens, counts, int(counts[UNK]))
    return TextEncoder(settings, Vocabulary(tokens, counts), spelling)


def _malformed(name: str, fields: Fields, row: int, reason: str) -> FormatError:
    return FormatError(f"{name}, line {int(fields.lines[row])}: {reason}", FORMS)

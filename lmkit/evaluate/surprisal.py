"""Surprisal by word or by token, as studies of reading use it.

The surprisal of a word is the sum of its tokens' (the chain rule), so the words of a sentence and
its end sum to the log-probability of the sentence. Entropy and rank are of the distribution before
the first token of a word that is not white space only.

Where tokens carry the space before them, or spaces are tokens of their own, that sum says how
likely the model found it that the word *before* ended, and does not say so of the word itself.
``space="trailing"`` moves that: what it costs that a word ends counts with the word that ends (Oh
and Schuler 2024; Pimentel and Meister 2024). The sum over a sentence stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UnsupportedError, UsageError
from lmkit.evaluate.distributions import Before, distributions
from lmkit.evaluate.perplexity import running_reader
from lmkit.evaluate.places import Places, TokenTexts, places
from lmkit.evaluate.scoring import LineScores, score_lines, token_texts
from lmkit.measures import LN2
from lmkit.model import EOS, UNK, LanguageModel, State
from lmkit.text.reading import TextReader, iter_line_blocks

WORD_COLUMNS = (
    "line",
    "sentence",
    "word_number",
    "word",
    "start",
    "end",
    "tokens",
    "surprisal",
    "entropy",
    "rank",
    "oov",
    "spelling",
)
TOKEN_COLUMNS = (*WORD_COLUMNS[:3], "token", *WORD_COLUMNS[4:6], *WORD_COLUMNS[7:])
SPACES = ("leading", "trailing")
_LINES_AT_ONCE = 2000


def columns(words: bool, whole: bool = True) -> list[str]:
    """The names of what a row has; without ``whole`` those that need no distribution."""
    names = WORD_COLUMNS if words else TOKEN_COLUMNS
    return [name for name in names if whole or name not in ("entropy", "rank")]


def surprisals(
    model: LanguageModel,
    text: str | Path | Iterable[str],
    *,
    words: bool = True,
    whole: bool = True,
    space: str = "leading",
    state: str | None = None,
    special_tokens: str | None = None,
) -> list[dict[str, Any]]:
    """A record a word (without ``words`` a record a token) of ``text``: a string, which is split
    into lines, lines, or the file of a `Path`.

    ``line`` and ``sentence`` count from 1 in the text, ``word_number`` from 1 in the sentence.
    ``start`` and ``end`` are the place in the line, from 0, the end exclusive. ``surprisal`` and
    ``entropy`` are in bits, ``rank`` is 1 for the likeliest token. ``oov`` says whether an unknown
    word is in it; ``spelling`` are the bits of its letters, which ``surprisal`` leaves out (None
    if the model cannot tell). The end of a sentence is a row of its own, ``</s>``.

    ``whole`` False leaves out entropy and rank, which take most of the time. ``space`` says
    which word pays for the space between two (see the module). ``state`` ``carry`` goes on
    from line to line (networks).

    Raises `UnsupportedError` for a model whose scores are no probabilities or are of whole
    sentences only, `TextError` for text that cannot be read and `UsageError` for another ``space``
    or ``state``.

    >>> lmkit.surprisals(model, "The cat sat.")[0]["surprisal"]       # doctest: +SKIP
    """
    if isinstance(text, Path):
        reader = TextReader(text, **model.encoder.settings.reading)
        blocks: Iterable[Sequence[str]] = iter_line_blocks(reader)
    else:
        blocks = _blocks(model._lines(text) if isinstance(text, str) else text)
    names = columns(words, whole)
    tables = surprisal_rows(
        model,
        blocks,
        words=words,
        whole=whole,
        space=space,
        state=state,
        special_tokens=special_tokens,
    )
    return [dict(zip(names, row, strict=True)) for rows in tables for row in rows]


def _blocks(lines: Iterable[str]) -> Iterator[Sequence[str]]:
    block: list[str] = []
    for line in lines:
        block.append(line)
        if len(block) == _LINES_AT_ONCE:
            yield block
            block = []
    if block:
        yield block


def as_frame(records: Sequence[dict[str, Any]], library: str | None = None) -> Any:
    """``records`` of `surprisals` as a data frame of ``library``, ``pandas`` or ``polars`` (None:
    of pandas if it is installed, else of polars).

    Raises `UsageError` if it is not installed.
    """
    if library not in (None, "pandas", "polars"):
        raise UsageError(f"there is no data frame of {library!r}", "pandas or polars")
    wanted = ["pandas", "polars"] if library is None else [library]
    for name in wanted:
        try:
            frames = import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
            continue
        if name == "polars":  # which looks at the first hundred rows only, unless told
            return frames.DataFrame(list(records), infer_schema_length=None)
        return frames.DataFrame(list(records))
    raise UsageError(
        f"{' and '.join(wanted)} {'is' if library else 'are'} not installed",
        f"pip install {wanted[0]}",
    )


def surprisal_rows(
    model: LanguageModel,
    blocks: Iterable[Sequence[str]],
    *,
    words: bool = True,
    whole: bool = True,
    space: str = "leading",
    state: str | None = None,
    special_tokens: str | None = None,
) -> Iterator[list[tuple[Any, ...]]]:
    """The rows of `surprisals`, in the order of `columns`, of blocks of lines. Works in bounded
    memory."""
    model.require_probabilities()
    if space not in SPACES:
        raise UsageError(f"space cannot be {space!r}", "--space leading or --space trailing")
    reader = running_reader(model, state, {}, "line")
    stands = model.start(1) if reader is not model else None
    if model.lower_bound:
        raise UnsupportedError(
            f"a model of the backend {model.backend!r} scores whole sentences, not their words",
            "lmkit score, or the model that it takes its words from",
        )
    asked = _Asked(model, words, whole, space == "trailing", special_tokens)
    sentence = 1
    for scores in score_lines(reader, blocks, special_tokens=special_tokens):
        rows, stands = asked.rows(scores, sentence, stands)
        yield rows
        sentence += len(scores.batch)


@dataclass(frozen=True, slots=True)
class _Rows:
    """``first`` [R]: the first token of each row; ``told`` [R]: the one whose distribution stands
    for the row; ``word`` [R]: the index of its word in the block, -1 for an end."""

    first: NDArray[np.int64]
    told: NDArray[np.int64]
    word: NDArray[np.int64]


class _Asked:
    """What is asked of one text."""

    def __init__(
        self,
        model: LanguageModel,
        words: bool,
        whole: bool,
        trailing: bool,
        special_tokens: str | None,
    ) -> None:
        self.model = model
        self.words, self.whole = words, whole
        encoder: Any = model.encoder
        self.settings = encoder.with_settings(special_tokens=special_tokens).settings
        self.texts = TokenTexts(model, self.settings)
        self.ends: NDArray[np.bool_] | None = None
        if trailing and self.texts.keeps_spaces:
            self.ends = self.texts.begins_with_space()
            self.ends[EOS] = True

    def rows(
        self, scores: LineScores, sentence: int, stands: State | None
    ) -> tuple[list[tuple[Any, ...]], State | None]:
        batch = scores.batch
        if not len(batch.ids):
            return [], stands
        found = places(self.texts, scores.lines, batch, scores.tokens)
        sentences = np.repeat(np.arange(len(batch)), np.diff(batch.offsets))
        if not self.settings.sentence_marks:
            sentences = found.line  # one stream, of which each line is a part
        by_word = _rows(found, batch.ids, sentences)
        rows = by_word
        if not self.words:
            every = np.arange(len(batch.ids))
            rows = _Rows(every, every, found.word)
        bits = 0.0 - scores.log_probs / LN2  # of what is certain 0, not -0
        before = None
        if self.whole or self.ends is not None:
            before, stands = self._before(scores, rows, by_word, stands)
            if self.ends is not None:
                bits = _trailing(bits, by_word.first, before.ending / -LN2, sentences)
        table = self._table(scores, found, rows, by_word, sentences, sentence, bits, before)
        return list(table), stands

    def _before(
        self, scores: LineScores, rows: _Rows, by_word: _Rows, stands: State | None
    ) -> tuple[Before, State | None]:
        wanted = np.zeros(len(scores.batch.ids), bool)
        if self.whole:
            wanted[rows.told] = True
        if self.ends is not None:
            wanted[by_word.first] = True
        return distributions(self.model, scores.batch, wanted, self.ends, stands)

    def _table(
        self,
        scores: LineScores,
        found: Places,
        rows: _Rows,
        by_word: _Rows,
        sentences: NDArray[np.int64],
        sentence: int,
        bits: NDArray[np.float64],
        before: Before | None,
    ) -> Iterator[tuple[Any, ...]]:
        batch, first = scores.batch, rows.first
        is_oov = batch.ids == UNK
        in_word = rows.word >= 0
        starts, stops = found.first[first], found.last[first]
        if self.words:
            ends = np.append(first[1:], len(batch.ids)) - 1
            starts, stops = found.last[ends], found.last[ends]
            words = rows.word[in_word]  # a block of empty lines has none
            starts[in_word], stops[in_word] = found.word_first[words], found.word_last[words]
        numbers = _numbers(by_word, sentences, found)
        if not self.words:
            sizes = np.diff(np.append(by_word.first, len(batch.ids)))
            numbers = np.repeat(numbers, sizes)
        spellings = self._spelling_bits(scores)
        known: list[Any] = [None] * len(first)
        if spellings is not None:
            known = np.add.reduceat(spellings, first).tolist()
        oovs = np.add.reduceat(is_oov, first, dtype=np.int64)
        if spellings is None:
            known = [None if oov else 0.0 for oov in oovs.tolist()]
        columns: list[Iterable[Any]] = [
            (found.line[first] + scores.first_line).tolist(),
            (sentences[first] + sentence).tolist(),
            numbers.tolist(),
            self._texts(scores, found, rows, starts, stops),
            starts.tolist(),
            stops.tolist(),
        ]
        if self.words:
            columns.append(np.diff(np.append(first, len(batch.ids))).tolist())
        columns.append(np.add.reduceat(bits, first).tolist())
        if self.whole and before is not None:
            columns.append((before.entropy[rows.told] / LN2).tolist())
            columns.append(before.rank[rows.told].tolist())
        columns += [(oovs > 0).tolist(), known]
        return zip(*columns, strict=True)

    def _texts(
        self,
        scores: LineScores,
        found: Places,
        rows: _Rows,
        starts: NDArray[np.int64],
        stops: NDArray[np.int64],
    ) -> list[str]:
        if not self.words:
            return token_texts(self.model, scores.batch)
        lines, at = scores.lines, found.line[rows.first]
        return [
            lines[line][start:stop] if word >= 0 else "</s>"
            for line, start, stop, word in zip(
                at.tolist(), starts.tolist(), stops.tolist(), rows.word.tolist(), strict=True
            )
        ]

    def _spelling_bits(self, scores: LineScores) -> NDArray[np.float64] | None:
        """Of each token [T], 0 for known ones; None where unknown words have no model."""
        costs = self.model.spelling_costs(scores.batch)
        if costs is None:
            return None
        bits = np.zeros(len(scores.batch.ids))
        if scores.batch.unknown is not None:
            bits[scores.batch.unknown.positions] = -costs / LN2
        return bits


def _rows(found: Places, ids: NDArray[np.int32], sentences: NDArray[np.int64]) -> _Rows:
    """A row a word, and one for each end of a sentence."""
    word = found.word.copy()
    loose = word < 0
    if loose.any():
        # White space at the end of a line without </s> is its last word's.
        ended = np.zeros(int(sentences[-1]) + 1, bool)
        ended[sentences[ids == EOS]] = True
        for place in np.flatnonzero(loose & ~ended[sentences]).tolist():
            if place and sentences[place - 1] == sentences[place]:
                word[place] = word[place - 1]
    key = np.where(word >= 0, word, -1 - sentences)
    first = np.flatnonzero(np.append(True, (np.diff(key) != 0) | (np.diff(sentences) != 0)))
    solid = np.flatnonzero(~found.blank)
    told = first.copy()
    if len(solid):
        next_solid = np.searchsorted(solid, first)
        stops = np.append(first[1:], len(ids))
        some = next_solid < len(solid)
        candidate = solid[np.minimum(next_solid, len(solid) - 1)]
        some &= candidate < stops
        told[some] = candidate[some]
    return _Rows(first, told, word[first])


def _numbers(rows: _Rows, sentences: NDArray[np.int64], found: Places) -> NDArray[np.int64]:
    """[R]: the number of each row's word in its sentence; the end has the one after the last."""
    of = sentences[rows.first]
    width = int(max(found.last.max(initial=0), found.word_first.max(initial=0))) + 1
    place = found.line[rows.first] * width + found.last[rows.first]
    # The last word has no row of its own if it is the end of a token that begins in another.
    after = np.searchsorted(found.word_line * width + found.word_first, place)
    word = np.where(rows.word >= 0, rows.word, after)
    lowest = np.flatnonzero(np.append(True, np.diff(of) != 0))
    return word - np.repeat(word[lowest], np.diff(np.append(lowest, len(word)))) + 1


def _trailing(
    bits: NDArray[np.float64],
    first: NDArray[np.int64],
    ending: NDArray[np.float64],
    sentences: NDArray[np.int64],
) -> NDArray[np.float64]:
    """``bits`` [T] with what it costs that a word ends (``ending``, known before the ``first``
    token of each next one) moved to the last token of that word."""
    moved = first[1:][sentences[first[1:]] == sentences[first[1:] - 1]]
    bits = bits.copy()
    cost = ending[moved]
    finite = np.isfinite(cost)  # where it is impossible, nothing can be moved
    moved, cost = moved[finite], cost[finite]
    bits[moved] -= cost
    bits[moved - 1] += cost
    return bits

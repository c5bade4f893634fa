"""What ``lmkit score`` makes of a block of lines: in this process, or in one of several workers.

A `BlockScorer` is made of a `Job`, plain values that travel to another process, and gives the same
for a block wherever it works.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, compress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from lmkit.cli.output import Format, Row, RowWriter
from lmkit.text.reading import LineBlock, TextChunk, line_blocks_of

if TYPE_CHECKING:
    from lmkit.cli.console import Console
    from lmkit.evaluate.difference import CrossEntropyDifference
    from lmkit.evaluate.scoring import LineScorer, LineScores
    from lmkit.measures import Perplexity
    from lmkit.model import LanguageModel
    from lmkit.text.settings import Reading

LINE_COLUMNS = ["line", "tokens", "oovs", "log10_probability", "perplexity", "text"]
SCORES = ("perplexity", "log10_probability", "tokens", "oovs", "difference")
"""What is added to documents, the last one where there are two models."""
SHOWN = 5
"""Bad lines that are named; all are counted."""
STREAMED = ("jsonl", "csv", "tsv")
"""Formats in which a block of rows is written alike wherever it stands."""


@dataclass(frozen=True)
class Documents:
    """How JSON lines are scored: the ``field`` that is read and the ``prefix`` of what is added.
    Lines without such a text go to the file ``rejected``; without one they are an error, if
    ``strict``, or else are kept as they are."""

    field: str
    prefix: str = ""
    strict: bool = True
    rejected: str | None = None


@dataclass(frozen=True)
class Job:
    """What is asked of each block."""

    model: Path
    against: Path | None = None
    difference_per: str | None = None
    special_tokens: str | None = None
    errors: str = "strict"
    bounds: Mapping[str, float | None] = field(default_factory=dict)
    documents: Documents | None = None
    cc_net: bool = False
    sentence_marks: bool = True
    per_token: bool = False
    orders: bool = False
    total: bool = False
    fmt: Format = "table"

    @property
    def bounding(self) -> bool:
        """Whether lines are filtered."""
        return any(bound is not None for bound in self.bounds.values())


@dataclass
class Scored:
    """What comes of a block: what is written as it is (``data``), or ``rows`` for a table.
    ``bad`` are the lines of JSON without a text, their numbers and what is wrong; ``rejected``
    those of them that go elsewhere. ``figures`` are those of the block, where asked for."""

    data: bytes = b""
    rows: list[Row] = field(default_factory=list)
    bad: list[tuple[int, str]] = field(default_factory=list)
    rejected: bytes = b""
    lines: int = 0
    figures: Perplexity | None = None


class BlockScorer:
    """Scores the blocks of a ``job``; with ``model`` and ``difference`` where they are open."""

    def __init__(
        self,
        job: Job,
        model: LanguageModel | None = None,
        difference: CrossEntropyDifference | None = None,
    ) -> None:
        from lmkit.api import load
        from lmkit.evaluate.filtering import Bounds
        from lmkit.evaluate.scoring import LineScorer, tells_orders
        from lmkit.text.ccnet import normalized

        self.job = job
        self.model = model or load(job.model)
        if difference is None and job.against is not None:
            difference = difference_of(job, self.model)
        self.difference = difference
        self.bounds = Bounds(**job.bounds, against=difference)
        if job.bounding:
            self.model.require_probabilities()
        self.orders = job.orders and tells_orders(self.model)
        self.scorer: LineScorer = LineScorer(
            self.model,
            special_tokens=job.special_tokens,
            orders=self.orders,
            normalize=normalized if job.cc_net else None,
            sentence_marks=job.sentence_marks,
        )

    @property
    def paragraphs(self) -> bool:
        """Whether blocks have to hold whole paragraphs."""
        other = self.difference is not None and self.difference.paragraphs
        return self.job.documents is None and (self.scorer.paragraphs or other)

    @property
    def reading(self) -> Reading:
        """How the bytes of the text are read: JSON is text whatever the model reads, and lets
        nothing but LF end a line."""
        if self.job.documents is not None:
            return {"checked": True, "only_lf": True}
        reading: Reading = self.scorer.encoder.settings.reading
        return reading

    @property
    def columns(self) -> list[str]:
        """Of the rows."""
        if self.job.per_token:
            from lmkit.evaluate.scoring import spells_pieces

            order = ["order"] if self.orders else []
            shown = ["text"] if spells_pieces(self.model) else []
            return ["line", "token", *shown, "id", "log10_probability", *order, "oov"]
        extra = ["difference"] if self.difference else []
        return [*LINE_COLUMNS[:-1], *extra, LINE_COLUMNS[-1]]

    def scores(self, block: LineBlock) -> LineScores:
        """The scores of the lines of ``block``."""
        return self.scorer(block, block.first_line)

    @property
    def originals(self) -> bool:
        """Whether lines are written as they were."""
        documents = self.job.documents
        return self.job.bounding if documents is None else documents.rejected is not None

    def __call__(self, part: TextChunk | LineBlock) -> list[Scored]:
        """What comes of a part of the text: of a block, or of each block of a chunk."""
        if isinstance(part, LineBlock):
            return [self._scored(part)]
        only_lf = self.reading["only_lf"]
        blocks = line_blocks_of(part, originals=self.originals, only_lf=only_lf)
        return list(map(self._scored, blocks))

    def _scored(self, block: LineBlock) -> Scored:
        if self.job.documents is not None:
            from lmkit.cli.score_documents import scored_documents

            return scored_documents(self, block, self.job.documents)
        scores = self.scores(block)
        scored = Scored(lines=len(block))
        if self.job.bounding:
            assert block.originals is not None
            kept = self.bounds.keep_lines(scores).tolist()
            scored.data = b"".join(compress(block.originals, kept))
            return scored
        rows = token_rows(self.model, scores) if self.job.per_token else self._line_rows(scores)
        scored.rows = list(rows)
        if self.job.fmt in STREAMED:
            scored.data, scored.rows = self._written(scored.rows), []
        if self.job.total:
            scored.figures = self.model.measure(scores.batch, scores.log_probs)
        return scored

    def _written(self, rows: list[Row]) -> bytes:
        sink = io.StringIO()
        writer = RowWriter(cast(Any, sink), self.columns, self.job.fmt)
        head = sink.tell()
        writer.write(rows)
        return sink.getvalue()[head:].encode(errors="backslashreplace")

    def _line_rows(self, scores: LineScores) -> Iterator[Row]:
        from lmkit.measures import LN10

        first = scores.first_line
        return zip(
            range(first, first + len(scores.lines)),
            scores.tokens.tolist(),
            scores.oovs.tolist(),
            (scores.log_probability / LN10).tolist(),
            scores.perplexity.tolist(),
            *([] if self.difference is None else [self.difference.bits(scores).tolist()]),
            scores.lines,
            strict=True,
        )


class Totals:
    """What the blocks of a text come to."""

    def __init__(self) -> None:
        self._lines = 0
        self._figures: Perplexity | None = None
        self._bad: list[tuple[int, str]] = []
        self._bad_count = 0

    def add(self, scored: Scored) -> None:
        """One more block."""
        self._lines += scored.lines
        self._bad_count += len(scored.bad)
        self._bad += scored.bad[: SHOWN - len(self._bad)]
        if scored.figures is not None:
            old = self._figures
            self._figures = scored.figures if old is None else old + scored.figures

    def say(self, console: Console, scorer: BlockScorer) -> None:
        """The figures, if they were asked for, and the lines that could not be scored."""
        from lmkit.measures import NO_TEXT

        if scorer.job.total:
            figures, lines = self._figures or NO_TEXT, self._lines
            perplexity = f", perplexity {figures.perplexity:.4f}" if scorer.model.normalised else ""
            sentences = f", {figures.sentences} sentences" if figures.sentences != lines else ""
            console.remark(
                f"{lines} lines{sentences}, {figures.tokens} tokens, {figures.oovs} oovs,"
                f" log10 probability {figures.log10_probability:.4f}{perplexity}"
            )
        if self._bad_count:
            documents = scorer.job.documents
            assert documents is not None
            lines_ = "1 line" if self._bad_count == 1 else f"{self._bad_count:,} lines"
            named = "; ".join(f"line {number}: {reason}" for number, reason in self._bad)
            rest = self._bad_count - len(self._bad)
            more = f"; and {rest:,} more" if rest else ""
            place = documents.rejected
            as_is = "kept as it is" if self._bad_count == 1 else "kept as they are"
            where = as_is if place is None else f"written to {place}"
            console.remark(f"{lines_} without a text, {where} ({named}{more})")


@contextmanager
def scoring(
    scorer: BlockScorer, parts: Iterable[TextChunk | LineBlock], workers: int
) -> Iterator[Iterable[Scored]]:
    """What comes of the ``parts`` of a text, in their order, made by so many ``workers``."""
    if workers == 1:
        yield chain.from_iterable(map(scorer, parts))
        return
    from lmkit.workers import Workers

    with Workers(workers, "lmkit.cli.score_blocks:BlockScorer", scorer.job) as team:
        yield chain.from_iterable(team.map(parts))


def difference_of(job: Job, model: LanguageModel) -> CrossEntropyDifference:
    """The difference from the model that ``job`` is ``against``."""
    from lmkit.api import load
    from lmkit.evaluate.difference import CrossEntropyDifference

    assert job.against is not None
    return CrossEntropyDifference(
        model,
        load(job.against),
        per=job.difference_per,
        special_tokens=job.special_tokens,
        errors=job.errors,
    )


def token_rows(model: LanguageModel, scores: LineScores) -> Iterator[Row]:
    """A row a token: `BlockScorer.columns`."""
    from lmkit.evaluate.scoring import readable_texts, spells_pieces, token_texts
    from lmkit.measures import LN10
    from lmkit.model import UNK

    batch = scores.batch
    texts = [readable_texts(model, batch)] if spells_pieces(model) else []
    return zip(
        scores.token_lines.tolist(),
        token_texts(model, batch),
        *texts,
        batch.ids.tolist(),
        (scores.log_probs / LN10).tolist(),
        *([] if scores.orders is None else [scores.orders.tolist()]),
        (batch.ids == UNK).tolist(),
        strict=True,
    )

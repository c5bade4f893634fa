"""``lmkit score --jsonl-field``: documents, a JSON object a line, with the scores of one field."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lmkit.cli.output import to_json
from lmkit.cli.score_blocks import SCORES, BlockScorer, Documents, Scored
from lmkit.errors import TextError, one_line
from lmkit.text.jsonlines import BadLineError, field_of, with_fields
from lmkit.text.lexicon import SpecialTokenError

if TYPE_CHECKING:
    from lmkit.evaluate.documents import TextScores
    from lmkit.text.reading import LineBlock


def scored_documents(scorer: BlockScorer, block: LineBlock, how: Documents) -> Scored:
    """The objects of ``block`` with their scores, or those of them that keep to the bounds. A line
    of nothing but white space is left out.

    Raises `TextError` for a line without a text where that is an error.
    """
    found = Scored(lines=len(block))
    texts: dict[int, str] = {}
    wrong: dict[int, str] = {}
    for place, line in enumerate(block):
        if block.first_line + place == 1:
            line = block[place] = line.removeprefix("\ufeff")
        if line.isspace() or not line:
            continue
        try:
            texts[place] = field_of(line, how.field)
        except BadLineError as error:
            wrong[place] = str(error)
    scores = _scored(scorer, texts, wrong)
    written = {}
    if scores is not None:
        kept = np.ones(len(texts), bool)
        if scorer.job.bounding:
            kept = scorer.bounds.keep(scores, scores.difference)
        fields = _fields(scores, how.prefix)
        for place, keep, values in zip(texts, kept.tolist(), fields, strict=True):
            if keep:
                written[place] = with_fields(block[place], values)
    _reject(block, dict(sorted(wrong.items())), how, found, written)
    lines = [f"{written[place]}\n" for place in sorted(written)]
    found.data = "".join(lines).encode(errors="backslashreplace")
    return found


def _scored(scorer: BlockScorer, texts: dict[int, str], wrong: dict[int, str]) -> TextScores | None:
    """The scores of ``texts``; those that have a literal ``<s>`` where that is an error go from
    there to what is ``wrong``."""
    from lmkit.evaluate.documents import score_texts

    try:
        if texts:
            return score_texts(scorer.scorer, list(texts.values()), difference=scorer.difference)
    except SpecialTokenError:
        for place, text in list(texts.items()):
            try:
                score_texts(scorer.scorer, [text], difference=scorer.difference)
            except SpecialTokenError as error:
                wrong[place] = f"the text has a literal {error.token}"
                del texts[place]
        return _scored(scorer, texts, wrong)
    return None


def _fields(scores: TextScores, prefix: str) -> list[dict[str, str]]:
    """What is added to each object: names to JSON."""
    from lmkit.measures import LN10

    columns = [
        scores.perplexity.tolist(),
        (scores.log_probability / LN10).tolist(),
        scores.tokens.tolist(),
        scores.oovs.tolist(),
    ]
    if scores.difference is not None:
        columns.append(scores.difference.tolist())
    names = [f"{prefix}{name}" for name in SCORES[: len(columns)]]
    return [dict(zip(names, map(to_json, row), strict=True)) for row in zip(*columns, strict=True)]


def _reject(
    block: LineBlock, wrong: dict[int, str], how: Documents, found: Scored, written: dict[int, str]
) -> None:
    """What becomes of the lines that are ``wrong``, by their places."""
    rejected = []
    for place, reason in wrong.items():
        number = block.first_line + place
        if how.strict and how.rejected is None:
            raise TextError(
                f"{block.source}, line {number}: {one_line(reason)}",
                "--rejected FILE, where such lines go, or --errors replace, which keeps them",
            )
        found.bad.append((number, one_line(reason)))
        if how.rejected is not None:
            assert block.originals is not None
            rejected.append(block.originals[place])
        else:
            written[place] = block[place]
    found.rejected = b"".join(rejected)

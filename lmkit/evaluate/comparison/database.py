"""The results as rows: for SQL and Datasette, and for the formats of the command line.

Tables of ``results.db``: ``runs`` (one a comparison), ``models`` (its rows), ``sentences`` (of
the test texts), ``scores`` (bits of a sentence under a model), ``curves`` (points of learning
curves), and the view ``ranking``. A later comparison adds to them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from lmkit.errors import LmkitError, one_line
from lmkit.evaluate.results import Comparison, ModelResult
from lmkit.measures import LN2

RANKING = """
select runs.id as run, runs.corpus, models.rank, models.name, models.bits_per_character,
       models.difference, models.difference_low, models.difference_high, models.p_value,
       models.perplexity, models.perplexity_group, models.size, models.training_seconds
from models join runs on runs.id = models.run where models.status = 'ok'
order by runs.id desc, models.rank
"""


def flat(row: ModelResult, comparison: Comparison, *, nested: bool = True) -> dict[str, Any]:
    """A row of the table with all its figures: names to JSON values, or to plain ones where
    ``nested`` is False. What is infinite is None."""
    difference = row.difference
    figures: dict[str, Any] = {
        "rank": row.rank,
        "name": row.name,
        "spec": row.spec,
        "backend": row.backend,
        "status": row.status,
        "reason": row.reason,
        "origin": row.origin,
        "unit": row.unit,
        "vocabulary": row.vocabulary,
        "size": row.size,
        "ngrams": row.ngrams,
        "parameters": row.parameters,
        "file": row.file,
        "file_bytes": row.file_bytes,
        "seed": row.seed,
        "training_seconds": row.training_seconds,
        "scoring_tokens_per_second": row.scoring_tokens_per_second,
        "state": row.state,
        "sentences": row.sentences,
        "tokens": row.tokens,
        "oovs": row.oovs,
        "perplexity": row.perplexity,
        "perplexity_excluding_oovs": row.perplexity_excluding_oovs,
        "perplexity_group": row.group,
        "characters": row.characters,
        "bits_per_character": row.bits_per_character,
        "bits_low": row.bits_low,
        "bits_high": row.bits_high,
        "spread": row.spread,
        "difference": difference and difference.bits_per_character,
        "difference_low": difference and difference.low,
        "difference_high": difference and difference.high,
        "p_value": difference and difference.p_value,
        "p_bootstrap": difference and difference.p_bootstrap,
        "test_sha256": comparison.corpus.test.sha256,
        "overlap": comparison.corpus.overlap,
    }
    if nested:
        figures |= _nested(row, comparison)
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in figures.items()
    }


def _nested(row: ModelResult, comparison: Comparison) -> dict[str, Any]:
    curve = next((one for one in comparison.curves if one.name == row.name), None)
    law = curve.law if curve is not None else None
    return {
        "options": row.options,
        "notes": row.notes,
        "seeds": [
            {
                "seed": one.seed,
                "bits_per_character": one.bits_per_character,
                "perplexity": one.perplexity,
                "training_seconds": one.training_seconds,
            }
            for one in row.seeds
        ],
        "curve": [
            {
                "share": point.share,
                "characters": point.characters,
                "bits_per_character": point.bits_per_character,
                "training_seconds": point.training_seconds,
            }
            for point in (curve.points if curve is not None else [])
        ],
        "power_law": law
        and {
            "limit": law.limit if law.identified else None,
            "scale": law.scale,
            "exponent": law.exponent,
            "error": law.error,
        },
        "overtakes": [
            {"model": crossing.loser, "characters": crossing.characters}
            for crossing in comparison.crossings
            if crossing.winner == row.name
        ],
    }


def write_results(comparison: Comparison, test_lines: Sequence[str], path: Path) -> int:
    """Add ``comparison`` to the database ``path``; the number of its run.

    Raises `LmkitError` where ``path`` cannot be written or is no database.
    """
    import sqlite3

    import sqlite_utils

    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        database = sqlite_utils.Database(path)
        try:
            with database.conn:
                return _write(database, comparison, test_lines)
        finally:
            database.conn.close()
    except (sqlite3.Error, UnicodeDecodeError) as error:
        # Of a damaged file, SQLite quotes what no Python string can hold.
        raise LmkitError(f"cannot write {path}: {one_line(error)}", "another --output") from error


def _write(database: Any, comparison: Comparison, test_lines: Sequence[str]) -> int:
    facts = comparison.corpus
    run = (
        database["runs"]
        .insert(
            {
                "started": comparison.started,
                "seconds": round(comparison.seconds, 3),
                "command": comparison.command,
                "corpus": facts.name,
                "train_sha256": facts.train.sha256,
                "test_sha256": facts.test.sha256,
                "train_tokens": facts.train.tokens,
                "test_tokens": facts.test.tokens,
                "characters": facts.reference_characters,
                "rule": facts.rule,
                "overlap": facts.overlap,
                "dropped": facts.dropped,
                "seed": comparison.seed,
                "resamples": comparison.resamples,
                "machine": comparison.machine,
                "versions": json.dumps(comparison.versions),
                "notes": json.dumps(comparison.notes),
            },
            pk="id",
            alter=True,
        )
        .last_pk
    )
    sentences = _sentences(database, facts.test.sha256, test_lines)
    for row in comparison.rows:
        values = {"run": run, **flat(row, comparison, nested=False)}
        values["options"] = json.dumps(row.options, default=str)
        model = (
            database["models"]
            .insert(values, pk="id", foreign_keys=[("run", "runs", "id")], alter=True)
            .last_pk
        )
        if row.log_probabilities is not None:
            bits = (-row.log_probabilities / LN2).tolist()
            database["scores"].create(
                {"model": int, "sentence": int, "bits": float},
                pk=("model", "sentence"),
                foreign_keys=[("model", "models", "id"), ("sentence", "sentences", "id")],
                if_not_exists=True,
            )
            scores = zip(sentences, bits, strict=True)
            _insert(database, "scores", ((model, *score) for score in scores))
    points = list(_points(comparison, run))
    if points:
        database["curves"].insert_all(points, foreign_keys=[("run", "runs", "id")], alter=True)
    database.create_view("ranking", RANKING, replace=True)
    return int(run)


def _sentences(database: Any, sha256: str, lines: Sequence[str]) -> range:
    """The ids of the sentences of a test text, written where it is a new one."""
    if "sentences" in database.table_names():
        found = database.execute(
            "select min(id), count(*) from sentences where test_sha256 = ?", [sha256]
        ).fetchone()
        if found[1] == len(lines):
            return range(found[0], found[0] + found[1])
        first = 1 + (database.execute("select max(id) from sentences").fetchone()[0] or 0)
    else:
        first = 1
    columns = {"id": int, "test_sha256": str, "line": int, "text": str, "characters": int}
    database["sentences"].create(columns, pk="id", if_not_exists=True)
    _insert(
        database,
        "sentences",
        (
            (first + number, sha256, number + 1, line, len(line) + 1)
            for number, line in enumerate(lines)
        ),
    )
    return range(first, first + len(lines))


def _insert(database: Any, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
    """Many short rows: sqlite-utils writes a few hundred at a time, each to the disk."""
    places = ", ".join("?" * len(database[table].columns))
    with database.conn:
        database.conn.executemany(f"insert into {table} values ({places})", rows)


def _points(comparison: Comparison, run: int) -> Iterator[dict[str, Any]]:
    for curve in comparison.curves:
        for point in curve.points:
            yield {
                "run": run,
                "name": curve.name,
                "share": point.share,
                "characters": point.characters,
                "bits_per_character": point.bits_per_character,
                "training_seconds": point.training_seconds,
            }

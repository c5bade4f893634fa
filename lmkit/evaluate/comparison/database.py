"""The results as rows: for SQL and Datasette, and for the formats of the command line.

Tables of ``results.db``: ``runs`` (one a comparison), ``models`` (its rows), ``sentences`` (of
the test texts), ``scores`` (bits of a sentence under a model), ``curves`` (points of learning
curves), and the view ``ranking``. A later comparison adds to them.
"""

from __future__ import annotations

import json
import math
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from lmkit.errors import ExitCode, LmkitError, one_line
from lmkit.evaluate.minimal_pairs import flat_rows
from lmkit.evaluate.results import Comparison, ModelResult
from lmkit.measures import LN2
from lmkit.visible import encodable

RANKING = """
select runs.id as run, runs.corpus, models.rank, models.name, models.bits_per_character,
       models.difference, models.difference_low, models.difference_high, models.p_value,
       models.perplexity, models.perplexity_group, models.size, models.training_seconds
from models join runs on runs.id = models.run where models.status = 'ok'
order by runs.id desc, models.rank
"""
KEY = "id INTEGER PRIMARY KEY"
SENTENCES = """
create table if not exists sentences
(id INTEGER PRIMARY KEY, test_sha256 TEXT, line INTEGER, text TEXT, characters INTEGER)
"""
SCORES = """
create table if not exists scores
(model INTEGER REFERENCES models(id), sentence INTEGER REFERENCES sentences(id), bits FLOAT,
 PRIMARY KEY (model, sentence))
"""
WORDS = ("rule", "reason", "unit", "file", "state", "perplexity_group", "sweep", "sweep_line",
         "sweep_value")  # fmt: skip
"""Columns of text that may be empty."""
COUNTS = ("rank", "vocabulary", "size", "ngrams", "parameters", "file_bytes", "seed", "sentences",
          "tokens", "oovs", "characters")  # fmt: skip
"""Columns of whole numbers that may be empty."""
PATIENCE = 1.0
"""Seconds that SQLite waits for others before somebody is told."""
LONGEST_WAIT = 60.0
"""Seconds until the rows are put elsewhere."""


def flat(row: ModelResult, comparison: Comparison, *, nested: bool = True) -> dict[str, Any]:
    """A row of the table with all its figures: names to JSON values, or to plain ones where
    ``nested`` is False. What is infinite is None."""
    difference, pairs = row.difference, row.pairs_accuracy
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
        "bytes": row.bytes,
        "bits_per_character": row.bits_per_character,
        "bits_per_byte": row.bits_per_byte,
        "bits_low": row.bits_low,
        "bits_high": row.bits_high,
        "spread": row.spread,
        "difference": difference and difference.bits_per_character,
        "difference_low": difference and difference.low,
        "difference_high": difference and difference.high,
        "p_value": difference and difference.p_value,
        "p_bootstrap": difference and difference.p_bootstrap,
        "minimal_pairs_accuracy": pairs and pairs.accuracy,
        "minimal_pairs_low": pairs and pairs.low,
        "minimal_pairs_high": pairs and pairs.high,
        "test_sha256": comparison.corpus.test.sha256,
        "overlap": comparison.corpus.overlap,
        **_swept(row, comparison),
    }
    if nested:
        figures |= _nested(row, comparison)
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in figures.items()
    }


def _swept(row: ModelResult, comparison: Comparison) -> dict[str, Any]:
    """The place of a row in the sweep; all None where it has none."""
    places = {point.model: (line, point) for line in comparison.sweep for point in line.points}
    line, point = places.get(row.name, (None, None))
    return {
        "sweep": line and line.key.replace("_", "-"),
        "sweep_line": line and line.name,
        "sweep_value": point and point.value,
        "sweep_number": point and point.number,
    }


def _nested(row: ModelResult, comparison: Comparison) -> dict[str, Any]:
    curve = next((one for one in comparison.curves if one.name == row.name), None)
    law = curve.law if curve is not None else None
    return {
        "options": row.options,
        "notes": row.notes,
        "minimal_pairs": list(flat_rows(row.minimal_pairs)),
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


def write_results(
    comparison: Comparison,
    test_lines: Sequence[str],
    path: Path,
    waiting: Callable[[], None] | None = None,
) -> int:
    """Add ``comparison`` to the database ``path``, all of it or nothing; the number of its run.

    ``waiting`` is called once where another program has the database locked. Raises `LmkitError`
    where ``path`` cannot be written, is no database, or stays locked until somebody interrupts
    or `LONGEST_WAIT` is over; the rows are then in a database of their own beside it, which the
    message names.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return _add_run(comparison, test_lines, path, waiting)
    except (sqlite3.Error, UnicodeDecodeError, KeyboardInterrupt) as error:
        # Of a damaged file, SQLite quotes what no Python string can hold.
        reason = "interrupted" if isinstance(error, KeyboardInterrupt) else one_line(error)
        aside = _unused(path)
        try:
            _add_run(comparison, test_lines, aside, None)
        except sqlite3.Error:
            aside.unlink(missing_ok=True)
            raise LmkitError(f"cannot write {path}: {reason}", "another --output") from error
        failure = LmkitError(
            f"cannot write {path}: {reason}; the rows of this comparison are in {aside}",
            f"that file, or the same command again when {path} can be written:"
            " nothing is trained twice",
        )
        if isinstance(error, KeyboardInterrupt):
            failure.exit_code = ExitCode.INTERRUPTED
        raise failure from error


def _unused(path: Path) -> Path:
    return next(
        place
        for number in count(1)
        if not (place := path.with_name(f"{path.stem}-{number}{path.suffix}")).exists()
    )


def _add_run(
    comparison: Comparison,
    test_lines: Sequence[str],
    path: Path,
    waiting: Callable[[], None] | None,
) -> int:
    connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
    try:
        _lock(connection, waiting)
        run = _write(connection, comparison, test_lines)
        connection.execute("COMMIT")
        return run
    finally:
        connection.close()


def _lock(connection: sqlite3.Connection, waiting: Callable[[], None] | None) -> None:
    """Begin a transaction that nobody can hold up later. Raises `sqlite3.Error` where others
    hold the database for longer than `LONGEST_WAIT`."""
    end = time.monotonic() + LONGEST_WAIT
    while True:
        try:
            connection.execute("BEGIN EXCLUSIVE")
            return
        except sqlite3.OperationalError as error:
            locked = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
            if not locked or time.monotonic() > end:
                raise
        if waiting is not None:
            waiting()
            waiting = None


def _write(
    connection: sqlite3.Connection, comparison: Comparison, test_lines: Sequence[str]
) -> int:
    facts = comparison.corpus
    of_run = "run INTEGER REFERENCES runs(id)"
    run = _insert(
        connection,
        "runs",
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
            "bytes": facts.reference_bytes,
            "rule": facts.rule,
            "overlap": facts.overlap,
            "dropped": facts.dropped,
            "seed": comparison.seed,
            "resamples": comparison.resamples,
            "machine": comparison.machine,
            "versions": json.dumps(comparison.versions),
            "notes": json.dumps(comparison.notes),
        },
        KEY,
    )
    sentences = _sentences(connection, facts.test.sha256, test_lines)
    connection.execute(SCORES)
    for row in comparison.rows:
        values = {"run": run, **flat(row, comparison, nested=False)}
        values["options"] = json.dumps(row.options, default=str)
        model = _insert(connection, "models", values, KEY, of_run)
        if row.log_probabilities is not None:
            bits = (-row.log_probabilities / LN2).tolist()
            connection.executemany(
                "INSERT INTO scores VALUES (?, ?, ?)",
                ((model, *score) for score in zip(sentences, bits, strict=True)),
            )
    for point in _points(comparison, run):
        _insert(connection, "curves", point, of_run)
    connection.execute("DROP VIEW IF EXISTS ranking")
    connection.execute(f"CREATE VIEW ranking AS {RANKING}")
    return run


def _sentences(connection: sqlite3.Connection, sha256: str, lines: Sequence[str]) -> range:
    """The ids of the sentences of a test text, written where it is a new one."""
    connection.execute(SENTENCES)
    first, number = connection.execute(
        "SELECT min(id), count(*) FROM sentences WHERE test_sha256 = ?", [sha256]
    ).fetchone()
    if number == len(lines):
        return range(first or 1, (first or 1) + number)
    (last,) = connection.execute("SELECT max(id) FROM sentences").fetchone()
    first = 1 + (last or 0)
    connection.executemany(
        "INSERT INTO sentences VALUES (?, ?, ?, ?, ?)",
        (
            (first + number, sha256, number + 1, line, len(line) + 1)
            for number, line in enumerate(lines)
        ),
    )
    return range(first, first + len(lines))


def _insert(
    connection: sqlite3.Connection, table: str, row: Mapping[str, Any], *columns: str
) -> int:
    """Add ``row``, and return its number. Where there is no such ``table`` it is made, with
    ``columns`` first; columns that an older version did not know are added."""
    there = {name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")}
    said = {definition.split()[0]: definition for definition in columns}
    wanted = {**said, **{name: _definition(name, row[name]) for name in row if name not in said}}
    if not there:
        connection.execute(f"CREATE TABLE {table} ({', '.join(wanted.values())})")
    else:
        for name in wanted.keys() - there:
            connection.execute(f"ALTER TABLE {table} ADD COLUMN {wanted[name]}")
    places = ", ".join("?" * len(row))
    values = [encodable(value) if isinstance(value, str) else value for value in row.values()]
    added = connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", values)
    return added.lastrowid or 0


def _definition(name: str, value: Any) -> str:
    """A column and its type; the value may be None in the row with which a table begins."""
    if isinstance(value, str) or name in WORDS:
        return f"{name} TEXT"
    whole = isinstance(value, int) or name in COUNTS
    return f"{name} INTEGER" if whole else f"{name} FLOAT"


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

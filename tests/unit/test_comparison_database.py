"""``results.db``: what a comparison leaves for SQL."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from lmkit.errors import LmkitError
from lmkit.evaluate.comparison.corpus import prepare
from lmkit.evaluate.comparison.database import flat, write_results
from lmkit.evaluate.comparison.run import compare
from lmkit.evaluate.comparison.specs import parse_specs
from lmkit.text.settings import TextSettings

SPECS = ["ngram:order=2", "ngram:order=1", "ngram:smoothing=stupid-backoff"]


@pytest.fixture
def found(tmp_path: Path, zipf_text: Path):
    corpus = prepare(tmp_path / "corpus", TextSettings(), {"all": zipf_text}, name="zipf")
    shares = (0.1, 1.0)
    specs = parse_specs(SPECS)
    return corpus, compare(corpus, specs, tmp_path / "m", shares=shares, resamples=200)


def test_sql_finds_what_the_table_says(found, tmp_path: Path) -> None:
    corpus, comparison = found
    path = tmp_path / "results.db"
    assert write_results(comparison, corpus.test_lines, path) == 1
    assert write_results(comparison, corpus.test_lines, path) == 2
    with sqlite3.connect(path) as database:
        ask = lambda sql: database.execute(sql).fetchall()  # noqa: E731
        assert ask("select count(*), min(corpus) from runs") == [(2, "zipf")]
        assert ask("select count(*) from models") == [(6,)]
        assert ask("select name, reason is null from models where run = 1 order by rank") == [
            ("stupid-backoff 5", 0),
            ("mod. Kneser-Ney 2", 1),
            ("mod. Kneser-Ney 1", 1),
        ]
        # The same test text is not written twice, and every score has its sentence.
        assert ask("select count(*) from sentences") == [(len(corpus.test_lines),)]
        assert ask("select count(*) from scores") == [(4 * len(corpus.test_lines),)]
        sums = ask(
            "select models.name, sum(bits) / sum(sentences.characters) from scores"
            " join models on models.id = scores.model join sentences on"
            " sentences.id = scores.sentence where models.run = 2 group by 1 order by 2"
        )
        expected = [(row.name, pytest.approx(row.bits_per_character)) for row in comparison.ranked]
        assert sums == expected
        assert [name for _, _, _, name, *_ in ask("select * from ranking where run = 2")] == [
            row.name for row in comparison.ranked
        ]
        assert ask("select count(*) from curves where run = 1") == [(4,)]
        (versions,) = ask("select versions from runs where id = 1")[0]
        assert set(json.loads(versions)) >= {"lmkit", "numpy", "python"}


def test_a_row_has_every_figure_and_nothing_infinite(found) -> None:
    _, comparison = found
    row = flat(comparison.ranked[1], comparison)
    assert row["difference"] > 0 and row["difference_low"] < row["difference"]
    assert 0 < row["p_value"] <= 1
    assert row["power_law"] is None  # two points
    assert [point["share"] for point in row["curve"]] == [0.1, 1.0]
    assert json.loads(json.dumps(row, allow_nan=False)) == row
    assert set(flat(comparison.failed[0], comparison)) == set(row)


def test_a_file_that_is_no_database_is_left_alone(found, tmp_path: Path) -> None:
    corpus, comparison = found
    path = tmp_path / "results.db"
    path.write_text("This is no database, but somebody's notes.\n" * 100)
    with pytest.raises(LmkitError, match=r"cannot write .*results.db: file is not a database"):
        write_results(comparison, corpus.test_lines, path)
    assert path.read_text().startswith("This is no database")

"""Readable tables in a model file: every n-gram is there, they come and go, and nothing that the
model works with changes."""

from __future__ import annotations

import math
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import lmkit
from lmkit.errors import ModelFileError, UnsupportedError
from lmkit.ngram import tables
from lmkit.ngram.explain import continuations
from lmkit.ngram.tables import drop_tables, write_tables

from ..small_models import train
from .ngram_support import column_of, ngrams_of

LINES = ["a b c", "a b d", "b c a", "the cat sat", "the cat"]


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    path = tmp_path / "model.lm"
    train(LINES, 3, "modified-kneser-ney").save(path)
    return path


def rows(path: Path, query: str) -> list[tuple]:
    with closing(sqlite3.connect(path)) as database:
        return database.execute(query).fetchall()


def names(path: Path) -> set[str]:
    return {name for (name,) in rows(path, "select name from sqlite_master where type = 'table'")}


def expected_rows(path: Path, order: int) -> Iterator[tuple]:
    model = lmkit.load(path)
    tokens = model.vocabulary.tokens
    kinds = ["count", "log_prob", *(["log_backoff"] if order < model.order else [])]
    columns = [column_of(model.trie, order, kind) for kind in kinds]
    for number, ngram in enumerate(ngrams_of(model.trie, order)):
        words = [tokens[i] for i in ngram]
        yield (" ".join(words[:-1]), words[-1], *(column[number] for column in columns))


@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_table_of_an_order_has_every_n_gram_with_its_numbers(
    model_file: Path, order: int
) -> None:
    made = write_tables(model_file)
    kept = "context, token, count, log_prob" + (", log_backoff" if order < 3 else "")
    found = rows(model_file, f"select {kept} from ngrams_{order} order by id")
    assert found == list(expected_rows(model_file, order))
    assert made[f"ngrams_{order}"] == len(found)


def test_the_numbers_answer_questions(model_file: Path) -> None:
    write_tables(model_file)
    [(count, probability)] = rows(
        model_file,
        "select count, exp(log_prob) from ngrams_2 where context = 'the' and token = 'cat'",
    )
    [after_the] = [
        row for row in continuations(lmkit.load(model_file), "the") if row.token == "cat"
    ]
    assert (count, probability) == (2, pytest.approx(after_the.probability))
    [(total,)] = rows(model_file, "select sum(exp(log_prob)) from ngrams_1 where token != '<s>'")
    assert total == pytest.approx(1, abs=1e-6)


def test_context_and_token_have_an_index(model_file: Path) -> None:
    write_tables(model_file)
    plan = rows(
        model_file, "explain query plan select * from ngrams_2 where context = 'a' and token = 'b'"
    )
    assert "USING INDEX" in plan[0][3]


def test_rows_refer_to_those_that_they_are_made_of(model_file: Path) -> None:
    write_tables(model_file)
    assert rows(model_file, "pragma foreign_key_check") == []
    for order, others in (
        (1, {("id", "vocabulary")}),
        (2, {("context_id", "ngrams_1"), ("token_id", "ngrams_1")}),
        (3, {("context_id", "ngrams_2"), ("token_id", "ngrams_1")}),
    ):
        found = rows(model_file, f"pragma foreign_key_list(ngrams_{order})")
        assert {(row[3], row[2]) for row in found} == others
        assert {row[4] for row in found} == {"id"}
    joined = "select n.context, c.name, n.token, t.name, n.name from ngrams_{} n"
    joined += " join ngrams_{} c on c.id = n.context_id join ngrams_1 t on t.id = n.token_id"
    for order, number in ((2, 14), (3, 12)):
        found = rows(model_file, joined.format(order, order - 1))
        assert len(found) == number
        for context, name, token, other, whole in found:
            assert (name, other, whole) == (context, token, f"{context} {token}")
    joined = "select n.token, v.token, n.name from ngrams_1 n join vocabulary v using (id)"
    assert {len(set(row)) for row in rows(model_file, joined)} == {1}
    plan = rows(model_file, "explain query plan select * from ngrams_3 where context_id = 1")
    assert "USING INDEX" in plan[0][3]


def test_tables_of_older_versions_are_replaced(model_file: Path) -> None:
    with closing(sqlite3.connect(model_file)) as database:
        database.execute("create table ngrams_2 (id integer primary key, context text)")
        database.commit()
    assert write_tables(model_file)["ngrams_2"] == 14
    assert rows(model_file, "pragma foreign_key_check") == []


def test_tables_may_be_made_again_and_dropped(model_file: Path) -> None:
    before, size = names(model_file), model_file.stat().st_size
    first = write_tables(model_file)
    larger = model_file.stat().st_size
    assert write_tables(model_file) == first == {"ngrams_1": 10, "ngrams_2": 14, "ngrams_3": 12}
    assert names(model_file) == before | set(first)
    assert model_file.stat().st_size == larger > size
    drop_tables(model_file)
    assert names(model_file) == before
    assert model_file.stat().st_size < larger
    drop_tables(model_file)
    assert names(model_file) == before


def test_the_model_is_the_same_with_tables_and_after(model_file: Path) -> None:
    expected = lmkit.load(model_file).score("a b zebra")[0].tolist()
    for change in (write_tables, drop_tables):
        change(model_file)
        model = lmkit.load(model_file)
        assert model.score("a b zebra")[0].tolist() == expected
        assert model.describe() == train(LINES, 3, "modified-kneser-ney").describe()


def test_a_model_without_counts_has_tables_without_them(tmp_path: Path) -> None:
    lmkit.export_model(train(LINES, 2, "katz"), tmp_path / "model.arpa")
    path = tmp_path / "imported.lm"
    lmkit.import_model(tmp_path / "model.arpa", output=path)
    write_tables(path)
    columns = [row[1] for row in rows(path, "pragma table_info(ngrams_1)")]
    assert columns == ["id", "context", "token", "log_prob", "log_backoff"]


def test_probability_zero_is_minus_infinity(tmp_path: Path) -> None:
    path = tmp_path / "model.lm"
    train(LINES, 1, "maximum-likelihood").save(path)
    write_tables(path)
    assert rows(path, "select log_prob from ngrams_1 where token = '<unk>'") == [(-math.inf,)]


def test_a_failure_on_the_way_leaves_the_model_as_it_was(
    model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = model_file.read_bytes()

    def broken(*_: object) -> Iterator[tuple]:
        yield 0, "", "a", 1, 0.0, 0.0
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(tables, "_rows", broken)
    with pytest.raises((OSError, lmkit.LmkitError)):
        write_tables(model_file)
    assert model_file.read_bytes() == before
    assert os.listdir(model_file.parent) == ["model.lm"]


def test_progress_is_told_an_order(model_file: Path) -> None:
    told: list[tuple[str, int, int]] = []
    write_tables(model_file, lambda *step: told.append(step))
    assert told[:3] == [("tables", 0, 3), ("tables", 1, 3), ("tables", 2, 3)]


@pytest.mark.parametrize("change", [write_tables, drop_tables])
def test_what_is_no_model_stays_as_it_is(change, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("a b\n")
    with pytest.raises(ModelFileError, match="is not an lmkit model"):
        change(text)
    assert text.read_text() == "a b\n"
    with pytest.raises(ModelFileError, match="there is no file"):
        change(tmp_path / "nowhere.lm")


def test_another_kind_of_model_has_no_n_grams_to_show(
    model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables.NgramModel, "backend", "other")
    with pytest.raises(UnsupportedError, match="is not made of n-grams"):
        write_tables(model_file)

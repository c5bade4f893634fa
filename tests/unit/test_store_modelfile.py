"""Opening model files: whole ones, and every kind of file that is none."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lmkit
from lmkit.errors import LmkitError, ModelFileError, UsageError
from lmkit.store.columns import MemoryColumn
from lmkit.store.modelfile import ModelReader, ModelWriter, is_model_file
from lmkit.store.schema import APPLICATION_ID, SCHEMA_VERSION
from lmkit.store.vocabulary import StoredVocabulary

from ..fuzz.sealing import seal
from .ngram_support import train

LINES = ["a b c a b d", "the cat sat on the mat", "", "a rat sat on a cat", "<unk> naïve Łódź"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file as it should be."""
    path = tmp_path_factory.mktemp("models") / "whole.lm"
    model = train(LINES, 3, "modified-kneser-ney")
    model.runs.append(
        {
            "what": "train",
            "started": "2001-02-03T04:05:06+00:00",
            "sources": ["text.txt"],
            "options": {"order": 3},
            "versions": {"lmkit": "0"},
        }
    )
    model.save(path)
    return path


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    """The same, to be damaged."""
    path = tmp_path / "model.lm"
    shutil.copyfile(whole, path)
    return path


def change(path: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def content(path: Path) -> list[str]:
    """All rows of all tables."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def read_everything(path: Path) -> None:
    model = lmkit.load(path)
    model.encoder.encode(["a b zzz"])
    assert len(model.vocabulary.tokens) == len(model.vocabulary.counts)
    model.encoder.spelling_log_probs(["zzz"])
    for level in model.trie.levels:  # type: ignore[attr-defined]
        for _, column in level.columns():
            column.array()


def assert_refused(path: Path, message: str, hint: str | None = None) -> None:
    with pytest.raises(ModelFileError, match=message) as error:
        read_everything(path)
    assert "\n" not in str(error.value)
    assert str(path) in error.value.message
    assert not error.value.message.endswith(".")
    if hint is not None:
        assert error.value.hint is not None and hint in error.value.hint


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "model.lm"
    values = np.arange(10, dtype=np.int32)
    with ModelWriter(path) as writer:
        writer.meta({"number": 1.5, "text": "Łódź", "nothing": None, "list": [1, {"a": True}]})
        writer.vocabulary(["<unk>", "naïve"], [3, 2**40])
        writer.column("one", MemoryColumn(values))
        writer.column("two.x", MemoryColumn(values.astype(np.float32)))
        writer.run(
            {"what": "train", "started": "now", "sources": [], "options": {}, "versions": {}}
        )
    reader = ModelReader(path)
    assert reader.meta == {"number": 1.5, "text": "Łódź", "nothing": None, "list": [1, {"a": True}]}
    assert reader.column_names() == ["one", "two.x"]
    assert reader.column_names("two.") == ["two.x"]
    assert reader.has_column("one")
    assert not reader.has_column("three")
    assert reader.column("one").array().tolist() == values.tolist()
    assert reader.column("two.x").dtype == np.float32
    (run,) = reader.runs()
    assert (run["what"], run["sources"], run["options"], run["seed"]) == ("train", [], {}, None)
    reader.meta |= {"vocabulary_limited": False, "vocabulary_size": 2}
    vocabulary = StoredVocabulary(reader)
    assert vocabulary.tokens == ["<unk>", "naïve"]
    assert vocabulary.counts.tolist() == [3, 2**40]


def test_the_vocabulary_is_loaded_whole_once_many_tokens_were_asked_for(
    whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each token counts once, whichever way it is asked for."""
    monkeypatch.setattr("lmkit.store.vocabulary.FEW", 5)
    vocabulary = StoredVocabulary(ModelReader(whole))
    assert vocabulary.ids_of(["a", "zzz", "a"]).tolist() == [3, 0, 3]
    assert vocabulary.id_of("a") == 3
    assert "a" in vocabulary
    assert "_ids" not in vars(vocabulary)
    assert vocabulary.id_of("a") == 3
    assert "_ids" in vars(vocabulary)
    many = StoredVocabulary(ModelReader(whole))
    assert many.ids_of(["a"] * 6).tolist() == [3] * 6
    assert "_ids" in vars(many)


@pytest.mark.parametrize("bulk", [False, True])
def test_tokens_are_looked_up(whole: Path, bulk: bool) -> None:
    vocabulary = StoredVocabulary(ModelReader(whole))
    tokens = vocabulary.tokens if bulk else None
    assert len(vocabulary) == 15
    assert "naïve" in vocabulary
    assert "Naïve" not in vocabulary
    assert 3 not in vocabulary
    assert vocabulary.id_of("a") == 3
    assert vocabulary.id_of("zzz") == 0
    many = ["a", "zzz", "<unk>", "</s>"] * (1000 if bulk else 1)
    assert vocabulary.ids_of(many).tolist() == [3, 0, 0, 2] * (len(many) // 4)
    assert tokens is None or tokens[3] == "a"


def test_the_header_says_what_it_is(whole: Path) -> None:
    assert APPLICATION_ID.to_bytes(4, "big") == b"LMK1"
    assert whole.read_bytes()[68:72] == b"LMK1"
    assert is_model_file(whole)
    with contextlib.closing(sqlite3.connect(whole)) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (0x4C4D4B31,)
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_opening_changes_nothing(whole: Path) -> None:
    before, beside = whole.read_bytes(), sorted(whole.parent.iterdir())
    read_everything(whole)
    assert whole.read_bytes() == before
    assert sorted(whole.parent.iterdir()) == beside


def test_a_model_is_saved_over_itself(copy: Path) -> None:
    before = content(copy)
    model = lmkit.load(copy)
    model.save(copy)
    model.save(copy)
    assert lmkit.load(copy).score("the cat")[0].tolist() == model.score("the cat")[0].tolist()
    assert content(copy) == before


# -- files that are no models -------------------------------------------------------------------


def another_database(path: Path) -> None:
    change(path, "CREATE TABLE meta (key TEXT, value TEXT)")


NO_MODELS: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("the cat sat on the mat\n" * 100),
    "ARPA": lambda path: path.write_text("\\data\\\nngram 1=3\n"),
    "bytes": lambda path: path.write_bytes(bytes(range(256)) * 300),
    "another database": another_database,
    "the beginning of a header": lambda path: path.write_bytes(b"SQLite format 3\0"),
}


@pytest.mark.parametrize("make", NO_MODELS.values(), ids=NO_MODELS)
def test_a_file_that_is_no_model(make: Callable[[Path], object], tmp_path: Path) -> None:
    path = tmp_path / "file"
    make(path)
    assert not is_model_file(path)
    is_database = path.read_bytes()[:6] == b"SQLite"
    assert_refused(path, "is not an lmkit model", "sqlite3" if is_database else "lmkit import")


def test_no_file_at_all(tmp_path: Path) -> None:
    assert not is_model_file(tmp_path / "none.lm")
    assert_refused(tmp_path / "none.lm", "there is no file", "lmkit train")


def test_a_directory(tmp_path: Path) -> None:
    assert not is_model_file(tmp_path)
    assert_refused(tmp_path, "cannot open .*: Is a directory")


def test_a_newer_schema(copy: Path) -> None:
    change(copy, f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    assert_refused(copy, "written by a newer lmkit", "pip install --upgrade lmkit")


def test_a_truncated_file_at_every_page(copy: Path) -> None:
    data = copy.read_bytes()
    for length in [*range(100, len(data), 8192), len(data) - 1]:
        copy.write_bytes(data[:length])
        assert is_model_file(copy)
        assert_refused(copy, f"is truncated: {length:,} bytes of {len(data):,}", "again")


# -- models that are damaged --------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE meta SET value = '{\"a\"' WHERE key = 'smoothing'",
        "UPDATE meta SET value = x'ff00ff' WHERE key = 'text'",
        "UPDATE meta SET value = '3' WHERE key = 'sizes'",
        "UPDATE meta SET value = '[3, 4]' WHERE key = 'sizes'",
        "UPDATE meta SET value = '{\"tokenizer\": \"none such\"}' WHERE key = 'text'",
        "DELETE FROM meta WHERE key = 'backend'",
        "DELETE FROM meta WHERE key = 'order'",
        "DELETE FROM meta WHERE key = 'smoothing'",
        "DELETE FROM meta WHERE key = 'vocabulary_size'",
        "DELETE FROM meta",
        "DROP TABLE meta",
        "DROP TABLE columns",
        "DROP TABLE blocks",
        "DROP TABLE vocabulary",
        "DROP TABLE runs",
        "DELETE FROM blocks WHERE id = (SELECT max(id) FROM blocks)",
        "DELETE FROM blocks WHERE id = (SELECT min(id) FROM blocks)",
        "UPDATE blocks SET data = 'text' WHERE id = (SELECT min(id) FROM blocks)",
        "DELETE FROM columns WHERE name = '2.token'",
        "DELETE FROM columns WHERE name = '1.first_child'",
        "DELETE FROM columns WHERE name = '3.log_prob'",
        "DELETE FROM columns WHERE name = 'spelling.keys_1'",
        "UPDATE columns SET dtype = 'i9' WHERE name = '2.token'",
        "UPDATE columns SET length = length - 1 WHERE name = '2.token'",
        "DELETE FROM vocabulary WHERE id = 4",
        "UPDATE runs SET options = '{'",
    ],
)
@pytest.mark.parametrize("sealed", [False, True])
def test_damage_is_one_line(copy: Path, statement: str, sealed: bool) -> None:
    """Found by the checksums, and without them by what the file says."""
    change(copy, statement)
    if sealed:
        seal(copy)
    assert_refused(copy, "damaged", "restore a copy")


@pytest.mark.slow
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_changed_bytes_are_either_read_or_refused(
    whole: Path, tmp_path: Path, data: st.DataObject
) -> None:
    damaged = bytearray(whole.read_bytes())
    written = [place for place, byte in enumerate(damaged) if byte]
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.sampled_from(written))] = data.draw(st.integers(0, 255))
    path = tmp_path / "changed.lm"
    path.write_bytes(damaged)
    # A changed name of a backend is that of one that is not installed.
    with contextlib.suppress(ModelFileError, UsageError):
        read_everything(path)


# -- targets that cannot be written -------------------------------------------------------------


def save_to(path: Path) -> None:
    train(["a b"], 2, "witten-bell").save(path)


def test_a_target_that_is_a_directory(tmp_path: Path) -> None:
    with pytest.raises(LmkitError, match="is a directory"):
        save_to(tmp_path)


def test_a_target_in_no_directory(tmp_path: Path) -> None:
    with pytest.raises(LmkitError, match="there is no directory") as error:
        save_to(tmp_path / "none" / "model.lm")
    assert error.value.hint == f"mkdir -p {tmp_path / 'none'}"


def test_a_target_below_a_regular_file(copy: Path) -> None:
    with pytest.raises(LmkitError, match="there is no directory"):
        save_to(copy / "model.lm")


def test_a_device_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(LmkitError, match="/dev/null is a device"):
        save_to(Path("/dev/null"))
    assert Path("/dev/null").is_char_device()
    assert not list(Path("/dev").glob(".lmkit*"))


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="no /proc on this system")
def test_a_directory_in_which_nobody_can_write() -> None:
    # Permission bits do not stop root; no one makes files in /proc.
    with pytest.raises(LmkitError, match="cannot write /proc/self/model") as error:
        save_to(Path("/proc/self/model.lm"))
    assert error.value.hint is not None and "permission to write" in error.value.hint

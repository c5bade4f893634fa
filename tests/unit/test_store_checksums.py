"""Checksums of model files: damage is found where it is read, and said; files without them open."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lmkit
from lmkit.errors import ModelFileError
from lmkit.ngram.tables import write_tables
from lmkit.remarks import heard
from lmkit.store import columns
from lmkit.store.checksums import WHOLE, token_crcs
from lmkit.store.columns import MemoryColumn
from lmkit.store.facts import RUN, check, integer, number, one_of, optional, record, sequence, text
from lmkit.store.modelfile import ModelReader, ModelWriter

from ..fuzz.sealing import change as sealed
from ..fuzz.sealing import seal

LINES = ["a b c a b d", "the cat sat on the mat", "", "a rat sat on a cat", "<unk> naïve Łódź"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "whole.lm"
    (path.parent / "text.txt").write_text("".join(f"{line}\n" for line in LINES))
    lmkit.train(path.parent / "text.txt", order=3, smoothing="witten-bell", output=path)
    return path


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "network.lm"
    (path.parent / "text.txt").write_text("".join(f"{line}\n" for line in LINES * 5))
    sizes = {"hidden": 4, "embedding": 4, "epochs": 1, "workers": 1}
    lmkit.train(path.parent / "text.txt", backend="lstm", seed=1, output=path, **sizes)
    return path


@pytest.fixture(scope="module")
def channel(tmp_path_factory: pytest.TempPathFactory, whole: Path) -> Path:
    path = tmp_path_factory.mktemp("models") / "channel.lm"
    (path.parent / "pairs.tsv").write_text("teh\tthe\t9\ncta\tcat\nrta\trat\n")
    lmkit.train_channel(whole, pairs=path.parent / "pairs.tsv", output=path, embed=True)
    return path


def copied(path: Path, folder: Path) -> Path:
    return Path(shutil.copy(path, folder / "model.lm"))


def change(path: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def read(path: Path) -> list[Any]:
    """All that a model says: of many words, so that its vocabulary is read whole, and of few."""
    model = lmkit.load(path)
    one = lmkit.load(path).score("the rat sat")[0].tolist()
    counts = [] if model.backend == "noisy-channel" else model.vocabulary.counts.tolist()
    many = model.score([*LINES, " ".join(model.vocabulary.tokens[3:])])[0].tolist()
    return [one, many, counts, model.runs, model.describe()]


def refused(path: Path, *words: str) -> None:
    with pytest.raises(ModelFileError) as error:
        read(path)
    for word in words:
        assert word in str(error.value)


NGRAM = {
    "UPDATE meta SET value = 'true' WHERE key = 'vocabulary_limited'": "its meta",
    "DELETE FROM meta WHERE key = 'spelling'": "its meta",
    "UPDATE vocabulary SET token = 'rats' WHERE token = 'rat'": "the vocabulary around 'rat'",
    "UPDATE vocabulary SET token = 'car' WHERE token = 'cat'": "vocabulary",
    "UPDATE vocabulary SET count = count + 1 WHERE token = 'cat'": "its vocabulary.count",
    "UPDATE vocabulary SET id = 99 WHERE token = 'Łódź'": "vocabulary",
    "UPDATE blocks SET data = zeroblob(length(data)) WHERE id >> 32 ="
    " (SELECT id FROM columns WHERE name = '1.log_prob')": "in the column '1.log_prob'",
    "UPDATE blocks SET crc = crc + 1 WHERE id >> 32 ="
    " (SELECT id FROM columns WHERE name = '2.token')": "in the column '2.token'",
    "UPDATE blocks SET crc = NULL": "not what was written",
    "UPDATE runs SET tokens = tokens + 1": "its runs",
    "DELETE FROM runs": "its runs",
    "UPDATE columns SET name = '2.x' WHERE name = '2.count'": "its columns",
    "DELETE FROM columns WHERE name = '2.count'": "its columns",
    "DELETE FROM checksums WHERE name = 'meta'": "its meta",
    "UPDATE checksums SET crc = NULL WHERE name = 'runs'": "its runs",
}


@pytest.mark.parametrize(("statement", "words"), NGRAM.items())
def test_what_was_changed_is_named(whole: Path, tmp_path: Path, statement: str, words: str) -> None:
    path = copied(whole, tmp_path)
    change(path, statement)
    refused(path, words, "model.lm is damaged")


@pytest.mark.parametrize(
    ("statement", "words"),
    {
        "UPDATE tensors SET data = zeroblob(length(data)) WHERE name = 'layer0.b'": "'layer0.b'",
        "DELETE FROM tensors WHERE name LIKE 'start.%'": "its tensors",
        "UPDATE training_log SET loss = 1.0": "its training_log",
        "DELETE FROM training_log": "its training_log",
    }.items(),
)
def test_what_was_changed_in_a_network(
    network: Path, tmp_path: Path, statement: str, words: str
) -> None:
    path = copied(network, tmp_path)
    change(path, statement)
    refused(path, words)


def test_swapped_blocks_and_tensors(whole: Path, network: Path, tmp_path: Path) -> None:
    """Each has a checksum that is right for itself, in another place."""
    path = copied(whole, tmp_path)
    ids = "SELECT id << 32 FROM columns WHERE name = '{}'"
    one, two = (ids.format(f"{n}.log_prob") for n in (2, 3))
    change(path, f"UPDATE blocks SET id = -1 WHERE id = ({one})")
    change(path, f"UPDATE blocks SET id = ({one}) WHERE id = ({two})")
    change(path, f"UPDATE blocks SET id = ({two}) WHERE id = -1")
    refused(path, "log_prob")
    path = copied(network, tmp_path)
    change(path, "UPDATE tensors SET name = 'x' WHERE name = 'start.0.0'")
    change(path, "UPDATE tensors SET name = 'start.0.0' WHERE name = 'start.0.1'")
    change(path, "UPDATE tensors SET name = 'start.0.1' WHERE name = 'x'")
    refused(path, "start.0.")


@pytest.mark.parametrize("word", [b"rat", b"sat", "Łódź".encode()])
def test_a_broken_index_hides_no_token(whole: Path, tmp_path: Path, word: bytes) -> None:
    """Each token stands in the file twice: in its row, and in the index that finds it."""
    data = whole.read_bytes()
    expected = read(whole)
    path = tmp_path / "model.lm"
    found = []
    start = data.find(word)
    while start >= 0:
        changed = bytearray(data)
        changed[start + len(word) - 1] ^= 1
        path.write_bytes(changed)
        with contextlib.suppress(ModelFileError):
            found.append(read(path) == expected)
        start = data.find(word, start + 1)
    # What is left of it in the text's own name, or in a page that is not used, may be read.
    assert all(found)
    assert data.count(word) - len(found) >= 2


def test_the_checksum_of_a_token_covers_the_next_one() -> None:
    one, two = token_crcs(["b", "c", "a"]), token_crcs(["b", "d", "a"])
    # a b c in a circle: only that of a, which b follows, stays.
    assert [x == y for x, y in zip(one, two, strict=True)] == [False, False, True]


def test_absent_words_are_known_to_be_absent(whole: Path, tmp_path: Path) -> None:
    """Before the first token, behind the last one, and between two."""
    vocabulary = lmkit.load(whole).vocabulary
    assert [vocabulary.id_of(word) for word in ("", "\0", "!", "cats", "zzz", "😀")] == [0] * 6
    assert "_ids" not in vars(vocabulary)
    path = copied(whole, tmp_path)
    change(path, "DELETE FROM vocabulary WHERE token = 'Łódź'")
    with pytest.raises(ModelFileError, match="damaged"):
        lmkit.load(path).vocabulary.id_of("😀")


@pytest.mark.parametrize("large", [False, True])
def test_single_blocks_are_checked_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: bool
) -> None:
    """A look-up reads the block that it needs, and looks at no other one."""
    monkeypatch.setattr(columns, "BLOCK_BYTES", 64)
    path = tmp_path / "model.lm"
    with ModelWriter(path) as writer:
        writer.column("x", MemoryColumn(np.arange(4000, dtype=np.int32)))
    change(path, f"UPDATE blocks SET data = zeroblob(64) WHERE id = {(1 << 32) + 7}")
    column = ModelReader(path).column("x")
    assert column.take(np.array([5])).tolist() == [5]
    with pytest.raises(ModelFileError, match=r"another checksum.*'x'"):
        column.array() if large else column.take(np.array([16 * 7 + 3]))


def test_a_column_that_the_file_is_too_short_for(tmp_path: Path) -> None:
    """Nothing is allocated for it: it would be eight terabytes."""
    path = tmp_path / "model.lm"
    with ModelWriter(path) as writer:
        writer.column("x", MemoryColumn(np.arange(40, dtype=np.int64)))
    sealed(path, "UPDATE columns SET length = 1 << 40")
    with pytest.raises(ModelFileError, match="too short for the column 'x'"):
        ModelReader(path).column("x")
    for dtype in ("O", "V8", "U4", "x", "f16", "M8[s]"):
        sealed(path, f"UPDATE columns SET length = 40, dtype = '<{dtype}'")
        with pytest.raises(ModelFileError, match="numbers of an unknown type"):
            ModelReader(path)


NUMBERS = {
    "2.token": np.array([2**31 - 1, -1], "<i4"),
    "2.suffix": np.array([-2, 2**31 - 1], "<i4"),
    "1.first_child": np.array([-1, 1, 2**31 - 1], "<i4"),
    "3.log_prob": np.array([np.nan, 1.0, np.inf], "<f4"),
    "2.log_backoff": np.array([np.nan, np.inf], "<f4"),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_that_lead_nowhere_are_damage(whole: Path, tmp_path: Path, name: str) -> None:
    """With right checksums: somebody meant it."""
    for value in NUMBERS[name]:
        path = copied(whole, tmp_path)
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            where = f"WHERE id >> 32 = (SELECT id FROM columns WHERE name = '{name}')"
            ((data,),) = connection.execute(f"SELECT data FROM blocks {where}").fetchall()
            new = value.tobytes() + data[4:]
            connection.execute(f"UPDATE blocks SET data = ? {where}", (new,))
        seal(path)
        order, _, field = name.partition(".")
        model: Any = lmkit.load(path)
        with pytest.raises(ModelFileError, match=f"in the column '{name}'"):
            getattr(model.trie[int(order)], field).array()


def test_a_form_comes_with_what_it_needs(whole: Path, tmp_path: Path) -> None:
    path = copied(whole, tmp_path)
    to = "json_set(value, '$.parameters.form', 'constant')"
    sealed(path, f"UPDATE meta SET value = {to} WHERE key = 'smoothing'")
    refused(path, "it lacks the weight of shorter contexts")


# -- edits: rows for people ----------------------------------------------------------------------


def test_edits_that_people_change_are_believed(channel: Path, tmp_path: Path) -> None:
    path = copied(channel, tmp_path)
    before = lmkit.load(path).score("teh cat")[0].tolist()
    change(path, "UPDATE edits SET count = count * 100 WHERE kind = 'transpose'")
    told: list[str] = []
    with heard(told.append):
        assert lmkit.load(path).score("teh cat")[0].tolist() != before
    assert told == [f"the edits of {path} have been changed since it was made"]
    # Saved by lmkit, they are its own again.
    lmkit.load(path).save(tmp_path / "again.lm")
    with heard(told.append):
        lmkit.load(tmp_path / "again.lm")
    assert len(told) == 1


def test_edits_that_a_disk_changes_are_damage(channel: Path, tmp_path: Path) -> None:
    path = copied(channel, tmp_path)
    change(path, "DROP TRIGGER edits_UPDATE", "UPDATE edits SET count = count * 100")
    refused(path, "its edits")


# -- files without checksums -----------------------------------------------------------------------


def old(path: Path) -> Path:
    """The file as it was before there were checksums."""
    change(
        path,
        "DROP TABLE checksums",
        *(f"ALTER TABLE {name} DROP COLUMN crc" for name in ("vocabulary", "blocks", "tensors")),
        "PRAGMA user_version = 3",
    )
    return path


@pytest.mark.parametrize("kind", ["whole", "network"])
def test_an_old_file_is_read_with_a_remark(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    source: Path = request.getfixturevalue(kind)
    expected = read(source)
    path = old(copied(source, tmp_path))
    told: list[str] = []
    with heard(told.append):
        assert read(path) == expected
    assert len(told) == 1 and "without checksums" in told[0]
    lmkit.load(path).save(tmp_path / "new.lm")
    with heard(told.append):
        assert read(tmp_path / "new.lm") == expected
    assert len(told) == 1


def test_what_is_made_of_an_old_file_has_checksums(whole: Path, tmp_path: Path) -> None:
    """Readable tables in the file itself, and a channel that carries it."""
    path = old(copied(whole, tmp_path))
    (tmp_path / "pairs.tsv").write_text("teh\tthe\n")
    carrying = tmp_path / "channel.lm"
    lmkit.train_channel(path, pairs=tmp_path / "pairs.tsv", output=carrying, embed=True)
    write_tables(path)
    told: list[str] = []
    with heard(told.append):
        assert read(path) == read(whole)
        read(carrying)
    assert told == []
    for name, statement in (
        ("model.lm", "UPDATE vocabulary SET token = 'rut' WHERE token = 'rat'"),
        ("channel.lm", "UPDATE \"component1.vocabulary\" SET token = 'rut' WHERE token = 'rat'"),
        ("channel.lm", 'DELETE FROM "component1.runs"'),
    ):
        change(tmp_path / name, statement)
        refused(tmp_path / name, "damaged")


def test_the_file_is_sound(channel: Path) -> None:
    with contextlib.closing(sqlite3.connect(channel)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        names = {name for (name,) in connection.execute("SELECT name FROM checksums")}
    assert names >= set(WHOLE)


# -- rules of what a file says --------------------------------------------------------------------

RULES: list[tuple[Callable[[Any, str], None], list[Any], list[Any]]] = [
    (integer(1, 9), [1, 9], [0, 10, True, 1.0, "1", None, 2**80]),
    (number(0, 1), [0, 1, 0.5], [-0.1, 1.1, float("nan"), float("inf"), True, "0", 10**400]),
    (one_of("a", None, 1), ["a", None, 1], ["b", 0, True, 1.0]),
    (optional(text), [None, "x"], [1, []]),
    (sequence(integer(), 1, 2), [[1], [1, 2]], [[], [1, 2, 3], "12", ["1"], None]),
    (
        record({"a": integer()}, also={"b": text}),
        [{"a": 1}, {"a": 1, "c": 2}],
        [{}, [], {"a": 1, "b": 2}],
    ),
]


@pytest.mark.parametrize(("rule", "good", "bad"), RULES)
def test_rules(rule: Callable[[Any, str], None], good: list[Any], bad: list[Any]) -> None:
    for value in good:
        check(value, rule, "meta")
    for value in bad:
        with pytest.raises(ValueError, match="meta"):
            check(value, rule, "meta")


def test_a_rule_says_where_and_not_too_much() -> None:
    with pytest.raises(
        ValueError, match=r"^its runs\.sources is 'x{39}\.\.\., not a list"
    ) as error:
        check({"what": "", "started": "", "seconds": None, "sources": "x" * 10**6}, RUN, "runs")
    assert len(str(error.value)) < 200

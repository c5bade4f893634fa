"""Model files from anybody: nothing in one runs, opens another file than its parts, or connects."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lmkit
from lmkit.errors import ModelFileError
from lmkit.model import UNK
from lmkit.sampling import Sampling
from lmkit.store import components
from lmkit.store.components import DEEPEST, sha256_of
from lmkit.store.modelfile import ModelReader

from ..fuzz.sealing import change, seal
from .ngram_support import train

ROOT = Path(__file__).parents[2]
LINES = ["a b c a b d", "the cat sat on the mat", "a rat sat on a cat"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two models, and a mixture that names them."""
    folder = tmp_path_factory.mktemp("made")
    valid = folder / "valid.txt"
    valid.write_text("a cat sat\n")
    train(LINES, 2, "witten-bell").save(folder / "one.lm")
    train(LINES, 1, "witten-bell").save(folder / "two.lm")
    lmkit.mix([folder / "one.lm", folder / "two.lm"], valid=valid, output=folder / "mix.lm")
    lmkit.mix(
        [folder / "one.lm", folder / "two.lm"], valid=valid, output=folder / "carry.lm", embed=True
    )
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    """The same, to be damaged."""
    shutil.copytree(made, tmp_path / "models")
    return tmp_path / "models"


def refused(path: Path, *words: str) -> None:
    with pytest.raises(ModelFileError) as error:
        lmkit.load(path).score("a cat")
    for word in words:
        assert word in str(error.value)
    assert str(error.value).isprintable()


def name_parts(path: Path, entries: list[dict[str, Any]]) -> None:
    """Have the mixture ``path`` name other parts."""
    change(path, f"UPDATE meta SET value = '{json.dumps(entries)}' WHERE key = 'components'")


def entry(path: Path, name: str, **others: Any) -> dict[str, Any]:
    facts = path.stat()
    stamp = {"bytes": facts.st_size, "modified": facts.st_mtime_ns}
    return {"path": name, "sha256": sha256_of(path), **stamp, **others}


# -- programs in the file ------------------------------------------------------------------------

ENDLESS = (
    "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x FROM r) SELECT x AS key, x AS value FROM r"
)
PROGRAMS = {
    "view": "CREATE VIEW {0} AS SELECT * FROM other",
    "endless view": f"CREATE VIEW {{0}} AS {ENDLESS}",
    "view that loads": "CREATE VIEW {0} AS SELECT load_extension('x') AS key, 1 AS value",
    "virtual table": "CREATE VIRTUAL TABLE {0} USING fts4(key, value)",
    "computed column": "CREATE TABLE {0} (key, value AS (hex(zeroblob(99999999))))",
    "stored computed column": "CREATE TABLE {0} (key, value AS (key || 'x') STORED)",
}


@pytest.mark.parametrize("table", ["meta", "blocks", "vocabulary", "checksums", "runs"])
@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_what_is_read_is_a_table_of_stored_values(place: Path, program: str, table: str) -> None:
    with contextlib.closing(sqlite3.connect(place / "one.lm")) as connection:
        connection.execute(f"ALTER TABLE {table} RENAME TO other")
        connection.execute(program.format(table))
        connection.commit()
    refused(place / "one.lm", f"its {table} is not a table of stored values")


def test_carried_tables_are_tables_too(place: Path) -> None:
    with contextlib.closing(sqlite3.connect(place / "carry.lm")) as connection:
        connection.execute('ALTER TABLE "component1.blocks" RENAME TO other')
        connection.execute('CREATE VIEW "component1.blocks" AS SELECT * FROM other')
        connection.commit()
    refused(place / "carry.lm", "component1.blocks is not a table of stored values")


def test_triggers_and_other_views_are_not_looked_at(place: Path) -> None:
    path = place / "one.lm"
    before = lmkit.load(path).score("a cat")[0].tolist()
    change(
        path,
        "CREATE TABLE heard (what)",
        "CREATE VIEW ngrams_2 AS SELECT load_extension('x') AS x",
        *(
            f"CREATE TRIGGER on_{table} AFTER INSERT ON {table}"
            " BEGIN INSERT INTO heard VALUES (1); END"
            for table in ("meta", "blocks", "runs", "vocabulary", "columns")
        ),
    )
    model = lmkit.load(path)
    assert model.score("a cat")[0].tolist() == before
    model.save(path)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        # What is written anew has nothing of it.
        assert (
            connection.execute("SELECT name FROM sqlite_master WHERE name = 'heard'").fetchall()
            == []
        )


def test_no_other_database_can_be_attached(place: Path) -> None:
    connection = ModelReader(place / "one.lm").connection
    with pytest.raises(sqlite3.OperationalError, match="too many attached"):
        connection.execute("ATTACH ? AS other", (str(place / "two.lm"),))
    with pytest.raises(sqlite3.OperationalError, match=r"not authorized|no such function"):
        connection.execute("SELECT load_extension('x')")
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM meta")


@pytest.mark.parametrize(
    "prefix", ["", ".", "component1", 'component1."', "component1.component1."]
)
def test_a_prefix_is_one_of_those_that_are_written(place: Path, prefix: str) -> None:
    name_parts(place / "carry.lm", [{"prefix": prefix}, {"prefix": "component2."}])
    refused(place / "carry.lm", "prefix")


def test_one_part_is_not_carried_for_two(place: Path) -> None:
    name_parts(place / "carry.lm", [{"prefix": "component1."}] * 2)
    refused(place / "carry.lm", "carried for two")


def test_a_part_does_not_read_the_tables_of_the_whole(place: Path) -> None:
    change(place / "carry.lm", 'DROP TABLE "component1.vocabulary"')
    refused(place / "carry.lm", "damaged")


# -- other files ---------------------------------------------------------------------------------


@pytest.fixture
def outside(place: Path, tmp_path: Path) -> Path:
    """The first part of the mixture, in another folder."""
    (tmp_path / "elsewhere").mkdir()
    return shutil.move(place / "one.lm", tmp_path / "elsewhere" / "one.lm")


def ways_out(place: Path, outside: Path) -> dict[str, str]:
    (place / "link.lm").symlink_to(outside)
    (place / "folder").symlink_to(outside.parent)
    return {
        "dots": "../elsewhere/one.lm",
        "detour": "nothing/../../elsewhere/one.lm",
        "absolute": str(outside),
        "link": "link.lm",
        "folder link": "folder/one.lm",
    }


@pytest.mark.parametrize("way", ["dots", "detour", "absolute", "link", "folder link"])
def test_a_file_outside_is_read_only_if_it_is_the_recorded_model(
    place: Path, outside: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Older files name such parts. Size and time are not enough for it, as they can be known."""
    name = ways_out(place, outside)[way]
    two = entry(place / "two.lm", "two.lm")
    name_parts(place / "mix.lm", [entry(outside, name), two])
    assert lmkit.load(place / "mix.lm").score("a cat")[0].shape == (3,)
    name_parts(place / "mix.lm", [entry(outside, name, sha256="0" * 64), two])
    refused(place / "mix.lm", "has changed since")
    secret = outside.with_name("secret.txt")
    secret.write_text("secret\n" * 50)
    shutil.copy(secret, outside)
    name_parts(place / "mix.lm", [entry(outside, name), two])
    monkeypatch.setattr(components, "sha256_of", lambda path: pytest.fail("it was read"))
    refused(place / "mix.lm", "has changed since")


def test_a_new_file_carries_what_lies_outside(place: Path, outside: Path, tmp_path: Path) -> None:
    told: list[str] = []
    with lmkit.remarks.heard(told.append):
        models = [outside, place / "two.lm"]
        mixed = lmkit.mix(models, valid=place / "valid.txt", output=place / "new.lm")
    assert ModelReader(place / "new.lm").meta["components"][0] == {"prefix": "component1."}
    assert ModelReader(place / "new.lm").meta["components"][1]["path"] == "two.lm"
    assert len(told) == 1 and "carries it" in told[0]
    expected = mixed.score("a cat")[0].tolist()
    outside.unlink()
    assert lmkit.load(place / "new.lm").score("a cat")[0].tolist() == expected


@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "loop", "nul", "none"])
def test_a_part_is_a_regular_file(place: Path, kind: str) -> None:
    name = "odd.lm"
    if kind == "pipe":
        os.mkfifo(place / name)
    elif kind == "folder":
        (place / name).mkdir()
    elif kind == "device":
        name = "/dev/zero"
    elif kind == "loop":
        (place / name).symlink_to(place / name)
    elif kind == "nul":
        name = "a\0b"
    one = {**entry(place / "one.lm", name), "path": name}
    name_parts(place / "mix.lm", [one, entry(place / "two.lm", "two.lm")])
    refused(place / "mix.lm", "mix.lm")


def same_stamp(path: Path) -> dict[str, Any]:
    """An entry for ``path`` with the size and time that it will have, whatever is in it."""
    return {"path": path.name, "sha256": "0" * 64, "bytes": path.stat().st_size, "modified": 10**18}


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_model_is_no_part_of_itself(place: Path, length: int) -> None:
    """A file with a known size and time is taken to be the one that is named."""
    ring = [place / f"ring{n}.lm" for n in range(length)]
    for path in ring:
        shutil.copy(place / "mix.lm", path)
    for path, after in zip(ring, ring[1:] + ring[:1], strict=True):
        name_parts(path, [same_stamp(after), entry(place / "two.lm", "two.lm")])
    for path in ring:
        assert path.stat().st_size == ring[0].stat().st_size
        os.utime(path, ns=(10**18, 10**18))
    refused(ring[0], "made of itself")


@pytest.mark.slow
def test_models_within_models_end_somewhere(place: Path) -> None:
    """Each of twenty files names the next one twice: a million models."""
    chain = [place / f"link{n}.lm" for n in range(DEEPEST + 4)]
    for path in chain:
        shutil.copy(place / "mix.lm", path)
    for path, after in zip(chain, [*chain[1:], place / "one.lm"], strict=True):
        os.utime(after, ns=(10**18, 10**18))
        name_parts(path, [same_stamp(after)] * 2)
    for path in chain:
        os.utime(path, ns=(10**18, 10**18))
    refused(chain[0], "too many models")
    refused(chain[8], "too many models")
    assert lmkit.load(chain[-3]).score("a cat")[0].shape == (3,)


# -- what is opened, as the interpreter sees it --------------------------------------------------

WATCH = """
import json, os, sys
import lmkit, lmkit.api, lmkit.mixture.backend, lmkit.ngram.backend, lmkit.sampling
lmkit.load(sys.argv[1]).generate(1, seed=1)
seen = []
def hear(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, os.PathLike)):
        seen.append(os.path.realpath(os.fspath(arguments[0])))
    elif event == "sqlite3.connect":
        path = os.fsdecode(arguments[0]).removeprefix("file://").partition("?")[0]
        seen.append(os.path.realpath(path))
    elif event.partition(".")[0] in ("socket", "subprocess", "ctypes", "shutil", "urllib"):
        seen.append(event)
    elif event in ("os.system", "os.exec", "os.posix_spawn", "os.fork", "os.remove", "os.rename"):
        seen.append(event)
sys.addaudithook(hear)
for path in sys.argv[2:]:
    try:
        model = lmkit.load(path)
        model.score("a cat")
        model.generate(1, seed=1)
        model.describe()
    except lmkit.LmkitError as error:
        pass
print(json.dumps(sorted(set(seen))))
"""


def test_nothing_else_is_opened_and_nothing_runs(
    place: Path, outside: Path, tmp_path: Path
) -> None:
    """An audit hook hears every file, connection and process of the interpreter."""
    secret = tmp_path / "secret.txt"
    secret.write_text("secret\n" * 50)
    shutil.copy(outside, place / "one.lm")
    paths = [place / "carry.lm"]
    for number, name in enumerate((str(secret), "../secret.txt", "/etc/passwd", "/dev/stdin")):
        path = place / f"hostile{number}.lm"
        shutil.copy(place / "mix.lm", path)
        name_parts(path, [entry(Path("/etc/passwd"), name), entry(place / "two.lm", "two.lm")])
        paths.append(path)
    for number, backend in enumerate(("os:system", "lmkit.cli.main:main", "subprocess", "../x")):
        path = place / f"backend{number}.lm"
        shutil.copy(place / "one.lm", path)
        change(path, f"UPDATE meta SET value = '\"{backend}\"' WHERE key = 'backend'")
        paths.append(path)
    paths.append(place / "mix.lm")
    result = subprocess.run(
        [sys.executable, "-c", WATCH, place / "carry.lm", *paths],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
    )
    assert result.returncode == 0, result.stderr
    seen = [Path(name) for name in json.loads(result.stdout)]
    ours = (place.resolve(), ROOT, Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve())
    assert [path for path in seen if not any(path.is_relative_to(one) for one in ours)] == [
        # To see whether it is a model: no more than its first bytes are read.
        path
        for path in (Path("/etc/passwd"),)
        if path in seen
    ]
    assert place.resolve() / "mix.lm" in seen


class Counting:
    """A generator that says how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self._generator = np.random.default_rng(1)

    def random(self, *size: int) -> Any:
        self.asked += 1
        return self._generator.random(*size)


def test_a_draw_ends_whatever_contexts_list(tmp_path: Path) -> None:
    """Each order lists what the shorter context leaves, and gives it nothing: so each of its tries
    is as many tries below, 32^6 of them."""
    path = tmp_path / "model.lm"
    train(["a a a a a a a a a"] * 3, 7, "witten-bell").save(path)
    whole = lmkit.load(path)
    state = whole.start(1)
    for token in [3] * 8:
        state = whole.advance(state, [token])
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        for order in range(2, 8):
            for name, value in (("log_prob", np.float32(-30)), ("token", np.int32(UNK))):
                if name == "token" and order % 2 == 0:
                    continue
                where = f"WHERE id >> 32 = (SELECT id FROM columns WHERE name = '{order}.{name}')"
                ((data,),) = connection.execute(f"SELECT data FROM blocks {where}").fetchall()
                new = np.full(len(data) // 4, value).tobytes()
                connection.execute(f"UPDATE blocks SET data = ? {where}", (new,))
    seal(path)
    generator: Any = Counting()
    lmkit.load(path).draw_next(state, Sampling(), generator, unknown=True)
    assert 1000 < generator.asked < 10_000


def test_sealing_makes_what_the_writer_makes(place: Path) -> None:
    """Else the tests above would be about damage that checksums find."""
    before = (place / "one.lm").read_bytes()
    seal(place / "one.lm")
    with contextlib.closing(sqlite3.connect(place / "one.lm")) as connection:
        after = connection.execute("SELECT * FROM checksums").fetchall()
    (place / "one.lm").write_bytes(before)
    with contextlib.closing(sqlite3.connect(place / "one.lm")) as connection:
        assert connection.execute("SELECT * FROM checksums").fetchall() == after

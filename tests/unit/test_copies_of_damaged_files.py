"""A model file that is changed is copied first: what is broken in it is said in one line then."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from lmkit.errors import LmkitError, ModelFileError
from lmkit.store.modelfile import ModelWriter


def test_what_sqlite_finds_broken_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "m.lm"
    with ModelWriter(path) as writer:
        writer.meta({"backend": "ngram"})
    whole = path.read_bytes()
    for fault in (sqlite3.DatabaseError, sqlite3.OperationalError):
        with (
            pytest.raises(LmkitError) as found,
            ModelWriter(path, copy_of=path) as writer,
        ):
            raise fault("database disk image is malformed")
        damaged = "m.lm is damaged: database disk image is malformed" in str(found.value)
        assert (
            damaged == isinstance(found.value, ModelFileError) == (fault is sqlite3.DatabaseError)
        )
        assert [one.name for one in tmp_path.iterdir()] == ["m.lm"]
        assert path.read_bytes() == whole

"""What the command line says of model files without checksums, and of damaged ones."""

from __future__ import annotations

import contextlib
import lzma
import shutil
import sqlite3
from pathlib import Path

import pytest

from .support import ROOT, refused

NOTE = "note: {} was written without checksums: damage in it would not be noticed\n"


@pytest.fixture
def old_model(tmp_path: Path) -> Path:
    """A model file of schema 3, which had no checksums."""
    packed = ROOT / "tests" / "regression" / "models" / "schema-3" / "ngram-words.lm.xz"
    path = tmp_path / "old.lm"
    path.write_bytes(lzma.decompress(packed.read_bytes()))
    return path


def test_an_old_file_is_used_with_one_remark(run, old_model, small_model):
    """However often it is opened in a command."""
    asked = run("score", old_model, "-", stdin=b"The harbour\n")
    assert (asked.status, asked.err) == (0, NOTE.format(old_model))
    assert run("score", old_model, "-", "--quiet", stdin=b"The harbour\n").err == ""
    both = run("perplexity", old_model, old_model, "-", stdin=b"The harbour\n")
    assert both.err.count("without checksums") == 1
    assert "checksums" not in run("score", small_model, "-", stdin=b"w1 w2\n").err


def test_tables_give_an_old_file_checksums(run, old_model):
    scores = run("score", old_model, "-", stdin=b"The harbour\n").out
    assert run("tables", old_model).status == 0
    asked = run("score", old_model, "-", stdin=b"The harbour\n")
    assert (asked.status, asked.out, asked.err) == (0, scores, "")


@pytest.mark.parametrize("command", ["score", "perplexity", "generate", "info"])
def test_a_damaged_file_is_one_line(run, small_model, tmp_path, command):
    path = Path(shutil.copy(small_model, tmp_path / "damaged.lm"))
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE meta SET value = value || ' ' WHERE key = 'order'")
    words = ["-"] if command in ("score", "perplexity") else []
    refused(run(command, path, *words, stdin=b"w1 w2\n"), "its meta is not what", status=1)


def test_edits_changed_by_hand_are_said(run, channel_model, tmp_path):
    path = Path(shutil.copy(channel_model, tmp_path / "channel.lm"))
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE edits SET count = count + 1")
    asked = run("score", path, "-", stdin=b"her freind\n")
    assert asked.status == 0
    assert asked.err == f"note: the edits of {path} have been changed since it was made\n"

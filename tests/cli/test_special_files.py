"""Outputs that are no regular files: standard output, pipes, devices, links."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from .support import refused, run_python


@pytest.fixture
def place(tmp_path, small_text, small_model, monkeypatch):
    (tmp_path / "text.txt").write_bytes(small_text.read_bytes())
    (tmp_path / "model.lm").write_bytes(small_model.read_bytes())
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def null(place):
    """A device as ``/dev/null`` is one, that a test may lose."""
    try:
        os.mknod(place / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        (place / "null").write_bytes(b"x")
    except OSError:
        pytest.skip("no devices can be made here")
    return place / "null"


def heard(path):
    """What is written into the pipe ``path``, when the thread that it also gives has ended."""
    got = []
    reader = threading.Thread(target=lambda: got.append(path.read_bytes()))
    reader.start()
    return got, reader


MODELS = [
    "train text.txt --order 2 -o",
    "train text.txt --append model.lm -o",
    "train --from model.lm --smoothing katz -o",
    "train --backend noisy-channel --source model.lm -o",
    "prune model.lm --cutoffs 0,1 -o",
    "mix model.lm --cache --valid text.txt -o",
]


@pytest.mark.parametrize("line", MODELS)
def test_a_model_is_put_in_place_or_refused(run, place, null, line):
    before = sorted(os.listdir(place))
    refused(run(*line.split(), "pipe"), "pipe is a pipe", "--output model.lm", status=2)
    refused(run(*line.split(), "null"), "null is a device", "--output model.lm", status=2)
    refused(run(*line.split(), "-"), "standard output", "--output model.lm", status=2)
    assert sorted(os.listdir(place)) == before
    assert Path("pipe").is_fifo() and null.is_char_device()
    Path("link").symlink_to("new.lm")
    assert run(*line.split(), "link").status == 0
    assert Path("link").is_symlink() and Path("new.lm").is_file()
    assert run("info", "new.lm").status == 0


def test_standard_output_by_its_other_name(place):
    """``/dev/stdout`` is a link: as root, a rename would put the model in the place of it."""
    if not Path("/dev/stdout").is_symlink():
        pytest.skip("this system does not name its standard output so")
    words = ("-m", "lmkit", "train", "text.txt", "--order", "2", "-q", "-o", "/dev/stdout")
    result = run_python(*words)
    assert (result.returncode, result.stdout) == (2, "")
    assert "/dev/stdout is a pipe" in result.stderr
    with open("to.lm", "wb") as out:
        assert run_python(*words, capture_output=False, stdout=out).returncode == 0
    assert Path("/dev/stdout").is_symlink()
    assert run_python("-m", "lmkit", "info", "to.lm").returncode == 0


@pytest.mark.parametrize("line", ["export model.lm", "export model.lm --format counts"])
def test_exports_are_streamed(run, place, null, line):
    assert run(*line.split(), "-o", "file").status == 0
    right = Path("file").read_bytes()
    result = run(*line.split(), "--output", "-")
    assert result.status == 0 and result.out.encode() == right
    got, reader = heard(Path("pipe"))
    assert run(*line.split(), "-o", "pipe").status == 0
    reader.join(60)
    assert got == [right] and Path("pipe").is_fifo()
    assert run(*line.split(), "-o", null).status == 0
    assert null.is_char_device()


def test_corrections_are_streamed(run, place, null, channel_model):
    Path("typed.txt").write_text("freind of teh captain\n")
    words = ("correct", channel_model, "typed.txt")
    right = run(*words).out
    assert right == "friend of the captain\n"
    assert run(*words, "--output", "-").out == right
    assert run(*words, "--output", "-", "--jsonl").out == run(*words, "--jsonl").out
    assert not Path("-").exists()
    got, reader = heard(Path("pipe"))
    assert run(*words, "-o", "pipe").status == 0
    reader.join(60)
    assert got == [right.encode()]
    assert run(*words, "-o", null).status == 0 and null.is_char_device()
    Path("link").symlink_to("typed.txt")
    assert run("correct", channel_model, "link", "--in-place").status == 0
    assert Path("link").is_symlink() and Path("typed.txt").read_text() == right
    refused(run("correct", channel_model, "pipe", "--in-place"), "--in-place needs", status=2)


@pytest.mark.parametrize("kind", ["html", "svg"])
def test_reports_are_streamed(run, place, null, kind):
    pytest.importorskip("matplotlib")
    pytest.importorskip("jinja2")
    words = ("compare", "text.txt", "--model", "ngram:order=1", "--report")
    Path(f"link.{kind}").symlink_to(f"real.{kind}")
    assert run(*words, f"link.{kind}").status == 0
    assert Path(f"link.{kind}").is_symlink()
    right = Path(f"real.{kind}").read_bytes()
    os.rename("pipe", f"pipe.{kind}")
    got, reader = heard(Path(f"pipe.{kind}"))
    assert run(*words, f"pipe.{kind}").status == 0
    reader.join(60)
    # Times differ from run to run.
    assert got[0][:100] == right[:100] and got[0][-20:] == right[-20:]
    assert Path(f"pipe.{kind}").is_fifo()
    os.rename("null", f"null.{kind}")
    assert run(*words, f"null.{kind}").status == 0
    assert Path(f"null.{kind}").is_char_device()
    refused(run(*words, "-"), "standard output", "--report report.html", status=2)
    assert not [name for name in os.listdir() if name.startswith(".")]


def test_a_report_is_on_disk_before_it_is_in_place(run, place, monkeypatch):
    """As models are: a computer that stops leaves the old page or the new one."""
    pytest.importorskip("matplotlib")
    pytest.importorskip("jinja2")
    done = []
    for name in ("fsync", "replace"):
        call = getattr(os, name)

        def noted(*words, name=name, call=call):
            done.append((name, str(words[-1])))
            return call(*words)

        monkeypatch.setattr(os, name, noted)
    words = ("compare", "text.txt", "--model", "ngram:order=1", "--report", "r.html")
    assert run(*words).status == 0
    last = [name for name, _ in done[-3:]]
    assert last == ["fsync", "replace", "fsync"] and done[-2][1].endswith("r.html")


def test_a_comparison_is_printed_before_it_is_kept(run, place, monkeypatch):
    """Where ``results.db`` is locked the table is not lost, nor are the rows."""
    import sqlite3

    from lmkit.evaluate.comparison import database

    monkeypatch.setattr(database, "PATIENCE", 0.01)
    monkeypatch.setattr(database, "LONGEST_WAIT", 0.1)
    words = ("compare", "text.txt", "--model", "ngram:order=1", "-o", "kept")
    assert run(*words).status == 0
    other = sqlite3.connect("kept/results.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    result = run(*words)
    other.close()
    assert result.status == 1
    assert "mod. Kneser-Ney 1" in result.out
    remark, error = result.err.splitlines()[-2:]
    assert remark.startswith("kept/results.db is locked by another program; waiting for it")
    assert "the rows of this comparison are in kept/results-1.db" in error
    assert run(*words).status == 0

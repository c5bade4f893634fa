"""``lmkit score --workers``: the same bytes in the same order, and clean ends."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

import lmkit
from lmkit.text.settings import TextSettings
from lmkit.workers import Workers

from .support import python_command, refused


@pytest.fixture(scope="module")
def long_text(tmp_path_factory, zipf_lines) -> Path:
    """Some chunks of text (of 1 MiB), compressed."""
    path = tmp_path_factory.mktemp("long") / "text.gz"
    block = "".join(f"{line}\n" for line in zipf_lines)
    path.write_bytes(gzip.compress(block.encode() * 24, 1))
    return path


@pytest.fixture
def small_chunks(monkeypatch):
    """Text that is cut into parts of some kilobytes."""
    monkeypatch.setattr("lmkit.cli.score.CHUNK_BYTES", 4000)


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ("--tsv",),
        ("--max-perplexity", "300"),
        ("--json", "--total"),
        ("--per-token", "--csv"),
    ],
    ids=" ".join,
)
def test_the_bytes_are_the_same_for_any_number(run, small_model, zipf_text, small_chunks, words):
    alone, shared = (
        run("score", small_model, zipf_text, *words, "--workers", number) for number in "12"
    )
    assert alone.status == shared.status == 0
    assert alone.out == shared.out
    assert alone.err == shared.err
    assert len(alone.out) > 1000


@pytest.mark.slow
def test_paragraphs_and_documents_are_shared_whole(run, tmp_path, zipf_lines, small_chunks):
    text = tmp_path / "text.txt"
    lines = [line if number % 7 else "" for number, line in enumerate(zipf_lines[:600])]
    text.write_text("\n".join(lines), encoding="utf-8")
    settings = TextSettings(segment="paragraph")
    lmkit.train(text, output=tmp_path / "m.lm", order=2, settings=settings)
    alone, shared = (
        run("score", tmp_path / "m.lm", text, "--tsv", "--workers", number) for number in "12"
    )
    assert alone.out == shared.out
    documents = tmp_path / "docs.jsonl"
    rows = [json.dumps({"text": "\n".join(lines[k : k + 9])}) for k in range(0, 600, 9)]
    documents.write_text("\n".join([*rows, "bad"] * 3), encoding="utf-8")
    words = ("--jsonl-field", "text", "--errors", "replace", "--workers")
    alone, shared = (run("score", tmp_path / "m.lm", documents, *words, n) for n in "12")
    assert (alone.out, alone.err) == (shared.out, shared.err)
    assert "3 lines without a text" in alone.err


@pytest.mark.slow
def test_an_error_of_a_worker_is_the_same_error(run, small_model):
    words = ("score", small_model, "--jsonl-field", "text", "--workers")
    results = [run(*words, number, stdin=b'{"text": "a"}\n{"text": 3}\n') for number in "12"]
    refused(results[0], "line 2: the field 'text' is not a text but a number", status=1)
    assert results[0] == results[1]


def test_a_worker_that_dies_is_an_error_and_the_file_stays(run, small_model, tmp_path, monkeypatch):
    (tmp_path / "out.tsv").write_text("as it was", encoding="utf-8")

    class Deadly(Workers):
        def map(self, items):
            self._workers[0]._process.kill()
            self._workers[0]._process.wait()
            return super().map(items)

    monkeypatch.setattr("lmkit.workers.Workers", Deadly)
    words = ("--workers", "2", "--tsv", "--output", tmp_path / "out.tsv")
    result = run("score", small_model, *words, stdin=b"w1\n")
    refused(result, "a worker has died (signal 9", "fewer --workers", status=1)
    assert (tmp_path / "out.tsv").read_text(encoding="utf-8") == "as it was"
    assert [one.name for one in tmp_path.iterdir()] == ["out.tsv"]


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_the_command(small_model, long_text, environment, ending):
    command = ["-m", "lmkit", "score", str(small_model), str(long_text), "--tsv", "--workers", "2"]
    process = subprocess.Popen(
        python_command(command), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    )
    # Nobody reads on, so that it stands still until the end.
    assert process.stdout is not None
    assert process.stdout.readline() == b"line\ttokens\toovs\tlog10_probability\tperplexity\ttext\n"
    assert process.stdout.readline().startswith(b"1\t")
    children = children_of(process.pid)
    assert len(children) == 2
    process.send_signal(ending)
    process.wait(timeout=30)
    process.stdout.close()
    deadline = time.monotonic() + 30
    while any(map(is_running, children)):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def children_of(process: int) -> list[int]:
    return [
        int(child)
        for task in Path(f"/proc/{process}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_network_has_threads_in_place_of_processes(run, tmp_path, tiny_text, monkeypatch):
    lmkit.train(tiny_text, output=tmp_path / "m.lm", backend="lstm", hidden=3, epochs=1, seed=1)
    monkeypatch.setattr("lmkit.workers.Workers", None)
    result = run("score", tmp_path / "m.lm", "--workers", "2", stdin=b"a b\n")
    assert result.status == 0


@pytest.mark.parametrize("suffix", ["gz", "bz2", "xz", "zst"])
def test_text_is_compressed_in_and_out_by_the_name(run, small_model, tmp_path, suffix):
    from lmkit.files.atomic import open_target
    from lmkit.text.reading import read_lines

    source, target = tmp_path / f"in.{suffix}", tmp_path / f"out.{suffix}"
    with open_target(source) as stream:
        stream.write(b"w1 w2\nnosuch nosuch\n")
    words = ("--max-perplexity", "1e9", "--output", target)
    assert run("score", small_model, source, *words).status == 0
    assert target.read_bytes()[:1] != b"w"
    assert list(read_lines(target)) == ["w1 w2", "nosuch nosuch"]


def test_standard_output_can_be_named(run, small_model):
    named = run("score", small_model, "--tsv", "--output", "-", stdin=b"w1\n")
    assert named.out == run("score", small_model, "--tsv", stdin=b"w1\n").out

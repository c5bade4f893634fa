"""``lmkit data``: list, get and path, from the command line to the files."""

from __future__ import annotations

import csv
import io
import json
import re
import threading

import pytest

from lmkit.cli.console import Console
from lmkit.datasets import catalogue

from ..mirror import running_mirror
from .support import run_python

TEXT = b"one line\nanother line\n" * 5000


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("LMKIT_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("LMKIT_DATA_MIRROR", raising=False)
    return tmp_path / "home"


@pytest.fixture
def mirror(monkeypatch):
    from lmkit.datasets import fetch

    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(fetch, "RETRY_DELAYS_SECONDS", (0.0,))
    with running_mirror() as server:
        monkeypatch.setenv("LMKIT_DATA_MIRROR", server.url)
        yield server


def test_list_is_a_table_of_all_data_sets(run):
    result = run("data", "list")
    assert (result.status, result.err) == (0, "")
    heading, _, *rows = result.out.splitlines()
    assert heading.split() == ["name", "splits", "bytes", "present", "licence", "description"]
    assert [row.split()[0] for row in rows] == list(catalogue())
    assert re.match(r"builtin +train valid test +- +yes +PSF-2.0 ", rows[0])
    assert re.match(r"big +all +6488666 +public domain ", rows[4])


def test_list_as_json(run):
    rows = {row["name"]: row for row in json.loads(run("data", "list", "--json").out)}
    assert list(rows) == list(catalogue())
    assert rows["wikitext-2"]["splits"] == ["train", "valid", "test"]
    assert rows["brown"] == {
        "name": "brown",
        "splits": ["all"],
        "bytes": 3314357,
        "present": False,
        "licence": "free for non-commercial use",
        "home": catalogue()["brown"].home,
        "description": catalogue()["brown"].description,
    }


@pytest.mark.parametrize("flag, delimiter", [("--csv", ","), ("--tsv", "\t")])
def test_list_as_separated_values(run, flag, delimiter):
    out = run("data", "list", flag).out
    rows = list(csv.DictReader(io.StringIO(out), delimiter=delimiter))
    assert [row["name"] for row in rows] == list(catalogue())
    assert rows[1]["splits"] == "train valid test"
    assert rows[1]["bytes"] == ""


def test_list_of_files_has_addresses_and_checksums(run):
    rows = [json.loads(line) for line in run("data", "list", "--files", "--jsonl").out.splitlines()]
    splits = [(name, split) for name, entry in catalogue().items() for split in entry.splits]
    assert [(row["name"], row["split"]) for row in rows] == splits
    for row in rows:
        source = catalogue()[row["name"]].splits[row["split"]]
        assert (row["url"], row["git_blob"], row["bytes"], row["present"]) == (
            (source.url, source.git_blob, source.size, False)
            if source
            else (None, None, None, True)
        )


def test_path_of_the_built_in_corpus_makes_it(run, home):
    result = run("data", "path", "builtin", "--split", "train")
    assert result.out == f"{home / 'data/builtin/train.txt'}\n"
    assert (home / "data/builtin/train.txt").stat().st_size > 100_000


def test_path_without_a_split_gives_all(run, home):
    folder = home / "data" / "builtin"
    names = ["train.txt", "valid.txt", "test.txt"]
    assert run("data", "path", "builtin").out.splitlines() == [str(folder / n) for n in names]
    result = run("data", "path", "builtin", "--split", "test", "--split", "valid")
    assert result.out.splitlines() == [str(folder / "test.txt"), str(folder / "valid.txt")]


def test_path_of_what_was_not_fetched(run):
    result = run("data", "path", "big")
    assert (result.status, result.out) == (1, "")
    assert result.err == (
        "Error: data set 'big' has not been fetched. Try: `lmkit data get big`.\n"
    )


@pytest.mark.parametrize("command", ["get", "path"])
def test_unknown_names_are_usage_errors(run, command):
    result = run("data", command, "bog")
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith("Error: there is no data set named 'bog'. Try: one of builtin, ")
    result = run("data", command, "builtin", "--split", "dev")
    assert result.status == 2
    assert "no split named 'dev'. Try: one of train, valid, test." in result.err


def test_get_fetches_once_and_prints_the_path(run, home, mirror):
    mirror.add("small", TEXT)
    path = home / "data/small/all.txt"
    first = run("data", "get", "small")
    assert (first.status, first.out) == (0, f"{path}\n")
    assert first.err == "small: licence none; see https://example.org\n"
    assert path.read_bytes() == TEXT
    assert run("data", "path", "small").out == f"{path}\n"
    again = run("data", "get", "small")
    assert (again.out, again.err) == (f"{path}\n", "")
    assert len(mirror.requests) == 1
    assert run("data", "get", "small", "--force").status == 0
    assert len(mirror.requests) == 2
    present = {row["name"]: row["present"] for row in json.loads(run("data", "list", "--json").out)}
    assert present["small"] is True
    assert present["big"] is False


def test_get_of_the_built_in_corpus(run, home):
    result = run("data", "get", "builtin")
    assert (result.status, len(result.out.splitlines()), result.err) == (0, 3, "")


def test_quiet_get_says_nothing_but_the_path(run, home, mirror):
    mirror.add("small", TEXT)
    assert run("data", "get", "small", "--quiet").err == ""


@pytest.mark.parametrize(
    "how, said",
    [
        ({"statuses": [404]}, "404 Not Found"),
        ({"pinned": TEXT[:-1] + b"?"}, "not the pinned file"),
        ({"cuts": [9, 9], "ranges": False, "etag": None}, "nothing was kept"),
    ],
)
def test_failed_get_is_one_line_and_leaves_nothing(run, home, mirror, how, said):
    mirror.add("small", TEXT, **how)
    result = run("data", "get", "small", stderr_is_terminal=False)
    assert (result.status, result.out) == (1, "")
    assert re.fullmatch(r"Error: cannot fetch small[^\n]+\. Try: [^\n]+\.\n", result.err)
    assert said in result.err
    assert list((home / "data").rglob("*")) == []


def test_broken_get_goes_on_with_the_same_command(run, home, mirror):
    mirror.add("small", TEXT, cuts=[1000, 1000])
    result = run("data", "get", "small")
    assert result.status == 1
    assert "2000 bytes are kept. Try: the same command, to go on from there." in result.err
    assert run("data", "get", "small").status == 0
    assert mirror.requests[-1]["Range"] == "bytes=2000-"


def test_no_network_is_one_line(run, home, monkeypatch):
    monkeypatch.setenv("LMKIT_DATA_MIRROR", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "*")
    result = run("data", "get", "tinyshakespeare")
    assert (result.status, result.out, result.err.count("\n")) == (1, "", 1)
    assert "no connection to 127.0.0.1:1" in result.err
    assert list((home / "data").rglob("*")) == []


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_for_terminals(run, home, mirror, terminal):
    mirror.add("small", TEXT)
    result = run("data", "get", "small", stderr_is_terminal=terminal)
    assert ("small all" in result.err) is terminal
    assert ("\x1b[" in result.err) is terminal


def test_waiting_for_another_process_is_said(run, mirror, monkeypatch):
    served = mirror.add("small", TEXT, hold=threading.Event())
    said = []

    def remark(console, text):
        said.append(text)
        served.hold.set()  # the first one may go on as soon as the second one waits

    monkeypatch.setattr(Console, "remark", remark)
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(run("data", "get", "small")))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert [result.status for result in results] == [0, 0]
    assert said[0] == "small (all) is being fetched by another process; waiting for it."
    assert len(mirror.requests) == 1


def test_interrupt_ends_with_130(run, home, mirror, monkeypatch):
    from lmkit.datasets import fetch

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    mirror.add("small", TEXT)
    monkeypatch.setattr(fetch, "open_url", interrupt)
    assert run("data", "get", "small").status == 130
    assert list((home / "data").rglob("*")) == []


def test_names_are_completed(process):
    environment = {"_LMKIT_COMPLETE": "bash_complete", "COMP_CWORD": "3"}
    words = {**environment, "COMP_WORDS": "lmkit data get b"}
    assert process(env=words).stdout.split() == [
        "plain,builtin",
        "plain,brown",
        "plain,big",
        "plain,birkbeck",
    ]


def test_nothing_heavy_is_imported(process, home):
    code = (
        "import sys; from lmkit.cli.main import main; main(['data', 'list']);"
        "print(sorted({'numpy', 'sqlite_utils', 'rich', 'regex', 'ssl'} & set(sys.modules)))"
    )
    result = run_python("-c", code, env={"LMKIT_HOME": str(home)})
    assert result.stdout.splitlines()[-1] == "[]"


def test_documented(root):
    page = (root / "docs" / "datasets.md").read_text(encoding="utf-8")
    for name, dataset in catalogue().items():
        splits = ", ".join(dataset.splits)
        assert f"| `{name}` | {splits} |" in page

"""The catalogue: every file pinned, and pinned to the files that people have."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click
import pytest

from lmkit.datasets import catalogue, dataset_path
from lmkit.datasets.catalogue import Source, find_dataset
from lmkit.datasets.fetch import git_blob_id
from lmkit.datasets.location import split_file
from lmkit.datasets.pairs import FORMS
from lmkit.errors import DownloadError, UsageError
from lmkit.home import home_directory

SOURCES = {
    (name, split): source
    for name, dataset in catalogue().items()
    for split, source in dataset.splits.items()
    if source is not None
}


def test_data_sets_and_their_splits() -> None:
    assert {name: list(dataset.splits) for name, dataset in catalogue().items()} == {
        "builtin": ["train", "valid", "test"],
        "wikitext-2": ["train", "valid", "test"],
        "tinyshakespeare": ["all"],
        "brown": ["all"],
        "big": ["all"],
        "birkbeck": ["pairs"],
        "codespell": ["pairs"],
        "toefl-spell": ["pairs"],
        "norvig-spelling": ["pairs"],
    }


@pytest.mark.parametrize("name", list(catalogue()))
def test_entry_says_what_it_is(name: str) -> None:
    dataset = catalogue()[name]
    assert dataset.name == name
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]*", name)
    assert dataset.description
    assert not dataset.description.endswith(".")
    assert dataset.licence
    assert dataset.home.startswith("https://")


@pytest.mark.parametrize("source", SOURCES.values(), ids=map("-".join, SOURCES))
def test_file_is_pinned(source: Source) -> None:
    assert re.fullmatch(r"[0-9a-f]{40}", source.commit)
    assert source.size is None or source.size > 1_000_000
    assert source.conversion in (None, "brown", *FORMS)
    if source.conversion in FORMS:
        assert source.least > 200
    else:
        assert source.git_blob is not None
        assert re.fullmatch(r"[0-9a-f]{40}", source.git_blob)


def test_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LMKIT_DATA_MIRROR", raising=False)
    big = "norvig/pytudes/414fe258a4181c2a819959d9a29bfcbe4c4b19c7/data/text/big.txt"
    assert SOURCES["big", "all"].url == f"https://raw.githubusercontent.com/{big}"
    monkeypatch.setenv("LMKIT_DATA_MIRROR", "https://mirror.example:8080/raw/")
    assert SOURCES["big", "all"].url == f"https://mirror.example:8080/raw/{big}"
    monkeypatch.setenv("LMKIT_DATA_MIRROR", "")
    assert SOURCES["big", "all"].url == f"https://raw.githubusercontent.com/{big}"


def test_path_is_quoted() -> None:
    source = Source("owner/name", "0" * 40, "a file?.txt", "0" * 40)
    assert source.url.endswith("/a%20file%3F.txt")


def test_size_is_known_where_all_parts_are() -> None:
    assert catalogue()["big"].size == 6488666
    assert catalogue()["wikitext-2"].size is None
    assert catalogue()["builtin"].size is None


@pytest.mark.data
@pytest.mark.parametrize(
    "name, split, path",
    [
        ("wikitext-2", "valid", "wikitext-2/valid.txt"),
        ("wikitext-2", "test", "wikitext-2/test.txt"),
        ("tinyshakespeare", "all", "tinyshakespeare/input.txt"),
        ("big", "all", "spelling/big.txt"),
    ],
)
def test_pins_are_those_of_real_copies(shared_data: Path, name: str, split: str, path: str) -> None:
    source = SOURCES[name, split]
    copy = shared_data / path
    assert source.git_blob == git_blob_id(copy)
    assert source.size == copy.stat().st_size


def test_unknown_names() -> None:
    with pytest.raises(UsageError, match=r"no data set named 'wikitext'.*builtin, wikitext-2"):
        find_dataset("wikitext")
    with pytest.raises(UsageError, match=r"no split named 'dev'.*train, valid, test"):
        dataset_path("wikitext-2", "dev")
    with pytest.raises(UsageError, match=r"more than one split.*train, valid, test"):
        dataset_path("wikitext-2")


def test_what_was_not_fetched_has_no_path() -> None:
    with pytest.raises(DownloadError, match=r"'brown' has not been .*`lmkit data get brown`"):
        dataset_path("brown")
    with pytest.raises(DownloadError, match=r"'wikitext-2' \(test\) has not been"):
        dataset_path("wikitext-2", "test")


def test_home_is_what_lmkit_home_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LMKIT_HOME", str(tmp_path))
    assert split_file("big", "all") == tmp_path / "data" / "big" / "all.txt"
    monkeypatch.setenv("LMKIT_HOME", "~/lmkit")
    assert home_directory() == Path.home() / "lmkit"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LMKIT_HOME", "here")
    assert home_directory() == tmp_path / "here"


@pytest.mark.parametrize("platform", ["here", "darwin"])
@pytest.mark.parametrize("config", [None, "/somewhere/config"])
def test_home_is_clicks_application_directory(
    monkeypatch: pytest.MonkeyPatch, platform: str, config: str | None
) -> None:
    monkeypatch.delenv("LMKIT_HOME")
    if platform != "here":
        monkeypatch.setattr(sys, "platform", platform)
    if config:
        monkeypatch.setenv("XDG_CONFIG_HOME", config)
    else:
        monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    assert home_directory() == Path(click.get_app_dir("lmkit"))

"""Datasette shows model files: pages answer, and links carry the words of what they lead to."""

from __future__ import annotations

import asyncio
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import lmkit
from lmkit.ngram.tables import write_tables

from .conftest import oracle

LINES = ["the cat sat", "the cat <b>ran</b>", "a dog sat on the mat", "a cat & a dog"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("datasette")
    (folder / "text.txt").write_text("".join(f"{line}\n" for line in LINES), encoding="utf-8")
    lmkit.train(folder / "text.txt", output=folder / "m.lm", order=3)
    write_tables(folder / "m.lm")
    return folder / "m.lm"


def pages(*paths: str, files: Any = (), immutables: Any = ()) -> list[Any]:
    """What Datasette answers to ``paths``."""
    datasette = oracle("datasette.app").Datasette(
        [str(file) for file in files], immutables=[str(file) for file in immutables]
    )

    async def answers() -> list[Any]:
        await datasette.invoke_startup()
        return [await datasette.client.get(path) for path in paths]

    return asyncio.run(answers())


@pytest.mark.parametrize("how", ["files", "immutables"])
def test_every_table_has_its_page(model: Path, how: str) -> None:
    with closing(sqlite3.connect(model)) as database:
        names = [name for (name,) in database.execute("select name from sqlite_master"
                 " where type = 'table'")]  # fmt: skip
    assert {"ngrams_1", "ngrams_3", "blocks", "checksums"} <= set(names)
    paths = ["/", "/m", *[f"/m/{name}" for name in names], *[f"/m/{name}.json" for name in names]]
    for path, answer in zip(paths, pages(*paths, **{how: [model]}), strict=True):
        assert answer.status_code == 200, path
        if path.endswith(".json"):
            assert answer.json()["ok" if "ok" in answer.json() else "database"] in (True, "m")


def test_links_carry_the_words(model: Path) -> None:
    table, page = pages(
        "/m/ngrams_3.json?_labels=on&_shape=array&context=the+cat&_sort=id",
        "/m/ngrams_3?context=the+cat",
        files=[model],
    )
    found = table.json()
    assert len(found) > 1
    for row in found:
        assert row["context_id"]["label"] == "the cat"
        assert row["token_id"]["label"] == row["token"]
        assert row["name"] == f"the cat {row['token']}"
    place = found[0]["context_id"]["value"]
    assert f'<a href="/m/ngrams_2/{place}">the cat</a>' in page.text
    (row,) = pages(f"/m/ngrams_2/{place}", files=[model])
    # The page of a context leads to what continues it.
    links = re.findall(r'href="(/m/ngrams_3\?context_id=\d+)">\s*(\d+) row', row.text)
    assert links == [(f"/m/ngrams_3?context_id={place}", str(len(found)))]


def test_tokens_are_escaped_and_found_in_the_vocabulary(model: Path) -> None:
    tokens = lmkit.load(model).vocabulary.tokens
    place = tokens.index("&")
    page, row = pages("/m/ngrams_1?token=%26", f"/m/vocabulary/{place}", files=[model])
    assert "&amp;" in page.text
    assert f"/m/ngrams_1?id={place}" in row.text


def test_packed_numbers_are_downloads(model: Path) -> None:
    (page,) = pages("/m/blocks?_size=1", files=[model])
    link = re.search(r'class="blob-download" href="([^"]+)"', page.text)
    assert link is not None
    (blob,) = pages(link[1].replace("&amp;", "&"), files=[model])
    with closing(sqlite3.connect(model)) as database:
        assert blob.content == database.execute("select data from blocks order by id").fetchone()[0]


def test_a_model_stays_as_it_is(model: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.lm"
    shutil.copy(model, copy)
    pages("/copy/ngrams_2", files=[copy])
    assert copy.read_bytes() == model.read_bytes()
    assert [one.name for one in tmp_path.iterdir()] == ["copy.lm"]

"""Google Books n-grams: both layouts, years, tags, and what is not one of them."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

import lmkit
from lmkit.errors import FormatError, UsageError
from lmkit.ngram.formats import kind_of_file
from lmkit.ngram.google_books import read_google_books
from lmkit.ngram.model import NgramModel

VERSION_2 = """\
the cat\t1950\t3\t1
the cat\t1951\t4\t2
the dog\t1949\t5\t1
the dog\t2000\t6\t1
the_DET cat\t1950\t7\t1
the _NOUN_\t1950\t8\t1
_START_ the\t1950\t9\t1
cat _END_\t1950\t2\t1
"""
VERSION_3 = """\
the cat\t1950,3,1\t1951,4,2
the dog\t1949,5,1\t2000,6,1
the_DET cat\t1950,7,1
the _NOUN_\t1950,8,1
_START_ the\t1950,9,1
cat _END_\t1950,2,1
"""
BOTH = pytest.mark.parametrize("text", [VERSION_2, VERSION_3], ids=["version 2", "version 3"])
READ = Callable[..., NgramModel]


@pytest.fixture
def read(tmp_path: Path) -> READ:
    def of(text: str, **how: object) -> NgramModel:
        path = tmp_path / "given"
        path.write_text(text, encoding="utf-8")
        return read_google_books(path, smoothing="witten-bell", **how)  # type: ignore[arg-type]

    return of


def bigrams(model: NgramModel) -> dict[str, int]:
    tokens, level = model.vocabulary.tokens, model.trie[2]
    assert level.token is not None and level.count is not None
    children = model.trie[1].first_child
    assert children is not None
    first = children.array().tolist()
    return {
        f"{tokens[context]} {tokens[int(level.token.array()[row])]}": int(level.count.array()[row])
        for context in range(len(tokens))
        for row in range(first[context], first[context + 1])
    }


@BOTH
def test_matches_are_added_up_over_the_years(text: str, read: READ) -> None:
    model = read(text)
    # the cat: 3 + 4. the dog: 5 + 6. What has tags counts the same again.
    expected = {"the cat": 7, "the dog": 11, "<s> the": 9, "cat </s>": 2}
    assert bigrams(model) == expected
    assert "2 lines with tags of parts of speech were passed over" in model.describe()["notes"]
    assert set(model.vocabulary.tokens) == {"<unk>", "<s>", "</s>", "the", "cat", "dog"}


@BOTH
def test_years_that_count(text: str, read: READ) -> None:
    # Of the dog only 1949 and 2000 are known: what is left out leaves no word behind.
    model = read(text, years=(1950, 1999))
    assert bigrams(model) == {"the cat": 7, "<s> the": 9, "cat </s>": 2}
    assert "dog" not in model.vocabulary
    assert bigrams(read(text, years=(2000, 2000))) == {"the dog": 6}
    with pytest.raises(FormatError, match="no counts of the years 1700 to 1800 in it"):
        read(text, years=(1700, 1800))


@BOTH
def test_chunks_of_any_size(text: str, read: READ, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lmkit.ngram.countfiles.CHUNK_BYTES", 30)
    assert bigrams(read(text))["the cat"] == 7


@BOTH
def test_the_format_is_seen_and_gzip_read(text: str, tmp_path: Path) -> None:
    path = tmp_path / "books.gz"
    path.write_bytes(gzip.compress(text.encode()))
    assert kind_of_file(path) == "google-books"
    model = lmkit.import_model(path, smoothing="witten-bell", years=(1950, 1950))
    assert bigrams(model)["the cat"] == 3  # type: ignore[arg-type]


def test_words_may_have_commas(read: READ) -> None:
    model = read("1,000 ,\t1950,3,1\t1951,4,1\n, a\t1950,1,1\n")
    assert bigrams(model) == {"1,000 ,": 7, ", a": 1}
    assert bigrams(read("1,000 ,\t1950\t3\t1\n")) == {"1,000 ,": 3}


def test_version_1_counts_pages_too(read: READ) -> None:
    assert bigrams(read("a b\t1950\t3\t2\t1\n")) == {"a b": 3}


def test_a_directory_of_files(tmp_path: Path) -> None:
    names = ("googlebooks-eng-all-2gram-20120701-aa.gz", "2-00000-of-00589")
    (tmp_path / names[0]).write_bytes(gzip.compress(VERSION_2.encode()))
    (tmp_path / names[1]).write_text("a b\t1950,1,1\n")
    (tmp_path / "total_counts").write_text("not of it")
    found = bigrams(read_google_books(tmp_path, smoothing="witten-bell"))
    assert (found["the cat"], found["a b"]) == (7, 1)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(FormatError, match="no files such as googlebooks"):
        read_google_books(empty)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("a b\t1950\t3\t1\nc d 5\n", 2, "no tab after it"),
        ("a b\t1950\t3\t1\n\nc d\t5\n", 3, "not followed by a year, matches and volumes"),
        ("a b\t1950\tx\t1\n", 1, "not a whole number"),
        ("a b\t1950\t\t1\n", 1, "not a whole number"),
        ("a b\t1950,3,1\nc d\t1950,3\n", 2, "not every tab is followed by year,matches,volumes"),
        (
            "a b\t1950,3,1\nc d\t1950,3,1,4\n",
            2,
            "not every tab is followed by year,matches,volumes",
        ),
        ("a b\t1950,3,1\nc d\t1950,-3,1\n", 2, "not a whole number"),
        (
            "a b\t1950,3,1\nc d\t1950\t3\t1\n",
            2,
            "not every tab is followed by year,matches,volumes",
        ),
        ("\t1950\t3\t1\n", 1, "no n-gram before"),
    ],
)
def test_what_is_neither(text: str, line: int, reason: str, read: READ) -> None:
    with pytest.raises(FormatError, match=f"line {line}: .*{reason}") as caught:
        read(text)
    assert "ngram<TAB>year<TAB>matches" in str(caught.value.hint)


def test_too_many_matches(read: READ) -> None:
    with pytest.raises(FormatError, match=r"2\^63"):
        read(f"a\t1950\t{2**63 - 1}\t1\na\t1951\t{2**63 - 1}\t1\n")


def test_in_counts_a_tab_inside_an_ngram_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "counts"
    path.write_text("a b\t3\n" + VERSION_2)
    with pytest.raises(FormatError, match="line 2: a tab inside an n-gram") as caught:
        lmkit.import_model(path, kind="counts")
    assert "--format google-books" in str(caught.value.hint)


def test_years_are_for_google_books(tmp_path: Path) -> None:
    path = tmp_path / "counts"
    path.write_text("a b\t3\n")
    with pytest.raises(UsageError, match="--years means nothing"):
        lmkit.import_model(path, years=(1950, 1960))
    path.write_text(VERSION_2)
    with pytest.raises(UsageError, match="the first year, 1960, is after the last, 1950"):
        lmkit.import_model(path, years=(1960, 1950))

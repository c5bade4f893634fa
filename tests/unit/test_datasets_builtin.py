"""The built-in corpus: its rule on small texts, and what comes out of this Python's."""

from __future__ import annotations

import sys
from itertools import chain
from pathlib import Path

import pytest

from lmkit.datasets import builtin_corpus, dataset_path, get_dataset
from lmkit.datasets.builtin import distinct_blocks, reference_texts, to_sentences
from lmkit.errors import DownloadError


@pytest.fixture(scope="module")
def corpus() -> dict[str, list[str]]:
    return builtin_corpus()


def blocks(text: str) -> list[str]:
    return list(distinct_blocks({"topic": text}))


def test_size(corpus: dict[str, list[str]]) -> None:
    # Python 3.11: 42,400 words, 3.13: 44,500, by the same rule.
    words = {split: sum(len(line.split()) for line in lines) for split, lines in corpus.items()}
    assert 30_000 < words["train"] < 60_000
    assert 3_000 < words["valid"] < 8_000
    assert 3_000 < words["test"] < 8_000


def test_lines_are_plain_text(corpus: dict[str, list[str]]) -> None:
    lines = list(chain.from_iterable(corpus.values()))
    for line in lines:
        assert line == " ".join(line.split())
        assert line.isprintable()
        assert "::=" not in line
        assert ">>>" not in line
        assert "***" not in line
    ended = sum(line.endswith((".", "!", "?", ":", ".)", ";", ",")) for line in lines)
    assert ended / len(lines) > 0.95
    begun = sum(line[0].isupper() for line in lines)
    assert begun / len(lines) > 0.8


def test_words_are_english(corpus: dict[str, list[str]]) -> None:
    words = " ".join(corpus["train"]).lower().split()
    # In running English about a twentieth of the words is "the"; in programs there is none.
    assert words.count("the") / len(words) > 0.05


def test_no_block_is_there_twice() -> None:
    found = list(distinct_blocks(reference_texts()))
    assert len(found) == len(set(found))
    # The topics quote each other: without this rule the splits would share them.
    assert sum(map(len, found)) < 0.8 * sum(map(len, reference_texts().values()))


def test_splits_share_next_to_nothing(corpus: dict[str, list[str]]) -> None:
    train = set(corpus["train"])
    for split in ("valid", "test"):
        long = [line for line in corpus[split] if len(line.split()) > 10]
        assert sum(line in train for line in long) / len(long) < 0.02


def test_same_text_every_time(corpus: dict[str, list[str]]) -> None:
    assert builtin_corpus() == corpus


def test_every_ninth_and_tenth_block_is_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from lmkit.datasets import builtin

    text = "\n\n".join(f"This is the block number {number}." for number in range(20))
    monkeypatch.setattr(builtin, "reference_texts", lambda: {"topic": text})
    corpus = builtin_corpus()
    assert [line.split()[-1] for line in corpus["valid"]] == ["8.", "18."]
    assert [line.split()[-1] for line in corpus["test"]] == ["9.", "19."]
    assert len(corpus["train"]) == 16


def test_topics_in_the_order_of_their_names() -> None:
    topics = {"b": "The text of the second topic.", "a": "The text of the first topic."}
    assert list(distinct_blocks(topics)) == [topics["a"], topics["b"]]


def test_repeated_block_is_dropped_wherever_it_is_broken() -> None:
    first = "The text of a topic that another one quotes, with other line breaks."
    second = "The text of a topic that another one quotes, with\n   other line breaks."
    assert list(distinct_blocks({"a": first, "b": second, "c": first})) == [first]


def test_headings_are_dropped() -> None:
    text = "The heading of a topic here.\n****************************\n\nThe text of this topic."
    assert blocks(text) == ["The text of this topic."]


def test_list_items_are_blocks_without_their_markers() -> None:
    text = "* The first item of it.\n* One more item of it.\n\n1. A third one is numbered."
    expected = ["The first item of it.", "One more item of it.", "A third one is numbered."]
    assert blocks(text) == expected


def test_indented_text_is_a_block_of_its_own() -> None:
    text = 'The "term" to be defined:\n   Its definition is a paragraph.'
    assert blocks(text) == ['The "term" to be defined:', "Its definition is a paragraph."]


@pytest.mark.parametrize(
    "text",
    [
        'target ::= identifier | "(" target ")".',
        ">>> print(1, 2, 3, 4).",
        "| One cell | another cell | of a table.",
        "for number in range(10):",
        "class Shape(Base, metaclass=Meta):",
        "x = f(1)\ny = g(2)\nprint(x, y) # and so on to the end of the line.",
        "import one # and why it is imported, at such length that the line is\n"
        "import two # long as well, like the lines of a paragraph; a third one\n"
        "import three # makes it look like a paragraph.",
        "False await else import pass None break except in raise True class is\n"
        "finally return and continue for lambda try as def from nonlocal while\n"
        "assert del global not with async elif if or yield",
        "Too short.",
        "no capital at the start of this.",
        "This has no end",
    ],
)
def test_what_is_no_prose(text: str) -> None:
    assert blocks(text) == []


def test_paragraph_is_told_by_its_filled_lines() -> None:
    text = (
        "lines that are filled to the width of the page are running text, even\n"
        "where the first word has no capital letter and the last one no full\n"
        "stop, as where a program follows"
    )
    assert blocks(text) == [" ".join(text.split())]


@pytest.mark.parametrize(
    "block, sentences",
    [
        ("One is here. Two is there! Three?", ["One is here.", "Two is there!", "Three?"]),
        ("It has parts, e.g. Names. It ends.", ["It has parts, e.g. Names.", "It ends."]),
        ("Version 3.2 is older. So is 3.1.", ["Version 3.2 is older.", "So is 3.1."]),
        ("(It is so.) But why?", ["(It is so.)", "But why?"]),
        ("It fails. [2] It is odd. [3]", ["It fails.", "It is odd."]),
        ('See "f()". "g()" is not it.', ["See f().", "g() is not it."]),
        ("A *mapping* has **many** parts.", ["A mapping has many parts."]),
        ("Write x**y or *args as before.", ["Write x**y or *args as before."]),
        ("A built- in name, pre- and post-war.", ["A built-in name, pre- and post-war."]),
        ("No end at all", ["No end at all"]),
    ],
)
def test_sentences(block: str, sentences: list[str]) -> None:
    assert to_sentences(block) == sentences


def test_python_without_its_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(DownloadError, match="without its reference texts") as caught:
        builtin_corpus()
    assert caught.value.hint


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LMKIT_HOME", str(tmp_path))
    return tmp_path


def test_path_makes_the_files(home: Path, corpus: dict[str, list[str]]) -> None:
    path = dataset_path("builtin", "valid")
    assert path == home / "data" / "builtin" / "valid.txt"
    assert path.read_text(encoding="utf-8").splitlines() == corpus["valid"]
    assert sorted(entry.name for entry in home.rglob("*")) == [
        "builtin",
        "data",
        "test.txt",
        "train.txt",
        "valid.txt",
    ]


def test_files_that_are_there_are_left_alone(home: Path) -> None:
    path = dataset_path("builtin", "train")
    path.write_text("mine\n")
    assert dataset_path("builtin", "train").read_text() == "mine\n"
    assert get_dataset("builtin")["train"].read_text() == "mine\n"
    get_dataset("builtin", force=True)
    assert path.read_text(encoding="utf-8") != "mine\n"


def test_splits_are_only_made_together(home: Path) -> None:
    # Another Python has other blocks: its test split shares text with this one's train split.
    train = dataset_path("builtin", "train")
    train.write_text("of another Python\n")
    dataset_path("builtin", "test").unlink()
    dataset_path("builtin", "test")
    assert train.read_text(encoding="utf-8") != "of another Python\n"


def test_home_that_cannot_be_written(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "file").touch()
    monkeypatch.setenv("LMKIT_HOME", str(home / "file"))
    with pytest.raises(DownloadError, match=r"cannot write.*LMKIT_HOME"):
        dataset_path("builtin", "train")

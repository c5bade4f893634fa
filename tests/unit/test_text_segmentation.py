"""Segmentation: lines, paragraphs, sentences; none depends on where chunks end."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmkit.text.reading import TextReader
from lmkit.text.segmentation import segment
from lmkit.text.sentences import split_sentences
from lmkit.text.settings import TextSettings


def segmented(*texts: str, size: int = 1 << 20, how: str = "line", skip: bool = False) -> list[str]:
    settings = TextSettings("whitespace", segment=how, skip_empty_lines=skip)
    sources = [io.BytesIO(text.encode()) for text in texts]
    parts = list(segment(TextReader(sources, chunk_bytes=size), settings))
    assert all(part.endswith(b"\n") for part in parts)
    return b"".join(parts).decode().split("\n")[:-1]


def test_lines() -> None:
    text = "one\n\n two \n \t\x00\nthree"
    assert segmented(text) == ["one", "", " two ", " \t\x00", "three"]
    assert segmented(text, skip=True) == ["one", " two ", "three"]
    assert segmented("\n\n", skip=True) == []


def test_a_line_of_other_white_space_is_not_empty() -> None:
    assert segmented("\u00a0\n\x0b\n", skip=True) == ["\u00a0", "\x0b"]


def test_paragraphs() -> None:
    text = "\n one\ntwo \n \n\t\nthree\n\n\nfour\nfive"
    assert segmented(text, how="paragraph") == ["one two", "three", "four five"]


def test_paragraphs_end_with_their_file() -> None:
    assert segmented("one\ntwo", "three\n", "", "four", how="paragraph") == [
        "one two",
        "three",
        "four",
    ]


texts = st.lists(
    st.sampled_from(["a", "Bb.", " ", "\n", "\n\n", "\x00", "C!", "\n \n", "é。"]), max_size=20
).map("".join)


@given(texts, st.integers(1, 9), st.sampled_from(["line", "paragraph", "sentence"]), st.booleans())
def test_chunks_of_any_size_give_the_same(text: str, size: int, how: str, skip: bool) -> None:
    assert segmented(text, size=size, how=how, skip=skip) == segmented(text, how=how, skip=skip)


@given(texts)
def test_segmenting_loses_only_white_space(text: str) -> None:
    for how in ("paragraph", "sentence"):
        sentences = segmented(text, how=how)
        assert all(sentence.strip(" \t\x00") for sentence in sentences)
        assert "".join("".join(sentences).split()).replace("\x00", "") == "".join(
            text.split()
        ).replace("\x00", "")


@pytest.mark.parametrize(
    "marked",
    [
        "It rained. | We stayed in.",
        "Did it? | Yes! | Good…  | Then go.",
        "Mr. Smith met Dr. J. R. Jones on St. James's St. in London. | He left.",
        '"Is it so?" | "It is." | She left.',
        "“Go,” he said. | “Now!” | (He left.) | [Silence.] | It was over.",
        "It cost 3.50 in No. 5 of Fig. 2. | That is all.",
        "Born in the U.S. in 1950. | She moved to the U.S. | The rest is known.",
        "The U.S. Senate met at 5 p.m. Eastern time.",
        "Apples, pears, etc. | The others came later.",
        "e.g. This is one, i.e. Only one.",
        "version 1.2 is out. | 3 more are planned.",
        "He asked why? and left. he said",
        "... And then it began.",
        "So it was I. | Then she came.",
        "今日は晴れ。 | 明日は雨？ | そうです。",
        "It is done . | The next one ! | Mr . Smith came .",
        "¿Qué es? | ¡Nada! | ¿No?",
        "no end here",
    ],
)
def test_sentences(marked: str) -> None:
    expected = [part.strip() for part in marked.split("|")]
    text = marked.replace(" | ", "" if "。" in marked else " ").replace("  ", " ")
    assert split_sentences(text).split("\n") == expected


def test_sentences_run_over_lines_within_a_paragraph() -> None:
    text = "It rained all\nday. We stayed\nin. Next\n\nparagraph. End"
    assert segmented(text, how="sentence") == [
        "It rained all day.",
        "We stayed in.",
        "Next",
        "paragraph.",
        "End",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["a. ", "A. ", ". ", ".", '."', "! ", "Mr. ", "。", "'", "x "])
def test_long_paragraphs_take_linear_time(unit: str) -> None:
    text = unit * (300_000 // len(unit))
    assert split_sentences(text).replace("\n", "").replace(" ", "") == text.replace(" ", "")

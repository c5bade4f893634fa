"""Vocabularies: whole, limited by counts, by a list, and grown from another."""

from __future__ import annotations

import io
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmkit.errors import TextError, UsageError
from lmkit.text.vocabulary import SPECIAL, Vocabulary, build_vocabulary, read_vocabulary


def built(counts: dict[str, int], **limits: object) -> tuple[dict[str, int], list[int], bool]:
    """Tokens with counts, the id of each given token, and whether it is limited."""
    tokens = [*SPECIAL, *(token for token in counts if token not in SPECIAL)]
    numbers = np.array([counts.get(token, 0) for token in tokens])
    vocabulary, ids = build_vocabulary(tokens, numbers, **limits)  # type: ignore[arg-type]
    table = dict(zip(vocabulary.tokens, vocabulary.counts.tolist(), strict=True))
    return table, list(range(len(tokens))) if ids is None else ids.tolist(), vocabulary.limited


# "a" 4 times, "b" and "c" twice, "d" once; 3 sentences, one literal <unk>.
COUNTS = {"<unk>": 1, "</s>": 3, "a": 4, "b": 2, "c": 2, "d": 1}


def test_whole() -> None:
    table, ids, limited = built(COUNTS)
    assert table == {"<unk>": 1, "<s>": 3, "</s>": 3, "a": 4, "b": 2, "c": 2, "d": 1}
    assert ids == [0, 1, 2, 3, 4, 5, 6]
    assert not limited


def test_min_count() -> None:
    table, ids, limited = built(COUNTS, min_count=2)
    assert table == {"<unk>": 2, "<s>": 3, "</s>": 3, "a": 4, "b": 2, "c": 2}
    assert ids == [0, 1, 2, 3, 4, 5, 0]
    assert limited


def test_the_most_frequent_words_ties_by_first_seen() -> None:
    counts = {"</s>": 1, "x": 1, "b": 2, "c": 2, "a": 4}
    table, ids, limited = built(counts, vocabulary_size=2)
    assert list(table) == ["<unk>", "<s>", "</s>", "b", "a"]
    assert table["<unk>"] == 3
    assert ids == [0, 1, 2, 0, 3, 0, 4]
    assert limited
    assert list(built(counts, vocabulary_size=0)[0]) == list(SPECIAL)
    assert list(built(counts, vocabulary_size=9, min_count=2)[0])[3:] == ["b", "c", "a"]


def test_a_word_list() -> None:
    table, ids, limited = built(COUNTS, words=["c", "new", "</s>", "a", "c", "<unk>", ""])
    assert table == {"<unk>": 4, "<s>": 3, "</s>": 3, "c": 2, "new": 0, "a": 4}
    assert ids == [0, 1, 2, 5, 0, 3, 0]
    assert limited


def test_a_whole_base_grows() -> None:
    base = Vocabulary([*SPECIAL, "z", "b"], np.array([0, 9, 9, 5, 5]))
    table, ids, limited = built(COUNTS, base=base)
    assert table == {"<unk>": 1, "<s>": 3, "</s>": 3, "z": 0, "b": 2, "a": 4, "c": 2, "d": 1}
    assert ids == [0, 1, 2, 5, 4, 6, 7]
    assert not limited
    assert base.tokens == [*SPECIAL, "z", "b"]


def test_a_limited_base_stays() -> None:
    base = Vocabulary([*SPECIAL, "z", "b"], limited=True)
    table, ids, limited = built(COUNTS, base=base)
    assert table == {"<unk>": 8, "<s>": 3, "</s>": 3, "z": 0, "b": 2}
    assert ids == [0, 1, 2, 0, 4, 0, 0]
    assert limited


@pytest.mark.parametrize(
    "limits",
    [
        {"min_count": 0},
        {"vocabulary_size": -1},
        {"min_count": 2, "words": ["a"]},
        {"vocabulary_size": 2, "base": Vocabulary([*SPECIAL])},
        {"words": ["a"], "base": Vocabulary([*SPECIAL])},
    ],
)
def test_limits_that_make_no_sense(limits: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        built(COUNTS, **limits)


@given(st.lists(st.sampled_from("abcdefgh")), st.integers(1, 4), st.integers(0, 9) | st.none())
def test_against_counter(text: list[str], min_count: int, size: int | None) -> None:
    counted = Counter(text)
    table, ids, _ = built({"</s>": 1, **counted}, min_count=min_count, vocabulary_size=size)
    enough = [word for word in counted if counted[word] >= min_count]
    kept = {
        word
        for word, _ in sorted(
            ((word, counted[word]) for word in enough), key=lambda pair: -pair[1]
        )[:size]
    }
    expected = {word: count for word, count in counted.items() if word in kept}
    assert dict(list(table.items())[3:]) == expected
    assert list(table)[3:] == [word for word in counted if word in kept]
    assert sum(table.values()) - table["<s>"] == len(text) + 1
    names = list(table)
    assert [names[i] for i in ids[3:]] == [w if w in kept else "<unk>" for w in counted]


def test_look_ups() -> None:
    vocabulary = Vocabulary([*SPECIAL, "a", "b"])
    assert len(vocabulary) == 5
    assert "b" in vocabulary
    assert "c" not in vocabulary
    assert [vocabulary.id_of(token) for token in ("<unk>", "</s>", "a", "c")] == [0, 2, 3, 0]
    ids = vocabulary.ids_of(["b", "zzz", "a"])
    assert ids.tolist() == [4, 0, 3]
    assert ids.dtype == np.int32
    assert vocabulary.ids_of([]).tolist() == []
    assert vocabulary.counts.tolist() == [0] * 5


def test_reading_a_word_list() -> None:
    data = "the\t23135851162\nof\n\nthe\n<s>\n<unk>\nno break\n\u00e9\r\n</s>\t5".encode()
    assert read_vocabulary(io.BytesIO(data)) == ["the", "of", "no break", "\u00e9"]


def test_a_word_list_that_is_missing(tmp_path: object) -> None:
    with pytest.raises(TextError, match="no such file"):
        read_vocabulary(f"{tmp_path}/words.txt")

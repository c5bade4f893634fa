"""Byte-pair encoding: by hand, against a naive twin, ties, long pieces, dropout."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmkit.errors import UsageError
from lmkit.text.subwords.bpe_encoding import BpeEncoder, Dropout
from lmkit.text.subwords.bpe_training import learn_merges

from ..reference import bpe as naive

counted = st.dictionaries(
    st.text("ab", min_size=1, max_size=9).map(str.encode)
    | st.text("abcd", min_size=1, max_size=6).map(str.encode)
    | st.binary(min_size=1, max_size=4),
    st.integers(1, 9),
    max_size=12,
)
lengths = st.sampled_from([1, 2, 3, 7, 8, 9, 30, 64, 65, 150])
to_encode = st.lists(
    lengths.flatmap(lambda size: st.text("aabcd", min_size=size, max_size=size)).map(str.encode),
    max_size=40,
)


def tokens_of(
    encoder: BpeEncoder, pieces: list[bytes], dropout: Dropout | None = None
) -> list[list[bytes]]:
    numbers, sizes = encoder.encode_pieces(pieces, dropout)
    parts = np.split(numbers, np.cumsum(sizes)[:-1]) if len(pieces) else []
    return [[encoder.tokens[number] for number in part] for part in parts]


def test_the_example_of_sennrich_by_hand() -> None:
    # low 5, lower 2, newest 6, widest 3 (Sennrich et al. 2016, figure 1).
    # e+s 6 + 3 = 9, es+t 9; then l+o 5 + 2 = 7, lo+w 7. Now n+e, e+w and w+est are seen 6 times:
    # e+w is the smallest. Of ew+est and n+ew it is ew+est, which leaves n+ewest. Of d+est, i+d and
    # w+i, seen 3 times each, it is d+est, then i+dest before w+i, then w+idest.
    counts = {b"low": 5, b"lower": 2, b"newest": 6, b"widest": 3}
    merges = learn_merges(counts, 10)
    assert [b" ".join(pair).decode() for pair in merges] == [
        "e s", "es t", "l o", "lo w", "e w", "ew est", "n ewest", "d est", "i dest", "w idest"
    ]  # fmt: skip
    encoder = BpeEncoder(merges)
    # lowest, which was never seen: l o w e s t -> l o w es t -> l o w est -> lo w est -> low est
    assert tokens_of(encoder, [b"lowest"]) == [[b"low", b"est"]]


@pytest.mark.slow
@given(counts=counted, tokens=st.integers(0, 25), minimum=st.integers(1, 3), forbid=st.booleans())
def test_learning_equals_counting_everything_again(
    counts: dict[bytes, int], tokens: int, minimum: int, forbid: bool
) -> None:
    forbidden = {b"ab", b"aba"} if forbid else set()
    assert learn_merges(
        counts, tokens, minimum=minimum, forbidden=forbidden
    ) == naive.learn(counts, tokens, minimum, forbidden)  # fmt: skip


def test_of_pairs_seen_as_often_the_smaller_one_is_merged_whatever_the_order_of_pieces() -> None:
    pieces = {b"zb": 3, b"za": 3, b"yz": 3, b"\xffa": 3, b"aa": 2, b"q\x00": 2}
    wanted = [
        (b"y", b"z"),
        (b"z", b"a"),
        (b"z", b"b"),
        (b"\xff", b"a"),
        (b"a", b"a"),
        (b"q", b"\0"),
    ]
    assert learn_merges(pieces, 9) == wanted
    assert learn_merges(dict(reversed(pieces.items())), 9) == wanted


def test_two_merges_that_make_one_token_count_as_one() -> None:
    # ab+c in abc; bc in xbc, and a+bc where an x never came before: zabc with z+a merged first.
    counts = {b"aabc": 4, b"aab": 9, b"bc": 20, b"xbc": 3}
    assert learn_merges(counts, 9, minimum=1) == naive.learn(counts, 9, 1)
    encoder = BpeEncoder([(b"a", b"b"), (b"b", b"c"), (b"ab", b"c"), (b"a", b"bc")])
    assert encoder.tokens[256:] == [b"ab", b"bc", b"abc"]


@pytest.mark.slow
@pytest.mark.parametrize("shuffled", [False, True])
@given(data=st.data(), counts=counted, pieces=to_encode)
def test_encoding_equals_merging_one_pair_at_a_time(
    shuffled: bool, data: st.DataObject, counts: dict[bytes, int], pieces: list[bytes]
) -> None:
    merges = learn_merges(counts, 25, minimum=1)
    if shuffled:  # files of others may have ranks in any order
        merges = data.draw(st.permutations(merges))
    encoder = BpeEncoder(merges)
    wanted = [naive.encode(piece, merges) for piece in pieces]
    assert tokens_of(encoder, pieces) == wanted
    assert [tokens_of(encoder, [piece])[0] for piece in pieces] == wanted


@pytest.mark.slow
@given(counts=counted, pieces=to_encode, dropout=st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]))
def test_dropout_loses_nothing_and_a_seed_gives_the_same_again(
    counts: dict[bytes, int], pieces: list[bytes], dropout: float
) -> None:
    encoder = BpeEncoder(learn_merges(counts, 25, minimum=1))
    found, again = (
        tokens_of(encoder, pieces, Dropout(dropout, np.random.default_rng(5))) for _ in range(2)
    )
    assert found == again
    assert [b"".join(tokens) for tokens in found] == pieces
    if dropout == 0:
        assert found == tokens_of(encoder, pieces)
    if dropout == 1:
        assert all(len(token) == 1 for tokens in found for token in tokens)


@pytest.mark.parametrize("padding", [0, 100])
def test_dropout_leaves_out_each_merge_with_its_probability(padding: int) -> None:
    # abc with a+b, b+c, ab+c. At a step all possible merges are drawn for, and the first that is
    # left is made. With p = 0.4: ab goes 0.6, else bc 0.4 * 0.6; after ab, abc goes 0.6.
    encoder = BpeEncoder([(b"a", b"b"), (b"b", b"c"), (b"ab", b"c")])
    tail = b"." * padding  # a long piece goes another way
    found = tokens_of(encoder, [b"abc" + tail] * 4000, Dropout(0.4, np.random.default_rng(3)))
    for way, share in (
        ([b"abc"], 0.36),
        ([b"ab", b"c"], 0.24),
        ([b"a", b"bc"], 0.24),
        ([b"a", b"b", b"c"], 0.16),
    ):
        seen = sum(tokens[: len(way)] == way for tokens in found) / 4000
        assert seen == pytest.approx(share, abs=0.03), way


def test_time_for_a_long_piece_does_not_grow_as_its_square() -> None:
    merges = learn_merges({b"abracadabra " * 8: 5, b"aaaa": 9}, 40)
    encoder = BpeEncoder(merges)

    def seconds(times: int) -> float:
        piece = b"abracadabra aaaa" * times
        start = time.process_time()
        encoder.encode_pieces([piece])
        return time.process_time() - start

    small = min(seconds(250) for _ in range(3))
    assert seconds(2000) < 30 * small + 0.05  # 8 times the length; 64 times were it quadratic


def test_a_special_piece_is_one_token_whatever_the_merges() -> None:
    encoder = BpeEncoder([(b"a", b"b")], [b"abba", b"ab", b"c"])
    pieces = [b"abba", b"ab", b"bab", b"a", b"c", b"b" * 70]
    wanted = [[b"abba"], [b"ab"], [b"b", b"ab"], [b"a"], [b"c"], [b"b"] * 70]
    assert tokens_of(encoder, pieces) == wanted
    assert tokens_of(encoder, pieces * 20, Dropout(1, np.random.default_rng(1)))[:3] == [
        [b"abba"], [b"ab"], [b"b", b"a", b"b"]
    ]  # fmt: skip
    assert encoder.tokens[256:] == [b"ab", b"abba"]


@pytest.mark.parametrize(
    ("merges", "message"),
    [
        ([(b"a", b"b"), (b"a", b"b")], r"merge 2, b'a' and b'b', comes twice"),
        ([(b"a", b"bc")], r"merge 1 is of b'bc', which nothing makes"),
        ([(b"", b"a")], r"merge 1 is of b'', which nothing makes"),
    ],
)
def test_merges_that_cannot_be_are_refused(merges: list[tuple[bytes, bytes]], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        BpeEncoder(merges)

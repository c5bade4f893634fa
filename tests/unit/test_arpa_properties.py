"""What holds for any text and any numbers: ARPA and counts files lose nothing, and fields are
what splitting in Python gives."""

from __future__ import annotations

import io
import math
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmkit.ngram.arpa import read_arpa
from lmkit.ngram.arpa_writing import write_arpa
from lmkit.ngram.assembly import assemble, find_ngrams, ngram_ids
from lmkit.ngram.countfiles import read_counts, write_counts
from lmkit.ngram.fields import BadFieldError, WordTable, fields_by_size
from lmkit.text.settings import TextSettings

from .ngram_support import corpus_of, ngrams_of, train

WORDS = st.text(
    st.characters(exclude_characters="\x00\t\n\r ", exclude_categories=["Cs"]),
    min_size=1,
    max_size=20,
).filter(lambda word: word not in ("<s>", "</s>"))
SENTENCES = st.lists(
    st.lists(st.sampled_from(["a", "b", "<UNK>", "<unk>"]) | WORDS, max_size=6).map(" ".join),
    min_size=1,
    max_size=12,
).filter(lambda lines: any(map(str.strip, lines)))
METHODS = st.sampled_from(
    ["modified-kneser-ney", "kneser-ney", "absolute-discounting", "witten-bell", "katz"]
)


@given(SENTENCES, st.integers(1, 5), METHODS)
def test_arpa_round_trip(lines: list[str], order: int, smoothing: str) -> None:
    model = train(lines, order, smoothing)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "out.arpa"
        write_arpa(model, path)
        again = read_arpa(path)
        write_arpa(again, path.with_name("again.arpa"))
        assert path.with_name("again.arpa").read_bytes() == path.read_bytes()
    assert again.vocabulary.tokens == model.vocabulary.tokens
    batch = model.encoder.encode([*lines, "a b a b unseen", "b b b", ""])
    expected, _ = model.score(batch)
    scores, _ = again.score(again.encoder.encode([*lines, "a b a b unseen", "b b b", ""]))
    # An impossible token costs 99 powers of ten there.
    possible = expected > -90 * math.log(10)
    np.testing.assert_allclose(scores[possible], expected[possible], atol=1e-6)
    assert (scores[~possible] <= -90 * math.log(10)).all()


@given(SENTENCES, st.integers(1, 5), METHODS)
def test_counts_round_trip(lines: list[str], order: int, smoothing: str) -> None:
    model = train(lines, order, smoothing)
    stream = io.BytesIO()
    write_counts(model, stream)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "counts.tsv"
        path.write_bytes(stream.getvalue())
        again = read_counts(path, smoothing=smoothing, order=order)
    assert again.vocabulary.tokens == model.vocabulary.tokens
    assert again.vocabulary.counts.tolist() == model.vocabulary.counts.tolist()
    for old, new in zip(model.trie.levels, again.trie.levels, strict=True):
        for (name, column), (_, expected) in zip(new.columns(), old.columns(), strict=True):
            np.testing.assert_array_equal(column.array(), expected.array(), err_msg=name)


@given(SENTENCES, st.integers(1, 4))
def test_characters_round_trip(lines: list[str], order: int) -> None:
    from lmkit.ngram.backend import NgramBackend

    how = TextSettings(tokenizer="char")
    model = NgramBackend.train(corpus_of(lines, how), order=order, smoothing="witten-bell")
    with tempfile.TemporaryDirectory() as folder:
        write_arpa(model, Path(folder) / "out.arpa")
        again = read_arpa(Path(folder) / "out.arpa", how)
    assert again.vocabulary.tokens == model.vocabulary.tokens
    np.testing.assert_array_equal(again.score(lines)[0], model.score(lines)[0])


# -- fields -----------------------------------------------------------------------------------

FIELDS = st.text(st.characters(exclude_characters="\x00\t\n\r ", exclude_categories=["Cs"]))
SPACES = st.sampled_from([" ", "\t", "  ", " \t ", "\x00"])


@given(st.lists(st.lists(st.tuples(FIELDS, SPACES), max_size=5), max_size=8), st.integers(1, 9))
def test_fields_are_those_of_splitting(table: list[list[tuple[str, str]]], first_line: int) -> None:
    lines = ["".join(field + space for field, space in row) for row in table]
    expected: dict[int, list[tuple[int, list[bytes]]]] = {}
    for number, line in enumerate(lines, first_line):
        spaced = line.replace("\t", " ").replace("\x00", " ")
        fields = [field.encode() for field in spaced.split(" ") if field]
        if fields:
            expected.setdefault(len(fields), []).append((number, fields))
    found = {
        size: [
            (line, [fields.field(row, column) for column in range(size)])
            for row, line in enumerate(fields.lines.tolist())
        ]
        for size, fields in fields_by_size("".join(f"{x}\n" for x in lines).encode(), first_line)
    }
    assert found == expected
    assert list(found) == sorted(found)


NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.floats(-100, 100).map(lambda x: f"{x:.7g}"),
    st.floats(-100, 100).map(lambda x: f"{x:.4f}"),
    st.floats(-100, 100).map(lambda x: f"{x:.20f}"),
    st.integers(-(10**20), 10**20).map(str),
    st.from_regex(r"[+-]?([0-9]{0,10}\.[0-9]{0,18}|[0-9]{1,9})", fullmatch=True),
)


@given(st.lists(NUMBERS.filter(lambda text: any(c.isdigit() for c in text)), min_size=1))
def test_numbers_are_those_of_python(texts: list[str]) -> None:
    ((size, fields),) = fields_by_size("".join(f"{text} x\n" for text in texts).encode(), 1)
    assert size == 2
    expected = np.array(list(map(float, texts)))
    np.testing.assert_allclose(fields.numbers(0), expected, rtol=1e-15)


@given(st.text(st.sampled_from("0123456789.-+e_xN "), min_size=1, max_size=12))
def test_what_is_no_number_is_refused(text: str) -> None:
    """Just what Python takes is taken, but for its underscores."""
    for _, fields in fields_by_size(f"{text}\n".encode(), 1):
        word = fields.field(0, 0).decode()
        try:
            expected = None if "_" in word else float(word)
        except ValueError:
            expected = None
        if expected is None:
            with pytest.raises(BadFieldError):
                fields.numbers(0)
        else:
            assert fields.numbers(0)[0] == pytest.approx(expected, rel=1e-15)


@given(
    st.lists(st.lists(st.sampled_from(["abcdefgh", "abcdefghi", "abcdefghj", "a", "b"]), min_size=3,
                      max_size=3), min_size=1, max_size=12)
)  # fmt: skip
def test_words_that_repeat_are_those_of_their_lines(rows: list[list[str]]) -> None:
    words = sorted({word for row in rows for word in row} - {"b"})
    table = WordTable()
    for number, word in enumerate(words):
        ((_, fields),) = fields_by_size(f"{word}\n".encode(), 1)
        table.add(fields.hashes(slice(0, 1)).ravel(), np.array([number]))
    ((_, fields),) = fields_by_size("".join(" ".join(row) + "\n" for row in rows).encode(), 1)
    expected = [[words.index(word) if word != "b" else -1 for word in row[1:]] for row in rows]
    assert fields.ids(table, range(1, 3)).tolist() == expected


@given(st.lists(st.integers(0, 2**63 - 1), min_size=1))
def test_counts_are_whole_numbers(counts: list[int]) -> None:
    ((_, fields),) = fields_by_size("".join(f"{c}\n" for c in counts).encode(), 1)
    assert fields.counts(0).tolist() == counts


@pytest.mark.parametrize(
    "text", ["-1", "1.0", "1e3", "x", "9223372036854775808", "1" * 30, "+1", "1_0", "½", "²"]
)
def test_what_is_no_count_is_refused(text: str) -> None:
    ((_, fields),) = fields_by_size(f"5\n{text}\n".encode(), 1)
    with pytest.raises(BadFieldError) as caught:
        fields.counts(0)
    assert caught.value.row == 1


@given(st.lists(st.binary(min_size=1, max_size=90), unique=True), st.integers(0, 20))
def test_words_are_found_by_their_hashes(words: list[bytes], known: int) -> None:
    words = list(dict.fromkeys(b"".join(word.split()).replace(b"\x00", b"") for word in words))
    words = [word for word in words if word]
    if not words:
        return
    ((_, fields),) = fields_by_size(b"\n".join(words) + b"\n", 1)
    hashes = fields.hashes(slice(0, 1)).ravel()
    assert len(set(hashes.tolist())) == len(words)
    table = WordTable()
    assert (table.ids_of(hashes) == -1).all()
    table.add(hashes[:known], np.arange(known)[: len(words)])
    table.add(hashes[known : known + 5], np.arange(len(hashes))[known : known + 5])
    expected = [n if n < known + 5 else -1 for n in range(len(words))]
    assert table.ids_of(hashes).tolist() == expected
    assert table.ids_of(hashes[::-1].reshape(-1, 1)).tolist() == [[n] for n in expected[::-1]]


# -- assembling a trie ------------------------------------------------------------------------

IDS = st.integers(0, 4)
NGRAMS = st.integers(2, 5).flatmap(lambda n: st.tuples(*[IDS] * n))


@pytest.mark.slow
@settings(max_examples=200)
@given(st.lists(NGRAMS, max_size=40), st.booleans())
def test_assembled_ngrams(ngrams: list[tuple[int, ...]], insert_suffixes: bool) -> None:
    highest = max(map(len, ngrams), default=2)
    tables = [
        np.array([g for g in ngrams if len(g) == n], np.int32).reshape(-1, n)
        for n in range(2, highest + 1)
    ]
    assembly = assemble(5, tables, insert_suffixes=insert_suffixes)
    trie = assembly.trie
    wanted = set(ngrams)
    for n in range(highest, 1, -1):
        wanted |= {g[:-1] for g in wanted if len(g) == n}
        if insert_suffixes:
            wanted |= {g[1:] for g in wanted if len(g) == n}
    given_ngrams = Counter(ngrams)
    for n in range(2, highest + 1):
        found = ngrams_of(trie, n)
        assert found == sorted(g for g in wanted if len(g) == n)
        rows = assembly.rows[n - 2]
        assert [found[row] for row in rows.tolist()] == [tuple(g) for g in tables[n - 2].tolist()]
        assert [found[row] for row in assembly.inserted[n - 2].tolist()] == [
            g for g in found if g not in given_ngrams
        ]
        everything = np.arange(len(found))
        assert list(map(tuple, ngram_ids(trie, n, everything).tolist())) == found
        below = ngrams_of(trie, n - 1)
        suffix = trie[n].suffix
        assert suffix is not None
        expected = [below.index(g[1:]) if g[1:] in below else -1 for g in found]
        assert suffix.array().tolist() == expected
        places = find_ngrams(trie, np.array([*found, (4,) * n], np.int32))
        assert places.tolist()[:-1] == everything.tolist()
        assert places[-1] == (found.index((4,) * n) if (4,) * n in found else -1)

"""Counts as they are written, Google's layout, and telling formats apart."""

from __future__ import annotations

import bz2
import gzip
import io
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from lmkit.errors import FormatError, UnsupportedError, UsageError
from lmkit.ngram.arpa import read_arpa
from lmkit.ngram.arpa_writing import write_arpa
from lmkit.ngram.backend import NgramBackend
from lmkit.ngram.countfiles import write_counts
from lmkit.ngram.formats import kind_of_file, read_model_of
from lmkit.ngram.web1t import read_web1t, web1t_files
from lmkit.text.settings import TextSettings

from .arpa_support import SMALL
from .ngram_support import corpus_of, train


def test_lines(tmp_path: Path) -> None:
    """Every n-gram of the text with its count, none twice, one order after the other."""
    texts = ["a b", "a", "<unk> a b", ""]
    write_counts(train(texts, 3, "modified-kneser-ney"), tmp_path / "counts.tsv")
    lines = (tmp_path / "counts.tsv").read_text(encoding="utf-8").splitlines()
    expected: Counter[str] = Counter()
    for text in texts:
        words = ["<s>", *text.split(), "</s>"]
        for n in (1, 2, 3):
            expected.update(" ".join(words[i : i + n]) for i in range(len(words) - n + 1))
    assert dict(line.split("\t") for line in lines) == {g: str(c) for g, c in expected.items()}
    orders = [line.count(" ") for line in lines]
    assert orders == sorted(orders)
    assert lines[:3] == ["<unk>\t1", "<s>\t4", "</s>\t4"]


def test_words_without_a_count_keep_their_place(tmp_path: Path) -> None:
    """A word of the vocabulary that the text has not: it has its part of the distribution."""
    corpus = corpus_of(["a b"], vocabulary=["a", "c"])
    model = NgramBackend.train(corpus, order=2, smoothing="witten-bell")
    write_counts(model, tmp_path / "counts.tsv")
    text = (tmp_path / "counts.tsv").read_text(encoding="utf-8")
    assert "c\t0\n" in text and "<unk>\t1\n" in text
    again = read_model_of(
        tmp_path / "counts.tsv", "counts", None, None, {"smoothing": "witten-bell"}
    )
    for line in ("a b", "c a", "a unseen"):
        np.testing.assert_array_equal(again.score(line)[0], model.score(line)[0])


def test_characters_are_escaped(tmp_path: Path) -> None:
    settings = TextSettings(tokenizer="char")
    model = NgramBackend.train(corpus_of(["a b\tc"], settings), order=2, smoothing="witten-bell")
    stream = io.BytesIO()
    write_counts(model, stream)
    assert b"\na <0x20>\t1\n" in stream.getvalue() and b"\n<0x09> c\t1\n" in stream.getvalue()
    (tmp_path / "counts.tsv").write_bytes(stream.getvalue())
    again = read_model_of(tmp_path / "counts.tsv", None, settings, None, {})
    assert again.vocabulary.tokens == model.vocabulary.tokens


def test_models_without_counts_are_refused(tmp_path: Path) -> None:
    (tmp_path / "given.arpa").write_text(SMALL, encoding="utf-8")
    with pytest.raises(UnsupportedError, match="no counts"):
        write_counts(read_arpa(tmp_path / "given.arpa"), tmp_path / "counts.tsv")
    pruned = train(["a b c", "a b c", "c b a"], 3, "witten-bell", prune=(0, 1))
    with pytest.raises(UnsupportedError, match="pruned"):
        write_counts(pruned, tmp_path / "counts.tsv")
    assert not (tmp_path / "counts.tsv").exists()


def test_progress_and_compression(tmp_path: Path) -> None:
    model = train(["a b", "a"], 2, "witten-bell")
    told: list[tuple[str, int, int]] = []
    write_counts(model, tmp_path / "counts.tsv.bz2", progress=lambda *news: told.append(news))
    assert told[-1] == ("writing", 9, 9)
    assert bz2.decompress((tmp_path / "counts.tsv.bz2").read_bytes()).count(b"\n") == 9


# -- Google's layout ----------------------------------------------------------------------------

TEXT = ["a b c", "a b d", "b c a", "a x", "x"]


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    """The counts of TEXT, x unknown, as Web 1T has them: files of two lines, Google's names."""
    text = [line.replace("x", "<unk>") for line in TEXT]
    stream = io.BytesIO()
    write_counts(train(text, 3, "witten-bell"), stream)
    names = ((b"<unk>", b"<UNK>"), (b"<s>", b"<S>"), (b"</s>", b"</S>"))
    orders: dict[int, list[bytes]] = {}
    for line in stream.getvalue().splitlines(keepends=True):
        for ours, theirs in names:
            line = line.replace(ours, theirs)
        orders.setdefault(line.count(b" ") + 1, []).append(line)
    for n, lines in orders.items():
        folder = tmp_path / "data" / f"{n}gms"
        folder.mkdir(parents=True)
        if n == 1:
            (folder / "vocab.gz").write_bytes(gzip.compress(b"".join(lines)))
            (folder / "vocab_cs.gz").write_bytes(gzip.compress(b"".join(lines[::-1])))
            (folder / "total.gz").write_bytes(gzip.compress(b"26\n"))
            continue
        (folder / f"{n}gm.idx").write_bytes(b"".join(lines[::2]))
        for number in range(0, len(lines), 2):
            path = folder / f"{n}gm-{number // 2:04d}.gz"
            path.write_bytes(gzip.compress(b"".join(lines[number : number + 2])))
    (tmp_path / "data" / "readme.txt").write_text("not counts")
    return tmp_path / "data"


def test_web1t(layout: Path) -> None:
    expected = train([line.replace("x", "<unk>") for line in TEXT], 3, "kneser-ney")
    model = read_web1t(layout, smoothing="kneser-ney")
    assert model.trie.sizes == expected.trie.sizes
    for line in (*TEXT, "d d a", ""):
        np.testing.assert_allclose(model.score(line)[0], expected.score(line)[0], rtol=1e-6)
    assert read_web1t(layout, order=2).trie.sizes == expected.trie.sizes[:2]
    assert [path.name for path in web1t_files(layout, 2)][:3] == [
        "vocab.gz",
        "2gm-0000.gz",
        "2gm-0001.gz",
    ]


def test_web1t_in_parts(layout: Path, tmp_path: Path) -> None:
    sizes = read_web1t(layout).trie.sizes
    plain = layout / "1gms" / "vocab"
    plain.write_bytes(gzip.decompress((layout / "1gms" / "vocab.gz").read_bytes()))
    (layout / "1gms" / "vocab.gz").unlink()
    assert read_web1t(layout).trie.sizes == sizes
    plain.unlink()
    assert read_web1t(layout).trie.sizes == sizes  # vocab_cs.gz
    (layout / "1gms" / "vocab_cs.gz").unlink()
    assert read_web1t(layout).trie.sizes == sizes  # derived from the longer ones
    assert read_web1t(layout / "2gms" / "2gm-0000.gz").trie.sizes[1] == 2
    (tmp_path / "empty").mkdir()
    with pytest.raises(FormatError, match="1gms"):
        read_web1t(tmp_path / "empty")


def test_errors_name_the_file_and_its_line(layout: Path) -> None:
    (layout / "2gms" / "2gm-0001.gz").write_bytes(gzip.compress(b"a b\t1\na c\tone\n"))
    with pytest.raises(FormatError, match=r"2gm-0001\.gz, line 2: 'one' is not a count"):
        read_web1t(layout)


# -- telling formats apart ------------------------------------------------------------------------


def test_kinds(tmp_path: Path, layout: Path) -> None:
    arpa = tmp_path / "given"
    arpa.write_text("a preamble\n" * 300 + SMALL, encoding="utf-8")
    assert kind_of_file(arpa) == "arpa"
    arpa.write_bytes(gzip.compress(SMALL.replace("\n", "\r\n").encode()))
    assert kind_of_file(arpa) == "arpa"
    write_counts(train(["a b", "\\data\\ x"], 2, "witten-bell"), tmp_path / "counts.tsv")
    assert kind_of_file(tmp_path / "counts.tsv") == "counts"
    (tmp_path / "nothing").write_bytes(b"")
    assert kind_of_file(tmp_path / "nothing") == "counts"
    assert kind_of_file(layout) == "web1t"
    assert kind_of_file(layout / "1gms" / "vocab.gz") == "web1t"
    assert kind_of_file(layout / "3gms" / "3gm-0000.gz") == "web1t"


def test_what_can_be_read_once_must_be_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in ("-", tmp_path / "pipe"):
        with pytest.raises(UsageError) as caught:
            kind_of_file(path)
        assert "--format" in str(caught.value)


def test_reading_by_kind(tmp_path: Path, layout: Path) -> None:
    model = train(["a b"], 2, "witten-bell")
    write_arpa(model, tmp_path / "model")
    write_counts(model, tmp_path / "counts")
    for path, kind in (("model", "arpa"), ("counts", "counts"), ("data", "web1t")):
        for given in (kind, None):
            read = read_model_of(tmp_path / path, given, None, None, {"order": None})
            assert read.order == (3 if kind == "web1t" else 2)
    with pytest.raises(UsageError, match="--order, --smoothing cannot be given"):
        read_model_of(tmp_path / "model", None, None, None, {"smoothing": "katz", "order": 2})
    with pytest.raises(UsageError, match="no format 'binary'"):
        read_model_of(tmp_path / "model", "binary", None, None, {})

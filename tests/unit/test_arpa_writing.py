"""ARPA files as they are written: KenLM's conventions, whole files only, nothing lost."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import math
import os
import stat
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from lmkit.errors import LmkitError, UnsupportedError
from lmkit.ngram.arpa import LN10, read_arpa
from lmkit.ngram.arpa_writing import write_arpa
from lmkit.ngram.backend import NgramBackend
from lmkit.ngram.escapes import escaped, unescaped
from lmkit.registry import names
from lmkit.text.settings import TextSettings

from .ngram_support import corpus_of, train

REFUSED = {"maximum-likelihood", "laplace", "lidstone", "stupid-backoff"}


def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").split("\n")


def test_a_file_by_hand(tmp_path: Path) -> None:
    """Witten-Bell on "a b" and "a": share c / (c + types), rest types / (c + types).

    Unigrams a 2, b 1, </s> 2: 5 tokens, 3 types; the uniform part is 3/8 * 1/4 over <unk>,
    </s>, a, b. p(<unk>) = 3/32, p(b) = 1/8 + 3/32 = 7/32, p(a) = p(</s>) = 2/8 + 3/32 = 11/32.
    After <s>: a 2 of 2, one type: p(a) = 2/3 + 1/3 * 11/32 = 75/96, backoff 1/3.
    After a: b 1, </s> 1, two types: 1/4 + 1/2 p = 1/4 + 7/64, and 1/4 + 11/64; backoff 1/2.
    After b: </s> 1 of 1: 1/2 + 1/2 * 11/32 = 43/64, backoff 1/2.
    """
    write_arpa(train(["a b", "a"], 2, "witten-bell"), tmp_path / "out.arpa")
    lines = lines_of(tmp_path / "out.arpa")
    assert lines[:6] == ["\\data\\", "ngram 1=5", "ngram 2=4", "", "\\1-grams:", lines[5]]
    assert lines[10:12] == ["", "\\2-grams:"] and lines[16:] == ["", "\\end\\", ""]

    def entry(line: str) -> tuple[str, float, float | None]:
        log_prob, words, *backoff = line.split("\t")
        return words, 10 ** float(log_prob), 10 ** float(backoff[0]) if backoff else None

    near = pytest.approx
    assert [entry(line) for line in lines[5:10]] == [
        ("<unk>", near(3 / 32), 1),
        ("<s>", 1e-99, near(1 / 3)),
        ("</s>", near(11 / 32), 1),
        ("a", near(11 / 32), near(1 / 2)),
        ("b", near(7 / 32), near(1 / 2)),
    ]
    assert [entry(line) for line in lines[12:16]] == [
        ("<s> a", near(75 / 96), None),
        ("a </s>", near(27 / 64), None),
        ("a b", near(23 / 64), None),
        ("b </s>", near(43 / 64), None),
    ]
    assert lines[5].endswith("\t<unk>\t0") and lines[7].endswith("\t</s>\t0")
    assert lines[6].startswith("-99\t<s>\t")


@pytest.mark.parametrize("smoothing", names("smoothing"))
@pytest.mark.parametrize("order", [1, 2, 4])
def test_reading_gives_back_the_very_numbers(
    order: int, smoothing: str, tmp_path: Path, zipf_lines: list[str]
) -> None:
    model = train([*zipf_lines[:300], "<unk> w1"], order, smoothing)
    path = tmp_path / "out.arpa"
    if smoothing in REFUSED:
        with pytest.raises(UnsupportedError, match=f"cannot hold {smoothing} smoothing: it"):
            write_arpa(model, path)
        assert list(tmp_path.iterdir()) == []
        return
    write_arpa(model, path)
    again = read_arpa(path)
    assert again.vocabulary.tokens == model.vocabulary.tokens
    assert again.trie.sizes == model.trie.sizes
    for old, new in zip(model.trie.levels, again.trie.levels, strict=True):
        columns = dict(old.columns())
        for name, column in new.columns():
            expected = columns[name].array()
            if name == "log_backoff":
                # A weight of 0 is written -99.
                expected = np.maximum(expected, np.float32(-99 * LN10))
            np.testing.assert_array_equal(column.array(), expected)
    write_arpa(again, tmp_path / "again.arpa")
    assert (tmp_path / "again.arpa").read_bytes() == path.read_bytes()


def test_numbers_are_written_as_they_were_read(tmp_path: Path) -> None:
    """Those with up to seven digits."""
    numbers = [-0.3, -1, -12.5, -1e-05, -99, -100, -0.0001234567, -6.660002, -0.07629395, -3.999999]
    lines = [f"{number:.7g}\tw{place}\t{number / 2:.7g}" for place, number in enumerate(numbers)]
    lines = ["-2.5\t<unk>\t0", "-99\t<s>\t0.30103", "-0.5\t</s>\t0", *lines]
    text = f"\\data\\\nngram 1={len(lines)}\nngram 2=1\n\n\\1-grams:\n" + "\n".join(lines)
    text += "\n\n\\2-grams:\n-0.1\t<s> </s>\n\n\\end\\\n"
    (tmp_path / "given.arpa").write_text(text, encoding="utf-8")
    write_arpa(read_arpa(tmp_path / "given.arpa"), tmp_path / "out.arpa")
    assert (tmp_path / "out.arpa").read_text(encoding="utf-8") == text


def test_refusals_say_why(zipf_lines: list[str], tmp_path: Path) -> None:
    why = {
        "maximum-likelihood": "impossible",
        "laplace": "equal probabilities",
        "lidstone": "equal probabilities",
        "stupid-backoff": "not probabilities",
    }
    assert set(why) == REFUSED
    for smoothing, reason in why.items():
        with pytest.raises(UnsupportedError, match=reason) as caught:
            write_arpa(train(zipf_lines[:20], 2, smoothing), tmp_path / "out.arpa")
        assert caught.value.hint


def test_a_model_from_a_file_is_exported_alike(tmp_path: Path, zipf_lines: list[str]) -> None:
    model = train(zipf_lines[:200], 3, "modified-kneser-ney")
    model.save(tmp_path / "model.lm")
    write_arpa(model, tmp_path / "one.arpa")
    write_arpa(NgramBackend.open(tmp_path / "model.lm"), tmp_path / "two.arpa")
    assert (tmp_path / "one.arpa").read_bytes() == (tmp_path / "two.arpa").read_bytes()


def test_an_imported_model_is_saved_and_opened(tmp_path: Path, zipf_lines: list[str]) -> None:
    write_arpa(train(zipf_lines[:200], 3, "katz"), tmp_path / "one.arpa")
    imported = read_arpa(tmp_path / "one.arpa")
    imported.save(tmp_path / "model.lm")
    opened = NgramBackend.open(tmp_path / "model.lm")
    for line in zipf_lines[190:210]:
        np.testing.assert_array_equal(opened.score(line)[0], imported.score(line)[0])
    assert opened.describe()["notes"] == imported.describe()["notes"]
    # An ARPA file does not say how unknown words are spelt.
    assert opened.perplexity("w1 w2").bits_per_character > 0
    assert math.isnan(opened.perplexity("w1 unseen").bits_per_character)


def test_words_longer_than_their_place(tmp_path: Path) -> None:
    """Few words are much longer than the others, or hold the byte that stands for those."""
    words = [*(f"w{number}" for number in range(60)), "long" * 9, "a\x01b", "exactly7", "é" * 40]
    unigrams = [f"-2\t{word}\t-0.5\n" for word in ("<unk>", *words)]
    bigrams = [f"-1\t{a} {b}\n" for a, b in pairwise(words)]
    text = (
        f"\\data\\\nngram 1={len(words) + 3}\nngram 2={len(bigrams)}\n\n\\1-grams:\n{unigrams[0]}"
        f"-99\t<s>\t0\n-1\t</s>\t0\n{''.join(unigrams[1:])}\n\\2-grams:\n{''.join(bigrams)}\n\\end\\\n"
    )
    (tmp_path / "given.arpa").write_text(text, encoding="utf-8")
    write_arpa(read_arpa(tmp_path / "given.arpa"), tmp_path / "out.arpa")
    assert (tmp_path / "out.arpa").read_text(encoding="utf-8") == text


@pytest.mark.parametrize("rows", [1, 7, 64])
def test_blocks_of_any_size_give_one_file(
    rows: int, tmp_path: Path, zipf_lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = train(zipf_lines[:20], 3, "witten-bell")
    write_arpa(model, tmp_path / "one.arpa")
    monkeypatch.setattr("lmkit.ngram.ngram_lines.ROWS", rows)
    told: list[tuple[str, int, int]] = []
    write_arpa(model, tmp_path / "two.arpa", progress=lambda *news: told.append(news))
    assert (tmp_path / "one.arpa").read_bytes() == (tmp_path / "two.arpa").read_bytes()
    total = sum(model.trie.sizes)
    assert told[-1] == ("writing", total, total)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)


# -- tokens that would break a line ---------------------------------------------------------


@pytest.mark.parametrize("tokenizer", ["char", "byte"])
def test_white_space_among_the_tokens(tokenizer: str, tmp_path: Path) -> None:
    settings = TextSettings(tokenizer=tokenizer)
    text = ["the cat", "a\tb  ä", "x\x0by", "<0x20>"]
    model = NgramBackend.train(corpus_of(text, settings), order=3, smoothing="witten-bell")
    write_arpa(model, tmp_path / "out.arpa")
    assert "\t<0x20> c\t" in (tmp_path / "out.arpa").read_text(encoding="utf-8")
    again = read_arpa(tmp_path / "out.arpa", settings)
    assert again.vocabulary.tokens == model.vocabulary.tokens
    assert again.unit == model.unit
    for line in [*text, "unseen Ü"]:
        np.testing.assert_array_equal(again.score(line)[0], model.score(line)[0])


def test_escapes() -> None:
    words, characters = TextSettings("whitespace"), TextSettings("char")
    for character in "\x00\t\n\r ":
        assert escaped(character) == f"<0x{ord(character):02X}>"
        assert unescaped(escaped(character), characters) == character
    for token in ("<0x20>", "<unk>", "a<UNK>", "<0x3C>", "\x0b", "\u00a0", "\\", "ä"):
        assert escaped(token) == token
        assert unescaped(token, words) == token
    # Each gets one more mark, so all of them come back.
    marked = ["<UNK>", "<0x3C>UNK>", "<0x3C><0x3C>UNK>", "<0x3C><0x3C><0x3C>UNK>"]
    assert list(map(escaped, marked[:-1])) == marked[1:]
    assert [unescaped(token, words) for token in marked[1:]] == marked[:-1]
    assert escaped("UNK>") == "UNK>" == unescaped("UNK>", words)
    assert escaped("x<0x3C>UNK>") == "x<0x3C>UNK>" == unescaped("x<0x3C>UNK>", words)


def test_a_word_spelt_as_others_spell_the_unknown_word(tmp_path: Path) -> None:
    model = train(["a <UNK> b", "<unk> b"], 2, "witten-bell")
    write_arpa(model, tmp_path / "out.arpa")
    again = read_arpa(tmp_path / "out.arpa")
    assert again.vocabulary.tokens == model.vocabulary.tokens
    for line in ("a <UNK> b", "a <unk> b", "unseen"):
        np.testing.assert_array_equal(again.score(line)[0], model.score(line)[0])


# -- where it goes --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "suffix, opened", [(".gz", gzip.open), (".bz2", bz2.open), (".xz", lzma.open)]
)
def test_compressed_by_name(suffix: str, opened: Callable[..., io.IOBase], tmp_path: Path) -> None:
    model = train(["a b"], 2, "witten-bell")
    write_arpa(model, tmp_path / "plain.arpa")
    path = tmp_path / f"out.arpa{suffix}"
    write_arpa(model, path)
    with opened(path) as file:
        assert file.read() == (tmp_path / "plain.arpa").read_bytes()
    first = path.read_bytes()
    write_arpa(model, path)
    assert path.read_bytes() == first
    assert read_arpa(path).trie.sizes == model.trie.sizes


def test_zstd(tmp_path: Path) -> None:
    pytest.importorskip("zstandard")
    model = train(["a b"], 2, "witten-bell")
    write_arpa(model, tmp_path / "out.arpa.zst")
    assert read_arpa(tmp_path / "out.arpa.zst").trie.sizes == model.trie.sizes


def test_zstd_without_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(LmkitError, match="zstandard"):
        write_arpa(train(["a b"], 2, "witten-bell"), tmp_path / "out.arpa.zst")
    assert list(tmp_path.iterdir()) == []


def test_standard_output_and_streams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = train(["a b"], 2, "witten-bell")
    write_arpa(model, tmp_path / "out.arpa")
    expected = (tmp_path / "out.arpa").read_bytes()
    stream = io.BytesIO()
    write_arpa(model, stream)
    assert stream.getvalue() == expected
    standard = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(sys, "stdout", standard)
    write_arpa(model, "-")
    assert standard.buffer.getvalue() == expected  # type: ignore[attr-defined]


def test_devices_are_written_to_and_not_replaced() -> None:
    write_arpa(train(["a b"], 2, "witten-bell"), os.devnull)
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


def test_a_failure_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.arpa"
    path.write_text("old")
    model = train(["a b"], 2, "witten-bell")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("lmkit.files.replacing.os.fsync", full)
        with pytest.raises(LmkitError, match="no space left") as caught:
            write_arpa(model, path)
    assert "out.arpa" in caught.value.message
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.arpa"]
    assert path.read_text() == "old"

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_arpa(model, path, progress=interrupted)
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.arpa"]
    assert path.read_text() == "old"


def test_what_a_killed_writer_left_is_swept(tmp_path: Path) -> None:
    import socket
    import subprocess

    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    stale = tmp_path / f".out.arpa.{socket.gethostname()}-{gone.pid}-x.partial"
    alive = tmp_path / f".out.arpa.{socket.gethostname()}-{os.getppid()}-x.partial"
    elsewhere = tmp_path / f".out.arpa.another.host-{gone.pid}-x.partial"
    for path in (stale, alive, elsewhere):
        path.write_text("half")
    write_arpa(train(["a b"], 2, "witten-bell"), tmp_path / "out.arpa")
    assert not stale.exists() and alive.exists() and elsewhere.exists()


def test_targets_that_cannot_be(tmp_path: Path) -> None:
    model = train(["a b"], 2, "witten-bell")
    with pytest.raises(LmkitError, match="is a directory"):
        write_arpa(model, tmp_path)
    with pytest.raises(LmkitError, match="there is no directory"):
        write_arpa(model, tmp_path / "missing" / "out.arpa")


def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    mask = os.umask(0o027)
    try:
        write_arpa(train(["a b"], 2, "witten-bell"), tmp_path / "out.arpa")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "out.arpa").stat().st_mode) == 0o640

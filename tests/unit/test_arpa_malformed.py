"""Malformed ARPA files: each is one error, with the line and the reason."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from lmkit.errors import FormatError, TextError
from lmkit.ngram.arpa import read_arpa
from lmkit.ngram.model import NgramModel

from .arpa_support import SMALL, log10s


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., NgramModel]:
    def of(text: str, **how: object) -> NgramModel:
        path = tmp_path / "given.arpa"
        path.write_text(text, encoding="utf-8")
        return read_arpa(path, **how)  # type: ignore[arg-type]

    return of


def changed(old: str, new: str) -> str:
    assert old in SMALL
    return SMALL.replace(old, new)


MALFORMED = {
    "no-data": (SMALL.replace("\\data\\", ""), None, "not an ARPA file"),
    "empty": ("", None, "not an ARPA file"),
    "prose": ("this is\na text\n", None, "not an ARPA file"),
    "no-header": ("\\data\\\n\n\\1-grams:\n", 3, "not followed by any 'ngram 1="),
    "header-order": (changed("ngram 2=4", "ngram 4=4"), 3, "order 4 where order 2"),
    "header-garbage": (changed("ngram 2=4", "ngram 2=x"), 3, "expected 'ngram ORDER=NUMBER'"),
    "no-end": (changed("\\end\\\n", ""), 22, "without \\\\end"),
    "no-end-unigrams": (SMALL[: SMALL.index("\\2-grams")], 12, "without \\\\end"),
    "cut-line": (SMALL[: SMALL.index("<s> a b")], 20, "1 fields where a probability, 3 words"),
    "too-few": (changed("-0.6\ta a\n", ""), 18, "promises 4 n-grams of order 2, the section has 3"),
    "too-many": (changed("ngram 2=4", "ngram 2=3"), 19, "promises 3 n-grams of order 2"),
    "too-few-unigrams": (changed("ngram 1=5", "ngram 1=6"), 13, "promises 6 n-grams of order 1"),
    "too-few-top": (changed("ngram 3=2", "ngram 3=9"), 23, "promises 9 n-grams of order 3"),
    "swapped": (changed("\\2-grams:", "\\3-grams:"), 13, "3-grams: where .2-grams: should come"),
    "twice": (changed("\\3-grams:", "\\2-grams:"), 19, "2-grams: where .3-grams: should come"),
    "missing": (
        SMALL[: SMALL.index("\\3-grams")] + "\\end\\\n",
        19,
        "end. where .3-grams: should come",
    ),
    "unannounced": (changed("ngram 3=2\n", ""), 18, "says nothing of n-grams of order 3"),
    "strange-section": (changed("\\2-grams:", "\\2-gram:"), 13, "makes no sense"),
    "after-end": (SMALL + "\n-1\ta\n", 25, "something follows"),
    "section-after-end": (SMALL + "\\4-grams:\n", 24, "makes no sense"),
    "garbage-number": (
        changed("-0.4\ta b", "-0.4x\ta b"),
        15,
        "'-0.4x' is not a log10 probability",
    ),
    "comma": (changed("-0.4\ta b", "-0,4\ta b"), 15, "'-0,4' is not a log10 probability"),
    "two-points": (changed("-0.4\ta b", "-0.4.1\ta b"), 15, "'-0.4.1' is no"),
    "minus": (changed("-0.4\ta b", "-\ta b"), 15, "'-' is not a log10 probability"),
    "nan": (changed("-0.4\ta b", "nan\ta b"), 15, "'nan' is not a log10 probability"),
    "underscore": (changed("-0.4\ta b", "-0_4\ta b"), 15, "'-0_4' is not a log10 probability"),
    "inf": (changed("-0.4\ta b", "inf\ta b"), 15, "'inf' is not a log10 probability"),
    "no-number": (
        changed("-0.4\ta b\t-0.5", "a b -0.4 -0.5"),
        15,
        "'a' is not a log10 probability",
    ),
    "garbage-backoff": (changed("a b\t-0.5", "a b\t-0.5e"), 15, "'-0.5e' is not a log10 backoff"),
    "infinite-backoff": (changed("a b\t-0.5", "a b\t1e999"), 15, "backoff that is infinite"),
    "positive": (changed("-0.4\ta b", "0.4\ta b"), 15, "log10 probability above 0"),
    "positive-unigram": (changed("-99\t<s>", "1\t<s>"), 8, "log10 probability above 0"),
    "short": (changed("-0.4\ta b\t-0.5", "-0.4\ta"), 15, "2 fields where a probability, 2 words"),
    "long": (changed("-0.4\ta b\t-0.5", "-0.4\ta b b -0.5"), 15, "5 fields where"),
    "long-unigram": (
        changed("-1\tb\t-0.375", "-1\tb b -0.375"),
        11,
        "4 fields where .* 1 word and",
    ),
    "unknown-word": (changed("<s> a b", "<s> c b"), 20, "'c' is not among the unigrams"),
    "unknown-long-word": (
        changed("<s> a b", f"<s> a {'ä' * 40}"),
        20,
        f"'{'ä' * 40}' is not among the unigrams",
    ),
    "no-s": (changed("-99\t<s>", "-99\tc"), 13, "without <s>"),
    "no-/s": (changed("-0.5\t</s>", "-0.5\tc"), 13, "without </s>"),
    "same-word": (changed("-1\tb", "-1\ta"), 11, "'a' stands in the file twice"),
    "same-unk": (changed("-1\tb", "-1\t<UNK>"), 11, "'<UNK>' stands in the file twice"),
    "same-ngram": (changed("-0.6\ta a", "-0.6\ta b"), 16, "order 2 stands in the file twice"),
    "same-top-ngram": (changed("a b </s>", "<s> a b"), 21, "order 3 stands in the file twice"),
}


@pytest.mark.parametrize("text, line, reason", MALFORMED.values(), ids=list(MALFORMED))
def test_malformed_files(
    text: str, line: int | None, reason: str, read: Callable[..., NgramModel]
) -> None:
    with pytest.raises(FormatError, match=reason) as caught:
        read(text)
    assert "given.arpa" in caught.value.message
    if line is not None:
        assert f"line {line}:" in caught.value.message
    assert "\n" not in caught.value.message and not caught.value.message.endswith(".")


@pytest.mark.parametrize("blank", ["", "\n \n\n"])
def test_lines_are_counted_across_chunks(
    blank: str, read: Callable[..., NgramModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lmkit.ngram.arpa.CHUNK_BYTES", 50)
    words = [f"w{n}" for n in range(500)]
    lines = [f"-1\t{w}" for w in ("<unk>", "<s>", "</s>", *words)]
    bigrams = [f"-1\t{w} {w}" for w in words]
    text = (
        f"\\data\\\nngram 1=503\nngram 2=501\n{blank}\\1-grams:\n"
        + "".join(f"{line}\n{blank}" for line in lines)
        + "\\2-grams:\n"
        + "".join(f"{line}\n{blank}" for line in bigrams)
    )
    last = text.count("\n") + 1
    for wrong, reason in (
        ("-1\tw7 w7", "twice"),
        ("x\tw7 w8", "not a log10"),
        ("-1 w7 y", "'y' is"),
    ):
        with pytest.raises(FormatError, match=f"line {last}: .*{reason}"):
            read(f"{text}{wrong}\n\\end\\\n")


@pytest.mark.parametrize("chunk", [16, 37, 100])
def test_chunks_of_any_size_give_one_model(
    chunk: int, read: Callable[..., NgramModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lmkit.ngram.arpa.CHUNK_BYTES", chunk)
    assert log10s(read(SMALL), "a a b b") == [-0.3, -0.6625, -0.4, -1.875, -0.2]


def test_unreadable_files(tmp_path: Path) -> None:
    path = tmp_path / "latin.arpa"
    path.write_bytes(SMALL.replace("-1\tb", "-1\tä").encode("latin-1"))
    with pytest.raises(TextError, match=r"latin\.arpa, line 11: byte 0xe4"):
        read_arpa(path)
    with pytest.raises(TextError, match="missing"):
        read_arpa(tmp_path / "missing.arpa")
    path.write_bytes(gzip.compress(SMALL.encode())[:-20])
    with pytest.raises(TextError, match="damaged"):
        read_arpa(path)

"""ARPA files as KenLM, SRILM and people write them, and the scores that they must give."""

from __future__ import annotations

import bz2
import gzip
import itertools
import lzma
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lmkit.errors import FormatError
from lmkit.ngram.arpa import read_arpa
from lmkit.ngram.model import NgramModel
from lmkit.text.encodings import Encoded
from lmkit.text.settings import TextSettings

from .arpa_support import SMALL, log10s, notes


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., NgramModel]:
    def of(text: str, **how: object) -> NgramModel:
        path = tmp_path / "given.arpa"
        path.write_text(text, encoding="utf-8")
        return read_arpa(path, **how)  # type: ignore[arg-type]

    return of


def test_scores_by_hand(read: Callable[..., NgramModel]) -> None:
    model = read(SMALL)
    # <s> a: -0.3.  <s> a b: -0.1.  a b </s>: -0.05.
    assert log10s(model, "a b") == [-0.3, -0.1, -0.05]
    # <s> b: bo(<s>) + p(b) = -0.25 - 1.  <s> b a: bo(b) + p(a) = -0.375 - 0.75.
    # b a </s>: bo(a) + p(</s>) = -0.125 - 0.5.
    assert log10s(model, "b a") == [-1.25, -1.125, -0.625]
    # <s> a a: bo(<s> a) + p(a a) = -0.0625 - 0.6.  a a b: no backoff is 0, p(a b) = -0.4.
    # a b b: bo(a b) + bo(b) + p(b) = -0.5 - 0.375 - 1.  b b </s>: p(b </s>) = -0.2.
    assert log10s(model, "a a b b") == [-0.3, -0.6625, -0.4, -1.875, -0.2]
    # <s> X: -0.25 - 2.  After it nothing is known: p(a) = -0.75; then bo(a) + p(</s>).
    assert log10s(model, "X a") == [-2.25, -0.75, -0.625]
    # An empty line: bo(<s>) + p(</s>).
    assert log10s(model, "") == [-0.75]


def test_facts(read: Callable[..., NgramModel]) -> None:
    model = read(SMALL)
    assert model.order == 3
    assert model.trie.sizes == [5, 4, 2]
    assert model.vocabulary.tokens == ["<unk>", "<s>", "</s>", "a", "b"]
    assert model.vocabulary.counts.tolist() == [0] * 5
    assert model.unit == "word"
    assert model.normalised
    assert not model.trie.has_counts
    assert model.facts["text"]["tokenizer"] == "whitespace"
    assert model.facts["smoothing"]["name"] == "arpa"
    assert model.next_log_probs(model.start(1))[0, 1] == -np.inf


def test_ids_are_those_of_the_file(read: Callable[..., NgramModel]) -> None:
    shuffled = SMALL.replace(
        "-0.75\ta\t-0.125\n-1\tb\t-0.375\n", "-1\tb\t-0.375\n-0.75\ta\t-0.125\n"
    )
    model = read(shuffled)
    assert model.vocabulary.tokens == ["<unk>", "<s>", "</s>", "b", "a"]
    assert log10s(model, "a a b b") == log10s(read(SMALL), "a a b b")


@pytest.mark.parametrize(
    "text",
    [
        SMALL.replace("\t", " "),
        SMALL.replace("\t", "  \t "),
        SMALL.replace(" ", "\t").replace("ngram\t", "ngram "),
        "\n".join(f"  {line} " if line[:1] != "\\" else line for line in SMALL.split("\n")),
        SMALL.replace("\n", "\n\n \n"),
        SMALL.replace("\n", "\r\n"),
        "\ufeff" + SMALL,
        "made by hand\n\\ not a section\nngram 1=7\n" + SMALL,
        SMALL + "\n\n \n",
        SMALL.rstrip("\n"),
        SMALL.replace("ngram 1=5", "ngram  1 =  5"),
        SMALL.replace("\\2-grams:", "\\2-grams: \t"),
        SMALL.replace("-99\t<s>", "0\t<s>"),
        SMALL.replace("-99\t<s>", "-inf\t<s>"),
        SMALL.replace("-99\t<s>", "-1e30\t<s>"),
        SMALL.replace("-2\t<unk>", "-2\t<UNK>"),
        SMALL.replace("-2\t<unk>\n", "").replace("-1\tb", "-2\t<unk>\t0\n-1\tb"),
        SMALL.replace("-0.05\ta b </s>", "-5e-2\ta b </s>"),
        SMALL.replace("-0.05\ta b </s>", "-.05\ta b </s>"),
        SMALL.replace("-0.05\ta b </s>", "-0.0500000000000000000000000\ta b </s>\t0"),
        SMALL.replace("-0.5\t</s>\n", "-0.5\t</s>\t-7\n"),
    ],
    ids=range(21),
)
def test_spellings_of_one_model(text: str, read: Callable[..., NgramModel]) -> None:
    lines = ["a b", "b a", "a a b b", "X a", ""]
    model, expected = read(text), read(SMALL)
    for line in lines:
        assert log10s(model, line) == log10s(expected, line)


@pytest.mark.parametrize(
    "suffix, compress",
    [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress), ("", gzip.compress)],
)
def test_compressed(suffix: str, compress: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = tmp_path / f"given.arpa{suffix}"
    path.write_bytes(compress(SMALL.encode()))
    assert log10s(read_arpa(path), "a b") == [-0.3, -0.1, -0.05]


def test_a_missing_unknown_word(read: Callable[..., NgramModel]) -> None:
    text = SMALL.replace("-2\t<unk>\n", "").replace("ngram 1=5", "ngram 1=4")
    model = read(text)
    assert log10s(model, "X") == [-100.25, -0.5]
    assert "no <unk>" in notes(model)[0] and "-100" in notes(model)[0]
    assert model.trie.sizes[0] == 5


@pytest.mark.parametrize("tokenizer, line", [("char", "ab"), ("byte", "ab"), ("word", "a b")])
def test_settings(tokenizer: str, line: str, read: Callable[..., NgramModel]) -> None:
    model = read(SMALL, settings=TextSettings(tokenizer=tokenizer))
    assert log10s(model, line) == [-0.3, -0.1, -0.05]
    assert model.facts["text"]["tokenizer"] == tokenizer
    assert model.unit == model.encoder.unit


def test_progress(read: Callable[..., NgramModel]) -> None:
    told: list[tuple[str, int, int]] = []
    read(SMALL, progress=lambda *news: told.append(news))
    assert told[-1] == ("reading", len(SMALL), len(SMALL))


def test_unigrams_only(read: Callable[..., NgramModel]) -> None:
    model = read(
        "\\data\\\nngram 1=4\n\n\\1-grams:\n-1 <unk>\n-99 <s>\n-0.5 </s>\n-0.6 a\n\\end\\\n"
    )
    assert model.order == 1
    assert log10s(model, "a X") == [-0.6, -1, -0.5]


@pytest.mark.parametrize("left_out", [False, True])
def test_orders_without_any_ngram(left_out: bool, read: Callable[..., NgramModel]) -> None:
    """SRILM writes the empty sections that pruning leaves."""
    text = SMALL.replace("ngram 3=2", "ngram 3=2\nngram 4=0")
    text = text.replace("\\end\\", "\\end\\" if left_out else "\\4-grams:\n\n\\end\\")
    model = read(text)
    assert model.order == 4
    assert log10s(model, "a a b b") == [-0.3, -0.6625, -0.4, -1.875, -0.2]


def test_order_eight(read: Callable[..., NgramModel]) -> None:
    """KenLM must be compiled anew for more than six."""
    sections = [
        f"\\{n}-grams:\n-0.{n}\t<s> {' '.join('abcdefgh'[: n - 1])}\t-0.0{n}\n" for n in range(2, 9)
    ]
    words = "".join(f"-1\t{w}\n" for w in ("<unk>", "</s>", *"abcdefgh"))
    text = (
        "\\data\\\nngram 1=11\n"
        + "".join(f"ngram {n}=1\n" for n in range(2, 9))
        + f"\\1-grams:\n{words}-99\t<s>\t-0.01\n"
        + "".join(sections)
        + "\\end\\\n"
    )
    model = read(text)
    assert model.order == 8
    # Of order 2 to 8, then the context has seven of its words: bo(b ... g h) is not there.
    expected = [-0.2, -0.3, -0.4, -0.5, -0.6, -0.7, -0.8, -1.0, -1.0]
    assert log10s(model, "a b c d e f g h") == expected


def test_words_of_every_length(read: Callable[..., NgramModel]) -> None:
    """Words are looked up by hashes of eight bytes at a time."""
    words = [alphabet[:n] for alphabet in ("abcdefghij" * 9, "ä語" * 40) for n in range(1, 80)]
    words += ["a\x0bb", "a\x0cb", "a\u00a0b", "-1", "0.5", "\\data\\", "1-grams:", "ngram"]
    unigrams = "".join(f"-{n + 10}\t{w}\t-{n / 1000}\n" for n, w in enumerate(words))
    bigrams = "".join(f"-0.{n + 100}\t{w} {w}\n" for n, w in enumerate(words))
    text = (
        f"\\data\\\nngram 1={len(words) + 3}\nngram 2={len(words)}\n"
        f"\\1-grams:\n-1\t<unk>\n-9\t<s>\n-1\t</s>\n{unigrams}\\2-grams:\n{bigrams}\\end\\\n"
    )
    model = read(text)
    assert model.vocabulary.tokens[3:] == words
    for n, word in enumerate(words):
        assert log10s(model, f"{word} {word}")[:2] == pytest.approx(
            [-(n + 10), -float(f"0.{n + 100}")], abs=3e-5
        )


def test_ngrams_that_no_sentence_has_are_left_out(read: Callable[..., NgramModel]) -> None:
    text = SMALL.replace("ngram 2=4", "ngram 2=6").replace("ngram 3=2", "ngram 3=4")
    text = text.replace("\\3-grams:", "-0.1\tb <s>\t-0.3\n-0.1\t</s> a\n\n\\3-grams:")
    text = text.replace("\\end\\", "-0.2\tb <s> a\n-0.2\ta b <s>\n\\end\\")
    model = read(text)
    assert model.trie.sizes == [5, 4, 2]
    assert "2 n-grams of order 2 with <s> after or </s> before" in notes(model)[0]
    assert "2 n-grams of order 3" in notes(model)[1]
    assert log10s(model, "a a b b") == [-0.3, -0.6625, -0.4, -1.875, -0.2]


def test_probabilities_that_do_not_sum_to_one_are_noted(read: Callable[..., NgramModel]) -> None:
    # 10^-2 + 10^-0.5 + 10^-0.75 + 10^-1 = 0.604
    assert notes(read(SMALL)) == ["the unigram probabilities sum to 0.6041, not to 1"]
    assert notes(read(SMALL.replace("-1\tb", "-0.3059\tb"))) == []


def test_contexts_that_are_not_listed_are_inserted(read: Callable[..., NgramModel]) -> None:
    """Nothing else changes: the scores are those of backing off by hand."""
    text = SMALL.replace("ngram 2=4\nngram 3=2", "ngram 2=2\nngram 3=3")
    text = text.replace("-0.4\ta b\t-0.5\n", "").replace("-0.2\tb </s>\n", "")
    text = text.replace("-0.1\t<s> a b\n", "-0.1\t<s> a b\n-0.15\tb b a\n")
    model = read(text)
    # a b and b b are contexts only. p(b|a) = bo(a) + p(b) = -1.125; p(b|b) = -0.375 - 1.
    assert model.trie.sizes == [5, 4, 3]
    assert notes(model)[0].startswith("2 n-grams that others begin with")
    # <s> b: -1.25.  <s> b a: -1.125.  b a b: p(b|a) = -1.125.  a b b: p(b|b) = -1.375.
    # b b a: -0.15.  b a </s>: -0.625.
    assert log10s(model, "b a b b a") == [-1.25, -1.125, -1.125, -1.375, -0.15, -0.625]
    # a b </s> is listed, its context inserted; <s> a b as before.
    assert log10s(model, "a b") == [-0.3, -0.1, -0.05]


@pytest.mark.parametrize("seed", range(40))
def test_random_gaps_change_no_score(seed: int, read: Callable[..., NgramModel]) -> None:
    """Any set of n-grams, against the definition of backing off in dictionaries."""
    generator = random.Random(seed)
    words = ["a", "b", "c"]
    probs: dict[tuple[str, ...], float] = {("<s>",): -99.0}
    probs |= {(w,): -generator.random() for w in ("<unk>", "</s>", *words)}
    for n in (2, 3, 4):
        for first in ("<s>", *words):
            for rest in itertools.product(words, repeat=n - 2):
                for last in ("</s>", *words):
                    if generator.random() < 0.25:
                        probs[first, *rest, last] = -generator.random()
    weights = {gram: -generator.random() for gram in probs if len(gram) < 4}
    sizes = [sum(len(gram) == n for gram in probs) for n in range(1, 5)]
    text = "\\data\\\n" + "".join(f"ngram {n}={k}\n" for n, k in enumerate(sizes, 1))
    for n in range(1, 5):
        text += f"\\{n}-grams:\n"
        grams = [gram for gram in probs if len(gram) == n]
        generator.shuffle(grams)
        text += "".join(
            f"{probs[gram]:.6f}\t{' '.join(gram)}\t{weights.get(gram, 0):.6f}\n" for gram in grams
        )
    model = read(text + "\\end\\\n")

    def backed_off(context: tuple[str, ...], word: str) -> float:
        if (*context, word) in probs:
            return probs[*context, word]
        return weights.get(context, 0.0) + backed_off(context[1:], word)

    for _ in range(5):
        line = generator.choices(words, k=8)
        history = ("<s>", *line)
        expected = [
            backed_off(history[max(i - 3, 0) : i], word)
            for i, word in enumerate((*line, "</s>"), 1)
        ]
        assert log10s(model, " ".join(line)) == pytest.approx(expected, abs=3e-5)


CAMBRIDGE = """\
#############################################################################
## Copyright (c) 1996, Carnegie Mellon University
#############################################################################
This file is in the ARPA-standard format:

Beginning of data mark: \\data\\
ngram 1=nr            # number of 1-grams
ngram 2=nr            # number of 2-grams

\\1-grams:
p_1     wd_1 bo_wt_1
\\2-grams:
p_2     wd_1 wd_2 bo_wt_2

end of data mark: \\end\\
\\end\\

"""


@pytest.mark.parametrize("chunk", [40, 1 << 20])
def test_everything_before_the_data_is_a_remark(
    chunk: int, read: Callable[..., NgramModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lmkit.ngram.arpa.CHUNK_BYTES", chunk)
    model = read(CAMBRIDGE + SMALL)
    assert log10s(model, "a b") == log10s(read(SMALL), "a b")
    assert notes(model) == notes(read(SMALL))


def test_the_mark_may_stand_behind_one_of_byte_order(read: Callable[..., NgramModel]) -> None:
    windows = "\ufeff" + SMALL.replace("\n", "\r\n")
    assert log10s(read(windows), "a b") == [-0.3, -0.1, -0.05]


def test_rounding_above_0_is_0_and_counted(read: Callable[..., NgramModel]) -> None:
    text = SMALL.replace("-0.05\ta b </s>", "0.001\ta b </s>").replace("-0.2\tb", "1.2e-07\tb")
    model = read(text)
    assert log10s(model, "a b") == [-0.3, -0.1, 0.0]
    assert "2 log10 probabilities slightly above 0 were taken as 0" in notes(model)
    assert not any("above 0" in note for note in notes(read(SMALL)))
    with pytest.raises(FormatError, match="line 21: a log10 probability above 0"):
        read(SMALL.replace("-0.05\ta b </s>", "0.0011\ta b </s>"))


def test_zeros_as_other_toolkits_write_them(read: Callable[..., NgramModel]) -> None:
    for zero in ("-99", "-inf", "-Infinity", "-1e10"):
        assert log10s(read(SMALL.replace("-99\t<s>", f"{zero}\t<s>")), "a") == [-0.3, -0.6875]


def test_numbers_with_commas_are_explained(read: Callable[..., NgramModel]) -> None:
    with pytest.raises(FormatError, match="'-0,4' is not a log10 probability") as caught:
        read(SMALL.replace("-0.4\t", "-0,4\t"))
    assert "points" in str(caught.value.hint)


def test_other_encodings(tmp_path: Path) -> None:
    path = tmp_path / "latin.arpa"
    path.write_bytes(SMALL.replace("\ta", "\tä").replace(" a", " ä").encode("latin-1"))
    model = read_arpa(Encoded(path, "latin-1"))
    assert log10s(model, "ä b") == [-0.3, -0.1, -0.05]


def test_what_no_float_can_hold_is_zero_without_a_warning(read: Callable[..., NgramModel]) -> None:
    # As a probability 10^-1e60 is 0, and so is any backoff with it.
    model = read(SMALL.replace("-0.75\ta\t-0.125", "-0.75\ta\t-1e60"))
    assert log10s(model, "b a")[2] == -np.inf

"""Counts files: whatever order the lines are in, and whatever they leave out."""

from __future__ import annotations

import gzip
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lmkit.errors import FormatError, TextError, UsageError
from lmkit.ngram.countfiles import read_counts, write_counts
from lmkit.ngram.model import NgramModel
from lmkit.registry import names
from lmkit.text.corpus import valid_corpus
from lmkit.text.settings import TextSettings

from .arpa_support import notes
from .ngram_support import WHITESPACE, column_of, corpus_of, ngrams_of, train


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., NgramModel]:
    def of(text: str, **how: object) -> NgramModel:
        path = tmp_path / "counts.tsv"
        path.write_text(text, encoding="utf-8")
        return read_counts(path, **{"smoothing": "witten-bell", **how})  # type: ignore[arg-type]

    return of


def counts_of(model: NgramModel) -> dict[str, int]:
    """The counts of all n-grams, by their words."""
    tokens = model.vocabulary.tokens
    return {
        " ".join(tokens[i] for i in ngram): count
        for order in range(1, model.order + 1)
        for ngram, count in zip(
            ngrams_of(model.trie, order), column_of(model.trie, order, "count"), strict=True
        )
    }


def test_a_file_by_hand(read: Callable[..., NgramModel]) -> None:
    """The counts of "a b" and "a", as the ARPA file of the same text."""
    model = read("a\t2\nb\t1\n</s>\t2\n<s>\t2\n<s> a\t2\na b\t1\na </s>\t1\nb </s>\t1\n")
    expected = train(["a b", "a"], 2, "witten-bell")
    assert counts_of(model) == counts_of(expected)
    np.testing.assert_allclose(
        np.exp(model.score("a b")[0]), [75 / 96, 23 / 64, 43 / 64], rtol=1e-6
    )
    assert notes(model) == []
    assert model.vocabulary.counts.tolist() == [0, 2, 2, 2, 1]
    assert not model.vocabulary.limited


@pytest.mark.parametrize("smoothing", names("smoothing"))
@pytest.mark.parametrize("order", [1, 3])
def test_counts_and_back_give_the_same_probabilities(
    order: int, smoothing: str, tmp_path: Path, zipf_lines: list[str]
) -> None:
    """Whatever order the lines are in: only the ids change."""
    lines = [*zipf_lines[:200], "<unk> w1", ""]
    model = train(lines, order, smoothing)
    path = tmp_path / "counts.tsv"
    write_counts(model, path)
    shuffled = path.read_text(encoding="utf-8").splitlines(keepends=True)
    random.Random(1).shuffle(shuffled)
    (tmp_path / "shuffled.tsv").write_text("".join(shuffled), encoding="utf-8")
    again = read_counts(tmp_path / "shuffled.tsv", smoothing=smoothing)
    assert counts_of(again) == counts_of(model)
    for line in [*zipf_lines[150:250], "unseen w1 w2 unseen"]:
        np.testing.assert_allclose(again.score(line)[0], model.score(line)[0], rtol=1e-6)
    assert again.facts["smoothing"]["name"] == smoothing


def test_spelling_of_unknown_words_is_learnt_from_rare_ones(
    tmp_path: Path, zipf_lines: list[str]
) -> None:
    model = train(zipf_lines[:200], 2, "witten-bell")
    write_counts(model, tmp_path / "counts.tsv")
    again = read_counts(tmp_path / "counts.tsv", smoothing="witten-bell")
    expected = model.encoder.spelling_log_probs(["w77", "über"])
    np.testing.assert_allclose(again.encoder.spelling_log_probs(["w77", "über"]), expected)


@pytest.mark.parametrize(
    "text",
    [
        "a b\t3\nb c\t1\n",
        "a b 3\nb c 1\n",
        "a b\t3\n\n  \nb c\t1",
        "  a b   3 \r\nb c\t1\r\n",
        "a b\t1\nb c\t1\na b\t2\n",
        "a b\t003\nb c\t1\n",
    ],
)
def test_spellings_of_one_file(text: str, read: Callable[..., NgramModel]) -> None:
    assert counts_of(read(text)) == {
        "<unk>": 0,
        "<s>": 0,
        "</s>": 0,
        "a": 3,
        "b": 3,
        "c": 1,
        "a b": 3,
        "b c": 1,
    }


def test_a_list_of_words(read: Callable[..., NgramModel]) -> None:
    """Witten-Bell by hand: a 6, b 2, two types; uniform over <unk>, </s>, a, b."""
    model = read("a\t6\nb\t2\n")
    assert model.order == 1
    rest = 2 / 10 / 4
    expected = [6 / 10 + rest, 2 / 10 + rest, rest, rest]
    np.testing.assert_allclose(np.exp(model.score("a b unseen")[0]), expected, rtol=1e-6)
    assert "no </s>" in notes(model)[0]
    assert np.exp(model.next_log_probs(model.start(1))).sum() == pytest.approx(1)


def test_what_longer_ngrams_contain_is_derived(read: Callable[..., NgramModel]) -> None:
    """From the counts of order 3 alone, every count of the text comes back: a token that is no
    </s> is continued, and one that is no <s> continues."""
    lines = ["a b c", "a b d", "b c a", "the cat sat", "a b c d e"]
    model = train(lines, 3, "witten-bell")
    expected = counts_of(model)
    only = {gram: count for gram, count in expected.items() if gram.count(" ") == 2}
    again = read("".join(f"{gram}\t{count}\n" for gram, count in only.items()))
    assert counts_of(again) == expected
    derived = len(expected) - len(only) - 1  # <unk> stands in none
    assert notes(again) == [
        f"{derived} n-grams that longer ones contain had no count: it was derived from theirs"
    ]


def test_the_larger_sum_counts(read: Callable[..., NgramModel]) -> None:
    # a b is continued twice, but it is the rest of <s> a b three times; b c the other way round.
    model = read("<s> a b\t3\na b c\t2\nb c d\t4\nb c e\t1\n")
    counts = counts_of(model)
    assert (counts["a b"], counts["b c"], counts["<s> a"]) == (3, 5, 3)
    # c d only ends, d is only ended on; b is followed by 5, preceded by 3.
    assert (counts["c d"], counts["d"], counts["b"], counts["<s>"]) == (4, 4, 5, 3)


@pytest.mark.parametrize("seed", range(10))
def test_any_subset_of_the_lines_makes_a_model(
    seed: int, read: Callable[..., NgramModel], zipf_lines: list[str]
) -> None:
    """Distributions sum to one whatever is missing, and no count grows."""
    generator = random.Random(seed)
    full = counts_of(train(zipf_lines[:60], 4, "witten-bell"))
    kept = {gram: count for gram, count in full.items() if generator.random() < 0.5}
    smoothing = generator.choice(["modified-kneser-ney", "katz", "witten-bell", "kneser-ney"])
    model = read("".join(f"{g}\t{c}\n" for g, c in kept.items()), smoothing=smoothing)
    counts = counts_of(model)
    assert all(counts[gram] == count for gram, count in kept.items())
    assert all(count <= full[gram] for gram, count in counts.items())
    state = model.start(20)
    for _ in range(4):
        sums = np.exp(model.next_log_probs(state)).sum(axis=1)
        np.testing.assert_allclose(sums, 1, atol=1e-6)
        tokens = [generator.randrange(3, len(model.vocabulary)) for _ in range(20)]
        state = model.advance(state, tokens)


def test_a_given_count_is_not_derived(read: Callable[..., NgramModel]) -> None:
    counts = counts_of(read("a b c\t2\na b\t0\nb\t9\n"))
    assert (counts["a b"], counts["b"], counts["b c"]) == (0, 9, 2)


def test_ngrams_that_no_sentence_has_are_left_out(read: Callable[..., NgramModel]) -> None:
    model = read("a b\t2\nb </s>\t2\n</s> <s>\t2\n</s> <s> a\t1\nb </s> <s>\t1\n")
    assert model.trie.sizes == [5, 2, 0]
    assert notes(model)[:2] == [
        "1 n-grams of order 2 with <s> after or </s> before another token were left out",
        "2 n-grams of order 3 with <s> after or </s> before another token were left out",
    ]


def test_order(read: Callable[..., NgramModel]) -> None:
    text = "a\t5\nb\t4\na b\t3\nb a\t2\na b a\t1\n"
    assert read(text).order == 3
    assert read(text, order=2).trie.sizes == [5, 2]
    assert read(text, order=1).trie.sizes == [5]
    # As training does, where no line is that long.
    assert read(text, order=5).trie.sizes == [5, 2, 1, 0, 0]
    with pytest.raises(UsageError, match="from 1 to 1,000"):
        read(text, order=0)


def test_options_are_those_of_training(
    read: Callable[..., NgramModel], tmp_path: Path, zipf_lines: list[str]
) -> None:
    lines, held_out = zipf_lines[:200], tmp_path / "valid.txt"
    held_out.write_text("".join(f"{line}\n" for line in zipf_lines[300:340]), encoding="utf-8")
    write_counts(train(lines, 3, "witten-bell"), tmp_path / "all.tsv")
    text = (tmp_path / "all.tsv").read_text(encoding="utf-8")
    for how in (
        {"smoothing": "kneser-ney", "form": "backoff", "discounts": [0.6]},
        {"smoothing": "lidstone", "k": 0.1},
        {"smoothing": "modified-kneser-ney", "prune": (0, 0, 1)},
        {"smoothing": "jelinek-mercer", "valid": held_out},
        {"smoothing": "modified-kneser-ney", "memory": 1 << 28},
    ):
        known = {}
        if "valid" in how:
            known["valid"] = valid_corpus(held_out, corpus_of(lines).vocabulary, WHITESPACE)
        expected = train(lines, 3, **{**how, **known})  # type: ignore[arg-type]
        model = read(text, **how)
        assert model.trie.sizes == expected.trie.sizes
        for line in zipf_lines[150:200]:
            np.testing.assert_allclose(model.score(line)[0], expected.score(line)[0], rtol=1e-6)
    with pytest.raises(UsageError, match="no option k"):
        read(text, k=1)
    with pytest.raises(UsageError, match="3 cutoffs"):
        read(text, prune=(0, 0, 1), order=2)


def test_settings(read: Callable[..., NgramModel]) -> None:
    model = read("t h\t3\nh e\t2\n<0x20> t\t2\n", settings=TextSettings(tokenizer="char"))
    assert " " in model.vocabulary
    assert model.encoder.encode_prompt("the t").tolist() == [
        model.vocabulary.id_of(c) for c in "the t"
    ]


def test_compressed_and_progress(tmp_path: Path) -> None:
    path = tmp_path / "counts.tsv.gz"
    path.write_bytes(gzip.compress(b"a b\t3\n"))
    told: list[tuple[str, int, int]] = []
    model = read_counts(path, smoothing="witten-bell", progress=lambda *news: told.append(news))
    assert counts_of(model)["a b"] == 3
    assert told[0] == ("reading", path.stat().st_size, path.stat().st_size)
    assert ("smoothing", 0, 2) in told


def test_large_counts(read: Callable[..., NgramModel]) -> None:
    assert counts_of(read("the\t23135851162\nof\t13151942776\n"))["the"] == 23135851162
    assert counts_of(read(f"a\t{2**62}\na\t5\n"))["a"] == 2**62 + 5
    with pytest.raises(FormatError, match="more than 2\\^63"):
        read(f"a\t{2**62}\na\t{2**62}\nb\t{2**62}\n")


@pytest.mark.parametrize(
    "text, line, reason",
    [
        ("a b\t3\nb\n", 2, "'b' stands alone, without a count"),
        ("a b\t3\n\n\nb c x\n", 4, "'x' is not a count"),
        ("a b\t3\nb c\t-1\n", 2, "'-1' is not a count"),
        ("a b\t3\nb c\t1.5\n", 2, "'1.5' is not a count"),
        ("a\t9223372036854775808\n", 1, "'9223372036854775808' is not a count"),
        ("it was the best of times\n", 1, "'times' is not a count"),
        ("", None, "no counts"),
        ("\n\n \t\n", None, "no counts"),
    ],
)
def test_malformed_files(
    text: str, line: int | None, reason: str, read: Callable[..., NgramModel]
) -> None:
    with pytest.raises(FormatError, match=reason) as caught:
        read(text)
    assert "counts.tsv" in caught.value.message
    if line is not None:
        assert f"line {line}:" in caught.value.message


def test_lines_are_counted_across_chunks(
    read: Callable[..., NgramModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lmkit.ngram.countfiles.CHUNK_BYTES", 64)
    text = "".join(f"w{n} w{n + 1}\t{n}\n\n" for n in range(300))
    counts = counts_of(read(text))
    assert len(counts) == 3 + 301 + 300 and counts["w7 w8"] == 7
    with pytest.raises(FormatError, match="line 601: 'x' is not a count"):
        read(text + "a b\tx\n")


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(TextError, match="missing"):
        read_counts(tmp_path / "missing.tsv")
    (tmp_path / "latin.tsv").write_bytes("ä\t3\n".encode("latin-1"))
    with pytest.raises(TextError, match="line 1: byte 0xe4"):
        read_counts(tmp_path / "latin.tsv")


@pytest.mark.slow
@pytest.mark.data
def test_words_of_the_web(shared_data: Path) -> None:
    """A third of a million words with counts."""
    path = shared_data / "counts" / "count_1w.txt"
    model = read_counts(path)
    with open(path, encoding="utf-8") as file:
        expected = Counter({word: int(count) for word, count in map(str.split, file)})
    assert model.order == 1 and len(model.vocabulary) == len(expected) + 3
    counts = model.vocabulary.counts[3:].tolist()
    assert dict(zip(model.vocabulary.tokens[3:], counts, strict=True)) == expected
    the, unknown = np.exp(model.score("the unheardofword")[0][:2])
    assert the == pytest.approx(expected["the"] / expected.total(), rel=1e-3)
    assert 0 < unknown < 1e-9
    assert np.exp(model.next_log_probs(model.start(1))).sum() == pytest.approx(1, abs=1e-6)

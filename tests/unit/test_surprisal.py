"""Surprisal by word and by token: sums, places, distributions, and the space between two words."""

from __future__ import annotations

import functools
import io
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

import lmkit
from lmkit import TextSettings
from lmkit.errors import UnsupportedError, UsageError
from lmkit.evaluate.perplexity import running_reader
from lmkit.evaluate.surprisal import surprisal_rows
from lmkit.model import LanguageModel
from lmkit.text.tokenizers.making import make_tokenizer

from ..learnt_pairs import register

LINES = ["The cat sat on the mat.", "The dog, too, sat!  Twice.", "", "Ünïcode café — “words”"]
TEST = [
    "The cat zat on  the mat, café.",
    "",
    "   ",
    " x\ty z ",
    "e\u0301te\u0301 Ça İstanbul",
    "a\u00a0b c",
    "\u2028 q",
    "The dog sat. The cat, too!",
]
TOKENIZERS = ["whitespace", "word", "char", "byte", "pairs", "bpe", "unigram"]
BITS = math.log(2)


@pytest.fixture(scope="module", autouse=True)
def pairs() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        register(patch)
        yield


def trained(tokenizer: str, order: int = 3, lines: list[str] = LINES, **how: Any) -> LanguageModel:
    text = "".join(f"{line}\n" for line in [*lines * 6, "rare", "words"]).encode()
    names = ("backend", "smoothing", "epochs", "hidden", "seed")
    options = {name: how.pop(name) for name in names if name in how}
    if "backend" not in options:
        options["order"] = order
    if tokenizer in ("bpe", "unigram"):
        how["tokenizer"] = make_tokenizer(tokenizer, vocabulary_size=290)
    return lmkit.train(
        io.BytesIO(text), settings=TextSettings(**{"tokenizer": tokenizer, **how}), **options
    )


@functools.cache
def model_of_lines(tokenizer: str) -> LanguageModel:
    return trained(tokenizer)


def total(records: list[dict[str, Any]]) -> float:
    return -sum(record["surprisal"] for record in records) * BITS


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"lowercase": True},
        {"segment": "sentence"},
        {"segment": "paragraph"},
        {"skip_empty_lines": True},
        {"sentence_marks": False},
        {"pre_tokenizer": "word"},
        {"normalize": "nfkc", "lowercase": "tr"},
    ],
    ids=str,
)
def test_the_rows_of_a_text_sum_to_its_log_probability(
    tokenizer: str, settings: dict[str, Any]
) -> None:
    if "pre_tokenizer" in settings and tokenizer in ("whitespace", "word"):
        settings = {}
    model = trained(tokenizer, **settings)
    expected = model.perplexity(iter(TEST)).log_probability
    for space in ("leading", "trailing"):
        words = lmkit.surprisals(model, TEST, space=space)
        assert total(words) == pytest.approx(expected, abs=1e-9)
        if space == "leading":
            tokens = lmkit.surprisals(model, TEST, words=False, whole=False)
            assert total(tokens) == pytest.approx(expected, abs=1e-9)
        for record in words:
            if record["word"] != "</s>":
                line = TEST[record["line"] - 1]
                assert record["word"] == line[record["start"] : record["end"]]
        if tokenizer not in ("whitespace", "pairs"):  # whose tokens may go over a word's end
            own = [record["word"] for record in words if record["word"] != "</s>"]
            assert own == [word for line in TEST for word in line.split()]


def test_words_within_a_token_have_a_number_and_no_row() -> None:
    rows = lmkit.surprisals(trained("whitespace"), ["x y\u00a0z\u00a0q", "\u00a0x  y", ""])
    assert [(row["line"], row["word_number"], row["word"]) for row in rows] == [
        (1, 1, "x"), (1, 2, "y"), (1, 5, "</s>"),
        (2, 1, "x"), (2, 2, "y"), (2, 3, "</s>"),
        (3, 1, "</s>"),
    ]  # fmt: skip


@pytest.mark.parametrize("tokenizer", ["word", "char", "bpe"])
@pytest.mark.parametrize("space", ["leading", "trailing"])
@pytest.mark.parametrize("text", ["", "\n\n", " \t\n", "\u00a0\x0b"])
def test_a_text_without_a_word_has_ends_alone(tokenizer: str, space: str, text: str) -> None:
    model = model_of_lines(tokenizer)
    lines = text.split("\n")
    rows = lmkit.surprisals(model, lines, space=space)
    assert [(row["line"], row["word"]) for row in rows] == [
        (number, "</s>") for number in range(1, len(lines) + 1)
    ]
    assert [(row["start"], row["end"]) for row in rows] == [(len(line),) * 2 for line in lines]
    assert total(rows) == pytest.approx(float(model.score(lines)[0].sum()), abs=1e-9)


@pytest.mark.parametrize("tokenizer", ["word", "char", "bpe"])
@pytest.mark.parametrize("segment", ["sentence", "paragraph"])
def test_sentences_over_lines_have_their_words_where_they_stand(
    tokenizer: str, segment: str
) -> None:
    lines = ["The cat sat. The", "dog  sat", "", " on the", "mat. Twice "]
    records = lmkit.surprisals(trained(tokenizer, segment=segment), lines)
    found = [[r["sentence"], r["line"], r["start"], r["word"], r["word_number"]] for r in records]
    expected = {
        "sentence": [
            [1, 1, 0, "The", 1],
            [1, 1, 4, "cat", 2],
            [1, 1, 8, "sat.", 3],
            [1, 1, 12, "</s>", 4],
            [2, 1, 13, "The", 1],
            [2, 2, 0, "dog", 2],
            [2, 2, 5, "sat", 3],
            [2, 2, 8, "</s>", 4],
            [3, 4, 1, "on", 1],
            [3, 4, 4, "the", 2],
            [3, 5, 0, "mat.", 3],
            [3, 5, 4, "</s>", 4],
            [4, 5, 5, "Twice", 1],
        ],
        "paragraph": [
            [1, 1, 0, "The", 1],
            [1, 1, 4, "cat", 2],
            [1, 1, 8, "sat.", 3],
            [1, 1, 13, "The", 4],
            [1, 2, 0, "dog", 5],
            [1, 2, 5, "sat", 6],
            [1, 2, 8, "</s>", 7],
            [2, 4, 1, "on", 1],
            [2, 4, 4, "the", 2],
            [2, 5, 0, "mat.", 3],
            [2, 5, 5, "Twice", 4],
        ],
    }
    assert found[:-1] == expected[segment]
    assert found[-1][3] == "</s>"


@pytest.mark.parametrize("tokenizer", ["word", "char", "bpe"])
def test_marks_that_are_dropped_are_no_words(tokenizer: str) -> None:
    model = trained(tokenizer, special_tokens="drop")
    records = lmkit.surprisals(model, "<s> The cat </s> sat<s>")
    assert [(r["sentence"], r["word"], r["start"]) for r in records] == [
        (1, "The", 4),
        (1, "cat", 8),
        (1, "</s>", 11),
        (2, "sat", 17),
        (2, "</s>", 23),
    ]


def test_each_sentence_sums_to_what_score_has() -> None:
    model = trained("word")
    records = lmkit.surprisals(model, TEST)
    for number, line in enumerate(TEST, 1):
        own = [record for record in records if record["sentence"] == number]
        assert total(own) == pytest.approx(float(model.score(line)[0].sum()), abs=1e-12)
        assert [record["word_number"] for record in own] == [*range(1, len(own) + 1)]
        assert own[-1]["word"] == "</s>" and own[-1]["start"] == own[-1]["end"] == len(line)


def test_words_are_the_same_for_models_of_any_tokens() -> None:
    lines = ["The cat, sat", " two  spaces ", "ünï “x”"]
    keys = ("line", "sentence", "word_number", "word", "start", "end")
    rows = [
        [[record[key] for key in keys] for record in lmkit.surprisals(trained(name), lines)]
        for name in ("whitespace", "word", "char", "byte", "bpe", "unigram")
    ]
    assert all(row == rows[0] for row in rows)
    assert rows[0][:4] == [
        [1, 1, 1, "The", 0, 3],
        [1, 1, 2, "cat,", 4, 8],
        [1, 1, 3, "sat", 9, 12],
        [1, 1, 4, "</s>", 12, 12],
    ]


def test_a_token_is_where_it_stands_in_the_line() -> None:
    line = "The “cat”, e\u0301te\u0301 İ!"
    for settings in ({}, {"lowercase": True}, {"normalize": "nfkc"}):
        records = lmkit.surprisals(trained("word", **settings), line, words=False)
        places = [line[record["start"] : record["end"]] for record in records]
        assert places == ["The", "“", "cat", "”", ",", "e\u0301te\u0301", "İ", "!", ""]
        assert [record["word_number"] for record in records] == [1, 2, 2, 2, 2, 3, 4, 4, 5]
    records = lmkit.surprisals(trained("byte"), "é x", words=False)
    assert [(r["start"], r["end"], r["word_number"]) for r in records] == [
        (0, 1, 1),
        (0, 0, 1),
        (1, 2, 2),
        (2, 3, 2),
        (3, 3, 3),
    ]


@pytest.mark.parametrize("tokenizer", ["word", "char"])
def test_entropy_and_rank_are_of_the_distribution_before(tokenizer: str) -> None:
    model = trained(tokenizer)
    records = lmkit.surprisals(model, TEST[:4], words=False)
    batch, place = model.batch(TEST[:4]), 0
    for index in range(len(batch)):
        state = model.start(1)
        for token in batch.ids[batch.offsets[index] : batch.offsets[index + 1]]:
            log_probs = model.next_log_probs(state)[0]
            finite = log_probs[np.isfinite(log_probs)]
            record = records[place]
            assert record["surprisal"] == pytest.approx(-log_probs[token] / BITS)
            entropy = -(np.exp(finite) * finite).sum() / BITS
            assert record["entropy"] == pytest.approx(entropy)
            assert record["rank"] == 1 + sum(value > log_probs[token] for value in log_probs)
            state = model.advance(state, [token])
            place += 1


def test_a_word_has_the_distribution_before_its_first_token_that_is_no_space() -> None:
    for tokenizer in ("word", "char"):
        model = trained(tokenizer)
        tokens = lmkit.surprisals(model, "The cat, sat", words=False)
        words = lmkit.surprisals(model, "The cat, sat")
        of_cat = next(token for token in tokens if token["token"] in ("cat", "c"))
        assert words[1]["entropy"] == of_cat["entropy"] and words[1]["rank"] == of_cat["rank"]
        assert words[1]["tokens"] == (2 if tokenizer == "word" else 5)


@pytest.mark.parametrize("tokenizer", ["char", "pairs", "bpe"])
def test_trailing_space_is_paid_for_by_the_word_that_it_ends(tokenizer: str) -> None:
    model = trained(tokenizer)
    line = "The cat sat"
    leading = lmkit.surprisals(model, line)
    trailing = lmkit.surprisals(model, line, space="trailing")
    ids = model.batch(line).ids
    tokens = model.vocabulary.tokens
    join = model.encoder.settings.tokenizer.join
    ends = [
        n
        for n, token in enumerate(tokens)
        if n == 2 or join([token])[:1] in [*" \t\n\r\v\f\0\x1c\x1d\x1e\x1f"]
    ]
    state, place, costs = model.start(1), 0, []
    for record in leading:
        cost = -math.log2(np.exp(model.next_log_probs(state)[0, ends]).sum())
        costs.append(cost if record is not leading[0] else 0.0)
        for token in ids[place : place + record["tokens"]]:
            state = model.advance(state, [token])
        place += record["tokens"]
    moved = [
        r["surprisal"] - c + n for r, c, n in zip(leading, costs, [*costs[1:], 0], strict=True)
    ]
    assert [record["surprisal"] for record in trailing] == pytest.approx(moved)
    assert [r["entropy"] for r in trailing] == [r["entropy"] for r in leading]


def test_with_trailing_space_words_after_a_context_are_a_distribution() -> None:
    """All words of one or two letters after "q ": with the space before them counted alone, they
    would sum to more than one."""
    model = trained("char", 4, ["q ab", "q b", "q ab b", "q a b ab"])
    letters = [chr(n) for n in range(97, 123)]
    words = [*letters, *(one + other for one in letters for other in letters)]
    sums = {}
    for space in ("leading", "trailing"):
        records = lmkit.surprisals(model, [f"q {word} a" for word in words], space=space)
        known = [record for record in records if record["word_number"] == 2 and not record["oov"]]
        sums[space] = sum(2 ** -record["surprisal"] for record in known)
    assert sums["trailing"] < 1 < sums["leading"]


def test_models_of_words_have_no_space_to_move() -> None:
    model = trained("word")
    trailing = lmkit.surprisals(model, TEST, space="trailing")
    assert trailing == lmkit.surprisals(model, TEST)


def test_unknown_words_are_told_and_their_letters_are_apart() -> None:
    model = trained("word")
    records = lmkit.surprisals(model, 'The "zat, cat')
    assert [record["oov"] for record in records] == [False, True, False, False]
    assert records[0]["spelling"] == 0.0
    spelling = model.encoder.spelling_log_probs(['"', "zat"])
    assert spelling is not None
    assert records[1]["spelling"] == pytest.approx(-spelling.sum() / BITS)


def test_without_a_spelling_model_spelling_is_missing(tmp_path: Path) -> None:
    lmkit.export_model(trained("whitespace"), tmp_path / "model.arpa")
    lmkit.import_model(tmp_path / "model.arpa", output=tmp_path / "model.lm")
    records = lmkit.surprisals(lmkit.load(tmp_path / "model.lm"), "The zat")
    assert [record["spelling"] for record in records] == [0.0, None, 0.0]


@pytest.mark.slow
@pytest.mark.parametrize("state", ["line", "carry"])
def test_networks_and_mixtures(tmp_path: Path, state: str) -> None:
    network = trained("word", backend="lstm", epochs=1, hidden=8, seed=1)
    network.save(tmp_path / "lstm.lm")
    trained("word").save(tmp_path / "ngram.lm")
    parts = [tmp_path / "lstm.lm", tmp_path / "ngram.lm"]
    mixed = lmkit.mix(parts, output=tmp_path / "mix.lm", weights=[0.5, 0.5])
    for model in (network, mixed):
        reader = running_reader(model, state, {}, "line")
        expected = float(reader.score(TEST)[0].sum())
        for words in (True, False):
            records = lmkit.surprisals(model, TEST, words=words, state=state)
            assert total(records) == pytest.approx(expected, abs=1e-5)
            fast = lmkit.surprisals(model, TEST, words=words, state=state, whole=False)
            assert total(fast) == pytest.approx(expected, abs=1e-5)
            assert {record["rank"] > 0 for record in records} == {True}


def test_text_comes_as_a_string_lines_or_a_file(tmp_path: Path) -> None:
    model = trained("word")
    text = "The cat\r\nsat."
    (tmp_path / "text.txt").write_bytes(text.encode())
    records = lmkit.surprisals(model, text)
    assert records == lmkit.surprisals(model, iter(["The cat", "sat."]))
    assert records == lmkit.surprisals(model, tmp_path / "text.txt")
    assert lmkit.surprisals(model, "") == lmkit.surprisals(model, []) == []
    many = lmkit.surprisals(model, ["The cat"] * 2001, whole=False)
    assert (many[-1]["line"], many[-1]["sentence"], many[-1]["word_number"]) == (2001, 2001, 3)
    assert "entropy" not in many[0] and "rank" not in many[0]


def test_what_is_certain_costs_nothing_and_what_is_impossible_everything() -> None:
    model = trained("word", 2, ["a b"], smoothing="maximum-likelihood")
    rows = lmkit.surprisals(model, "a b z")
    assert [str(row["surprisal"]) for row in rows[1:3]] == ["0.0", "inf"]


def test_what_cannot_be_asked() -> None:
    with pytest.raises(UnsupportedError, match="not probabilities"):
        lmkit.surprisals(trained("word", smoothing="stupid-backoff"), "The")
    with pytest.raises(UsageError, match="space cannot be 'both'"):
        lmkit.surprisals(trained("word"), "The", space="both")
    with pytest.raises(UsageError, match="state cannot be 'lines'"):
        lmkit.surprisals(trained("word"), "The", state="lines")
    channel = SimpleNamespace(lower_bound=True, backend="noisy-channel", require_probabilities=int)
    for whole in (True, False):
        with pytest.raises(UnsupportedError, match="whole sentences, not their words"):
            next(surprisal_rows(channel, [["The"]], whole=whole))  # type: ignore[arg-type]
    with pytest.raises(UnsupportedError, match="carries no state"):
        lmkit.surprisals(trained("word"), "The", state="carry")


def test_frames_are_of_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pandas", "polars"):
        monkeypatch.setitem(sys.modules, name, None)
    for library in (None, "pandas", "polars"):
        with pytest.raises(UsageError, match="not installed") as caught:
            lmkit.as_frame([{"word": "a"}], library)
        assert caught.value.hint == f"pip install {library or 'pandas'}"
    polars = ModuleType("polars")
    polars.DataFrame = lambda rows, infer_schema_length: (rows, infer_schema_length)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "polars", polars)
    assert lmkit.as_frame([{"word": "a"}]) == ([{"word": "a"}], None)
    with pytest.raises(UsageError, match="'numpy'"):
        lmkit.as_frame([], "numpy")

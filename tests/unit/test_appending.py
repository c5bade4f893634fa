"""Text added to a model: what comes out is what training on all of it gives."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmkit.errors import UnsupportedError, UsageError
from lmkit.model import UNK
from lmkit.ngram.backend import NgramBackend
from lmkit.ngram.counting import count_ngrams
from lmkit.ngram.entropy import prune_by_entropy
from lmkit.ngram.merging import append, merge_counts
from lmkit.ngram.model import NgramModel
from lmkit.ngram.trie import Trie
from lmkit.registry import names, resolve
from lmkit.text.corpus import Corpus
from lmkit.text.settings import TextSettings

from .ngram_support import WHITESPACE, corpus_of, train

OLD = ["the cat sat on the mat", "a b c a b d", "", "the cat", "mat <unk> mat"]
NEW = ["the dog sat on the rug", "a b c b c a", "zebra dog", "", "the cat sat on a <unk>"]

lines_of_text = st.lists(
    st.lists(st.sampled_from([*"abcdefg", "<unk>"]), max_size=8).map(" ".join), min_size=1
).filter(any)


def assert_same_counts(one: Trie, other: Trie) -> None:
    assert one.sizes == other.sizes
    for order, (level, same) in enumerate(zip(one.levels, other.levels, strict=True), 1):
        columns, expected = dict(level.columns()), dict(same.columns())
        assert columns.keys() == expected.keys()
        for name, column in columns.items():
            assert column.dtype == expected[name].dtype, (order, name)
            np.testing.assert_array_equal(
                column.array(), expected[name].array(), err_msg=f"{order}.{name}"
            )


def saved(model: NgramModel, path: Path) -> dict[str, Any]:
    """All that the model's file says, but for what made it."""
    model.save(path)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return {
            "meta": {k: json.loads(v) for k, v in connection.execute("SELECT * FROM meta")},
            "vocabulary": connection.execute("SELECT * FROM vocabulary ORDER BY id").fetchall(),
            "columns": {
                name: (
                    dtype,
                    length,
                    [
                        data
                        for (data,) in connection.execute(
                            "SELECT data FROM blocks WHERE id >> 32 = ? ORDER BY id", (key,)
                        )
                    ],
                )
                for key, name, dtype, length in connection.execute("SELECT * FROM columns")
            },
        }


def appended(model: NgramModel, lines: list[str], **how: Any) -> NgramModel:
    new = corpus_of(lines, model.encoder.settings, base=model.vocabulary)  # type: ignore[attr-defined]
    return append(model, new, **how)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(old=lines_of_text, new=lines_of_text, order=st.integers(1, 5))
def test_merged_counts_are_the_counts_of_both_texts(
    old: list[str], new: list[str], order: int
) -> None:
    first = corpus_of(old)
    second = corpus_of(new, base=first.vocabulary)
    merged = merge_counts(
        count_ngrams(first.chunks(), order, len(first.vocabulary)),
        count_ngrams(second.chunks(), order, len(second.vocabulary)),
    )
    both = corpus_of(old + new)
    assert_same_counts(merged, count_ngrams(both.chunks(), order, len(both.vocabulary)))


def test_merging_in_pieces_on_disk(zipf_lines: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    first = corpus_of(zipf_lines[:1200])
    second = corpus_of(zipf_lines[1200:], base=first.vocabulary)
    both = corpus_of(zipf_lines)
    expected = count_ngrams(both.chunks(), 4, len(both.vocabulary))
    monkeypatch.setattr("lmkit.ngram.trie.BLOCK_ROWS", 500)
    monkeypatch.setattr("lmkit.ngram.runs.STRIDE", 10)
    merged = merge_counts(
        count_ngrams(first.chunks(), 4, len(first.vocabulary)),
        count_ngrams(second.chunks(), 4, len(second.vocabulary)),
        memory=64 << 20,
    )
    assert_same_counts(merged, expected)


def test_counts_that_need_a_wider_type() -> None:
    # 200 + 100 does not fit the byte that holds each of them.
    first = corpus_of(["a b"] * 200)
    second = corpus_of(["a b"] * 100, base=first.vocabulary)
    merged = merge_counts(*(count_ngrams(c.chunks(), 2, 5) for c in (first, second)))
    column = merged[2].count
    assert column is not None
    assert column.array().tolist() == [300, 300, 300]
    assert column.dtype == np.uint16


@pytest.mark.parametrize("smoothing", names("smoothing"))
def test_the_file_is_that_of_training_on_everything(smoothing: str, tmp_path: Path) -> None:
    for form in resolve("smoothing", smoothing).forms:
        train(OLD, 3, smoothing, form=form).save(tmp_path / "old.lm")
        grown = appended(NgramBackend.open(tmp_path / "old.lm"), NEW)
        expected = saved(train(OLD + NEW, 3, smoothing, form=form), tmp_path / "all.lm")
        found = saved(grown, tmp_path / "grown.lm")
        assert found["meta"] == expected["meta"]
        assert found["vocabulary"] == expected["vocabulary"]
        assert found["columns"].keys() == expected["columns"].keys()
        for name, column in found["columns"].items():
            assert column == expected["columns"][name], name


@pytest.mark.parametrize(
    "text_settings",
    [
        TextSettings(tokenizer="word", lowercase=True),
        TextSettings(tokenizer="char"),
        TextSettings(tokenizer="byte"),
        TextSettings(tokenizer="whitespace", skip_empty_lines=True, special_tokens="word"),
    ],
    ids=lambda s: s.tokenizer,
)
def test_with_any_tokenizer(text_settings: TextSettings, tmp_path: Path) -> None:
    old, new = [*OLD, "Ünïcode, Łódź!"], [*NEW, "ünïcode? naïve"]
    if text_settings.special_tokens == "word":
        old, new = [*old, "a <s> b"], [*new, "c </s> <s>"]
    first = corpus_of(old, text_settings)
    model = NgramBackend.train(first, order=3)
    grown = append(model, corpus_of(new, text_settings, base=model.vocabulary))
    expected = NgramBackend.train(corpus_of(old + new, text_settings), order=3)
    assert saved(grown, tmp_path / "grown.lm") == saved(expected, tmp_path / "all.lm")


def test_options_of_the_method_are_kept(tmp_path: Path) -> None:
    for options in ({"discounts": [0.4]}, {"form": "backoff"}):
        train(OLD, 2, "kneser-ney", **options).save(tmp_path / "old.lm")
        grown = appended(NgramBackend.open(tmp_path / "old.lm"), NEW)
        expected = train(OLD + NEW, 2, "kneser-ney", **options)
        assert grown.facts == expected.facts
    train(OLD, 2, "lidstone", k=0.3).save(tmp_path / "old.lm")
    grown = appended(NgramBackend.open(tmp_path / "old.lm"), NEW)
    assert grown.facts["smoothing"]["parameters"]["k"] == 0.3


def test_held_out_text_is_used_again() -> None:
    first = corpus_of(OLD)
    model = NgramBackend.train(first, order=2, smoothing="jelinek-mercer")
    second = corpus_of(NEW, base=model.vocabulary)
    held_out = ["the cat sat", "a b c"]
    grown = append(model, second, valid=corpus_of(held_out, base=second.vocabulary))
    both = corpus_of(OLD + NEW)
    expected = NgramBackend.train(
        both, corpus_of(held_out, base=both.vocabulary), order=2, smoothing="jelinek-mercer"
    )
    assert grown.facts == expected.facts


def test_text_may_be_added_again_and_again(zipf_lines: list[str]) -> None:
    model = train(zipf_lines[:300], 4, "modified-kneser-ney")
    for start in range(300, 900, 200):
        model = appended(model, zipf_lines[start : start + 200])
    expected = train(zipf_lines[:900], 4, "modified-kneser-ney")
    assert_same_counts(model.trie, expected.trie)
    assert model.facts == expected.facts
    assert model.vocabulary.tokens == expected.vocabulary.tokens
    assert model.vocabulary.counts.tolist() == expected.vocabulary.counts.tolist()
    words = ["zyx", "w1", "Łódź"]
    np.testing.assert_array_equal(
        model.encoder.spelling_log_probs(words), expected.encoder.spelling_log_probs(words)
    )


def test_a_limited_vocabulary_stays() -> None:
    model = NgramBackend.train(corpus_of(OLD, min_count=2), order=2)
    words = list(model.vocabulary.tokens)
    assert "sat" not in words
    spellings = model.encoder.spelling_log_probs(["sat", "rug"])
    grown = appended(model, NEW)
    assert grown.vocabulary.tokens == words
    assert grown.vocabulary.limited
    both = corpus_of(OLD + NEW, vocabulary=words[3:])
    assert both.vocabulary.tokens == words
    assert_same_counts(grown.trie, NgramBackend.train(both, order=2).trie)
    assert grown.vocabulary.counts.tolist() == both.vocabulary.counts.tolist()
    assert grown.vocabulary.counts[UNK] > model.vocabulary.counts[UNK]
    np.testing.assert_array_equal(grown.encoder.spelling_log_probs(["sat", "rug"]), spellings)


def test_new_words_are_read_as_such() -> None:
    grown = appended(train(OLD, 2, "witten-bell"), NEW)
    zebra = grown.vocabulary.id_of("zebra")
    assert zebra > 0
    assert grown.encoder.encode(["zebra cat"]).ids.tolist()[0] == zebra
    assert grown.perplexity("zebra dog\nthe dog").oovs == 0


def test_the_old_model_does_not_change() -> None:
    model = train(OLD, 3, "kneser-ney")
    before = [column.array().copy() for level in model.trie.levels for _, column in level.columns()]
    counts, size = model.vocabulary.counts.copy(), len(model.vocabulary)
    grown = appended(model, NEW)
    grown.runs.append({"what": "test"})
    after = [column.array() for level in model.trie.levels for _, column in level.columns()]
    assert all(map(np.array_equal, before, after))
    assert model.vocabulary.counts.tolist() == counts.tolist()
    assert len(model.vocabulary) == size < len(grown.vocabulary)
    assert model.runs == []


def test_progress_is_told_by_step() -> None:
    model = train(OLD, 3, "kneser-ney")
    seen: list[str] = []
    appended(model, NEW, progress=lambda step, done, total: seen.append(step))
    assert list(dict.fromkeys(seen)) == ["counting", "smoothing"]


def test_a_pruned_model_is_refused() -> None:
    model = prune_by_entropy(train(OLD, 2, "witten-bell"), 1e-2)
    with pytest.raises(UnsupportedError, match="pruned and has lost counts, so it cannot be added"):
        appended(model, NEW)


def test_a_model_without_counts_is_refused() -> None:
    model = train(OLD, 2, "witten-bell")
    for level in model.trie.levels:
        level.count = None
    with pytest.raises(UnsupportedError, match="no counts, so it cannot be added"):
        appended(model, NEW)


@pytest.mark.parametrize(
    "corpus",
    [corpus_of(NEW), corpus_of(NEW, TextSettings(tokenizer="word"))],
    ids=["vocabulary", "settings"],
)
def test_text_that_was_read_otherwise_is_refused(corpus: Corpus) -> None:
    assert corpus_of(NEW).settings == WHITESPACE
    with pytest.raises(UsageError, match="other settings or another vocabulary"):
        append(train(OLD, 2, "witten-bell"), corpus)

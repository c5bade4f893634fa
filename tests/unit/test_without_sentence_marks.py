"""Training without sentence marks: the text is one stream, and no line begins or ends."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lmkit
from lmkit.errors import UnsupportedError, UsageError
from lmkit.evaluate.difference import CrossEntropyDifference
from lmkit.model import BOS, EOS, UNK, Batch
from lmkit.ngram.model import NgramModel
from lmkit.text.settings import TextSettings

LINES = ["a b c", "a a", "", "b c a", "c", "a b d"]


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("".join(f"{line}\n" for line in LINES), encoding="utf-8")
    return path


def settings(**how: Any) -> TextSettings:
    return TextSettings(tokenizer="whitespace", sentence_marks=False, **how)


def trained(text: Path, **how: Any) -> NgramModel:
    model = lmkit.train(
        text, settings=settings(), **{"smoothing": "witten-bell", "order": 3, **how}
    )
    assert isinstance(model, NgramModel)
    return model


def test_counts_by_hand(text: Path) -> None:
    """The stream is a b c a a b c a c a b d: p(b|a) = 3/5, p(a|a) = 1/5, p(c|a) = 1/5."""
    model = trained(text, order=2, smoothing="maximum-likelihood")
    state = model.advance(model.start(1), model.vocabulary.ids_of(["a"]))
    found = dict(zip(model.vocabulary.tokens, np.exp(model.next_log_probs(state)[0]), strict=True))
    assert found == pytest.approx(
        {"<unk>": 0, "<s>": 0, "</s>": 0, "a": 1 / 5, "b": 3 / 5, "c": 1 / 5, "d": 0}
    )
    # Nothing stands before the first word of a line: a is 5 of 12 words.
    assert model.score("a b")[0] == pytest.approx([math.log(5 / 12), math.log(3 / 5)])
    assert model.trie[2].size == 6


def test_is_the_model_of_the_text_in_one_line(tmp_path: Path, text: Path) -> None:
    """Where lines end says nothing."""
    joined = tmp_path / "joined.txt"
    joined.write_text(" ".join(LINES) + "\n", encoding="utf-8")
    for how in ({}, {"order": 4, "smoothing": "modified-kneser-ney"}, {"memory": 1 << 26}):
        one, other = trained(text, **how), trained(joined, **how)
        assert one.trie.sizes == other.trie.sizes
        np.testing.assert_array_equal(one.score(LINES)[0], other.score(LINES)[0])


def test_batches_have_no_marks(text: Path) -> None:
    model = trained(text)
    batch = model.batch(["a b", "", "nobody c"])
    assert batch.offsets.tolist() == [0, 2, 2, 4]
    assert not np.isin(batch.ids, [BOS, EOS]).any()
    assert batch.unknown is not None
    assert batch.unknown.positions.tolist() == [2]
    assert (
        model.encoder.encode_prompt("a\nb").tolist() == model.vocabulary.ids_of(["a", "b"]).tolist()
    )


def test_nothing_is_lost_to_an_end(text: Path) -> None:
    for closed in (False, True):
        model = trained(text, closed_vocabulary=closed)
        for context in ("", "a", "a b", "d nobody"):
            ids = model.encoder.encode_prompt(context)
            state = model.score(Batch(ids, np.array([0, len(ids)])))[1]
            log_probs = model.next_log_probs(state)[0]
            assert log_probs[EOS] == -np.inf
            assert (log_probs[UNK] == -np.inf) == closed
            assert np.exp(log_probs).sum() == pytest.approx(1, abs=1e-6)


def test_perplexity_is_of_words(text: Path) -> None:
    model = trained(text)
    figures = model.perplexity(text)
    assert figures.tokens == 12
    assert figures.sentences == 0
    total = sum(float(model.score(line)[0].sum()) for line in LINES)
    assert figures.perplexity == pytest.approx(math.exp(-total / 12))
    assert math.isnan(figures.bits_per_character)  # nobody pays for the ends of lines
    assert figures.srilm_ppl1 == figures.srilm_ppl == pytest.approx(figures.perplexity)


def test_a_running_text_is_read_as_in_training(text: Path, tmp_path: Path) -> None:
    """Line ends say nothing, wherever a batch ends."""
    model = trained(text)
    whole = model.score(" ".join(LINES))[0]
    assert model.running is not None
    reader = model.running()
    found = np.concatenate(
        [reader.score(LINES[:2])[0], reader.score([""])[0], reader.score(LINES[2:])[0]]
    )
    np.testing.assert_allclose(found, whole, atol=1e-12)
    with pytest.raises(UnsupportedError, match="n-grams have no cache"):
        model.running(cache=5)
    assert lmkit.train(text, order=2, smoothing="katz").running is None  # type: ignore[attr-defined]


def test_samples_do_not_end(text: Path) -> None:
    model = trained(text)
    for sample in model.generate(5, max_tokens=30, seed=1):
        assert len(sample.ids) == 30
        assert len(sample.text.split()) == 30


@pytest.mark.parametrize("smoothing", ["jelinek-mercer", "modified-kneser-ney"])
def test_held_out_text_is_a_stream_too(text: Path, smoothing: str) -> None:
    tune = {"tune": True} if smoothing != "jelinek-mercer" else {}
    model = trained(text, smoothing=smoothing, valid=text, **tune)
    note = next(note for note in model.facts["smoothing"]["notes"] if "held-out" in note)
    assert "12 held-out tokens" in note or "held-out" in note
    assert np.isfinite(model.perplexity(text).perplexity)


def test_goes_through_files(text: Path, tmp_path: Path) -> None:
    model = trained(text)
    model.save(tmp_path / "model.lm")
    loaded = lmkit.load(tmp_path / "model.lm")
    assert not loaded.encoder.settings.sentence_marks
    np.testing.assert_array_equal(loaded.score(LINES)[0], model.score(LINES)[0])
    lmkit.export_model(model, tmp_path / "model.arpa")
    again: Any = lmkit.import_model(tmp_path / "model.arpa")
    # The file says nothing of marks: as it stands there a phrase begins anywhere.
    ids = model.batch("a b c a").ids
    found, _ = again.score(Batch(again.vocabulary.ids_of(["a", "b", "c", "a"]), np.array([0, 4])),
                           again.empty(1))  # fmt: skip
    np.testing.assert_allclose(found, model.score(Batch(ids, np.array([0, 4])))[0], atol=1e-5)
    assert "sentence_marks" not in TextSettings().as_dict()


def test_is_pruned(text: Path) -> None:
    model = trained(text)
    size = sum(model.trie.sizes) - 3
    _, pruned = lmkit.prune(model, size=size)
    assert sum(pruned.trie.sizes) <= size
    assert np.isfinite(pruned.perplexity(text).perplexity)


class TestRefusals:
    def test_other_backends_and_uses(self, text: Path) -> None:
        model = trained(text)
        with pytest.raises(UsageError, match="a network reads text with the ends of its lines"):
            lmkit.train(text, settings=settings(), backend="lstm")
        with pytest.raises(UnsupportedError, match="cannot be part of a mixture: it was trained"):
            lmkit.mix([model, model], weights=[0.5, 0.5])
        with pytest.raises(UnsupportedError, match="the source of a noisy channel"):
            lmkit.api.train_channel(model)
        with pytest.raises(UnsupportedError, match="the source of corrections"):
            lmkit.Corrector(model)
        with pytest.raises(UnsupportedError, match="told that </s> never comes"):
            lmkit.append(model, text)

    def test_the_difference_from_a_model_of_sentences(self, text: Path) -> None:
        other = lmkit.train(text, settings=TextSettings("whitespace"), order=2)
        with pytest.raises(UnsupportedError, match="only one was trained with --no-sentence-marks"):
            CrossEntropyDifference(trained(text), other)

    def test_sentences(self) -> None:
        with pytest.raises(UsageError, match="there are no sentences, so paragraphs"):
            settings(segment="paragraph")

    def test_methods_that_do_not_back_off(self, text: Path) -> None:
        with pytest.raises(UnsupportedError, match="does not back off"):
            trained(text, smoothing="laplace")

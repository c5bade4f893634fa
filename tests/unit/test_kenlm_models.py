"""`lmkit.kenlm` on networks and mixtures, whose states KenLM has nothing like, and in threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lmkit
from lmkit import kenlm
from lmkit.errors import UnsupportedError
from lmkit.integrations import model_walk
from lmkit.text.settings import TextSettings

LINES = ["the cat sat on the mat", "the dog sat on a log", "a cat saw the dog", "a dog sat"]


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("".join(f"{line}\n" for line in LINES * 3), encoding="utf-8")
    return path


@pytest.fixture
def lstm(text: Path, tmp_path: Path) -> kenlm.Model:
    path = tmp_path / "lstm.lm"
    lmkit.train(text, output=path, backend="lstm", hidden=8, epochs=1, bptt=8, workers=1)
    return kenlm.Model(path)


def after(model: kenlm.Model, *words: str, bos: bool = True) -> kenlm.State:
    state = kenlm.State()
    (model.BeginSentenceWrite if bos else model.NullContextWrite)(state)
    for word in words:
        model.BaseScore(state, word, state)
    return state


class TestNetworks:
    def test_word_by_word(self, lstm: kenlm.Model) -> None:
        state, total = after(lstm), 0.0
        for depth, word in enumerate(["the", "cat", "flew"], 2):
            full = lstm.BaseFullScore(state, word, kenlm.State())
            total += lstm.BaseScore(state, word, state)
            assert (full.ngram_length, full.oov) == (depth, word == "flew")
        assert total == pytest.approx(lstm.score("the cat flew", eos=False), abs=1e-5)
        whole = sum(score for score, *_ in lstm.full_scores("the cat flew"))
        assert whole == pytest.approx(lstm.score("the cat flew"), abs=1e-5)
        assert lstm.order == 1000

    def test_states_are_equal_after_the_same_words(self, lstm: kenlm.Model) -> None:
        assert after(lstm, "the", "cat") == after(lstm, "the", "cat")
        assert hash(after(lstm, "the", "cat")) == hash(after(lstm, "the", "cat"))
        assert after(lstm, "the", "cat") != after(lstm, "a", "cat")
        assert after(lstm, "the", "</s>") == after(lstm)

    def test_a_state_is_computed_once_it_is_asked(
        self, lstm: kenlm.Model, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        taken: list[int] = []
        advance = lstm._walk.model.advance
        monkeypatch.setattr(
            lstm._walk.model, "advance", lambda s, t: taken.append(t[0]) or advance(s, t)
        )
        start, out = after(lstm), kenlm.State()
        for word in ("the", "cat", "mat"):
            lstm.BaseScore(start, word, out)
        assert taken == []
        for word in ("the", "cat", "mat"):
            lstm.BaseScore(out, word, kenlm.State())
        assert len(taken) == 1

    def test_what_is_kept_is_bounded(
        self, lstm: kenlm.Model, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(model_walk, "KEPT_BYTES", 0)
        bounded = kenlm.Model(lstm.path)
        line = " ".join(LINES * 30)
        assert bounded.score(line, eos=False) == pytest.approx(
            sum(score for score, *_ in bounded.full_scores(line, eos=False)), abs=1e-4
        )
        state = after(bounded, *line.split())
        assert state._place.before.before is None
        assert bounded._walk._states <= 64
        assert len(bounded._walk._distributions) <= 8

    def test_there_is_none_without_a_sentence(self, lstm: kenlm.Model) -> None:
        for ask in (
            lambda: lstm.NullContextWrite(kenlm.State()),
            lambda: lstm.score("the", bos=False),
            lambda: lstm.BaseScore(kenlm.State(), "the", kenlm.State()),
        ):
            with pytest.raises(UnsupportedError, match="without a context") as caught:
                ask()
            assert "BeginSentenceWrite" in str(caught.value)


def test_mixtures(text: Path, tmp_path: Path) -> None:
    parts: list[Any] = [
        lmkit.train(text, order=3),
        lmkit.train(text, order=2, smoothing="witten-bell"),
    ]
    for kind in ("linear", "log-linear", "by-context"):
        path = tmp_path / f"{kind}.lm"
        whole = lmkit.mix(parts, valid=text, kind=kind, output=path)
        model = kenlm.Model(path)
        assert model.order == 3
        expected = whole.score("the cat sat")[0].sum() / np.log(10)
        assert model.score("the cat sat") == pytest.approx(expected)
        assert after(model, "x", "the", "cat") == after(model, "y", "the", "cat")
        if kind == "by-context":
            with pytest.raises(UnsupportedError, match="without a context"):
                model.score("the", bos=False)
    # p(the) without any context is the sum of the parts' unigrams.
    linear: Any = lmkit.load(tmp_path / "linear.lm")
    alone = [
        np.exp(part.log_probs_of(part.empty(1), [[part.vocabulary.id_of("the")]])) for part in parts
    ]
    expected = np.log10(linear.blend.weights[0] @ np.ravel(alone))
    found = kenlm.Model(tmp_path / "linear.lm").score("the", bos=False, eos=False)
    assert found == pytest.approx(expected)


def test_threads_share_a_model(text: Path, tmp_path: Path, lstm: kenlm.Model) -> None:
    path = tmp_path / "model.lm"
    lmkit.train(text, output=path, order=3)
    lines = [" ".join(words) for words in permutations(LINES[0].split()[:4])]

    def scores(model: kenlm.Model) -> list[float]:
        return [sum(score for score, *_ in model.full_scores(line)) for line in lines]

    for fresh, model in ((kenlm.Model(path), kenlm.Model(path)), (kenlm.Model(lstm.path), lstm)):
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(scores, [model] * 8))
        assert together == [pytest.approx(scores(fresh), abs=1e-5)] * 8


def test_a_model_without_sentence_marks_has_no_ends_to_score(tmp_path: Path) -> None:
    settings = TextSettings(sentence_marks=False)
    (tmp_path / "text").write_text("a b a b a c\n" * 5, encoding="utf-8")
    lmkit.train(tmp_path / "text", settings=settings, order=2).save(tmp_path / "m.lm")
    model = kenlm.Model(str(tmp_path / "m.lm"))
    scores = [score for score, _, _ in model.full_scores("a b")]
    assert len(scores) == 2
    assert model.score("a b") == model.score("a b", bos=False, eos=False) == sum(scores)
    assert model.perplexity("a b") == pytest.approx(10 ** (-sum(scores) / 2))
    assert model.perplexity("") == 1


@pytest.mark.parametrize("tokenizer", ["char", "bpe"])
def test_without_sentence_marks_no_symbol_is_lost(tmp_path: Path, tokenizer: str) -> None:
    settings = TextSettings(tokenizer=tokenizer, sentence_marks=False)
    (tmp_path / "text").write_text("the cat sat\nthe cats\n" * 3, encoding="utf-8")
    whole: Any = lmkit.train(
        tmp_path / "text", settings=settings, order=3, output=tmp_path / "m.lm"
    )
    model = kenlm.Model(tmp_path / "m.lm")
    expected = whole.score("the cat")[0]
    assert len(list(model.full_scores("the cat"))) == len(expected)
    assert model.score("the cat") == pytest.approx(expected.sum() / np.log(10))

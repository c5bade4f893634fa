"""Log-probabilities of some tokens without a sum over all of them: near, and the same elsewhere."""

from __future__ import annotations

from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lmkit
from lmkit.channel.corrector import Corrector
from lmkit.channel.edits.damerau import Damerau
from lmkit.model import BOS
from lmkit.neural.use import quick
from lmkit.neural.use.model import NeuralModel
from lmkit.neural.use.quick import Moments, QuickScorer

FEW = 8


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few words for a vocabulary of some twenty thousand."""
    monkeypatch.setattr(quick, "HEAD", FEW)
    monkeypatch.setattr(quick, "ROWS", 16)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory, zipf_lines: list[str]) -> Path:
    path = tmp_path_factory.mktemp("text") / "zipf.txt"
    path.write_text("".join(f"{line}\n" for line in zipf_lines[:400]), encoding="utf-8")
    return path


def train(text: Path, **options: Any) -> NeuralModel:
    settings = {"hidden": 16, "epochs": 2, "batch_size": 8, "bptt": 10, "dropout": 0.0}
    model = lmkit.train(text, backend="lstm", **{**settings, **options})
    assert isinstance(model, NeuralModel)
    return model


@pytest.fixture(scope="module", params=["full", "sampled", "nce", "tied"])
def model(request: pytest.FixtureRequest, text: Path) -> NeuralModel:
    if request.param == "tied":
        return train(text, tied=True, embedding=16)
    return train(text, softmax=request.param)


def exact_log_sums(w: Any, b: Any, h: Any) -> Any:
    return np.log(np.exp(w @ h + b[:, None]).sum(axis=0))


def test_moments_by_hand():
    """Two rows, of which one counts three times: a mean of 1/2 and a variance of 3/4."""
    moments = Moments(np.array([[0.0 + 1], [-1.0]]), np.log([3.0, 1.0]))
    for h in (-0.2, 0.0, 0.1):
        found = moments.log_sums(np.array([[h]]))
        assert found == pytest.approx(np.log(4) + h / 2 + 0.75 * h**2 / 2)
        assert found == pytest.approx(np.log(3 * np.exp(h) + np.exp(-h)), abs=abs(h) ** 3)


def test_moments_are_right_to_the_second_order():
    generator = np.random.default_rng(3)
    w, b = generator.normal(size=(50, 6)), generator.normal(size=50)
    h = generator.normal(size=(6, 20))
    moments = Moments(w, b)
    off = [
        np.abs(moments.log_sums(scale * h) - exact_log_sums(w, b, scale * h)).max()
        for scale in (0.1, 0.05)
    ]
    assert off[0] < 0.05
    # What is left is of the third order: half of the vector, an eighth of the error.
    assert off[0] / off[1] == pytest.approx(8, rel=0.3)


def test_rows_that_are_alike_have_an_exact_sum():
    w, b = np.tile([[0.3, -2.0]], (40, 1)), np.linspace(-300, 2, 40)
    h = np.array([[1.0, -3.0, 0.0], [2.0, 1.0, 0.0]])
    np.testing.assert_allclose(Moments(w, b).log_sums(h), exact_log_sums(w, b, h), rtol=1e-12)


def test_log_probs_are_near_and_off_by_the_same_for_all_tokens(model: NeuralModel):
    near = model.quick
    assert near is not model
    tokens = np.random.default_rng(0).integers(3, len(model.vocabulary), (150, 4))
    tokens[:, 0] = 3
    state = near.advance(near.start(150), tokens[:, 1])
    off = near.log_probs_of(state, tokens) - model.log_probs_of(
        model.advance(model.start(150), tokens[:, 1]), tokens
    )
    assert np.abs(off).max() < 0.1
    assert np.abs(off - off[:, :1]).max() < 1e-5
    assert np.isneginf(near.log_probs_of(state, np.full((150, 1), BOS))).all()
    assert near.log_probs_of(near.start(0), tokens[:0]).shape == (0, 4)


def test_all_else_is_the_models_own(model: NeuralModel):
    near = model.quick
    state = near.advance(near.start(2), [4, 5])
    own = model.advance(model.start(2), [4, 5])
    np.testing.assert_array_equal(near.next_log_probs(state), model.next_log_probs(own))
    for a, b in zip(near.score("w1 w2"), model.score("w1 w2"), strict=True):
        if isinstance(a, np.ndarray):
            np.testing.assert_array_equal(a, b)
    # Where a distribution is there already, it is asked.
    tokens = np.array([[3, 9], [4, 20]])
    expected = np.take_along_axis(model.next_log_probs(own), tokens, axis=1)
    np.testing.assert_array_equal(near.log_probs_of(state, tokens), expected)


def test_the_tokens_that_are_summed_are_the_likeliest_wherever_they_stand(text: Path):
    """A vocabulary from a list may be in any order."""
    plain = train(text)
    scorer = plain.quick.scorer  # type: ignore[attr-defined]
    head = np.flatnonzero(~scorer._in_rest).tolist()
    assert len(head) == FEW + 1 and BOS in head
    # The rest and the head are all there is, each once.
    assert len(scorer._head_b) == FEW
    assert len(plain.vocabulary) == FEW + 1 + int(scorer._in_rest.sum())
    state = plain.advance(plain.start(40), np.arange(3, 43))
    mean = np.exp(plain.next_log_probs(state)).mean(axis=0)
    share = float(mean[head].sum())
    best = float(np.sort(mean)[-FEW:].sum())
    assert share > 0.9 * best
    turned = list(reversed(plain.vocabulary.tokens[3:]))
    words = text.with_name("turned.txt")
    words.write_text("".join(f"{word}\n" for word in turned))
    other = train(text, vocabulary=words)
    tokens = other.vocabulary.tokens
    chosen = np.flatnonzero(~other.quick.scorer._in_rest).tolist()  # type: ignore[attr-defined]
    counts = np.asarray(other.vocabulary.counts)
    assert counts[chosen].sum() > 0.8 * np.sort(counts)[-FEW - 1 :].sum()
    assert [tokens[i] for i in chosen] != tokens[: FEW + 1]


def test_what_is_quick_is_made_once(model: NeuralModel):
    assert model.quick is model.quick
    assert model.quick.quick is model.quick


def test_no_probability_is_above_one(model: NeuralModel):
    """Where the rest is one token that the moments know nothing of, it is what is asked for."""
    weights = model.parameters.views
    scorer = QuickScorer(model.network, weights, model._start)
    far = int(np.flatnonzero(scorer._in_rest)[7])
    vector = weights[model.network.softmax.embedding][far]
    h = (40 / (vector @ vector) * vector)[:, None]
    near = int(np.flatnonzero(~scorer._in_rest)[-1])
    # Of vectors so long the second order may be anything.
    for sign in (1, -1):
        scorer._rest._covariance = sign * np.abs(scorer._rest._covariance)
        found = scorer.log_probs_of(h, np.array([[far, near]]))
        assert found.max() <= 0.0
        assert np.isfinite(found).all()


def test_a_small_vocabulary_and_other_layers_have_nothing_quicker(
    text: Path, model: NeuralModel, monkeypatch: pytest.MonkeyPatch
):
    adaptive = train(text, softmax="adaptive")
    assert adaptive.quick is adaptive
    monkeypatch.setattr(quick, "HEAD", len(model.vocabulary))
    other = copy(model)
    other.__dict__.pop("quick", None)
    assert other.quick is other
    trigrams = lmkit.train(text, order=3)
    assert trigrams.quick is trigrams


def test_a_mixture_is_as_quick_as_its_parts(text: Path, model: NeuralModel):
    bigrams, trigrams = (lmkit.train(text, order=order) for order in (2, 3))
    # The powers of a product are fitted token by token over the vocabulary: a few lines do.
    short = text.with_name("short.txt")
    short.write_text("".join(text.read_text().splitlines(keepends=True)[:20]))
    plain: Any = lmkit.mix([bigrams, trigrams], valid=text)
    assert plain.quick is plain
    product: Any = lmkit.mix([trigrams, model], valid=short, kind="log-linear")
    assert product.quick is product
    mixture: Any = lmkit.mix([trigrams, model], valid=text)
    near: Any = mixture.quick
    assert near is not mixture and mixture.members[1].model is model
    tokens = np.array([[3, 9, 20], [4, 5, 6]])
    first = [3, 4]
    found = near.log_probs_of(near.advance(near.start(2), first), tokens)
    share, shared = mixture.blend.weights.mean(axis=0).tolist()
    part = trigrams.log_probs_of(trigrams.advance(trigrams.start(2), first), tokens)
    own = model.quick
    of_network = own.log_probs_of(own.advance(own.start(2), first), tokens)
    expected = np.logaddexp(np.log(share) + part, np.log(shared) + of_network)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("alone", [True, False])
def test_corrections_ask_the_quick_model_and_explanations_the_exact_one(
    tmp_path: Path, alone: bool, monkeypatch: pytest.MonkeyPatch
):
    text = tmp_path / "text.txt"
    words = [a + b for a in "bcdfghlmnprst" for b in ("at", "an", "it", "in")]
    text.write_text("".join(f"the {a} sat on the {b}\n" for a in words for b in words[::7]))
    network = train(text)
    source: Any = network
    if not alone:
        source = lmkit.mix([lmkit.train(text, order=3), network], valid=text)
    asked = []
    original = QuickScorer._asked

    def counted(self: Any, h: Any, tokens: Any) -> Any:
        asked.append(len(tokens))
        return original(self, h, tokens)

    monkeypatch.setattr(QuickScorer, "_asked", counted)
    corrector = Corrector(source, channel=Damerau())
    line = ["the catt sat no the mta"]
    found = corrector.correct(line)[0].corrected
    assert asked
    asked.clear()
    corrector.explain = True
    assert corrector.correct(line)[0].corrected == found
    assert corrector.suggest("catt", left="the ", right=" sat")
    assert not asked

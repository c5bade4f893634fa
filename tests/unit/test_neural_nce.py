"""Noise-contrastive estimation: by hand, in expectation, and on a text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import lmkit
from lmkit.errors import UsageError
from lmkit.model import BOS
from lmkit.neural.losses.nce import NoiseContrastive
from lmkit.neural.losses.targets import Targets
from lmkit.neural.parameters import Gradients


class Fixed(NoiseContrastive):
    """The noise that a test wants."""

    drawn = (np.array([3]), np.array([1]))

    def noise(self, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return self.drawn


def weights_of(vocabulary: int, features: int) -> dict[str, np.ndarray]:
    return {"output.w": np.zeros((vocabulary, features)), "output.b": np.zeros(vocabulary)}


def test_the_loss_by_hand() -> None:
    # <unk>, <s>, </s>, a, b; counts 0, -, 1, 2, 1, each plus a half: q = 1, 0, 3, 5, 3 of 12.
    softmax = Fixed(5, 1, samples=2, counts=[0, 0, 1, 2, 1])
    softmax.drawn = (np.array([3]), np.array([2]))
    weights, gradients = weights_of(5, 1), Gradients(weights_of(5, 1))
    weights["output.w"][:, 0] = [0, 9, 0, np.log(5), np.log(3)]
    weights["output.b"][3] = np.log(1 / 6)
    h = np.array([[1.0]])
    # s(b) = log 3, k q(b) = 2 * 3/12 = 1/2: sigma(log 3 - log 1/2) = 3 / 3.5 = 6/7.
    # s(a) = log 5/6, k q(a) = 2 * 5/12 = 5/6: each of the two draws of a is as likely text as
    # noise, so sigma = 1/2.
    losses, dh = softmax.train(
        weights, h, Targets(np.array([4])), gradients, np.random.default_rng(0)
    )
    assert losses == pytest.approx([-np.log(6 / 7) - 2 * np.log(1 / 2)])
    # d loss / d s(b) = 6/7 - 1, d loss / d s(a) = 2 * 1/2.
    assert gradients["output.b"] == pytest.approx([0, 0, 0, 1, -1 / 7])
    assert gradients["output.w"][:, 0] == pytest.approx([0, 0, 0, 1, -1 / 7])
    assert dh[0] == pytest.approx([np.log(5) - np.log(3) / 7])


def test_the_noise_follows_the_unigram_counts_and_is_never_the_start_of_a_sentence() -> None:
    softmax = NoiseContrastive(6, 4, samples=200_000, counts=[0, 50, 3, 9, 30, 0])
    tokens, times = softmax.noise(np.random.default_rng(1))
    shares = np.zeros(6)
    shares[tokens] = times / times.sum()
    assert times.sum() == 200_000 and shares[BOS] == 0
    expected = np.array([0.5, 0, 3.5, 9.5, 30.5, 0.5]) / 44.5
    assert shares == pytest.approx(expected, abs=0.005)


def test_the_right_probabilities_are_a_minimum() -> None:
    """With scores that are the log-probabilities of the text the expected gradient is zero."""
    p = np.array([0.1, 0, 0.2, 0.4, 0.25, 0.05])
    softmax = NoiseContrastive(6, 1, samples=500_000, counts=[1, 0, 1, 3, 2, 5])
    weights, gradients = weights_of(6, 1), Gradients(weights_of(6, 1))
    weights["output.b"][p > 0] = np.log(p[p > 0])
    targets = Targets(np.repeat(np.arange(6), (p * 100).astype(int)), 1 / 100)
    softmax.train(weights, np.zeros((1, 100)), targets, gradients, np.random.default_rng(2))
    assert gradients["output.b"] == pytest.approx(np.zeros(6), abs=0.005)
    weights["output.b"][3] += 1
    gradients.begin()
    softmax.train(weights, np.zeros((1, 100)), targets, gradients, np.random.default_rng(2))
    assert gradients["output.b"][3] > 0.05


def test_far_scores_overflow_nowhere() -> None:
    softmax = NoiseContrastive(5, 1, samples=8)
    weights, gradients = weights_of(5, 1), Gradients(weights_of(5, 1))
    weights["output.w"][:, 0] = [1, 0, -1, 1, -1]
    targets = Targets(np.array([2, 3]))
    with np.errstate(all="raise", under="ignore"):
        losses, dh = softmax.train(
            weights, np.full((1, 2), 1e4), targets, gradients, np.random.default_rng(0)
        )
    assert np.isfinite(losses).all() and np.isfinite(dh).all()


@pytest.mark.slow
def test_it_learns_a_text_and_scores_with_the_whole_distribution(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("the cat sat on the mat\na dog ran\n" * 60, encoding="utf-8")
    model = lmkit.train(
        text, backend="gru", softmax="nce", softmax_options={"samples": 20},
        hidden=16, epochs=30, batch_size=4, bptt=8, workers=1, learning_rate=0.01, dropout=0.0,
    )  # fmt: skip
    assert model.perplexity(text).perplexity < 1.6
    log_probs = model.next_log_probs(model.start(1))
    assert np.exp(log_probs).sum() == pytest.approx(1, abs=1e-5)


def test_what_it_cannot_do() -> None:
    with pytest.raises(UsageError, match="samples must be at least 1"):
        NoiseContrastive(5, 1, samples=0)
    with pytest.raises(UsageError, match="neither label smoothing nor a teacher"):
        NoiseContrastive(5, 1).train(
            weights_of(5, 1), np.zeros((1, 1)), Targets(np.array([2]), smoothing=0.1),
            Gradients(weights_of(5, 1)), np.random.default_rng(0),
        )  # fmt: skip

"""Fitting the continuous cache to held-out text."""

from __future__ import annotations

import numpy as np
import pytest

import lmkit
from lmkit.errors import TextError
from lmkit.model import Batch
from lmkit.neural.use.cache import Cache
from lmkit.neural.use.cache_fitting import FLATNESSES, best_weight, fit_cache
from lmkit.neural.use.model import NeuralModel


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, zipf_lines: list[str]) -> NeuralModel:
    path = tmp_path_factory.mktemp("text") / "zipf.txt"
    path.write_text("".join(f"{line}\n" for line in zipf_lines[:200]), encoding="utf-8")
    found = lmkit.train(path, backend="gru", hidden=16, epochs=2, batch_size=4, workers=1)
    assert isinstance(found, NeuralModel)
    return found


def test_the_best_weight_by_hand() -> None:
    # log((1 - w)/2 + w) + log((1 - w)/2): the slope 1/(1 + w) - 1/(1 - w) is zero at 0.
    assert best_weight(np.array([0.5, 0.5]), np.array([1.0, 0.0])) == pytest.approx(0, abs=1e-9)
    # Twice of three: 2/(1 + w) = 1/(1 - w) at w = 1/3.
    p, q = np.array([0.5, 0.5, 0.5]), np.array([1.0, 1.0, 0.0])
    assert best_weight(p, q) == pytest.approx(1 / 3)
    assert best_weight(np.array([0.1]), np.array([0.9])) == pytest.approx(0.95)
    assert best_weight(np.array([0.9]), np.array([0.1])) == pytest.approx(0, abs=1e-9)


def test_the_fit_is_what_a_running_text_gets_and_nothing_on_the_grid_is_better(
    model: NeuralModel, zipf_lines: list[str]
) -> None:
    batch = model.batch(zipf_lines[200:260] * 2)
    fit = fit_cache(model, batch.ids, size=300)

    def loss(weight: float, flatness: float) -> float:
        running = model.running(cache=300, cache_weight=weight, cache_flatness=flatness)
        return float(-running.score(batch)[0][1:].mean())

    assert fit.after == pytest.approx(loss(fit.weight, fit.flatness), abs=1e-4)
    assert fit.before == pytest.approx(float(-model.running().score(batch)[0][1:].mean()), abs=1e-4)
    assert fit.after < fit.before
    for flatness in (FLATNESSES[0], FLATNESSES[5], fit.flatness):
        for weight in (0.02, fit.weight * 0.7, min(fit.weight * 1.3, 0.9)):
            assert loss(weight, flatness) >= fit.after - 1e-5


def test_a_text_too_short_to_fit_to(model: NeuralModel) -> None:
    with pytest.raises(TextError, match="cannot be fitted to 2 tokens"):
        model.fit_cache(model.batch("w1").ids)


@pytest.mark.parametrize("flatness", [0.0, 3.0])
def test_what_has_left_the_cache_has_no_say(flatness: float) -> None:
    rng = np.random.default_rng(0)
    h, targets = rng.standard_normal((4, 700)).astype(np.float32), rng.integers(3, 9, 700)
    whole = Cache(5, 0.5, flatness).mix(np.full(700, -2.0), h, targets.astype(np.int32))
    pieces, cache = [], Cache(5, 0.5, flatness)
    for start in range(0, 700, 93):
        here = slice(start, start + 93)
        pieces.append(cache.mix(np.full(len(targets[here]), -2.0), h[:, here], targets[here]))
    assert np.concatenate(pieces) == pytest.approx(whole, abs=1e-6)
    assert whole[0] == pytest.approx(-2.0)
    h /= np.sqrt((h**2).sum(axis=0))
    for t in (3, 255, 256, 257, 699):
        before = np.arange(max(0, t - 5), t)
        weights = np.exp(flatness * (h[:, t] @ h[:, before]))
        part = weights[targets[before] == targets[t]].sum() / weights.sum()
        assert np.exp(whole[t]) == pytest.approx(0.5 * np.exp(-2.0) + 0.5 * part, rel=1e-4)


def test_updates_fall_at_the_same_places_whatever_the_pieces(
    model: NeuralModel, zipf_lines: list[str]
) -> None:
    batch = model.batch(zipf_lines[200:230])
    whole, _ = model.running(dynamic=0.3, dynamic_steps=7).score(batch)
    running, pieces = model.running(dynamic=0.3, dynamic_steps=7), []
    for start in range(0, len(batch.ids), 11):
        ids = batch.ids[start : start + 11]
        pieces.append(running.score(Batch(ids, np.array([0, len(ids)])))[0])
    assert np.concatenate(pieces) == pytest.approx(whole, abs=1e-4)
    plain, _ = model.running().score(batch)
    assert np.abs(whole[7:] - plain[7:]).max() > 0.01
    assert whole[:7] == pytest.approx(plain[:7], abs=1e-4)

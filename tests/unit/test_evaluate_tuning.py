"""Tuning of a corrector's weights, with a corrector whose best weights are known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from lmkit.channel.corrections import Correction
from lmkit.channel.weights import Weights
from lmkit.errors import TextError
from lmkit.evaluate.tuning import tune

WORDS = 1000
CORRECT = [" ".join(f"w{number}" for number in range(WORDS))]
CORRUPT = [CORRECT[0].replace("w9", "x9", 1)]


@dataclass
class Known:
    """Changes as many words too many or too few as its weights are away from the best ones."""

    best: Weights
    weights: Weights = Weights()  # noqa: RUF009 - frozen

    def reweighted(self, weights):
        return replace(self, weights=weights)

    def correct(self, lines):
        away = sum(
            abs(getattr(self.weights, name) / getattr(self.best, name) - 1)
            for name in ("channel", "source", "keep")
        )
        wrong = min(round(WORDS * away / 3), WORDS)
        words = ["x"] * wrong + CORRECT[0].split()[wrong:]
        return [Correction(line, " ".join(words)) for line in lines]


@pytest.mark.parametrize("channel, source", [(1.0, 1.0), (1.6, 1.0), (0.8, 1.25), (1.1**2, 0.7)])
def test_the_best_weights_are_found(channel, source):
    best = Weights(channel=channel, source=source)
    found = tune(Known(best), CORRUPT, CORRECT)
    assert found.weights["channel"] == pytest.approx(channel, rel=0.15)
    assert found.weights["source"] == pytest.approx(source, rel=0.15)


def test_what_is_best_already_stays():
    corrector = Known(Weights())
    found = tune(corrector, CORRUPT, CORRECT)
    best = Weights()
    assert found.weights == {"channel": best.channel, "source": best.source, "keep": best.keep}
    assert found.before == replace(found.after, seconds=found.before.seconds)
    assert corrector.weights == Weights()


def test_a_probability_stays_one():
    found = tune(Known(Weights(keep=0.8)), CORRUPT, CORRECT)
    assert 0.7 < found.weights["keep"] < 0.9


def test_texts_to_tune_to():
    corrector = Known(Weights())
    with pytest.raises(TextError, match="1 lines and CORRECT 2"):
        tune(corrector, CORRUPT, CORRECT * 2)
    with pytest.raises(TextError, match="no errors to tune to"):
        tune(corrector, CORRECT, CORRECT)
    with pytest.raises(TextError, match="no errors to tune to"):
        tune(corrector, [], [])

"""Drawing a token from a distribution (`lmkit.sampling.draw`)."""

from __future__ import annotations

import numpy as np
import pytest

from lmkit.sampling import Sampling, draw


@pytest.mark.parametrize("temperature", [1e-3, 1e-300, 5e-324])
def test_a_temperature_near_zero_draws_the_likeliest(temperature: float) -> None:
    with np.errstate(divide="ignore"):
        log_probs = np.log([[0.2, 0.5, 0.0, 0.3], [0.0, 0.1, 0.9, 0.0]])
    generator = np.random.default_rng(1)
    drawn = draw(log_probs, Sampling(temperature=temperature), generator)
    assert drawn.tolist() == [1, 2]

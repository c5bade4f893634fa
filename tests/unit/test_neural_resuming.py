"""What an optimizer and a schedule take up from a checkpoint, which may hold anything."""

from __future__ import annotations

import numpy as np
import pytest

from lmkit.registry import names, resolve


@pytest.mark.parametrize("name", names("optimizer"))
def test_what_an_optimizer_goes_on_from_is_looked_at(name: str) -> None:
    optimizer = resolve("optimizer", name)()
    optimizer.start(np.zeros(3))
    state = optimizer.state()
    optimizer.restore(state)
    for key, wrong in ((key, wrong) for key in state for wrong in (-4, 1.5, "4", [])):
        with pytest.raises(ValueError, match=f"optimizer.{key}"):
            optimizer.restore({**state, key: wrong})


def test_what_a_schedule_goes_on_from_is_looked_at() -> None:
    plateau = resolve("schedule", "plateau")()
    plateau.restore({"current": 0.5, "best": None})
    for wrong in (
        {"current": None, "best": 1.0},
        {"current": "1", "best": 1.0},
        {"current": 1.0, "best": []},
    ):
        with pytest.raises(ValueError, match=r"schedule\."):
            plateau.restore(wrong)

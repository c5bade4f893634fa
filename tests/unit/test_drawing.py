"""Drawing by backing off is drawing from the model's own distribution."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import lmkit
from lmkit.sampling import Sampling

DRAWS = 20_000


@pytest.mark.slow
@pytest.mark.parametrize("smoothing", ["witten-bell", "katz", "modified-kneser-ney"])
def test_tokens_that_a_context_does_not_list_are_as_frequent_as_they_are_likely(
    tmp_path: Path, smoothing: str
) -> None:
    # What "c" lists is nearly all of the lower order's mass, so that drawing from the lower order
    # until the token is not listed mostly runs out of patience.
    text = tmp_path / "text.txt"
    text.write_text("a b e a b e\n" * 50 + "c a\nc b\nc e\nc\nd\nd f\n")
    model = lmkit.train(text, order=2, smoothing=smoothing)
    state = model.advance(model.start(1), model.encoder.encode_prompt("c"))
    expected = np.exp(model.next_log_probs(state)[0])
    tokens = model.draw_next(
        state.select([0] * DRAWS), Sampling(), np.random.default_rng(1), unknown=True
    )
    found = np.bincount(tokens, minlength=len(expected)) / DRAWS
    assert found == pytest.approx(expected, abs=5 * np.sqrt(0.25 / DRAWS))
    rare = expected < 0.01
    assert found[rare].sum() == pytest.approx(
        expected[rare].sum(), abs=5 * np.sqrt(expected[rare].sum() / DRAWS) + 1e-9
    )


def test_a_string_has_the_lines_that_a_file_has(tmp_path: Path) -> None:
    text = "the cat\u2028sat\x0bon\r\nthe\x85 mat\n\nand\rslept"
    path = tmp_path / "text.txt"
    path.write_bytes(text.encode())
    model = lmkit.train(path, order=2)
    assert model.perplexity(text) == model.perplexity(path)
    assert model.perplexity(text).sentences == 5

"""What cannot be mixed is refused in one line that says what to try."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import lmkit
from lmkit.errors import LmkitError, TextError, UnsupportedError, UsageError
from lmkit.model import LanguageModel
from lmkit.ngram.model import NgramModel

from ..small_models import train
from .mixture_support import LINES, WORDS, first, held_out, second


@pytest.fixture
def valid(tmp_path: Path) -> Path:
    return held_out(tmp_path)


@pytest.fixture
def one() -> NgramModel:
    return first()


@pytest.fixture
def other() -> NgramModel:
    return second()


def refusal(error: type[LmkitError], *models: LanguageModel, valid: Path, **how: object) -> str:
    with pytest.raises(error) as found:
        lmkit.mix(list(models), valid=valid, **how)
    assert "\n" not in str(found.value)
    assert found.value.hint
    return str(found.value)


class TestRefusals:
    def test_other_units(self, one: NgramModel, valid: Path) -> None:
        characters = train(LINES, 2, "witten-bell", tokenizer="char")
        said = refusal(UnsupportedError, one, characters, valid=valid)
        assert "tokens of model 1 are words and those of model 2 characters" in said

    def test_scores_that_are_no_probabilities(self, one: NgramModel, valid: Path) -> None:
        stupid = train(LINES, 2, "stupid-backoff", words=WORDS)
        said = refusal(UnsupportedError, one, stupid, valid=valid)
        assert "model 2 gives scores, not probabilities" in said

    def test_too_few_models(self, one: NgramModel, valid: Path) -> None:
        said = refusal(UsageError, one, valid=valid)
        assert "one model alone is not a mixture" in said
        assert "--cache" in said
        assert "there is no model to mix" in refusal(UsageError, valid=valid)

    @pytest.mark.parametrize("text", ["", "\n\n"])
    def test_no_held_out_text(
        self, one: NgramModel, other: NgramModel, tmp_path: Path, text: str
    ) -> None:
        path = tmp_path / "empty.txt"
        path.write_text(text, encoding="utf-8")
        assert "text is empty" in refusal(TextError, one, other, valid=path)

    def test_a_model_of_whole_sentences_only(self, one: NgramModel, valid: Path) -> None:
        from lmkit.api import train_channel

        said = refusal(UnsupportedError, one, train_channel(one), valid=valid)
        assert "model 2 has no probabilities of single tokens" in said

    def test_no_such_kind(self, one: NgramModel, other: NgramModel, valid: Path) -> None:
        assert "no kind of mixture" in refusal(UsageError, one, other, valid=valid, kind="cubic")

    def test_a_product_of_what_is_impossible(self, one: NgramModel, valid: Path) -> None:
        certain = train(LINES, 3, "maximum-likelihood", words=WORDS)
        said = refusal(UnsupportedError, one, certain, valid=valid, kind="log-linear")
        assert "holds a token of the held-out text for impossible" in said
        mixture = lmkit.mix([one, certain], valid=valid)
        assert np.isfinite(mixture.perplexity(valid).perplexity)

    def test_text_is_no_food_for_a_mixture(self, tmp_path: Path) -> None:
        path = tmp_path / "text.txt"
        path.write_text("a b\n", encoding="utf-8")
        with pytest.raises(UnsupportedError, match=r"made of models.*lmkit mix"):
            lmkit.train(path, backend="mixture")

"""What is drawn from any model follows its distribution, and a seed draws it again."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lmkit.model import UNK, Batch, LanguageModel
from lmkit.sampling import Sampling

from .models import EACH_MODEL, MODELS, tolerance


@pytest.fixture(scope="module", params=EACH_MODEL)
def model(request: pytest.FixtureRequest) -> LanguageModel:
    return MODELS[request.param]()


def chi_square_limit(freedom: int) -> float:
    """What chi-square exceeds once in ten thousand times (Wilson and Hilferty 1931)."""
    part = 2 / (9 * freedom)
    return freedom * (1 - part + 3.719 * math.sqrt(part)) ** 3


def follows_the_distribution(model: LanguageModel, context: str, unknown: bool) -> None:
    """That tokens drawn after ``context`` are as frequent as they are likely."""
    draws = 2000
    state = model.start(1)
    for token in model.encoder.encode_prompt(context).tolist():
        state = model.advance(state, [token])
    probabilities = np.exp(model.next_log_probs(state)[0])
    if not unknown and probabilities.sum() > probabilities[UNK]:
        probabilities[UNK] = 0
    probabilities /= probabilities.sum()
    drawn = model.draw_next(
        state.select(np.zeros(draws, int)), Sampling(), np.random.default_rng(3), unknown
    )
    counts = np.bincount(drawn, minlength=len(probabilities))
    assert (counts[probabilities == 0] == 0).all()
    # Tokens too rare to be compared one by one are compared together.
    rare = probabilities * draws < 5
    expected = np.append(probabilities[~rare], probabilities[rare].sum()) * draws
    found = np.append(counts[~rare], counts[rare].sum())
    kept = expected > 0
    statistic = ((found - expected)[kept] ** 2 / expected[kept]).sum()
    assert statistic < chi_square_limit(max(int(kept.sum()) - 1, 1))


WAYS_TO_DRAW = {
    "by backing off": ["modified-kneser-ney interpolated 1", "modified-kneser-ney interpolated 5"],
    "by backing off, without mixing": ["katz backoff 3", "maximum-likelihood backoff 5"],
    "from the whole distribution": ["stupid-backoff constant 3", "lidstone floor 3"],
    "from the softmax": ["lstm words", "gru adaptive"],
    "of one part": ["mixture linear", "mixture reordered", "mixture network"],
    "of parts and a cache": ["mixture cache", "mixture by context", "mixture of mixtures"],
    "of a product": ["mixture log-linear", "mixture log-linear cache"],
}
DRAWN = [
    name if name in MODELS else f"ngram {name}" for ways in WAYS_TO_DRAW.values() for name in ways
]
"""Models for each way in which a token is drawn."""


class TestDrawing:
    def test_follows_the_distribution(self, model: LanguageModel) -> None:
        follows_the_distribution(model, "the cat", unknown=False)

    @pytest.mark.slow
    @pytest.mark.parametrize("context", ["", "the cat", "dog saw", "zebra dog"])
    @pytest.mark.parametrize("unknown", [True, False])
    @pytest.mark.parametrize("model", DRAWN, indirect=True)
    def test_follows_the_distribution_after_any_context(
        self, model: LanguageModel, context: str, unknown: bool
    ) -> None:
        follows_the_distribution(model, context, unknown)

    def test_greedy_takes_the_likeliest(self, model: LanguageModel) -> None:
        state = model.start(2)
        log_probs = model.next_log_probs(state)
        log_probs[:, UNK] = -np.inf
        drawn = model.draw_next(state, Sampling(greedy=True), np.random.default_rng(0))
        assert np.array_equal(drawn, log_probs.argmax(axis=1))

    def test_a_seed_gives_the_same_text_again(self, model: LanguageModel) -> None:
        for sampling in (Sampling(), Sampling(temperature=0.8, top_k=5), Sampling(top_p=0.7)):
            one = model.generate(8, seed=11, sampling=sampling, prompt="the")
            assert one == model.generate(8, seed=11, sampling=sampling, prompt="the")
        assert model.generate(8, seed=11) != model.generate(8, seed=12)

    def test_generated_text_costs_what_scoring_says(self, model: LanguageModel) -> None:
        for sentence in model.generate(6, seed=5, max_tokens=12):
            ids = np.array(sentence.ids, np.int32)
            log_probs, _ = model.score(Batch(ids, np.array([0, len(ids)])))
            assert log_probs.sum() == pytest.approx(
                sentence.log_probability, abs=10 * tolerance(model)
            )
            assert np.isfinite(sentence.log_probability)

    def test_an_unknown_word_comes_only_where_nothing_else_can(self, model: LanguageModel) -> None:
        for sentence in model.generate(20, seed=6, max_tokens=12):
            state = model.start(1)
            for token in sentence.ids:
                if token == UNK:
                    assert np.isfinite(model.next_log_probs(state)).sum() == 1
                state = model.advance(state, [token])

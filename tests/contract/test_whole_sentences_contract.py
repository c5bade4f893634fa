"""What a model keeps to that can only score whole sentences: every channel over several sources.
It says so where a next token is asked for; all else is as of any other model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import lmkit
from lmkit.channel.backend import NoisyChannelBackend
from lmkit.channel.model import NoisyChannelModel
from lmkit.errors import UnsupportedError
from lmkit.model import Batch, LanguageModel
from lmkit.registry import names
from lmkit.sampling import Sampling

from ..small_models import train
from .models import TEXT, TRIGRAM, UNSEEN, mixture, network

SOURCES: dict[str, Callable[[], LanguageModel]] = {
    "ngram": TRIGRAM,
    "lstm": network("lstm"),
    "mixture": mixture(TRIGRAM, network("gru")),
    "one word": lambda: train(["a", "a a"], 1, "witten-bell"),
}
LINES = [*TEXT, *UNSEEN, "teh cat satt onthe mat", "a c at", "ΑΒΓ <unk> 12 a@b.c"]


@pytest.fixture(scope="module", params=[(s, c) for s in SOURCES for c in names("channel")])
def model(request: pytest.FixtureRequest) -> NoisyChannelModel:
    source, channel = request.param
    return NoisyChannelBackend.train(source=SOURCES[source](), channel=channel)


def test_says_that_it_has_no_next_token(model: NoisyChannelModel) -> None:
    state = model.source.start(2)
    for call in (
        lambda: model.start(2),
        lambda: model.next_log_probs(state),
        lambda: model.advance(state, [3, 4]),
        lambda: model.log_probs_of(state, np.array([[3], [4]])),
        lambda: model.draw_next(state, Sampling(), np.random.default_rng(0)),
        lambda: model.score("the cat", state),
    ):
        with pytest.raises(UnsupportedError, match="can only score whole sentences") as refusal:
            call()
        assert refusal.value.hint


def test_scores_stand_at_the_ends_of_sentences(model: NoisyChannelModel) -> None:
    batch = model.batch(LINES)
    log_probs, state = model.score(batch)
    assert log_probs.shape == batch.ids.shape
    assert log_probs.dtype == np.float64
    assert len(state) == 1
    ends = batch.offsets[1:] - 1
    assert np.isfinite(log_probs).all()
    assert (log_probs[ends] < 0).all()
    assert np.delete(log_probs, ends).tolist() == [0.0] * (len(batch.ids) - len(ends))


def test_sentences_do_not_depend_on_their_neighbours(model: NoisyChannelModel) -> None:
    together = model.batch(LINES).sentence_sums(model.score(LINES)[0])
    alone = [model.score(line)[0].sum() for line in LINES]
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_nothing(model: NoisyChannelModel) -> None:
    log_probs, state = model.score(Batch(np.zeros(0, np.int32), np.zeros(1, np.int64)))
    assert (len(log_probs), len(state)) == (0, 1)


def test_perplexity_is_the_scores_summed_up(model: NoisyChannelModel, tmp_path: Path) -> None:
    log_probs, _ = model.score(LINES)
    figures = model.perplexity(LINES)
    assert (figures.sentences, figures.tokens) == (len(LINES), len(log_probs))
    assert figures.log_probability == pytest.approx(log_probs.sum(), abs=1e-3)
    assert figures.bits_per_character is not None
    path = tmp_path / "text.txt"
    path.write_text("".join(f"{line}\n" for line in LINES), encoding="utf-8")
    assert model.perplexity(path).as_dict() == pytest.approx(figures.as_dict(), rel=1e-4)


def test_a_loaded_model_is_the_saved_one(model: NoisyChannelModel, tmp_path: Path) -> None:
    model.save(tmp_path / "model.lm")
    loaded = lmkit.load(tmp_path / "model.lm")
    assert loaded.vocabulary.tokens[:] == model.vocabulary.tokens[:]
    assert (loaded.unit, loaded.normalised) == (model.unit, model.normalised)
    np.testing.assert_allclose(loaded.score(LINES)[0], model.score(LINES)[0], atol=1e-4)
    assert loaded.generate(5, seed=4) == model.generate(5, seed=4)
    loaded.save(tmp_path / "again.lm")
    again = lmkit.load(tmp_path / "again.lm")
    assert np.array_equal(again.score(LINES)[0], loaded.score(LINES)[0])


def test_a_seed_gives_the_same_text_again(model: NoisyChannelModel) -> None:
    for sampling in (Sampling(), Sampling(temperature=0.8, top_k=5)):
        one = model.generate(8, seed=11, sampling=sampling, prompt="the")
        assert one == model.generate(8, seed=11, sampling=sampling, prompt="the")
    for sentence in model.generate(20, seed=12, max_tokens=12):
        assert np.isfinite(sentence.log_probability)
        assert list(model.encoder.encode_prompt(sentence.text)) == [
            n for n in sentence.ids if n != 2
        ]

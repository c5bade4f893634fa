"""Mixtures of models: what they compute, how they are made, and what they refuse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import lmkit
from lmkit.errors import LmkitError, ModelFileError, UnsupportedError
from lmkit.evaluate.perplexity import perplexity_of
from lmkit.mixture.cache import CLASSES, usable
from lmkit.mixture.contexts import OWN_CLASS
from lmkit.mixture.model import MixtureModel
from lmkit.mixture.product import fit_powers
from lmkit.model import BOS, UNK, LanguageModel
from lmkit.ngram.model import NgramModel
from lmkit.sampling import Sampling
from lmkit.text.settings import TextSettings

from ..small_models import train
from .mixture_support import HELD_OUT, LINES, MORE, WORDS, first, held_out, second


@pytest.fixture
def valid(tmp_path: Path) -> Path:
    return held_out(tmp_path)


@pytest.fixture
def one() -> NgramModel:
    return first()


@pytest.fixture
def other() -> NgramModel:
    return second()


def probs(model: LanguageModel, text: str = "the cat") -> dict[str, float]:
    """p of every token after ``text``."""
    state = model.start(1)
    for token in model.encoder.encode_prompt(text):
        state = model.advance(state, [token])
    found = np.exp(model.next_log_probs(state)[0])
    return dict(zip(model.vocabulary.tokens, found.tolist(), strict=True))


def test_a_linear_mixture_is_the_weighted_sum(
    one: NgramModel, other: NgramModel, valid: Path
) -> None:
    mixture = lmkit.mix([one, other], valid=valid)
    first, second = mixture.blend.weights[0]
    assert first + second == pytest.approx(1)
    for text in ("", "the", "the cat", "zebra dog", "mat on"):
        mine, a, b = (probs(model, text) for model in (mixture, one, other))
        for token in one.vocabulary.tokens:
            assert mine[token] == pytest.approx(first * a[token] + second * b[token], abs=1e-12)


def test_the_weights_are_those_of_a_grid(one: NgramModel, other: NgramModel, valid: Path) -> None:
    mixture = lmkit.mix([one, other], valid=valid)
    a, b = (model.score(HELD_OUT * 3)[0] for model in (one, other))
    grid = np.linspace(0, 1, 2001)[1:-1]
    values = [np.logaddexp(np.log(x) + a, np.log1p(-x) + b).sum() for x in grid]
    assert mixture.blend.weights[0, 0] == pytest.approx(grid[int(np.argmax(values))], abs=1e-3)
    fit = mixture.describe()["fit"]["perplexity"]
    assert fit["model 1"] == pytest.approx(one.perplexity(valid).perplexity)
    assert fit["model 2"] == pytest.approx(other.perplexity(valid).perplexity)
    assert fit["mixture"] == pytest.approx(mixture.perplexity(valid).perplexity)
    assert fit["mixture"] <= min(fit["model 1"], fit["model 2"], fit["equal weights"]) + 1e-9


def test_a_log_linear_mixture_is_the_normalised_product(
    one: NgramModel, other: NgramModel, valid: Path
) -> None:
    mixture = lmkit.mix([one, other], valid=valid, kind="log-linear")
    first, second = mixture.blend.powers
    for text in ("", "the", "the cat", "zebra dog", "mat on"):
        mine, a, b = (probs(model, text) for model in (mixture, one, other))
        raw = {token: a[token] ** first * b[token] ** second for token in a if token != "<s>"}
        total = sum(raw.values())
        for token, value in raw.items():
            assert mine[token] == pytest.approx(value / total, rel=1e-9)
        assert mine["<s>"] == 0


@pytest.mark.slow
def test_no_powers_are_better_than_the_fitted_ones(
    one: NgramModel, other: NgramModel, valid: Path
) -> None:
    mixture = lmkit.mix([one, other], valid=valid, kind="log-linear")
    best = mixture.perplexity(valid).log_probability
    fitted = mixture.blend.powers
    assert (fitted >= 0).all()
    grid = [np.array([x, y]) for x in np.arange(0, 2, 0.1) for y in np.arange(0, 2, 0.1)]
    near = [fitted + np.array(step) for step in ((1e-2, 0), (0, -1e-2), (1e-2, -1e-2))]
    for powers in [*grid, *near]:
        if (powers < 0).any():
            continue
        other_blend = type(mixture.blend)("log-linear", mixture.blend.weights, powers=powers)
        tried = MixtureModel(mixture.components, mixture.members, other_blend, mixture.facts, [])
        assert tried.perplexity(valid).log_probability <= best + 1e-6


def test_powers_of_two_equal_models_share(one: NgramModel, valid: Path) -> None:
    mixture = lmkit.mix([one, one], valid=valid, kind="log-linear")
    single = fit_powers(mixture.members[:1], one.batch(HELD_OUT))
    both = fit_powers(mixture.members, one.batch(HELD_OUT))
    assert both.sum() == pytest.approx(single[0], abs=1e-3)


def test_weights_by_context_depend_on_the_last_token(tmp_path: Path) -> None:
    """One model knows what follows a, the other what follows b."""
    words = ["a", "b", "x", "y"]
    after_a = train(["a x"] * 20 + ["b x", "b y"] * 10, 2, "witten-bell", words=words)
    after_b = train(["b y"] * 20 + ["a x", "a y"] * 10, 2, "witten-bell", words=words)
    valid = tmp_path / "valid.txt"
    valid.write_text("a x\nb y\n" * 5 * OWN_CLASS, encoding="utf-8")
    mixture = lmkit.mix([after_a, after_b], valid=valid, kind="by-context")
    linear = lmkit.mix([after_a, after_b], valid=valid)
    weights = {
        token: mixture.blend.weights[mixture.blend.token_classes[after_a.vocabulary.id_of(token)]]
        for token in ("a", "b")
    }
    assert weights["a"][0] > 0.9
    assert weights["b"][1] > 0.9
    assert mixture.perplexity(valid).perplexity < linear.perplexity(valid).perplexity - 0.01
    token = after_a.vocabulary.id_of("a")
    state = mixture.advance(mixture.start(1), [token])
    parts = [np.exp(m.next_log_probs(m.advance(m.start(1), [token]))) for m in (after_a, after_b)]
    expected = weights["a"][0] * parts[0] + weights["a"][1] * parts[1]
    np.testing.assert_allclose(np.exp(mixture.next_log_probs(state)), expected, atol=1e-12)


def trusting(mixture: MixtureModel) -> MixtureModel:
    """``mixture`` with a third for each source, wherever it has something to say."""
    weights = np.column_stack((np.ones(CLASSES), usable()))
    weights /= weights.sum(axis=1, keepdims=True)
    mixture.blend = mixture.blend.with_weights(weights)
    return mixture


class TestCache:
    def test_words_that_were_used_get_likelier(self, one: NgramModel, valid: Path) -> None:
        cached = lmkit.mix([one], valid=valid, cache=True)
        running = cached.running()
        before = running.score("the dog")[0]
        running.score(["the dog"] * 20)
        assert running.score("the dog")[0].sum() > before.sum() + 0.5

    def test_it_is_carried_over_lines_and_batches(self, one: NgramModel, valid: Path) -> None:
        cached = trusting(lmkit.mix([one], valid=valid, cache=True, cache_size=7, cache_decay=0.9))
        lines = LINES + MORE + HELD_OUT
        whole = cached.running().score(lines)[0]
        running = cached.running()
        parts = [running.score(line)[0] for line in lines]
        np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-10)
        alone = cached.score(lines)[0]
        assert not np.allclose(alone, whole)
        np.testing.assert_allclose(alone[: len(parts[0])], parts[0])

    def test_a_running_text_is_its_steps(self, one: NgramModel, valid: Path) -> None:
        """Each token's probability is that of a distribution that sums to one, whatever stands
        before it in earlier sentences."""
        cached = trusting(lmkit.mix([one], valid=valid, cache=True, cache_size=9, cache_decay=0.8))
        batch = one.batch(LINES + HELD_OUT)
        log_probs = cached.running().score(batch)[0]
        cache, size = cached.blend.cache, len(one.vocabulary)
        history = np.zeros((1, 0), np.int32)
        state = one.start(1)
        for place, token in enumerate(batch.ids.tolist()):
            found, classes = cache.next_probs(history, size)
            weights = cached.blend.weights[classes[0]]
            model = np.exp(one.next_log_probs(state))[0]
            total = weights[0] * model + weights[1] * found[0, 0] + weights[2] * found[0, 1]
            assert total.sum() == pytest.approx(1, abs=1e-7)
            assert np.log(total[token]) == pytest.approx(log_probs[place], abs=1e-9)
            state = one.advance(state, [token])
            history = cache.extended(history, [token])

    def test_perplexity_of_a_running_text(self, one: NgramModel, valid: Path) -> None:
        cached = lmkit.mix([one], valid=valid, cache=True)
        carried, _ = perplexity_of(cached, valid)
        by_line, _ = perplexity_of(cached, valid, state="line")
        assert carried.perplexity == pytest.approx(
            cached.describe()["fit"]["perplexity"]["mixture"]
        )
        assert carried.perplexity < by_line.perplexity
        plain = lmkit.mix([one, train(MORE, 2, "katz", words=WORDS)], valid=valid)
        with pytest.raises(UnsupportedError, match="carries no state"):
            perplexity_of(plain, valid, state="carry")

    def test_a_running_text_with_the_tokens_in_another_order(
        self, one: NgramModel, other: NgramModel, valid: Path
    ) -> None:
        straight = train(MORE, 2, "katz", words=WORDS)
        lines = LINES + HELD_OUT
        for kind in ("linear", "by-context", "log-linear"):
            found, expected = (
                lmkit.mix([one, model], valid=valid, cache=True, kind=kind)
                .running()
                .score(lines)[0]
                for model in (other, straight)
            )
            np.testing.assert_allclose(found, expected, atol=1e-8)

    def test_what_is_given_is_not_tuned(self, one: NgramModel, valid: Path) -> None:
        for size, decay in ((3, None), (None, 0.5), (4, 0.75)):
            cache = lmkit.mix(
                [one], valid=valid, cache=True, cache_size=size, cache_decay=decay
            ).blend.cache
            assert size in (None, cache.size)
            assert decay in (None, cache.decay)

    def test_tuning_finds_where_words_come_back(self, tmp_path: Path) -> None:
        """In one text a word is used again at once, in another long after."""
        generator = np.random.default_rng(0)
        words = [f"w{n}" for n in range(100)]
        flat = train([" ".join(words)], 1, "laplace", words=words)
        soon = [w for w in generator.choice(words, 400) for _ in range(5)]
        recently = tmp_path / "soon.txt"
        recently.write_text(" ".join(soon) + "\n", encoding="utf-8")
        block = list(generator.choice(words, 400))
        late = tmp_path / "late.txt"
        late.write_text(" ".join(block * 5) + "\n", encoding="utf-8")
        short = lmkit.mix([flat], valid=recently, cache=True).blend.cache
        long = lmkit.mix([flat], valid=late, cache=True).blend.cache
        assert short.decay < 0.99 <= long.decay

    def test_the_end_of_a_sentence_empties_it(self, one: NgramModel, valid: Path) -> None:
        cached = lmkit.mix([one], valid=valid, cache=True)
        for text in cached.generate(5, seed=3, sampling=Sampling(temperature=0.7)):
            assert np.isfinite(text.log_probability)


class TestDrawing:
    def test_an_unknown_word_is_left_out_of_the_draw_by_model(self, tmp_path: Path) -> None:
        """Models that differ in how much they give to <unk>: the rest is drawn in proportion."""
        words = ["a", "b"]
        one = train(["a a a", "z z z z"], 1, "witten-bell", words=words)
        other = train(["b b b"], 1, "witten-bell", words=words)
        valid = tmp_path / "valid.txt"
        valid.write_text("a b\nz b a\n", encoding="utf-8")
        mixture = lmkit.mix([one, other], valid=valid)
        expected = np.exp(mixture.next_log_probs(mixture.start(1))[0])
        expected[UNK] = 0
        expected /= expected.sum()
        generator = np.random.default_rng(0)
        drawn = mixture.draw_next(mixture.start(20_000), Sampling(), generator)
        counts = np.bincount(drawn, minlength=len(expected)) / 20_000
        assert counts[BOS] == 0
        np.testing.assert_allclose(counts, expected, atol=0.015)


class TestFiles:
    def test_parts_by_path(
        self, one: NgramModel, other: NgramModel, valid: Path, tmp_path: Path
    ) -> None:
        one.save(tmp_path / "one.lm")
        other.save(tmp_path / "other.lm")
        parts = [tmp_path / "one.lm", tmp_path / "other.lm"]
        mixture = lmkit.mix(parts, valid=valid, output=tmp_path / "mix.lm")
        expected = mixture.score(LINES)[0]
        assert np.array_equal(lmkit.load(tmp_path / "mix.lm").score(LINES)[0], expected)
        assert lmkit.load(tmp_path / "mix.lm").describe()["models"][0] == {
            "model": str(parts[0]),
            "backend": "ngram",
        }
        lmkit.mix(parts, valid=valid, output=tmp_path / "carrying.lm", embed=True)
        (tmp_path / "other.lm").unlink()
        with pytest.raises(ModelFileError, match=r"other.lm, which is not there.*--embed"):
            lmkit.load(tmp_path / "mix.lm")
        assert np.array_equal(lmkit.load(tmp_path / "carrying.lm").score(LINES)[0], expected)
        train(LINES, 1, "katz", words=WORDS).save(tmp_path / "other.lm")
        with pytest.raises(ModelFileError, match=r"other.lm has changed since .*mix.lm was made"):
            lmkit.load(tmp_path / "mix.lm")

    def test_a_loaded_mixture_saved_elsewhere_finds_its_parts(
        self, one: NgramModel, other: NgramModel, valid: Path, tmp_path: Path
    ) -> None:
        one.save(tmp_path / "one.lm")
        lmkit.mix([tmp_path / "one.lm", other], valid=valid, output=tmp_path / "mix.lm")
        (tmp_path / "below").mkdir()
        lmkit.load(tmp_path / "mix.lm").save(tmp_path / "below" / "again.lm")
        again = lmkit.load(tmp_path / "below" / "again.lm")
        expected = lmkit.load(tmp_path / "mix.lm").score(LINES)[0]
        assert np.array_equal(again.score(LINES)[0], expected)

    def test_in_the_place_of_a_part(
        self, one: NgramModel, other: NgramModel, valid: Path, tmp_path: Path
    ) -> None:
        path = tmp_path / "one.lm"
        one.save(path)
        with pytest.raises(LmkitError, match=r"output .*one.lm would write over models"):
            lmkit.mix([path, other], valid=valid, output=path)
        assert lmkit.load(path).backend == "ngram"
        mixture = lmkit.mix([path, other], valid=valid, output=path, embed=True)
        loaded = lmkit.load(path)
        assert loaded.backend == "mixture"
        assert np.array_equal(loaded.score(LINES)[0], mixture.score(LINES)[0])
        loaded.save(path)
        assert np.array_equal(lmkit.load(path).score(LINES)[0], mixture.score(LINES)[0])

    def test_one_model_twice(self, one: NgramModel, valid: Path, tmp_path: Path) -> None:
        path = tmp_path / "one.lm"
        one.save(path)
        mixture = lmkit.mix([path, path], valid=valid)
        assert len(mixture.describe()["weights"]) == 2
        np.testing.assert_allclose(mixture.score(LINES)[0], one.score(LINES)[0], atol=1e-12)

    def test_a_damaged_mixture(self, one: NgramModel, valid: Path, tmp_path: Path) -> None:
        import sqlite3

        lmkit.mix([one], valid=valid, cache=True, output=tmp_path / "mix.lm")
        with sqlite3.connect(tmp_path / "mix.lm") as connection:
            connection.execute("DELETE FROM meta WHERE key = 'names'")
        with pytest.raises(ModelFileError, match="damaged"):
            lmkit.load(tmp_path / "mix.lm")


class TestMerging:
    def test_a_merged_mixture(
        self, one: NgramModel, other: NgramModel, valid: Path, tmp_path: Path
    ) -> None:
        mixture = lmkit.mix([one, other], valid=valid)
        merged = lmkit.merge(mixture, valid=valid, output=tmp_path / "merged.lm")
        assert isinstance(lmkit.load(tmp_path / "merged.lm"), NgramModel)
        (note,) = merged.describe()["notes"]
        assert f"{merged.perplexity(valid).perplexity:.4f}" in note
        assert f"{mixture.perplexity(valid).perplexity:.4f}" in note
        # Bigrams that both know are exact, with <s> before them too.
        for text in ("the cat", "the dog"):
            theirs, mine = mixture.score(text)[0], merged.score(text)[0]
            np.testing.assert_allclose(mine[:2], theirs[:2], atol=1e-5)

    def test_exporting_a_mixture_merges_it(
        self, one: NgramModel, other: NgramModel, valid: Path, tmp_path: Path
    ) -> None:
        mixture = lmkit.mix([one, other], valid=valid)
        lmkit.export_model(mixture, tmp_path / "mix.arpa")
        imported = lmkit.import_model(tmp_path / "mix.arpa")
        merged = lmkit.merge(mixture)
        np.testing.assert_allclose(imported.score(LINES)[0], merged.score(LINES)[0], atol=1e-5)

    def test_arpa_files_are_mixed_and_merged(
        self, one: NgramModel, other: NgramModel, valid: Path, tmp_path: Path
    ) -> None:
        parts = []
        for name, model in (("one", one), ("other", other)):
            lmkit.export_model(model, tmp_path / f"{name}.arpa")
            parts.append(lmkit.import_model(tmp_path / f"{name}.arpa"))
        mixture = lmkit.mix(parts, valid=valid)
        expected = lmkit.mix([one, other], valid=valid)
        np.testing.assert_allclose(mixture.blend.weights, expected.blend.weights, atol=1e-4)
        lmkit.merge(mixture, output=tmp_path / "merged.lm")
        lmkit.export_model(tmp_path / "merged.lm", tmp_path / "merged.arpa")

    def test_what_cannot_be_merged(self, one: NgramModel, other: NgramModel, valid: Path) -> None:
        with pytest.raises(UnsupportedError, match="there is nothing to merge"):
            lmkit.merge(one)
        with pytest.raises(UnsupportedError, match="it has a cache"):
            lmkit.merge(lmkit.mix([one, other], valid=valid, cache=True))
        with pytest.raises(UnsupportedError, match="this one is by-context"):
            lmkit.merge(lmkit.mix([one, other], valid=valid, kind="by-context"))
        nested = lmkit.mix([lmkit.mix([one, other], valid=valid), one], valid=valid)
        with pytest.raises(UnsupportedError, match="backend 'mixture'"):
            lmkit.merge(nested)
        laplace = train(LINES, 2, "laplace", words=WORDS)
        with pytest.raises(UnsupportedError, match="laplace smoothing does not back off"):
            lmkit.merge(lmkit.mix([one, laplace], valid=valid))


def test_models_that_read_text_otherwise_are_noted(one: NgramModel, valid: Path) -> None:
    settings = TextSettings(tokenizer="whitespace", lowercase=True)
    path = valid.parent / "train.txt"
    path.write_text("".join(f"{line}\n" for line in LINES), encoding="utf-8")
    lowered = lmkit.train(path, settings=settings, order=2, vocabulary=WORDS)
    mixture = lmkit.mix([one, lowered], valid=valid)
    assert mixture.describe()["notes"] == [
        "model 2 was trained on text that was read otherwise; it is read as for model 1"
    ]


def test_scoring_costs_what_the_parts_cost(one: NgramModel, other: NgramModel, valid: Path) -> None:
    """Each part is asked once for a batch, whatever is mixed in."""
    calls: list[int] = []
    mixture = lmkit.mix([one, other], valid=valid, cache=True, kind="by-context")
    for member in mixture.members:
        score = member.model.score
        member.model.score = lambda *a, score=score: (calls.append(1), score(*a))[1]
    mixture.score(LINES * 10)
    assert len(calls) == 2

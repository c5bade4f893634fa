"""What every model keeps to, whatever its backend: the methods of `LanguageModel` say the same
thing in different ways, files give back what was saved, and a seed gives the same text again."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lmkit
from lmkit.errors import UnsupportedError
from lmkit.integrations.kenlm import walk_through
from lmkit.mixture.model import MixtureModel
from lmkit.model import BOS, EOS, UNK, Batch, LanguageModel
from lmkit.registry import names, resolve
from lmkit.sampling import Sampling
from lmkit.text.settings import TextSettings

from ..small_models import train

TEXT = [
    "the cat sat on the mat",
    "the dog sat on the log",
    "",
    "a cat and a dog",
    "the cat saw the dog on the mat",
    "a dog saw <unk> on the log",
]
UNSEEN = ["the bird sat on a log", "mat the", "", "dog"]


def ngram(smoothing: str, form: str, order: int) -> Callable[[], LanguageModel]:
    return lambda: train(TEXT, order, smoothing, form=form)


def network(
    backend: str, tokenizer: str = "whitespace", **options: object
) -> Callable[[], LanguageModel]:
    settings = TextSettings(tokenizer=tokenizer)

    def build() -> LanguageModel:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "text.txt"
            path.write_text("".join(f"{line}\n" for line in TEXT * 3), encoding="utf-8")
            shape = {"hidden": 12, "epochs": 2, "bptt": 8, "workers": 1, **options}
            return lmkit.train(path, backend=backend, settings=settings, **shape)

    return build


def mixture(*parts: Callable[[], LanguageModel], **how: Any) -> Callable[[], LanguageModel]:
    def build() -> LanguageModel:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "valid.txt"
            path.write_text("".join(f"{line}\n" for line in UNSEEN + TEXT[2:]), encoding="utf-8")
            return lmkit.mix([part() for part in parts], valid=path, **how)

    return build


def reordered() -> LanguageModel:
    """A model of the same words, in another order."""
    words = sorted({word for line in TEXT for word in line.split()} - {"<unk>"})
    return train(TEXT[:3], 2, "witten-bell", words=words)


def other_words() -> LanguageModel:
    """A model that lacks some of the words, and has some of its own."""
    return train(["the bird sat on a log", "a bird and <unk> bird", "the log"], 3, "witten-bell")


def streamed(smoothing: str, order: int, **how: Any) -> LanguageModel:
    """N-grams of a text as one stream."""
    settings = TextSettings(tokenizer="whitespace", sentence_marks=False)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "text.txt"
        path.write_text("".join(f"{line}\n" for line in TEXT * 2), encoding="utf-8")
        return lmkit.train(path, settings=settings, order=order, smoothing=smoothing, **how)


def classes(definitions: str) -> LanguageModel:
    """N-grams of two classes and of words, as from a file of SRILM's."""
    lines = [
        "the C1 sat on the C2", "a C1 and C2", "C1 saw C1", "", "C2 <unk> a mat", "the C1 sat"
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        lmkit.export_model(train(lines, 3, "witten-bell"), Path(folder) / "classes.arpa")
        file = Path(folder) / "definitions"
        file.write_text(definitions, encoding="utf-8")
        return lmkit.import_model(Path(folder) / "classes.arpa", classes=file)


MODELS: dict[str, Callable[[], LanguageModel]] = {
    f"ngram {smoothing} {form} {order}": ngram(smoothing, form, order)
    for smoothing in names("smoothing")
    for form in resolve("smoothing", smoothing).forms
    for order in (1, 2, 3, 5)
}
MODELS["ngram cut"] = lambda: train(TEXT, 4, "modified-kneser-ney", prune=[0, 1])
MODELS["ngram characters"] = lambda: train(TEXT, 4, "witten-bell", tokenizer="char")
for backend in ("rnn", "gru", "lstm"):
    MODELS[f"{backend} words"] = network(backend)
MODELS["lstm characters"] = network("lstm", tokenizer="char", layers=2)
MODELS["gru adaptive"] = network("gru", softmax="adaptive")
TRIGRAM, PAIRS = ngram("modified-kneser-ney", "interpolated", 3), ngram("katz", "backoff", 2)
MODELS["mixture linear"] = mixture(TRIGRAM, PAIRS)
MODELS["mixture reordered"] = mixture(TRIGRAM, reordered, PAIRS)
MODELS["mixture by context"] = mixture(TRIGRAM, reordered, kind="by-context")
MODELS["mixture log-linear"] = mixture(TRIGRAM, reordered, kind="log-linear")
MODELS["mixture cache"] = mixture(TRIGRAM, cache=True, cache_size=5, cache_decay=0.9)
MODELS["mixture cache by context"] = mixture(TRIGRAM, PAIRS, kind="by-context", cache=True)
MODELS["mixture log-linear cache"] = mixture(TRIGRAM, reordered, kind="log-linear", cache=True)
MODELS["mixture network"] = mixture(TRIGRAM, network("lstm"), kind="by-context", cache=True)
MODELS["mixture of other words"] = mixture(TRIGRAM, other_words)
MODELS["mixture of other words by context"] = mixture(other_words, TRIGRAM, kind="by-context")
MODELS["mixture of other words log-linear"] = mixture(other_words, TRIGRAM, kind="log-linear")
MODELS["mixture of other words of three, cache"] = mixture(
    TRIGRAM, other_words, network("lstm"), cache=True
)
MODELS["mixture of other words and a network"] = mixture(other_words, network("lstm"))
MODELS["mixture of mixtures"] = mixture(mixture(TRIGRAM, PAIRS), reordered)
MODELS["ngram without marks"] = lambda: streamed("witten-bell", 3)
MODELS["ngram closed without marks"] = lambda: streamed(
    "modified-kneser-ney", 4, closed_vocabulary=True
)
MODELS["class"] = lambda: classes("C1 cat\nC1 dog\nC2 0.75 mat\nC2 0.25 log\n")
MODELS["class ambiguous"] = lambda: classes(
    "C1 0.5 cat\nC1 0.5 dog\nC2 0.5 mat\nC2 0.25 log\nC2 0.25 dog\nC1 0 on\nC2 0.1 sat\n"
)
MODELS["mixture with classes"] = mixture(
    lambda: classes("C1 cat\nC1 dog\nC2 cat\nC2 bird\n"), TRIGRAM
)
"""A few models of each backend, by names that begin with the backend's."""
SECOND_LOOK = (
    *(" 2", " 5", "words by context", "words log-linear", "of three, cache"),
    *("closed without marks", "with classes", "class"),
)
EACH_MODEL = [
    pytest.param(name, marks=pytest.mark.slow if name.endswith(SECOND_LOOK) else ())
    for name in MODELS
]
"""Their names; what orders 1 and 3 of the n-grams say is enough for a quick look."""


def tolerance(model: LanguageModel) -> float:
    """How far two ways to the same log-probability may lie apart: networks compute in float32,
    and a product of matrices rounds otherwise when it has other columns."""
    if isinstance(model, MixtureModel):
        return max(1e-10, *(tolerance(member.model) for member in model.members))
    return 1e-12 if model.backend == "ngram" else 1e-4


@pytest.fixture(scope="module", params=EACH_MODEL)
def model(request: pytest.FixtureRequest) -> LanguageModel:
    return MODELS[request.param]()


def test_every_registered_backend_is_here() -> None:
    assert {name.split()[0] for name in MODELS} | {"noisy-channel"} == set(names("backend"))


def stepwise(model: LanguageModel, ids: np.ndarray, state: object) -> tuple[np.ndarray, np.ndarray]:
    """log p of the tokens of one sentence by `log_probs_of` and by `next_log_probs`."""
    asked, looked_up = [], []
    for token in ids.tolist():
        asked.append(model.log_probs_of(state, np.array([[token]]))[0, 0])
        looked_up.append(model.next_log_probs(state)[0, token])
        state = model.advance(state, [token])
    return np.array(asked), np.array(looked_up)


def sentences(batch: Batch) -> list[np.ndarray]:
    return [batch.ids[a:b] for a, b in zip(batch.offsets[:-1], batch.offsets[1:], strict=True)]


def same(model: LanguageModel, one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two ways gave the same: exactly, but for networks."""
    if model.backend == "ngram":
        return np.array_equal(one, other)
    return one.shape == other.shape and np.allclose(one, other, rtol=0, atol=tolerance(model))


class TestScore:
    def test_is_the_steps_one_after_the_other(self, model: LanguageModel) -> None:
        batch = model.batch(TEXT + UNSEEN)
        log_probs, _ = model.score(batch)
        assert log_probs.shape == batch.ids.shape
        assert log_probs.dtype == np.float64
        steps = [stepwise(model, ids, model.start(1)) for ids in sentences(batch)]
        asked, looked_up = (np.concatenate(parts) for parts in zip(*steps, strict=True))
        np.testing.assert_allclose(log_probs, asked, rtol=0, atol=tolerance(model))
        np.testing.assert_allclose(log_probs, looked_up, rtol=0, atol=tolerance(model))

    def test_sentences_do_not_depend_on_their_neighbours(self, model: LanguageModel) -> None:
        lines = TEXT + UNSEEN
        together, _ = model.score(lines)
        alone = [model.score(line)[0] for line in lines]
        assert same(model, together, np.concatenate(alone))

    def test_goes_on_from_a_state(self, model: LanguageModel) -> None:
        """A sentence cut anywhere, its second part scored from the state after the first."""
        for line in TEXT + UNSEEN:
            batch = model.batch(line)
            whole, _ = model.score(batch)
            for cut in range(len(batch.ids)):
                first = Batch(batch.ids[:cut], np.array([0, cut]))
                second = Batch(batch.ids[cut:], np.array([0, len(batch.ids) - cut]))
                if cut:
                    before, state = model.score(first)
                else:
                    before, state = np.zeros(0), model.start(1)
                after, _ = model.score(second, state)
                np.testing.assert_allclose(
                    np.concatenate((before, after)), whole, atol=tolerance(model)
                )

    def test_only_the_first_sentence_goes_on(self, model: LanguageModel) -> None:
        state = model.start(1)
        for token in model.encoder.encode_prompt("the cat").tolist():
            state = model.advance(state, [token])
        log_probs, _ = model.score(["sat on", "the cat"], state)
        first, _ = model.score("sat on", state)
        second, _ = model.score("the cat")
        np.testing.assert_allclose(
            log_probs, np.concatenate((first, second)), atol=tolerance(model)
        )

    def test_ends_in_the_state_after_the_last_token(self, model: LanguageModel) -> None:
        prompt = model.encoder.encode_prompt("the dog sat on")
        _, scored = model.score(Batch(prompt, np.array([0, len(prompt)])))
        stepped = model.start(1)
        for token in prompt.tolist():
            stepped = model.advance(stepped, [token])
        assert same(model, model.next_log_probs(scored), model.next_log_probs(stepped))
        if not model.encoder.settings.sentence_marks:
            return
        _, scored = model.score("the dog")
        assert same(model, model.next_log_probs(scored), model.next_log_probs(model.start(1)))

    def test_nothing(self, model: LanguageModel) -> None:
        log_probs, state = model.score(Batch(np.zeros(0, np.int32), np.zeros(1, np.int64)))
        assert len(log_probs) == 0
        assert len(state) == 1


class TestSteps:
    def states(self, model: LanguageModel) -> object:
        """Several streams at different places: the beginning, seen, unseen, unknown words."""
        state = model.start(6)
        ids = model.encoder.encode_prompt("the cat sat dog mat and")
        table = np.array([np.roll(ids, k)[:4] for k in range(6)])
        table[4, 2] = UNK
        for column in table.T:
            state = model.advance(state, column)
        return state

    def test_distributions_sum_to_one(self, model: LanguageModel) -> None:
        log_probs = model.next_log_probs(self.states(model))
        assert log_probs.shape == (6, len(model.vocabulary))
        assert (log_probs[:, BOS] == -np.inf).all()
        if model.normalised:
            np.testing.assert_allclose(np.exp(log_probs).sum(axis=1), 1, atol=1e-6)

    def test_asking_for_some_tokens_is_looking_them_up(self, model: LanguageModel) -> None:
        state = self.states(model)
        tokens = np.random.default_rng(0).integers(0, len(model.vocabulary), (6, 7))
        expected = np.take_along_axis(model.next_log_probs(self.states(model)), tokens, axis=1)
        np.testing.assert_allclose(
            model.log_probs_of(state, tokens), expected, atol=tolerance(model)
        )

    def test_streams_do_not_depend_on_each_other(self, model: LanguageModel) -> None:
        state = self.states(model)
        together = model.next_log_probs(state)
        for row in range(6):
            alone = model.next_log_probs(state.select([row]))
            assert np.array_equal(alone[0], together[row])

    def test_selecting_keeps_copies_and_reorders(self, model: LanguageModel) -> None:
        state = self.states(model)
        rows = [5, 0, 0, 3]
        chosen = state.select(rows)
        assert len(chosen) == 4
        together = model.next_log_probs(state)
        assert same(model, model.next_log_probs(chosen), together[rows])
        tokens = np.array([EOS, 3, 4, UNK])
        moved = model.next_log_probs(model.advance(chosen, tokens))
        for place, row in enumerate(rows):
            one = model.advance(state.select([row]), tokens[place : place + 1])
            assert same(model, model.next_log_probs(one)[0], moved[place])

    def test_equal_keys_mean_equal_futures(self, model: LanguageModel) -> None:
        """Two histories that end alike, further back than the model sees, are one."""
        if model.context_length is None or model.start(1).keys() is None:
            pytest.skip("no two histories of this model ever become one")
        ids = model.encoder.encode_prompt("cat sat on the mat and the dog saw a dog").tolist()
        tail = ids[: model.context_length]
        one, other = model.start(1), model.start(1)
        for token in (ids[-1], ids[-2], *tail):
            one = model.advance(one, [token])
        for token in (ids[-3], ids[-3], ids[-1], *tail):
            other = model.advance(other, [token])
        assert np.array_equal(one.keys(), other.keys())
        assert np.array_equal(model.next_log_probs(one), model.next_log_probs(other))

    def test_after_the_end_a_sentence_begins(self, model: LanguageModel) -> None:
        ended = model.advance(self.states(model), np.full(6, EOS))
        assert same(model, model.next_log_probs(ended), model.next_log_probs(model.start(6)))

    def test_stepping_leaves_the_state_alone(self, model: LanguageModel) -> None:
        state = self.states(model)
        before = model.next_log_probs(state)
        model.advance(state, np.full(6, 3))
        model.draw_next(state, Sampling(), np.random.default_rng(0))
        before_again = model.next_log_probs(state)
        assert np.array_equal(before, before_again)


class TestFiles:
    def test_a_loaded_model_is_the_saved_one(self, model: LanguageModel, tmp_path: Path) -> None:
        path = tmp_path / "model.lm"
        model.save(path)
        loaded = lmkit.load(path)
        assert loaded.vocabulary.tokens[:] == model.vocabulary.tokens[:]
        assert loaded.unit == model.unit
        assert loaded.normalised == model.normalised
        assert loaded.context_length == model.context_length
        assert loaded.describe() == model.describe()
        lines = TEXT + UNSEEN
        assert np.array_equal(loaded.score(lines)[0], model.score(lines)[0])
        states = [m.advance(m.start(3), [3, 4, UNK]) for m in (loaded, model)]
        one, other = loaded.next_log_probs(states[0]), model.next_log_probs(states[1])
        assert np.array_equal(one, other)
        assert loaded.generate(5, seed=4) == model.generate(5, seed=4)

    def test_a_saved_copy_of_a_loaded_model_is_the_same(
        self, model: LanguageModel, tmp_path: Path
    ) -> None:
        model.save(tmp_path / "one.lm")
        lmkit.load(tmp_path / "one.lm").save(tmp_path / "two.lm")
        lines = TEXT + UNSEEN
        again = lmkit.load(tmp_path / "two.lm")
        assert np.array_equal(again.score(lines)[0], model.score(lines)[0])


class TestPerplexity:
    def test_is_the_scores_summed_up(self, model: LanguageModel) -> None:
        if not model.normalised:
            with pytest.raises(UnsupportedError) as refusal:
                model.perplexity(TEXT)
            assert refusal.value.hint
            return
        lines = TEXT + UNSEEN
        log_probs, _ = model.score(lines)
        figures = model.perplexity(lines)
        assert figures.tokens == len(log_probs)
        assert figures.sentences == len(lines) * model.encoder.settings.sentence_marks
        assert figures.log_probability == pytest.approx(log_probs.sum())

    def test_of_a_file_and_of_its_lines(self, model: LanguageModel, tmp_path: Path) -> None:
        if not model.normalised:
            pytest.skip("its scores are no probabilities")
        path = tmp_path / "text.txt"
        path.write_text("".join(f"{line}\n" for line in TEXT), encoding="utf-8")
        one, other = model.perplexity(path), model.perplexity(TEXT)
        assert one.as_dict() == pytest.approx(other.as_dict())


class TestOneWordAtATime:
    """A walk (`lmkit.integrations.walking`), which KenLM's interface goes through a model with."""

    def test_words_score_as_in_their_sentence(self, model: LanguageModel) -> None:
        walk = walk_through(model)
        tokens = model.vocabulary.tokens
        for line in TEXT + UNSEEN:
            batch = model.batch(line)
            words = [tokens[number] for number in batch.ids]
            expected = model.score(batch)[0] / np.log(10)
            place, scores, lengths = walk.start, [], []
            for word in words:
                score, place, length, unknown = walk.step(place, word)
                assert unknown == (word == "<unk>")
                scores.append(score)
                lengths.append(length)
            np.testing.assert_allclose(scores, expected, rtol=1e-12, atol=tolerance(model))
            total = walk.total(words[:-1], bos=True, eos=True)
            assert total == pytest.approx(expected.sum(), abs=10 * tolerance(model))
            if model.backend == "ngram":
                assert lengths == model.matched_orders(batch).tolist()

    def test_without_any_context(self, model: LanguageModel) -> None:
        walk = walk_through(model)
        if model.backend != "ngram":
            pytest.skip("no empty state to compare with")
        for line in TEXT + UNSEEN:
            ids = model.batch(line).ids[:-1]
            words = [model.vocabulary.tokens[number] for number in ids]
            asked, _ = stepwise(model, ids, model.empty(1))
            total = walk.total(words, bos=False, eos=False)
            assert total == pytest.approx(asked.sum() / np.log(10), rel=1e-9, abs=1e-9)

    def test_places_are_equal_after_the_same_words(self, model: LanguageModel) -> None:
        one, other = walk_through(model), walk_through(model)
        tokens = model.vocabulary.tokens
        for line in TEXT:
            words = [tokens[number] for number in model.batch(line).ids]
            here, there = one.start, other.start
            for word in words:
                here, there = one.step(here, word)[1], other.step(there, word)[1]
                one.forget()
                assert here == there
                assert hash(here) == hash(there)


class TestNgrams:
    """What n-gram models offer beside the common methods."""

    @pytest.fixture(autouse=True)
    def _only_ngrams(self, model: LanguageModel) -> None:
        if model.backend != "ngram":
            pytest.skip("no n-gram model")

    def test_matched_orders(self, model: LanguageModel) -> None:
        """The longest n-gram that stands in the training text, as searching for it says."""
        if model.facts["pruned"]:
            pytest.skip("it has lost n-grams")
        seen = set()
        for ids in sentences(model.batch(TEXT)):
            tokens = [BOS, *ids.tolist()]
            for end in range(2, len(tokens) + 1):
                for start in range(end):
                    seen.add(tuple(tokens[start:end]))
        batch = model.batch(TEXT + UNSEEN)
        log_probs, matched = model.score_with_orders(batch)
        assert log_probs.tolist() == model.score(batch)[0].tolist()
        assert model.matched_orders(batch).tolist() == matched.tolist()
        expected = []
        for ids in sentences(batch):
            tokens = [BOS, *ids.tolist()]
            for end in range(2, len(tokens) + 1):
                lengths = range(1, min(model.order, end) + 1)
                expected.append(
                    max((n for n in lengths if tuple(tokens[end - n : end]) in seen), default=1)
                )
        assert matched.tolist() == expected

    def test_without_any_history(self, model: LanguageModel) -> None:
        """From the empty state scoring and stepping say the same too."""
        batch = model.batch("cat sat on the mat")
        log_probs, _ = model.score(batch, model.empty(1))
        asked, looked_up = stepwise(model, batch.ids, model.empty(1))
        np.testing.assert_allclose(log_probs, asked, rtol=0, atol=tolerance(model))
        np.testing.assert_allclose(log_probs, looked_up, rtol=0, atol=tolerance(model))

"""Neural models behind the one interface: scoring, state, files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lmkit
from lmkit.errors import LmkitError, ModelFileError, UnsupportedError, UsageError
from lmkit.model import BOS, EOS
from lmkit.neural.networks.language import Stretch
from lmkit.neural.parameters import Parameters
from lmkit.neural.training.batches import Sentences, Streams, all_ids
from lmkit.neural.use.model import NeuralModel
from lmkit.neural.use.scoring import Scorer
from lmkit.registry import names
from lmkit.text.settings import TextSettings

from ..fuzz.sealing import change

QUICK = {"hidden": 16, "epochs": 1, "batch_size": 8, "bptt": 10, "dropout": 0.0, "workers": 1}


def train(
    path: Path, cell: str = "lstm", tokenizer: str = "word", **options: object
) -> NeuralModel:
    settings = TextSettings(tokenizer=tokenizer)
    model = lmkit.train(path, backend=cell, settings=settings, **{**QUICK, **options})
    assert isinstance(model, NeuralModel)
    return model


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory, zipf_lines: list[str]) -> Path:
    path = tmp_path_factory.mktemp("text") / "zipf.txt"
    path.write_text("".join(f"{line}\n" for line in zipf_lines[:400]), encoding="utf-8")
    return path


@pytest.fixture(scope="module", params=[*names("backend")[1:5], "adaptive", "projected", "char"])
def model(request: pytest.FixtureRequest, text: Path) -> NeuralModel:
    shapes: dict[str, dict[str, object]] = {
        "adaptive": {"softmax": "adaptive"},
        "projected": {"embedding": 12, "layers": 2, "residual": True, "layer_norm": True},
        "char": {"tokenizer": "char"},
    }
    if request.param in shapes:
        return train(text, **shapes[request.param])  # type: ignore[arg-type]
    return train(text, request.param)


LINES = ["w1 w2 w3", "", "w5", "never seen w2 w1 w1 w1", "w3 w2"]


def step_by_step(model: NeuralModel, ids: np.ndarray) -> list[float]:
    state, found = model.start(1), []
    for token in ids.tolist():
        log_probs = model.next_log_probs(state)
        assert np.exp(log_probs).sum() == pytest.approx(1, abs=1e-5)
        assert log_probs[0, BOS] == -np.inf
        found.append(log_probs[0, token])
        state = model.advance(state, [token])
    return found


def test_score_is_the_sum_of_steps(model: NeuralModel) -> None:
    batch = model.batch(LINES)
    log_probs, _ = model.score(batch)
    expected = [
        value
        for k in range(len(batch))
        for value in step_by_step(model, batch.ids[batch.offsets[k] : batch.offsets[k + 1]])
    ]
    assert log_probs == pytest.approx(expected, abs=1e-4)


def test_a_sentence_scores_the_same_in_any_company(model: NeuralModel) -> None:
    together, _ = model.score(LINES)
    batch = model.batch(LINES)
    for k, line in enumerate(LINES):
        alone, _ = model.score(line)
        here = together[batch.offsets[k] : batch.offsets[k + 1]]
        assert alone == pytest.approx(here, abs=1e-4)


def test_score_goes_on_from_a_state(model: NeuralModel) -> None:
    whole = model.batch(LINES[3])
    log_probs, _ = model.score(whole)
    state = model.start(1)
    for token in whole.ids[:3].tolist():
        state = model.advance(state, [token])
    from lmkit.model import Batch

    rest = Batch(whole.ids[3:], np.array([0, len(whole.ids) - 3]))
    continued, _ = model.score(rest, state)
    assert continued == pytest.approx(log_probs[3:], abs=1e-4)


def test_the_final_state_is_the_one_of_steps(model: NeuralModel) -> None:
    from lmkit.model import Batch

    ids = model.batch(LINES[0]).ids[:-1]
    _, final = model.score(Batch(ids, np.array([0, len(ids)])))
    state = model.start(1)
    for token in ids.tolist():
        state = model.advance(state, [token])
    assert model.next_log_probs(final) == pytest.approx(model.next_log_probs(state), abs=1e-4)
    _, after_end = model.score(LINES[0])
    assert model.next_log_probs(after_end) == pytest.approx(
        model.next_log_probs(model.start(1)), abs=1e-6
    )


def test_streams_can_be_kept_copied_and_left_out(model: NeuralModel) -> None:
    state = model.advance(model.start(3), [3, 4, 5])
    chosen = state.select([2, 2, 0])
    log_probs = model.next_log_probs(state)
    assert len(chosen) == 3
    assert model.next_log_probs(chosen) == pytest.approx(log_probs[[2, 2, 0]], abs=1e-6)
    assert len(model.advance(state.select([]), [])) == 0
    tokens = np.array([[3, 6], [5, EOS], [4, 4]])
    assert model.log_probs_of(state, tokens) == pytest.approx(
        np.take_along_axis(log_probs, tokens, axis=1)
    )
    assert state.keys() is None


def test_threads_do_not_change_the_answer_about_some_tokens(
    model: NeuralModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 200 streams, in pieces that one or three threads share."""
    calls = []
    softmax = type(model.network.softmax)
    original = softmax.log_probs_of

    def counted(self: Any, weights: Any, h: Any, tokens: Any) -> Any:
        calls.append(len(tokens))
        return original(self, weights, h, tokens)

    monkeypatch.setattr(softmax, "log_probs_of", counted)
    tokens = np.random.default_rng(0).integers(3, len(model.vocabulary), (200, 5))
    found = []
    for workers in (1, 3):
        model.workers = workers
        found.append(model.log_probs_of(model.advance(model.start(200), tokens[:, 0]), tokens))
    np.testing.assert_array_equal(*found)
    assert sorted(calls) == [8, 8, 64, 64, 64, 64, 64, 64]
    assert model.log_probs_of(model.start(0), tokens[:0]).shape == (0, 5)


def test_asking_does_not_change_the_state(model: NeuralModel) -> None:
    state = model.start(2)
    first = model.next_log_probs(state)
    first[:] = 0
    assert np.exp(model.next_log_probs(state)).sum(axis=1) == pytest.approx([1, 1], abs=1e-5)
    model.advance(state, [3, 4])
    again = model.advance(state, [3, 4])
    assert model.next_log_probs(again) == pytest.approx(
        model.next_log_probs(model.advance(model.start(2), [3, 4])), abs=1e-6
    )


def test_save_and_load_are_exact(model: NeuralModel, tmp_path: Path) -> None:
    model.save(tmp_path / "m.lm")
    loaded = lmkit.load(tmp_path / "m.lm")
    assert isinstance(loaded, NeuralModel)
    assert (loaded.score(LINES)[0] == model.score(LINES)[0]).all()
    assert (loaded.parameters.flat == model.parameters.flat).all()
    assert loaded.describe() == model.describe()
    assert loaded.log == model.log
    assert [g.text for g in loaded.generate(3, seed=1)] == [
        g.text for g in model.generate(3, seed=1)
    ]


def test_generated_sentences_have_their_own_probability(model: NeuralModel) -> None:
    for sentence in model.generate(4, seed=2, max_tokens=12):
        assert sentence.log_probability == pytest.approx(
            sum(step_by_step(model, np.array(sentence.ids))), abs=1e-4
        )


def test_a_running_text_carries_its_state(model: NeuralModel) -> None:
    batch = model.batch(LINES)
    log_probs, _ = model.running().score(batch)
    state, expected = model.start(1), []
    h = state.top
    layers = state.layers
    for token in batch.ids.tolist():
        views = model.parameters.views
        expected.append(model.network.softmax.log_prob(views, h, np.array([token]))[0])
        h, layers = model.scorer.read(np.array([[token]]), layers)
    assert log_probs == pytest.approx(expected, abs=1e-4)


def test_a_running_text_may_come_in_pieces(model: NeuralModel) -> None:
    for options in ({}, {"cache": 5}, {"dynamic": 0.1, "dynamic_steps": 3}):
        running = model.running(**options)
        pieces = np.concatenate([running.score(LINES[k])[0] for k in range(3)])
        assert pieces == pytest.approx(model.running(**options).score(LINES[:3])[0], abs=1e-4)
        assert np.isfinite(pieces).all()
    with pytest.raises(UnsupportedError):
        model.running().score(LINES, model.start(1))


def test_a_long_running_text_scores_as_one_stream(text: Path) -> None:
    model = train(text)
    lines = text.read_text(encoding="utf-8").splitlines()
    batch = model.batch(lines)
    assert len(batch.ids) > 3000
    running = model.running()
    log_probs, state = running.score(batch)
    expected, end = model.follow(batch.ids, model.start(1))
    assert log_probs == pytest.approx(expected, abs=1e-3)
    assert model.next_log_probs(state) == pytest.approx(model.next_log_probs(end), abs=1e-3)


def test_the_cache_is_the_formula(text: Path) -> None:
    model = train(text)
    ids = model.batch(["w1 w2 w1 w2 w1", "w2"]).ids
    found, _ = model.running(cache=4, cache_weight=0.3, cache_flatness=0.7).score(
        ["w1 w2 w1 w2 w1", "w2"]
    )
    plain, _ = model.running().score(["w1 w2 w1 w2 w1", "w2"])
    h, _ = model.scorer.read(np.concatenate(([EOS], ids[:-1]))[:, None], model.before_start)
    h = h / np.sqrt((h**2).sum(axis=0))
    for t in range(len(ids)):
        before = range(max(0, t - 4), t)
        scores = [np.exp(0.7 * h[:, t] @ h[:, i]) for i in before]
        part = sum(s for s, i in zip(scores, before, strict=True) if ids[i] == ids[t])
        expected = np.exp(plain[t])
        if scores:
            expected = 0.7 * expected + 0.3 * part / sum(scores)
        assert np.exp(found[t]) == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
def test_the_cache_sums_to_one(text: Path) -> None:
    model = train(text)
    total = 0.0
    for token in range(len(model.vocabulary)):
        if token == BOS:
            continue
        from lmkit.model import Batch

        running = model.running(cache=10, cache_weight=0.4)
        running.score(["w1 w2 w3 w1"])
        log_probs, _ = running.score(Batch(np.array([token], np.int32), np.array([0, 1])))
        total += float(np.exp(log_probs[0]))
    assert total == pytest.approx(1, abs=1e-4)


def test_dynamic_evaluation_learns_a_text_that_repeats(text: Path) -> None:
    model = train(text)
    lines = ["w9 w8 w7 w30 w31 w32"] * 60
    static, _ = model.running().score(lines)
    before = model.parameters.flat.copy()
    dynamic, _ = model.running(dynamic=0.5).score(lines)
    assert dynamic.sum() > static.sum() + 10
    assert (model.parameters.flat == before).all()


@pytest.mark.parametrize("softmax", ["full", "adaptive"])
def test_dynamic_evaluation_is_what_its_equation_says(text: Path, softmax: str) -> None:
    model = train(text, tied=False, softmax=softmax)
    batch = model.batch(["w9 w8 w7", "w30 w9 w31 w2", "w1 w1 w40 w8"] * 3)
    found, _ = model.running(dynamic=0.5, dynamic_decay=0.3, dynamic_steps=4).score(batch)
    network, expected = model.network, []
    parameters = Parameters(network.shapes())
    parameters.flat[...] = model.parameters.flat
    token, state = EOS, model.before_start
    for start in range(0, len(batch.ids), 4):
        targets = batch.ids[start : start + 4]
        inputs = np.concatenate(([token], targets[:-1]))[:, None]
        scorer = Scorer(network, parameters.views)
        h, after = scorer.read(inputs, state)
        expected += scorer.log_prob(h, targets).tolist()
        gradient = parameters.empty_like()  # nothing is left of the update before
        gradients = parameters.gradients_of(gradient)
        stretch = Stretch(inputs, targets[:, None])
        network.train(parameters.views, stretch, state, gradients, np.random.default_rng(0))
        norm = float(np.linalg.norm(gradient))
        parameters.flat -= 0.5 * min(1, 1 / norm) * gradient
        parameters.flat += 0.3 * (model.parameters.flat - parameters.flat)
        token, state = targets[-1], after
    assert found == pytest.approx(expected, abs=1e-5)


def test_streams_cover_the_text_once() -> None:
    ids = np.arange(100, dtype=np.int32) + 3
    streams = Streams(ids, 4, 7)
    seen, position = [], 0
    generator = np.random.default_rng(0)
    begin = streams.begin(generator, first=False)
    while position < streams.length:
        steps = streams.step_length(position, generator)
        stretch = streams.stretch(begin, position, steps)
        seen += stretch.targets.reshape(-1).tolist()
        first = stretch.targets == ids[0]
        assert (stretch.inputs[first] == EOS).all()
        assert (stretch.inputs[~first] == stretch.targets[~first] - 1).all()
        position += steps
    assert sorted(seen) == ids.tolist()


def test_sentences_cover_the_text_once() -> None:
    generator = np.random.default_rng(0)
    ids = np.concatenate([
        np.append(generator.integers(3, 9, n), EOS) for n in generator.integers(0, 30, 50)
    ]).astype(np.int32)  # fmt: skip
    sentences = Sentences(ids, 8, 10)
    counts = np.zeros(10)
    for chosen in sentences.order(generator):
        stretch = sentences.stretch(chosen)
        assert stretch.weights is not None
        counts += np.bincount(stretch.targets[stretch.weights > 0], minlength=10)
        assert len(stretch.targets) <= 10
    assert (counts == np.bincount(ids, minlength=10)).all()


@pytest.mark.parametrize(
    "statement, message",
    [
        ("UPDATE tensors SET data = zeroblob(length(data) - 4) WHERE name = 'layer0.u'", "damaged"),
        ("DELETE FROM tensors WHERE name = 'layer0.u'", "lacks the weights 'layer0.u'"),
        ("UPDATE tensors SET shape = '[4, 4]' WHERE name = 'output.b'", "damaged"),
        ("UPDATE meta SET value = '{\"layers\": 0}' WHERE key = 'architecture'", "damaged"),
        ("DELETE FROM meta WHERE key = 'architecture'", "lacks 'architecture'"),
    ],
)
def test_a_damaged_file_is_one_error(
    text: Path, tmp_path: Path, statement: str, message: str
) -> None:
    path = tmp_path / "m.lm"
    train(text).save(path)
    change(path, statement)
    with pytest.raises(ModelFileError, match=message):
        lmkit.load(path)


def test_nan_weights_are_said(text: Path, tmp_path: Path) -> None:
    model = train(text)
    model.parameters.views["layer0.b"][3] = np.nan
    model.save(tmp_path / "m.lm")
    with pytest.raises(ModelFileError, match=r"'layer0.b' are not all numbers"):
        lmkit.load(tmp_path / "m.lm")


def test_a_vocabulary_of_one_word(tmp_path: Path) -> None:
    path = tmp_path / "one-word.txt"
    path.write_text("one\n" * 40, encoding="utf-8")
    model = train(path, epochs=20)
    log_probs, _ = model.score("one")
    assert (log_probs > np.log(0.3)).all()
    assert np.isfinite(model.score("two")[0]).all()


def test_a_text_too_short_to_train_on() -> None:
    with pytest.raises(LmkitError, match="has 1 tokens, too few"):
        all_ids([np.array([EOS], np.int32)])


def test_a_text_shorter_than_a_batch_is_said(tmp_path: Path) -> None:
    path = tmp_path / "short.txt"
    path.write_text("the cat sat on the mat\n" * 3, encoding="utf-8")
    model = train(path, batch_size=50)
    assert any("batches of 2, not 50" in note for note in model.facts["notes"])


@pytest.mark.parametrize(
    "options, message",
    [
        ({"hiden": 3}, "has no option hiden"),
        ({"hidden": 0}, "hidden must be at least 1"),
        ({"cell_options": {"peephole": True}}, "the cell lstm has no option peephole"),
        ({"dropout": 1.0}, "below 1"),
        ({"optimizer": "newton"}, "no optimizer named 'newton'"),
        ({"optimizer_options": {"momentum": 0.5}}, "the optimizer adam has no option momentum"),
        ({"learning_rate": -1}, "learning-rate must be a number above 0"),
        ({"schedule": "staircase"}, "no schedule named"),
        ({"preset": "huge"}, "no preset 'huge'"),
        ({"softmax": "adaptive", "softmax_options": {"cutoffs": [9, 5]}}, "cutoffs must rise"),
        ({"label_smoothing": 2}, "label-smoothing"),
    ],
)
def test_options_that_make_no_sense(text: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        train(text, **options)  # type: ignore[arg-type]


def test_no_permission_to_write(text: Path, tmp_path: Path) -> None:
    model = train(text)
    with pytest.raises(LmkitError):
        model.save(tmp_path / "missing" / "m.lm")

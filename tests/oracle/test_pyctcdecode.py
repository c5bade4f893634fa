"""pyctcdecode runs on `lmkit.kenlm` as it does on kenlm: the same beams from the same posteriors,
with n-grams and with networks, in programs that say ``import kenlm``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import lmkit
from lmkit import kenlm as ours
from lmkit.ngram.arpa_writing import write_arpa
from lmkit.text.settings import TextSettings

from .conftest import oracle

LABELS = [*"abcdefghijklmnopqrstuvwxyz ", ""]
LINES = [
    "the cat sat on the mat",
    "the cat sat on a hat",
    "a dog sat on the mat",
    "the dog saw the cat on the mat",
    "a cat saw a rat in the hat",
    "a rat sat in the hat",
]
SAID = ["the cat sat on the mat", "a dog saw a rat", "the rat sat on the hat"]
LN10 = float(np.log(10))


def posteriors(text: str, seed: int) -> NDArray[np.float32]:
    """log p of each label in each frame [T, V] for ``text``, as an unsure CTC network gives them:
    a frame a letter with half a mind for another one, and blanks between."""
    generator = np.random.default_rng(seed)
    rows = []
    for letter in text:
        for label in (letter, ""):
            row = generator.dirichlet(np.full(len(LABELS), 0.1)) * 0.6
            row[LABELS.index(label)] += 0.4
            rows.append(row)
    return np.log(np.array(rows, np.float32) + 1e-6)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("speech") / "text.txt"
    path.write_text("".join(f"{line}\n" for line in LINES * 4), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def ngrams(text: Path) -> Path:
    """Trigrams as an ARPA file; the same model is beside it as ``model.lm``."""
    model: Any = lmkit.train(
        text,
        output=text.with_name("model.lm"),
        order=3,
        smoothing="witten-bell",
        settings=TextSettings("whitespace"),
    )
    write_arpa(model, text.with_name("model.arpa"))
    return text.with_name("model.arpa")


@pytest.fixture(scope="module")
def lstm(text: Path) -> Path:
    path = text.with_name("lstm.lm")
    lmkit.train(text, output=path, backend="lstm", hidden=16, epochs=3, bptt=8, workers=1)
    return path


@pytest.fixture
def decoder_on(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Makes a decoder for which ``import kenlm`` has found the given package."""
    pyctcdecode = oracle("pyctcdecode")

    def build(package: ModuleType, path: Path, **options: Any) -> Any:
        for module in ("language_model", "decoder"):
            monkeypatch.setattr(f"pyctcdecode.{module}.kenlm", package, raising=False)
        return pyctcdecode.build_ctcdecoder(LABELS, str(path), **options)

    return build


WORDS = sorted({word for line in LINES for word in line.split()})


@pytest.mark.parametrize("boundary", [True, False], ids=["sentences", "no boundaries"])
def test_the_beams_are_those_of_kenlm(
    decoder_on: Callable[..., Any], kenlm: ModuleType, ngrams: Path, boundary: bool
) -> None:
    options = {"alpha": 0.7, "beta": 1.0, "lm_score_boundary": boundary, "unigrams": WORDS}
    for seed, said in enumerate(SAID):
        frames = posteriors(said, seed)
        found = {}
        for package, path in (
            (kenlm, ngrams),
            (ours, ngrams),
            ("file", ngrams.with_name("model.lm")),
        ):
            decoder = decoder_on(ours if package == "file" else package, path, **options)
            found[package] = decoder.decode_beams(frames, beam_width=50)
        for beams in (found[ours], found["file"]):
            assert len(beams) == len(found[kenlm]) > 1
            for mine, theirs in zip(beams, found[kenlm], strict=True):
                assert (mine[0], mine[2]) == (theirs[0], theirs[2])
                assert mine[3:] == pytest.approx(theirs[3:], rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("backend", ["ngrams", "lstm"])
def test_a_beam_scores_what_the_model_gives_its_words(
    decoder_on: Callable[..., Any], backend: str, request: pytest.FixtureRequest
) -> None:
    """The best text has what the frames give it, and the model's share of its score."""
    path = request.getfixturevalue(backend)
    decoder = decoder_on(ours, path, alpha=0.5, beta=1.5, unigrams=WORDS)
    model = ours.Model(path)
    for seed, said in enumerate(SAID):
        beams = decoder.decode_beams(posteriors(said, seed), beam_width=20)
        text, _, _, acoustic, whole = beams[0]
        assert set(text.split()) <= set(WORDS)
        expected = 0.5 * LN10 * model.score(text) + 1.5 * len(text.split())
        assert whole - acoustic == pytest.approx(expected, abs=1e-3)


def test_processes_that_are_forked_share_a_model(
    decoder_on: Callable[..., Any], ngrams: Path
) -> None:
    import multiprocessing

    decoder = decoder_on(ours, ngrams.with_name("model.lm"), unigrams=WORDS)
    frames = [posteriors(said, seed) for seed, said in enumerate(SAID)]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        together = decoder.decode_batch(pool, frames)
    assert together == [decoder.decode(each) for each in frames]

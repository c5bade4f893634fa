"""ARPA files as trackers tell of them (`arpa_shapes`): read, mixed, merged, pruned and exported,
with KenLM on the results."""

from __future__ import annotations

import math
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import lmkit
from lmkit.model import LanguageModel
from lmkit.text.settings import TextSettings

from .arpa_shapes import REFUSED, REPAIRED, SHAPES, WORDS, lines_of, write

LN10 = math.log(10)
OTHER_WORDS = [*WORDS[6:], "x1", "x2", "x3"]


@pytest.fixture(params=SHAPES)
def shape(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    """A model with half of the words, and some that no file of a shape has."""
    text = tmp_path_factory.mktemp("other") / "other.txt"
    lines = lines_of(9, OTHER_WORDS)
    text.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    settings = TextSettings(tokenizer="whitespace")
    return lmkit.train(text, settings=settings, order=3, smoothing="witten-bell")


def test_lines(model: LanguageModel) -> list[str]:
    """Sentences of words that the model has, and some that nobody has."""
    words = model.vocabulary.tokens[3:]
    lines = [*lines_of(20, words)[:30], *lines_of(3)[:20], "", "nobody", f"{words[0]} nobody x1"]
    return [*lines, " ".join(words)]


test_lines.__test__ = False  # type: ignore[attr-defined]


def agree(kenlm: ModuleType, model: LanguageModel, path: Path) -> None:
    """KenLM says of the file ``path`` what ``model`` says, token by token."""
    theirs = kenlm.Model(str(path))
    for line in test_lines(model):
        # Its own cut of a line is another: at all that Python takes for white space.
        found, state = [], kenlm.State()
        theirs.BeginSentenceWrite(state)
        for word in [*filter(None, line.split(" ")), "</s>"]:
            after = kenlm.State()
            found.append(theirs.BaseScore(state, word, after))
            state = after
        ours = model.score(line)[0] / LN10
        np.testing.assert_allclose(ours, found, atol=1e-5, err_msg=line)


def exported(kenlm: ModuleType, model: Any, path: Path) -> None:
    """KenLM says of ``model``, exported, what it says itself; so does lmkit of the file."""
    lmkit.export_model(model, path)
    again = lmkit.import_model(path)
    lines = test_lines(model)
    np.testing.assert_allclose(again.score(lines)[0], model.score(lines)[0], atol=1e-5)
    if model.order > 1:
        agree(kenlm, model, path)
    else:
        with pytest.raises(OSError, match="at least a bigram model"):
            kenlm.Model(str(path))


def test_there_are_ten() -> None:
    assert len(SHAPES) >= 10


def test_is_read_as_kenlm_reads_it(kenlm: ModuleType, shape: str, tmp_path: Path) -> None:
    path = write(shape, tmp_path)
    model: Any = lmkit.import_model(path)
    if shape in REFUSED:
        with pytest.raises(OSError, match=REFUSED[shape]):
            kenlm.Model(str(path))
    if shape in REPAIRED:
        repaired = REPAIRED[shape](path.read_text(encoding="utf-8"))
        path = tmp_path / "repaired.arpa"
        path.write_text(repaired, encoding="utf-8")
    if shape not in REFUSED or shape in REPAIRED:
        agree(kenlm, model, path)
    exported(kenlm, model, tmp_path / "exported.arpa")


def test_is_pruned(kenlm: ModuleType, shape: str, tmp_path: Path) -> None:
    model: Any = lmkit.import_model(write(shape, tmp_path))
    if model.order > 1:
        _, pruned = lmkit.prune(model, entropy=1e-3)
        assert sum(pruned.trie.sizes) < sum(model.trie.sizes)
        exported(kenlm, pruned, tmp_path / "pruned.arpa")
    for closed in (False, True):
        _, cut = lmkit.prune(model, vocabulary=["w1", "w2", "w4", "w9"], closed=closed)
        assert len(cut.vocabulary) == 7
        lmkit.export_model(cut, tmp_path / "cut.arpa")
        if cut.order > 1 and not closed:
            agree(kenlm, cut, tmp_path / "cut.arpa")
        elif cut.order > 1:
            theirs = kenlm.Model(str(tmp_path / "cut.arpa"))
            for line in ("w1 w2 w9", "w9 w4 w4 w1 w2", ""):
                ours = float(cut.score(line)[0].sum()) / LN10
                assert theirs.score(line) == pytest.approx(ours, abs=1e-5)


def test_is_mixed_and_merged(
    kenlm: ModuleType, shape: str, other: LanguageModel, tmp_path: Path
) -> None:
    """With a model of other words: in the n-grams that it lists, the merged one is the mixture of
    what KenLM says of both, a part's ``<unk>`` being shared over what it lacks."""
    path = write(shape, tmp_path)
    other.save(tmp_path / "other.lm")
    mixture = lmkit.mix([path, tmp_path / "other.lm"], weights=[0.6, 0.4])
    merged: Any = lmkit.merge(mixture)
    exported(kenlm, merged, tmp_path / "merged.arpa")
    assert set(OTHER_WORDS) <= set(merged.vocabulary.tokens)
    if shape in REFUSED:
        return
    lmkit.export_model(other, tmp_path / "other.arpa")
    parts = [kenlm.Model(str(path)), kenlm.Model(str(tmp_path / "other.arpa"))]
    theirs = kenlm.Model(str(tmp_path / "merged.arpa"))
    words = merged.vocabulary.tokens[3:]
    lacks = [sum(word not in part for word in words) + 1 for part in parts]
    for word in [*words, "nobody"]:
        expected = 0.0
        for part, weight, count in zip(parts, (0.6, 0.4), lacks, strict=True):
            state = kenlm.State()
            part.NullContextWrite(state)
            prob = 10 ** part.BaseScore(state, word, kenlm.State())
            expected += weight * prob / (1 if word in part else count)
        state = kenlm.State()
        theirs.NullContextWrite(state)
        found = 10 ** theirs.BaseScore(state, word, kenlm.State())
        assert found == pytest.approx(expected, rel=1e-5), word

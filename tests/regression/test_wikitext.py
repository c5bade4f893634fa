"""Figures on WikiText-2 that KenLM gives for the same text, and that must not move.

``<unk>`` is renamed to an ordinary word and empty lines are left out, as there, so that the
models of both sides are built from the same n-grams.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import lmkit
from lmkit.text.settings import TextSettings

pytestmark = [pytest.mark.data, pytest.mark.slow]

READ = TextSettings("whitespace", skip_empty_lines=True)


@pytest.fixture(scope="module")
def wikitext(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The split of that name with its ``<unk>`` renamed."""
    folder = tmp_path_factory.mktemp("wikitext")

    def split(name: str) -> Path:
        path = folder / f"{name}.txt"
        if not path.exists():
            text = (shared_data / "wikitext-2" / path.name).read_text(encoding="utf-8")
            path.write_text(text.replace("<unk>", "@unknown@"), encoding="utf-8")
        return path

    return split


@pytest.mark.parametrize(
    ("order", "prune", "valid", "test"),
    [
        (3, (), 247.66, 230.886),
        (5, (), 239.98, 224.812),
        (4, (0, 0, 1), None, 231.388),
    ],
)
def test_modified_kneser_ney_is_kenlms(
    wikitext: Callable[[str], Path],
    order: int,
    prune: tuple[int, ...],
    valid: float | None,
    test: float,
) -> None:
    model = lmkit.train(wikitext("train"), settings=READ, order=order, prune=prune)
    measured = model.perplexity(wikitext("test"))
    assert (measured.tokens, measured.oovs) == (244_102, 0)
    assert measured.perplexity == pytest.approx(test, abs=0.001)
    if valid is not None:
        assert model.perplexity(wikitext("valid")).perplexity == pytest.approx(valid, abs=0.01)


def test_literal_unknown_words_are_learnt(shared_data: Path, tmp_path: Path) -> None:
    """``<unk>`` left as it is gives the literature's figure: the word counts like any other."""
    folder = shared_data / "wikitext-2"
    lmkit.train(folder / "train.txt", settings=READ, order=3, output=tmp_path / "model.lm")
    measured = lmkit.load(tmp_path / "model.lm").perplexity(folder / "test.txt")
    assert measured.oovs == 15_218
    assert measured.perplexity == pytest.approx(230.886, abs=0.01)

"""A merged mixture against KenLM: each n-gram that it lists has the weighted sum of the
probabilities that KenLM gives it in the two files, and KenLM scores the merged file as lmkit."""

from __future__ import annotations

import math
import random
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import lmkit
from lmkit.ngram.model import NgramModel
from lmkit.text.settings import TextSettings

LN10 = math.log(10)
WORDS = [f"w{rank}" for rank in range(60)]


def lines_of(seed: int, count: int) -> list[str]:
    generator = random.Random(seed)
    favourites = {word: generator.sample(WORDS, 5) for word in WORDS}
    lines = []
    for _ in range(count):
        line = [generator.choice(WORDS)]
        for _ in range(generator.randrange(12)):
            known = generator.random() < 0.7
            line.append(generator.choice(favourites[line[-1]] if known else WORDS))
        lines.append(" ".join(line))
    return lines


def after(model: Any, kenlm: ModuleType, context: list[str]) -> Any:
    """KenLM's state after ``context``, which stands anywhere unless it begins with ``<s>``."""
    state = kenlm.State()
    if context[:1] == ["<s>"]:
        model.BeginSentenceWrite(state)
        context = context[1:]
    else:
        model.NullContextWrite(state)
    for word in context:
        following = kenlm.State()
        model.BaseScore(state, word, following)
        state = following
    return state


def prob(model: Any, kenlm: ModuleType, ngram: list[str]) -> float:
    return 10 ** model.BaseScore(after(model, kenlm, ngram[:-1]), ngram[-1], kenlm.State())


def ngrams(path: Path) -> list[list[str]]:
    """Every n-gram that the ARPA file ``path`` lists."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        fields = line.split("\t")
        if len(fields) > 1:
            found.append(fields[1].split(" "))
    return found


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("files")
    settings = TextSettings(tokenizer="whitespace")
    for name, seed, order, smoothing in (
        ("one", 1, 4, "modified-kneser-ney"),
        ("two", 2, 3, "witten-bell"),
    ):
        text = folder / f"{name}.txt"
        text.write_text("".join(f"{line}\n" for line in lines_of(seed, 300)), encoding="utf-8")
        model = lmkit.train(
            text, settings=settings, order=order, smoothing=smoothing, vocabulary=WORDS
        )
        lmkit.export_model(model, folder / f"{name}.arpa")
    held_out = folder / "valid.txt"
    lines = lines_of(1, 40) + lines_of(2, 40) + ["w1 unknown w2"]
    held_out.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    parts = [lmkit.import_model(folder / f"{name}.arpa") for name in ("one", "two")]
    mixture = lmkit.mix(parts, valid=held_out, output=folder / "mix.lm")
    lmkit.export_model(lmkit.merge(mixture), folder / "merged.arpa")
    return {name: folder / name for name in ("one.arpa", "two.arpa", "merged.arpa", "mix.lm")}


def test_listed_ngrams_have_the_weighted_sum(kenlm: ModuleType, files: dict[str, Path]) -> None:
    one, two, merged = (
        kenlm.Model(str(files[f"{name}.arpa"])) for name in ("one", "two", "merged")
    )
    weights = lmkit.load(files["mix.lm"]).blend.weights[0]  # type: ignore[attr-defined]
    listed = ngrams(files["merged.arpa"])
    assert {tuple(n) for name in ("one", "two") for n in ngrams(files[f"{name}.arpa"])} == {
        tuple(n) for n in listed
    }
    assert max(map(len, listed)) == 4
    for ngram in listed:
        if ngram == ["<s>"]:
            continue
        expected = weights[0] * prob(one, kenlm, ngram) + weights[1] * prob(two, kenlm, ngram)
        assert prob(merged, kenlm, ngram) == pytest.approx(expected, rel=1e-5), ngram


def test_kenlm_scores_the_merged_file_as_lmkit_does(
    kenlm: ModuleType, files: dict[str, Path]
) -> None:
    theirs = kenlm.Model(str(files["merged.arpa"]))
    ours = lmkit.merge(files["mix.lm"])
    assert isinstance(ours, NgramModel)
    for line in [*lines_of(1, 30), *lines_of(3, 30), "w3 never seen w4", ""]:
        log_probs, _ = ours.score(line)
        expected = [score for score, _, _ in theirs.full_scores(line)]
        assert (log_probs / LN10).tolist() == pytest.approx(expected, abs=1e-4)

"""The unigram tokenizer against the packages sentencepiece and tokenizers: the same pieces and
scores give the same segmentations, and samples as often."""

from __future__ import annotations

import math
import random
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmkit.text.subwords.lattice import Ints
from lmkit.text.subwords.unigram_encoding import Segmenter
from lmkit.text.tokenizers.unigram import UnigramTokenizer

from .conftest import oracle

PENALTY = 10.0
"""Both packages give an unknown character the lowest score of all pieces, less this."""
TOLERANCE = 1e-4
"""sentencepiece adds in 32 bits."""


@pytest.fixture(scope="module")
def sentencepiece() -> ModuleType:
    return oracle("sentencepiece")


@pytest.fixture(scope="module")
def tokenizers() -> ModuleType:
    return oracle("tokenizers")


def words_of(seed: int, count: int) -> list[str]:
    generator = random.Random(seed)
    stems = ["the", "cat", "sat", "hat", "un", "re", "ing", "ed", "é", "日本", "ß", "mat"]
    words = ["".join(generator.choices(stems, k=generator.randint(1, 3))) for _ in range(60)]
    return [" ".join(generator.choices(words, k=9)) for _ in range(count)]


@pytest.fixture(scope="module")
def text_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("\n".join(words_of(1, 600)) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def theirs(sentencepiece: ModuleType, text_file: Path) -> Any:
    """A processor of sentencepiece, trained on the text."""
    prefix = text_file.with_suffix("")
    sentencepiece.SentencePieceTrainer.train(
        input=str(text_file), model_prefix=str(prefix), vocab_size=120, model_type="unigram",
        normalization_rule_name="identity", remove_extra_whitespaces=False,
        add_dummy_prefix=False, minloglevel=2, num_threads=1, hard_vocab_limit=False,
    )  # fmt: skip
    return sentencepiece.SentencePieceProcessor(model_file=f"{prefix}.model")


def table_of(theirs: Any) -> tuple[list[str], list[float]]:
    numbers = range(3, theirs.get_piece_size())  # behind <unk>, <s> and </s>
    return [theirs.id_to_piece(n) for n in numbers], [theirs.get_score(n) for n in numbers]


def segmenter_of(pieces: list[str], scores: list[float]) -> Segmenter:
    unknown = min(scores) - PENALTY
    return Segmenter(pieces, np.array(scores), lambda symbols: np.full(len(symbols), unknown))


def sequence(line: str) -> tuple[Ints, Ints]:
    symbols = np.array([ord(c) for c in line.replace(" ", "▁")], np.int64)
    return symbols, np.array([len(symbols)])


def score_of(numbers: list[int], scores: list[float]) -> float:
    return math.fsum(scores[n] if n >= 0 else min(scores) - PENALTY for n in numbers)


LINES = st.one_of(
    st.text(st.sampled_from("thecasdmunigé日本ßrx  "), max_size=40),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\x00▁"), max_size=12),
)


@settings(max_examples=300, deadline=None)
@given(LINES)
def test_the_best_segmentation_is_that_of_sentencepiece(theirs: Any, line: str) -> None:
    pieces, scores = table_of(theirs)
    ours = segmenter_of(pieces, scores).best(*sequence(line))[0].tolist()
    # Unknown characters that stand next to each other are one token to both packages.
    found = [pieces.index(p) if p in pieces else -1 for p in theirs.encode(line, out_type=str)]
    merged = [n for i, n in enumerate(ours) if n >= 0 or i == 0 or ours[i - 1] >= 0]
    theirs_score = score_of([n for n in found if n >= 0], scores)
    ours_score = score_of([n for n in ours if n >= 0], scores)
    assert ours_score == pytest.approx(theirs_score, abs=TOLERANCE)
    if [max(n, -1) for n in merged] != found:  # only if they tie
        second = segmenter_of(pieces, scores).n_best(*sequence(line), 2)
        assert second[0][0] - second[1][0] < TOLERANCE


def test_the_n_best_are_those_of_sentencepiece(theirs: Any) -> None:
    pieces, scores = table_of(theirs)
    model = segmenter_of(pieces, scores)
    for line in words_of(2, 10):
        found = theirs.nbest_encode(line[:30], nbest_size=20, out_type=int)
        by_them = [score_of([n - 3 for n in ids], scores) for ids in found]
        ours = [p for p, _ in model.n_best(*sequence(line[:30]), 20)]
        assert ours == pytest.approx(by_them, abs=TOLERANCE)


@pytest.mark.parametrize("alpha", [0.1, 0.5, 1.0])
def test_samples_come_as_often_as_those_of_sentencepiece(theirs: Any, alpha: float) -> None:
    pieces, scores = table_of(theirs)
    line, n = "thecat sat", 4000
    drawn = segmenter_of(pieces, scores).sample(
        *sequence(line), alpha, np.random.default_rng(7), np.zeros(n, np.int64)
    )
    numbers, counts = drawn
    ours = Counter(tuple(p.tolist()) for p in np.split(numbers, np.cumsum(counts)[:-1]))
    by_them = Counter(
        tuple(m - 3 for m in theirs.encode(line, enable_sampling=True, alpha=alpha, nbest_size=-1))
        for _ in range(n)
    )
    # Two samples of one distribution: chi squared, of what came ten times at least.
    often = [s for s, times in (ours + by_them).items() if times >= 10]
    chi = sum((ours[s] - by_them[s]) ** 2 / (ours[s] + by_them[s]) for s in often)
    freedom = len(often)
    assert chi < freedom + 4 * math.sqrt(2 * freedom)


@settings(max_examples=300, deadline=None)
@given(LINES)
def test_the_best_segmentation_is_that_of_tokenizers(tokenizers: ModuleType, line: str) -> None:
    if not line:
        return
    tokenizer = learnt()
    rows = tokenizer.as_dict()["pieces"][256:]
    pieces, scores = [p for p, _ in rows], [s for _, s in rows]
    if not _theirs:
        model = tokenizers.models.Unigram([("<unk>", 0.0), *map(tuple, rows)], 0, False)
        _theirs.append(tokenizers.Tokenizer(model))
    spelt = line.replace(" ", "▁")
    by_them = [max(n - 1, -1) for n in _theirs[0].encode(spelt).ids]
    ours = segmenter_of(pieces, scores).best(*sequence(line))[0].tolist()
    merged = [max(n, -1) for i, n in enumerate(ours) if n >= 0 or i == 0 or ours[i - 1] >= 0]
    if merged != by_them:
        best = segmenter_of(pieces, scores).n_best(*sequence(line), 2)
        assert best[0][0] - best[1][0] < 1e-9


_theirs: list[Any] = []
_ours: list[UnigramTokenizer] = []


def learnt() -> UnigramTokenizer:
    if not _ours:
        text = "\n".join(words_of(1, 600)) + "\n"
        _ours.append(UnigramTokenizer.learn([text.encode()], vocabulary_size=256 + 120))
    return _ours[0]


def test_a_vocabulary_of_the_same_size_is_as_good_as_theirs(theirs: Any, text_file: Path) -> None:
    text = text_file.read_text(encoding="utf-8")
    size = theirs.get_piece_size() - 3
    ours = UnigramTokenizer.learn([text.encode()], vocabulary_size=256 + size)
    assert len(ours.vocabulary) == 256 + size
    held_out = words_of(1, 700)[600:]
    by_us = sum(len(ours.tokenize(line)) for line in held_out)
    by_them = sum(len(theirs.encode(line)) for line in held_out)
    assert by_us <= 1.02 * by_them

"""Bits per character are a code length: there is a code for all texts in which each takes that
many bits, so that models of words, characters and bytes can stand in one table.

By Kraft's inequality such a code is there if and only if 2^-bits, summed over different texts, is
at most one. Summed here over all lines of up to five characters of a small alphabet: known and
unknown letters, one of two bytes, a space, a full stop, and some lines with a literal ``<unk>``.
A line counts where it is its own reference text (`lmkit.text.encoder`): a model of words reads
``a  b`` and ``a b`` as the same text and pays for it once.
"""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lmkit
import lmkit.api
from lmkit.evaluate.perplexity import running_reader
from lmkit.model import UNK, LanguageModel, rebase
from lmkit.registry import names
from lmkit.text.settings import TextSettings

from .test_model_contract import EACH_MODEL
from .test_model_contract import MODELS as CONTRACT_MODELS

ALPHABET = "abzé. "
LONGEST = 5
TEXT = ["a", "b", "", "a b", "ab", "b a", "a", "ba", "b b", "a.", "é", "<unk> a", "c", "a b"]
"""Mostly lines of the closed set, so that a good part of the probability is in it; with words
seen once, of which the spelling of unknown words is learnt."""
NETWORK = {"hidden": 12, "epochs": 3, "bptt": 8, "workers": 1, "seed": 1}
BACKENDS: dict[str, dict[str, Any]] = {
    "ngram": {"order": 3},
    "rnn": NETWORK,
    "gru": NETWORK,
    "lstm": NETWORK,
}
TOKENIZERS = names("tokenizer")


@cache
def closed_set() -> list[str]:
    lines = [
        "".join(line)
        for length in range(LONGEST + 1)
        for line in itertools.product(ALPHABET, repeat=length)
    ]
    return [*lines, "<unk>", "<unk> a", "a <unk>", "<unk> z"]


def reference_texts(model: LanguageModel, lines: Sequence[str]) -> list[str]:
    """The ``lines`` that are what ``model`` codes when it reads them."""
    if model.unit != "word":
        return list(lines)
    tokenizer: Any = model.encoder
    tokenize = tokenizer.tokenizer.tokenize
    return [line for line in lines if " ".join(tokenize(line)) == line]


def code_lengths(model: LanguageModel, lines: Sequence[str]) -> np.ndarray:
    """Bits of each line: its bits per character times its characters. (Of all lines together
    these are those of `LanguageModel.measure`, and of one line now and then.)"""
    batch = model.batch(lines)
    log_probs, _ = model.score(batch)
    totals = batch.sentence_sums(log_probs)
    costs = model.spelling_costs(batch)
    assert costs is not None
    if batch.unknown is not None:
        places = np.searchsorted(batch.offsets, batch.unknown.positions, side="right") - 1
        np.add.at(totals, places, costs)
    lengths: np.ndarray = -totals / math.log(2)
    for first, last in [(0, len(batch)), *((i, i + 1) for i in range(0, len(batch), 499))]:
        figures = model.measure(rebase(batch, first, last))
        assert figures.characters is not None
        bits = figures.bits_per_character * figures.characters
        assert bits == pytest.approx(lengths[first:last].sum(), rel=1e-5, abs=1e-5)
    return lengths


def kraft_sum(lengths: np.ndarray) -> float:
    return float(np.exp2(-lengths).sum())


@cache
def trained(backend: str, tokenizer: str, min_count: int = 1) -> LanguageModel:
    text = io.BytesIO("".join(f"{line}\n" for line in TEXT * 3).encode())
    settings = TextSettings(tokenizer)
    options = BACKENDS[backend]
    return lmkit.train(text, backend=backend, settings=settings, min_count=min_count, **options)


# Networks compute in float32: a sum of some thousand probabilities of up to seven factors each.
SLACK = 1e-4


@pytest.mark.parametrize("min_count", [1, 4])
@pytest.mark.parametrize("tokenizer", TOKENIZERS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_there_is_a_code_of_these_lengths(backend: str, tokenizer: str, min_count: int) -> None:
    """Whatever the unit, with a whole vocabulary and one without the rare tokens."""
    model = trained(backend, tokenizer, min_count)
    lines = reference_texts(model, closed_set())
    assert len(set(lines)) == len(lines) > 1000
    lengths = code_lengths(model, lines)
    # Every text has a code, and the sum is over the better part of what the model expects.
    assert np.isfinite(lengths).all()
    assert 0.2 < kraft_sum(lengths) <= 1 + SLACK


@pytest.mark.parametrize("name", EACH_MODEL)
def test_every_model_of_every_backend_keeps_to_it(name: str) -> None:
    model = CONTRACT_MODELS[name]()
    if not model.normalised:
        pytest.skip("its scores are no probabilities, and it has no bits per character")
    if np.isnan(model.measure(model.batch("x")).bits_per_character):
        pytest.skip("it does not know how words are spelt, or where lines end")
    alphabet = "athe d"
    lines = ["".join(line) for n in range(5) for line in itertools.product(alphabet, repeat=n)]
    lengths = code_lengths(model, reference_texts(model, lines))
    assert not np.isnan(lengths).any()
    assert kraft_sum(lengths) <= 1 + SLACK


@pytest.mark.parametrize("channel", names("channel"))
def test_observed_text_of_a_noisy_channel(channel: str, tmp_path: Path) -> None:
    """The channel pays for what was typed, whatever was meant: nothing is unknown to it."""
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("ba\tab\nab\tab\nb\tab\na\ta\na b\tab\n", encoding="utf-8")
    source = trained("ngram", "whitespace")
    model = lmkit.api.train_channel(source, pairs=pairs, channel=channel)
    lines = [line for line in reference_texts(model, closed_set()) if len(line) <= 3]
    assert 0.2 < kraft_sum(code_lengths(model, lines)) <= 1 + SLACK


@pytest.mark.parametrize("tokenizer", ["whitespace", "char", "byte"])
@pytest.mark.parametrize(
    "options",
    [{}, {"cache": 10, "cache_weight": 0.3}, {"dynamic": 0.1, "dynamic_steps": 1}],
    ids=["carried", "cache", "dynamic"],
)
def test_texts_of_two_lines_that_carry_the_state(tokenizer: str, options: dict[str, Any]) -> None:
    """What has been read may help with what comes: never with what is being read."""
    model = trained("lstm", tokenizer)
    lines = reference_texts(model, ["", "a", "b", "z", "a b", "ab", "é", "aa"])
    total = 0.0
    for pair in itertools.product(lines, repeat=2):
        reader = running_reader(model, "carry", options)
        figures = reader.measure(model.batch(list(pair)))
        assert figures.characters == sum(map(len, pair)) + 2
        total += 2.0 ** -(figures.bits_per_character * figures.characters)
    assert 0.01 < total <= 1 + SLACK


def test_the_whole_of_a_model_of_characters_that_always_ends() -> None:
    """By hand: after the one line "a", maximum likelihood gives p("a", </s>) = 1 and nothing else
    anything; the code of "a" has no bits, and the sum is one."""
    text = io.BytesIO(b"a\n")
    model = lmkit.train(
        text, order=2, smoothing="maximum-likelihood", settings=TextSettings("char")
    )
    lengths = code_lengths(model, ["a", "", "aa", "b"])
    assert lengths.tolist() == [0, math.inf, math.inf, math.inf]


Cheat = Callable[[LanguageModel, Sequence[str]], np.ndarray]


def without_spelling(model: LanguageModel, lines: Sequence[str]) -> np.ndarray:
    batch = model.batch(lines)
    return -batch.sentence_sums(model.score(batch)[0]) / math.log(2)


def without_ends(model: LanguageModel, lines: Sequence[str]) -> np.ndarray:
    batch = model.batch(lines)
    log_probs, _ = model.score(batch)
    log_probs[batch.offsets[1:] - 1] = 0
    return -batch.sentence_sums(log_probs) / math.log(2)


@pytest.mark.parametrize(
    ("tokenizer", "cheat"), [("whitespace", without_spelling), ("char", without_ends)]
)
def test_what_is_left_unpaid_would_be_found_out(tokenizer: str, cheat: Cheat) -> None:
    """The sum passes one where unknown words are not spelt, or lines end for nothing."""
    model = trained("ngram", tokenizer, 4)
    lines = reference_texts(model, closed_set())
    assert (model.batch(lines).ids == UNK).any()
    assert kraft_sum(cheat(model, lines)) > 1.2

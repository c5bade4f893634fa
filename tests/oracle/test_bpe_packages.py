"""Byte-level BPE against the packages tiktoken and tokenizers: the same ids for GPT-2's merges.

GPT-2's two files, ``encoder.json`` and ``vocab.bpe``, are read from the folder ``bpe`` of the real
corpora. Nothing is downloaded.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmkit.text.subwords import alphabet
from lmkit.text.subwords.bpe_encoding import BpeEncoder
from lmkit.text.subwords.bpe_training import learn_merges
from lmkit.text.subwords.patterns import GPT4, splitter
from lmkit.text.subwords.pieces import PieceCache, count_pieces

from .conftest import oracle

HOSTILE = [
    *"'\"sSdDmMtTlLvVrReEſaZ1²Ⅷ२ \t\r\n\x0b\x0c\x00\x1c\x85\xa0\u1680\u2028\u3000\u200b.!-_é字ا",
    *"\u0301\u200d\ufe0f😀👩🇩\U0001d7d8",
    *("'s", "'LL", "'ve", "'ſ", "  ", "\r\n", "\n\n", "123", "don't", "👩\u200d💻", " the", "Ġ"),
    *("Привет", "こんにちは", "مرحبا", "नमस्ते", "ไทย", "한국어", "<|endoftext", "aaaaaaa", "=" * 40),
]
# Characters of the newest Unicode may be unknown to one of the packages and known to another.
hostile = st.lists(
    st.sampled_from(HOSTILE) | st.text(st.characters(exclude_categories=("Cs", "Cn")), max_size=3),
    max_size=20,
).map("".join)
Ids = Callable[[str], list[int]]


@pytest.fixture(scope="module")
def gpt2_files(shared_data: Path) -> tuple[Path, Path]:
    folder = shared_data / "bpe"
    if not (folder / "vocab.bpe").is_file():
        pytest.skip("no bpe/vocab.bpe among the real corpora: GPT-2's merges")
    return folder / "encoder.json", folder / "vocab.bpe"


@pytest.fixture(scope="module")
def merges(gpt2_files: tuple[Path, Path]) -> list[tuple[bytes, bytes]]:
    lines = gpt2_files[1].read_text(encoding="utf-8").splitlines()[1:]
    return [(alphabet.unspell(a), alphabet.unspell(b)) for a, b in map(str.split, lines)]


@pytest.fixture(scope="module")
def ours(gpt2_files: tuple[Path, Path], merges: list[tuple[bytes, bytes]]) -> dict[str, Ids]:
    """GPT-2's ids by pattern; by single pieces where the name ends with "1"."""
    ids = json.loads(gpt2_files[0].read_text(encoding="utf-8"))
    encoder = BpeEncoder(merges)
    to_id = np.array([ids[alphabet.spell(token)] for token in encoder.tokens], np.int32)

    def in_bulk(pattern: str) -> Ids:
        cache = PieceCache(encoder.encode_pieces)
        return lambda text: to_id[cache(splitter(pattern).split(text.encode()))].tolist()

    def one_by_one(text: str) -> list[int]:
        pieces = splitter("gpt2").split(text.encode())
        return [
            int(to_id[number]) for piece in pieces for number in encoder.encode_pieces([piece])[0]
        ]

    return {**{name: in_bulk(name) for name in ("gpt2", "gpt4", "none")}, "gpt2 1": one_by_one}


@pytest.fixture(scope="module")
def tiktoken(gpt2_files: tuple[Path, Path]) -> dict[str, Ids]:
    package = oracle("tiktoken")
    ranks = oracle("tiktoken.load").data_gym_to_mergeable_bpe_ranks(
        vocab_bpe_file=str(gpt2_files[1]), encoder_json_file=str(gpt2_files[0])
    )
    patterns = oracle("tiktoken_ext.openai_public")
    by_pattern = {"gpt2": patterns.r50k_pat_str, "gpt4": GPT4.replace(r"\s+\Z", r"\s++$")}

    def ids(name: str) -> Ids:
        encoding = package.Encoding(
            name, pat_str=by_pattern[name], mergeable_ranks=ranks, special_tokens={}
        )
        return lambda text: encoding.encode(text, disallowed_special=())

    return {name: ids(name) for name in by_pattern}


@pytest.fixture(scope="module")
def tokenizers(gpt2_files: tuple[Path, Path]) -> Ids:
    package = oracle("tokenizers")
    tokenizer = package.Tokenizer(package.models.BPE.from_file(*map(str, gpt2_files)))
    tokenizer.pre_tokenizer = package.pre_tokenizers.ByteLevel(add_prefix_space=False)
    return lambda text: tokenizer.encode(text).ids


@settings(max_examples=500)
@given(text=hostile)
def test_ids_equal_tiktoken_s(text: str, ours: dict[str, Ids], tiktoken: dict[str, Ids]) -> None:
    assert ours["gpt2"](text) == tiktoken["gpt2"](text)
    assert ours["gpt2 1"](text) == tiktoken["gpt2"](text)
    assert ours["gpt4"](text) == tiktoken["gpt4"](text)


@settings(max_examples=500)
@given(text=hostile)
def test_ids_equal_those_of_tokenizers(text: str, ours: dict[str, Ids], tokenizers: Ids) -> None:
    assert ours["gpt2"](text) == tokenizers(text)


def test_ids_of_real_text_equal_both(
    ours: dict[str, Ids], tiktoken: dict[str, Ids], tokenizers: Ids, shared_data: Path
) -> None:
    for name in ("wikitext-2/valid.txt", "tinyshakespeare/input.txt"):
        with (shared_data / name).open(encoding="utf-8", newline="") as file:
            text = file.read(400_000)
        wanted = tiktoken["gpt2"](text)
        assert ours["gpt2"](text) == wanted
        assert tokenizers(text) == wanted
        assert ours["gpt4"](text) == tiktoken["gpt4"](text)


@pytest.mark.parametrize("text", ["a" * 5000, "ab" * 3000, "=" * 777 + "x" * 999, " " * 2000])
def test_ids_of_long_pieces_equal_both(
    text: str, ours: dict[str, Ids], tiktoken: dict[str, Ids], tokenizers: Ids
) -> None:
    assert ours["gpt2"](text) == tiktoken["gpt2"](text) == tokenizers(text)


def test_what_is_learnt_compresses_as_what_tokenizers_learns(shared_data: Path) -> None:
    """The rules for ties differ, so that the merges do; the number of tokens hardly does."""
    package = oracle("tokenizers")
    text = (shared_data / "tinyshakespeare" / "input.txt").read_bytes()[:300_000]
    tokenizer = package.Tokenizer(package.models.BPE())
    tokenizer.pre_tokenizer = package.pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = package.trainers.BpeTrainer(
        vocab_size=2000, show_progress=False, min_frequency=2,
        initial_alphabet=package.pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    lines = text.decode().split("\n")
    tokenizer.train_from_iterator(lines, trainer)
    counts = count_pieces([text], splitter("gpt2"))
    encoder = BpeEncoder(learn_merges(counts, 2000 - 256))
    tokens = sum(
        length * seen
        for length, seen in zip(
            encoder.encode_pieces([*counts])[1].tolist(), counts.values(), strict=True
        )
    )
    theirs: Any = sum(len(encoding.ids) for encoding in tokenizer.encode_batch(lines))
    assert len(encoder.tokens) == tokenizer.get_vocab_size() == 2000
    assert tokens == pytest.approx(theirs, rel=1e-3)

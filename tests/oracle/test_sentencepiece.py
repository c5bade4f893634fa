"""sentencepiece's models give the ids and the text that the package gives, on hostile text. They
are trained here by the package, or written by hand.
"""

from __future__ import annotations

import itertools
import random
import struct
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmkit.errors import LmkitError
from lmkit.text.lexicon import Lexicon
from lmkit.text.subwords.formats import read
from lmkit.text.subwords.formats.sentencepiece_model import from_bytes
from lmkit.text.tokenizers.imported import ImportedTokenizer

from ..tokenizer_files import (
    HOSTILE,
    ODD,
    SAMPLED,
    SP_MODELS,
    TEXT,
    sentencepiece_model,
)


@pytest.fixture(scope="module", params=SP_MODELS)
def model(
    request: pytest.FixtureRequest, spm: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Any, ImportedTokenizer]:
    """The package's tokenizer and lmkit's, of one file."""
    path = sentencepiece_model(spm, tmp_path_factory.mktemp("models"), request.param)
    ours = read(path)
    assert isinstance(ours, ImportedTokenizer)
    return spm.SentencePieceProcessor(model_file=str(path)), ours


def test_sentencepiece_gives_the_same_ids_and_text(model: tuple[Any, ImportedTokenizer]) -> None:
    theirs, ours = model

    @given(HOSTILE)
    def same(text: str) -> None:
        ids = theirs.encode(text)
        assert ours.ids_of(text) == ids
        assert ours.text_of(ids) == theirs.decode(ids)

    same()
    for text in (*ODD, *SAMPLED):
        same.hypothesis.inner_test(text)


def test_whole_texts_give_the_same_tokens(model: tuple[Any, ImportedTokenizer]) -> None:
    """With the table of replacements that the package puts into its models."""
    theirs, ours = model
    lexicon = Lexicon("word")
    bulk = ours.bulk(None, lexicon)
    unknown = theirs.unk_id()

    @given(st.lists(HOSTILE, max_size=4).map(" ".join))
    def same(text: str) -> None:
        tokens = [lexicon.tokens[number] for number in bulk((text + "\n").encode())]
        expected: list[str] = []
        for line in text.split("\n"):
            of_line = ours.tokenize(line)
            ids = theirs.encode(line)
            assert len(of_line) == len(ids)
            named = dict(zip(ours.vocabulary or (), ours._order, strict=True))
            assert all(
                named.get(token, unknown) == id_
                for token, id_ in zip(of_line, ids, strict=True)
                if id_ != unknown
            )
            expected += [*of_line, "</s>"]
        assert tokens == expected

    same()
    for text in (*ODD, *SAMPLED, " ".join(TEXT), "\n".join(TEXT)):
        same.hypothesis.inner_test(text)


def test_any_pieces_give_the_same_text(model: tuple[Any, ImportedTokenizer]) -> None:
    theirs, ours = model

    @given(st.lists(st.integers(0, theirs.get_piece_size() - 1), max_size=8))
    def same(ids: list[int]) -> None:
        assert ours.text_of(ids) == theirs.decode(ids)

    same()


def test_pieces_of_one_score_are_merged_from_the_left(spm: ModuleType, tmp_path: Path) -> None:
    """Pieces that were added to a model all have the score 0."""
    path = sentencepiece_model(spm, tmp_path, "bpe")
    data = path.read_bytes()
    first = spm.SentencePieceProcessor(model_file=str(path))
    there = {first.id_to_piece(k) for k in range(first.get_piece_size())}
    for piece in {"tt", "ta", "at", "att", "tta", "aa", "ac", "ca", "▁ta"} - there:
        text = piece.encode()
        data += bytes([0x0A, len(text) + 7, 0x0A, len(text)]) + text + b"\x15\0\0\0\0"
    path.write_bytes(data)
    theirs, ours = spm.SentencePieceProcessor(model_file=str(path)), read(path)
    assert isinstance(ours, ImportedTokenizer)
    for letters in itertools.product("at c", repeat=6):
        text = "".join(letters)
        assert ours.ids_of(text) == theirs.encode(text)


SCORES = (-0.1, -1.1, -2.2, -3.3, -4.4, -5.5, -0.7)
"""Numbers that single precision rounds, so that sums of the same pieces differ by their order."""


def sentencepiece_bytes(pieces: list[tuple[str, float, int]]) -> bytes:
    """A unigram model of these pieces, their scores and kinds, with no rules."""
    data = b""
    for piece, score, kind in pieces:
        text = piece.encode()
        inner = b"\x0a" + bytes([len(text)]) + text + b"\x15" + struct.pack("<f", score)
        data += b"\x0a" + bytes([len(inner) + 2]) + inner + b"\x18" + bytes([kind])
    return data + b"\x12\x02\x18\x01" + b"\x1a\x04\x18\x00\x20\x00"


def test_ties_and_roundings_of_unigram_are_the_same(spm: ModuleType) -> None:
    generator = random.Random(2)
    for _ in range(120):
        words = {"".join(generator.choices("ab", k=generator.randint(1, 4))) for _ in range(10)}
        pieces = [("<unk>", 0.0, 2)]
        for word in sorted(words):
            even = generator.random() < 0.3
            score = -1.1 if even else generator.choice(SCORES)
            pieces.append((word, score * len(word), 1))
        if generator.random() < 0.4:
            pieces.append(("ababab", 0.0, 4))
        data = sentencepiece_bytes(pieces)
        theirs, ours = spm.SentencePieceProcessor(model_proto=data), from_bytes(data)
        for _ in range(20):
            text = "".join(generator.choices("ab", k=generator.randint(1, 40)))
            assert ours.ids_of(text) == theirs.encode(text)


def test_a_damaged_model_is_refused_or_read_alike(spm: ModuleType, tmp_path: Path) -> None:
    """Bytes changed anywhere: an error in one line, or ids."""
    path = sentencepiece_model(spm, tmp_path, "unigram-bytes")
    whole = path.read_bytes()
    generator = random.Random(1)
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(generator.randint(1, 3)):
            data[generator.randrange(min(len(data), 6000))] = generator.randrange(256)
        path.write_bytes(data)
        said = ""
        try:
            read(path).tokenize("the king's cat, ①")
        except LmkitError as error:
            said = str(error)
        assert "\n" not in said

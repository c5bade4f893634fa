"""GPT-2's files and tiktoken's ranks give what ``tokenizers`` and ``tiktoken`` give, on hostile
text, and these packages read what lmkit writes.
"""

from __future__ import annotations

import random
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings

from lmkit.text.subwords.alphabet import unspell
from lmkit.text.subwords.formats import read, write
from lmkit.text.subwords.formats.tiktoken_ranks import as_text
from lmkit.text.tokenizers.bpe import BpeTokenizer

from ..tokenizer_files import (
    HOSTILE,
    SAMPLED,
    TEXT,
    ids_of,
)
from .conftest import oracle

PATTERNS = {
    "gpt2": r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s",
    "gpt4": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+"
    r"| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
    "gpt4o": r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+"
    r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"\p{L}+|\d": r"\p{L}+|\d",
}
"""OpenAI's patterns, as the package has them; the last one leaves text out."""


@pytest.fixture(scope="module")
def learnt() -> BpeTokenizer:
    """BPE that lmkit has learnt."""
    chunk = "".join(f"{line}\n" for line in TEXT).encode()
    return BpeTokenizer.learn([chunk], vocabulary_size=420, special_tokens=["<|x|>"])


def ranks_of(tokenizer: BpeTokenizer) -> dict[bytes, int]:
    """Its tokens but the special one, and their ids."""
    return {unspell(token): k for k, token in enumerate(tokenizer.vocabulary[:-1])}


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("special_id", [419, 430])
def test_tiktoken_gives_the_same_ids(
    learnt: BpeTokenizer, tmp_path: Path, pattern: str, special_id: int
) -> None:
    tiktoken = oracle("tiktoken")
    ranks = ranks_of(learnt)
    special = {"<|x|>": special_id}
    theirs = tiktoken.Encoding(
        "x", pat_str=PATTERNS[pattern], mergeable_ranks=ranks, special_tokens=special
    )
    path = tmp_path / "x.tiktoken"
    path.write_text(as_text(ranks))
    marked = read(path, pattern=pattern, special_tokens=special)
    plain = read(path, pattern=PATTERNS[pattern])
    ids, ordinary = ids_of(marked), ids_of(plain)

    @given(HOSTILE)
    def same(text: str) -> None:
        expected = theirs.encode(text, allowed_special="all")
        assert ids(text) == expected
        assert ordinary(text) == theirs.encode_ordinary(text)
        assert marked.join(marked.tokenize(text)) == theirs.decode(expected)

    same()
    for text in SAMPLED:
        same.hypothesis.inner_test(text)


def test_ranks_that_are_no_merges_are_the_same(tmp_path: Path) -> None:
    """Ranks in any order: tokens that no merge makes, and that many could make."""
    tiktoken = oracle("tiktoken")
    generator = random.Random(5)
    for _ in range(25):
        words = {"".join(generator.choices("abc", k=generator.randint(2, 5))) for _ in range(12)}
        tokens = [bytes([byte]) for byte in range(256)] + [word.encode() for word in words]
        generator.shuffle(tokens)
        ranks = {token: rank for rank, token in enumerate(tokens)}
        path = tmp_path / "x.tiktoken"
        path.write_text(as_text(ranks))
        theirs = tiktoken.Encoding(
            "x", pat_str=PATTERNS["gpt2"], mergeable_ranks=ranks, special_tokens={}
        )
        ids = ids_of(read(path, pattern="gpt2"))
        for _ in range(80):
            text = "".join(generator.choices("abc ", weights=[9, 9, 9, 1], k=14))
            assert ids(text) == theirs.encode_ordinary(text)


def test_what_lmkit_learns_is_the_same_to_the_packages(
    hf: ModuleType, learnt: BpeTokenizer, tmp_path: Path
) -> None:
    tiktoken = oracle("tiktoken")
    write(learnt, tmp_path / "tokenizer.json")
    write(learnt, tmp_path / "ranks.tiktoken", "tiktoken")
    folder = write(learnt, tmp_path / "gpt2", "gpt2")[0].parent
    theirs = hf.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    two = hf.ByteLevelBPETokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    two.add_special_tokens(["<|x|>"])
    encoding = tiktoken.Encoding(
        "x",
        pat_str=PATTERNS["gpt2"],
        mergeable_ranks=oracle("tiktoken.load").load_tiktoken_bpe(str(tmp_path / "ranks.tiktoken")),
        special_tokens={"<|x|>": 419},
    )
    assert read(tmp_path / "tokenizer.json") == read(folder) == learnt
    ids = ids_of(learnt)

    @given(HOSTILE)
    def same(text: str) -> None:
        expected = ids(text)
        assert theirs.encode(text).ids == expected == two.encode(text).ids
        assert encoding.encode(text, allowed_special="all") == expected

    same()


@pytest.mark.parametrize("pattern", ["gpt4", "none", r"[a-z]+|\s+"])
def test_learnt_with_another_pattern(hf: ModuleType, tmp_path: Path, pattern: str) -> None:
    chunk = "".join(f"{line}\n" for line in TEXT).encode()
    learnt = BpeTokenizer.learn([chunk], vocabulary_size=400, pattern=pattern)
    write(learnt, tmp_path / "tokenizer.json")
    theirs = hf.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    ids = ids_of(learnt)

    @given(HOSTILE)
    @settings(max_examples=50)
    def same(text: str) -> None:
        assert theirs.encode(text).ids == ids(text)

    same()


@pytest.mark.data
@pytest.mark.slow
def test_gpt2_itself(hf: ModuleType, shared_data: Path) -> None:
    folder = shared_data / "bpe"
    if not folder.is_dir():
        pytest.skip("GPT-2's two files are not there")
    theirs = hf.ByteLevelBPETokenizer(str(folder / "encoder.json"), str(folder / "vocab.bpe"))
    ours = read(folder)
    assert isinstance(ours, BpeTokenizer)
    ids = ids_of(ours)

    @given(HOSTILE.map(lambda text: text.replace("<|x|>", "")))
    def same(text: str) -> None:
        assert ids(text) == theirs.encode(text).ids

    same()
    assert ids("a<|endoftext|>b") == [64, 50256, 65]

"""Whole texts through imported tokenizers: the tokens are those of each line by itself."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmkit.errors import TextError
from lmkit.text.lexicon import Lexicon
from lmkit.text.subwords.charsmap import SentencePieceNormalizer
from lmkit.text.tokenizers.base import LineBulk
from lmkit.text.tokenizers.imported import ImportedTokenizer
from lmkit.text.tokenizers.word_bulk import WordBulk

from ..tokenizer_files import HOSTILE, LINES, ODD, SAMPLED

BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
LETTERS = "▁abcdehiknorst',.gé"
WORDS = ("th", "the", "▁the", "▁", "in", "ing", "ki", "king", "ca", "cat", "an", "and", "▁▁", "..")
MERGES = ("t h", "th e", "▁ the", "i n", "in g", "k ing", "c a", "ca t", "▁ ▁", ". .", "a n",
          "an d", "▁ cat", "o g", "d og")  # fmt: skip
SENTENCEPIECE = {"type": "SentencePiece", "symbols": []}


def scored(words: tuple[str, ...]) -> list[list[Any]]:
    rows = [["<unk>", 0.0], *([letter, -3.1] for letter in LETTERS if letter not in words)]
    return [*rows, *([word, -1.7 * len(word)] for word in words)]


def unigram(
    words: tuple[str, ...] = WORDS, uneven: float = 0.0, **normalizer: Any
) -> ImportedTokenizer:
    """As sentencepiece has it. Scores are such that many sums are equal, but for rounding."""
    symbols = normalizer.get("symbols", [])
    return ImportedTokenizer(
        {"type": "SentencePieceUnigram", "unknown": ["<unk>"], "symbols": symbols},
        [
            *([piece, score - uneven * k] for k, (piece, score) in enumerate(scored(words))),
            *([symbol, 0.0] for symbol in symbols),
        ],
        normalizer=SENTENCEPIECE | normalizer,
    )


def with_bytes() -> ImportedTokenizer:
    rows = [*scored(WORDS), *([byte, 0.0] for byte in BYTES)]
    model = {"type": "SentencePieceUnigram", "unknown": ["<unk>"], "byte_fallback": True}
    return ImportedTokenizer({**model, "bytes": BYTES}, rows, normalizer=SENTENCEPIECE)


def bpe(model: dict[str, Any], added: tuple[dict[str, Any], ...] = (), **parts: Any) -> Any:
    merges = [merge.split() for merge in MERGES]
    tokens = dict.fromkeys([
        "<unk>", "<s>", *BYTES, *LETTERS, *(letter for merge in merges for letter in merge),
        *("".join(merge) for merge in merges)
    ])  # fmt: skip
    rows = [[token, None] for token in tokens]
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "special"), False)
    tokens_added = [
        {**flags, "id": len(rows) + k, "normalized": True, **one} for k, one in enumerate(added)
    ]
    return ImportedTokenizer(
        {"type": "BPE", **model}, rows, merges, added_tokens=tokens_added, **parts
    )


LLAMA = {
    "type": "Sequence",
    "normalizers": [
        {"type": "Prepend", "prepend": "▁"},
        {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
    ],
}
UNKNOWN = {"unk_token": "<unk>", "fuse_unk": True}
METASPACE = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
ADDED = (
    {"content": "<mask>", "lstrip": True, "rstrip": True},
    {"content": "cats", "single_word": True},
    {"content": "Hello", "normalized": False},
)


def sentencepiece_bpe() -> ImportedTokenizer:
    rows = [["<unk>", 0.0], *([piece, -float(k)] for k, piece in enumerate((*WORDS, *LETTERS[1:])))]
    return ImportedTokenizer(
        {"type": "SentencePieceBPE", "unknown": ["<unk>"]}, rows, normalizer=SENTENCEPIECE
    )


def hugging_face_unigram(**parts: Any) -> ImportedTokenizer:
    return ImportedTokenizer({"type": "Unigram", "unk_id": 0}, scored(WORDS), **parts)


FAST = {
    "unigram": unigram(),
    "unigram, all spaces": unigram(remove_extra_whitespaces=False, add_dummy_prefix=False),
    "unigram, symbols": unigram(symbols=["<mask>", "king's", "e\u0301", "▁dog"]),
    "unigram, few ties": unigram(uneven=0.013),
    "unigram, bytes": with_bytes(),
    "sentencepiece's bpe": sentencepiece_bpe(),
    "llama": bpe({**UNKNOWN, "byte_fallback": True}, normalizer=LLAMA),
    "llama, added tokens": bpe(UNKNOWN, ADDED, normalizer=LLAMA),
    "metaspace": bpe(UNKNOWN, ADDED, pre_tokenizer=METASPACE, normalizer={"type": "NFKC"}),
    "first": bpe(UNKNOWN, pre_tokenizer=METASPACE | {"prepend_scheme": "first", "split": False}),
    "words": hugging_face_unigram(
        pre_tokenizer={
            "type": "Sequence",
            "pretokenizers": [{"type": "WhitespaceSplit"}, METASPACE],
        },
        normalizer={"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Lowercase"}]},
    ),
    "bert": hugging_face_unigram(
        pre_tokenizer={"type": "BertPreTokenizer"},
        normalizer={
            "type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
            "strip_accents": None, "lowercase": True,
        },
    ),
    "marks off": hugging_face_unigram(
        pre_tokenizer={"type": "Whitespace"},
        normalizer={
            "type": "Sequence",
            "normalizers": [{"type": "NFKD"}, {"type": "StripAccents"}],
        },
    ),
    "byte level": bpe(
        UNKNOWN,
        pre_tokenizer={"type": "ByteLevel", "add_prefix_space": True},
        normalizer={"type": "NFD"},
        decoder={"type": "ByteLevel"},
    ),
    "doubles": hugging_face_unigram(normalizer=LLAMA),
}  # fmt: skip
SLOW = {
    "no unknown token": bpe({}, normalizer=LLAMA),
    "a piece goes on into the next word": unigram((*WORDS, "the▁king")),
    "a symbol does": unigram(symbols=["the king"]),
    "a merge does": bpe(
        UNKNOWN, normalizer={"type": "Replace", "pattern": {"String": "s "}, "content": "s▁"}
    ),
    "an added token does": bpe(UNKNOWN, ({"content": "the king"},), normalizer=LLAMA),
    "space behind": unigram(treat_whitespace_as_suffix=True),
    "unknown spaces": unigram((*(word for word in WORDS if word[0] != "▁"), "a▁")),
    "cut by a pattern": bpe(
        UNKNOWN,
        pre_tokenizer={
            "type": "Split", "pattern": {"Regex": "[a-z] [a-z]"}, "behavior": "Isolated",
            "invert": False,
        },
    ),
}  # fmt: skip
SPACED = st.lists(
    st.one_of(HOSTILE, st.sampled_from((" ", " ", "  ", "\n", *LINES))), max_size=12
).map("".join)


def by_lines(tokenizer: ImportedTokenizer, text: str) -> list[str]:
    lexicon = Lexicon("word")
    numbers = LineBulk(tokenizer, None, lexicon)(text.encode())
    return [lexicon.tokens[number] for number in numbers]


@pytest.mark.parametrize("name", FAST)
def test_the_tokens_are_those_of_the_lines(name: str) -> None:
    tokenizer = FAST[name]
    lexicon = Lexicon("word")
    bulk = tokenizer.bulk(None, lexicon)  # one for all texts: it remembers words
    assert isinstance(bulk, WordBulk)

    def same(text: str) -> None:
        numbers = bulk((text + "\n").encode())
        assert numbers.dtype == np.int32
        tokens = [lexicon.tokens[number] for number in numbers]
        assert tokens == by_lines(tokenizer, text + "\n")

    same("the king and the cat\nand the cat")
    assert np.count_nonzero(bulk._allowed.values > 0) > 3  # these need no line
    settings(max_examples=20, deadline=None)(given(SPACED)(same))()
    for text in (
        "", " ", "\n", "\n\n  \n", " the\n the \nthe", "\u0600 the", "the\u200b the", "▁ the▁ the",
        "\x00▁ the", "\x00▁ \x00", "the▁\x7f the",
        "\x01 \x01the", *(" ".join(random.Random(k).choices(ODD, k=60)) for k in range(4)),
        " ".join(SAMPLED[0].split()[:60]), "<mask> the cat", "the  <mask>  cats cat. Hello",
    ):  # fmt: skip
        same(text)
    generator = random.Random(3)  # so many words that they are merged together
    words = (
        "".join(generator.choices("thekingcado'.", k=generator.randint(1, 9))) for _ in "a" * 300
    )
    same(" ".join((*words, "thekingcat" * 12)))


@pytest.mark.parametrize("name", SLOW)
def test_what_goes_on_into_the_next_word_goes_by_lines(name: str) -> None:
    assert isinstance(SLOW[name].bulk(None, Lexicon("word")), LineBulk)


def test_words_are_merged_over_a_character_that_is_left_out() -> None:
    tokenizer = SLOW["no unknown token"]
    # Six marks in a row, once the tab between the last two is gone, as in the package.
    assert tokenizer.tokenize("    \t▁") == ["▁▁", "▁▁", "▁▁"]


def test_where_rounding_decides_the_line_is_cut_whole() -> None:
    """Sums of floats depend on what stands before: words of nearly equal segmentations."""
    generator = random.Random(5)
    differ = 0
    for _ in range(25):
        words = {"".join(generator.choices("ab", k=generator.randint(1, 4))) for _ in range(10)}
        rows = [["<unk>", 0.0], ["▁", -2.3]]
        rows += [[word, generator.choice((-1.1, -0.7, -2.2)) * len(word)] for word in sorted(words)]
        tokenizer = ImportedTokenizer(
            {"type": "SentencePieceUnigram", "unknown": ["<unk>"]}, rows, normalizer=SENTENCEPIECE
        )
        lines = [
            " ".join("".join(generator.choices("ab", k=generator.randint(1, 9))) for _ in range(30))
            for _ in range(4)
        ]
        text = "\n".join(lines) + "\n"
        lexicon = Lexicon("word")
        numbers = tokenizer.bulk(None, lexicon)(text.encode())
        assert [lexicon.tokens[number] for number in numbers] == by_lines(tokenizer, text)
        alone = [token for word in text.split() for token in tokenizer.tokenize(word)]
        differ += alone != [token for token in by_lines(tokenizer, text) if token != "</s>"]
    assert differ > 5  # else the test shows nothing


def test_lone_bytes_are_refused_as_by_lines() -> None:
    for name in ("unigram", "llama"):
        with pytest.raises(TextError, match="surrogate"):
            FAST[name].bulk(None, Lexicon("word"))(b"the \xff cat\n")


@given(st.text(st.sampled_from(" ab~\x7f\té"), max_size=8), st.booleans(), st.booleans())
def test_ascii_is_normalized_as_all_else_is(text: str, dummy: bool, single: bool) -> None:
    options = {"add_dummy_prefix": dummy, "remove_extra_whitespaces": single}
    for behind in (False, True):
        quick = SentencePieceNormalizer(None, treat_whitespace_as_suffix=behind, **options)
        slow = SentencePieceNormalizer(None, treat_whitespace_as_suffix=behind, **options)
        slow._ascii_stays = False
        assert quick(text) == slow(text)

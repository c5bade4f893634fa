"""Tokenizer files that are refused, by the part that lmkit does not have or the damage to them; and
what can be written for others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lmkit.errors import (
    FormatError,
    LmkitError,
    UnsupportedError,
    UsageError,
)
from lmkit.text.subwords.alphabet import CHARACTERS
from lmkit.text.subwords.formats import read, write
from lmkit.text.subwords.formats.hugging_face import from_json
from lmkit.text.subwords.formats.sentencepiece_model import from_bytes
from lmkit.text.tokenizers.bpe import BpeTokenizer
from lmkit.text.tokenizers.byte_bpe import byte_bpe
from lmkit.text.tokenizers.imported import ImportedTokenizer
from lmkit.text.tokenizers.making import as_tokenizer

from ..tokenizers_by_hand import (
    BYTE_LEVEL,
    BYTES,
    LETTERS,
    PAIRS,
    PIECES,
    UNIGRAM,
    VOCAB_TXT,
    bpe_json,
    mark,
    ranks_text,
    sentencepiece,
    some_tokenizers,
    writer,
)


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str, Any], Path]:
    """Writes a file of that name."""
    return writer(tmp_path)


OTHERS: list[tuple[str, dict[str, Any], str]] = [
    ("normalizer", {"type": "Nmt"}, "normalizer 'Nmt'"),
    ("normalizer", {"type": "Lowercase", "locale": "tr"}, "option 'locale' of the normalizer"),
    ("normalizer", {"type": "Sequence", "normalizers": [{"type": "X"}]}, "normalizer 'X'"),
    ("pre_tokenizer", {"type": "UnicodeScripts"}, "pre-tokenizer 'UnicodeScripts'"),
    ("pre_tokenizer", {**BYTE_LEVEL, "x": 1}, "option 'x' of the pre-tokenizer ByteLevel"),
    ("decoder", {"type": "CTC", "pad_token": "-"}, "decoder 'CTC'"),
    ("model", {"type": "WordLevel"}, "model 'WordLevel'"),
    ("model", {"dropout": 0.5}, "dropout"),
    ("model", {"trained_by": "me"}, "option 'trained_by' of the model BPE"),
    ("version", "2.0", "version 2.0"),  # type: ignore[list-item]
    ("plugins", [], "key 'plugins'"),  # type: ignore[list-item]
]
PATTERNS = [r"[a-z&&[aeiou]]", r"\p{N}{1,3}+", r"\bx", r"(?m:.)", "(", r"\X", r"\p{Nonsense}"]
OTHERS += [
    (
        "pre_tokenizer",
        {"type": "Split", "pattern": {"Regex": one}, "behavior": "Isolated", "invert": False},
        "pattern of the pre-tokenizer Split",
    )
    for one in PATTERNS
]


@pytest.mark.parametrize(("part", "value", "named"), OTHERS)
def test_a_part_that_lmkit_does_not_have_is_named(part: str, value: Any, named: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        from_json(bpe_json(**{part: value}))
    assert named in str(caught.value) and "\n" not in str(caught.value)


DAMAGED: list[tuple[dict[str, Any], str]] = [
    ({"model": {"vocab": {"a": 0, "b": 0}}}, "both have the id 0"),
    ({"model": {"vocab": {"a": 0, "b": 2}, "merges": []}, "added_tokens": []}, "the id 1"),
    ({"model": {"vocab": {"a": -1}}}, "the id -1"),
    ({"model": {"vocab": {"a": 0.5}}}, "not a whole number"),
    ({"model": {"vocab": {"a": True}}}, "not a whole number"),
    ({"model": {"vocab": []}}, "not an object"),
    ({"model": {"vocab": {}, "merges": []}, "added_tokens": []}, "empty"),
    ({"model": {"merges": [["t", "q"]]}}, "'tq', which is not in its vocabulary"),
    ({"model": {"merges": [["t", "h", "e"]]}}, "not a merge"),
    ({"model": {"merges": ["t  h"]}}, "not a merge"),
    ({"model": {"merges": None}}, "not a list"),
    ({"model": {"unk_token": "[UNK]"}}, "[UNK]"),
    ({"model": {"unk_token": 5}}, "not text"),
    ({"model": {"byte_fallback": "yes"}}, "not true or false"),
    (
        {
            "model": {"vocab": {**{one: k for k, one in enumerate(LETTERS)}, "\ud800": 259}},
            "added_tokens": [],
        },
        "lone",
    ),
    ({"added_tokens": [mark(258, "<|x|>")]}, "give it 259"),
    ({"added_tokens": [mark(300, "<|x|>")]}, "give it 259"),
    ({"added_tokens": [{"id": 259}]}, "has no 'content'"),
    ({"added_tokens": [mark(259, "x", color="red")]}, "'color'"),
    ({"added_tokens": 5}, "not a list"),
    ({"pre_tokenizer": {"type": "Digits"}}, "no 'individual_digits'"),
    ({"pre_tokenizer": "ByteLevel"}, "not an object"),
    ({"pre_tokenizer": {"type": "Punctuation", "behavior": "Gone"}}, "Gone"),
    ({"pre_tokenizer": {"type": "FixedLength", "length": 0}}, "0"),
    ({"normalizer": {"type": "Replace", "pattern": {}, "content": ""}}, "neither"),
    ({"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}}, "cut off"),
    ({"normalizer": {"type": "Precompiled", "precompiled_charsmap": "%"}}, "base64"),
]


@pytest.mark.parametrize(("changed", "said"), DAMAGED)
def test_a_damaged_tokenizer_json_is_refused_in_one_line(
    changed: dict[str, Any], said: str
) -> None:
    with pytest.raises(FormatError) as caught:
        from_json(bpe_json(**changed))
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([["<unk>", 0.0], ["a", float("nan")]], "nan"),
        ([["<unk>", 0.0], ["a", "b"]], "not a number"),
        ([["<unk>", 0.0], ["a"]], "not a piece"),
        ([["<unk>", 0.0], ["a", -1.0], ["a", -2.0]], "twice"),
        ([["a", None]], "no score"),
        ([], "empty"),
    ],
)
def test_damaged_pieces(rows: list[Any], said: str) -> None:
    values = {**UNIGRAM, "model": {**UNIGRAM["model"], "vocab": rows}}  # type: ignore[dict-item]
    with pytest.raises(FormatError, match=said):
        from_json(values)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", '{"model": ', "not whole JSON"),
        ("a.json", "[" * 100_000, "not whole JSON"),
        ("a.json", '{"model": {"type": "Unigram", "vocab": [["a", NaN]]}}', "NaN is not a number"),
        ("a.json", '{"model": 1' + "0" * 9000 + "}", "not whole JSON"),
        ("a.json", '{"a": 0, "a": 1}', "stands twice"),
        ("a.json", '{"a": "b"}', "no tokenizer"),
        ("a.json", "[1]", "no tokenizer"),
        ("a.bin", b"\xff\xfe\x00", "neither text"),
        ("a.bin", b"", "empty"),
        ("a.bin", b"SQLite format 3\0" + bytes(99), "lmkit's own"),
        ("a.txt", "some\nwords\n", "no tokenizer"),
        ("vocab.txt", VOCAB_TXT + "un\n", "twice"),
        ("vocab.txt", "[UNK]\n\nun\n", "line 2"),
        ("merges.txt", "#version: 0.2\na b\n", "not beside it"),
        ("vocab.json", '{"a": 0}', "not beside it"),
        ("x.tiktoken", "YQ== 0\nYQ= 1\n", "line 2"),
        ("x.tiktoken", "YQ== 0\nYg== x\n", "line 2"),
        ("x.tiktoken", "YQ== 0\nYg== 0\n", "lines 1 and 2"),
        ("x.tiktoken", "YQ== 0\nYQ== 1\n", "lines 1 and 2"),
        ("x.tiktoken", "YQ== 0\n", "0x00 has no rank"),
        ("x.tiktoken", ranks_text(BYTES) + "YWI= 300\n", "the rank 256"),
        ("x.tiktoken", ranks_text(BYTES), "does not say how text is cut"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(
    name: str, content: Any, said: str, file: Callable[[str, Any], Path]
) -> None:
    path = file(name, content)
    with pytest.raises(LmkitError) as caught:
        read(path)
    assert said in str(caught.value) and str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x0f", "cut off"),  # a piece of 2^60 bytes
        (b"\x0a\x05\x0a", "cut off"),
        (b"\x0a" + b"\xff" * 12, "cut off"),
        (b"\x0a\x02\x0a\x00", "empty"),
        (b"\x08\x01", "a number where a message belongs"),
        (b"\x0b\x0c", "cut off"),
        (b"\x1a\x00", "no pieces"),
        (sentencepiece([("a", 0.0, 1)]), "one unknown piece"),
        (sentencepiece([("<unk>", 0.0, 2), ("u2", 0.0, 2)]), "one unknown piece"),
        (sentencepiece([*PIECES, ("a", 0.0, 1)]), "twice"),
        (sentencepiece([*PIECES, ("c", float("nan"), 1)]), "nan"),
        (sentencepiece([*PIECES, ("c", float("inf"), 1)]), "inf"),
        (sentencepiece([*PIECES, ("c", 0.0, 9)]), "unknown kind 9"),
        (sentencepiece([*PIECES, ("<0x00>", 0.0, 6)]), "byte pieces"),
        (sentencepiece(PIECES, b"\x18\x01\x98\x02\x01"), "byte pieces"),
        (sentencepiece(PIECES, rules=b"\x12\x03abc"), "cut off"),
        (sentencepiece(PIECES, rules=b"\x12\x09\xff\xff\xff\xff12345"), "cut off"),
    ],
)
def test_a_damaged_sentencepiece_model_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(FormatError, match=said):
        from_bytes(data)


@pytest.mark.parametrize(
    ("trainer", "rules", "said"),
    [
        (b"\x18\x03", b"", "type word"),
        (b"\x18\x04", b"", "type char"),
        (b"\x18\x01", b"\x28\x00", "escape_whitespaces"),
    ],
)
def test_a_sentencepiece_model_of_another_kind_is_named(
    trainer: bytes, rules: bytes, said: str
) -> None:
    with pytest.raises(UnsupportedError, match=said):
        from_bytes(sentencepiece(PIECES, trainer, rules))


def test_every_beginning_of_a_model_is_refused_or_read() -> None:
    whole = sentencepiece(PIECES, rules=b"\x12\x06\x04\0\0\0\0\0")
    for size in range(1, len(whole)):
        try:
            from_bytes(whole[:size]).tokenize("ab")
        except (FormatError, UnsupportedError) as error:
            assert "\n" not in str(error)  # noqa: PT017


# ---------------------------------------------------------------- writing


def test_kinds_that_hold_a_tokenizer_and_those_that_do_not(tmp_path: Path) -> None:
    bpe, unigram, model, words = some_tokenizers()
    learnt = BpeTokenizer([("t", "h"), ("th", "e")], "gpt4", ["<|x|>"])
    for tokenizer, kind in (
        (bpe, "vocab.txt"),
        (unigram, "gpt2"),
        (unigram, "tiktoken"),
        (model, "tokenizer.json"),
        (words, "gpt2"),
        (learnt, "gpt2"),
        (as_tokenizer("word"), "tokenizer.json"),
    ):
        with pytest.raises(UnsupportedError):
            write(tokenizer, tmp_path / "out", kind)
    assert not list(tmp_path.iterdir())
    with pytest.raises(UsageError, match="no kind"):
        write(bpe, tmp_path / "out", "gpt3")
    write(words, tmp_path / "vocab.txt", "vocab.txt")
    assert read(tmp_path / "vocab.txt") == words
    write(bpe, tmp_path / "ranks", "tiktoken")
    again = read(tmp_path / "ranks", pattern="gpt2", special_tokens={"<|x|>": 259})
    assert isinstance(again, ImportedTokenizer)
    assert again.ids_of("the <|x|>") == bpe.ids_of("the <|x|>")
    write(learnt, tmp_path / "t.json")
    assert read(tmp_path / "t.json") == learnt


def test_merges_out_of_the_order_of_ids_are_no_ranks(tmp_path: Path) -> None:
    swapped = [*CHARACTERS, "the", "th"]
    values = bpe_json(
        model={"vocab": {one: k for k, one in enumerate(swapped)}, "merges": PAIRS[:2]},
        added_tokens=[],
    )
    with pytest.raises(UnsupportedError, match="order of their merges"):
        write(from_json(values), tmp_path / "ranks", "tiktoken")


def test_only_what_is_the_same_goes_the_fast_way() -> None:
    plain = from_json(bpe_json())
    assert plain._quick is not None and plain._quick.tokenize(" the") == ["Ġthe"]
    for changed in (
        {"normalizer": {"type": "NFC"}},
        {"added_tokens": [mark(259, "<|x|>", lstrip=True)]},
        {"added_tokens": [mark(259, "ж")]},
        {"pre_tokenizer": {**BYTE_LEVEL, "add_prefix_space": True}},
        {"decoder": None},
        {"model": {"merges": [*PAIRS, PAIRS[0]]}},
        {"model": {"ignore_merges": True, "merges": PAIRS[:1]}},
    ):
        tokenizer = from_json(bpe_json(**changed))
        found = byte_bpe(
            tokenizer.parts, tokenizer.model_ids, tokenizer.merges, tokenizer.added_tokens
        )
        assert found is None

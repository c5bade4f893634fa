"""Tokenizer files of others, made by hand: what they give, what is refused and how, and models
over them. The packages that they come from are asked in ``tests/oracle``."""

from __future__ import annotations

import base64
import io
import itertools
import json
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lmkit
from lmkit.errors import (
    FormatError,
    LmkitError,
    ModelFileError,
    TextError,
    UnsupportedError,
    UsageError,
)
from lmkit.text.lexicon import Lexicon
from lmkit.text.settings import TextSettings
from lmkit.text.subwords.alphabet import CHARACTERS
from lmkit.text.subwords.foreign_unigram import ForeignUnigram
from lmkit.text.subwords.formats import read, write
from lmkit.text.subwords.formats.hugging_face import from_json
from lmkit.text.subwords.formats.sentencepiece_model import from_bytes
from lmkit.text.subwords.wordpiece import WordPiece
from lmkit.text.tokenizers.bpe import BpeTokenizer
from lmkit.text.tokenizers.byte_bpe import byte_bpe
from lmkit.text.tokenizers.imported import ImportedTokenizer
from lmkit.text.tokenizers.making import as_tokenizer, written
from lmkit.text.tokenizers.wordpiece import WordPieceTokenizer

from ..tokenizer_files import HOSTILE

# ---------------------------------------------------------------- files by hand

BYTE_LEVEL = {
    "type": "ByteLevel",
    "add_prefix_space": False,
    "trim_offsets": True,
    "use_regex": True,
}
PAIRS = [["t", "h"], ["th", "e"], ["Ġ", "the"]]
LETTERS = [*CHARACTERS, *(left + right for left, right in PAIRS)]


def bpe_json(**changed: Any) -> dict[str, Any]:
    """A ``tokenizer.json`` of byte-level BPE: the bytes, ``th``, ``the``, ``Ġthe``, a mark."""
    model = {"type": "BPE", "vocab": {one: k for k, one in enumerate(LETTERS)}, "merges": PAIRS}
    values = {
        "version": "1.0",
        "added_tokens": [mark(259, "<|x|>")],
        "normalizer": None,
        "pre_tokenizer": BYTE_LEVEL,
        "decoder": BYTE_LEVEL,
        "model": model | changed.pop("model", {}),
    }
    return values | changed


def mark(number: int, content: str, **changed: Any) -> dict[str, Any]:
    """An added token."""
    return {
        "id": number, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
        "normalized": False, "special": True, **changed,
    }  # fmt: skip


UNIGRAM = {
    "version": "1.0",
    "added_tokens": [],
    "normalizer": {"type": "NFKC"},
    "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "add_prefix_space": True},
    "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"},
    "model": {
        "type": "Unigram",
        "unk_id": 0,
        "vocab": [["<unk>", 0.0], ["▁", -2.0], ["a", -3.0], ["b", -3.0], ["▁ab", -4.0],
                  ["\t", -9.0]],
    },
}  # fmt: skip
VOCAB_TXT = "[PAD]\n[UNK]\n[CLS]\n[MASK]\nun\n##aff\n##able\n,\n東\naff\n"


def sentencepiece(
    pieces: list[tuple[str, float, int]], trainer: bytes = b"\x18\x01", rules: bytes = b""
) -> bytes:
    """A ``.model``: pieces with their scores and kinds, the trainer's and the normalizer's spec."""

    def field(number: int, content: bytes) -> bytes:
        size = len(content)
        length = bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])
        return bytes([number << 3 | 2]) + length + content

    data = b""
    for piece, score, kind in pieces:
        scored = b"\x15" + struct.pack("<f", score)
        data += field(1, field(1, piece.encode()) + scored + b"\x18" + bytes([kind]))
    return data + field(2, trainer) + field(3, rules)


PIECES = [
    ("<unk>", 0.0, 2), ("<s>", 0.0, 3), ("▁", -2.0, 1), ("a", -3.0, 1), ("b", -3.0, 1),
    ("▁ab", -4.0, 1), ("<x>", 0.0, 4),
]  # fmt: skip


def ranks_text(tokens: list[bytes]) -> str:
    return "".join(f"{base64.b64encode(token).decode()} {k}\n" for k, token in enumerate(tokens))


BYTES = [bytes([byte]) for byte in range(256)]


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str, Any], Path]:
    """Writes a file of that name."""

    def make(name: str, content: Any) -> Path:
        path = tmp_path / name
        if isinstance(content, dict):
            content = json.dumps(content)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return make


# ---------------------------------------------------------------- what they give


def test_byte_level_bpe_is_lmkits_own_where_the_ids_are_too() -> None:
    tokenizer = from_json(bpe_json())
    # The bytes are in the order of their code here, and "th", "the", "Ġthe" have 256 to 258.
    assert tokenizer.ids_of("the the<|x|>é") == [257, 258, 259, 0xC3, 0xA9]
    assert tokenizer.tokenize(" thé") == ["Ġ", "th", "Ã", "©"]
    assert tokenizer.text_of([258, 0xC3]) == " the\ufffd"
    assert tokenizer.simplest() is tokenizer  # GPT-2's order of the bytes is another one
    assert tokenizer.keeps_spaces and tokenizer.end_width == 1
    assert tokenizer.vocabulary == (*LETTERS, "<|x|>")


def test_gpt2s_files_become_bpe(file: Callable[[str, Any], Path]) -> None:
    learnt = BpeTokenizer([("t", "h"), ("th", "e")], special_tokens=["<|end|>"])
    vocabulary = {token: k for k, token in enumerate(learnt.vocabulary)}
    merges = file("merges.txt", "#version: 0.2\nt h\nth e\n")
    path = file("vocab.json", vocabulary)
    assert read(path) == read(merges) == read(path.parent) == learnt
    assert learnt.tokenize("the<|end|>") == ["the", "<|end|>"]
    file("my-merges.txt", "t h\nth e")
    assert read(file("my-vocab.json", vocabulary)) == learnt


def test_ids_of_a_file_need_not_be_in_the_order_of_merges(tmp_path: Path) -> None:
    ids = {token: 300 - k for k, token in enumerate(LETTERS)}
    ids |= {f"pad{k}": k for k in range(42)}
    tokenizer = from_json(bpe_json(model={"vocab": ids}, added_tokens=[]))
    assert tokenizer.ids_of("the") == [300 - 257]
    assert tokenizer.vocabulary[42] == "Ġthe"  # the smallest id after the 42
    assert write(tokenizer, tmp_path / "out.json") == [tmp_path / "out.json"]
    assert read(tmp_path / "out.json") == tokenizer


def test_ranks_of_tiktoken(file: Callable[[str, Any], Path]) -> None:
    path = file("x.tiktoken", ranks_text([*BYTES, b"th", b"the", b" the"]))
    tokenizer = read(path, pattern="gpt2", special_tokens={"<|x|>": 300})
    assert isinstance(tokenizer, ImportedTokenizer)
    assert tokenizer.ids_of("the the<|x|>") == [257, 258, 300]
    assert tokenizer.join(tokenizer.tokenize("the <|x|>")) == "the <|x|>"
    plain = read(path, pattern=r"\p{L}+")
    assert isinstance(plain, ImportedTokenizer)
    assert plain.ids_of("the the") == [257, 257]  # what the pattern leaves out is lost
    assert not plain.keeps_spaces


def test_a_token_that_no_merge_makes_is_found_as_a_whole_piece(
    file: Callable[[str, Any], Path],
) -> None:
    path = file("x.tiktoken", ranks_text([*BYTES, b"abc"]))
    tokenizer = read(path, pattern="gpt2")
    assert isinstance(tokenizer, ImportedTokenizer)
    assert tokenizer.ids_of("abc abc") == [256, 32, 97, 98, 99]
    # Ranks that fall: "ab" (256) is merged after nothing lower is left, then "abc" (255 + 2).
    path = file("y.tiktoken", ranks_text([*BYTES, b"abc", b"ab"]))
    tokenizer = read(path, pattern="gpt2")
    assert isinstance(tokenizer, ImportedTokenizer)
    assert tokenizer.ids_of("xabc") == [120, 256]
    with pytest.raises(UnsupportedError, match="there is no"):
        write(tokenizer, path.with_name("out.json"))


def test_unigram_by_hand() -> None:
    tokenizer = from_json(UNIGRAM)
    # "▁ab": -4 beats "▁" + "a" + "b", -8. "ﬁ" becomes "fi", both unknown: one token for both.
    assert tokenizer.ids_of("ab aab ﬁ") == [4, 1, 2, 2, 3, 1, 0]
    assert tokenizer.tokenize("ab ﬁ") == ["▁ab", "▁", "fi"]
    assert tokenizer.join(["▁ab", "▁", "fi"]) == "ab <unk>"
    assert tokenizer.widths(["▁ab", "▁", "fi"]).tolist() == [3, 1, 2]
    assert tokenizer.end_width == 0  # the mark in front stands for the line end
    assert tokenizer.vocabulary == ("▁", "a", "b", "▁ab", "<U+0009>")
    assert tokenizer.tokenize("\t") == ["▁", "<U+0009>"]


@given(
    st.dictionaries(st.text("ab", min_size=1, max_size=3), st.integers(-9, -1), min_size=1),
    st.text("abc", min_size=1, max_size=8),
)
def test_unigram_takes_a_best_segmentation(pieces: dict[str, int], text: str) -> None:
    """Against all segmentations. Scores are whole numbers, whose sums are exact."""
    rows = [("<unk>", 0.0), *((piece, float(score)) for piece, score in pieces.items())]
    unknown = min(0, *pieces.values()) - 10.0
    letters = {letter for letter in text if letter not in pieces}
    best = -np.inf
    for cuts in itertools.product([False, True], repeat=len(text) - 1):
        bounds = [0, *(k for k, cut in enumerate(cuts, 1) if cut), len(text)]
        parts = [text[a:b] for a, b in itertools.pairwise(bounds)]
        if all(part in pieces or part in letters for part in parts):
            best = max(best, sum(pieces.get(part, unknown) for part in parts))
    for single in (False, True):
        encoder = ForeignUnigram(rows, unknown=0, single=single)
        path = encoder._path(text)
        assert "".join(part for part, _ in path) == text
        assert sum(rows[k][1] if k else unknown for _, k in path) == best


def test_sentencepiece_by_hand() -> None:
    tokenizer = from_bytes(sentencepiece(PIECES))
    assert tokenizer.ids_of(" ab  ab<x>c") == [5, 5, 6, 0]
    assert tokenizer.text_of([5, 1, 5, 6, 0]) == "ab ab<x> \u2047 "
    assert tokenizer.tokenize("ab<s>") == ["▁ab", "<unk>"]  # a control piece is no text
    merged = from_bytes(sentencepiece(PIECES, b"\x18\x02"))
    # No pair makes "▁ab": neither "▁a" nor "ab" is a piece.
    assert merged.ids_of("ab") == [2, 3, 4]
    # "ab" (7) twice, from the left; then "▁ab" (5); "éa" (9) comes too late.
    longer = [*PIECES, ("ab", -1.0, 1), ("é", -5.0, 1), ("éa", -1.5, 1)]
    assert from_bytes(sentencepiece(longer, b"\x18\x02")).ids_of("abéab") == [5, 8, 7]


def test_wordpiece_by_hand(file: Callable[[str, Any], Path]) -> None:
    tokenizer = read(file("vocab.txt", VOCAB_TXT))
    assert isinstance(tokenizer, WordPieceTokenizer) and tokenizer.lowercase
    assert tokenizer.tokenize("UnÄffable, 東東 affx") == [
        "un", "##aff", "##able", ",", "東", "東", "affx",
    ]  # fmt: skip
    assert tokenizer.ids_of("un\x00able[MASK] affx") == [4, 6, 3, 1]
    assert tokenizer.join(["un", "##aff", "##able", ",", "affx"]) == "unaffable, [UNK]"
    assert tokenizer.widths(["un", "##aff", "affx"]).tolist() == [3, 3, 5]
    cased = read(file("vocab.txt", VOCAB_TXT + "Un\n"))
    assert cased.tokenize("Unable unable") == ["Un", "##able", "un", "##able"]
    lexicon = Lexicon("word")
    text = "un\x00able  東x\x0bun\n\n[MASK]un\n"
    numbers = tokenizer.bulk(None, lexicon)(text.encode())
    lines = [tokenizer.tokenize(line) for line in text.split("\n")[:-1]]
    expected = [token for line in lines for token in (*line, "</s>")]
    assert [lexicon.tokens[number] for number in numbers.tolist()] == expected


@given(st.sets(st.text("ab#", min_size=1, max_size=4)), st.text("abc", min_size=1, max_size=8))
def test_wordpiece_is_greedy(vocabulary: set[str], word: str) -> None:
    """Against the definition: the longest piece first, then the rest of the word."""
    ids = {token: k for k, token in enumerate(sorted(vocabulary))}

    def pieces(rest: str, begun: bool) -> list[str] | None:
        if not rest:
            return []
        for size in range(len(rest), 0, -1):
            piece = "##" * begun + rest[:size]
            if piece in vocabulary:
                behind = pieces(rest[size:], True)
                return None if behind is None else [piece, *behind]
        return None

    expected = pieces(word, False)
    found = WordPiece(ids, unknown=-7).encode(word)
    assert found == ([-7] if expected is None else [ids[piece] for piece in expected])


def test_added_tokens_by_hand() -> None:
    tokenizer = from_json(
        bpe_json(
            normalizer={"type": "Lowercase"},
            added_tokens=[
                mark(259, "<M>", lstrip=True),
                mark(260, "Ab", normalized=True, single_word=True, special=False),
                mark(261, "<M>!"),
            ],
        )
    )
    # The longest of two; white space to the left goes too; "ab" only as a word.
    assert tokenizer.ids_of("t \t<M>t<M>!") == [116, 259, 116, 261]
    assert tokenizer.ids_of("AB xab") == [260, 32, 120, 97, 98]
    assert tokenizer.text_of([260, 259]) == "ab<M>"


# ---------------------------------------------------------------- values and models


def some_tokenizers() -> list[ImportedTokenizer]:
    wordpiece = WordPieceTokenizer([[token, None] for token in VOCAB_TXT.split()])
    return [from_json(bpe_json()), from_json(UNIGRAM), from_bytes(sentencepiece(PIECES)), wordpiece]


@pytest.mark.parametrize("tokenizer", some_tokenizers(), ids=["bpe", "unigram", "model", "words"])
def test_an_imported_tokenizer_is_a_value(tokenizer: ImportedTokenizer) -> None:
    stored = json.loads(json.dumps(written(tokenizer)))
    assert as_tokenizer(stored) == tokenizer == pickle.loads(pickle.dumps(tokenizer))
    assert hash(as_tokenizer(stored)) == hash(tokenizer)
    assert not {"<unk>", "<s>", "</s>"} & {*tokenizer.vocabulary}
    assert len({*tokenizer.vocabulary}) == len(tokenizer.vocabulary)
    lexicon = Lexicon("word")
    bulk = tokenizer.bulk(None, lexicon)

    @given(HOSTILE)
    def lines_and_bulk(text: str) -> None:
        line = text.replace("\n", "")
        tokens = tokenizer.tokenize(line)
        assert len(tokens) == len(tokenizer.ids_of(line)) == len(tokenizer.widths(tokens))
        assert not any(letter.isspace() for letter in "".join(tokens))
        numbers = bulk(f"{line}\n".encode()).tolist()
        assert [lexicon.tokens[number] for number in numbers] == [*tokens, "</s>"]
        if tokenizer.keeps_spaces:
            assert tokenizer.join(tokens) == line

    lines_and_bulk()


@pytest.mark.parametrize("tokenizer", some_tokenizers(), ids=["bpe", "unigram", "model", "words"])
def test_models_over_it_are_the_same_out_of_a_file(
    tokenizer: ImportedTokenizer, tmp_path: Path
) -> None:
    text = tmp_path / "text.txt"
    text.write_text("ab ab unaffable, the ab\nthe aff 東\n" * 3)
    model = lmkit.train(text, settings=TextSettings(tokenizer), order=2)
    assert list(model.vocabulary.tokens) == ["<unk>", "<s>", "</s>", *tokenizer.vocabulary]
    model.save(tmp_path / "model.lm")
    opened = lmkit.load(tmp_path / "model.lm")
    assert opened.encoder.settings.tokenizer == tokenizer
    lines = ["the ab", "unaffable zzz \t", ""]
    scores = [one.score(one.encoder.encode(lines))[0].tobytes() for one in (model, opened)]
    assert scores[0] == scores[1]


def test_unknown_words_are_known_by_their_letters() -> None:
    """So that a model can say what they cost, and how long they are."""
    words = WordPieceTokenizer([[token, None] for token in VOCAB_TXT.split()])
    settings = TextSettings(words)
    encoder = lmkit.train(
        io.BytesIO(b"un aff zebra\nun zebu\n"), settings=settings, order=2
    ).encoder
    batch = encoder.encode(["un zebra"])
    assert batch.unknown is not None and batch.unknown.spellings == ("zebra",)
    assert batch.characters.tolist() == [len("un zebra") + 1]


def test_a_lone_surrogate_is_refused() -> None:
    for tokenizer in some_tokenizers():
        with pytest.raises(TextError, match="lone surrogate"):
            tokenizer.tokenize("a\udc80")


def test_what_there_is_no_token_for_is_an_error() -> None:
    values = json.loads(json.dumps(UNIGRAM))
    values["model"]["unk_id"] = None
    with pytest.raises(TextError, match="no token for 'z'"):
        from_json(values).tokenize("z")


def test_a_damaged_model_file_says_so(tmp_path: Path) -> None:
    import sqlite3
    from contextlib import closing

    model = lmkit.train(io.BytesIO(b"ab\n"), settings=TextSettings(from_json(UNIGRAM)), order=2)
    model.save(tmp_path / "model.lm")
    with closing(sqlite3.connect(tmp_path / "model.lm")) as connection, connection:
        connection.execute("UPDATE pieces SET piece = 'a' WHERE piece = 'b'")
        connection.execute("DELETE FROM checksums")
    with pytest.raises(ModelFileError, match="damaged"):
        lmkit.load(tmp_path / "model.lm")


# ---------------------------------------------------------------- what is refused

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

"""Tokenizer files of others, made by hand: what they give, and models over them. The packages that
they come from are asked in ``tests/oracle``."""

from __future__ import annotations

import io
import itertools
import json
import pickle
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lmkit
from lmkit.errors import (
    ModelFileError,
    TextError,
    UnsupportedError,
)
from lmkit.text.lexicon import Lexicon
from lmkit.text.settings import TextSettings
from lmkit.text.subwords.foreign_unigram import ForeignUnigram
from lmkit.text.subwords.formats import read, write
from lmkit.text.subwords.formats.hugging_face import from_json
from lmkit.text.subwords.formats.sentencepiece_model import from_bytes
from lmkit.text.subwords.wordpiece import WordPiece
from lmkit.text.tokenizers.bpe import BpeTokenizer
from lmkit.text.tokenizers.imported import ImportedTokenizer
from lmkit.text.tokenizers.making import as_tokenizer, written
from lmkit.text.tokenizers.wordpiece import WordPieceTokenizer

from ..tokenizer_files import HOSTILE
from ..tokenizers_by_hand import (
    BYTES,
    LETTERS,
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
    model = lmkit.train(io.BytesIO(b"ab\n"), settings=TextSettings(from_json(UNIGRAM)), order=2)
    model.save(tmp_path / "model.lm")
    with closing(sqlite3.connect(tmp_path / "model.lm")) as connection, connection:
        connection.execute("UPDATE pieces SET piece = 'a' WHERE piece = 'b'")
        connection.execute("DELETE FROM checksums")
    with pytest.raises(ModelFileError, match="damaged"):
        lmkit.load(tmp_path / "model.lm")

"""The encoder: lines, streams and files give the same batches, and decode leads back."""

from __future__ import annotations

import io
import pickle
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmkit.errors import TextError, UsageError
from lmkit.model import BOS, EOS, UNK, Batch
from lmkit.registry import names
from lmkit.text import encoder as encoder_module
from lmkit.text.encoder import TextEncoder
from lmkit.text.settings import TextSettings
from lmkit.text.spelling import SpellingModel
from lmkit.text.tokenizers.base import Tokenizer
from lmkit.text.vocabulary import SPECIAL, Vocabulary

every_tokenizer = pytest.mark.parametrize("name", names("tokenizer"))
VOCABULARY = [*SPECIAL, "a", "b", "the", ".", "don't", " ", "t", "h", "e", "<0xC3>", "é", "<0x20>"]


def encoder(
    tokenizer: Tokenizer | str = "whitespace", *, tokens: list[str] | None = None, **values: Any
) -> TextEncoder:
    return TextEncoder(TextSettings(tokenizer, **values), Vocabulary(tokens or VOCABULARY))


def sentences(batch: Batch) -> list[list[str]]:
    """Each sentence as a person sees it: known tokens, unknown ones as ``?spelling``."""
    tokens = [VOCABULARY[number] for number in batch.ids]
    if batch.unknown is not None:
        for position, kind in zip(batch.unknown.positions, batch.unknown.types, strict=True):
            tokens[position] = "?" + batch.unknown.spellings[kind]
    return [
        tokens[start:stop]
        for start, stop in zip(batch.offsets[:-1], batch.offsets[1:], strict=True)
    ]


def same(one: Batch, other: Batch) -> bool:
    return (
        sentences(one) == sentences(other)
        and one.ids.tolist() == other.ids.tolist()
        and one.characters is not None
        and other.characters is not None
        and one.characters.tolist() == other.characters.tolist()
    )


def together(batches: Sequence[Batch]) -> tuple[list[list[str]], list[int]]:
    return (
        [sentence for batch in batches for sentence in sentences(batch)],
        [int(n) for batch in batches for n in np.asarray(batch.characters)],
    )


def test_a_batch_by_hand() -> None:
    batch = encoder().encode(["the a zz", "", " yy  the zz <unk>"])
    assert batch.ids.tolist() == [5, 3, 0, EOS, EOS, 0, 5, 0, 0, EOS]
    assert batch.offsets.tolist() == [0, 4, 5, 10]
    assert batch.characters is not None
    assert batch.characters.tolist() == [len("the a zz") + 1, 1, len("yy the zz <unk>") + 1]
    unknown = batch.unknown
    assert unknown is not None
    assert unknown.positions.tolist() == [2, 5, 7, 8]
    assert [unknown.spellings[kind] for kind in unknown.types] == ["zz", "yy", "zz", "<unk>"]
    assert sorted(unknown.spellings) == ["<unk>", "yy", "zz"]
    assert (batch.ids.dtype, batch.offsets.dtype) == (np.int32, np.int64)
    assert (unknown.positions.dtype, unknown.types.dtype) == (np.int64, np.int32)


def test_without_unknown_words() -> None:
    assert encoder().encode(["a b"]).unknown is None


def test_no_lines() -> None:
    batch = encoder().encode([])
    assert len(batch) == 0
    assert batch.ids.tolist() == []
    assert batch.ids.dtype == np.int32
    assert list(encoder().encode_stream([])) == []
    assert list(encoder().encode_file(io.BytesIO(b""))) == []


def test_characters_of_symbols() -> None:
    lines = ["thé", "", "  "]
    for name in ("char", "byte"):
        batch = encoder(name, normalize="none").encode(lines)
        assert batch.characters is not None
        assert batch.characters.tolist() == [4, 1, 3]


def test_empty_lines_can_be_skipped() -> None:
    skipping = encoder().with_settings(skip_empty_lines=True)
    lines = ["a", "", " \t", "b"]
    assert sentences(skipping.encode(lines)) == [["a", "</s>"], ["b", "</s>"]]
    assert together(list(skipping.encode_stream(lines)))[0] == [["a", "</s>"], ["b", "</s>"]]
    assert len(skipping.encode([""])) == 0
    assert skipping.encode_prompt("").tolist() == []
    assert skipping.settings.tokenizer.name == "whitespace"


lines = st.text(st.sampled_from("ab .thé\x00\x0b\u00a0\u2028\tdon'"), max_size=12)
documents = st.lists(st.one_of(lines, st.sampled_from(["the a b", "<unk> .", "don't"])), max_size=8)


@every_tokenizer
@given(document=documents, limit=st.integers(1, 12), block=st.integers(1, 30))
def test_lines_streams_and_files_agree(
    name: str, document: list[str], limit: int, block: int
) -> None:
    expected = encoder(name).encode(document)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoder_module, "BATCH_TOKENS", limit)
        patch.setattr(encoder_module, "_BLOCK_CHARACTERS", block)
        patch.setattr(encoder_module, "MOST_TOKENS_KEPT", limit)
        stream = list(encoder(name).encode_stream(iter(document)))
        data = "".join(f"{line}\n" for line in document).encode()
        file = list(encoder(name).encode_file(io.BytesIO(data)))
    assert together(stream) == together(file) == together([expected])
    for batch in (*stream, *file):
        assert len(batch.ids) <= limit or len(batch) == 1
        assert len(batch) >= 1


@every_tokenizer
@given(document=documents)
def test_one_line_at_a_time(name: str, document: list[str]) -> None:
    kept, whole = encoder(name), encoder(name).encode(document)
    alone = [kept.encode([line]) for line in document]
    assert together(alone) == together([whole])
    for line, batch in zip(document, alone, strict=True):
        assert kept.encode_prompt(line).tolist() == batch.ids[:-1].tolist()


def test_forgetting_keeps_the_encoder_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder_module, "MOST_TOKENS_KEPT", 5)
    kept = encoder()
    for line in ["x y z", "the x a", "y b q r s", "a x"]:
        assert same(kept.encode([line]), encoder().encode([line]))


def test_line_ends_within_a_line() -> None:
    given_lines = ["a\n", "a b\r\n", "a\nb", "a\r\nb\rthe\n"]
    expected = [["a"], ["a", "b"], ["a", "b"], ["a", "b", "the"]]
    for found in (encoder().encode(given_lines), *encoder().encode_stream(given_lines)):
        assert sentences(found) == [[*tokens, "</s>"] for tokens in expected]
    assert sentences(encoder("char").encode(["a\nb"])) == [["a", " ", "b", "</s>"]]


@pytest.mark.parametrize("name", ["char", "byte", "whitespace"])
def test_decode_inverts(name: str) -> None:
    every = encoder(name).encode(["the a b"])
    assert encoder(name).decode(every.ids) == "the a b"
    assert encoder(name).decode([BOS, *every.ids.tolist()]) == "the a b"
    assert encoder(name).decode([]) == ""


def test_decode_writes_words_as_people_do() -> None:
    assert encoder("word").decode([5, 3, UNK, 6, EOS]) == "the a <unk>."


def test_settings_are_followed() -> None:
    text = ["The A", "Cafe\u0301"]
    plain = encoder(tokens=[*SPECIAL, "the", "a", "caf\u00e9"])
    assert plain.encode(text).ids.tolist() == [0, 0, EOS, 0, EOS]
    lower = encoder(tokens=[*SPECIAL, "the", "a", "caf\u00e9"], lowercase=True, normalize="nfc")
    assert lower.encode(text).ids.tolist() == [3, 4, EOS, 5, EOS]


def test_streams_and_files_are_segmented_lines_are_not() -> None:
    text = ["a b", "the", "", "b. A"]
    paragraphs = encoder(segment="paragraph")
    expected = [["a", "b", "the", "</s>"], ["?b.", "?A", "</s>"]]
    assert together(list(paragraphs.encode_stream(text)))[0] == expected
    assert (
        together(list(paragraphs.encode_file(io.BytesIO("\n".join(text).encode()))))[0] == expected
    )
    assert len(paragraphs.encode(text)) == 4
    assert sum(map(len, encoder(segment="sentence").encode_stream(text))) == 3


class TestSpecialTokens:
    text = ("a <s> b", "the </s> \\<s>")

    def test_error(self, tmp_path: Path) -> None:
        with pytest.raises(TextError, match="line 1: the text has a literal <s>") as caught:
            encoder().encode(self.text)
        assert caught.value.hint is not None
        assert "--special-tokens word" in caught.value.hint
        assert "--special-tokens unknown" in caught.value.hint
        path = tmp_path / "text.txt"
        path.write_text("fine\n" * 1000 + "b </s>\n")
        with pytest.raises(TextError, match=r"text\.txt, line 1001: .*literal </s>.* end of"):
            list(encoder().encode_file(path))
        with pytest.raises(TextError, match="line 3"):
            list(encoder().encode_stream(["a", "b", "<s>"]))
        with pytest.raises(TextError, match="line 2: "):
            list(encoder("word", lowercase=True).encode_stream(["a", "b<S>"]))

    def test_the_encoder_survives_an_error(self) -> None:
        kept = encoder()
        for _ in range(2):
            with pytest.raises(TextError):
                kept.encode(["new words", "<s> here"])
            assert same(kept.encode(["new a here"]), encoder().encode(["new a here"]))

    def test_unknown(self) -> None:
        batch = encoder(special_tokens="unknown").encode(self.text)
        assert sentences(batch) == [
            ["a", "?<s>", "b", "</s>"],
            ["the", "?</s>", "?\\<s>", "</s>"],
        ]
        assert np.asarray(batch.characters).tolist() == [len(line) + 1 for line in self.text]

    def test_word(self) -> None:
        tokens = [*SPECIAL, "a", "\\<s>", "b", "the", "\\\\<s>"]
        kept = encoder(tokens=tokens, special_tokens="word")
        batch = kept.encode(self.text)
        assert batch.ids.tolist() == [3, 4, 5, EOS, 6, UNK, 7, EOS]
        assert batch.unknown is not None
        assert batch.unknown.spellings == ("</s>",)
        assert np.asarray(batch.characters).tolist() == [len(line) + 1 for line in self.text]
        assert kept.decode(batch.ids) == "a <s> b the <unk> \\<s>"

    def test_another_policy_at_scoring(self) -> None:
        assert len(encoder().with_settings(special_tokens="unknown").encode(self.text)) == 2
        with pytest.raises(UsageError, match="special-tokens"):
            encoder().with_settings(special_tokens="ignore")


def test_invalid_utf8() -> None:
    data = b"a \xff b\nthe\n"
    with pytest.raises(TextError, match="line 1: byte 0xff at offset 2"):
        list(encoder().encode_file(io.BytesIO(data)))
    replacing = encoder().with_settings(errors="replace")
    assert together(list(replacing.encode_file(io.BytesIO(data))))[0][0] == [
        "a", "?\ufffd", "b", "</s>",
    ]  # fmt: skip
    assert replacing.replaced == 1


def test_lone_surrogates() -> None:
    with pytest.raises(TextError, match=r"line 2 has the lone surrogate U\+DCFF"):
        encoder().encode(["a", "b\udcff"])
    replacing = encoder().with_settings(errors="replace")
    assert sentences(replacing.encode(["b\udcff"])) == [["?b\ufffd", "</s>"]]
    assert replacing.replaced == 1


class Counting:
    """A vocabulary that only answers what an encoder may ask, and remembers the questions."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.tokens = VOCABULARY

    def ids_of(self, tokens: Sequence[str]) -> np.ndarray[Any, Any]:
        self.asked += tokens
        return Vocabulary(VOCABULARY).ids_of(tokens)


def test_a_line_asks_for_its_own_tokens_once() -> None:
    vocabulary = Counting()
    kept = TextEncoder(TextSettings("whitespace"), vocabulary)
    kept.encode(["the a the zz"])
    assert [token for token in vocabulary.asked if token not in SPECIAL] == ["the", "a", "zz"]
    kept.encode(["a zz b"])
    assert [token for token in vocabulary.asked if token not in SPECIAL] == ["the", "a", "zz", "b"]


def test_spelling_is_loaded_when_it_is_wanted() -> None:
    loaded = []

    def load() -> SpellingModel:
        loaded.append(1)
        return SpellingModel.train(["ab"])

    kept = TextEncoder(TextSettings("whitespace"), Vocabulary(VOCABULARY), load)
    kept.encode(["zz"])
    assert not loaded
    first, second = kept.spelling_log_probs(["zz"]), kept.spelling_log_probs(["zz"])
    assert first is not None
    assert second is not None
    assert first.tolist() == second.tolist()
    assert len(loaded) == 1
    assert encoder().spelling_log_probs(["zz"]) is None


@pytest.mark.parametrize(
    ("name", "unit"),
    [("whitespace", "word"), ("word", "word"), ("char", "character"), ("byte", "byte")],
)
def test_units(name: str, unit: str) -> None:
    assert encoder(name).unit == unit


def test_copies_work() -> None:
    kept = encoder(lowercase=True)
    kept.encode(["a b"])
    again = pickle.loads(pickle.dumps(kept))
    assert same(again.encode(["A zz"]), kept.encode(["A zz"]))


def test_threads_share_an_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder_module, "MOST_TOKENS_KEPT", 40)
    kept = encoder()
    wrong: list[str] = []

    def work(seed: int) -> None:
        for number in range(300):
            line = f"a w{seed}.{number} the w{number} b"
            if sentences(kept.encode([line]))[0] != [
                "a", f"?w{seed}.{number}", "the", f"?w{number}", "b", "</s>",
            ]:  # fmt: skip
                wrong.append(line)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


class Halves(Tokenizer):
    """A tokenizer from outside: only what is abstract, everything else inherited."""

    name = "halves"
    unit = "subword"

    def tokenize(self, text: str) -> list[str]:
        return [half for word in text.split() for half in (word[:1], word[1:]) if half]

    def join(self, tokens: Sequence[str]) -> str:
        return "".join(tokens)


def test_a_new_tokenizer_is_one_class() -> None:
    batch = encoder(Halves(), tokens=[*SPECIAL, "a", "b", "he"]).encode(["ab the", "", "b"])
    assert batch.ids.tolist() == [3, 4, 0, 5, EOS, EOS, 4, EOS]

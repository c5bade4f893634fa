"""The tokenizer bpe: vocabulary, special tokens, any bytes, dropout, what is refused."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lmkit
from lmkit.errors import UsageError
from lmkit.model import EOS
from lmkit.text.lexicon import Lexicon
from lmkit.text.settings import TextSettings
from lmkit.text.subwords.alphabet import ORDER, spell
from lmkit.text.subwords.streaming import CharacterStream
from lmkit.text.tokenizers.bpe import BpeTokenizer

TEXT = "the cat sat on the mat; the dog's dog ate the cat's hat. Über 東京\n".encode() * 4


@pytest.fixture(scope="module")
def learnt() -> BpeTokenizer:
    return BpeTokenizer.learn([TEXT], vocabulary_size=275, special_tokens=["<|x|>", "a b"])


def in_bulk(tokenizer: BpeTokenizer, text: str) -> list[str]:
    lexicon = Lexicon("error")
    numbers = tokenizer.bulk(None, lexicon)(text.encode(errors="surrogateescape"))
    assert numbers.dtype == np.int32
    return [lexicon.tokens[number] for number in numbers.tolist()]


def test_the_vocabulary_is_bytes_then_merges_then_special_tokens(learnt: BpeTokenizer) -> None:
    tokens = learnt.vocabulary
    assert len(tokens) == len(set(tokens)) == 275
    assert tokens[:3] == ("!", '"', "#") and tokens[:256] == tuple(map(spell, map(_byte, ORDER)))
    assert tokens[256:273] == tuple(left + right for left, right in learnt.merges)
    assert tokens[273:] == ("<|x|>", "aĠb")
    # A line has a+t six times: cat, sat, mat, ate, cat, hat. Of h+e and t+h, four times each, h+e
    # is the smaller one.
    assert learnt.merges[:3] == (("a", "t"), ("h", "e"), ("t", "he"))
    assert learnt.tokenize("the cat  sat\r") == ["the", "Ġcat", "Ġ", "Ġs", "at", "č"]


def test_a_special_token_given_twice_is_one() -> None:
    once = BpeTokenizer.learn([TEXT], vocabulary_size=270, special_tokens=["<|x|>"])
    twice = BpeTokenizer.learn([TEXT], vocabulary_size=270, special_tokens=["<|x|>", "<|x|>"])
    assert twice == once and twice.special_tokens == ("<|x|>",)


def _byte(byte: int) -> bytes:
    return bytes([byte])


def test_literal_special_tokens_are_one_token_each(learnt: BpeTokenizer) -> None:
    line = "the<|x|> cata b <|x|>the"
    tokens = ["the", "<|x|>", "Ġcat", "aĠb", "Ġ", "<|x|>", "the"]
    assert learnt.tokenize(line) == tokens
    assert in_bulk(learnt, f"{line}\n{line}\n") == [*tokens, "</s>"] * 2
    assert learnt.join(tokens) == line
    assert learnt.widths(tokens).tolist() == [3, 5, 4, 3, 1, 5, 3]


def test_literal_marks_of_sentences_are_text_as_any_other() -> None:
    text = b"<unk> <s> </s> <unk> <s> </s>\n" * 9
    tokenizer = BpeTokenizer.learn([text], vocabulary_size=400, pattern="none")
    assert not {"<unk>", "<s>", "</s>"} & set(tokenizer.vocabulary)
    assert tokenizer.join(tokenizer.tokenize("<s><unk></s>")) == "<s><unk></s>"
    assert in_bulk(tokenizer, "</s>\n").count("</s>") == 1


def test_a_small_text_gives_as_many_tokens_as_it_can() -> None:
    tokenizer = BpeTokenizer.learn([b"ab ab\n"], vocabulary_size=8000)
    assert tokenizer.merges == (("a", "b"),)
    assert BpeTokenizer.learn([b"ab ab\n"], min_count=1).merges == (("a", "b"), ("Ġ", "ab"))
    assert len(BpeTokenizer.learn([], vocabulary_size=256).vocabulary) == 256


def test_progress_is_told_the_tokens_there_are() -> None:
    told: list[tuple[int, int]] = []
    BpeTokenizer.learn(
        [TEXT],
        progress=lambda done, total: told.append((done, total)),
        vocabulary_size=260,
        special_tokens=["<|x|>"],
    )
    assert told == [(258, 260), (259, 260), (260, 260)]


@pytest.mark.parametrize("pattern", ["gpt2", "gpt4", "none", r"\w+|\s"])
def test_patterns_are_kept(pattern: str) -> None:
    tokenizer = BpeTokenizer.learn([TEXT], vocabulary_size=320, pattern=pattern)
    again = BpeTokenizer.from_dict(tokenizer.as_dict())
    assert again == tokenizer and again.pattern == pattern
    crossing = [t for t in tokenizer.vocabulary if "Ġ" in t[1:]]
    assert bool(crossing) == (pattern == "none")


@pytest.mark.slow
@pytest.mark.parametrize("pattern", ["gpt2", "gpt4", "none", "[^.]+"])
@settings(max_examples=40)
@given(text=st.lists(st.binary(max_size=40) | st.sampled_from([b"the cat ", b"\n", b"a b"])))
def test_nothing_is_lost_of_any_bytes(pattern: str, text: list[bytes], made: Any) -> None:
    tokenizer = made(pattern)
    whole = b"".join(text).decode(errors="surrogateescape")
    assert tokenizer.join(tokenizer.tokenize(whole)) == whole
    lines = [tokenizer.tokenize(line) for line in whole.split("\n")]
    wanted = [token for line in lines for token in (*line, "</s>")]
    assert in_bulk(tokenizer, whole + "\n") == wanted
    dropping = tokenizer.with_dropout(0.5, seed=1)
    tokens = in_bulk(dropping, whole + "\n")
    assert dropping.join(dropping.tokenize(whole)) == whole
    assert tokenizer.join(["\n" if t == "</s>" else t for t in tokens]) == whole + "\n"


@pytest.fixture(scope="module")
def made() -> Callable[[str], BpeTokenizer]:
    learnt = {
        pattern: BpeTokenizer.learn(
            [TEXT], vocabulary_size=330, pattern=pattern, special_tokens=["a b"]
        )
        for pattern in ("gpt2", "gpt4", "none", "[^.]+")
    }
    return learnt.__getitem__


def test_dropout_cuts_a_word_in_many_ways_and_is_the_same_tokenizer(learnt: BpeTokenizer) -> None:
    dropping = learnt.with_dropout(0.3, seed=7)
    ways = {tuple(dropping.tokenize("the cat")) for _ in range(50)}
    assert len(ways) > 4
    assert dropping == learnt and hash(dropping) == hash(learnt)
    assert dropping.vocabulary == learnt.vocabulary
    text = "the cat\n" * 50
    one, other = (in_bulk(learnt.with_dropout(0.3, seed=7), text) for _ in range(2))
    assert one == other
    assert len(one) > len(in_bulk(learnt, text))
    assert len({tuple(line.split()) for line in " ".join(one).split("</s>")}) > 4
    again = pickle.loads(pickle.dumps(learnt.with_dropout(0.3, seed=7)))
    assert in_bulk(again, text) == one
    assert in_bulk(learnt.with_dropout(0, seed=7), text) == in_bulk(learnt, text)


@pytest.mark.parametrize("probability", [-0.1, 1.5, float("nan")])
def test_dropout_is_a_probability(learnt: BpeTokenizer, probability: float) -> None:
    with pytest.raises(UsageError, match="dropout cannot be"):
        learnt.with_dropout(probability, seed=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vocabulary_size": 255}, "a vocabulary of 255 tokens is too small for the 256 bytes"),
        ({"vocabulary_size": 256, "special_tokens": ["<|x|>"]}, "and 1 special tokens.*257"),
        ({"pattern": "("}, "is no regular expression"),
        ({"special_tokens": [""]}, "'' cannot be a special token"),
        ({"special_tokens": ["</s>"]}, "</s> cannot be a token of text"),
        ({"min_count": 0}, "min_count cannot be 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        BpeTokenizer.learn([TEXT], **options)


@pytest.mark.parametrize(
    ("merges", "message"),
    [
        ([["a", "b c"]], "'b c' is no spelling of bytes: ' ' stands for no byte"),
        ([["a", "bc"]], "merge 1 is of b'bc', which nothing makes"),
        ([["<", "s"], ["<s", ">"]], "<s> cannot be a token of text"),
        ([["a", "b"], ["a", "b"]], "comes twice"),
    ],
)
def test_merges_that_are_damaged_are_refused(merges: list[list[str]], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        BpeTokenizer.from_dict({"name": "bpe", "merges": merges})


def test_what_spells_no_bytes_stands_for_itself(learnt: BpeTokenizer) -> None:
    assert learnt.join(["<unk>", "a b", "字", "\udc80"]) == "<unk>a b字\udc80"


def test_one_tokenizer_can_be_used_by_several_threads() -> None:
    tokenizer = BpeTokenizer.learn([TEXT], vocabulary_size=330, pattern="none")
    line = TEXT.decode().replace("\n", " ")
    wanted = tokenizer.tokenize(line)
    fresh = BpeTokenizer.from_dict(tokenizer.as_dict())
    found: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: found.append(fresh.tokenize(line))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [wanted] * 8


@pytest.mark.slow
def test_learning_does_not_depend_on_the_hash_seed() -> None:
    code = (
        "from lmkit.text.tokenizers.bpe import BpeTokenizer;"
        f"print(BpeTokenizer.learn([{TEXT!r}], vocabulary_size=330).merges)"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


@pytest.mark.slow
def test_a_model_over_bpe_knows_every_token_and_reads_itself_again(tmp_path: Any) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(TEXT)
    tokenizer = BpeTokenizer.learn([TEXT], vocabulary_size=280)
    model = lmkit.train(path, settings=TextSettings(tokenizer), order=3)
    assert tuple(model.vocabulary.tokens[3:]) == tokenizer.vocabulary
    model.save(tmp_path / "m.lm")
    again = lmkit.load(tmp_path / "m.lm")
    assert again.encoder.settings.tokenizer == tokenizer
    batch = model.batch(["the cat <|x|> \udcff", ""])
    assert 0 not in batch.ids and batch.ids[-1] == EOS
    assert np.array_equal(again.batch(["the cat <|x|> \udcff", ""]).ids, batch.ids)


@settings(max_examples=40)
@given(st.text(max_size=8), st.lists(st.integers(1, 3), max_size=8))
def test_a_stream_gives_whole_characters_only(text: str, cuts: list[int]) -> None:
    data = text.encode(errors="replace")
    stream, given, start = CharacterStream(), "", 0
    for size in [*cuts, *[1] * len(data)]:
        given += stream.feed(data[start : start + size])
        start += size
        assert data[:start].decode(errors="ignore").startswith(given)
        assert len(given) == len(data[:start].decode(errors="ignore"))
    assert given + stream.finish() == data.decode()


def test_a_stream_waits_for_what_may_come_and_for_nothing_else() -> None:
    stream = CharacterStream()
    assert [stream.feed(b"a\xf0\x9f"), stream.feed(b"\x98"), stream.feed(b"\x80b")] == [
        "a",
        "",
        "😀b",
    ]
    # 0xFF is in no character; 0xE2 0x28 is none either, and the bracket is one.
    assert [stream.feed(b"\xff"), stream.feed(b"\xe2"), stream.feed(b"(")] == [
        "\ufffd",
        "",
        "\ufffd(",
    ]
    assert [stream.feed(b"\xe6\x9d"), stream.finish()] == ["", "\ufffd"]
    exact = CharacterStream("surrogateescape")
    assert [exact.feed(b"\xe6\x9d"), exact.feed(b"a"), exact.finish()] == ["", "\udce6\udc9da", ""]

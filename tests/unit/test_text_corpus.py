"""The corpus: ids, vocabulary and sizes of a text, against plain Python over its lines."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmkit.errors import TextError, UsageError
from lmkit.model import BOS, EOS, UNK
from lmkit.registry import names, resolve
from lmkit.text import corpus as corpus_module
from lmkit.text.corpus import Corpus, build_corpus
from lmkit.text.settings import TextSettings
from lmkit.text.vocabulary import SPECIAL, Vocabulary

every_tokenizer = pytest.mark.parametrize(
    "name", [name for name in names("tokenizer") if not resolve("tokenizer", name).learns]
)
"""Those whose vocabulary comes of the text, and can be limited; the others stand in
`test_learnt_tokenizer`."""


def corpus(text: str, tokenizer: str = "whitespace", **options: Any) -> Corpus:
    settings = {
        key: options.pop(key)
        for key in ("lowercase", "segment", "skip_empty_lines", "special_tokens", "normalize")
        if key in options
    }
    return build_corpus(io.BytesIO(text.encode()), TextSettings(tokenizer, **settings), **options)


def ids_of(built: Corpus) -> list[int]:
    chunks = list(built.chunks())
    assert all(chunk.dtype == np.int32 and chunk[-1] == EOS for chunk in chunks)
    return [int(number) for chunk in chunks for number in chunk]


def tokens_of(built: Corpus) -> list[str]:
    return [built.vocabulary.tokens[number] for number in ids_of(built)]


def table(built: Corpus) -> dict[str, int]:
    vocabulary = built.vocabulary
    return dict(zip(vocabulary.tokens, vocabulary.counts.tolist(), strict=True))


def test_by_hand() -> None:
    built = corpus("the cat <unk>\n\nthe  dog the\n")
    assert ids_of(built) == [3, 4, UNK, EOS, EOS, 3, 5, 3, EOS]
    assert ids_of(built) == [3, 4, UNK, EOS, EOS, 3, 5, 3, EOS]
    assert table(built) == {"<unk>": 1, "<s>": 3, "</s>": 3, "the": 3, "cat": 1, "dog": 1}
    assert (built.sentences, built.tokens) == (3, 9)
    assert built.characters == len("the cat <unk>\n\nthe dog the\n")
    assert built.sha256 == hashlib.sha256(b"the cat <unk>\n\nthe  dog the\n").hexdigest()
    assert built.sources == ("a stream",)
    assert not built.vocabulary.limited
    assert built.encoder.encode(["the owl"]).ids.tolist() == [3, UNK, EOS]


lines = st.lists(
    st.sampled_from(["a", "b.", "cé", "<unk>", "don't", ",", "字", "\x0b", "e\u0301"]), max_size=8
).map(" ".join)
documents = st.lists(lines, max_size=7).map(lambda lines: [*lines[:2], "a", *lines[2:]])


@every_tokenizer
@given(document=documents, min_count=st.integers(1, 3), spill=st.booleans(), skip=st.booleans())
def test_against_plain_python(
    name: str, document: list[str], min_count: int, spill: bool, skip: bool
) -> None:
    tokenizer = resolve("tokenizer", name)()
    built = corpus(
        "\n".join(document) + "\n",
        name,
        normalize="none",
        min_count=min_count,
        memory=1000 if spill else None,
        skip_empty_lines=skip,
    )
    kept = [line for line in document if line.strip(" ") or not skip]
    tokenized = [tokenizer.tokenize(line) for line in kept]
    counted = Counter(token for tokens in tokenized for token in tokens)
    known = [word for word in counted if counted[word] >= min_count and word != "<unk>"]
    assert built.vocabulary.tokens == [*SPECIAL, *known]
    expected = [t if t in known else "<unk>" for tokens in tokenized for t in [*tokens, "</s>"]]
    ends = np.cumsum([len(tokens) + 1 for tokens in tokenized]) - 1
    expected = ["</s>" if place in ends else token for place, token in enumerate(expected)]
    assert tokens_of(built) == expected
    assert built.tokens == len(expected)
    assert built.sentences == len(kept)
    assert table(built) == {
        **dict.fromkeys(built.vocabulary.tokens, 0),
        **Counter(expected),
        "<s>": len(kept),
    }
    if tokenizer.unit == "word":
        assert built.characters == sum(len(" ".join(tokens)) + 1 for tokens in tokenized)
    else:
        assert built.characters == sum(len(line) + 1 for line in kept)


@every_tokenizer
@given(document=documents, vocabulary_size=st.none() | st.integers(0, 4))
def test_the_encoder_reads_the_text_as_training_did(
    name: str, document: list[str], vocabulary_size: int | None
) -> None:
    built = corpus("\n".join(document), name, vocabulary_size=vocabulary_size)
    batch = built.encoder.encode(document)
    expected = ids_of(built)
    # A final empty line without a line end is none.
    missing = len(batch.ids) - len(expected)
    assert missing == (document[-1] == "")
    assert batch.ids.tolist()[: len(expected)] == expected
    assert np.asarray(batch.characters)[: built.sentences].sum() == built.characters


def test_limits() -> None:
    text = "a b c a b a\nd d\n"
    assert tokens_of(corpus(text, vocabulary_size=2)) == [
        "a", "b", "<unk>", "a", "b", "a", "</s>", "<unk>", "<unk>", "</s>",
    ]  # fmt: skip
    listed = corpus(text, vocabulary=["d", "x", "a"])
    assert table(listed) == {"<unk>": 3, "<s>": 2, "</s>": 2, "d": 2, "x": 0, "a": 3}
    assert listed.vocabulary.limited


def test_a_base_vocabulary() -> None:
    base = corpus("a b\n").vocabulary
    grown = corpus("c a\n\n", base=base)
    assert ids_of(grown) == [5, 3, EOS, EOS]
    assert table(grown) == {"<unk>": 0, "<s>": 2, "</s>": 2, "a": 1, "b": 0, "c": 1}
    assert base.tokens == [*SPECIAL, "a", "b"]
    fixed = corpus("c a\n", base=Vocabulary(base.tokens, base.counts, limited=True))
    assert ids_of(fixed) == [UNK, 3, EOS]
    assert fixed.vocabulary.tokens == base.tokens


def test_special_tokens() -> None:
    text = "a <s> b\nb </s> <unk>\n"
    with pytest.raises(TextError, match="a stream, line 1: the text has a literal <s>"):
        corpus(text)
    unknown = corpus(text, special_tokens="unknown")
    assert tokens_of(unknown) == ["a", "<unk>", "b", "</s>", "b", "<unk>", "<unk>", "</s>"]
    assert table(unknown) == {"<unk>": 3, "<s>": 2, "</s>": 2, "a": 1, "b": 2}
    word = corpus(text, special_tokens="word")
    assert tokens_of(word) == ["a", "\\<s>", "b", "</s>", "b", "\\</s>", "<unk>", "</s>"]
    assert word.encoder.decode(ids_of(word)) == "a <s> b b </s> <unk>"
    for built in (unknown, word):
        assert built.characters == len(text)
        batch = built.encoder.encode(text.splitlines())
        assert batch.ids.tolist() == ids_of(built)
    assert corpus(text, "char").sentences == 2


def test_the_line_of_a_special_token_in_a_later_file(tmp_path: Path) -> None:
    (tmp_path / "1.txt").write_text("fine\n" * 20)
    (tmp_path / "2.txt").write_text("good\n" * 100_000 + "not </s> so\n" + "good\n" * 100)
    with pytest.raises(TextError, match=r"2\.txt, line 100001: "):
        build_corpus([tmp_path / "1.txt", tmp_path / "2.txt"], TextSettings("whitespace"), memory=1)


def test_segments() -> None:
    text = "One two\nthree. Four\n\nfive\n"
    assert corpus(text).sentences == 4
    assert corpus(text, segment="paragraph").sentences == 2
    built = corpus(text, segment="sentence")
    assert built.sentences == 3
    assert tokens_of(built)[:4] == ["One", "two", "three.", "</s>"]


def test_several_sources(tmp_path: Path) -> None:
    (tmp_path / "1.txt").write_bytes(b"a b")
    (tmp_path / "2.gz").write_bytes(gzip.compress(b"b c\r\n"))
    (tmp_path / "3.bz2").write_bytes(bz2.compress(b"\xef\xbb\xbfa\n"))
    sources = [tmp_path / name for name in ("1.txt", "2.gz", "3.bz2")]
    built = build_corpus(sources, TextSettings("whitespace"))
    assert tokens_of(built) == ["a", "b", "</s>", "b", "c", "</s>", "a", "</s>"]
    assert built.sources == tuple(map(str, sources))
    assert built.sha256 == hashlib.sha256(b"a bb c\r\n\xef\xbb\xbfa\n").hexdigest()


@pytest.mark.parametrize("text", ["", "\n", "\n \n\t\n", "\ufeff"])
@pytest.mark.parametrize("name", ["whitespace", "word"])
def test_an_empty_text(text: str, name: str) -> None:
    for skip in (False, True):
        with pytest.raises(TextError, match="the text is empty: a stream"):
            corpus(text, name, skip_empty_lines=skip)


def test_no_sources() -> None:
    with pytest.raises(UsageError, match="no text"):
        build_corpus([], TextSettings("whitespace"))


def test_one_word() -> None:
    built = corpus("word")
    assert ids_of(built) == [3, EOS]
    assert np.isfinite(built.spelling.log_probs(["word", "new"])).all()


def test_replacing_invalid_text() -> None:
    source = io.BytesIO(b"a \xff\n")
    built = build_corpus(source, TextSettings("whitespace"), errors="replace")
    assert built.replaced == 1
    assert built.encoder.errors == "replace"
    assert tokens_of(built) == ["a", "\ufffd", "</s>"]


def test_bounded_memory_gives_the_same(zipf_lines: list[str]) -> None:
    text = "\n".join(zipf_lines) + "\n"
    free, bounded = corpus(text, min_count=2), corpus(text, min_count=2, memory=1 << 20)
    assert ids_of(bounded) == ids_of(free)
    assert table(bounded) == table(free)
    assert len(list(bounded.chunks())) > 1
    # Two walks at once do not disturb each other.
    pairs = zip(bounded.chunks(), bounded.chunks(), strict=True)
    assert all(np.array_equal(one, other) for one, other in pairs)
    test = ["w1", "new", "<unk>"]
    assert bounded.spelling.log_probs(test).tolist() == free.spelling.log_probs(test).tolist()


def test_ids_are_spilled_to_a_file_that_has_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    built = corpus("a b\n" * 50_000, memory=1 << 20)
    assert list(tmp_path.iterdir()) == []
    assert not built._kept._arrays
    assert built.tokens == 150_000 == len(ids_of(built))


def test_no_room_for_the_temporary_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(TextError, match="cannot keep the text in a temporary file") as caught:
        corpus("a b\n", memory=1 << 20)
    assert caught.value.hint is not None
    assert "TMPDIR" in caught.value.hint


def test_progress(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("some words\n" * 1000)
    seen: list[tuple[int, int | None]] = []
    build_corpus(path, TextSettings("whitespace"), progress=lambda *now: seen.append(now))
    assert seen[-1] == (11_000, 11_000)


class TestSpellingOfUnknownWords:
    def test_is_learnt_from_the_words_seen_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(corpus_module, "ENOUGH_WORDS", 2)
        built = corpus("qx qy mm mm kk kk kk\n")
        assert built.spelling.characters.tobytes().decode("utf-32-le") == "qxy"

    def test_or_from_the_rarest_where_these_are_few(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(corpus_module, "ENOUGH_WORDS", 3)
        built = corpus("qx mm mm nn nn kk kk kk\n")
        assert built.spelling.characters.tobytes().decode("utf-32-le") == "mnqx"
        assert len(corpus("mm mm kk kk kk\n").spelling.characters) == 2

    def test_before_the_vocabulary_is_limited(self) -> None:
        test = ["a", "new"]
        text = "a b c d a b\n"
        assert (
            corpus(text, min_count=2).spelling.log_probs(test).tolist()
            == corpus(text).spelling.log_probs(test).tolist()
        )

    def test_weighs_literal_unknown_words(self) -> None:
        # 3 literal ones; one word seen once stands for the unknown words to come.
        assert corpus("<unk> <unk> a a b <unk>\n").spelling.literal_weight == 3 / 4
        # Those left out are unknown words too: a, a, b, and again the one seen once.
        limited = corpus("<unk> <unk> a a b <unk>\n", vocabulary_size=0)
        assert limited.spelling.literal_weight == 3 / 7
        assert corpus("a b\n").spelling.literal_weight == 0

    @every_tokenizer
    def test_pays_for_whatever_is_unknown(self, name: str) -> None:
        built = corpus("some text\n", name)
        batch = built.encoder.encode(["über 字"])
        assert batch.unknown is not None
        log_probs = built.encoder.spelling_log_probs(batch.unknown.spellings)
        assert log_probs is not None
        assert np.isfinite(log_probs).all()
        assert (log_probs < 0).all()


def test_begins_have_a_count_but_no_place() -> None:
    built = corpus("a\n\nb\n")
    assert BOS not in ids_of(built)
    assert table(built)["<s>"] == 3

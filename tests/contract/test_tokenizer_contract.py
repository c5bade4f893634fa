"""What every tokenizer of the registry keeps to, and one from outside that is learnt: what it says
of itself, bulk as single lines, any text and any bytes, and exactly the same out of a file."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmkit.errors import UsageError
from lmkit.registry import names, resolve
from lmkit.text.lexicon import Lexicon
from lmkit.text.settings import TextSettings
from lmkit.text.tokenizers.base import Tokenizer
from lmkit.text.tokenizers.making import Unlearnt, as_tokenizer, make_tokenizer, written
from lmkit.text.vocabulary import SPECIAL

from ..learnt_pairs import register

OPTIONS: dict[str, dict[str, Any]] = {}
"""What a tokenizer of that name has to be given, beside its name."""
TEXT = [
    b"the cat sat on the mat, and the dog's dog sat on the log.\n" * 5,
    "Żółw 東京 naïve\n  two  spaces\tand 3.14 <unk> 👩‍👩‍👧\n".encode() * 3,
]
NAMES = [*names("tokenizer"), "pairs"]
NOT_IN_SUBWORDS = re.compile(r"[\s\x00-\x1f\x7f-\x9f]")

ODD = ("<unk>", "</s>", "<s>", "<0x0A>", "<0x41>", "▁", "Ġ", "Ċ", "é", "e\u0301", "👩‍👩‍👧",
       "\ufeff", "\u2028", "\u3000", "\r", "\x00", "\x0b", "  ", "the cat", " t", "s>")  # fmt: skip
TEXTS = st.lists(
    st.one_of(st.sampled_from(ODD), st.text(st.characters(exclude_categories=["Cs"]))), max_size=5
).map(lambda parts: "".join(parts).replace("\n", ""))
BYTES = st.one_of(TEXTS.map(str.encode), st.binary(max_size=12)).map(
    lambda line: line.replace(b"\n", b"")
)


@pytest.fixture(scope="module", autouse=True)
def _registered() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        register(patch)
        yield


_made: dict[str, Tokenizer] = {}


def tokenizer_named(name: str) -> Tokenizer:
    """The tokenizer of that name, which has learnt from `TEXT` if it learns."""
    if name not in _made:
        tokenizer = make_tokenizer(name, **OPTIONS.get(name, {}))
        if isinstance(tokenizer, Unlearnt):
            tokenizer = tokenizer.learnt(TEXT)
        _made[name] = tokenizer
    return _made[name]


def line_of(tokenizer: Tokenizer, data: bytes) -> str:
    """A line that may be given to ``tokenizer``."""
    return data.decode(errors="surrogateescape" if tokenizer.reads_bytes else "replace")


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_it_is(name: str) -> None:
    tokenizer = tokenizer_named(name)
    assert tokenizer.name == str(tokenizer) == name
    assert tokenizer.unit in ("word", "subword", "character", "byte")
    assert tokenizer.default_normalize in ("nfc", "nfkc", "none")
    assert set(tokenizer.tables) <= {"merges", "pieces"}
    if tokenizer.learns:
        assert tokenizer.vocabulary is not None
    if tokenizer.vocabulary is not None:
        assert len(set(tokenizer.vocabulary)) == len(tokenizer.vocabulary)
        assert not set(tokenizer.vocabulary) & set(SPECIAL)


@pytest.mark.parametrize("name", NAMES)
@given(BYTES)
def test_tokens_of_any_line(name: str, data: bytes) -> None:
    tokenizer = tokenizer_named(name)
    line = line_of(tokenizer, data)
    tokens = tokenizer.tokenize(line)
    assert all(tokens) and tokens == tokenizer.tokenize(line)
    joined = tokenizer.join(tokens)
    if tokenizer.keeps_spaces:
        assert joined == line
    if tokenizer.unit in ("subword", "byte"):
        assert not any(NOT_IN_SUBWORDS.search(token) for token in tokens)
    if tokenizer.vocabulary is not None:
        assert set(tokens) <= set(tokenizer.vocabulary)


@pytest.mark.parametrize("name", NAMES)
@given(TEXTS)
def test_widths_add_up_to_the_code_points(name: str, line: str) -> None:
    tokenizer = tokenizer_named(name)
    tokens = tokenizer.tokenize(line)
    widths = tokenizer.widths(tokens)
    assert len(widths) == len(tokens)
    if tokenizer.keeps_spaces:
        assert int(widths.sum()) + tokenizer.end_width == len(line) + 1
    elif tokens:
        assert int(widths.sum()) + tokenizer.end_width == len(" ".join(tokens)) + 1


@pytest.mark.parametrize("name", NAMES)
@given(st.lists(BYTES, max_size=6))
def test_bulk_is_line_after_line(name: str, data: list[bytes]) -> None:
    tokenizer = tokenizer_named(name)
    lines = [line_of(tokenizer, line) for line in data]
    lexicon = Lexicon("word")
    bulk = tokenizer.bulk(None, lexicon)
    for _ in range(2):  # the second time from what it remembers
        text = "".join(f"{line}\n" for line in lines).encode(errors="surrogateescape")
        tokens = [lexicon.tokens[number] for number in bulk(text).tolist()]
        assert tokens == [token for line in lines for token in (*tokenizer.tokenize(line), "</s>")]


@pytest.mark.parametrize("name", NAMES)
def test_it_is_the_same_when_it_is_written_down_or_pickled(name: str) -> None:
    tokenizer = tokenizer_named(name)
    stored = json.loads(json.dumps(tokenizer.as_dict()))
    again = [
        type(tokenizer).from_dict(stored),
        as_tokenizer(json.loads(json.dumps(written(tokenizer)))),
        pickle.loads(pickle.dumps(tokenizer)),
    ]
    line = "the cat sat  on <unk> naïve 東京"
    for other in again:
        assert other == tokenizer and hash(other) == hash(tokenizer)
        assert other.as_dict() == tokenizer.as_dict()
        assert other.vocabulary == tokenizer.vocabulary
        assert other.tokenize(line) == tokenizer.tokenize(line)
    settings = TextSettings(tokenizer)
    assert TextSettings.from_dict(json.loads(json.dumps(settings.as_dict()))) == settings
    assert pickle.loads(pickle.dumps(settings)) == settings
    assert settings.tokenizer == tokenizer


@pytest.mark.parametrize("name", NAMES)
def test_another_one_is_not_equal(name: str) -> None:
    others = [tokenizer_named(other) for other in NAMES if other != name]
    assert all(tokenizer_named(name) != other for other in others)
    assert tokenizer_named(name) != name


@pytest.mark.parametrize("name", NAMES)
def test_an_option_that_there_is_not_is_refused(name: str) -> None:
    stored = {**tokenizer_named(name).as_dict(), "no_such_option": 1}
    with pytest.raises(UsageError, match="no_such_option"):
        type(tokenizer_named(name)).from_dict(stored)
    with pytest.raises(UsageError, match="no_such_option"):
        make_tokenizer(name, no_such_option=1)


LEARNT = [name for name in NAMES if name == "pairs" or resolve("tokenizer", name).learns]


@pytest.mark.parametrize("name", LEARNT)
def test_what_is_learnt_depends_on_the_text_alone(name: str) -> None:
    def learnt(chunks: list[bytes]) -> Tokenizer:
        unlearnt = make_tokenizer(name, **OPTIONS.get(name, {}))
        assert isinstance(unlearnt, Unlearnt)
        return unlearnt.learnt(chunks)

    whole = learnt([b"".join(TEXT)])
    assert whole == tokenizer_named(name)
    assert whole == learnt([line + b"\n" for line in b"".join(TEXT).split(b"\n")[:-1]])
    assert whole != learnt(TEXT[:1])


@pytest.mark.parametrize("name", LEARNT)
def test_without_a_text_there_is_still_a_tokenizer_of_all_bytes(name: str) -> None:
    unlearnt = make_tokenizer(name, **OPTIONS.get(name, {}))
    assert isinstance(unlearnt, Unlearnt)
    empty = unlearnt.learnt([])
    line = bytes(range(256)).replace(b"\n", b"").decode(errors="surrogateescape")
    assert empty.join(empty.tokenize(line)) == line


@pytest.mark.parametrize("name", LEARNT)
def test_before_it_has_learnt_it_cuts_nothing(name: str) -> None:
    unlearnt = make_tokenizer(name, **OPTIONS.get(name, {}))
    with pytest.raises(UsageError, match=f"the tokenizer {name} is learnt from a text"):
        unlearnt.tokenize("a")
    assert unlearnt == TextSettings(unlearnt).tokenizer
    assert unlearnt != tokenizer_named(name)

"""Every kind of model codes the one reference text, whatever stands in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lmkit.api import train
from lmkit.errors import TextError
from lmkit.evaluate.comparison.corpus import Corpus, prepare
from lmkit.evaluate.comparison.run import compare
from lmkit.evaluate.comparison.scoring import batches_of, is_reference
from lmkit.evaluate.comparison.specs import parse_specs
from lmkit.text.settings import TextSettings

NASTY = [
    "Plain words, and punctuation: here!",
    "no\u00a0break and  two spaces\tand a tab ",
    "e\u0301 decomposed, \u00e9 composed, \ufb01 ligature",
    "I\u0307stanbul \u0130stanbul STRASSE stra\u00dfe",
    "emoji \U0001f469\u200d\U0001f4bb and \u4e2d\u6587\u3002\u3072\u3089",
    "a literal <unk> and a \x0b vertical tab \x0c",
    "",
    " \u2003 ",
    "... --- ... don't U.S. 3.14 a@b.cd www.example.org/x?y=1.",
    "\u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd soft\u00adhyphen",
]
KINDS = (
    "ngram:order=2",
    "ngram:order=3,tokenizer=char",
    "ngram:order=3,tokenizer=byte",
    "ngram:order=2,tokenizer=whitespace",
    "ngram:order=2,min-count=2",
)


def made(folder: Path, lines: list[str], **how: object) -> Corpus:
    texts = {}
    for split in ("train", "test"):
        texts[split] = folder / f"{split}.txt"
        texts[split].write_bytes("".join(f"{line}\n" for line in lines).encode())
    return prepare(folder / "corpus", TextSettings(**how), dict(texts), name="nasty")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"lowercase": True},
        {"normalize": "nfkc"},
        {"normalize": "none"},
        {"tokenizer": "whitespace"},
        {"skip_empty_lines": True},
        {"segment": "sentence"},
        {"segment": "paragraph"},
    ],
    ids=str,
)
def test_nasty_text_is_the_same_for_all(tmp_path: Path, how: dict[str, object]) -> None:
    corpus = made(tmp_path, NASTY * 3, **how)
    found = compare(corpus, parse_specs(KINDS), tmp_path / "models", resamples=50)
    assert {row.name: row.reason for row in found.failed} == {}
    assert {row.characters for row in found.rows} == {
        sum(len(line) + 1 for line in corpus.test_lines)
    }


@pytest.mark.slow
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=12),
        min_size=1,
        max_size=6,
    )
)
def test_any_text_is_put_together_again(tmp_path: Path, lines: list[str]) -> None:
    if not any(line.split() for line in lines) or "\ufeff" in "".join(lines):
        return
    try:
        corpus = made(tmp_path, lines)
    except TextError:
        return  # of nothing but what separates words
    for tokenizer in ("word", "char", "byte", "whitespace"):
        words = corpus.settings_for(None if tokenizer == "word" else tokenizer)
        model = train(corpus.raw["train"], order=1, settings=words)
        batches = batches_of(model, corpus)
        assert is_reference(model, batches, corpus.test_lines)


def test_what_is_not_the_reference_is_noticed(tmp_path: Path) -> None:
    corpus = made(tmp_path, NASTY)
    model = train(corpus.raw["train"], order=1)
    batches = batches_of(model, corpus)
    assert is_reference(model, batches, corpus.test_lines)
    other = list(corpus.test_lines)
    other[0] = other[0].replace("Plain", "Plane")
    assert not is_reference(model, batches, other)
    assert not is_reference(model, batches, corpus.test_lines[:-1])

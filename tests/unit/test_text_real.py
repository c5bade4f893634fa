"""Real corpora, read in bulk, against plain Python over their lines."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from lmkit.model import EOS
from lmkit.registry import resolve
from lmkit.text.corpus import build_corpus
from lmkit.text.settings import TextSettings

pytestmark = pytest.mark.data


@pytest.mark.slow
@pytest.mark.parametrize("name", ["whitespace", "word", "char", "byte"])
@pytest.mark.parametrize("file", ["wikitext-2/valid.txt", "tinyshakespeare/input.txt"])
def test_bulk_against_plain_python(shared_data: Path, file: str, name: str) -> None:
    path, tokenizer = shared_data / file, resolve("tokenizer", name)()
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    expected = [token for line in lines for token in [*tokenizer.tokenize(line), "</s>"]]
    built = build_corpus(path, TextSettings(name))
    ids = np.concatenate(list(built.chunks()))
    assert [built.vocabulary.tokens[number] for number in ids.tolist()] == expected
    counts = dict(zip(built.vocabulary.tokens, built.vocabulary.counts.tolist(), strict=True))
    begins = counts.pop("<s>")
    assert begins == len(lines) == built.sentences
    assert {token: count for token, count in counts.items() if count} == Counter(expected)
    if tokenizer.unit != "word":
        assert built.characters == len(path.read_text(encoding="utf-8"))


@pytest.mark.slow
def test_wikitext_2_has_its_known_size(shared_data: Path) -> None:
    # Merity et al. 2016: 2,088,628 training tokens and 33,278 types, <unk> and the end of a
    # line among them.
    built = build_corpus(shared_data / "wikitext-2/train.txt", TextSettings("whitespace"))
    assert built.tokens == 2_088_628
    assert len(built.vocabulary) - 1 == 33_278
    total = unknown = characters = 0
    for batch in built.encoder.encode_file(shared_data / "wikitext-2/test.txt"):
        total += len(batch.ids)
        unknown += 0 if batch.unknown is None else len(batch.unknown.positions)
        characters += int(np.asarray(batch.characters).sum())
    assert total == 245_569
    text = (shared_data / "wikitext-2/test.txt").read_text(encoding="utf-8")
    words = [line.split() for line in text.split("\n")[:-1]]
    assert unknown == sum(word == "<unk>" for line in words for word in line)
    assert characters == sum(len(" ".join(line)) + 1 for line in words)


def test_words_that_only_other_texts_have(shared_data: Path) -> None:
    built = build_corpus(shared_data / "tinyshakespeare/input.txt", TextSettings("word"))
    known = set(built.vocabulary.tokens)
    tokenizer = built.encoder.tokenizer
    path = shared_data / "spelling/context/bea322/correct.txt"
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    batch = built.encoder.encode(lines)
    tokens = [token for line in lines for token in [*tokenizer.tokenize(line), None]]
    expected = [place for place, token in enumerate(tokens) if token and token not in known]
    assert batch.unknown is not None
    assert batch.unknown.positions.tolist() == expected
    spelt = [batch.unknown.spellings[kind] for kind in batch.unknown.types]
    assert spelt == [tokens[place] for place in expected]
    assert (batch.ids == EOS).sum() == len(lines)
    # Unknown words of English are cheaper than 8 bits a letter, and than noise.
    log_probs = built.encoder.spelling_log_probs(batch.unknown.spellings)
    assert log_probs is not None
    letters = sum(len(spelling) + 1 for spelling in batch.unknown.spellings)
    assert 2 < -log_probs.sum() / np.log(2) / letters < 5

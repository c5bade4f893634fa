"""KenLM reads what is exported of models of subwords, and scores pieces apart by spaces, as CCNet
has them, the same as lmkit scores the text."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

import lmkit
from lmkit.text.settings import TextSettings
from lmkit.text.tokenizers.making import make_tokenizer

LINES = [
    "The naïve café costs 5€, 日本 and more",
    "a literal <unk>, <s> no </s> and <0x41> ▁x Ġy",
    "tabs\tand  two spaces\x0band\x0cothers\u00a0\u3000\u2028\x85",
    "emoji 👩‍👩‍👧 and 🇩🇪, control \x01\x1b[0m, backslash \\data\\ \\end\\",
    "  leading and trailing  ",
    "-1.5 ngram 1=3 # 0",
]


@pytest.mark.parametrize("special_tokens", ["error", "word"])
@pytest.mark.parametrize("name", ["bpe", "unigram"])
def test_scores_are_those_of_kenlm(
    kenlm: ModuleType, tmp_path: Path, name: str, special_tokens: str
) -> None:
    text = tmp_path / "text.txt"
    text.write_bytes("".join(f"{line}\n" for line in LINES * 3 + LINES[:3]).encode())
    tokenizer = make_tokenizer(name, vocabulary_size=330)
    settings = TextSettings(tokenizer, special_tokens=special_tokens)
    model = lmkit.train(text, settings=settings, order=4)
    lmkit.export_model(model, tmp_path / "m.arpa")
    other = kenlm.LanguageModel(str(tmp_path / "m.arpa"))
    learnt = model.encoder.settings.tokenizer
    for line in [*LINES, "never seen: Ω", ""]:
        pieces = learnt.tokenize(line)
        expected = other.score(" ".join(pieces))
        batch = model.encoder.encode([line])
        assert model.score(batch)[0].sum() / 2.302585093 == pytest.approx(expected, abs=1e-3)
        assert len(batch.ids) == len(pieces) + 1

"""The tokenizers of a comparison: their names with sizes, learnt once, and what they lead to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import lmkit
from lmkit.errors import UsageError
from lmkit.evaluate.comparison import tokenizers
from lmkit.evaluate.comparison.corpus import prepare
from lmkit.evaluate.comparison.run import compare
from lmkit.evaluate.comparison.specs import parse_spec, parse_specs
from lmkit.evaluate.comparison.suites import of_one_shape, share_out, suite
from lmkit.evaluate.comparison.tokenizers import Learning, tokenizer_of
from lmkit.text.settings import TextSettings
from lmkit.text.tokenizers.base import Tokenizer
from lmkit.text.tokenizers.making import Unlearnt


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    words = ["the", "lowest", "newer", "wider", "rows", "of", "a", "town", "are", "slower"]
    lines = [" ".join(words[(i * j) % 10 - i % 3] for j in range(1, 7)) for i in range(200)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_tokenizer_with_its_size() -> None:
    tokenizer = tokenizer_of("bpe:300")
    assert isinstance(tokenizer, Unlearnt) and tokenizer.options == {"vocabulary_size": 300}
    assert parse_spec("lstm:tokenizer=unigram:400,hidden=8").name == "LSTM unigram:400 hidden=8"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("letters", "no tokenizer named 'letters'.*bpe:8000"),
        ("char:500", "tokenizer char is not learnt"),
        ("bpe:", "a whole number, not ''"),
        ("bpe:0", "a whole number, not '0'"),
        ("bpe:many", "a whole number, not 'many'"),
        ("missing.tok", "no tokenizer named"),
    ],
)
def test_what_is_no_tokenizer_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        tokenizer_of(text)


def test_the_tokenizer_of_a_file(text: Path, tmp_path: Path) -> None:
    learnt = lmkit.train_tokenizer(text, vocabulary_size=300, output=tmp_path / "t.tok")
    assert tokenizer_of(str(tmp_path / "t.tok")) == learnt.settings.tokenizer
    spec = parse_spec(f"ngram:order=2,tokenizer={tmp_path / 't.tok'}")
    assert spec.name == "mod. Kneser-Ney 2 t"
    corpus = prepare(tmp_path / "c", TextSettings(), {"all": text}, name="t")
    found = compare(corpus, [spec], tmp_path / "models", resamples=50)
    assert not found.failed and found.rows[0].unit == "subword"


def test_the_tokenizer_of_a_model_file(text: Path, tmp_path: Path) -> None:
    settings = TextSettings(tokenizer_of("bpe:300"))
    model = lmkit.train(text, settings=settings, order=1, output=tmp_path / "m.lm")
    assert tokenizer_of(str(tmp_path / "m.lm")) == model.encoder.settings.tokenizer


def test_a_tokenizer_is_learnt_once_for_all_models_of_it(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learnt: list[int] = []
    learn = Unlearnt.learnt

    def counted(self: Unlearnt, *given: Any) -> Tokenizer:
        learnt.append(self.options["vocabulary_size"])
        return learn(self, *given)

    monkeypatch.setattr(Unlearnt, "learnt", counted)
    corpus = prepare(tmp_path / "c", TextSettings(), {"all": text}, name="t")
    sizes = (300, 280, 300)
    specs = parse_specs([f"ngram:order=2,tokenizer=bpe:{size}" for size in sizes])
    found = compare(corpus, specs, tmp_path / "models", resamples=50)
    assert not found.failed and learnt == [300, 280]


def test_few_tokenizers_are_kept(text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenizers, "MOST_KEPT", 2)
    learning = Learning()
    for size in (260, 270, 280):
        learning.settings(TextSettings(tokenizer_of(f"bpe:{size}")), text, "strict")
    assert len(learning._kept) == 2


def test_the_model_is_the_one_that_train_makes(text: Path, tmp_path: Path) -> None:
    """Learning beforehand changes nothing, a small text says so, and models mix by tokenizer."""
    corpus = prepare(tmp_path / "c", TextSettings(), {"all": text}, name="t")
    specs = parse_specs(
        [
            "ngram:order=2,tokenizer=bpe:270",
            "ngram:order=2,tokenizer=bpe:30000",
            "mix:of=ngram,cache=yes,tokenizer=bpe:270",
        ]
    )
    found = compare(corpus, specs, tmp_path / "models", resamples=50)
    assert not found.failed
    rows = {row.spec: row for row in found.rows}
    alone = lmkit.train(
        corpus.raw["train"], settings=corpus.settings_for("bpe:270"), order=2
    ).encoder.settings
    first, large, mixed = (rows[spec.text] for spec in specs)
    assert first.file and lmkit.load(first.file).encoder.settings == alone
    assert not any("subwords" in note for note in first.notes)
    assert any("subwords, not 30,000" in note for note in large.notes)
    assert f"made of {first.name}" in mixed.notes
    again = compare(corpus, specs, tmp_path / "models", resamples=50)
    assert {row.origin for row in again.rows} == {"reused"}


def test_the_suite_has_one_network_in_one_shape_and_time() -> None:
    specs = share_out(of_one_shape(suite("subword"), 2_000_000), 1200.0, 2_000_000, equal=True)
    networks = [spec for spec in specs if spec.is_network]
    assert [spec.tokenizer for spec in networks] == [
        None, "char", "byte", "bpe:500", "bpe:2000", "bpe:8000", "unigram:8000",
    ]  # fmt: skip
    assert len({str(spec.options) for spec in networks}) == 1
    assert networks[0].options["preset"] == "small"
    assert 80 < networks[0].options["time_budget"] < 172
    assert [spec.options for spec in specs if not spec.is_network] == [{"order": 6}] * 7

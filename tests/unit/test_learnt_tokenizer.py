"""Models over a tokenizer that is learnt from their text: one file and one line in the registry
are enough for n-grams, networks, mixtures, files, generation and perplexity."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lmkit
import lmkit.api
from lmkit.errors import ModelFileError, UnsupportedError, UsageError
from lmkit.evaluate.comparison.corpus import prepare
from lmkit.evaluate.comparison.run import compare
from lmkit.evaluate.comparison.specs import parse_specs
from lmkit.evaluate.perplexity import measured
from lmkit.model import UNK, LanguageModel
from lmkit.text.corpus import build_corpus
from lmkit.text.settings import TextSettings
from lmkit.text.tokenizers.making import Unlearnt, make_tokenizer

from ..learnt_pairs import Pairs, register

LINES = ["the cat sat on the mat", "the dog sat on the log", "", "a cat  and a dog", "Żółw"]
TEXT = "".join(f"{line}\n" for line in LINES * 4).encode()
UNSEEN = ["the bird: <unk> </s>\t東京", "", "\udcff\udc80", " \r "]
TINY = {"backend": "lstm", "hidden": 8, "epochs": 1, "bptt": 8, "workers": 1}


@pytest.fixture(scope="module", autouse=True)
def _registered() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        register(patch)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With ``text.txt`` and ``ngram.lm`` and ``lstm.lm``, models of it."""
    folder = tmp_path_factory.mktemp("learnt")
    (folder / "text.txt").write_bytes(TEXT)
    for name, how in (("ngram", {"order": 3}), ("lstm", TINY)):
        train(folder / "text.txt", output=folder / f"{name}.lm", **how)
    return folder


def train(text: Any, size: int = 20, **how: Any) -> LanguageModel:
    settings = TextSettings(make_tokenizer("pairs", size=size))
    return lmkit.train(text, settings=settings, **how)


def scores(model: LanguageModel, lines: list[str]) -> np.ndarray:
    return model.score(model.encoder.encode(lines))[0]


def test_the_value_in_the_settings_has_learnt() -> None:
    unlearnt = TextSettings("pairs")
    assert isinstance(unlearnt.tokenizer, Unlearnt)
    corpus = build_corpus(io.BytesIO(TEXT), unlearnt)
    tokenizer = corpus.settings.tokenizer
    # "t " stands 4 * (cat, sat, ...) times; counted by hand: "th" in 4 * (2 + 2), "at" 4 * 5.
    assert isinstance(tokenizer, Pairs) and tokenizer.size == 20
    assert tokenizer.merges[0] == ("a", "t")
    assert tokenizer == Pairs.learn([TEXT])
    assert tokenizer != Pairs.learn([TEXT], size=3)


def test_the_vocabulary_is_all_that_the_tokenizer_can_give(folder: Path) -> None:
    for name in ("ngram.lm", "lstm.lm"):
        model = lmkit.load(folder / name)
        tokenizer = model.encoder.settings.tokenizer
        assert model.vocabulary.tokens == ["<unk>", "<s>", "</s>", *tokenizer.vocabulary]
        assert len(model.vocabulary) == 3 + 256 + 20
        counts = dict(zip(model.vocabulary.tokens, model.vocabulary.counts.tolist(), strict=True))
        assert counts["<unk>"] == 0 and counts["<0xFF>"] == 0 and counts["at"] > 0
        assert counts["</s>"] == len(LINES) * 4


@pytest.mark.parametrize("name", ["ngram.lm", "lstm.lm"])
def test_nothing_is_unknown_and_every_line_comes_back(folder: Path, name: str) -> None:
    model = lmkit.load(folder / name)
    batch = model.encoder.encode(UNSEEN)
    assert batch.unknown is None and UNK not in batch.ids
    stops = batch.offsets.tolist()
    read = [model.encoder.decode(batch.ids[a : b - 1]) for a, b in pairwise(stops)]
    assert read == UNSEEN
    assert np.isfinite(scores(model, UNSEEN)).all()


@pytest.mark.parametrize("how", [{"order": 3}, TINY], ids=["ngram", "lstm"])
def test_saved_and_opened_it_scores_to_the_same_bits(
    folder: Path, tmp_path: Path, how: dict[str, Any]
) -> None:
    model = train(folder / "text.txt", **how)
    model.save(tmp_path / "model.lm")
    opened = lmkit.load(tmp_path / "model.lm")
    assert opened.encoder.settings == model.encoder.settings
    assert opened.encoder.settings.tokenizer.as_dict() == model.encoder.settings.tokenizer.as_dict()
    assert scores(opened, LINES + UNSEEN).tobytes() == scores(model, LINES + UNSEEN).tobytes()
    opened.save(tmp_path / "again.lm")
    assert lmkit.load(tmp_path / "again.lm").encoder.settings == model.encoder.settings


def test_the_rows_are_for_people_and_the_settings_are_short(folder: Path) -> None:
    for name in ("ngram.lm", "lstm.lm"):
        with closing(sqlite3.connect(folder / name)) as file:
            merges = file.execute('SELECT rank, "left", "right" FROM merges').fetchall()
            pieces = file.execute("SELECT id, piece, log_prob FROM pieces").fetchall()
        assert merges[0] == (0, "a", "t") and len(merges) == 20
        assert pieces[0] == (0, "<0x00>", None)
        assert pieces[1][1] == "at" and pieces[1][2] < 0
        model = lmkit.load(folder / name)
        assert model.describe()["text"]["tokenizer"] == {"name": "pairs", "size": 20}
        assert model.runs[-1]["options"]["tokenizer"] == {"name": "pairs", "size": 20}


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE merges SET \"left\" = 'b' WHERE rank = 0",
        "DELETE FROM pieces WHERE id = 3",
        "DROP TABLE merges",
    ],
)
def test_damage_in_the_tables_is_found(folder: Path, tmp_path: Path, change: str) -> None:
    path = tmp_path / "model.lm"
    path.write_bytes((folder / "ngram.lm").read_bytes())
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        file.execute(change)
    with pytest.raises(ModelFileError, match="is damaged"):
        lmkit.load(path)
    if "DROP" not in change:  # without checksums what is read is looked at all the same
        with closing(sqlite3.connect(path, isolation_level=None)) as file:
            file.execute("DROP TABLE checksums")
        if "DELETE" in change:
            with pytest.raises(ModelFileError, match="its pieces are not all there"):
                lmkit.load(path)


def test_it_writes_text(folder: Path) -> None:
    for name in ("ngram.lm", "lstm.lm"):
        model = lmkit.load(folder / name)
        texts = [sample.text for sample in model.generate(3, seed=1)]
        assert texts == [sample.text for sample in model.generate(3, seed=1)]
        assert all("<0x" not in text for text in texts)


def test_bits_per_byte_are_of_the_text_as_it_stands(folder: Path) -> None:
    for name in ("ngram.lm", "lstm.lm"):
        model = lmkit.load(folder / name)
        found = measured(model, folder / "text.txt")
        figures = found.figures
        assert (figures.oovs, found.unread) == (0, ())
        assert (figures.bytes, figures.characters) == (len(TEXT), len(TEXT.decode()))
        bits = figures.tokens * np.log2(figures.perplexity)
        assert figures.bits_per_byte == pytest.approx(bits / len(TEXT))
    (folder / "odd.txt").write_bytes(b"\xff\r\n\xef\xbb\xbf")
    found = measured(model, folder / "odd.txt")
    assert (found.figures.oovs, found.replaced, found.unread) == (0, 0, ())
    assert found.figures.bytes == 7  # with the end of the last line


def test_standard_input_will_do(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Once(io.BytesIO):
        def seekable(self) -> bool:
            return False

    text = Once(TEXT)
    model = train(text, order=3)
    again = lmkit.load(folder / "ngram.lm")
    assert model.encoder.settings == again.encoder.settings
    assert scores(model, LINES).tobytes() == scores(again, LINES).tobytes()
    bounded = train(Once(TEXT), order=3, memory=1 << 28)  # kept on disk meanwhile
    assert scores(bounded, LINES).tobytes() == scores(again, LINES).tobytes()


@pytest.mark.parametrize(
    ("limit", "named"),
    [({"min_count": 2}, "min-count"), ({"vocabulary_size": 9}, "vocabulary-size"),
     ({"vocabulary": ["a"]}, "vocabulary")],
)  # fmt: skip
def test_limits_of_the_vocabulary_are_an_error(folder: Path, limit: Any, named: str) -> None:
    with pytest.raises(UsageError, match=f"tokenizer pairs.* {named} cannot limit it"):
        train(folder / "text.txt", **limit)


def test_text_is_learnt_from_as_the_tokenizer_gets_to_see_it(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("Ab Ab <s> Ab\n\n \nab,ab\n")
    plain = TextSettings(
        "pairs", lowercase=True, skip_empty_lines=True, special_tokens="drop", normalize="nfc"
    )
    corpus = build_corpus(tmp_path / "text.txt", plain)
    assert corpus.settings.tokenizer == Pairs.learn([b"ab ab\nab\nab,ab\n"])
    assert corpus.sentences == 3
    spaced = TextSettings("pairs", pre_tokenizer="word", special_tokens="drop", lowercase=True)
    corpus = build_corpus(tmp_path / "text.txt", spaced)
    assert corpus.settings.tokenizer == Pairs.learn([b"ab ab\nab\n\n\nab , ab\n"])


def test_more_text_keeps_the_tokenizer(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "more.txt").write_bytes(b"quite other text\n" * 3 + b"\xff\n")
    old = lmkit.load(folder / "ngram.lm")
    new = lmkit.append(old, tmp_path / "more.txt")
    assert new.encoder.settings == old.encoder.settings
    assert new.vocabulary.tokens == old.vocabulary.tokens
    assert new.vocabulary.counts[UNK] == 0
    further = lmkit.api.train_on(folder / "lstm.lm", tmp_path / "more.txt", epochs=1)
    assert further.encoder.settings == old.encoder.settings


def test_mixtures_are_of_equal_tokenizers_and_carry_them(folder: Path, tmp_path: Path) -> None:
    parts = [folder / "ngram.lm", folder / "lstm.lm"]
    mixed = lmkit.mix(parts, valid=folder / "text.txt", output=tmp_path / "mix.lm", embed=True)
    opened = lmkit.load(tmp_path / "mix.lm")
    assert opened.encoder.settings.tokenizer == lmkit.load(parts[0]).encoder.settings.tokenizer
    assert scores(opened, LINES).tobytes() == scores(mixed, LINES).tobytes()
    with closing(sqlite3.connect(tmp_path / "mix.lm")) as file:
        for prefix in ("component1.", "component2."):
            assert file.execute(f'SELECT count(*) FROM "{prefix}merges"').fetchone() == (20,)
    other = train(folder / "text.txt", size=5, order=2)
    with pytest.raises(UnsupportedError, match="have different tokenizers"):
        lmkit.mix([parts[0], other], valid=folder / "text.txt")


def test_a_model_of_other_programs_has_no_text_to_learn_from(folder: Path, tmp_path: Path) -> None:
    lmkit.export_model(folder / "ngram.lm", tmp_path / "model.arpa")
    with pytest.raises(UsageError, match="the tokenizer pairs is learnt from a text"):
        lmkit.import_model(tmp_path / "model.arpa", settings=TextSettings("pairs"))
    model = lmkit.load(folder / "ngram.lm")
    back = lmkit.import_model(
        tmp_path / "model.arpa", settings=model.encoder.settings, output=tmp_path / "back.lm"
    )
    assert scores(back, LINES) == pytest.approx(scores(model, LINES), rel=1e-5)
    assert lmkit.load(tmp_path / "back.lm").encoder.settings == model.encoder.settings


def test_empty_text_is_empty() -> None:
    with pytest.raises(lmkit.LmkitError, match="the text is empty"):
        build_corpus(io.BytesIO(b"\n\n"), TextSettings("pairs"))


def test_a_comparison_has_models_of_words_and_of_what_is_learnt(tmp_path: Path) -> None:
    (tmp_path / "all.txt").write_bytes(TEXT * 10)
    corpus = prepare(tmp_path / "c", TextSettings("word"), {"all": tmp_path / "all.txt"}, name="t")
    specs = parse_specs(["ngram:order=2", "ngram:order=3,tokenizer=pairs"])
    for origin in ("trained", "reused"):
        rows = compare(corpus, specs, tmp_path / "models", resamples=20).rows
        by_unit = {row.unit: row for row in rows}
        assert set(by_unit) == {"word", "subword"}
        assert [(row.status, row.origin) for row in rows] == [("ok", origin)] * 2
        assert by_unit["word"].characters == by_unit["subword"].characters
        assert by_unit["subword"].oovs == 0

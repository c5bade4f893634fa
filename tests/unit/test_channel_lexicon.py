"""The lexicon in a channel's file: the same corrections as without it, and sooner."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import lmkit
from lmkit.channel.candidates import lexicon
from lmkit.channel.candidates.lexicon import Lexicon
from lmkit.channel.candidates.stored import KEY
from lmkit.channel.corrector import Corrector
from lmkit.channel.model import NoisyChannelModel
from lmkit.errors import ModelFileError, TextError
from lmkit.text.settings import TextSettings

from ..fuzz.sealing import change
from ..small_models import saved_bigrams

TEXT = [
    "The cat sat on the mat",
    "The dog sat on the log",
    "a cat and a dog",
    "NASA phones Zoé",
] * 9
PAIRS = "teh\tthe\t9\nfone\tphone\t3\nsta\tsat\ncatt\tcat\nog\ton\n"
LISTED = {"zebra": 7.0, "cat": 3.0, "logs": 2.0, "l'été": 1.0}
MORE = {"zebras": 4.0, "cat": 2.0, "phonetic": 1.0}
OWN = ["zebroid", "mat"]
TYPED = ["teh", "catt", "zebrra", "logz", "ete", "zoe", "zebros", "nasa", "fone", "dgo"]
NAMES = {
    f"{a}{b}{c}{end}": float(1 + len(a + c) * ord(b) % 7)
    for a in "bdgklmnprst"
    for b in "aeiou"
    for c in ("l", "n", "rk", "m", "t", "sz", "w", "zn", "d", "k")
    for end in ("ski", "wicz")
    if a + b + c != "maw"
}
"""More than a thousand that are spelt alike; no mawski."""
ARRAYS = (
    "log_prior", "ids", "log_given_unknown", "log_list", "log_adapted", "capitals", "certain",
)  # fmt: skip


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return saved_bigrams(tmp_path, TEXT)


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    path = tmp_path / "words.tsv"
    path.write_text("".join(f"{w}\t{n:g}\n" for w, n in LISTED.items()), encoding="utf-8")
    return path


@pytest.fixture
def trained(source: Path, tmp_path: Path) -> Callable[..., Path]:
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text(PAIRS, encoding="utf-8")

    def make(**options: object) -> Path:
        lmkit.api.train_channel(source, pairs=pairs, output=tmp_path / "c.lm", **options)
        return tmp_path / "c.lm"

    return make


def without_lexicon(path: Path) -> Path:
    """The same file as it was written before lexicons were kept in it."""
    change(
        path,
        f"DELETE FROM meta WHERE key = '{KEY}'",
        "DELETE FROM blocks WHERE (id >> 32) IN"
        " (SELECT id FROM columns WHERE name LIKE 'lexicon.%')",
        "DELETE FROM columns WHERE name LIKE 'lexicon.%'",
    )
    return path


def assert_same(one: Lexicon, other: Lexicon) -> None:
    """Equal but for the order of words that are worth the same."""
    assert sorted(one.words) == sorted(other.words)
    rows = other.rows.of(list(one.words))
    for name in ARRAYS:
        mine, theirs = getattr(one, name), getattr(other, name)[..., rows]
        np.testing.assert_allclose(mine, theirs, rtol=1e-12, err_msg=name)
    assert (one.spelling_share, one.mix, one.own) == (other.spelling_share, other.mix, other.own)
    assert one.words.order.tolist() == sorted(range(len(one)), key=one.words.__getitem__)


@pytest.mark.parametrize("own", [[], OWN])
@pytest.mark.parametrize("more", [{}, MORE])
@pytest.mark.parametrize("kept", [{}, LISTED])
def test_a_stored_lexicon_is_the_one_that_would_be_made(
    trained: Callable[..., Path], kept: dict[str, float], more: dict[str, float], own: list[str]
):
    model = lmkit.load(trained(lexicon=kept))
    assert isinstance(model, NoisyChannelModel)
    assert model.stock is not None
    # A list given later counts as if both were one.
    both = {w: kept.get(w, 0.0) + more.get(w, 0.0) for w in {**kept, **more}}
    stored = Lexicon.of(model.source, more, own, stock=model.stock)
    assert_same(stored, Lexicon.of(model.source, both, own))


def test_corrections_and_suggestions_are_the_same(
    trained: Callable[..., Path], listed: Path, tmp_path: Path
):
    stored = Corrector(lmkit.load(trained(lexicon=listed)))
    told = Corrector(lmkit.load(without_lexicon(trained())), lexicon=listed)
    for word in TYPED:
        for sides in (("", ""), ("the", "on the mat")):
            here, there = stored.suggest(word, *sides), told.suggest(word, *sides)
            assert [one.text for one in here] == [one.text for one in there]
            for one, other in zip(here, there, strict=True):
                assert one.posterior == pytest.approx(other.posterior, abs=1e-9)
    text = ["Teh catt sta on teh zebrra", "a dgo and the logz"]
    assert [c.corrected for c in stored.correct(text)] == [c.corrected for c in told.correct(text)]
    assert stored.correct(text)[0].corrected == "The cat sat on the zebra"


def test_one_file_has_all(trained: Callable[..., Path], listed: Path, source: Path):
    path = trained(lexicon=listed, embed=True)
    source.unlink()
    listed.unlink()
    corrector = Corrector(lmkit.load(path))
    assert corrector.correct(["the zebrra"])[0].corrected == "the zebra"


def test_a_model_that_is_saved_again_keeps_its_words(
    trained: Callable[..., Path], listed: Path, tmp_path: Path
):
    first = lmkit.load(trained(lexicon=listed))
    first.save(tmp_path / "again.lm")
    again = lmkit.load(tmp_path / "again.lm")
    assert_same(Lexicon.of(again.source, stock=again.stock), Lexicon.of(first.source, LISTED))
    assert again.describe()["lexicon"] == {"words": len(again.stock.words), "listed": 4}


def test_older_files_are_read(trained: Callable[..., Path], tmp_path: Path):
    path = trained()
    expected = Lexicon.of(lmkit.load(path).source)
    old = lmkit.load(without_lexicon(path))
    assert old.stock is None
    assert_same(Corrector(old).lexicon, expected)
    old.save(tmp_path / "saved.lm")
    assert lmkit.load(tmp_path / "saved.lm").stock is None


@pytest.mark.parametrize("kept", [{}, LISTED])
def test_lexicons_of_another_version_are_renewed(
    trained: Callable[..., Path], kept: dict[str, float]
):
    path = trained(lexicon=kept)
    expected = Lexicon.of(lmkit.load(path).source, kept)
    change(
        path,
        f"UPDATE meta SET value = json_set(value, '$.version', 0) WHERE key = '{KEY}'",
        "DELETE FROM columns WHERE name = 'lexicon.ids'",
    )
    assert_same(Corrector(lmkit.load(path)).lexicon, expected)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE columns SET length = length - 1 WHERE name = 'lexicon.lengths'",
        "DELETE FROM columns WHERE name = 'lexicon.codes'",
        "UPDATE blocks SET data = zeroblob(length(data)) WHERE {lexicon.codes}",
        "UPDATE blocks SET data = zeroblob(length(data)) WHERE {lexicon.order}",
        "UPDATE blocks SET data = randomblob(length(data)) WHERE {lexicon.ids}",
        f"UPDATE meta SET value = '{{\"version\": 1}}' WHERE key = '{KEY}'",
    ],
)
def test_a_damaged_lexicon_is_named(trained: Callable[..., Path], statement: str):
    path = trained(lexicon=LISTED)
    column = "(id >> 32) = (SELECT id FROM columns WHERE name = '{}')"
    for name in ("lexicon.codes", "lexicon.order", "lexicon.ids"):
        statement = statement.replace(f"{{{name}}}", column.format(name))
    change(path, statement)
    with pytest.raises(ModelFileError, match=r"c\.lm is damaged"):
        Corrector(lmkit.load(path))


def test_a_list_that_cannot_be_read_stops_the_training_before_it_begins(
    trained: Callable[..., Path], listed: Path, tmp_path: Path
):
    with pytest.raises(TextError, match=r"none\.tsv"):
        trained(lexicon=tmp_path / "none.tsv")
    listed.write_text("zebra\t-1\n")
    with pytest.raises(TextError, match="line 1: the count -1"):
        trained(lexicon=listed)
    assert not (tmp_path / "c.lm").exists()


def test_a_word_is_worth_more_that_a_list_has_more_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(lexicon, "ADAPTED", 0.5)
    monkeypatch.setattr(lexicon, "MOST_ADAPTED", 1.2)
    counts = tmp_path / "counts.tsv"
    counts.write_text("the\t800\ncat\t100\ndog\t99\nmat\t1\n")
    source = lmkit.import_model(counts, kind="counts", order=1, settings=TextSettings("word"))
    listed = {"the": 80.0, "cat": 200.0, "mat": 20.0, "zebra": 700.0}
    found = Lexicon.of(source, listed)
    adapted = dict(zip(found.words, found.log_adapted.tolist(), strict=True))
    # Of what both know: 80 of 300 to 800 of 901, 200 to 100, 20 to 1; one not listed, one unknown.
    the, cat = np.log(80 / 300 * 901 / 800) / 2, np.log(200 / 300 * 901 / 100) / 2
    assert adapted == pytest.approx(
        {"the": the, "cat": cat, "dog": 0.0, "mat": 1.2, "zebra": 0.0}, abs=1e-3
    )
    assert not Lexicon.of(source, dict.fromkeys(listed, 1.0)).log_adapted.any()
    assert not Lexicon.of(source).log_adapted.any()
    assert not Lexicon.of(source, dictionary=["zebra"]).log_adapted.any()


def test_words_without_counts_are_as_frequent_as_those_of_the_list_in_the_model(
    trained: Callable[..., Path],
):
    model = lmkit.load(trained(lexicon={"zebra": 9e6, "lion": 5e5, "okapi": 2e3}))
    listing = dict(zip(model.stock.words, model.stock.listing.tolist(), strict=True))
    more = model.stock.with_list({"quagga": 1.0, "okapi": 1.0})
    assert dict(zip(more.words, more.listing.tolist(), strict=True)) == (
        listing | {"quagga": 5e5, "okapi": 5e5 + 2e3}
    )
    counted = model.stock.with_list({"quagga": 3.0, "okapi": 1.0})
    assert counted.listing[list(counted.words).index("quagga")] == 3.0


def test_how_the_words_of_a_list_are_spelt_is_kept(trained: Callable[..., Path]):
    kept = lmkit.load(trained(lexicon=NAMES))
    assert kept.stock.spelling is not None
    stored = Corrector(kept)
    told = Corrector(lmkit.load(without_lexicon(trained())), lexicon=NAMES)
    assert stored.lexicon.stock.spelling is not None
    assert told.lexicon.stock.spelling is None
    assert_corrects_the_same(stored, told)
    # Of few words there is nothing to learn.
    assert lmkit.load(trained(lexicon=LISTED)).stock.spelling is None


def test_how_words_are_spelt_is_learnt_anew_with_a_further_list(trained: Callable[..., Path]):
    more = {f"x{word[:-3]}x": 2.0 for word in NAMES if word.endswith("ski")}
    stored = Corrector(lmkit.load(trained(lexicon=NAMES)), lexicon=more)
    told = Corrector(lmkit.load(without_lexicon(trained())), lexicon=NAMES | more)
    assert stored.lexicon.stock.spelling is None
    assert_corrects_the_same(stored, told)


def assert_corrects_the_same(one: Corrector, other: Corrector) -> None:
    text = ["The mawski sat on teh lawnicz", "a dgo and the xmawx", "Mawicz phones the catt"]
    words = [word for line in text for word in line.split()]
    tokens = [one.surface.tokens[one.surface.number(word)] for word in words]
    assert one.readings.unknown.log_probs(tokens) == pytest.approx(
        other.readings.unknown.log_probs(tokens), rel=1e-9
    )
    for mine, theirs in zip(one.correct(text), other.correct(text), strict=True):
        assert mine.corrected == theirs.corrected
        assert [c.posterior for c in mine.changes] == pytest.approx(
            [c.posterior for c in theirs.changes], rel=1e-6
        )

"""Class models: n-grams of classes with definitions of these, against sums over all the classes
that a sentence may have had."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest

import lmkit
from lmkit.classes.definitions import read_definitions
from lmkit.classes.model import ClassModel
from lmkit.errors import FormatError, ModelFileError, UnsupportedError, UsageError
from lmkit.model import Batch
from lmkit.ngram.model import NgramModel
from lmkit.text.settings import TextSettings

ARPA = """\
\\data\\
ngram 1=7
ngram 2=6
ngram 3=2

\\1-grams:
-99\t<s>\t-0.3
-0.7\t</s>
-2\t<unk>
-0.8\tDAY\t-0.2
-0.9\tCITY\t-0.1
-0.6\ton\t-0.4
-1.1\tmay\t-0.25

\\2-grams:
-0.3\t<s> on\t-0.1
-0.2\ton DAY\t-0.2
-0.5\ton CITY\t-0.3
-0.4\tDAY </s>
-0.6\tmay CITY
-0.7\tDAY may\t-0.15

\\3-grams:
-0.1\t<s> on DAY
-0.25\ton DAY may

\\end\\
"""
CLASSES = """\
DAY 0.5 monday
DAY 0.3 may
DAY 0.2 august
CITY paris
CITY august
"""
LINES = [
    "on monday",
    "on august may paris",
    "may may may august",
    "",
    "paris on",
    "nobody on may nobody august monday",
    "on may",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "classes.arpa").write_text(ARPA, encoding="utf-8")
    (tmp_path / "definitions").write_text(CLASSES, encoding="utf-8")
    return tmp_path


def imported(folder: Path) -> ClassModel:
    model = lmkit.import_model(folder / "classes.arpa", classes=folder / "definitions")
    assert isinstance(model, ClassModel)
    return model


@pytest.fixture
def model(folder: Path) -> ClassModel:
    return imported(folder)


@pytest.fixture
def inner(folder: Path) -> NgramModel:
    found = lmkit.import_model(folder / "classes.arpa")
    assert isinstance(found, NgramModel)
    return found


TAGS = {
    "monday": [("DAY", 0.5)],
    "may": [("may", 1.0), ("DAY", 0.3)],
    "august": [("DAY", 0.2), ("CITY", 0.5)],
    "paris": [("CITY", 0.5)],
    "on": [("on", 1.0)],
    "</s>": [("</s>", 1.0)],
}


def brute_force(inner: NgramModel, words: list[str]) -> float:
    """The probability of the beginning ``words`` of a sentence: over all their classes."""
    total = 0.0
    for tags in itertools.product(*(TAGS.get(word, [("<unk>", 1.0)]) for word in words)):
        ids = inner.vocabulary.ids_of([tag for tag, _ in tags])
        log_probs, _ = inner.score(Batch(ids, np.array([0, len(ids)])))
        total += math.exp(float(log_probs.sum())) * math.prod(prob for _, prob in tags)
    return total


def test_the_words(model: ClassModel) -> None:
    assert model.vocabulary.tokens == [
        "<unk>", "<s>", "</s>", "on", "may", "monday", "august", "paris"
    ]  # fmt: skip
    assert model.order == 3 if hasattr(model, "order") else model.inner.order == 3
    assert model.describe()["classes"] == 2
    assert model.describe()["classes of a word"] == 2


def test_by_hand(model: ClassModel) -> None:
    # on: <s> on.  monday: <s> on DAY, DAY monday 0.5.  </s>: DAY </s> after on DAY, which lists
    # may only: backoff of on DAY.
    found = np.exp(model.score("on monday")[0])
    assert found == pytest.approx([10**-0.3, 10**-0.1 * 0.5, 10 ** (-0.2 - 0.4)], rel=1e-6)


@pytest.mark.parametrize("line", LINES)
def test_every_prefix_is_the_sum_over_its_classes(
    model: ClassModel, inner: NgramModel, line: str
) -> None:
    words = [*line.split(), "</s>"]
    running = np.cumsum(model.score(line)[0])
    for length in range(1, len(words) + 1):
        assert math.exp(running[length - 1]) == pytest.approx(
            brute_force(inner, words[:length]), rel=1e-9
        )


def test_bulk_and_single_steps_agree(model: ClassModel) -> None:
    together = model.score(LINES)[0]
    np.testing.assert_allclose(together, np.concatenate([model.score(x)[0] for x in LINES]))


def test_what_sums_to_one(model: ClassModel) -> None:
    """As far as the n-grams of classes do."""
    for line in LINES:
        state = model.start(1)
        for token in model.batch(line).ids[:-1].tolist():
            state = model.advance(state, [token])
        of_classes = np.exp(model.inner.next_log_probs(state.inner)).sum(axis=1)
        weights = np.exp(state.log_weights)
        assert weights.sum() == pytest.approx(1)
        found = np.exp(model.next_log_probs(state)).sum()
        assert found == pytest.approx(float(weights @ of_classes), rel=1e-9)


def test_equal_histories_are_one(model: ClassModel) -> None:
    """However long the text, no more are followed than n - 1 words can have."""
    state = model.start(1)
    for token in model.batch(" ".join(["august may"] * 30)).ids[:-1].tolist():
        state = model.advance(state, [token])
    assert len(state.log_weights) <= 4


def test_words_of_one_class_are_scored_as_n_grams(folder: Path) -> None:
    (folder / "definitions").write_text("DAY 0.9 monday\nDAY 0.1 sunday\n", encoding="utf-8")
    model = imported(folder)
    assert not model.ambiguous
    assert model.context_length == 2
    steps = []
    for line in LINES:
        state = model.start(1)
        for token in model.batch(line).ids.tolist():
            steps.append(model.log_probs_of(state, np.array([[token]]))[0, 0])
            state = model.advance(state, [token])
    np.testing.assert_allclose(model.score(LINES)[0], steps, atol=1e-12)


def test_the_file(model: ClassModel, folder: Path) -> None:
    model.save(folder / "model.lm")
    (folder / "classes.arpa").unlink()
    loaded = lmkit.load(folder / "model.lm")
    np.testing.assert_array_equal(loaded.score(LINES)[0], model.score(LINES)[0])
    assert loaded.describe() == model.describe()
    assert loaded.generate(3, seed=1) == model.generate(3, seed=1)


def test_a_class_may_have_unknown_words(folder: Path) -> None:
    (folder / "definitions").write_text("DAY 0.9 monday\nDAY 0.1 <unk>\n", encoding="utf-8")
    model = imported(folder)
    # on: <s> on.  nobody: on <unk> backs off, or on DAY after <s> on.
    known = 10**-0.1 * 0.1
    unknown = 10 ** (-0.1 - 0.4 - 2)
    assert np.exp(model.score("on nobody")[0][1]) == pytest.approx(known + unknown, rel=1e-6)
    model.save(folder / "model.lm")
    np.testing.assert_array_equal(
        lmkit.load(folder / "model.lm").score(LINES)[0], model.score(LINES)[0]
    )


def test_a_word_list_that_does_not_fit_is_damage(model: ClassModel, folder: Path) -> None:
    model.edges.words[0] = 4
    model.save(folder / "model.lm")
    with pytest.raises(ModelFileError, match="classes and words do not fit together"):
        lmkit.load(folder / "model.lm")


def test_impossible_words_do_not_break_what_follows(folder: Path) -> None:
    (folder / "definitions").write_text("DAY 1 monday\nDAY 0 sunday\nCITY sunday\nCITY paris\n")
    model = imported(folder)
    assert np.isfinite(model.score("on sunday paris")[0]).all()
    (folder / "definitions").write_text("DAY 1 monday\nDAY 0 sunday\nCITY monday\n")
    log_probs = imported(folder).score("on sunday on")[0]
    assert log_probs[1] == -np.inf
    assert np.isfinite(log_probs[2:]).all()


class TestDefinitions:
    def read(self, folder: Path, text: str) -> dict[str, dict[str, float]]:
        (folder / "definitions").write_text(text, encoding="utf-8")
        return read_definitions(folder / "definitions", TextSettings("whitespace")).words

    def test_probabilities_are_optional(self, folder: Path) -> None:
        assert self.read(folder, "\nA x\n\nA\ty \nA 7\nB 0.25 x\nB 7.5e-1 9\n") == {
            "A": pytest.approx({"x": 1 / 3, "y": 1 / 3, "7": 1 / 3}),
            "B": pytest.approx({"x": 0.25, "9": 0.75}),
        }

    def test_odd_sums_are_noted(self, folder: Path) -> None:
        (folder / "definitions").write_text("DAY 0.5 monday\nDAY 0.3 may\n", encoding="utf-8")
        notes = imported(folder).describe()["notes"]
        assert "the probabilities of DAY summed to 0.8: they sum to 1 now" in notes

    def test_classes_that_the_n_grams_lack_are_noted(self, folder: Path) -> None:
        with (folder / "definitions").open("a", encoding="utf-8") as file:
            file.write("NAME ann\n")
        model = imported(folder)
        assert "1 classes are not among the n-grams, such as NAME" in model.describe()["notes"]
        assert "ann" not in model.vocabulary

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("A 0.5 new york\n", "line 1: A stands for 2 words, 'new york'"),
            ("B b\nA new york\n", "line 2: A stands for 2 words"),
            ("A\n", "line 1: the class A without a word"),
            ("A 1.5 x\n", "line 1: 1.5 is no probability"),
            ("A -0.5 x\n", "line 1: -0.5 is no probability"),
            ("A x\nA 0.5 y\n", "line 2: some words of A have a probability, others none"),
            ("A x\nA x\n", "line 2: A has the word 'x' twice"),
            ("A 0 x\nA 0 y\n", "all words of A have the probability 0"),
            ("A </s>\n", "line 1: </s> is in a class"),
            ("\n", "defines no class"),
        ],
    )
    def test_malformed_ones(self, folder: Path, text: str, said: str) -> None:
        with pytest.raises(FormatError, match=said.replace("(", r"\(")):
            self.read(folder, text)

    def test_none_of_these_n_grams(self, folder: Path) -> None:
        (folder / "definitions").write_text("NAME ann\n", encoding="utf-8")
        with pytest.raises(UsageError, match="none of the classes is among the n-grams"):
            imported(folder)

    def test_only_of_arpa_files(self, folder: Path) -> None:
        (folder / "counts.tsv").write_text("DAY may\t3\nmay\t4\nDAY\t3\n", encoding="utf-8")
        with pytest.raises(UsageError, match="classes are of an ARPA file"):
            lmkit.import_model(folder / "counts.tsv", kind="counts", classes=folder / "definitions")


def test_what_there_is_not(model: ClassModel, folder: Path) -> None:
    with pytest.raises(UnsupportedError, match="has no n-grams to export"):
        lmkit.export_model(model, folder / "out.arpa")
    with pytest.raises(UnsupportedError, match=r"not trained on text.*lmkit import"):
        lmkit.train(folder / "definitions", backend="class")

"""Which of several models a text is from: Bayes' rule over models of the very text."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

import lmkit
from lmkit.errors import UnsupportedError, UsageError
from lmkit.evaluate.classification import Classifier, Confusion, full_priors
from lmkit.text.settings import TextSettings

ONE = ["ab ba ab", "abba", "ab"] * 4
TWO = ["cd dc cd", "cddc", "a cd"] * 4


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A model of characters, and one of words of other text."""
    place = tmp_path_factory.mktemp("classes")
    made = {}
    for label, lines, tokenizer in (("one", ONE, "char"), ("two", TWO, "whitespace")):
        (place / label).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        settings = TextSettings(tokenizer=tokenizer)
        made[label] = lmkit.train(place / label, order=2, settings=settings)
    return made


def log_p(model, text):
    """log p(text) from the figures of `lmkit perplexity`: bits per character times characters."""
    figures = model.perplexity([text])
    return -figures.bits_per_character * figures.characters * math.log(2)


def test_posteriors_are_those_of_bayes(models):
    texts = ["ab ba", "cd", "", "a xyz", "a"]
    found = Classifier(models, {"one": 0.2})(texts)
    for text, row, costs in zip(texts, found.posterior, found.log_probability, strict=True):
        sums = np.array([log_p(model, text) for model in models.values()])
        assert costs == pytest.approx(sums)
        joint = np.exp(sums) * [0.2, 0.8]
        assert row == pytest.approx(joint / joint.sum())
    assert found.labels[found.best[0]] == "one"
    assert found.labels[found.best[1]] == "two"
    assert found.log10_per_character[0, 0] == pytest.approx(
        found.log_probability[0, 0] / math.log(10) / 6
    )


def test_unknown_characters_are_paid_for_as_the_text_they_are(models):
    """Of all texts of one character, no model gives more than everything away."""
    alphabet = [chr(code) for code in range(32, 0x250) if chr(code).strip()]
    found = Classifier(models)(alphabet)
    for column in found.log_probability.T:
        assert 0 < np.exp(column).sum() <= 1


def test_models_of_arpa_files_spell_evenly(models, tmp_path):
    """A step is one of the n characters of all tokens, another one, or the end: 1/(n + 2)."""
    lmkit.export_model(models["two"], tmp_path / "two.arpa")
    imported = lmkit.import_model(tmp_path / "two.arpa")
    classifier = Classifier({"one": models["one"], "two": imported})
    assert classifier.unspelt == ("two",)
    letters = {letter for one in models.values() for letter in "".join(one.vocabulary.tokens)}
    known, unknown, strange = classifier(["cd", "cda", "cdЖ"]).log_probability[:, 1]
    assert known == pytest.approx(imported.score("cd")[0].sum())
    step = -math.log(len(letters) + 2)
    sums = imported.score("nosuch")[0].sum()
    assert unknown == pytest.approx(sums + 4 * step)
    assert strange == pytest.approx(sums + 4 * step - math.log(0x110000))


def test_texts_do_not_touch_each_other(models):
    texts = ["ab\ncd", "ab", "cd\n", "ba"]
    together = Classifier(models)(texts).log_probability
    for text, row in zip(texts, together, strict=True):
        assert Classifier(models)([text]).log_probability[0] == pytest.approx(row, abs=1e-12)


def test_a_model_that_is_ruled_out_is_never_the_one(models):
    found = Classifier(models, {"one": 0.0})(["ab ba ab", "ab"])
    assert found.posterior[:, 0].tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("given", "priors"),
    [
        ({}, [1 / 3, 1 / 3, 1 / 3]),
        ({"b": 0.5}, [0.25, 0.5, 0.25]),
        ({"a": 0.2, "b": 0.3}, [0.2, 0.3, 0.5]),
        ({"a": 0.2, "b": 0.3, "c": 0.5}, [0.2, 0.3, 0.5]),
        ({"a": 1.0}, [1, 0, 0]),
    ],
)
def test_what_has_no_prior_shares_the_rest(given, priors):
    assert full_priors(["a", "b", "c"], given) == pytest.approx(priors)


@pytest.mark.parametrize(
    "given",
    [{"d": 0.1}, {"a": 1.1}, {"a": -0.1}, {"a": math.nan}, {"a": 0.6, "b": 0.6},
     {"a": 0.1, "b": 0.1, "c": 0.1}],
)  # fmt: skip
def test_what_is_no_prior_is_refused(given):
    with pytest.raises(UsageError, match="prior"):
        full_priors(["a", "b", "c"], given)


def test_models_that_do_not_compare_are_refused(models, tmp_path):
    with pytest.raises(UsageError, match="nothing to choose between"):
        Classifier({"one": models["one"]})
    (tmp_path / "two.arpa").write_text("cd dc\n", encoding="utf-8")
    lowered = lmkit.train(
        tmp_path / "two.arpa", order=1, settings=TextSettings("whitespace", lowercase=True)
    )
    with pytest.raises(UnsupportedError, match="only one was trained with --lowercase"):
        Classifier({"one": models["one"], "two": lowered})


def test_the_confusion_table():
    confusion = Confusion(("a", "b"))
    assert math.isnan(confusion.accuracy)
    confusion.add("aaab", "aaba")
    confusion.add("x", "b")
    assert confusion.accuracy == 2 / 5
    assert confusion.rows == [["a", 3, 2 / 3, 2, 1], ["b", 1, 0.0, 1, 0], ["x", 1, 0.0, 0, 1]]
    assert confusion.texts == len(list(itertools.chain("aaab", "x")))

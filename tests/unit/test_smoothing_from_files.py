"""What a file says of its smoothing is looked at before it is used again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import lmkit
from lmkit.api import append, prune
from lmkit.errors import ModelFileError, UsageError
from lmkit.ngram.explain import explain
from lmkit.ngram.smoothing.restoring import method_of

TEXT = "the cat sat on the mat\nthe dog sat\na cat and a dog\n" * 3
METHODS = {
    "modified-kneser-ney": "discounts",
    "jelinek-mercer": "lambdas",
    "katz": "ratios",
    "lidstone": "k",
    "stupid-backoff": "weight",
}
WRONG: list[Any] = [None, "x", -1, 1e301, float("nan"), [], {}, [[]], [["x"]] * 2, [[7.0] * 3] * 2]


@pytest.fixture(params=METHODS)
def model(request: Any, tmp_path: Path) -> Any:
    text = tmp_path / "t.txt"
    text.write_text(TEXT)
    return lmkit.train(text, order=2, smoothing=request.param)


def used(model: Any, text: Path) -> None:
    """All that asks the method of a model again."""
    for use in (
        lambda: explain(model, "the cat"),
        lambda: prune(model, cutoffs=(0, 1)),
        lambda: append(model, text),
    ):
        with pytest.raises(ModelFileError, match="the model is damaged: its smoothing"):
            use()


def test_what_was_learnt_comes_back(model: Any) -> None:
    facts = model.facts["smoothing"]
    assert method_of(facts, 2).parameters() == facts["parameters"]


def test_parameters_that_are_none(model: Any, tmp_path: Path) -> None:
    facts = model.facts["smoothing"]
    name = METHODS[facts["name"]]
    for wrong in WRONG:
        model.facts["smoothing"] = {**facts, "parameters": {**facts["parameters"], name: wrong}}
        for use in (lambda: explain(model, "the cat"), lambda: prune(model, cutoffs=(0, 1))):
            with pytest.raises(ModelFileError, match=r"damaged: its smoothing\.parameters"):
                use()
    lacking = {key: value for key, value in facts["parameters"].items() if key != name}
    model.facts["smoothing"] = {**facts, "parameters": lacking}
    with pytest.raises(ModelFileError, match=f"its smoothing.parameters lacks '{name}'"):
        explain(model, "the cat")


@pytest.mark.parametrize("wrong", [None, [], "x", {"more": 1}])
def test_options_and_forms_that_are_none(model: Any, wrong: Any, tmp_path: Path) -> None:
    facts = model.facts["smoothing"]
    model.facts["smoothing"] = {**facts, "options": wrong}
    used(model, tmp_path / "t.txt")
    forms = {**facts["parameters"], "form": "none"}
    model.facts["smoothing"] = {**facts, "parameters": forms}
    with pytest.raises(ModelFileError, match=r"parameters\.form"):
        append(model, tmp_path / "t.txt")


@pytest.mark.parametrize("wrong", [[], ["x"], [[0.5], 0.5], {}, "x", [[[1]]]])
def test_given_discounts_that_are_none(tmp_path: Path, wrong: Any) -> None:
    text = tmp_path / "t.txt"
    text.write_text(TEXT)
    model: Any = lmkit.train(text, order=2)
    model.facts["smoothing"]["options"]["discounts"] = wrong
    used(model, text)


def test_the_largest_count_to_discount_is_bounded(tmp_path: Path) -> None:
    text = tmp_path / "t.txt"
    text.write_text(TEXT)
    with pytest.raises(UsageError, match="from 0 to 1,000,000"):
        lmkit.train(text, order=2, smoothing="katz", max_count=10**12)

"""``explain`` puts each method's numbers into a formula that comes out at what scoring says."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmkit.ngram.explain import explain
from lmkit.registry import names, resolve

from ..small_models import texts, train

CASES = [(name, form) for name in names("smoothing") for form in resolve("smoothing", name).forms]


def value(formula: str) -> tuple[float, float]:
    """What the formula comes to, and what it says that it does (the same where it has no more)."""
    left, _, right = formula.partition(" = ")
    if not right:
        return (float(formula.partition(",")[0]),) * 2
    assert re.fullmatch(r"[-+×/() .0-9e]+", left), left
    return eval(left.replace("×", "*")), float(right)


@pytest.mark.parametrize(("name", "form"), CASES)
@settings(max_examples=25)
@given(lines=texts(), line=texts("abcx"), order=st.integers(1, 4))
def test_formulas_come_out_at_the_probability(
    name: str, form: str, lines: list[str], line: list[str], order: int
) -> None:
    model = train(lines, order, name, form=form)
    for steps in explain(model, line[0]):
        for step in steps:
            found, said = value(step.formula)
            assert said == pytest.approx(step.probability, rel=1e-3, abs=1e-12)
            assert found == pytest.approx(said, rel=5e-3, abs=1e-12), step.formula


def formulas(smoothing: str, line: str, order: int) -> list[str]:
    return [step.formula for step in explain(train(["a b b", "a c"], order, smoothing), line)[-2]]


def test_a_context_never_seen() -> None:
    # The last word of "b c a" with the contexts c and b c, which a never followed; b c is none.
    assert formulas("stupid-backoff", "b c a", 3) == [
        "2 / 7 = 0.2857",
        "0.4 × 0.2857 = 0.1143",
        "0.4 × 0.1143 = 0.04571",
    ]
    assert formulas("laplace", "b c a", 3)[2] == "0.2, as every token after an unseen context"
    assert formulas("maximum-likelihood", "b c a", 3)[1:] == [
        "0 × 0.2857 = 0",
        "0, as one order below",
    ]


def test_a_word_never_seen() -> None:
    # One more than the 7 tokens: Katz leaves 1/8 to the one word not seen, of five.
    assert formulas("katz", "x", 1) == ["0.625 × 0.2 = 0.125"]
    assert formulas("stupid-backoff", "x", 1) == ["0.4 × 0.2 = 0.08"]


def test_a_discount_that_takes_nearly_all_is_shown_with_the_digits_that_are_left() -> None:
    """(2 - 1.982) / 9 would be 0.002, and not 0.001949."""
    lines = ["", "a", "a c", "a a a", "a c b a a b c", "b a b", "b c b"]
    model = train(lines, 2, "modified-kneser-ney", form="backoff")
    for steps in explain(model, "a"):
        for step in steps:
            found, said = value(step.formula)
            assert found == pytest.approx(said, rel=5e-3), step.formula

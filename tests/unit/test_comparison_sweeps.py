"""Sweeps of a comparison: what their values are, which models they are for, and what they give."""

from __future__ import annotations

import pytest

from lmkit.errors import UsageError
from lmkit.evaluate.comparison.specs import parse_spec, parse_specs
from lmkit.evaluate.comparison.sweeps import parse_sweep, sweep_lines, swept
from lmkit.evaluate.results import Comparison, CorpusFacts, ModelResult, SplitFacts


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("tokenizer=bpe:1000..32000", "bpe:1000 bpe:2000 bpe:4000 bpe:8000 bpe:16000 bpe:32000"),
        ("tokenizer=bpe:500..3000", "bpe:500 bpe:1000 bpe:2000 bpe:3000"),
        ("tokenizer=bpe:500..32000:3", "bpe:500 bpe:4000 bpe:32000"),
        ("tokenizer=bpe:500,2000,unigram:1000,2000", "bpe:500 bpe:2000 unigram:1000 unigram:2000"),
        ("tokenizer=word,char,bpe:500..1000", "word char bpe:500 bpe:1000"),
        ("hidden-size=64,128", "64 128"),
        ("hidden-size=64..512", "64 128 256 512"),
        ("order=1..6", "1 2 3 4 5 6"),
        ("discount=0.1..0.9:5", "0.1 0.3 0.5 0.7 0.9"),
        ("learning-rate=0.0001..0.1:4", "0.0001 0.001 0.01 0.1"),
        ("smoothing=katz,witten-bell", "katz witten-bell"),
        ("min-count=0..40", "0 1 2 4 8 16 32 40"),
    ],
)  # fmt: skip
def test_values(text: str, values: str) -> None:
    assert list(parse_sweep(text).values) == values.split()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tokenizer", "is no sweep"),
        ("=1,2", "is no sweep"),
        ("order=", "is no sweep"),
        ("name=a,b", "no option name of models to sweep"),
        ("ordre=1..3", "no option ordre"),
        ("order=3", "two values or more"),
        ("order=3,3", "each once"),
        ("order=6..1", "6..1 is no range"),
        ("order=a..b", "a..b is no range"),
        ("discount=0.1..0.9", "of how many points"),
        ("hidden-size=1..64:1", "1 points make no range"),
        ("hidden-size=1..1000:1000", "2 to 100 points"),
    ],
)
def test_what_is_no_sweep_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_sweep(text)


def names(specs: list[str], *sweeps: str) -> list[str]:
    return [spec.name for spec in swept(parse_specs(specs), [parse_sweep(text) for text in sweeps])]


def test_all_models_of_one_value_come_together() -> None:
    assert names(["ngram:order=5", "lstm"], "tokenizer=bpe:500,800") == [
        "mod. Kneser-Ney 5 bpe:500", "LSTM bpe:500", "mod. Kneser-Ney 5 bpe:800", "LSTM bpe:800",
    ]  # fmt: skip


def test_models_without_the_option_or_with_a_value_of_their_own_stay() -> None:
    assert names(["ngram:tokenizer=char", "ngram", "mix:of=ngram"], "tokenizer=bpe:500,800") == [
        "mod. Kneser-Ney 5 char", "mod. Kneser-Ney 5 bpe:500", "mod. Kneser-Ney 5 bpe:800",
        "best n-gram",
    ]  # fmt: skip
    assert names(["ngram", "lstm"], "hidden-size=8,16") == [
        "mod. Kneser-Ney 5", "LSTM hidden=8", "LSTM hidden=16",
    ]  # fmt: skip
    assert names(["lstm", "ngram"], "order=2,3") == [
        "LSTM", "mod. Kneser-Ney 2", "mod. Kneser-Ney 3",
    ]  # fmt: skip


def test_names_tell_what_is_swept() -> None:
    assert names(["lstm"], "time-budget=10s,1m") == ["LSTM time-budget=10s", "LSTM time-budget=1m"]
    assert names(["ngram:name=mine"], "order=5,6") == ["mine 5", "mine 6"]
    assert names(["lstm"], "tied=yes,no") == ["LSTM tied=yes", "LSTM tied=no"]


def test_a_sweep_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="no model is left to sweep order"):
        names(["ngram:order=5", "lstm"], "order=1..3")
    with pytest.raises(UsageError, match="two sweeps of order"):
        names(["ngram"], "order=1..3", "order=4..5")
    with pytest.raises(UsageError, match="has no size to choose"):
        names(["ngram"], "tokenizer=char:500,600")


def test_a_variant_is_asked_for_by_its_own_specification() -> None:
    (base,) = parse_specs(["lstm:hidden-size=64,time-budget=1m30s,layer-norm,name=mine"])
    first, _ = swept([base], [parse_sweep("tokenizer=bpe:500,800")])
    again = parse_spec(first.text)
    assert (again.options, again.tokenizer, again.name) == (
        base.options, "bpe:500", "mine bpe:500",
    )  # fmt: skip
    assert (first.options, first.tokenizer, first.name) == (again.options, "bpe:500", again.name)


def test_two_sweeps_are_a_product_whose_first_is_the_axis() -> None:
    sweeps = [parse_sweep("order=1,2"), parse_sweep("smoothing=katz,witten-bell")]
    specs = swept([parse_spec("ngram")], sweeps)
    rows = [
        ModelResult(spec.name, spec.text, "ngram", rank=rank, bits_per_character=2.0 + rank / 10)
        for rank, spec in enumerate(specs)
    ]
    lines = sweep_lines(specs, rows)
    assert [(line.name, [point.label for point in line.points]) for line in lines] == [
        ("Katz n", ["1", "2"]), ("Witten-Bell n", ["1", "2"]),
    ]  # fmt: skip
    assert lines[0].best.model == "Katz 1"


def test_a_line_for_each_kind_of_tokenizer_and_failed_models_left_out() -> None:
    specs = swept(
        [parse_spec("ngram")], [parse_sweep("tokenizer=bpe:8000,500,unigram:500..1000")]
    )  # fmt: skip
    rows = [
        ModelResult(spec.name, spec.text, "ngram", bits_per_character=2.0)
        for spec in specs
        if spec.tokenizer != "unigram:500"
    ]
    lines = sweep_lines(specs, rows)
    assert [line.name for line in lines] == ["mod. Kneser-Ney 5 bpe", "mod. Kneser-Ney 5 unigram"]
    split = SplitFacts("test", "t", "0", 1, 2, 3)
    found = Comparison(CorpusFacts("c", split, None, split, None, 0, False, 10, 12), rows)
    found.sweep = lines
    assert found.sweep_labels == ["500", "1,000", "8,000"]

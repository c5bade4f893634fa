"""Specifications of models, suites, and how time is shared out."""

from __future__ import annotations

import pytest

from lmkit.errors import UsageError
from lmkit.evaluate.comparison.specs import distinct, parse_spec, parse_specs, seconds_of
from lmkit.evaluate.comparison.suites import LEAST_SECONDS, SUITES, share_out, suite


def test_options_have_the_types_that_backends_want() -> None:
    spec = parse_spec("ngram:order=3,smoothing=katz,prune=0,0,1,max-count=7")
    assert spec.backend == "ngram"
    assert spec.options == {"order": 3, "smoothing": "katz", "prune": [0, 0, 1], "max_count": 7}
    spec = parse_spec("lstm:hidden-size=64,time-budget=1m30s,layer-norm,dropout=0.5,momentum=0.9")
    assert spec.options == {
        "hidden": 64,
        "time_budget": 90.0,
        "layer_norm": True,
        "dropout": 0.5,
        "optimizer_options": {"momentum": 0.9},
    }


def test_names_fit_into_a_table() -> None:
    names = [spec.name for spec in parse_specs(["ngram", "ngram:order=3,smoothing=katz"])]
    assert names == ["mod. Kneser-Ney 5", "Katz 3"]
    assert parse_spec("gru:tokenizer=char,hidden=8").name == "GRU char hidden=8"
    assert parse_spec("gru:name=mine,hidden=8").name == "mine"
    assert parse_spec("mix:of=ngram,cache=yes").name == "best n-gram + cache"


def test_the_same_twice_has_two_names_and_two_trainings() -> None:
    one, other, third = parse_specs(["lstm", "lstm", "lstm:hidden=9,name=LSTM"])
    assert [one.name, other.name, third.name] == ["LSTM", "LSTM (2)", "LSTM (3)"]
    assert [one.copy, other.copy, third.copy] == [1, 2, 1]


def test_names_stay_distinct_when_they_are_made_distinct_again() -> None:
    specs = distinct(distinct([parse_spec("lstm"), parse_spec("lstm"), parse_spec("gru")]))
    assert len({spec.name for spec in specs}) == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lstn:hidden=3", "neither a model file nor a backend.*rnn, gru, lstm"),
        ("missing.lm", "neither a model file"),
        ("ngram:order=three", "order is a whole number, not 'three'"),
        ("lstm:time-budget=soon", "time-budget is a time such as 90s"),
        ("lstm:tied=perhaps", "tied is yes or no"),
        ("ngram:tokenizer=letters", "no tokenizer named 'letters'.*char"),
        ("ngram:lowercase=yes", "same normalisation.*--lowercase for the whole comparison"),
    ],
)
def test_what_makes_no_sense_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_spec(text)


@pytest.mark.parametrize(
    "text", ["ngram:order=2,order=3", "ngram:order=2,smoothing=katz,order=3", "lstm:tied,tied"]
)
def test_an_option_is_given_once(text: str) -> None:
    with pytest.raises(UsageError, match="is given twice"):
        parse_spec(text)
    assert parse_spec("ngram:discount=0.5,1,1.5,order=3").options["order"] == 3


def test_a_model_file_is_a_specification(tmp_path) -> None:
    path = tmp_path / "some.lm"
    path.write_bytes(b"")
    assert parse_spec(str(path)).path == path


def test_times() -> None:
    assert (seconds_of("90"), seconds_of("10m"), seconds_of("1h30m")) == (90, 600, 5400)
    with pytest.raises(ValueError, match="0"):
        seconds_of("0")


@pytest.mark.parametrize("name", SUITES)
def test_suites_are_specifications_with_distinct_names(name: str) -> None:
    specs = suite(name)
    assert len({spec.name for spec in specs}) == len(specs) == len(SUITES[name])


def test_the_time_is_shared_out_among_networks_only() -> None:
    specs = share_out(suite("classic"), 600.0, 100_000)
    times = {spec.name: spec.options["time_budget"] for spec in specs if spec.is_network}
    assert len(times) == 4
    assert 0.9 * 600 < sum(times.values()) <= 600
    assert times["LSTM char"] > times["LSTM"] > times["Elman RNN"]
    assert not any("time_budget" in spec.options for spec in specs if not spec.is_network)


def test_what_has_a_time_or_a_number_of_epochs_keeps_it() -> None:
    specs = parse_specs(["lstm:epochs=2", "gru:time-budget=7s", "rnn"])
    shared = share_out(specs, 60.0, 1000)
    assert shared[0].options == {"epochs": 2.0}
    assert shared[1].options == {"time_budget": 7.0}
    assert 50 < shared[2].options["time_budget"] <= 60


def test_seeds_and_parts_share_one_budget() -> None:
    (one,) = share_out(parse_specs(["lstm"]), 60.0, 0, trainings=3, parts=(0.5, 0.5, 1.0))
    assert one.options["time_budget"] == 10.0


def test_a_budget_that_is_too_small_says_what_would_do() -> None:
    specs = parse_specs(["rnn", "gru", "lstm"])
    with pytest.raises(
        UsageError, match=r"leaves a network 0\.\d s.*--time-budget (\d+)s"
    ) as found:
        share_out(specs, 2.0, 10_000)
    enough = float(found.value.hint.split()[1].rstrip("s,"))
    times = [spec.options["time_budget"] for spec in share_out(specs, enough, 10_000)]
    assert min(times) >= LEAST_SECONDS

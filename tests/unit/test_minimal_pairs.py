"""Minimal pairs: reading, scores beside those of the model itself, intervals and tests by hand."""

from __future__ import annotations

import json
import math
from itertools import product

import numpy as np
import pytest

import lmkit
from lmkit.errors import TextError, UsageError
from lmkit.evaluate import minimal_pairs, proportions
from lmkit.evaluate.minimal_pairs import (
    PER,
    Pairs,
    PairScores,
    accuracy,
    difference,
    flat_rows,
    group_rows,
    mean_accuracy,
    read_pairs,
    rows_by_group,
    score_pairs,
)
from lmkit.evaluate.proportions import mean_limits, paired_limits, sign_test, wilson

from ..small_models import train

LINES = ["the cat sits", "the cats sit", "a cat sits here", "two cats sit here", "the dog sits"]


def line(good: object, bad: object, **more: object) -> str:
    return json.dumps({"sentence_good": good, "sentence_bad": bad, **more}) + "\n"


def pairs_of(*pairs: tuple[str, str], groups: list[str] | None = None) -> Pairs:
    good, bad = zip(*pairs, strict=True)
    names = groups or ["g"] * len(pairs)
    return Pairs(list(good), list(bad), names, [("f", n) for n in range(1, len(pairs) + 1)])


def test_pairs_are_read_with_their_groups_and_places(tmp_path):
    (tmp_path / "one.jsonl").write_text(
        "\ufeff" + line("a", "b", UID="x", field="f") + "\n" + line("c", "d", field="g"), "utf-8"
    )
    (tmp_path / "two.jsonl").write_text(line("é", "f", UID="y", field="f"), "utf-8")
    pairs = read_pairs([tmp_path / "one.jsonl", tmp_path / "two.jsonl"])
    assert (pairs.good, pairs.bad) == (["a", "c", "é"], ["b", "d", "f"])
    assert pairs.groups == ["x", "one", "y"]
    assert [number for _, number in pairs.places] == [1, 3, 1]
    assert read_pairs([tmp_path]) == pairs
    assert read_pairs([tmp_path], group="field").groups == ["f", "g", "f"]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("no json\n", "no JSON"),
        ("[1]\n", "not an object but a list"),
        (json.dumps({"sentence_good": "a"}), "there is no field 'sentence_bad'"),
        (line("a", 1), "the field 'sentence_bad' is not a text but a number"),
        (line("a", " "), "the field 'sentence_bad' is empty"),
        (line("a", "b", UID=None), "the field 'UID' is not a text but null"),
    ],
)
def test_a_bad_line_is_said_with_its_file_and_number(tmp_path, bad, said):
    file = tmp_path / "p.jsonl"
    file.write_text(line("a", "b") + bad, "utf-8")
    with pytest.raises(TextError, match="line 2: ") as error:
        read_pairs([file])
    assert str(file) in str(error.value) and said in str(error.value)


def test_what_has_no_pairs_is_an_error(tmp_path):
    with pytest.raises(TextError, match=r"no \.jsonl file"):
        read_pairs([tmp_path])
    (tmp_path / "p.jsonl").write_text("\n", "utf-8")
    with pytest.raises(TextError, match="no pair of sentences"):
        read_pairs([tmp_path])
    (tmp_path / "p.jsonl").write_text(line("a", "b"), "utf-8")
    with pytest.raises(TextError, match="there is no field 'field'"):
        read_pairs([tmp_path], group="field")


def test_scores_are_those_of_the_model(monkeypatch):
    monkeypatch.setattr(minimal_pairs, "_BLOCK", 2)
    model = train(LINES, 3, "modified-kneser-ney")
    pairs = pairs_of(
        ("the cat sits", "the cat sit"), ("the zebra sits", "the zebra sit"), ("a", "dog dog")
    )
    sentences = [text for pair in zip(pairs.good, pairs.bad, strict=True) for text in pair]
    plain = score_pairs(model, pairs, unknown_words="token")
    expected = [float(np.sum(model.score(text)[0])) for text in sentences]
    assert plain.log_probability.ravel() == pytest.approx(expected)
    assert plain.tokens.tolist() == [[4, 4], [4, 4], [2, 3]]
    assert plain.oovs.tolist() == [[0, 0], [1, 1], [0, 0]]
    assert plain.characters.tolist() == [[13, 12], [15, 14], [2, 8]]
    spelt = score_pairs(model, pairs)
    assert spelt.spelt and not plain.spelt
    paid = model.encoder.spelling_log_probs(["zebra"])[0]
    assert spelt.log_probability - plain.log_probability == pytest.approx(
        np.array([[0, 0], [paid, paid], [0, 0]])
    )
    with pytest.raises(UsageError, match="unknown words cannot be"):
        score_pairs(model, pairs, unknown_words="free")


def test_a_model_that_cannot_spell_says_so(tmp_path):
    lmkit.export_model(train(LINES, 2, "witten-bell"), tmp_path / "m.arpa")
    model = lmkit.import_model(tmp_path / "m.arpa")
    scores = score_pairs(model, pairs_of(("zebra", "lion")))
    assert not scores.spelt
    assert scores.right().tolist() == [0.5]


def test_a_literal_mark_is_said_with_its_line():
    model = train(LINES, 2, "witten-bell")
    pairs = pairs_of(("a", "b"), ("a", "b </s>"))
    with pytest.raises(TextError, match="f, line 2: the text has a literal </s>"):
        score_pairs(model, pairs, special_tokens="error")
    assert score_pairs(model, pairs, special_tokens="word").right().shape == (2,)


def test_length_decides_and_ties_are_halves():
    log = np.array([[-4.0, -6.0], [-3.0, -3.0 * (1 + 1e-15)], [-math.inf, -math.inf], [-9, -1.0]])
    tokens = np.array([[2, 6], [3, 3], [1, 1], [3, 1]])
    characters = np.array([[4, 4], [3, 2], [1, 1], [90, 5]])
    scores = PairScores(log, tokens, np.zeros((4, 2), int), characters, True)
    assert scores.right().tolist() == [1, 0.5, 0.5, 0]
    assert scores.right("token").tolist() == [0, 0.5, 0.5, 0]
    assert scores.right("character").tolist() == [1, 1, 0.5, 1]


def test_an_impossible_sentence_ties_with_another_such_alone():
    log = np.array([[-math.inf, -3.0], [-3.0, -math.inf], [-math.inf, -math.inf]])
    ones = np.ones((3, 2), int)
    scores = PairScores(log, ones, 0 * ones, ones, True)
    assert [scores.right(per).tolist() for per in PER] == [[0, 1, 0.5]] * 3


def test_groups_and_totals_by_hand():
    # One group of one pair, right; one of three, of which one is right and one ties.
    log = np.array([[-1.0, -2.0], [-1, -2], [-2, -1], [-1, -1]])
    ones = np.ones((4, 2), int)
    scores = PairScores(log, ones, np.array([[0, 1], [0, 0], [0, 0], [2, 0]]), ones, True)
    pairs = pairs_of(*[("a", "b")] * 4, groups=["z", "b", "b", "b"])
    rows = rows_by_group(pairs, scores)
    assert [(row.total, row.group) for row in rows] == [
        (None, "z"), (None, "b"), ("groups", None), ("pairs", None)
    ]  # fmt: skip
    assert [row.by["sentence"].accuracy for row in rows] == [1.0, 0.5, 0.75, 0.625]
    assert [row.by["sentence"].ties for row in rows] == [0, 1, 1, 1]
    assert [row.unknown for row in rows] == [1, 1, 2, 2]
    assert rows[0].difference is None
    flat = list(flat_rows(rows))
    assert flat[3]["accuracy_per_token"] == 0.625 and "difference" not in flat[3]
    worse = PairScores(-log, ones, scores.oovs, ones, True)
    to_first = [row.difference for row in rows_by_group(pairs, worse, scores)]
    assert [one.difference for one in to_first] == [-1, 0, -0.5, -0.25]
    # Two groups, -1 and 0: of the four ways to set the signs, all are as far.
    assert [one.p_value for one in to_first] == [1, 1, 1, 1]


def test_groups_keep_their_order():
    found = group_rows(["b", "a", "b", "c"])
    assert {name: rows.tolist() for name, rows in found.items()} == {
        "b": [0, 2],
        "a": [1],
        "c": [3],
    }
    assert list(found) == ["b", "a", "c"]


def test_wilson_is_what_it_solves():
    assert wilson(0, 0) == (0, 1)
    assert wilson(0, 10)[0] == 0 and wilson(10, 10)[1] == 1
    # Brown, Cai and DasGupta: the limits are where |p - k/n| is z standard errors under p.
    for k, n in ((1, 10), (5, 10), (263.5, 500), (499, 500)):
        for limit in wilson(k, n):
            error = math.sqrt(limit * (1 - limit) / n)
            assert abs(k / n - limit) == pytest.approx(proportions.Z * error)


def test_the_mean_of_one_group_is_that_group():
    one = accuracy(np.array([1, 1, 0, 0.5]))
    assert mean_accuracy([one]) == one
    low, high = mean_limits([0.5, 0.5], [(0.4, 0.6), (0.4, 0.6)])
    assert (low, high) == pytest.approx((0.5 - 0.1 / math.sqrt(2), 0.5 + 0.1 / math.sqrt(2)))


@pytest.mark.parametrize(("better", "worse"), list(product((0, 1, 2, 5, 9), repeat=2)))
def test_the_sign_test_is_exact(better, worse):
    n = better + worse
    tail = sum(math.comb(n, i) for i in range(min(better, worse) + 1)) / 2**n
    differences = np.array([1.0] * better + [-0.5] * worse + [0.0] * 3)
    assert sign_test(differences) == pytest.approx(min(1.0, 2 * tail))


def test_the_sign_test_holds_for_many_pairs():
    assert sign_test(np.repeat([1.0, -1.0], [20_000, 19_000])) == pytest.approx(4.22e-7, rel=0.02)
    assert sign_test(np.repeat([1.0, -1.0], [20_000, 10_000])) == 0


def test_paired_limits_cover_the_truth():
    generator = np.random.default_rng(1)
    covered = 0
    for _ in range(400):
        differences = generator.choice([1.0, 0.0, -1.0], 60, p=[0.2, 0.7, 0.1])
        low, high = paired_limits(differences)
        covered += low <= 0.1 <= high
    assert 0.92 <= covered / 400 <= 0.98
    assert difference(np.ones(9), np.zeros(9)).high == 1


def test_every_backend_is_asked_alike(tmp_path):
    text = tmp_path / "t.txt"
    text.write_text("".join(f"{one}\n" for one in LINES), "utf-8")
    pairs = pairs_of(("the cat sits", "sits cat the"), ("two cats sit", "cats two sit"))
    network = lmkit.train(text, backend="rnn", hidden=4, epochs=1, workers=1, seed=1)
    mixture = lmkit.mix(
        [train(LINES, 2, "witten-bell"), train(LINES, 3, "katz")], weights=[0.5, 0.5]
    )
    backoff = train(LINES, 2, "stupid-backoff")
    for model in (network, mixture, backoff):
        scores = score_pairs(model, pairs, unknown_words="token")
        expected = [[float(np.sum(model.score(s)[0])) for s in pair] for pair in zip(
            pairs.good, pairs.bad, strict=True)]  # fmt: skip
        assert scores.log_probability == pytest.approx(np.array(expected), rel=1e-5)
        assert set(scores.right(PER[1]).tolist()) <= {0, 0.5, 1}

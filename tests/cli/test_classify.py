"""``lmkit classify``: models on the command line, rows out, training and evaluating."""

from __future__ import annotations

import csv
import gzip
import json

import pytest

import lmkit
from lmkit.text.settings import TextSettings

from .support import refused

GERMAN = "der hund und die katze\ndas ist gut\nich bin hier\n"
ENGLISH = "the dog and the cat\nthat is good\ni am here\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with texts (one of them in parts, one compressed), and one with their models."""
    folder = tmp_path_factory.mktemp("languages")
    (folder / "texts" / "de" / "more").mkdir(parents=True)
    first, _, rest = GERMAN.partition("\n")
    (folder / "texts" / "de" / "a.txt").write_text(f"{first}\n", encoding="utf-8")
    (folder / "texts" / "de" / "more" / "b.txt").write_text(rest, encoding="utf-8")
    (folder / "texts" / "en.v1.txt.gz").write_bytes(gzip.compress(ENGLISH.encode()))
    (folder / "texts" / ".hidden").write_bytes(b"\xff")
    return folder


@pytest.fixture
def models(run, place):
    if not (place / "models").exists():
        words = ("--train", place / "texts", "--output", place / "models", "--order", "4")
        result = run("classify", *words)
        assert (result.status, result.out) == (0, "")
        assert result.err == f"{place / 'models'}: 2 models: de, en.v1\n"
    return place / "models"


def test_each_text_has_a_model_as_train_makes_it(models, tmp_path):
    assert sorted(one.name for one in models.iterdir()) == ["de.lm", "en.v1.lm"]
    for name, text in (("de", GERMAN), ("en.v1", ENGLISH)):
        model = lmkit.load(models / f"{name}.lm")
        assert (model.unit, model.order) == ("character", 4)
        (tmp_path / "text").write_text(text, encoding="utf-8")
        settings = lmkit.load(models / f"{name}.lm").encoder.settings
        same = lmkit.train(tmp_path / "text", order=4, settings=settings)
        assert model.perplexity(text).perplexity == pytest.approx(same.perplexity(text).perplexity)


def test_rows_in_every_format(run, models):
    stdin = b"the cat\ndie katze\n\n"
    rows = run("classify", models, "--jsonl", stdin=stdin).out.splitlines()
    found = [json.loads(row) for row in rows]
    assert [row["label"] for row in found[:2]] == ["en.v1", "de"]
    assert list(found[0]) == ["line", "label", "posterior", "log10_per_character", "text"]
    assert set(found[0]["log10_per_character"]) == {"de", "en.v1"}
    assert found[0]["posterior"] > 0.99
    assert found[2]["text"] == "" and found[2]["log10_per_character"]["de"] < 0
    assert json.loads(run("classify", models, "--json", stdin=stdin).out) == found
    table = list(csv.DictReader(run("classify", models, "--csv", stdin=stdin).out.splitlines()))
    for row, other in zip(table, found, strict=True):
        assert row["label"] == other["label"]
        cost = other["log10_per_character"]["en.v1"]
        assert float(row["log10_per_character_en.v1"]) == cost
    assert "line  label  posterior" in run("classify", models, stdin=stdin).out


def test_models_have_names_and_priors(run, models, tmp_path):
    (tmp_path / "text.txt").write_text("x\n", encoding="utf-8")
    words = (f"german={models / 'de.lm'}", models / "en.v1.lm", tmp_path / "text.txt", "--jsonl")
    likely = json.loads(run("classify", *words, "--prior", "german=0.999999").out)
    assert likely["label"] == "german"
    unlikely = json.loads(run("classify", *words, "--prior", "german=1e-6").out)
    assert unlikely["label"] == "en.v1"


def test_labelled_lines_are_counted(run, models):
    stdin = b"de\tdie katze\nen.v1\tthe cat\nde\tthe dog and the cat\nfr\tthe\n"
    found = json.loads(run("classify", models, "--labelled", "--json", stdin=stdin).out)
    assert found == {
        "lines": 4,
        "accuracy": 0.5,
        "confusion": {
            "de": {"de": 1, "en.v1": 1},
            "en.v1": {"de": 0, "en.v1": 1},
            "fr": {"de": 0, "en.v1": 1},
        },
    }
    result = run("classify", models, "--labelled", "--tsv", stdin=stdin)
    assert result.out.splitlines()[:2] == ["label\tlines\taccuracy\tde\ten.v1", "de\t2\t0.5\t1\t1"]
    assert result.err == "4 lines, accuracy 0.5000\n"
    refused(
        run("classify", models, "--labelled", stdin=b"de\ta\nno label\n"),
        "line 2: there is no tab behind a label",
        status=1,
    )


def test_a_literal_mark_is_said_with_its_line(run, place, tmp_path):
    models = tmp_path / "words"
    train = ("--train", place / "texts", "--output", models, "--tokenizer", "word", "--order", "2")
    assert run("classify", *train).status == 0
    refused(run("classify", models, "-q", "--jsonl", stdin=b"a\nb </s>\n"), "line 2: ", status=1)
    for how in ("word", "unknown", "drop"):
        words = ("--special-tokens", how)
        assert run("classify", models, *words, stdin=b"a\nb </s>\n").status == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["models/de.lm"], "there is nothing to choose between"),
        (["models", "models/de.lm"], "the name de is there twice"),
        (["texts", "x.txt"], "there is no model (.lm) in"),
        (["nosuch.txt", "models"], "is not a model"),
        (["models", "--prior", "fr=0.5"], "--prior fr: there is no model of this name"),
        (["models", "--prior", "de=0.5", "--prior", "de=0.1"], "--prior de is there twice"),
        (["models", "--prior", "de=0.5", "--prior", "de=0.1"], "Try: one prior for each model"),
        (["models", "--prior", "de"], "is not NAME=P"),
        (["models", "--prior", "=0.5"], "is not NAME=P"),
        (["models", "--order", "3"], "--order says how models are made"),
        (["models", "--output", "x"], "--output says how models are made"),
        (["--train", "texts"], "--output FOLDER"),
        (["--train", "empty", "--output", "x"], "there is no text in"),
        (["--train", "texts", "--output", "x", "--add", "1"], "--add means nothing"),
        (["--train", "twice", "--output", "x"], "two texts in twice are called a"),
        (["--train", "same", "--output", "same"], "would write over a text"),
        (["--train", "texts", "--output", "texts"], "models in texts would be texts of --train"),
        (["--train", "texts", "--output", "x/../texts/new"], "would be texts of --train"),
    ],
)
def test_what_makes_no_sense_is_refused(run, models, place, words, said, monkeypatch):
    monkeypatch.chdir(place)
    for folder, names in (("empty", []), ("twice", ["a.txt", "a.gz"]), ("same", ["a.lm"])):
        (place / folder).mkdir(exist_ok=True)
        for name in names:
            (place / folder / name).touch()
    refused(run("classify", *words, stdin=b"a\n"), said, status=2)


def test_of_several_models_the_error_names_one(run, models, tmp_path):
    text = tmp_path / "text"
    text.write_text("a b\n", encoding="utf-8")
    lmkit.train(text, smoothing="stupid-backoff", output=tmp_path / "raw.lm")
    lmkit.train(text, settings=TextSettings(lowercase=True), output=tmp_path / "low.lm")
    scores = run("classify", models, tmp_path / "raw.lm", stdin=b"a\n")
    refused(scores, "raw: this model gives scores, not probabilities", status=1)
    letters = run("classify", models, tmp_path / "low.lm", stdin=b"a\n")
    refused(letters, "de and low: the two models do not code the same text", status=1)

"""``lmkit counts``, ``explain``, ``info`` and ``tables``: looking inside a model."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import sqlite3
from contextlib import closing

import pytest

import lmkit
from lmkit.ngram.explain import continuations, explain

from .support import refused


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory, tiny_lines):
    """A bigram model of five sentences."""
    place = tmp_path_factory.mktemp("tiny")
    (place / "tiny.txt").write_text("".join(f"{line}\n" for line in tiny_lines))
    settings = lmkit.TextSettings("whitespace")
    model = place / "tiny.lm"
    lmkit.train(
        place / "tiny.txt", order=2, settings=settings, smoothing="witten-bell", output=model
    )
    return model


@pytest.fixture(scope="session")
def char_model(tmp_path_factory, tiny_lines):
    place = tmp_path_factory.mktemp("chars")
    (place / "tiny.txt").write_text("".join(f"{line}\n" for line in tiny_lines))
    settings = lmkit.TextSettings("char")
    lmkit.train(place / "tiny.txt", order=3, settings=settings, output=place / "chars.lm")
    return place / "chars.lm"


@pytest.fixture(scope="session")
def arpa_model(tmp_path_factory, tiny_model):
    """A model that came from an ARPA file, and so has no counts."""
    place = tmp_path_factory.mktemp("arpa")
    lmkit.export_model(tiny_model, place / "model.arpa")
    lmkit.import_model(place / "model.arpa", output=place / "imported.lm")
    return place / "imported.lm"


@pytest.fixture
def own_model(tiny_model, tmp_path):
    """A copy that a test may change."""
    path = tmp_path / "model.lm"
    path.write_bytes(tiny_model.read_bytes())
    return path


# counts


def test_counts_lists_the_likeliest_tokens_first(run, tiny_model):
    result = run("counts", tiny_model, "the", "--top", "2")
    assert result.err == ""
    lines = result.out.splitlines()
    assert lines[0].split() == ["token", "count", "probability", "order"]
    # "the" was followed by "cat" only, twice.
    assert lines[2].split()[:2] == ["cat", "2"]
    assert lines[2].split()[3] == "2"
    assert len(lines) == 2 + 2


def test_counts_are_those_of_the_library(run, small_model):
    rows = json.loads(run("counts", small_model, "w1 w2", "--json").out)
    expected = continuations(lmkit.load(small_model), "w1 w2")
    assert [tuple(row.values()) for row in rows] == [
        (row.token, row.count, row.probability, row.order) for row in expected
    ]
    assert len(rows) == 20
    probabilities = [row["probability"] for row in rows]
    assert probabilities == sorted(probabilities, reverse=True)


def test_counts_of_everything_sum_to_one(run, tiny_model):
    for context in ("", "a", "<s>", "sat", "zebra"):
        out = run("counts", tiny_model, context, "--top", "1000", "--json").out
        assert sum(row["probability"] for row in json.loads(out)) == pytest.approx(1)


def test_counts_name_the_words_that_the_model_does_not_know(run, tiny_model):
    result = run("counts", tiny_model, "the zebra of a")
    assert result.status == 0
    assert result.err == "not in the vocabulary: zebra, of\n"
    assert run("counts", tiny_model, "<s> the").err == ""


def test_counts_of_a_model_without_any_are_empty(run, arpa_model):
    rows = json.loads(run("counts", arpa_model, "the", "--top", "1", "--json").out)
    assert (rows[0]["token"], rows[0]["count"], rows[0]["order"]) == ("cat", None, 2)
    assert run("counts", arpa_model, "the", "--top", "1").out.splitlines()[2].split()[1] == "-"


def test_a_space_that_is_a_token_can_be_seen(run, char_model):
    assert "␣" in run("counts", char_model, "a").out
    assert " " in {row["token"] for row in json.loads(run("counts", char_model, "a", "--json").out)}


@pytest.mark.parametrize(
    "words, said",
    [
        (["the", "--top", "0"], "0 is not in the range"),
        ([], "Missing argument 'CONTEXT'"),
        (["the", "cat"], "Got unexpected extra argument"),
        (["the", "--json", "--csv"], "--json and --csv exclude each other"),
        (["a </s> b"], "has a </s>, which ends a sentence: nothing follows it there"),
        (["a <s> b"], "Try: <s> only at the beginning of CONTEXT, and no </s>."),
    ],
)
def test_counts_that_make_no_sense(run, tiny_model, words, said):
    refused(run("counts", tiny_model, *words), said, status=2)


# explain


def test_explain_shows_the_formulas_an_order_a_line(run, tiny_model):
    result = run("explain", tiny_model, "the cat zebra")
    assert (result.status, result.err) == (0, "")
    lines = result.out.splitlines()
    steps = explain(lmkit.load(tiny_model), "the cat zebra")
    heads = [place for place, line in enumerate(lines) if not line.startswith("  ")]
    assert [lines[place] for place in heads[:-1]] == [
        "the",
        "cat",
        "zebra  (not in the vocabulary: <unk>)",
        "</s>",
    ]
    for place, token in zip(heads, steps, strict=False):
        shown = lines[place + 1 : place + 1 + len(token)]
        for line, step in zip(shown, token, strict=True):
            assert line.startswith(f"  {step.order}  ")
            assert line.endswith(step.formula)
            before = line.removesuffix(step.formula)
            if step.found == "context" and step.order > 1 and step.total:
                assert before.endswith(f"  {step.count} of {step.total}: ")
            elif step.total:
                assert f"{step.count} / ({step.total} + " in step.formula
            else:
                assert before.endswith("  context not seen: ")
    # "the" begins two of five sentences.
    assert re.fullmatch(r"  2  <s>  2 / \(5 \+ 3\) \+ .*", lines[2])


def test_a_context_loses_its_first_words_where_a_terminal_is_narrow(run, tmp_path):
    text, words = tmp_path / "text.txt", [f"{letter * 9}" for letter in "abcdefg"]
    text.write_text(f"{' '.join(words)}\n" * 9 + f"{' '.join(reversed(words))}\n")
    path = tmp_path / "model.lm"
    lmkit.train(text, order=5, smoothing="witten-bell", output=path)
    sentence = " ".join(words)
    whole = run("explain", path, sentence).out
    assert " ".join(words[2:6]) in whole and "…" not in whole
    wide = run("explain", path, sentence, stdout_is_terminal=True, width=200, no_color=True).out
    assert wide == whole
    narrow = run("explain", path, sentence, stdout_is_terminal=True, width=80, no_color=True).out
    assert max(map(len, narrow.splitlines())) <= 80
    assert re.search(rf"  5  … (\w+ )*{words[5]} +[0-9(]", narrow)
    assert narrow.count("\n") == whole.count("\n")


def test_explain_ends_with_the_whole_sentence(run, tiny_model):
    last = run("explain", tiny_model, "the cat").out.splitlines()[-1]
    total = lmkit.load(tiny_model).score("the cat")[0].sum() / math.log(10)
    perplexity = 10 ** (-total / 3)
    assert last == f"log10 probability {total:.4f}, perplexity {perplexity:.4g}, 3 tokens"


def test_a_sentence_of_probability_zero_is_explained_too(run, small_text, tmp_path):
    path = tmp_path / "model.lm"
    lmkit.train(small_text, order=2, smoothing="maximum-likelihood", output=path)
    last = run("explain", path, "nosuch").out.splitlines()[-1]
    assert last == "log10 probability -inf, perplexity inf, 2 tokens"


def test_scores_that_are_no_probabilities_are_called_scores(run, stupid_model):
    last = run("explain", stupid_model, "w1 nosuch").out.splitlines()[-1]
    assert re.fullmatch(r"log10 score -\d+\.\d{4}, 3 tokens", last)


@pytest.mark.parametrize("fmt", ["--json", "--jsonl", "--csv", "--tsv"])
def test_explain_has_a_row_a_step_in_the_formats(run, tiny_model, fmt):
    out = run("explain", tiny_model, "the zebra", fmt).out
    if fmt == "--json":
        rows = json.loads(out)
    elif fmt == "--jsonl":
        rows = [json.loads(line) for line in out.splitlines()]
    else:
        rows = list(csv.DictReader(io.StringIO(out), delimiter="," if fmt == "--csv" else "\t"))
    names = "position order context token found count total share rest backoff_weight probability"
    assert list(rows[0]) == [*names.split(), "formula"]
    assert [int(row["position"]) for row in rows] == [1, 1, 2, 2, 3, 3]
    assert [row["token"] for row in rows] == [*["the"] * 2, *["<unk>"] * 2, *["</s>"] * 2]
    last = math.exp(lmkit.load(tiny_model).score("the zebra")[0][-1])
    assert float(rows[-1]["probability"]) == pytest.approx(last)


def test_explain_without_counts(run, arpa_model):
    lines = run("explain", arpa_model, "the a").out.splitlines()
    assert re.fullmatch(r"  2  <s>  0\.\d+", lines[2])
    assert re.fullmatch(r"  2  the  not seen there: \S+ × \S+ = \S+", lines[5])


def test_explain_with_counts_that_pruning_left(run, small_model, tmp_path):
    lmkit.prune(small_model, cutoffs=(0, 1, 1), output=tmp_path / "pruned.lm")
    unigram = run("explain", tmp_path / "pruned.lm", "w1").out.splitlines()[1]
    count = lmkit.load(small_model).trie[1].count.array()[3:]
    assert re.fullmatch(r"  1  +(\d+): 0\.\d+", unigram)
    assert int(unigram.split()[1].rstrip(":")) in count.tolist()


def test_explain_of_characters_shows_spaces(run, char_model):
    lines = run("explain", char_model, "a b").out.splitlines()
    assert [line for line in lines if not line.startswith(" ")][:3] == ["a", "␣", "b"]
    assert any(re.match(r"  3  a ␣  ", line) for line in lines)


def test_explain_of_no_words_is_the_empty_sentence(run, tiny_model):
    result = run("explain", tiny_model, "")
    assert (result.status, result.out.splitlines()[0]) == (0, "</s>")


def test_explain_of_nothing(run, tiny_model, skipping_model):
    refused(run("explain", tiny_model), "Missing argument 'SENTENCE'", status=2)
    refused(run("explain", skipping_model, ""), "no sentence to explain", status=2)


def test_names_are_bold_on_a_terminal(run, tiny_model):
    assert "\x1b[1mthe\x1b[0m\n" in run("explain", tiny_model, "the", stdout_is_terminal=True).out
    assert "\x1b" not in run("explain", tiny_model, "the").out


@pytest.mark.parametrize("token", ["<s>", "</s>"])
@pytest.mark.parametrize(
    "words, hint",
    [
        (("explain", "the {} cat"), "the ends of the sentence are added"),
        (("explain", "{} the cat"), "the ends of the sentence are added"),
        (("counts", "the {} cat"), "<s> only at the beginning of CONTEXT"),
        (("generate", "--prompt", "{} the"), "each sentence is drawn from <s> to </s>"),
    ],
)
def test_the_ends_of_a_sentence_are_refused_with_a_hint_that_helps(
    run, tiny_model, token, words, hint
):
    command, *rest = (word.format(token) for word in words)
    result = run(command, tiny_model, *rest)
    refused(result, f"has a {token}, which", hint, status=2)
    assert "--special-tokens" not in result.err


# info


def test_orders_that_say_the_same_are_one_line(run, tmp_path):
    path = tmp_path / "long.lm"
    told = run("train", "--order", "30", "-o", path, stdin=b"a b\nb a\n").err
    assert told.count("note:") == 1
    assert "note: orders 1 to 30: the counts of counts do not determine" in told
    lines = [line.split("  ")[0] for line in run("info", path).out.splitlines()]
    assert [line for line in lines if line.endswith("-grams")] == [
        *(f"{order}-grams" for order in range(1, 5)),
        "5- to 30-grams",
    ]
    assert [line for line in lines if line.startswith(("discounts", "note"))] == [
        "discounts 1 to 30",
        "note",
    ]
    assert re.search(r"^5- to 30-grams +0$", run("info", path).out, re.MULTILINE)


def test_info_is_names_and_values_for_people(run, small_model):
    result = run("info", small_model)
    assert (result.status, result.err) == (0, "")
    rows = dict(re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in result.out.splitlines())
    model = lmkit.load(small_model)
    assert rows["model"] == str(small_model)
    assert rows["order"] == "3"
    assert rows["smoothing"] == "modified-kneser-ney"
    assert rows["tokenizer"] == "whitespace"
    assert [rows[f"{n}-grams"] for n in (1, 2, 3)] == [
        f"{size:,}" for size in model.describe()["ngrams"]
    ]
    assert len(rows["discounts 3"].split(", ")) == 3
    run_of = model.runs[0]
    assert rows["text"] == f"{run_of['tokens']:,} tokens in 300 sentences"
    assert rows["sha256"] == run_of["sha256"]
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d UTC, [\d.]+ s, lmkit " + re.escape(lmkit.__version__),
        rows["trained"],
    )


def test_info_as_json_is_one_object_with_everything(run, small_model):
    facts = json.loads(run("info", small_model, "--json").out)
    model = lmkit.load(small_model)
    assert facts == {
        "model": str(small_model),
        "bytes": small_model.stat().st_size,
        **model.describe(),
        "history": model.runs,
    }
    assert run("info", small_model, "--jsonl").out.count("\n") == 1


def test_info_for_programs_has_plain_values_under_full_names(run, small_model):
    out = run("info", small_model, "--tsv").out
    rows = dict(csv.reader(io.StringIO(out), delimiter="\t"))
    assert int(rows["bytes"]) == small_model.stat().st_size
    assert rows["ngrams.1"] == str(lmkit.load(small_model).describe()["ngrams"][0])
    assert rows["text.tokenizer"] == "whitespace"
    assert float(rows["parameters.discounts.1.1"]) > 0


def test_info_tells_what_happened_to_a_model(run, small_model, tmp_path):
    path = tmp_path / "pruned.lm"
    lmkit.resmooth(small_model, smoothing="katz", output=path)
    lmkit.prune(path, size=1500, output=path)
    out = run("info", path).out
    assert re.findall(r"^(.*?)  +\d{4}-\d\d-\d\d ", out, re.MULTILINE) == [
        "trained",
        "smoothed anew",
        "pruned",
    ]
    assert re.findall(r"^  options +(.*)$", out, re.MULTILINE)[1:] == [
        "smoothing katz",
        "size 1,500",
    ]
    assert re.search(r"^pruned +size 1,500$", out, re.MULTILINE)


def test_info_of_a_model_from_elsewhere(run, arpa_model):
    rows = dict(
        re.split(r"\s{2,}", line.strip(), maxsplit=1)
        for line in run("info", arpa_model).out.splitlines()
    )
    assert (rows["smoothing"], rows["counts"]) == ("arpa", "no")
    assert rows["from"].endswith("model.arpa")
    assert "imported" in rows


# tables


def test_tables_are_written_and_listed(run, own_model):
    result = run("tables", own_model)
    assert (result.status, result.err) == (0, "")
    assert [line.split() for line in result.out.splitlines()[2:]] == [
        ["ngrams_1", "10"],
        ["ngrams_2", "14"],
    ]
    with closing(sqlite3.connect(own_model)) as database:
        query = "select count from ngrams_2 where context = 'the' and token = 'cat'"
        assert database.execute(query).fetchall() == [(2,)]
    assert json.loads(run("tables", own_model, "--json").out) == [
        {"table": "ngrams_1", "rows": 10},
        {"table": "ngrams_2", "rows": 14},
    ]


def test_tables_are_dropped(run, own_model):
    run("tables", own_model)
    result = run("tables", own_model, "--drop")
    assert (result.status, result.out) == (0, "")
    assert re.fullmatch(r".*model\.lm: no readable tables, [\d.,]+ (MB|bytes)\n", result.err)
    with closing(sqlite3.connect(own_model)) as database:
        names = {name for (name,) in database.execute("select name from sqlite_master")}
    assert not any(name.startswith("ngrams_") for name in names)


# What goes wrong with all of them


@pytest.mark.parametrize(
    "words", [("counts", "{}", "a"), ("explain", "{}", "a"), ("info", "{}"), ("tables", "{}")]
)
def test_a_file_that_is_no_model(run, words, small_text, tmp_path):
    for path, said in (
        (
            small_text,
            "is not an lmkit model. Try: lmkit import FILE --output MODEL.lm, for a file of counts",
        ),
        (tmp_path / "nowhere.lm", "there is no file"),
        (tmp_path, str(tmp_path)),
    ):
        refused(run(*[word.replace("{}", str(path)) for word in words]), said, status=1)


@pytest.mark.parametrize("command", ["counts", "explain"])
def test_a_model_that_is_not_made_of_n_grams(run, tiny_model, command, monkeypatch):
    from lmkit.model import LanguageModel
    from lmkit.ngram.backend import NgramBackend

    class Other(LanguageModel):
        backend = "other"
        score = start = advance = next_log_probs = save = describe = None

    monkeypatch.setattr(NgramBackend, "open", staticmethod(lambda path: Other()))
    result = run(command, tiny_model, "a")
    refused(result, "is a model of the backend 'other', not of n-grams", status=1)

"""``lmkit mix``: what it writes and says, and every way to fail."""

from __future__ import annotations

import json

import numpy as np
import pytest

import lmkit
from lmkit.text.settings import TextSettings

from .support import refused

WHITESPACE = TextSettings(tokenizer="whitespace")


@pytest.fixture(scope="session")
def second_model(tmp_path_factory, small_text):
    """Another model of `small_text`."""
    path = tmp_path_factory.mktemp("second") / "second.lm"
    lmkit.train(small_text, output=path, settings=WHITESPACE, order=2, smoothing="katz")
    return path


@pytest.fixture(scope="session")
def held_out(tmp_path_factory, zipf_lines):
    path = tmp_path_factory.mktemp("held out") / "valid.txt"
    path.write_text("".join(f"{line}\n" for line in zipf_lines[300:500]), encoding="utf-8")
    return path


def rows(result) -> dict[str, dict]:
    assert result.status == 0, result.err
    return {row["source"]: row for row in json.loads(result.out)}


def test_the_table(run, small_model, second_model, held_out, tmp_path):
    words = ("mix", small_model, second_model, "--valid", held_out, "-o", tmp_path / "mix.lm")
    result = run(*words)
    assert result.status == 0
    lines = result.out.splitlines()
    assert lines[0].split() == ["source", "weight", "power", "perplexity"]
    assert [line.split("  ")[0] for line in lines[2:]] == [
        str(small_model),
        str(second_model),
        "equal weights",
        "mixture",
    ]
    assert "mix.lm: " in result.err
    found = rows(run(*words, "--json"))
    perplexity = {name: row["perplexity"] for name, row in found.items()}
    assert perplexity["mixture"] == pytest.approx(
        lmkit.load(tmp_path / "mix.lm").perplexity(held_out).perplexity
    )
    assert perplexity[str(small_model)] == pytest.approx(
        lmkit.load(small_model).perplexity(held_out).perplexity
    )
    assert perplexity["mixture"] < min(p for name, p in perplexity.items() if name != "mixture")
    assert sum(row["weight"] or 0 for row in found.values()) == pytest.approx(1)


@pytest.mark.parametrize("kind", ["by-context", "log-linear"])
def test_kinds(run, small_model, second_model, held_out, tmp_path, kind):
    path = tmp_path / "mix.lm"
    words = ("mix", small_model, second_model, "--valid", held_out, "--kind", kind, "-o", path)
    found = rows(run(*words, "--json"))
    assert found["mixture"]["perplexity"] == pytest.approx(
        lmkit.load(path).perplexity(held_out).perplexity
    )
    powers = [row["power"] for row in found.values() if row["power"] is not None]
    assert len(powers) == (2 if kind == "log-linear" else 0)


def test_a_cache(run, small_model, held_out, tmp_path):
    path = tmp_path / "cached.lm"
    words = ("mix", small_model, "--cache", "--cache-size", "50", "--valid", held_out, "-o", path)
    found = rows(run(*words, "--json"))
    assert list(found) == [str(small_model), "cache: words", "cache: pairs", "mixture"]
    assert lmkit.load(path).blend.cache.size == 50
    measured = run("perplexity", path, held_out, "--json")
    assert json.loads(measured.out)[0]["perplexity"] == pytest.approx(
        found["mixture"]["perplexity"]
    )
    assert "state: carry" not in run("perplexity", small_model, held_out).err
    by_line = run("perplexity", path, held_out, "--state", "line", "--json")
    assert by_line.status == 0
    refused(
        run("perplexity", path, held_out, "--cache", "10"),
        "no model of the mixture can be read with a cache of its own",
        status=1,
    )


def test_a_mixture_is_used_like_any_model(run, small_model, second_model, held_out, tmp_path):
    path = tmp_path / "mix.lm"
    run("mix", small_model, second_model, "--valid", held_out, "--embed", "-o", path)
    for words in (
        ("perplexity", path, held_out),
        ("score", path, held_out),
        ("score", path, held_out, "--per-token"),
        ("generate", path, "-n", "3", "--seed", "1"),
        ("info", path),
        ("info", path, "--json"),
    ):
        result = run(*words)
        assert result.status == 0, result.err
        assert result.out
    table = run("info", path).out
    assert "made of" in table
    assert str(second_model) in table
    assert "weights" in table
    refused(run("tables", path), "not made of n-grams", status=1)


def test_merging(run, small_model, second_model, held_out, tmp_path):
    path = tmp_path / "merged.lm"
    words = ("mix", small_model, second_model, "--valid", held_out)
    result = run(*words, "--merge", "-o", path)
    assert result.status == 0, result.err
    merged = lmkit.load(path)
    assert merged.backend == "ngram"
    assert f"perplexity of {held_out}: {merged.perplexity(held_out).perplexity:.4f}" in result.err
    assert "that of the mixture" in result.err
    assert f"{sum(merged.trie.sizes):,} n-grams" in result.err
    run(*words, "-o", tmp_path / "mix.lm")
    exported = run("export", tmp_path / "mix.lm", "--valid", held_out, "-o", tmp_path / "mix.arpa")
    assert exported.status == 0
    assert "that of the mixture" in exported.err
    unmeasured = run("export", tmp_path / "mix.lm", "-o", tmp_path / "mix.arpa")
    assert "not list is only close to the mixture" in unmeasured.err
    again = lmkit.import_model(tmp_path / "mix.arpa")
    lines = held_out.read_text(encoding="utf-8").splitlines()[:50]
    np.testing.assert_allclose(again.score(lines)[0], merged.score(lines)[0], atol=2e-5)


def test_arpa_files(run, small_model, second_model, held_out, tmp_path):
    """Mixing what other programs made, with weights by EM."""
    for name, model in (("one", small_model), ("two", second_model)):
        run("export", model, "-o", tmp_path / f"{name}.arpa")
        run("import", tmp_path / f"{name}.arpa", "-o", tmp_path / f"{name}.lm")
    words = ("mix", tmp_path / "one.lm", tmp_path / "two.lm", "--valid", held_out)
    found = rows(run(*words, "--merge", "-o", tmp_path / "merged.lm", "--json"))
    direct = rows(
        run(
            "mix", small_model, second_model, "--valid", held_out, "-o", tmp_path / "m.lm", "--json"
        )
    )
    assert found["mixture"]["perplexity"] == pytest.approx(
        direct["mixture"]["perplexity"], rel=1e-4
    )
    assert run("export", tmp_path / "merged.lm", "-o", tmp_path / "merged.arpa").status == 0


def test_an_arpa_file_is_a_part(run, small_model, held_out, tmp_path):
    """It is read as for the model beside it, and carried; its own words come in as well."""
    (tmp_path / "text.txt").write_text("w1 w2 zebra\n" * 3, encoding="utf-8")
    other = lmkit.train(tmp_path / "text.txt", settings=WHITESPACE, order=2)
    lmkit.export_model(other, tmp_path / "other.arpa")
    path = tmp_path / "mix.lm"
    words = ("mix", small_model, tmp_path / "other.arpa", "-o", path, "--json")
    result = run(*words, "--weights", "0.7,0.3")
    found = rows(result)
    assert list(found) == [str(small_model), str(tmp_path / "other.arpa")]
    assert [row["weight"] for row in found.values()] == [0.7, 0.3]
    assert "words of all models, which share its <unk>" in result.err
    (tmp_path / "other.arpa").unlink()
    assert "zebra" in lmkit.load(path).vocabulary
    assert rows(
        run(
            *words[:2], path, *words[3:-2], path.with_name("2.lm"), "--weights", "0.5,0.5", "--json"
        )
    )


def test_given_weights_are_measured_where_there_is_text(
    run, small_model, second_model, held_out, tmp_path
):
    words = ("mix", small_model, second_model, "--valid", held_out, "-o", tmp_path / "m.lm")
    for kind in ("linear", "log-linear"):
        found = rows(run(*words, "--kind", kind, "--weights", "0.6,0.4", "--json"))
        measured = lmkit.load(tmp_path / "m.lm").perplexity(held_out).perplexity
        assert found["mixture"]["perplexity"] == pytest.approx(measured)
        key = "weight" if kind == "linear" else "power"
        assert found[str(second_model)][key] == pytest.approx(0.4)


def test_a_part_that_is_gone_or_has_changed(run, small_model, second_model, held_out, tmp_path):
    for name, model in (("one.lm", small_model), ("two.lm", second_model)):
        (tmp_path / name).write_bytes(model.read_bytes())
    path = tmp_path / "mix.lm"
    run("mix", tmp_path / "one.lm", tmp_path / "two.lm", "--valid", held_out, "-o", path)
    (tmp_path / "two.lm").write_bytes(small_model.read_bytes())
    refused(run("perplexity", path, held_out), "two.lm has changed since", status=1)
    (tmp_path / "two.lm").unlink()
    refused(run("perplexity", path, held_out), "two.lm, which is not there", status=1)


def test_held_out_text_on_standard_input(run, small_model, second_model, held_out, tmp_path):
    path = tmp_path / "mix.lm"
    words = ("mix", small_model, second_model, "--valid", "-", "-o", path)
    piped = rows(run(*words, "--json", stdin=held_out.read_bytes()))
    words = ("mix", small_model, second_model, "--valid", held_out, "-o", path, "--json")
    assert piped == rows(run(*words))


class TestRefusals:
    @pytest.fixture(autouse=True)
    def _target(self, tmp_path):
        self.target = tmp_path / "mix.lm"
        yield
        assert not self.target.exists()

    def refuse(self, run, *words, said, status):
        refused(run("mix", *words, "-o", self.target), *said, status=status)

    def test_one_model(self, run, small_model, held_out):
        words = (small_model, "--valid", held_out)
        self.refuse(run, *words, said=["one model alone is not a mixture", "--cache"], status=2)

    @pytest.mark.parametrize(
        ("weights", "said"),
        [
            ("0.5", "2 models have 2 weights, not 1"),
            ("7,3", "--weights 0.7,0.3"),
            ("1.5,-0.5", "numbers from 0 on"),
            ("0,0", "not all of them 0"),
            ("nan,1", "numbers from 0 on"),
            ("half,half", "is not a list of weights"),
        ],
    )
    def test_weights_that_are_none(self, run, small_model, second_model, weights, said):
        words = (small_model, second_model, "--weights", weights)
        self.refuse(run, *words, said=[said], status=2)

    def test_nothing_to_fit_the_weights_to(self, run, small_model, second_model):
        said = ["--valid TEXT, or --weights"]
        self.refuse(run, small_model, second_model, said=said, status=2)

    @pytest.mark.parametrize("more", [("--cache",), ("--kind", "by-context")])
    def test_weights_that_are_too_few(self, run, small_model, second_model, more):
        words = (small_model, second_model, "--weights", "0.5,0.5", *more)
        self.refuse(run, *words, said=["--valid TEXT in place of --weights"], status=2)

    def test_other_units(self, run, small_model, small_text, tmp_path, held_out):
        characters = TextSettings(tokenizer="char")
        lmkit.train(small_text, output=tmp_path / "char.lm", settings=characters, order=2)
        words = (small_model, tmp_path / "char.lm", "--valid", held_out)
        self.refuse(run, *words, said=["are words and those of", "characters"], status=1)

    def test_no_probabilities(self, run, small_model, stupid_model, held_out):
        words = (small_model, stupid_model, "--valid", held_out)
        self.refuse(run, *words, said=["gives scores, not probabilities"], status=1)

    def test_no_held_out_text(self, run, small_model, second_model, tmp_path):
        (tmp_path / "empty.txt").write_text("", encoding="utf-8")
        words = (small_model, second_model, "--valid", tmp_path / "empty.txt")
        self.refuse(run, *words, said=["the held-out text is empty"], status=1)
        words = (small_model, second_model, "--valid", tmp_path / "none.txt")
        self.refuse(run, *words, said=["none.txt"], status=1)

    def test_what_cannot_be_merged(self, run, small_model, second_model, held_out):
        words = (small_model, second_model, "--valid", held_out, "--merge")
        self.refuse(run, *words, "--cache", said=["fixed weights", "has a cache"], status=1)
        self.refuse(run, *words, "--embed", said=["no parts to carry"], status=2)
        words = (small_model, second_model, "--valid", "-", "--merge")
        self.refuse(run, *words, said=["reads the held-out text twice"], status=2)

    def test_no_place_for_it(self, run, small_model, second_model, tmp_path):
        self.target = tmp_path / "none" / "mix.lm"
        words = (small_model, second_model, "--valid", tmp_path / "not looked at")
        self.refuse(run, *words, said=["there is no directory"], status=1)

    def test_no_model(self, run, small_text, small_model, held_out, tmp_path):
        words = (small_model, small_text, "--valid", held_out)
        self.refuse(run, *words, said=["is not an lmkit model"], status=1)
        words = (small_model, tmp_path / "none.lm", "--valid", held_out)
        self.refuse(run, *words, said=["there is no file"], status=1)

    @pytest.mark.parametrize("words", [("--cache-size", "0"), ("--cache-decay", "0")])
    def test_caches_that_there_are_not(self, run, small_model, held_out, words):
        words = (small_model, "--cache", "--valid", held_out, *words)
        self.refuse(run, *words, said=["is not in the range"], status=2)

    def test_cache_options_without_a_cache(self, run, small_model, second_model, held_out):
        words = (small_model, second_model, "--valid", held_out, "--cache-size", "10")
        self.refuse(run, *words, said=["--cache-size is nothing without --cache"], status=2)


def test_what_was_measured_and_is_infinite_says_so(run, small_model, held_out, tmp_path):
    words = tmp_path / "words.txt"
    words.write_text("w1\nw2\n", encoding="utf-8")
    closed = tmp_path / "closed.lm"
    run("prune", small_model, "--vocabulary", words, "--closed", "-o", closed)
    given = ("mix", closed, small_model, "--weights", "0.5,0.5", "-o", tmp_path / "mix.lm")
    measured = run(*given, "--valid", held_out).out.splitlines()
    assert measured[2].split() == [str(closed), "0.5000", "-", "inf"]
    assert run(*given).out.splitlines()[2].split() == [str(closed), "0.5000", "-", "-"]

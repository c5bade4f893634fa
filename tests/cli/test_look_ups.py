"""Looking into an n-gram model: ``lmkit counts --prefix`` and ``lmkit score --ngram``."""

from __future__ import annotations

import json
import math
import sqlite3

import numpy as np
import pytest

import lmkit
from lmkit.errors import ModelFileError
from lmkit.ngram.explain import continuations
from lmkit.text.settings import TextSettings
from lmkit.text.vocabulary import Vocabulary

from .support import refused

LINES = ["le chat le chien", "le lit", "la lune", "le lit le chat", "lent éléphant", "le livre"]


@pytest.fixture
def model(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("".join(f"{line}\n" for line in LINES), encoding="utf-8")
    path = tmp_path / "fr.lm"
    settings = TextSettings(tokenizer="whitespace", lowercase=True)
    lmkit.train(text, output=path, settings=settings, order=3, smoothing="witten-bell")
    return path


class TestPrefix:
    def rows(self, run, *words):
        result = run("counts", *words, "--json")
        assert result.status == 0, result.err
        return json.loads(result.out)

    def test_words_that_begin_so(self, run, model):
        found = self.rows(run, model, "le", "--prefix", "li")
        assert [(row["token"], row["count"], row["order"]) for row in found] == [
            ("lit", 2, 2),
            ("livre", 1, 2),
        ]
        everything = {row["token"]: row for row in self.rows(run, model, "le", "--top", "99")}
        assert all(row == everything[row["token"]] for row in found)

    @pytest.mark.parametrize("prefix", ["l", "le", "é", "É", "LI", "zz", "<", "lune", "lunes"])
    def test_are_those_of_the_whole_list(self, run, model, prefix):
        everything = self.rows(run, model, "le", "--top", "99")
        expected = [
            row
            for row in everything
            if row["token"].startswith(prefix.lower()) and row["token"][0] != "<"
        ]
        assert self.rows(run, model, "le", "--prefix", prefix, "--top", "99") == expected
        assert self.rows(run, model, "le", "--prefix", prefix, "--top", "1") == expected[:1]

    def test_only_the_range_is_read(self, model):
        """A keyboard asks for little: the vocabulary stays in its file."""
        opened = lmkit.load(model)
        assert continuations(opened, "le", prefix="li")
        assert "tokens" not in vars(opened.vocabulary)

    def test_in_memory_and_in_the_file_are_alike(self, model):
        stored = lmkit.load(model).vocabulary
        memory = Vocabulary(list(stored.tokens))
        for prefix in ("", "l", "le", "é", "x", "\U0010ffff", "<"):
            assert list(memory.beginning_with(prefix).items()) == list(
                lmkit.load(model).vocabulary.beginning_with(prefix).items()
            )

    def test_an_index_that_hides_a_word_is_damaged(self, model):
        with sqlite3.connect(model) as connection:
            connection.execute("UPDATE vocabulary SET token = 'lot' WHERE token = 'lit'")
        connection.close()
        with pytest.raises(ModelFileError):
            lmkit.load(model).vocabulary.beginning_with("li")


@pytest.mark.parametrize(
    ("tokenizer", "space"), [("bpe", "\u0120"), ("unigram", "\u2581"), ("byte", "<0x20>")]
)
def test_prefixes_of_symbols_are_text(run, tmp_path, tokenizer, space):
    text = tmp_path / "text.txt"
    text.write_text("an a ban an\na an\n" * 3, encoding="utf-8")
    settings = TextSettings(tokenizer=tokenizer)
    lmkit.train(text, order=2, settings=settings, output=tmp_path / "m.lm")
    for prefix, spelling in ((" ", space), ("a", "a")):
        result = run("counts", tmp_path / "m.lm", "a", "--prefix", prefix, "--jsonl")
        rows = [json.loads(line) for line in result.out.splitlines()]
        seen = [row["token"] for row in rows if row["count"]]
        assert seen and all(token.startswith(spelling) for token in seen)


class TestNgram:
    def rows(self, run, model, *ngrams):
        words = [word for ngram in ngrams for word in ("--ngram", ngram)]
        result = run("score", model, *words, "--json")
        assert result.status == 0, result.err
        return json.loads(result.out)

    def test_what_the_file_has(self, run, model, tmp_path):
        """Each line of the ARPA file, by its n-gram."""
        lmkit.export_model(model, tmp_path / "fr.arpa")
        for line in (tmp_path / "fr.arpa").read_text(encoding="utf-8").splitlines():
            if "\t" not in line:
                continue
            prob, ngram, *backoff = line.split("\t")
            if ngram.startswith(("<unk>", "<s>")) and " " not in ngram:
                continue
            (row,) = self.rows(run, model, ngram)
            assert row["ngram"] == ngram
            assert row["listed"]
            assert row["log10_probability"] == pytest.approx(float(prob), abs=1e-6)
            assert row["probability"] == pytest.approx(10 ** float(prob), rel=1e-5)
            assert row["log_probability"] == pytest.approx(float(prob) * math.log(10), rel=1e-5)
            if backoff:
                assert row["log10_backoff"] == pytest.approx(float(backoff[0]), abs=1e-6)
                assert row["log_backoff"] == pytest.approx(
                    float(backoff[0]) * math.log(10), abs=1e-5
                )
            else:
                assert row["backoff"] is None

    def test_counts(self, run, model):
        found = self.rows(run, model, "le", "le lit", "<s> le lit", "lit </s>", "<s>", "LE Lit")
        assert [row["count"] for row in found] == [6, 2, 2, 1, 6, 2]

    def test_one_that_is_not_listed(self, run, model):
        (row,) = self.rows(run, model, "chat lune zebra")
        assert not row["listed"]
        assert row["count"] is row["backoff"] is row["log10_backoff"] is None
        opened = lmkit.load(model)
        state = opened.empty(1)
        for word in ("chat", "lune"):
            state = opened.advance(state, opened.vocabulary.ids_of([word]))
        assert row["log_probability"] == pytest.approx(
            opened.log_probs_of(state, np.array([[0]]))[0, 0]
        )
        assert row["ngram"] == "chat lune <unk>"

    def test_what_makes_no_sense(self, run, model, tmp_path):
        text = tmp_path / "text.txt"
        refused(run("score", model, "--ngram", "a b c d"), "has 4 tokens", "1 to 3", status=2)
        refused(run("score", model, "--ngram", " "), "has 0 tokens", status=2)
        refused(run("score", model, text, "--ngram", "a"), "TEXT cannot be given", status=2)
        refused(run("score", model, "--total", "--ngram", "a"), "--total cannot", status=2)
        refused(run("score", model, "--ngram", "a <s> b"), "has a <s>", status=2)
        refused(run("score", model, "--ngram", "a </s> b"), "has a </s>", status=2)
        refused(run("score", model, "--ngram", "a\nb"), "has a line end", status=2)
        flags = ("--ngram", "a", "--encoding", "latin-1")
        refused(run("score", model, *flags), "--encoding cannot be given", status=2)

    @pytest.mark.parametrize(("tokenizer", "space"), [("char", " "), ("byte", "<0x20>")])
    def test_spaces_of_symbols_are_tokens(self, run, tmp_path, tokenizer, space):
        text = tmp_path / "text.txt"
        text.write_text("an a\nan an\n" * 3, encoding="utf-8")
        settings = TextSettings(tokenizer=tokenizer)
        lmkit.train(text, order=3, settings=settings, output=tmp_path / "m.lm")
        given = ("n ", " ", "n </s>", "<s> a", " a")
        found = self.rows(run, tmp_path / "m.lm", *given)
        shown = [f"n {space}", space, "n </s>", "<s> a", f"{space} a"]
        assert [row["ngram"] for row in found] == shown
        assert [row["count"] for row in found] == [6, 6, 3, 6, 6]

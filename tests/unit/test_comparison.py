"""Whole comparisons: ranks, what stands in one table, what is trained again, what fails."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lmkit.api import train
from lmkit.errors import ExitCode
from lmkit.evaluate.comparison import training
from lmkit.evaluate.comparison.corpus import Corpus, prepare
from lmkit.evaluate.comparison.run import Listener, Stopped, compare
from lmkit.evaluate.comparison.scoring import choose_sentences, score_text
from lmkit.evaluate.comparison.specs import parse_specs
from lmkit.evaluate.comparison.training import Watching
from lmkit.evaluate.results import Comparison
from lmkit.measures import LN2
from lmkit.text.settings import TextSettings

TINY = "hidden=8,batch-size=4,bptt=8,workers=1"


@pytest.fixture
def corpus(tmp_path: Path, zipf_text: Path) -> Corpus:
    """Some 20,000 words, split by rule."""
    return prepare(tmp_path / "corpus", TextSettings(), {"all": zipf_text}, name="zipf")


@pytest.fixture
def compared(tmp_path: Path, corpus: Corpus) -> Callable[..., Comparison]:
    """``compared("ngram", "gru", seeds=2)``: with models in one folder."""

    def run(*specs: str, **options: Any) -> Comparison:
        options = {"resamples": 500, **options}
        return compare(corpus, parse_specs(specs), tmp_path / "models", **options)

    return run


class MarkovSource:
    """Words of one to three letters, each drawn by the two before it; a sentence has at least one.

    ``table`` [V + 1, V + 1, V + 1] are p(next | second last, last), the last index of each being
    the end of the sentence, or what stands before its beginning.
    """

    words = ("a", "be", "c", "dog", "e", "fi")

    def __init__(self, seed: int) -> None:
        generator = np.random.default_rng(seed)
        size = len(self.words) + 1
        self.table = generator.dirichlet(np.full(size, 0.4), (size, size))
        self.table[:, -1, -1] = 0
        self.table[:, :-1, -1] = np.maximum(self.table[:, :-1, -1], 0.05)
        self.table /= self.table.sum(axis=2, keepdims=True)
        self.generator = generator

    def lines(self, number: int) -> list[str]:
        end = len(self.words)
        cumulated = self.table.cumsum(axis=2)
        lines = []
        for _ in range(number):
            before, last, line = end, end, []
            while True:
                drawn = self.generator.random()
                token = min(int(np.searchsorted(cumulated[before, last], drawn)), end)
                if token == end:
                    break
                line.append(self.words[token])
                before, last = last, token
            lines.append(" ".join(line))
        return lines

    def bits_per_character(self) -> float:
        """Entropy of a step over the characters of a step, in the stationary distribution of
        contexts; a word has a space or the line's end behind it."""
        end = len(self.words)
        contexts = np.zeros_like(self.table[..., 0])
        contexts[end, end] = 1.0
        for _ in range(2000):
            after = np.zeros_like(contexts)
            joint = contexts[..., None] * self.table
            after += joint.sum(axis=0)
            after[:, end] = 0
            after[end, end] = joint[..., end].sum()
            contexts = 0.5 * (contexts + after)
        with np.errstate(divide="ignore", invalid="ignore"):
            surprise = np.where(self.table > 0, -np.log2(self.table), 0.0)
        widths = np.array([len(word) + 1 for word in self.words] + [0])
        steps = contexts[..., None] * self.table
        return float((steps * surprise).sum() / (steps * widths).sum())


@pytest.mark.slow
def test_of_text_from_a_known_source_the_true_order_is_best_and_near_the_entropy(
    tmp_path: Path,
) -> None:
    source = MarkovSource(3)
    texts = {}
    for split, number in (("train", 12_000), ("test", 4000)):
        texts[split] = tmp_path / f"{split}.txt"
        lines = "".join(f"{line}\n" for line in source.lines(number))
        texts[split].write_text(lines, encoding="utf-8")
    corpus = prepare(tmp_path / "corpus", TextSettings(), dict(texts), name="markov")
    specs = [f"ngram:order={n},smoothing=witten-bell" for n in (1, 2, 3, 4, 5)]
    found = compare(corpus, parse_specs([*specs, specs[2]]), tmp_path / "models", resamples=1000)
    names = [row.name for row in found.rows]
    # The same model twice: one is first, the other second, by chance of the sorting.
    assert set(names[:2]) == {"Witten-Bell 3", "Witten-Bell 3 (2)"}
    again = found.rows[1].difference
    assert again is not None
    assert (again.bits_per_character, again.p_value, again.significant) == (0.0, 1.0, False)
    best = found.rows[0].bits_per_character
    assert best is not None
    assert best == pytest.approx(source.bits_per_character(), rel=0.02)
    # Both shorter and longer contexts are worse, and the test says so.
    for row in found.rows[2:]:
        assert row.difference is not None
        assert row.difference.significant, row.name
        assert row.difference.low > 0


def test_words_characters_and_bytes_code_the_same_text(compared, corpus: Corpus) -> None:
    found = compared(
        "ngram:order=2",
        "ngram:order=4,tokenizer=char",
        "ngram:order=4,tokenizer=byte",
        "ngram:order=2,tokenizer=whitespace",
        "ngram:order=1,min-count=5",
    )
    assert [row.status for row in found.rows] == ["ok"] * 5
    length = sum(len(line) + 1 for line in corpus.test_lines)
    assert {row.characters for row in found.rows} == {length}
    groups = {row.name: row.group for row in found.rows}
    # Words between spaces are the same words; a smaller vocabulary is another.
    assert groups["mod. Kneser-Ney 2"] == groups["mod. Kneser-Ney 2 whitespace"]
    assert len(set(groups.values())) == 4
    for row in found.rows:
        assert row.log_probabilities is not None
        assert row.bits_per_character == pytest.approx(
            -row.log_probabilities.sum() / LN2 / length, rel=1e-12
        )
        assert row.bits_low < row.bits_per_character < row.bits_high


def test_bits_are_those_of_perplexity(compared, corpus: Corpus) -> None:
    (row,) = compared("ngram:order=3").rows
    figures = train(corpus.raw["train"], order=3).perplexity(corpus.raw["test"])
    assert row.bits_per_character == pytest.approx(figures.bits_per_character, rel=1e-9)
    assert row.perplexity == pytest.approx(figures.perplexity, rel=1e-9)


def test_surprises_sum_to_their_sentence(compared) -> None:
    found = compared("ngram:order=2", "ngram:order=3,tokenizer=char")
    assert len(found.surprises) == 6
    for sentence in found.surprises:
        for row in found.ranked:
            tokens = sentence.by_model[row.name]
            assert tokens[-1].text == "</s>"
            total = sum(token.bits for token in tokens)
            assert row.log_probabilities is not None
            assert total == pytest.approx(-row.log_probabilities[sentence.index] / LN2)
        assert len(sentence.by_model["mod. Kneser-Ney 3 char"]) == len(sentence.text) + 1


def test_sentences_to_show_are_distinct_and_spread() -> None:
    lines = ["a b c d e f g"] * 20
    assert choose_sentences(lines, 4) == [2, 7, 12, 17]
    assert choose_sentences([*lines[:2], ""], 6) == [0, 1]
    assert choose_sentences(["", "a"], 3) == [1]
    assert choose_sentences([""], 3) == []


@pytest.mark.slow
def test_networks_carry_their_state_and_the_row_says_so(compared) -> None:
    found = compared(f"gru:epochs=1,{TINY}", "ngram:order=2")
    assert {row.name.split()[0]: row.state for row in found.rows} == {
        "GRU": "carry",
        "mod.": "line",
    }
    network = next(row for row in found.rows if row.state == "carry")
    assert network.parameters and network.training_curve
    assert network.training_curve[-1]["valid_loss"] is not None


def test_one_that_fails_is_a_row_and_the_others_go_on(compared) -> None:
    found = compared(
        "ngram:order=2,smoothing=stupid-backoff",
        "ngram:order=2,hidden=3",
        "lstm:layerz=3",
        "ngram:order=2",
        "mix",
    )
    assert [row.name for row in found.ranked] == ["mod. Kneser-Ney 2"]
    reasons = {row.name: row.reason for row in found.failed}
    assert "no perplexity" in reasons["stupid-backoff 2"]
    assert "has no option hidden" in reasons["mod. Kneser-Ney 2 hidden=3"]
    assert "no option layerz" in reasons["LSTM layerz=3"]
    assert "not two models" in reasons["best mixture"]


def test_a_model_with_another_normalisation_is_refused(compared, tmp_path, zipf_text) -> None:
    path = tmp_path / "lower.lm"
    lines = zipf_text.read_text(encoding="utf-8").replace("w1", "W1").splitlines(keepends=True)
    upper = tmp_path / "upper.txt"
    upper.write_text("".join(lines), encoding="utf-8")
    train(upper, output=path, order=2, settings=TextSettings(lowercase=True))
    corpus = prepare(tmp_path / "c", TextSettings(), {"all": upper}, name="upper")
    found = compare(corpus, parse_specs([str(path), "ngram:order=2"]), tmp_path / "m")
    assert "reads the test text as other text" in (found.failed[0].reason or "")
    assert "lowercase True, not False" in (found.failed[0].reason or "")
    assert found.ranked[0].rank == 1


def test_a_probability_of_zero_is_infinitely_bad_and_not_tested(compared) -> None:
    found = compared("ngram:order=2,smoothing=maximum-likelihood", "ngram:order=2", "ngram:order=1")
    assert [row.name for row in found.rows][-1] == "max. likelihood 2"
    worst = found.rows[-1]
    assert worst.rank == 3
    assert math.isinf(worst.bits_per_character or 0)
    assert worst.difference is None


@pytest.mark.slow
def test_what_is_trained_is_not_trained_again(compared, monkeypatch) -> None:
    calls: list[str] = []

    def counted(*texts: Any, **options: Any) -> Any:
        calls.append(options["backend"])
        return train(*texts, **options)

    monkeypatch.setattr(training, "train", counted)
    specs = ("ngram:order=2", f"gru:epochs=0.2,{TINY}")
    first = compared(*specs)
    assert calls == ["ngram", "gru"]
    second = compared(*specs)
    assert calls == ["ngram", "gru"]
    assert [row.origin for row in second.rows] == ["reused"] * 2
    for one, other in zip(first.rows, second.rows, strict=True):
        assert one.bits_per_character == other.bits_per_character
        assert one.training_seconds == pytest.approx(other.training_seconds, abs=0.06)
    compared("ngram:order=2", f"gru:epochs=0.3,{TINY}")
    assert calls == ["ngram", "gru", "gru"]
    compared("ngram:order=2", force=True)
    assert calls == ["ngram", "gru", "gru", "ngram"]


def test_other_text_is_another_model(compared, tmp_path, zipf_text) -> None:
    compared("ngram:order=2")
    lines = zipf_text.read_text(encoding="utf-8").splitlines(keepends=True)
    other = tmp_path / "other.txt"
    other.write_text("".join(lines[5:]), encoding="utf-8")
    corpus = prepare(tmp_path / "other", TextSettings(), {"all": other}, name="other")
    found = compare(corpus, parse_specs(["ngram:order=2"]), tmp_path / "models", resamples=100)
    assert found.rows[0].origin == "trained"


@pytest.mark.slow
def test_an_interrupted_comparison_goes_on_where_it_stopped(compared, tmp_path) -> None:
    spec = f"gru:epochs=1,{TINY}"
    updates: list[int] = []

    def interrupt(report: Any) -> None:
        updates.append(1)
        if len(updates) == 40:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Stopped, match=r"interrupted during GRU.*the same command") as found:
        compared("ngram:order=2", spec, listener=Listener(watching=Watching(watch=interrupt)))
    assert found.value.exit_code is ExitCode.INTERRUPTED
    assert len(list((tmp_path / "models").glob("*.checkpoint"))) == 1
    after: list[int] = []
    watching = Watching(watch=lambda report: after.append(1))
    resumed = compared("ngram:order=2", spec, listener=Listener(watching=watching))
    assert {row.name[:3]: row.origin for row in resumed.rows} == {"GRU": "trained", "mod": "reused"}
    assert not list((tmp_path / "models").glob("*.checkpoint"))
    whole: list[int] = []
    watching = Watching(watch=lambda report: whole.append(1))
    uninterrupted = compared(spec, force=True, listener=Listener(watching=watching))
    assert len(after) + 40 == len(whole)
    bits = {row.bits_per_character for row in (*uninterrupted.rows, *resumed.rows)}
    assert len(bits) == 2  # the network's and the n-grams'


def test_a_checkpoint_that_is_of_no_use_is_begun_anew(compared, tmp_path) -> None:
    spec = f"gru:epochs=0.2,{TINY}"
    (row,) = compared(spec).rows
    path = Path(row.file or "")
    path.unlink()
    Path(f"{path}.checkpoint").write_bytes(b"no checkpoint")
    (again,) = compared(spec).rows
    assert (again.status, again.origin) == ("ok", "trained")
    assert again.bits_per_character == row.bits_per_character


@pytest.mark.slow
def test_seeds_repeat_what_is_drawn_and_report_the_spread(compared) -> None:
    found = compared("ngram:order=2", f"gru:epochs=0.3,{TINY}", seeds=3, seed=5)
    network = next(row for row in found.rows if row.backend == "gru")
    ngrams = next(row for row in found.rows if row.backend == "ngram")
    assert (ngrams.seeds, ngrams.spread) == ([], None)
    assert [one.seed for one in network.seeds] == [5, 6, 7]
    bits = [one.bits_per_character for one in network.seeds]
    assert len(set(bits)) == 3
    assert network.bits_per_character == pytest.approx(sum(bits) / 3)
    assert network.spread == pytest.approx(np.std(bits, ddof=1))
    assert network.log_probabilities is not None and network.characters
    assert -network.log_probabilities.sum() / LN2 / network.characters == pytest.approx(
        network.bits_per_character
    )


@pytest.mark.slow
def test_the_same_network_twice_has_other_seeds(compared) -> None:
    found = compared(f"gru:epochs=0.2,{TINY}", f"gru:epochs=0.2,{TINY}", seeds=2)
    seeds = [one.seed for row in found.rows for one in row.seeds]
    assert len(seeds) == len(set(seeds)) == 4
    assert len({one.bits_per_character for row in found.rows for one in row.seeds}) == 4


@pytest.mark.slow
def test_a_mixture_of_the_best_is_at_least_as_good_as_they(compared) -> None:
    found = compared(
        "ngram:order=1", "ngram:order=3", f"gru:epochs=1,{TINY}", "mix", "mix:of=ngram,cache=yes"
    )
    by_name = {row.name: row for row in found.rows}
    mixture = by_name["best mixture"]
    # Which of the two n-gram models is in it was decided by the held-out text.
    best = min(
        (row for row in found.rows if row.backend == "ngram"),
        key=lambda row: row.bits_per_character or 0,
    )
    network = next(row for row in found.rows if row.backend == "gru")
    assert mixture.bits_per_character < best.bits_per_character
    assert mixture.group == best.group
    assert mixture.parameters == network.parameters
    assert mixture.ngrams == best.ngrams
    assert mixture.file_bytes > best.file_bytes + network.file_bytes
    assert by_name["best n-gram + cache"].reason is None
    again = compared("ngram:order=1", "ngram:order=3", f"gru:epochs=1,{TINY}", "mix")
    assert {row.origin for row in again.rows} == {"reused"}


def test_learning_curves(compared) -> None:
    found = compared("ngram:order=1", "ngram:order=3", shares=(0.05, 0.3, 1.0))
    assert [curve.name for curve in found.curves] == ["mod. Kneser-Ney 3", "mod. Kneser-Ney 1"]
    for curve in found.curves:
        row = next(row for row in found.rows if row.name == curve.name)
        assert [point.share for point in curve.points] == [0.05, 0.3, 1.0]
        bits = [point.bits_per_character for point in curve.points]
        assert bits == sorted(bits, reverse=True)
        assert bits[-1] == row.bits_per_character
        assert curve.points[0].characters < 0.1 * curve.points[2].characters
        assert curve.law is not None
        assert curve.law.exponent > 0
    assert found.notes == []


def test_a_network_keeps_its_shape_on_parts_of_the_text(compared, monkeypatch) -> None:
    found: list[Any] = []

    def noted(*texts: Any, **options: Any) -> Any:
        found.append(options.get("preset"))
        return train(*texts, **options)

    monkeypatch.setattr(training, "train", noted)
    compared(f"gru:epochs=0.1,{TINY}", shares=(0.1, 1.0))
    assert found == [None, "tiny"]


def test_scores_of_a_model_that_cannot_pay_for_unknown_words(tmp_path, corpus, zipf_text) -> None:
    from lmkit.api import export_model, import_model
    from lmkit.errors import UnsupportedError

    small = tmp_path / "small.txt"
    small.write_text("w1 w2 w3\nw2 w1\n", encoding="utf-8")
    export_model(train(small, order=1), tmp_path / "small.arpa")
    model = import_model(tmp_path / "small.arpa")
    with pytest.raises(UnsupportedError, match="no spelling model to pay for"):
        score_text(model, corpus)


@pytest.mark.slow
def test_a_model_without_sentence_marks_is_refused_for_that(tmp_path, zipf_text) -> None:
    path = tmp_path / "stream.lm"
    train(zipf_text, output=path, order=2, settings=TextSettings(sentence_marks=False))
    corpus = prepare(tmp_path / "c", TextSettings(), {"all": zipf_text}, name="stream")
    found = compare(corpus, parse_specs([str(path), "ngram:order=2"]), tmp_path / "m")
    assert "it was trained without sentence marks" in (found.failed[0].reason or "")

"""Noisy channels as models: what they can do, their files, and rows that people change."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest

import lmkit
from lmkit.channel.backend import NoisyChannelBackend
from lmkit.channel.corrector import Corrector
from lmkit.channel.model import NoisyChannelModel
from lmkit.channel.noisy_text import LEAST_KEEP
from lmkit.errors import ModelFileError, TextError, UnsupportedError, UsageError
from lmkit.store.components import component
from lmkit.text.settings import TextSettings

from ..small_models import saved_bigrams

TEXT = ["the cat sat on the mat", "the dog sat on the log", "a cat and a dog", "the phone"] * 3
PAIRS = "teh\tthe\t9\nfone\tphone\t3\nsta\tsat\ncatt\tcat\nog\ton\n"
TYPED = ["teh", "fone", "ofthe", "xqz", ""]
INTENDED = ["the", "phone", "of the", "dog", "a"]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return saved_bigrams(tmp_path, TEXT)


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.tsv"
    path.write_text(PAIRS, encoding="utf-8")
    return path


def taught(source: Path, pairs: Path, **options: object) -> NoisyChannelModel:
    return NoisyChannelBackend.train(source=source, pairs=pairs, **options)


def scores(model: object) -> list[float]:
    assert isinstance(model, NoisyChannelModel)
    return model.channel.log_probs(TYPED, INTENDED).tolist()


class TestFiles:
    @pytest.mark.parametrize("channel", ["brill-moore", "damerau"])
    @pytest.mark.parametrize("embed", [False, True])
    def test_give_back_what_was_saved(
        self, source: Path, pairs: Path, tmp_path: Path, channel: str, embed: bool
    ) -> None:
        model = taught(source, pairs, channel=channel, embed=embed, keep=0.9)
        model.set_weights(source=0.8, channel=1.5, name=2.0)
        model.save(tmp_path / "c.lm")
        if embed:
            source.unlink()
        again = lmkit.load(tmp_path / "c.lm")
        assert scores(again) == scores(model)
        assert again.weights == {"source": 0.8, "channel": 1.5, "name": 2.0, "keep": 0.9}
        assert again.channel.name == channel
        assert (
            again.source.score("the cat")[0].tolist() == model.source.score("the cat")[0].tolist()
        )
        again.save(tmp_path / "d.lm")
        assert scores(lmkit.load(tmp_path / "d.lm")) == scores(model)

    def test_edits_are_plain_rows_that_may_be_changed(
        self, source: Path, pairs: Path, tmp_path: Path
    ) -> None:
        taught(source, pairs).save(tmp_path / "c.lm")
        before = scores(lmkit.load(tmp_path / "c.lm"))
        with sqlite3.connect(tmp_path / "c.lm") as file:
            (kept,) = file.execute(
                "SELECT count FROM edits"
                " WHERE kind = 'keep' AND intended = 'o' AND context = 'middle'"
            ).fetchone()
            file.execute(
                "INSERT INTO edits (kind, context, intended, typed, count)"
                " VALUES ('substitute', 'middle', 'o', 'q', ?)",
                (kept,),
            )
        file.close()
        after = lmkit.load(tmp_path / "c.lm")
        assert scores(after)[3] > before[3] + 1
        assert scores(after)[0] == pytest.approx(before[0], abs=0.05)

    @pytest.mark.parametrize(
        "row",
        [
            ("wonder", "middle", "a", "b", 1.0),
            ("substitute", "sometimes", "a", "b", 1.0),
            ("substitute", "middle", "a", "b", -1.0),
            ("substitute", "middle", "a", "a", 1.0),
            ("replace", "middle", "abcde", "x", 1.0),
            ("replace", "middle", "a b", "x", 1.0),
            ("keep", "middle", "a", "a", "many"),
        ],
    )
    def test_rows_that_make_no_sense_are_named(
        self, source: Path, pairs: Path, tmp_path: Path, row: tuple
    ) -> None:
        taught(source, pairs).save(tmp_path / "c.lm")
        with sqlite3.connect(tmp_path / "c.lm") as file:
            file.execute("PRAGMA ignore_check_constraints = 1")
            file.execute(
                "INSERT INTO edits (kind, context, intended, typed, count) VALUES (?, ?, ?, ?, ?)",
                row,
            )
        file.close()
        with pytest.raises(ModelFileError, match="a row that makes no sense") as raised:
            lmkit.load(tmp_path / "c.lm")
        assert row[0] in raised.value.message

    def test_a_source_that_is_gone_or_another_is_named(
        self, source: Path, pairs: Path, tmp_path: Path
    ) -> None:
        taught(source, pairs).save(tmp_path / "c.lm")
        content = source.read_bytes()
        source.unlink()
        with pytest.raises(ModelFileError, match=r"source\.lm, which is not there"):
            lmkit.load(tmp_path / "c.lm")
        source.write_bytes(content[:-1] + b"?")
        with pytest.raises(ModelFileError, match=r"source\.lm has changed"):
            lmkit.load(tmp_path / "c.lm")

    def test_the_folder_may_move_as_a_whole(
        self, source: Path, pairs: Path, tmp_path: Path
    ) -> None:
        taught(source, pairs).save(tmp_path / "c.lm")
        moved = tmp_path / "elsewhere"
        moved.mkdir()
        for path in (source, tmp_path / "c.lm"):
            path.rename(moved / path.name)
        assert lmkit.load(moved / "c.lm").backend == "noisy-channel"

    def test_describe_says_what_it_is_made_of(self, source: Path, pairs: Path) -> None:
        facts = taught(source, pairs).describe()
        assert facts["channel"] == "brill-moore"
        assert facts["learnt"]["pairs"] == 5
        assert facts["source"]["backend"] == "ngram"


class TestTraining:
    def test_what_cannot_be_meant_is_a_usage_error(self, source: Path, pairs: Path) -> None:
        with pytest.raises(UsageError, match="needs a source"):
            NoisyChannelBackend.train(pairs=pairs)
        with pytest.raises(UsageError, match="not from both"):
            NoisyChannelBackend.train(source=source, pairs=pairs, noisy=pairs)
        with pytest.raises(UsageError, match="no channel named 'telegraph'"):
            NoisyChannelBackend.train(source=source, channel="telegraph")

    def test_the_source_has_to_be_of_words(self, tmp_path: Path, pairs: Path) -> None:
        text = tmp_path / "text.txt"
        text.write_text("abc abc\n", encoding="utf-8")
        settings = TextSettings("char")
        model = lmkit.train(text, output=tmp_path / "char.lm", order=2, settings=settings)
        assert model.unit == "character"
        with pytest.raises(UnsupportedError, match="model of words, not of the unit 'character'"):
            taught(tmp_path / "char.lm", pairs)

    def test_a_source_without_probabilities_is_none(self, tmp_path: Path, pairs: Path) -> None:
        text = tmp_path / "text.txt"
        text.write_text("a b\na c\n", encoding="utf-8")
        lmkit.train(text, output=tmp_path / "s.lm", order=2, smoothing="stupid-backoff")
        with pytest.raises(UnsupportedError):
            taught(tmp_path / "s.lm", pairs)

    def test_bad_pairs_are_one_clear_line(self, source: Path, tmp_path: Path) -> None:
        (tmp_path / "bad.tsv").write_text("teh\t\n", encoding="utf-8")
        with pytest.raises(TextError, match="line 1: the intended side is empty"):
            taught(source, tmp_path / "bad.tsv")

    def test_noisy_text_alone_teaches_its_own_errors(self, source: Path, tmp_path: Path) -> None:
        noisy = tmp_path / "noisy.txt"
        # Here a "t" at the end of a word is often lost, and nothing else.
        lines = ["the ca sat on the mat", "the cat sat on the ma", "the dog sa on the log"]
        noisy.write_text("".join(f"{line}\n" for line in lines * 20), encoding="utf-8")
        model = NoisyChannelBackend.train(source=source, noisy=noisy, channel="damerau")
        facts = model.facts["learnt"]
        assert facts["log_likelihoods"][-1] > facts["log_likelihoods"][0]
        assert 0.05 < facts["errors"] / facts["words"] < 0.3
        assert model.channel.keep == pytest.approx(1 - facts["errors"] / facts["words"], abs=0.01)
        lost, other = model.channel.log_probs(["ca", "ct"], ["cat", "cat"])
        untaught = NoisyChannelBackend.train(source=source, channel="damerau").channel
        before = untaught.log_probs(["ca", "ct"], ["cat", "cat"])
        assert lost - other > before[0] - before[1] + 1

    def test_text_without_words_teaches_nothing(self, source: Path, tmp_path: Path) -> None:
        (tmp_path / "empty.txt").write_text("\n\n", encoding="utf-8")
        with pytest.raises(TextError, match="holds no words"):
            NoisyChannelBackend.train(source=source, noisy=tmp_path / "empty.txt")
        (tmp_path / "numbers.txt").write_text("1 2 3\n4\n", encoding="utf-8")
        with pytest.raises(TextError, match="holds no words that the source could have"):
            NoisyChannelBackend.train(source=source, noisy=tmp_path / "numbers.txt")

    @pytest.mark.filterwarnings("error")
    def test_text_of_errors_only_is_no_reason_to_change_all_words(
        self, source: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "errors.txt").write_text("teh catt\n" * 50, encoding="utf-8")
        model = NoisyChannelBackend.train(source=source, noisy=tmp_path / "errors.txt")
        assert model.facts["learnt"]["errors"] == pytest.approx(model.facts["learnt"]["words"])
        assert model.channel.keep == LEAST_KEEP
        right = "the cat sat on the mat"
        assert Corrector(model).correct([right, "teh catt"])[0].corrected == right


class TestOneInterface:
    def test_whole_sentences_only(self, source: Path, pairs: Path) -> None:
        model = taught(source, pairs)
        state = model.source.start(1)
        for call in (
            lambda: model.start(1),
            lambda: model.next_log_probs(state),
            lambda: model.advance(state, [3]),
            lambda: model.log_probs_of(state, np.array([[3]])),
            lambda: model.score("the cat", state),
        ):
            with pytest.raises(UnsupportedError, match="whole sentences") as raised:
                call()
            assert raised.value.hint

    def test_a_score_is_that_of_the_sentence_at_its_end(self, source: Path, pairs: Path) -> None:
        model = taught(source, pairs)
        lines = ["teh cat sat", "", "the fone"]
        log_probs, _ = model.score(lines)
        batch = model.batch(lines)
        assert log_probs.shape == batch.ids.shape
        ends = batch.offsets[1:] - 1
        assert (log_probs[ends] < 0).all()
        assert log_probs.sum() == pytest.approx(log_probs[ends].sum())
        alone = [model.score(line)[0][-1] for line in lines]
        np.testing.assert_allclose(log_probs[ends], alone)

    def test_a_typing_error_costs_less_than_a_new_word(self, source: Path, pairs: Path) -> None:
        """In bits per character: the channel's point."""
        model = taught(source, pairs)
        noisy, clean = ["teh cat sat on teh mat"], ["the cat sat on the mat"]
        here, there = model.perplexity(noisy), model.source.perplexity(noisy)
        assert here.bits_per_character < there.bits_per_character - 0.3
        right, bare = model.perplexity(clean), model.source.perplexity(clean)
        assert bare.bits_per_character < right.bits_per_character
        assert right.bits_per_character < bare.bits_per_character + 0.1
        assert (here.oovs, here.characters) == (0, there.characters)

    def test_draws_clean_text_and_types_it(self, source: Path, pairs: Path) -> None:
        model = taught(source, pairs, keep=0.3)
        drawn = model.generate_pairs(60, seed=3, max_tokens=12)
        assert [typed.text for _, typed in drawn] == [
            typed.text for typed in model.generate(60, seed=3, max_tokens=12)
        ]
        assert [clean.text for clean, _ in drawn] == [
            clean.text for clean in model.source.generate(60, seed=3, max_tokens=12)
        ]
        changed = sum(clean.text != typed.text for clean, typed in drawn)
        assert 20 < changed < 60
        assert all(typed.log_probability <= clean.log_probability for clean, typed in drawn)
        model.channel.keep = 1.0
        for clean, typed in model.generate_pairs(10, seed=3, max_tokens=12):
            assert typed.text == clean.text

    def test_the_prompt_stays(self, source: Path, pairs: Path) -> None:
        model = taught(source, pairs, keep=0.0)
        assert all(
            g.text.startswith("the cat") for g in model.generate(20, prompt="the cat", seed=1)
        )


@pytest.mark.slow
def test_what_is_drawn_is_as_frequent_as_its_probability(source: Path, pairs: Path) -> None:
    channel = taught(source, pairs, keep=0.5).channel
    generator = np.random.default_rng(5)
    drawn = [channel.draw("the", generator) for _ in range(4000)]
    for typed in ("the", "teh"):
        expected = float(np.exp(channel.log_probs([typed], ["the"])[0]))
        spread = (expected * (1 - expected) / len(drawn)) ** 0.5
        assert drawn.count(typed) / len(drawn) == pytest.approx(expected, abs=4 * spread + 0.005)


def test_a_model_in_memory_may_be_the_source(source: Path, pairs: Path, tmp_path: Path) -> None:
    model = NoisyChannelBackend.train(source=lmkit.load(source), pairs=pairs)
    model.save(tmp_path / "c.lm")
    source.unlink()
    assert scores(lmkit.load(tmp_path / "c.lm")) == scores(model)
    assert component(tmp_path / "c.lm").model.backend == "noisy-channel"


def test_perplexity_says_that_it_is_a_bound(
    source: Path, pairs: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from lmkit.cli.main import main

    taught(source, pairs).save(tmp_path / "c.lm")
    text = tmp_path / "typed.txt"
    text.write_text("teh cat\n", encoding="utf-8")
    assert main(["perplexity", str(source), str(tmp_path / "c.lm"), str(text)]) == 0
    said = capfd.readouterr()
    assert "lower bounds" in said.err
    assert said.err.count("c.lm") == 1
    assert "bits per character" in said.out

"""`lmkit.train` and its companions: what Python users call."""

from __future__ import annotations

import io
import platform
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

import lmkit
from lmkit.errors import (
    FormatError,
    ModelFileError,
    TextError,
    UnsupportedError,
    UsageError,
)
from lmkit.ngram.backend import NgramBackend

from ..fuzz.sealing import change


def scores(model: lmkit.LanguageModel, *lines: str) -> list[float]:
    return model.score(list(lines) or ["a b c", "the zebra"])[0].tolist()


def test_what_is_trained_is_what_is_saved_and_loaded(tiny_text: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.lm"
    model = lmkit.train(tiny_text, order=3, output=path)
    loaded = lmkit.load(path)
    assert scores(loaded) == scores(model)
    assert loaded.describe() == model.describe()
    assert loaded.backend == "ngram"
    loaded.save(tmp_path / "again.lm")
    assert scores(lmkit.load(str(tmp_path / "again.lm"))) == scores(model)


def test_without_output_nothing_is_written(tiny_text: Path, tmp_path: Path) -> None:
    lmkit.train(tiny_text, order=2)
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.txt"]


def test_several_files_are_one_text(tiny_text: Path, tmp_path: Path) -> None:
    twice = tmp_path / "twice.txt"
    twice.write_text(tiny_text.read_text() * 2)
    one, other = lmkit.train(twice, order=2), lmkit.train(tiny_text, str(tiny_text), order=2)
    assert scores(one) == scores(other)
    assert other.runs[0]["sources"] == [str(tiny_text)] * 2


def test_a_dash_is_standard_input(tiny_text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = io.TextIOWrapper(io.BytesIO(tiny_text.read_bytes()))
    monkeypatch.setattr(sys, "stdin", text)
    assert scores(lmkit.train("-", order=2)) == scores(lmkit.train(tiny_text, order=2))


def test_the_run_says_what_was_done(tiny_text: Path, tmp_path: Path) -> None:
    model = lmkit.train(
        tiny_text, order=2, smoothing="katz", min_count=2, seed=7, output=tmp_path / "model.lm"
    )
    for run in (model.runs[0], lmkit.load(tmp_path / "model.lm").runs[0]):
        assert run["what"] == "train"
        assert datetime.fromisoformat(run["started"]).utcoffset() is not None
        assert run["seconds"] >= 0
        assert (run["sources"], run["seed"]) == ([str(tiny_text)], 7)
        # 3 + 3 + 3 + 3 + 2 words, and five ends.
        assert (run["sentences"], run["tokens"]) == (5, 19)
        assert len(run["sha256"]) == 64
        assert run["options"]["smoothing"] == "katz"
        assert (run["options"]["order"], run["options"]["min_count"]) == (2, 2)
        assert run["options"]["tokenizer"] == "word"
        assert run["versions"] == {
            "lmkit": lmkit.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        }


@pytest.mark.parametrize(
    "limit, words",
    [
        ({"min_count": 2}, ["a", "b", "c", "the", "cat"]),
        ({"vocabulary_size": 2}, ["a", "b"]),
        ({"vocabulary": ["cat", "dog"]}, ["cat", "dog"]),
    ],
)
def test_limits_of_the_vocabulary(tiny_text: Path, limit: dict, words: list[str]) -> None:
    model = lmkit.train(tiny_text, order=2, **limit)
    assert set(model.vocabulary.tokens[3:]) == set(words)


def test_the_vocabulary_may_be_a_file(tiny_text: Path, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("cat\ndog\n")
    from_file = lmkit.train(tiny_text, order=2, vocabulary=tmp_path / "words.txt")
    assert scores(from_file) == scores(lmkit.train(tiny_text, order=2, vocabulary=["cat", "dog"]))


def test_settings_say_how_text_is_read(tiny_text: Path, tmp_path: Path) -> None:
    settings = lmkit.TextSettings(tokenizer="char", lowercase=True)
    path = tmp_path / "chars.lm"
    lmkit.train(tiny_text, order=3, settings=settings, output=path)
    model = lmkit.load(path)
    assert model.unit == "character"
    assert len(scores(model, "A b")) == 4
    assert scores(model, "A b") == scores(model, "a B")


def test_a_bound_on_memory_changes_nothing_but_the_memory(zipf_text: Path) -> None:
    bounded = lmkit.train(zipf_text, order=3, memory=100_000_000)
    assert scores(bounded, "w1 w2 w3") == scores(lmkit.train(zipf_text, order=3), "w1 w2 w3")


def test_progress_is_told_by_stage(zipf_text: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    lmkit.train(zipf_text, order=2, progress=lambda *step: told.append(step))
    stages = list(dict.fromkeys(stage for stage, _, _ in told))
    assert stages == ["reading", "counting", "smoothing"]
    assert all(total is None or done <= total for _, done, total in told)


def test_held_out_text_is_learnt_from(zipf_text: Path, tmp_path: Path) -> None:
    valid = tmp_path / "valid.txt"
    valid.write_text("w1 w2 w3\nw4 unseen\n")
    without = lmkit.train(zipf_text, order=2, smoothing="jelinek-mercer")
    learnt = lmkit.train(zipf_text, order=2, smoothing="jelinek-mercer", valid=valid)
    assert "held-out" in " ".join(learnt.describe()["notes"])
    assert learnt.perplexity(valid).perplexity < without.perplexity(valid).perplexity
    assert "unseen" not in learnt.vocabulary


# append, resmooth, prune


def test_appending_gives_what_training_on_all_of_it_gives(tmp_path: Path) -> None:
    first, second = tmp_path / "first.txt", tmp_path / "second.txt"
    first.write_text("a b c\na b d\n")
    second.write_text("b c a\nthe cat sat\n")
    lmkit.train(first, order=3, output=tmp_path / "first.lm")
    added = lmkit.append(tmp_path / "first.lm", second, output=tmp_path / "both.lm")
    whole = lmkit.train(first, second, order=3)
    assert scores(added) == scores(whole) == scores(lmkit.load(tmp_path / "both.lm"))
    assert [run["what"] for run in added.runs] == ["train", "append"]
    assert added.runs[1]["sources"] == [str(second)]


def test_smoothing_anew_gives_what_training_gives(tiny_text: Path, tmp_path: Path) -> None:
    model = lmkit.train(tiny_text, order=3)
    again = lmkit.resmooth(model, smoothing="katz", order=2, output=tmp_path / "katz.lm")
    expected = scores(lmkit.train(tiny_text, order=2, smoothing="katz"))
    assert scores(again) == expected == scores(lmkit.load(tmp_path / "katz.lm"))
    assert [run["what"] for run in again.runs] == ["train", "resmooth"]
    assert [run["what"] for run in model.runs] == ["train"]
    assert again.runs[1]["options"] == {"smoothing": "katz", "order": 2}


def test_pruning_returns_the_sizes_before_and_the_model(tiny_text: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.lm"
    before = lmkit.train(tiny_text, order=3, output=path)
    sizes, small = lmkit.prune(path, cutoffs=(0, 1), output=tmp_path / "small.lm")
    assert sizes == before.describe()["ngrams"]
    assert sum(small.describe()["ngrams"]) < sum(sizes)
    assert small.runs[-1]["what"] == "prune"
    assert small.runs[-1]["options"] == {"cutoffs": [0, 1]}
    assert scores(small) == scores(lmkit.load(tmp_path / "small.lm"))
    for how in ({"entropy": 0.1}, {"size": 20}):
        assert sum(lmkit.prune(before, **how)[1].describe()["ngrams"]) < sum(sizes)


# export_model, import_model


def test_models_go_out_and_come_back(tiny_text: Path, tmp_path: Path) -> None:
    settings = lmkit.TextSettings("whitespace")
    model = lmkit.train(tiny_text, order=3, settings=settings)
    arpa, counts = tmp_path / "model.arpa.gz", tmp_path / "counts.tsv"
    lmkit.export_model(model, arpa)
    lmkit.export_model(model, counts, kind="counts")
    assert scores(lmkit.import_model(arpa)) == pytest.approx(scores(model), rel=1e-6)
    path = tmp_path / "counted.lm"
    counted = lmkit.import_model(counts, order=3, smoothing="katz", output=path)
    assert scores(counted) == scores(lmkit.resmooth(model, smoothing="katz"))
    assert scores(lmkit.load(path)) == scores(counted)
    assert counted.runs[0]["what"] == "import"
    assert counted.runs[0]["sources"] == [str(counts)]


def test_a_path_can_be_exported_from(tiny_text: Path, tmp_path: Path) -> None:
    lmkit.train(tiny_text, order=2, output=tmp_path / "model.lm")
    lmkit.export_model(tmp_path / "model.lm", tmp_path / "model.arpa")
    assert (tmp_path / "model.arpa").read_text().startswith("\\data\\\n")


# What goes wrong


def test_a_backend_or_option_that_there_is_not(tiny_text: Path) -> None:
    with pytest.raises(UsageError, match="no backend named 'neural'"):
        lmkit.train(tiny_text, backend="neural")
    with pytest.raises(UsageError, match="no smoothing named 'kneser'"):
        lmkit.train(tiny_text, smoothing="kneser")
    with pytest.raises(UsageError, match="katz smoothing has no option discounts"):
        lmkit.train(tiny_text, smoothing="katz", discounts=[0.5])
    with pytest.raises(UsageError, match="tokenizer"):
        lmkit.TextSettings(tokenizer="syllable")


def test_text_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(TextError, match=r"cannot read .*nowhere\.txt"):
        lmkit.train(tmp_path / "nowhere.txt")
    latin = tmp_path / "latin.txt"
    latin.write_bytes("caf\xe9\n".encode("latin-1"))
    with pytest.raises(TextError, match=r"latin\.txt, line 1: byte 0xe9"):
        lmkit.train(latin, order=2)
    assert "\ufffd" in lmkit.train(latin, order=2, errors="replace").vocabulary.tokens


def test_a_failed_training_leaves_the_old_model(tiny_text: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.lm"
    lmkit.train(tiny_text, order=2, output=path)
    before = path.read_bytes()
    with pytest.raises(UsageError):
        lmkit.train(tiny_text, order=2, smoothing="lidstone", k=-1, output=path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_model(tiny_text: Path, tmp_path: Path) -> None:
    for path, words in (
        (tiny_text, "is not an lmkit model"),
        (tmp_path / "x.lm", "there is no file"),
    ):
        with pytest.raises(ModelFileError, match=words):
            lmkit.load(path)


def test_a_model_file_that_does_not_say_what_it_is(tiny_text: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.lm"
    lmkit.train(tiny_text, order=2, output=path)
    change(path, "delete from meta where key = 'backend'")
    with pytest.raises(ModelFileError, match="does not say what kind of model it is"):
        lmkit.load(path)


def test_what_a_pruned_or_imported_model_cannot_do(tiny_text: Path, tmp_path: Path) -> None:
    model = lmkit.train(tiny_text, order=3)
    _, pruned = lmkit.prune(model, cutoffs=(0, 1))
    lmkit.export_model(model, tmp_path / "model.arpa")
    imported = lmkit.import_model(tmp_path / "model.arpa")
    for poor, why in ((pruned, "was pruned"), (imported, "no counts")):
        with pytest.raises(UnsupportedError, match=why):
            lmkit.resmooth(poor, smoothing="katz")
        with pytest.raises(UnsupportedError, match=why):
            lmkit.append(poor, tiny_text)
        with pytest.raises(UnsupportedError, match=why):
            lmkit.export_model(poor, tmp_path / "counts.tsv", kind="counts")
    assert not (tmp_path / "counts.tsv").exists()


def test_what_another_kind_of_model_cannot_do(
    tiny_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = lmkit.train(tiny_text, order=2)
    for name in ("append", "resmooth", "prune", "export"):
        monkeypatch.delattr(NgramBackend, name)
    calls = [
        (lambda: lmkit.append(model, tiny_text), "text cannot be added to it"),
        (lambda: lmkit.resmooth(model), "cannot be smoothed anew"),
        (lambda: lmkit.prune(model, size=5), "no n-grams to drop"),
        (lambda: lmkit.export_model(model, tmp_path / "x.arpa"), "no n-grams to export"),
    ]
    for call, why in calls:
        with pytest.raises(UnsupportedError, match=f"backend 'ngram': .*{why}"):
            call()


def test_a_format_that_there_is_not(tiny_text: Path, tmp_path: Path) -> None:
    model = lmkit.train(tiny_text, order=2)
    with pytest.raises(UsageError, match="no format 'json' to write"):
        lmkit.export_model(model, tmp_path / "model.json", kind="json")
    with pytest.raises(UsageError, match="no format 'json'"):
        lmkit.import_model(tiny_text, kind="json")
    with pytest.raises(FormatError, match=r"line 5: .cat. is not a count"):
        lmkit.import_model(tiny_text, kind="counts")


def test_errors_are_one_family_with_a_message_and_a_hint(tmp_path: Path) -> None:
    with pytest.raises(lmkit.LmkitError) as caught:
        lmkit.load(tmp_path / "nowhere.lm")
    assert not caught.value.message.endswith(".")
    assert str(caught.value) == f"{caught.value.message}. Try: {caught.value.hint}."

"""`lmkit.train_tokenizer` and `lmkit.load_tokenizer`: tokenizers from Python."""

from __future__ import annotations

from pathlib import Path

import pytest

import lmkit
from lmkit.errors import TextError, UsageError
from lmkit.store.tokenizer_making import import_tokenizer
from lmkit.text.tokenizers.making import make_tokenizer

TEXT = "the harbour and the boats\nthe quiet harbour\n" * 5


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_what_is_saved_is_what_was_learnt(kind: str, text: Path) -> None:
    place = text.with_name("t.tok")
    learnt = lmkit.train_tokenizer(text, tokenizer=kind, vocabulary_size=275, output=place)
    opened = lmkit.load_tokenizer(place)
    assert opened.tokenizer == learnt.tokenizer and opened.figures == learnt.figures
    assert opened.vocabulary is not None and len(opened.vocabulary) == 275
    line = "the unquiet ☃ harbour"
    ids = opened.encode(line)
    assert [opened.vocabulary[number] for number in ids] == opened.tokens(line)
    assert opened.decode(ids) == line
    assert opened.spans(line)[-1][1::2] == (len(line), len(line.encode()))
    assert opened.runs[0]["options"]["vocabulary_size"] == 275
    assert opened.runs[0]["sources"] == [str(text)]


def test_a_model_is_trained_with_it_and_has_it(text: Path) -> None:
    learnt = lmkit.train_tokenizer(text, vocabulary_size=270, lowercase=True)
    place = text.with_name("m.lm")
    model = lmkit.train(text, settings=learnt.settings, order=2, output=place)
    assert model.unit == "subword"
    inside = lmkit.load_tokenizer(place)
    assert inside.tokenizer == learnt.tokenizer and inside.settings.lowercase is True
    assert inside.encode("The boats") == [3 + number for number in learnt.encode("the boats")]
    assert inside.decode([1, *inside.encode("the boats"), 2]) == "the boats"
    apart = import_tokenizer(place, output=text.with_name("again.tok"))
    assert apart.encode("The boats") == learnt.encode("the boats")


def test_what_a_tokenizer_has_not(text: Path) -> None:
    learnt = lmkit.train_tokenizer(text, vocabulary_size=260)
    with pytest.raises(UsageError, match="260 is not an id"):
        learnt.decode([0, 260])
    with pytest.raises(UsageError, match="a line end"):
        learnt.encode("a\nb")
    for of_line in (learnt.encode, learnt.tokens, learnt.spans):
        with pytest.raises(TextError, match=r"U\+D800 is half of a surrogate pair"):
            of_line("a\ud800")
    assert learnt.decode(learnt.encode("a\udcff")) == "a\udcff"  # the byte 0xFF
    with pytest.raises(UsageError, match="not a list of texts"):
        lmkit.train_tokenizer(text, special_tokens="<|x|>")
    with pytest.raises(UsageError, match="word does not learn"):
        lmkit.train_tokenizer(text, tokenizer="word")
    with pytest.raises(UsageError, match="no option size"):
        lmkit.train_tokenizer(text, size=3)
    with pytest.raises(UsageError, match="write over texts"):
        lmkit.train_tokenizer(text, output=text)
    lmkit.train(text, order=1, output=text.with_name("w.lm"))
    words = lmkit.load_tokenizer(text.with_name("w.lm"))
    assert words.tokens("the boats") == ["the", "boats"] and words.vocabulary is None
    assert words.decode(words.encode("the boats")) == "the boats"


def test_learning_is_a_stage_of_its_own(text: Path) -> None:
    stages: list[tuple[str, int, int | None]] = []

    def progress(stage: str, done: int, total: int | None) -> None:
        stages.append((stage, done, total))

    lmkit.train_tokenizer(text, vocabulary_size=270, progress=progress)
    assert {stage for stage, _, _ in stages} == {"reading", "learning the tokenizer"}
    stages.clear()
    settings = lmkit.TextSettings(make_tokenizer("unigram", vocabulary_size=270))
    lmkit.train(text, settings=settings, order=2, progress=progress)
    learning = [(done, total) for stage, done, total in stages if stage.startswith("learning")]
    assert learning and all(total is not None and done <= total for done, total in learning)

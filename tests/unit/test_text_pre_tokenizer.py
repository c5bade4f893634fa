"""Models of characters, bytes and words between spaces that read the tokens of another tokenizer
with single spaces between them."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lmkit
from lmkit.errors import TextError, UsageError
from lmkit.text.settings import TextSettings
from lmkit.text.stream import Spaced
from lmkit.text.tokenizers.char import CharTokenizer
from lmkit.text.tokenizers.word import WordTokenizer

LINES = ["The boat, cold.", "", "  Two  spaces,\ta tab. ", "Don't! \u00a0 <unk>"]
SPACED = ["The boat , cold .", "", "Two spaces , a tab .", "Don't ! <unk>"]


def model_of(tokenizer: str, **how: str) -> lmkit.LanguageModel:
    text = io.BytesIO("".join(f"{line}\n" for line in LINES * 3).encode())
    settings = TextSettings(tokenizer, pre_tokenizer="word", **how)  # type: ignore[arg-type]
    return lmkit.train(text, order=2, settings=settings)


@pytest.mark.parametrize("tokenizer", ["char", "byte", "whitespace", "word"])
def test_text_is_read_as_the_words_with_single_spaces(tokenizer: str) -> None:
    model = model_of(tokenizer)
    plain = model.encoder.__class__(TextSettings(tokenizer), model.vocabulary)
    batch, expected = model.batch(LINES), plain.encode(SPACED)
    assert batch.ids.tolist() == expected.ids.tolist()
    assert batch.offsets.tolist() == expected.offsets.tolist()
    assert batch.characters is not None
    assert batch.characters.tolist() == [len(line) + 1 for line in SPACED]


def test_files_streams_and_lines_are_read_alike(tmp_path) -> None:  # type: ignore[no-untyped-def]
    model = model_of("char")
    path = tmp_path / "text.txt"
    path.write_text("".join(f"{line}\n" for line in LINES), encoding="utf-8", newline="\n")
    figures = model.perplexity(path)
    assert figures == model.perplexity(LINES)
    assert figures.log_probability == pytest.approx(
        model.measure(model.batch(LINES)).log_probability
    )


def test_a_prompt_is_read_so_too() -> None:
    model = model_of("char")
    assert model.encoder.decode(model.encoder.encode_prompt("boat,")) == "boat ,"


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=5))
def test_spaced_text_is_the_tokens_joined(lines: list[str]) -> None:
    lines = [line.replace("\n", " ").replace("\r", " ") for line in lines]
    spaced = Spaced(TextSettings("word", normalize="none", special_tokens="word"))
    data = "".join(f"{line}\n" for line in lines).encode()
    expected = "".join(" ".join(WordTokenizer().tokenize(line)) + "\n" for line in lines)
    assert spaced(data).decode() == expected
    assert spaced(data).decode() == expected


def test_the_words_are_forgotten_where_they_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Spaced, "_MOST_TOKENS", 5)
    spaced = Spaced(TextSettings("word"))
    for number in range(20):
        assert (
            spaced(f"a{number},b{number}\nc\n".encode()).decode() == f"a{number} , b{number}\nc\n"
        )
        assert len(spaced.stream.lexicon) < 12


def test_a_mark_of_sentences_is_an_error_with_its_place() -> None:
    model = model_of("char")
    with pytest.raises(TextError, match="line 2: the text has a literal <s>"):
        model.perplexity(["a", "b <s>"])
    assert model_of("char", special_tokens="word").perplexity(["b <s>"]).tokens == 6


def test_the_setting_is_kept_and_other_models_do_not_speak_of_it(tmp_path) -> None:  # type: ignore[no-untyped-def]
    model_of("char").save(tmp_path / "model.lm")
    settings = lmkit.load(tmp_path / "model.lm").encoder.settings
    assert settings.pre_tokenizer == WordTokenizer()
    assert TextSettings.from_dict(settings.as_dict()) == settings
    plain = TextSettings("char")
    assert "pre_tokenizer" not in plain.as_dict()
    assert TextSettings.from_dict(plain.as_dict()) == plain


@pytest.mark.parametrize("name", ["char", "byte", "nosuch"])
def test_what_gives_no_words_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        TextSettings("char", pre_tokenizer=name)


def test_the_char_tokenizer_alone_keeps_spaces() -> None:
    assert CharTokenizer.keeps_spaces and not WordTokenizer.keeps_spaces

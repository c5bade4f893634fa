"""The length of a text, against counting it letter by letter."""

from __future__ import annotations

import io
import math
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lmkit
from lmkit.evaluate.perplexity import measured
from lmkit.extent import TextExtent
from lmkit.model import LanguageModel
from lmkit.text.reading import TextReader
from lmkit.text.settings import TextSettings

LETTERS = "aB \t\x00\n\r\u00e9e\u0301\u0130\ufb01\u1100\u1161\uac00\u0915\u093f\U0001f44d\u00a0<s>/"
TEXTS = st.lists(st.sampled_from([*LETTERS, "  ", "\r\n", "<s>", "</s>"]), max_size=40).map("".join)


def counted(data: bytes, chunk_bytes: int) -> TextExtent:
    found = TextExtent()
    for _ in found.counting(TextReader(io.BytesIO(data), chunk_bytes=chunk_bytes)):
        pass
    return found


@given(TEXTS, st.integers(1, 30), st.booleans())
def test_the_length_of_a_text_in_chunks_of_any_size(text: str, size: int, mark: bool) -> None:
    data = (b"\xef\xbb\xbf" if mark else b"") + text.encode()
    found = counted(data, size)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    lines = lines if lines[-1] else lines[:-1]
    whole = "".join(f"{line}\n" for line in lines)
    assert found.lines == len(lines)
    assert found.characters == sum(map(len, lines)) + len(lines)
    assert found.bytes == len(whole.encode())
    assert found.gaps == whole.count(" ")
    assert found.blank_lines == sum(not line.strip(" \t\x00") for line in lines)
    irregular = any(
        "  " in line or "\t" in line or "\x00" in line or line != line.strip(" ") for line in lines
    )
    assert found.irregular_spaces == irregular
    assert found.capitals == (whole.lower() != whole)
    assert found.sentence_marks == ("<s>" in whole or "</s>" in whole)
    forms = {form for form in ("NFC", "NFKC") if unicodedata.normalize(form, whole) != whole}
    assert found.not_in_form == forms


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_forms_and_letters_of_any_text(text: str) -> None:
    found = TextExtent()
    whole = text.replace("\r", "") + "\n"
    found.add(whole.encode())
    assert found.characters == len(whole)
    assert found.capitals == (whole.lower() != whole)
    forms = {form for form in ("NFC", "NFKC") if unicodedata.normalize(form, whole) != whole}
    assert found.not_in_form == forms


def test_bytes_that_are_no_utf_8_have_a_length_too() -> None:
    found = TextExtent()
    found.add(b"\xff a\x80\n")
    assert (found.characters, found.bytes, found.lines) == (4, 5, 1)


@pytest.fixture(scope="module")
def models() -> dict[str, LanguageModel]:
    settings = {name: TextSettings(name) for name in ("word", "char")}
    data = "The caf\u00e9 is cold.\nA boat, late\n".encode()
    return {n: lmkit.train(io.BytesIO(data), order=2, settings=s) for n, s in settings.items()}


def test_a_text_is_counted_once_and_in_parts(
    models: dict[str, LanguageModel], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The first model that reads it counts it; the figures of a file of several chunks are those
    of the whole."""
    path = tmp_path / "text.txt"
    path.write_text("The caf\u00e9, late.\n" * 100, encoding="utf-8", newline="\n")
    whole = measured(models["word"], path).text
    counted = []
    add = TextExtent.add

    def noted(self: TextExtent, lines: bytes) -> None:
        counted.append(lines)
        add(self, lines)

    monkeypatch.setattr(TextExtent, "add", noted)
    options = {**TextReader.__init__.__kwdefaults__, "chunk_bytes": 100}
    monkeypatch.setattr(TextReader.__init__, "__kwdefaults__", options)
    first = measured(models["word"], path)
    assert first.text == whole and len(counted) > 10
    counted.clear()
    second = measured(models["char"], path, text=first.text)
    assert second.text is first.text and counted == []
    assert second.figures.characters == whole.characters == path.stat().st_size - 100


def test_figures_of_parts_add_up_and_those_of_a_batch_have_no_bytes(
    models: dict[str, LanguageModel],
) -> None:
    model = models["char"]
    one, two = model.perplexity(["a b\u00e9"]), model.perplexity(["c", ""])
    both = one + two
    assert (both.characters, both.bytes) == (5 + 2 + 1, 6 + 2 + 1)
    alone = model.measure(model.batch(["a b\u00e9"]))
    assert alone.characters == 5 and alone.bytes is None
    assert math.isnan(alone.bits_per_byte) and alone.as_dict()["bits_per_byte"] is None

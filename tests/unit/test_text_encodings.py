"""Text in other encodings than UTF-8: decoded by blocks, guessed where it is not said, and written
back as it was."""

from __future__ import annotations

import codecs
import io
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lmkit
from lmkit.errors import TextError, UsageError
from lmkit.evaluate.perplexity import perplexity_of
from lmkit.text.encodings import Encoded, EncodingWriter, checked_encoding, encoded
from lmkit.text.guessing import likely_encoding
from lmkit.text.reading import TextReader, iter_line_blocks

CHINESE = (
    "新华社北京电 中国的经济增长速度在过去的几十年里一直很快。\n"
    "许多人认为这种增长会继续下去，但是也有人担心环境问题。\n"
)
TAIWANESE = (
    "中央社台北電 臺灣的經濟成長速度在過去的幾十年裡一直很快。\n"
    "許多人認為這種成長會繼續下去，但是也有人擔心環境問題。\n"
)
JAPANESE = (
    "日本の経済は過去数十年間、急速に成長してきました。\n"
    "多くの人々がこの成長は続くと考えていますが、環境問題を心配する人もいます。\n"
)
KOREAN = (
    "한국의 경제는 지난 수십 년 동안 빠르게 성장했습니다.\n"
    "많은 사람들이 이 성장이 계속될 것이라고 생각하지만 환경 문제를 걱정하는 사람도 있습니다.\n"
)
RUSSIAN = (
    "Экономика России в последние десятилетия росла быстро.\n"
    "Многие люди считают, что рост продолжится, но некоторые беспокоятся о среде.\n"
)
GERMAN = "Die Straße führt über schöne Hügel, und die Bäume blühen früh.\nGröße zählt nicht.\n"
FRENCH = (
    "L’économie a été très dynamique ces dernières années.\nMais l’été dernier fut différent.\n"
)
NAIVE = "Le garçon est allé à la forêt où il était déjà, naïve.\n"
SPANISH = "El niño comió mañana más allá, señor. Adiós.\n"
POLISH = "Gospodarka Polski rosła szybko w ciągu ostatnich lat.\nŹródło łąk wśród żółtych róż.\n"
GREEK = "Η οικονομία της Ελλάδας αναπτύχθηκε γρήγορα τις τελευταίες δεκαετίες.\n"

IN = [
    (CHINESE, "gbk", "gbk"),
    (CHINESE, "gb18030", "gbk"),
    (CHINESE, "utf-16", "utf-16"),
    (CHINESE, "utf-32", "utf-32"),
    (CHINESE, "hz", None),
    (TAIWANESE, "big5", "big5"),
    (JAPANESE, "shift_jis", "shift_jis"),
    (JAPANESE, "euc_jp", "euc_jp"),
    (JAPANESE, "iso2022_jp", "iso2022_jp"),
    (KOREAN, "euc_kr", "euc_kr"),
    (RUSSIAN, "koi8-r", "koi8-r"),
    (RUSSIAN, "cp1251", "cp1251"),
    (RUSSIAN, "cp866", "cp866"),
    (RUSSIAN, "iso8859-5", "iso8859-5"),
    (RUSSIAN, "utf-16-le", "utf-16-le"),
    (GERMAN, "latin1", "cp1252"),
    (GERMAN, "mac_roman", "mac_roman"),
    (GERMAN, "cp850", "cp850"),
    (GERMAN, "utf-16-le", "utf-16-le"),
    (GERMAN, "utf-16-be", "utf-16-be"),
    (GERMAN, "utf-32-le", "utf-32-le"),
    (GERMAN, "utf-32-be", "utf-32-be"),
    (GERMAN, "cp500", None),
    (FRENCH, "cp1252", "cp1252"),
    # In mac_roman "garáon est allÇ", in cp866 "niдo": letters that no word has next to each other.
    (NAIVE, "cp437", "cp850"),
    (SPANISH, "cp850", "cp850"),
    (POLISH, "cp1250", "cp1250"),
    (POLISH, "iso8859-2", "iso8859-2"),
    # Of these nothing is known: nothing is said.
    (GREEK, "cp1253", None),
    (GREEK, "iso8859-7", None),
]
NAMED = pytest.mark.parametrize(
    ("text", "encoding", "guess"), IN, ids=[f"{text[:4]} {encoding}" for text, encoding, _ in IN]
)


def read(data: bytes, encoding: str, errors: str = "strict", **how: object) -> str:
    reader = TextReader(Encoded(io.BytesIO(data), encoding), errors, **how)  # type: ignore[arg-type]
    return b"".join(chunk.data for chunk in reader).decode()


@NAMED
def test_every_encoding_in_blocks_of_any_size(text: str, encoding: str, guess: str | None) -> None:
    data = text.encode(encoding)
    for size in (1, 3, 7, 64, 1 << 20):
        assert read(data, encoding, chunk_bytes=size) == text
        assert read(data, encoding, chunk_bytes=size, eager=True) == text


@NAMED
def test_the_likely_encoding_or_none(text: str, encoding: str, guess: str | None) -> None:
    data = text.encode(encoding)
    assert likely_encoding(data) == guess


def test_other_bytes_are_like_nothing() -> None:
    generator = random.Random(1)
    for _ in range(50):
        data = generator.randbytes(2000)
        assert likely_encoding(data, 0) is None
    # UTF-8 with one damaged place is no other encoding.
    damaged = (GERMAN * 5).encode() + b"\xff\n"
    assert likely_encoding(damaged, len(damaged) - 2) is None
    assert likely_encoding(b"one \xe9 two", 4) is None


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-16-be", "iso2022_jp"])
def test_what_could_be_read_as_utf_8_and_is_not(encoding: str) -> None:
    text = JAPANESE if encoding.startswith("iso") else GERMAN
    with pytest.raises(TextError, match="looks like ") as caught:
        list(TextReader(io.BytesIO((text * 2).encode(encoding))))
    assert caught.value.hint == f"--encoding {encoding}"


@pytest.mark.parametrize("order", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("text", [CHINESE, GERMAN])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_the_order_of_the_bytes(order: str, text: str, mark: str) -> None:
    data = (mark + text).encode(order)
    assert read(data, order[:6]) == text


def test_numbers_of_lines_and_offsets_of_errors() -> None:
    data = "日本\r\nです\rはい\n".encode("shift_jis") + b"\x81\n"
    for size in (1, 2, 5, 100):
        with pytest.raises(
            TextError, match="line 4: byte 0x81 at offset 16 is not valid shift_jis"
        ):
            read(data, "shift_jis", chunk_bytes=size)
    with pytest.raises(TextError, match="line 1: byte 0x82 at offset 4"):
        read("日本".encode("shift_jis") + b"\x82", "shift_jis", chunk_bytes=2)
    reader = TextReader(Encoded(io.BytesIO(data), "shift_jis"), "replace")
    assert [line for block in iter_line_blocks(reader) for line in block][3] == "\ufffd"
    assert reader.replaced == 1
    assert reader.bytes_read == len(data)


@given(st.text(st.sampled_from("ab \r\n人民é"), max_size=40), st.integers(1, 9))
def test_lines_are_those_of_utf_8(text: str, size: int) -> None:
    of_utf8 = [c.data for c in TextReader(io.BytesIO(text.encode()))]
    data = text.encode("utf-16-le")
    if text.startswith("\ufeff"):
        return
    assert read(data, "utf-16-le", chunk_bytes=size) == b"".join(of_utf8).decode()


def test_utf_8_is_not_read_as_something_else() -> None:
    with pytest.raises(TextError, match="is UTF-8, not gbk") as caught:
        read(CHINESE.encode(), "gbk")
    assert "leaving out --encoding gbk" in str(caught.value.hint)
    # A few letters say nothing.
    assert read("naïve\n".encode(), "latin1") == "naÃ¯ve\n"


def test_names() -> None:
    assert checked_encoding("GBK") == "gbk"
    assert checked_encoding("UTF8") == checked_encoding("utf-8-sig") == "utf-8"
    assert encoded("a", "utf8") == "a"
    assert encoded("a", None) == "a"
    assert encoded(None, "gbk") is None
    assert encoded(["word"], "gbk") == ["word"]
    assert str(encoded("a", "SJIS")) == "a"
    for name in ("gkb", "rot13", "base64", "hex", "a\0b", "", "undefined"):
        with pytest.raises(UsageError, match="there is no encoding") as caught:
            checked_encoding(name)
        assert "Python knows" in str(caught.value.hint)


def test_python_functions_take_an_encoding(tmp_path: Path) -> None:
    for name, encoding in (("a", "utf-8"), ("b", "koi8-r")):
        (tmp_path / name).write_bytes((RUSSIAN * 3).encode(encoding))
    (tmp_path / "list").write_bytes("россии,12\nрост,3\n".encode("koi8-r"))
    here = lmkit.train(tmp_path / "a", order=2, valid=tmp_path / "a", smoothing="witten-bell")
    there = lmkit.train(
        tmp_path / "b", order=2, valid=tmp_path / "b", smoothing="witten-bell", encoding="koi8-r"
    )
    assert there.vocabulary.tokens == here.vocabulary.tokens
    np.testing.assert_array_equal(there.score(RUSSIAN)[0], here.score(RUSSIAN)[0])
    assert there.runs[0]["options"]["encoding"] == "koi8-r"
    assert there.runs[0]["sources"] == [str(tmp_path / "b")]
    source = Encoded(tmp_path / "b", "koi8-r")
    assert perplexity_of(here, source) == perplexity_of(here, tmp_path / "a")
    few = lmkit.train(tmp_path / "b", order=1, vocabulary=tmp_path / "list", encoding="koi8-r")
    assert few.vocabulary.tokens[3:] == ["россии", "рост"]
    lmkit.export_model(here, tmp_path / "a.arpa")
    arpa = (tmp_path / "a.arpa").read_text()
    (tmp_path / "b.arpa").write_bytes(arpa.encode("koi8-r"))
    again = lmkit.import_model(tmp_path / "b.arpa", encoding="koi8-r")
    assert again.vocabulary.tokens == here.vocabulary.tokens


class TestWritingBack:
    @NAMED
    def test_the_same_bytes(self, text: str, encoding: str, guess: str | None) -> None:
        data = text.encode(encoding)
        reader = TextReader(Encoded(io.BytesIO(data), encoding, kept=True), chunk_bytes=16)
        below = io.BytesIO()
        writer = EncodingWriter(below, lambda: reader.encoding)
        for chunk in reader:
            writer.write(chunk.original)
        writer.finish()
        assert below.getvalue() == data

    def test_big_endian_with_its_mark(self) -> None:
        data = codecs.BOM_UTF16_BE + CHINESE.encode("utf-16-be")
        reader = TextReader(Encoded(io.BytesIO(data), "utf-16", kept=True))
        below = io.BytesIO()
        writer = EncodingWriter(below, lambda: reader.encoding)
        chunks = list(reader)
        assert not chunks[0].data.startswith(codecs.BOM_UTF8)
        for chunk in chunks:
            writer.write(chunk.original)
        assert below.getvalue() == data

    def test_bytes_that_would_change_are_refused(self) -> None:
        # A shift to the set that is on already.
        data = b"\x1b$B\x1b$BF|K\\\x1b(B\n"
        assert read(data, "iso2022_jp") == "日本\n"
        with pytest.raises(TextError, match="would not keep its bytes") as caught:
            list(TextReader(Encoded(io.BytesIO(data), "iso2022_jp", kept=True)))
        assert "--output" in str(caught.value.hint)

    def test_letters_that_the_encoding_has_not(self) -> None:
        writer = EncodingWriter(io.BytesIO(), lambda: "koi8-r")
        with pytest.raises(TextError, match="koi8-r has no 'é'"):
            writer.write("café".encode())

"""Reading: files and streams of every kind come out as whole lines of checked UTF-8."""

from __future__ import annotations

import hashlib
import io
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmkit.errors import TextError, UsageError
from lmkit.text.reading import TextReader, iter_line_blocks, read_lines


def text_of(data: bytes, **options: object) -> bytes:
    return b"".join(chunk.data for chunk in TextReader(io.BytesIO(data), **options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", b""),
        (b"a\n", b"a\n"),
        (b"a", b"a\n"),
        (b"a\n\n", b"a\n\n"),
        (b"\n", b"\n"),
        (b"a\r\nb\r\n", b"a\nb\n"),
        (b"a\rb\r", b"a\nb\n"),
        (b"a\r\r\nb", b"a\n\nb\n"),
        (b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n", b"a\n\xef\xbb\xbfb\n"),
        (b"\xef\xbb\xbf", b""),
        (b"a\x00b\n", b"a\x00b\n"),
        ("a\u2028b\x0bc\x0cd\x85e\n".encode(), "a\u2028b\x0bc\x0cd\x85e\n".encode()),
    ],
)
def test_line_ends(data: bytes, expected: bytes) -> None:
    assert text_of(data) == expected


def expected_text(text: str) -> bytes:
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    return (text if text.endswith("\n") or not text else text + "\n").encode()


texts = st.text(st.sampled_from("ab \r\n\x00é\u2028\U0001f600\ufeff"), max_size=60)


@given(texts, st.integers(1, 12), st.booleans())
def test_chunks_of_any_size_give_the_same_text(text: str, size: int, eager: bool) -> None:
    data = text.encode()
    reader = TextReader(io.BytesIO(data), chunk_bytes=size, eager=eager)
    chunks = list(reader)
    assert b"".join(chunk.data for chunk in chunks) == expected_text(text)
    line = 1
    for chunk in chunks:
        assert chunk.first_line == line
        assert chunk.data.endswith(b"\n")
        line += chunk.data.count(b"\n")
    assert reader.sha256 == hashlib.sha256(data).hexdigest()
    assert reader.bytes_read == len(data)
    assert reader.replaced == 0


@given(texts, st.integers(1, 12))
def test_lines_and_blocks_agree(text: str, size: int) -> None:
    expected = expected_text(text).decode().split("\n")[:-1]
    assert list(read_lines(io.BytesIO(text.encode()))) == expected
    blocks = list(iter_line_blocks(io.BytesIO(text.encode()), max_lines=2, max_bytes=size))
    assert [line for block in blocks for line in block] == expected
    assert all(1 <= len(block) <= 2 for block in blocks)


@given(
    st.lists(
        st.sampled_from([b"a", b"\n", b"\r\n", b"\r", b"\xff", b"\xe2\x82", b"\xef\xbb\xbf"]),
        max_size=30,
    ),
    st.integers(1, 9),
)
def test_original_lines_are_the_bytes_of_the_source(parts: list[bytes], size: int) -> None:
    data = b"".join(parts)
    reader = TextReader(io.BytesIO(data), "replace", chunk_bytes=size)
    blocks = list(iter_line_blocks(reader, max_lines=3, originals=True))
    originals = [line for block in blocks for line in block.originals or []]
    assert all(len(block) == len(block.originals or []) for block in blocks)
    # A byte order mark alone is no line.
    assert b"".join(originals) == (b"" if data == b"\xef\xbb\xbf" else data)
    expected = [
        line.rstrip(b"\r\n").removeprefix(b"\xef\xbb\xbf" if number == 1 else b"")
        for number, line in enumerate(originals, 1)
    ]
    assert [line for block in blocks for line in block] == [
        line.decode(errors="replace") for line in expected
    ]
    first = 1
    for block in blocks:
        assert (block.source, block.first_line) == ("a stream", first)
        first += len(block)


@given(
    st.lists(st.sampled_from([b"a", b"\n", b"\r\n", b"\xff", b"\xc3", "é".encode()]), max_size=30),
    st.integers(1, 9),
)
def test_the_error_names_line_and_offset(parts: list[bytes], size: int) -> None:
    data = b"".join(parts)
    start = first_invalid(data)
    if start is None:
        assert text_of(data, chunk_bytes=size) == expected_text(data.decode())
        return
    line = expected_text(data[:start].decode() + "x").count(b"\n")
    with pytest.raises(TextError) as caught:
        text_of(data, chunk_bytes=size)
    assert f"line {line}: byte 0x{data[start]:02x} at offset {start} " in caught.value.message


def first_invalid(data: bytes) -> int | None:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return error.start
    return None


def test_replacing_goes_on_and_counts() -> None:
    reader = TextReader(io.BytesIO(b"a\xff\xfeb\n\xef\xbf\xbd kept\n\xc3"), "replace")
    text = b"".join(chunk.data for chunk in reader).decode()
    assert text == "a\ufffd\ufffdb\n\ufffd kept\n\ufffd\n"
    assert reader.replaced == 3


def test_utf_16_is_recognised() -> None:
    with pytest.raises(TextError, match="UTF-16"):
        text_of("hello\n".encode("utf-16"))


def test_several_files_do_not_run_together(tmp_path: Path) -> None:
    (tmp_path / "1.txt").write_bytes(b"\xef\xbb\xbfone")
    (tmp_path / "2.txt").write_bytes(b"\xef\xbb\xbftwo\n")
    sources = [tmp_path / "1.txt", str(tmp_path / "2.txt"), io.BytesIO(b"three")]
    reader = TextReader(sources)
    chunks = list(reader)
    assert [chunk.data for chunk in chunks] == [b"one\n", b"two\n", b"three\n"]
    assert [chunk.first_line for chunk in chunks] == [1, 1, 1]
    assert reader.names[:2] == (str(tmp_path / "1.txt"), str(tmp_path / "2.txt"))
    assert reader.sha256 == hashlib.sha256(b"\xef\xbb\xbfone\xef\xbb\xbftwo\nthree").hexdigest()


def test_progress_reaches_the_total(tmp_path: Path) -> None:
    for name in ("1.txt", "2.txt"):
        (tmp_path / name).write_bytes(b"some words\n" * 1000)
    seen: list[tuple[int, int | None]] = []
    reader = TextReader(
        [tmp_path / "1.txt", tmp_path / "2.txt"],
        chunk_bytes=4096,
        progress=lambda done, total: seen.append((done, total)),
    )
    list(reader)
    assert seen[-1] == (22000, 22000)
    assert seen == sorted(seen)
    assert len(seen) >= 4


def test_progress_over_streams_has_no_total() -> None:
    seen: list[tuple[int, int | None]] = []
    sources = [io.BytesIO(b"ab\n"), io.BytesIO(b"c\n")]
    list(TextReader(sources, progress=lambda done, total: seen.append((done, total))))
    assert seen == [(3, None), (5, None)]


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"one\r\ntwo")))
    assert list(read_lines("-")) == ["one", "two"]
    assert not sys.stdin.closed


def test_standard_input_that_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(TextError, match="standard input is closed"):
        list(read_lines("-"))


def test_lines_arrive_before_the_stream_ends() -> None:
    read_end, write_end = os.pipe()
    with os.fdopen(read_end, "rb") as stream, os.fdopen(write_end, "wb", 0) as pipe:
        lines = read_lines(stream)
        pipe.write(b"first\nsecond\nhal")
        assert next(lines) == "first"
        assert next(lines) == "second"
        pipe.write(b"f\n")
        assert next(lines) == "half"
        pipe.close()
        assert next(lines, None) is None


@pytest.mark.slow
def test_a_line_of_100_megabytes(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    with path.open("wb") as file:
        for _ in range(100):
            file.write(b"word " * 200_000)
        file.write(b"\nshort\n")
    chunks = [(len(chunk.data), chunk.first_line) for chunk in TextReader(path)]
    assert sum(size for size, _ in chunks) == 100_000_007
    assert chunks[0][0] >= 100_000_001


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.mkdir(), "is a directory"),
        (lambda path: path.symlink_to(path), "cannot read"),
    ],
)
def test_what_is_no_file(tmp_path: Path, make: object, message: str) -> None:
    path = tmp_path / "text.txt"
    make(path)  # type: ignore[operator]
    with pytest.raises(TextError, match=message) as caught:
        list(TextReader(path))
    assert str(path) in caught.value.message


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read every file"
)
def test_a_file_without_permission(tmp_path: Path) -> None:
    path = tmp_path / "secret.txt"
    path.write_text("x\n")
    path.chmod(0)
    with pytest.raises(TextError, match="permission denied"):
        list(TextReader(path))


def test_an_unknown_error_policy() -> None:
    with pytest.raises(UsageError, match="ignore"):
        TextReader("-", "ignore")

"""Compressed files are read directly; damaged ones are one clear error."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lmkit.errors import TextError
from lmkit.text.reading import TextReader

LINES = b"".join(b"line %d of the text\n" % number for number in range(5000))


def zstd(data: bytes) -> bytes:
    zstandard = pytest.importorskip("zstandard", reason="zstandard is not installed")
    compressed: bytes = zstandard.ZstdCompressor(write_checksum=True).compress(data)
    return compressed


KINDS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstd,
}


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def read(source: Path | io.BytesIO) -> bytes:
    return b"".join(chunk.data for chunk in TextReader(source))


@pytest.mark.parametrize("suffix", KINDS)
class TestEveryKind:
    def test_by_name(self, tmp_path: Path, suffix: str) -> None:
        path = write(tmp_path / f"text{suffix}", KINDS[suffix](LINES))
        reader = TextReader(path, chunk_bytes=1000)
        assert b"".join(chunk.data for chunk in reader) == LINES
        assert reader.sha256 == hashlib.sha256(LINES).hexdigest()

    def test_by_content(self, tmp_path: Path, suffix: str) -> None:
        data = KINDS[suffix](LINES)
        assert read(write(tmp_path / "text", data)) == LINES
        assert read(io.BytesIO(data)) == LINES

    def test_members_behind_each_other(self, tmp_path: Path, suffix: str) -> None:
        compress = KINDS[suffix]
        path = write(tmp_path / f"text{suffix}", compress(LINES[:5000]) + compress(LINES[5000:]))
        assert read(path) == LINES

    @pytest.mark.parametrize("part", [0.1, 0.5, 0.95])
    def test_cut_short(self, tmp_path: Path, suffix: str, part: float) -> None:
        data = KINDS[suffix](LINES)
        path = write(tmp_path / f"text{suffix}", data[: int(len(data) * part)])
        with pytest.raises(TextError, match="damaged or not whole"):
            read(path)

    def test_damaged(self, tmp_path: Path, suffix: str) -> None:
        data = bytearray(KINDS[suffix](LINES))
        middle = len(data) // 2
        data[middle : middle + 20] = bytes(byte ^ 0x5A for byte in data[middle : middle + 20])
        with pytest.raises(TextError, match=f"text{suffix} is damaged"):
            read(write(tmp_path / f"text{suffix}", bytes(data)))

    def test_text_whatever_the_name_says(self, tmp_path: Path, suffix: str) -> None:
        assert read(write(tmp_path / f"text{suffix}", b"just some text\n")) == b"just some text\n"

    def test_neither_text_nor_what_the_name_says(self, tmp_path: Path, suffix: str) -> None:
        path = write(tmp_path / f"text{suffix}", b"some \xff\xfe bytes\n")
        with pytest.raises(
            TextError, match=r"not valid UTF-8 \(nor is the file (gzip|bzip2|xz|zstd)"
        ):
            read(path)

    def test_another_kind_than_the_name_says(self, tmp_path: Path, suffix: str) -> None:
        other = ".gz" if suffix != ".gz" else ".xz"
        path = write(tmp_path / f"text{suffix}", KINDS[other](LINES))
        assert read(path) == LINES

    def test_the_first_bytes_alone_are_no_text(self, tmp_path: Path, suffix: str) -> None:
        path = write(tmp_path / f"text{suffix}", KINDS[suffix](LINES)[:1])
        with pytest.raises(TextError, match="not whole"):
            read(path)

    def test_an_empty_file_is_not_whole(self, tmp_path: Path, suffix: str) -> None:
        zstd(b"")
        with pytest.raises(TextError, match="not whole"):
            read(write(tmp_path / f"text{suffix}", b""))

    def test_the_compressed_nothing(self, tmp_path: Path, suffix: str) -> None:
        assert read(write(tmp_path / f"text{suffix}", KINDS[suffix](b""))) == b""

    def test_progress_is_in_bytes_of_the_file(self, tmp_path: Path, suffix: str) -> None:
        path = write(tmp_path / f"text{suffix}", KINDS[suffix](LINES))
        seen: list[tuple[int, int | None]] = []
        list(TextReader(path, progress=lambda done, total: seen.append((done, total))))
        assert seen[-1] == (path.stat().st_size, path.stat().st_size)


def test_text_that_begins_like_bzip2_is_text() -> None:
    assert read(io.BytesIO(b"BZh9 is how it begins\n")) == b"BZh9 is how it begins\n"


def test_zstd_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(TextError, match="zstandard") as caught:
        read(write(tmp_path / "text.zst", b"\x28\xb5\x2f\xfd"))
    assert caught.value.hint == "pip install 'lmkit[zstd]'"

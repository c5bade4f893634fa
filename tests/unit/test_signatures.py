"""What a file is by its first bytes, and what is said of it where text is wanted."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

import lmkit
from lmkit.errors import ModelFileError, TextError
from lmkit.ngram.arpa import read_arpa
from lmkit.signatures import LOOKED_AT, kind_of_start
from lmkit.text.reading import TextReader


def zipped(name: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, b"\x80\x02}.")
    return stream.getvalue()


def saved(**arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def database(name: bytes) -> bytes:
    return b"SQLite format 3\0".ljust(68, b"\0") + name + bytes(28)


FILES: dict[str, tuple[bytes, str]] = {
    # The text that build_binary writes, and numbers behind it that tell the machine's sizes.
    "kenlm": (b"mmap lm http://kheafield.com/code format version 5\n\0".ljust(96, b"\1"), "KenLM"),
    # The length of the header as an integer of four bytes, in either order, then the header.
    "dmp": (struct.pack("<i", 17) + b"Darpa Trigram LM\0" + struct.pack("<i", 9), "Sphinx DMP"),
    "dmp, other order": (struct.pack(">i", 17) + b"Darpa Trigram LM\0", "Sphinx DMP"),
    "sphinx trie": (b"Trie Language Model\3\1\2\0\0\0", "Sphinx trie"),
    "srilm": (b"SRILM_BINARY_NGRAM_002\n\1\2", "SRILM binary model"),
    "srilm counts": (b"SRILM_BINARY_COUNTS_001\n", "SRILM binary file of counts"),
    "irstlm": (b"blmt 3 10 20 30\nNumOOV 5\n", "IRSTLM"),
    "irstlm, iARPA": (b"iARPA\n\\data\\\nngram 1=3\n", "IRSTLM"),
    "irstlm, qARPA": (b"qARPA 3 256 256 256\n\\data\\\n", "IRSTLM"),
    "julius": (b"julius_bingram_v5 ".ljust(512, b"\0"), "Julius"),
    "openfst": (struct.pack("<i", 2125659606) + b"\6\0\0\0vector", "OpenFst"),
    "mitlm": (struct.pack("<Q", 0x20080901) + b"NgramLM\0", "MITLM"),
    "fasttext": (struct.pack("<ii", 793712314, 12), "fastText"),
    # A piece of 5 letters, the score 0.0, the type 2.
    "sentencepiece": (b"\n\x0e\n\x05<unk>\x15\0\0\0\0\x18\x02\n\x0c", "sentencepiece"),
    "pickle": (pickle.dumps({"the": 12}), "Python pickle"),
    "old pickle": (pickle.dumps({"the": 12}, protocol=2), "Python pickle"),
    "pytorch": (zipped("archive/data.pkl"), "PyTorch"),
    "npz": (saved(a=np.zeros(3)), "NumPy arrays"),
    "docx": (zipped("[Content_Types].xml"), "Office"),
    "zip": (zipped("text.txt"), "zip archive"),
    "gguf": (b"GGUF" + struct.pack("<IQQ", 3, 291, 24), "GGUF"),
    "safetensors": (struct.pack("<Q", 60) + b'{"w":{"dtype":"F32"', "safetensors"),
    "hdf5": (b"\x89HDF\r\n\x1a\n\0", "HDF5"),
    "parquet": (b"PAR1\x15\x04\x15\x10\x00", "Parquet"),
    "wordfreq": (b"\x93\x82\xa6format\xa2cB\xa7version\x01", "wordfreq"),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "PDF"),
    "png": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "picture"),
    "tar": (b"a.txt".ljust(257, b"\0") + b"ustar  \0", "tar archive"),
    "lz4": (b"\x04\x22\x4d\x18\x60\x70\x73", "lz4"),
    "database": (database(b"\0\0\0\0"), "SQLite database"),
}
ALL = pytest.mark.parametrize(("data", "what"), FILES.values(), ids=list(FILES))


@ALL
def test_kinds(data: bytes, what: str, tmp_path: Path) -> None:
    path = tmp_path / "some file"
    path.write_bytes(data)
    kind = kind_of_start(data[:LOOKED_AT])
    assert kind is not None and what in kind.what
    for read in (TextReader, lambda p, errors="replace": TextReader(p, errors)):
        with pytest.raises(TextError, match=f"is not text but .*{what}") as caught:
            list(read(path))
        assert caught.value.hint == kind.hint(path)
    with pytest.raises(TextError, match=what):
        read_arpa(path)
    with pytest.raises(ModelFileError, match=f"is not an lmkit model but .*{what}"):
        lmkit.load(path)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n",
        b"\nA\nB\n",
        b"GGUF is a format\n",
        b"PAR1 is how it begins\n",
        b"RIFF and OggS and ID3\n",
        b"We love Marisa.\n",
        b"Trie Language Model\n",
        b"blmt\n",
        b"iARPA is what IRSTLM writes\n",
        b"12345678{ and so on\n",
        b"GIF89a " + "é".encode() * 600 + b"\n",
        b"the line \\data\\ begins it\n\\data\\\n",
        b"\n\x0e\n\x05 odd, and yet text\n",
    ],
)
def test_text_is_text(text: bytes) -> None:
    assert kind_of_start(text[:LOOKED_AT]) is None
    assert b"".join(chunk.data for chunk in TextReader(io.BytesIO(text))) == text


def test_an_arpa_file_is_no_text_but_for_its_reader(tmp_path: Path) -> None:
    text = "\\data\\\nngram 1=3\n\n\\1-grams:\n-1 <s>\n-1 </s>\n-1 a\n\n\\end\\\n"
    for start in ("", "\n\n", "\ufeff"):
        path = tmp_path / "a b.arpa"
        path.write_text(start + text, encoding="utf-8")
        with pytest.raises(TextError, match="is not text but an ARPA file") as caught:
            lmkit.train(path)
        assert caught.value.hint == f"lmkit import '{path}' --output '{path.with_suffix('.lm')}'"
        assert lmkit.import_model(path).vocabulary.tokens[3:] == ["a"]
    # Where a model is wanted, remarks before it do not hide it.
    path.write_text("made by hand\n" + text)
    with pytest.raises(ModelFileError, match="is not an lmkit model but an ARPA file"):
        lmkit.load(path)


def test_a_model_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("a b c\n")
    lmkit.train(tmp_path / "text", output=tmp_path / "m.lm", order=1, smoothing="witten-bell")
    with pytest.raises(TextError, match="is not text but an lmkit model"):
        lmkit.train(tmp_path / "m.lm")


def test_names_of_models_to_make() -> None:
    kind = kind_of_start(FILES["kenlm"][0])
    assert kind is not None
    assert kind.hint("a.arpa.gz").endswith("--output a.lm")
    assert kind.hint("dir.d/a").endswith("--output dir.d/a.lm")

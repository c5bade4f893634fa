"""What a file is that somebody gives in place of text or of a model, by its first bytes.

Models of other programs, archives, pictures and so on. Whatever reads files asks here before it
complains, so that the complaint names the file's kind and what to do with it.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

LOOKED_AT = 1024
"""Bytes of a file that are enough to tell its kind."""
MODEL_ID = b"LMK1"
"""SQLite's application id of a model file."""

_SQLITE = b"SQLite format 3\0"
_ARPA = re.compile(rb"^\\data\\[ \t]*\r?\n\s*ngram[ \t]+1[ \t]*=", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class FileKind:
    """``what`` a file is, with its article, and what to do: ``advice``, in which ``{file}``
    stands for its name and ``{model}`` for that of a model to make of it.

    ``magics`` are first bytes that tell it, ``place`` bytes from the start on. ``letters``: a text
    could begin with them too, so there must also be bytes that no text has.
    """

    what: str
    advice: str
    magics: tuple[bytes, ...] = ()
    place: int = 0
    letters: bool = False

    def hint(self, path: object) -> str:
        """What to do with the file ``path``."""
        base = Path(str(path))
        while base.suffix.lower() in (".gz", ".bz2", ".xz", ".zst"):
            base = base.with_suffix("")
        return self.advice.format(
            file=shlex.quote(str(path)), model=shlex.quote(str(base.with_suffix(".lm")))
        )

    def begins(self, start: bytes) -> bool:
        """Whether a file that begins with ``start`` is one."""
        if not any(start.startswith(magic, self.place) for magic in self.magics):
            return False
        return not (self.letters and _may_be_text(start))


_IMPORT = "then lmkit import MODEL.arpa --output {model}"
_OTHERS = "text, counts or an ARPA file, written by the program that made it"
_PLAIN = "saving it as plain text"

ARPA = FileKind("an ARPA file", "lmkit import {file} --output {model}")
MODEL = FileKind("an lmkit model or tokenizer", "lmkit info {file}")
_DATABASE = FileKind("an SQLite database", "sqlite3 {file} .tables")
_PICKLE = FileKind(
    "a Python pickle, which lmkit does not open, since opening one can run code", _OTHERS
)
_SAFETENSORS = FileKind("a safetensors file", _OTHERS)
_SENTENCEPIECE = FileKind(
    "a sentencepiece model, which cuts text into pieces and gives no probabilities of sentences",
    "spm_encode --model={file} TEXT, then lmkit train on that with --tokenizer whitespace",
)
_WORDFREQ = FileKind("a word list of wordfreq", "word<TAB>count lines, which that package can give")
_ZIP = FileKind("a zip archive", "unzip {file}, for what is in it")
_ZIPS = (
    FileKind("a file of NumPy arrays (npz)", _OTHERS, (b".npy",)),
    FileKind("a PyTorch file", _OTHERS, (b"data.pkl",)),
    FileKind("an Office file or e-book", _PLAIN, (b"[Content_Types].xml", b"mimetype")),
)

KINDS = (
    FileKind(
        "a KenLM binary file, which holds no words, or only a list of them",
        "the ARPA file that build_binary made it from: lmkit import MODEL.arpa --output {model}",
        (b"mmap lm http://kheafield.com/code",),
    ),
    FileKind(
        "a Sphinx DMP file",
        "sphinx_lm_convert -i {file} -ifmt dmp -o MODEL.arpa -ofmt arpa, " + _IMPORT,
        (b"Darpa Trigram LM",),
        place=4,
    ),
    FileKind(
        "a Sphinx trie file",
        "sphinx_lm_convert -i {file} -ifmt bin -o MODEL.arpa -ofmt arpa, " + _IMPORT,
        (b"Trie Language Model",),
        letters=True,
    ),
    FileKind(
        "an SRILM binary model",
        "ngram -order 9 -lm {file} -write-lm MODEL.arpa, " + _IMPORT,
        (b"SRILM_BINARY_NGRAM",),
    ),
    FileKind(
        "an SRILM binary file of counts",
        "ngram-count -order 9 -read {file} -write COUNTS,"
        " then lmkit import COUNTS --format counts --output {model}",
        (b"SRILM_BINARY_COUNTS",),
    ),
    FileKind(
        "an IRSTLM file, whose numbers are not those of an ARPA file",
        "compile-lm {file} --text=yes MODEL.arpa, " + _IMPORT,
        (b"iARPA\n", b"iARPA\r\n", b"qARPA ", b"blmt ", b"Qblmt "),
    ),
    FileKind("a Julius binary model", "binlm2arpa {file} MODEL, " + _IMPORT, (b"julius_bingram",)),
    FileKind(
        "an OpenFst file",
        "ngramprint --ARPA {file} MODEL.arpa, if it is an OpenGrm model, " + _IMPORT,
        (b"\xd6\xfd\xb2\x7e",),
    ),
    FileKind(
        "a MITLM binary model",
        "interpolate-ngram -lm {file} -write-lm MODEL.arpa, " + _IMPORT,
        (b"\x01\x09\x08\x20\0\0\0\0",),
    ),
    FileKind("a fastText model", _OTHERS, (b"\xba\x16\x4f\x2f",)),
    FileKind("a GGUF model", _OTHERS, (b"GGUF",), letters=True),
    FileKind("a NumPy array", _OTHERS, (b"\x93NUMPY",)),
    FileKind("an HDF5 file", _OTHERS, (b"\x89HDF\r\n\x1a\n",)),
    FileKind("a Java object file", _OTHERS, (b"\xac\xed\0\x05",)),
    FileKind("a marisa trie", _OTHERS, (b"We love Marisa.",), letters=True),
    FileKind("a Parquet table", "a file of its text alone", (b"PAR1",), letters=True),
    FileKind("an Arrow table", "a file of its text alone", (b"ARROW1",), letters=True),
    FileKind("a PDF file", "pdftotext {file} TEXT", (b"%PDF-",)),
    FileKind("an RTF file", _PLAIN, (b"{\\rtf",)),
    FileKind("an Office file", _PLAIN, (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",)),
    FileKind(
        "a picture",
        "a file with the text on it",
        (b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a"),
        letters=True,
    ),
    FileKind(
        "a sound file",
        "a file with what is said in it",
        (b"RIFF", b"OggS", b"fLaC", b"ID3"),
        letters=True,
    ),
    FileKind("a program", "a file of text", (b"\x7fELF",)),
    FileKind("a tar archive", "tar -xf {file}, for what is in it", (b"ustar",), 257, letters=True),
    FileKind("compressed with lz4", "lz4 -dc {file} > TEXT", (b"\x04\x22\x4d\x18",)),
    FileKind("compressed with compress", "gzip -dc {file} > TEXT", (b"\x1f\x9d",)),
    FileKind("compressed with lzip", "lzip -dc {file} > TEXT", (b"LZIP",), letters=True),
    FileKind("a 7-Zip archive", "7z x {file}", (b"7z\xbc\xaf\x27\x1c",)),
    FileKind("a RAR archive", "unrar x {file}", (b"Rar!\x1a\x07",)),
)


def kind_of_start(start: bytes) -> FileKind | None:
    """The kind of a file that begins with ``start``; None where it may be text."""
    if start.startswith(_SQLITE):
        return MODEL if start[68:72] == MODEL_ID else _DATABASE
    for kind in KINDS:
        if kind.begins(start):
            return kind
    if start.startswith(b"PK\x03\x04"):
        first = start[30 : 30 + int.from_bytes(start[26:28], "little")]
        return next((kind for kind in _ZIPS if any(m in first for m in kind.magics)), _ZIP)
    if start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return _PICKLE
    if start[8:10] == b'{"' and int.from_bytes(start[:8], "little") < 1 << 40:
        return _SAFETENSORS
    if b"\xa6format\xa2cB" in start[:16]:
        return _WORDFREQ
    if _is_sentencepiece(start):
        return _SENTENCEPIECE
    return ARPA if _ARPA.match(start.lstrip(b"\xef\xbb\xbf\r\n\t ")) else None


def has_arpa_mark(start: bytes) -> bool:
    r"""Whether a line ``\data\`` and the sizes behind it stand in ``start``, remarks before them
    or not."""
    return _ARPA.search(start) is not None


def _may_be_text(start: bytes) -> bool:
    if b"\0" in start:
        return False
    try:
        start.decode()
    except UnicodeDecodeError as error:
        return error.start > len(start) - 4
    return True


def _is_sentencepiece(start: bytes) -> bool:
    """Whether ``start`` is the first piece of its protocol buffer: in field 1 a message, with
    the piece in field 1 and its score, a float, in field 2."""
    if start[:1] != b"\n" or start[2:3] != b"\n" or len(start) < 10:
        return False
    size, length = start[1], start[3]
    return length + 2 < size < 128 and start[4 + length : 5 + length] == b"\x15"

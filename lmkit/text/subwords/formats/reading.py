"""Any tokenizer file, by what stands in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lmkit.errors import FormatError, LmkitError, UsageError
from lmkit.text.subwords.formats import (
    bert_vocabulary,
    gpt2_files,
    hugging_face,
    sentencepiece_model,
    tiktoken_ranks,
)
from lmkit.text.subwords.formats.json_files import parsed
from lmkit.text.tokenizers.base import Tokenizer
from lmkit.text.tokenizers.imported import ImportedTokenizer

MOST_BYTES = 1 << 29
"""A file that is larger is not a tokenizer's."""
_JSON = re.compile(r"""\s*(\{|\[\s*[]\[{"\d-])""")  # a vocab.txt may begin with [PAD]
_RANKS = re.compile(r"\s*[A-Za-z0-9+/]+={0,2} \d+\s*(\n|$)")
_MERGES = re.compile(r"#version|([^\s]+ [^\s]+\r?(\n|$)){1,10}+(?=\S+ \S+\r?(\n|$)|$)")
_MODEL_NAMES = ("tokenizer.model", "spiece.model", "sentencepiece.bpe.model")
READABLE = (
    "tokenizer.json, vocab.json with merges.txt, a tiktoken file, a sentencepiece model, vocab.txt"
)


def read(
    path: str | Path,
    *,
    pattern: str | None = None,
    special_tokens: Mapping[str, int] | None = None,
    lowercase: bool | None = None,
) -> Tokenizer:
    """The tokenizer of the file at ``path``, or of the files in that folder.

    What some files do not say can be given: the ``pattern`` and ``special_tokens`` of tiktoken's
    ranks, whether a ``vocab.txt`` is of text in ``lowercase``.

    Raises `FormatError` for a file that is damaged or of no known kind, `UnsupportedError` for a
    part that lmkit does not have, `UsageError` where something must be given. Each names the file.
    """
    path = _chosen(Path(path))
    try:
        found = _read(path, pattern, special_tokens, lowercase)
        return found.simplest() if isinstance(found, ImportedTokenizer) else found
    except LmkitError as error:
        if str(path) in error.message:
            raise
        raise type(error)(f"{path}: {error.message}", error.hint) from error


def _chosen(path: Path) -> Path:
    """The file to read: ``path``, or what stands for a folder."""
    if not path.is_dir():
        return path
    names = ["tokenizer.json", *_MODEL_NAMES, *(name for name, _ in gpt2_files.NAMES), "vocab.txt"]
    for name in names:
        if (path / name).is_file():
            return path / name
    raise FormatError(f"there is no tokenizer in the folder {path}", READABLE)


def _read(
    path: Path,
    pattern: str | None,
    special_tokens: Mapping[str, int] | None,
    lowercase: bool | None,
) -> Tokenizer:
    data = _bytes(path)
    if data.startswith(b"SQLite format 3\0"):
        raise FormatError("the file is one of lmkit's own, not one of another program", READABLE)
    if data[:1] == b"\n" and b"\x0a" in data:
        _refuse(pattern=pattern, special_tokens=special_tokens, lowercase=lowercase)
        return sentencepiece_model.from_bytes(data)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError("the file is neither text nor a sentencepiece model", READABLE) from error
    if _JSON.match(text):
        _refuse(pattern=pattern, special_tokens=special_tokens, lowercase=lowercase)
        return _of_json(path, parsed(text, str(path)))
    if _RANKS.match(text):
        _refuse(lowercase=lowercase)
        return tiktoken_ranks.from_text(text, pattern, special_tokens)
    _refuse(pattern=pattern, special_tokens=special_tokens)
    if _MERGES.match(text):
        _refuse(lowercase=lowercase)
        return _of_pair(_beside(path, 0), path)
    if "[UNK]" in text:
        return bert_vocabulary.from_text(text, lowercase)
    raise FormatError("the file is no tokenizer that lmkit knows", READABLE)


def _refuse(**options: Any) -> None:
    """Raises `UsageError` where one of the ``options`` of `read` is given, all of which the file
    settles itself."""
    for name, value in options.items():
        if value is not None:
            raise UsageError(
                f"{name.replace('_', ' ')} cannot be given for a file of this kind, which says it",
                "leaving that out",
            )


def _of_json(path: Path, value: Any) -> Tokenizer:
    if isinstance(value, dict) and "model" in value and not isinstance(value["model"], int):
        return hugging_face.from_json(value)
    if isinstance(value, dict) and value and all(type(one) is int for one in value.values()):
        return _of_pair(path, _beside(path, 1))
    raise FormatError("the file is JSON, but no tokenizer that lmkit knows", READABLE)


def _of_pair(vocabulary: Path, merges: Path) -> Tokenizer:
    values = parsed(_text(vocabulary), str(vocabulary))
    if not isinstance(values, dict):
        raise FormatError(f"{vocabulary} is not an object from tokens to ids", READABLE)
    return gpt2_files.from_files(values, _text(merges))


def _beside(path: Path, other: int) -> Path:
    """The other of GPT-2's two files: the vocabulary (0) or the merges (1)."""
    for pair in gpt2_files.NAMES:
        own = pair[1 - other]
        if path.name.endswith(own):
            found = path.with_name(path.name.removesuffix(own) + pair[other])
            if found.is_file():
                return found
    there = [path.with_name(pair[other]) for pair in gpt2_files.NAMES]
    for found in there:
        if found.is_file():
            return found
    raise UsageError(
        f"{path} is one of two files, and {there[0].name} is not beside it",
        f"{path} and {there[0]}",
    )


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise FormatError("the file is larger than any tokenizer", READABLE)
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}", "the path of a tokenizer file"
        ) from error
    if not data.strip():
        raise FormatError("the file is empty", READABLE)
    return data


def _text(path: Path) -> str:
    try:
        return _bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(f"{path} is not UTF-8", READABLE) from error

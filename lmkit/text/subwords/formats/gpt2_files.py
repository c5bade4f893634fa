"""GPT-2's two files: ``vocab.json``, an object from tokens to ids, and ``merges.txt``, a pair of
tokens a line, the first learnt first. Tokens are written in letters for bytes
(`lmkit.text.subwords.alphabet`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lmkit.errors import FormatError, one_line
from lmkit.text.subwords.foreign_patterns import BYTE_LEVEL
from lmkit.text.subwords.formats.hugging_face import vocabulary_of
from lmkit.text.subwords.parts import REWRITE
from lmkit.text.tokenizers.imported import ImportedTokenizer

NAMES = (("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe"))
"""The names that the two files have: those of Hugging Face, and OpenAI's own."""
VERSION = "#version: 0.2\n"


def from_files(vocabulary: Mapping[str, Any], merges: str) -> ImportedTokenizer:
    """The tokenizer of the parsed ``vocab.json`` and the text of ``merges.txt``.

    A token of more than one letter that no merge makes, such as ``<|endoftext|>``, can only be a
    mark: its text becomes that token wherever it stands. Raises `FormatError` for damage.
    """
    pairs = merges_of(merges)
    pieces, ids = vocabulary_of(vocabulary)
    made = {left + right for left, right in pairs}
    marks = [
        {
            "id": number,
            "content": token,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for token, number in vocabulary.items()
        if len(token) > 1 and token not in made
    ]
    return ImportedTokenizer(
        {"type": "BPE"},
        pieces,
        pairs,
        pre_tokenizer=BYTE_LEVEL,
        decoder=BYTE_LEVEL,
        added_tokens=marks,
        ids=ids,
    )


def merges_of(text: str) -> list[list[str]]:
    """The pairs of the text of a ``merges.txt``. Raises `FormatError` with the line of one that
    is not two tokens."""
    pairs = []
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        line = line.removesuffix("\r")
        if line.startswith("#version") or (not line and number == len(lines)):
            continue
        pair = line.split(" ")
        if len(pair) != 2 or not all(pair):
            raise FormatError(
                f"line {number} of the merges, {one_line(line)!r}, is not two tokens", REWRITE
            )
        pairs.append(pair)
    return pairs


def as_text(merges: Sequence[Sequence[str]]) -> str:
    """The text of a ``merges.txt``."""
    return VERSION + "".join(f"{left} {right}\n" for left, right in merges)

"""Tokenizer files made by hand, as small as they can be."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lmkit.text.subwords.alphabet import CHARACTERS
from lmkit.text.subwords.formats.hugging_face import from_json
from lmkit.text.subwords.formats.sentencepiece_model import from_bytes
from lmkit.text.tokenizers.imported import ImportedTokenizer
from lmkit.text.tokenizers.wordpiece import WordPieceTokenizer

BYTE_LEVEL = {
    "type": "ByteLevel",
    "add_prefix_space": False,
    "trim_offsets": True,
    "use_regex": True,
}
PAIRS = [["t", "h"], ["th", "e"], ["Ġ", "the"]]
LETTERS = [*CHARACTERS, *(left + right for left, right in PAIRS)]


def bpe_json(**changed: Any) -> dict[str, Any]:
    """A ``tokenizer.json`` of byte-level BPE: the bytes, ``th``, ``the``, ``Ġthe``, a mark."""
    model = {"type": "BPE", "vocab": {one: k for k, one in enumerate(LETTERS)}, "merges": PAIRS}
    values = {
        "version": "1.0",
        "added_tokens": [mark(259, "<|x|>")],
        "normalizer": None,
        "pre_tokenizer": BYTE_LEVEL,
        "decoder": BYTE_LEVEL,
        "model": model | changed.pop("model", {}),
    }
    return values | changed


def mark(number: int, content: str, **changed: Any) -> dict[str, Any]:
    """An added token."""
    return {
        "id": number, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
        "normalized": False, "special": True, **changed,
    }  # fmt: skip


UNIGRAM = {
    "version": "1.0",
    "added_tokens": [],
    "normalizer": {"type": "NFKC"},
    "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "add_prefix_space": True},
    "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"},
    "model": {
        "type": "Unigram",
        "unk_id": 0,
        "vocab": [["<unk>", 0.0], ["▁", -2.0], ["a", -3.0], ["b", -3.0], ["▁ab", -4.0],
                  ["\t", -9.0]],
    },
}  # fmt: skip
VOCAB_TXT = "[PAD]\n[UNK]\n[CLS]\n[MASK]\nun\n##aff\n##able\n,\n東\naff\n"


def sentencepiece(
    pieces: list[tuple[str, float, int]], trainer: bytes = b"\x18\x01", rules: bytes = b""
) -> bytes:
    """A ``.model``: pieces with their scores and kinds, the trainer's and the normalizer's spec."""

    def field(number: int, content: bytes) -> bytes:
        size = len(content)
        length = bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])
        return bytes([number << 3 | 2]) + length + content

    data = b""
    for piece, score, kind in pieces:
        scored = b"\x15" + struct.pack("<f", score)
        data += field(1, field(1, piece.encode()) + scored + b"\x18" + bytes([kind]))
    return data + field(2, trainer) + field(3, rules)


PIECES = [
    ("<unk>", 0.0, 2), ("<s>", 0.0, 3), ("▁", -2.0, 1), ("a", -3.0, 1), ("b", -3.0, 1),
    ("▁ab", -4.0, 1), ("<x>", 0.0, 4),
]  # fmt: skip


def ranks_text(tokens: list[bytes]) -> str:
    return "".join(f"{base64.b64encode(token).decode()} {k}\n" for k, token in enumerate(tokens))


BYTES = [bytes([byte]) for byte in range(256)]


def some_tokenizers() -> list[ImportedTokenizer]:
    wordpiece = WordPieceTokenizer([[token, None] for token in VOCAB_TXT.split()])
    return [from_json(bpe_json()), from_json(UNIGRAM), from_bytes(sentencepiece(PIECES)), wordpiece]


def writer(folder: Path) -> Callable[[str, Any], Path]:
    """Writes a file of that name into ``folder``."""

    def make(name: str, content: Any) -> Path:
        path = folder / name
        if isinstance(content, dict):
            content = json.dumps(content)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return make

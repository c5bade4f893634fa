"""sentencepiece's ``.model``: a Protocol Buffers message with pieces, scores and a normalizer.

Fields are those of ``sentencepiece_model.proto``. Models of the types unigram and bpe are read.
What belongs to training only is passed over.
"""

from __future__ import annotations

import base64
from typing import Any

from lmkit.errors import FormatError, UnsupportedError
from lmkit.text.subwords.formats.protobuf import fields
from lmkit.text.subwords.parts import REWRITE
from lmkit.text.tokenizers.imported import ImportedTokenizer

_PIECES, _TRAINER, _NORMALIZER, _DENORMALIZER = 1, 2, 3, 5
_PIECE = {"piece": (1, bytes, b""), "score": (2, float, 0.0), "kind": (3, int, 1)}
_TRAINER_FIELDS = {
    "model_type": (3, int, 1),
    "treat_whitespace_as_suffix": (24, int, 0),
    "byte_fallback": (35, int, 0),
    "unk_surface": (44, bytes, " \u2047 ".encode()),
}
_NORMALIZER_FIELDS = {
    "precompiled_charsmap": (2, bytes, b""),
    "add_dummy_prefix": (3, int, 1),
    "remove_extra_whitespaces": (4, int, 1),
    "escape_whitespaces": (5, int, 1),
}
_MODELS = {1: "SentencePieceUnigram", 2: "SentencePieceBPE"}
_OTHERS = {3: "word", 4: "char"}
_NORMAL, _BYTE = 1, 6
_BYTES = {f"<0x{byte:02X}>" for byte in range(256)}
_KINDS = {2: "unknown", 3: "control", 4: "symbols", 5: "unused", _BYTE: "bytes"}


def from_bytes(data: bytes) -> ImportedTokenizer:
    """The tokenizer of the bytes of a ``.model``.

    Raises `FormatError` where they are damaged, `UnsupportedError` for a model of another type or
    one that changes text on the way back.
    """
    rows: list[list[Any]] = []
    kinds: dict[str, list[str]] = {kind: [] for kind in _KINDS.values()}
    specs = {_TRAINER: b"", _NORMALIZER: b"", _DENORMALIZER: b""}
    for number, value in fields(data):
        if number == _PIECES:
            _add_piece(value, rows, kinds)
        elif number in specs:
            # Repeated, they are one message: the format says so.
            specs[number] += _bytes(value)
    if not rows:
        raise FormatError("the sentencepiece model has no pieces", REWRITE)
    trainer = _message(specs[_TRAINER], _TRAINER_FIELDS)
    normalizer = _message(specs[_NORMALIZER], _NORMALIZER_FIELDS)
    if _message(specs[_DENORMALIZER], _NORMALIZER_FIELDS)["precompiled_charsmap"]:
        raise UnsupportedError(
            "a sentencepiece model that changes text on the way back (denormalizer_spec) is not"
            " supported",
            "a model trained without rules for that",
        )
    return _tokenizer(rows, kinds, trainer, normalizer)


def _add_piece(value: Any, rows: list[list[Any]], kinds: dict[str, list[str]]) -> None:
    piece = _message(_bytes(value), _PIECE)
    text = _text(piece["piece"])
    if not text or "\0" in text:
        raise FormatError(
            f"piece {len(rows)} of the sentencepiece model is empty or has NUL", REWRITE
        )
    if piece["kind"] != _NORMAL:
        if piece["kind"] not in _KINDS:
            raise FormatError(
                f"piece {len(rows)} of the sentencepiece model is of the unknown kind"
                f" {piece['kind']}",
                REWRITE,
            )
        kinds[_KINDS[piece["kind"]]].append(text)
    rows.append([text, piece["score"]])


def _tokenizer(
    rows: list[list[Any]],
    kinds: dict[str, list[str]],
    trainer: dict[str, Any],
    normalizer: dict[str, Any],
) -> ImportedTokenizer:
    kind = trainer["model_type"]
    if kind not in _MODELS:
        raise UnsupportedError(
            f"a sentencepiece model of the type {_OTHERS.get(kind, kind)} is not supported",
            "one of the type unigram or bpe",
        )
    fallback = bool(trainer["byte_fallback"])
    if set(kinds["bytes"]) != (_BYTES if fallback else set()):
        raise FormatError("the byte pieces of the sentencepiece model are not all there", REWRITE)
    charsmap = normalizer.pop("precompiled_charsmap")
    flags = {key: bool(value) for key, value in normalizer.items()}
    if not flags["escape_whitespaces"]:
        raise UnsupportedError(
            "a sentencepiece model that leaves spaces as they are (escape_whitespaces) is not"
            " supported",
            "one with the mark ▁ for spaces",
        )
    return ImportedTokenizer(
        {"type": _MODELS[kind], "byte_fallback": fallback, **kinds},
        rows,
        normalizer={
            "type": "SentencePiece",
            "precompiled_charsmap": base64.b64encode(charsmap).decode() or None,
            "symbols": kinds["symbols"],
            **flags,
            "treat_whitespace_as_suffix": bool(trainer["treat_whitespace_as_suffix"]),
        },
        decoder={
            "type": "SentencePiece",
            "strips": flags["add_dummy_prefix"] or flags["remove_extra_whitespaces"],
            "strips_all": flags["remove_extra_whitespaces"],
            "byte_fallback": fallback,
            "control": kinds["control"],
            "unknown": "".join(kinds["unknown"][:1]),
            "unknown_surface": _text(trainer["unk_surface"]),
        },
    )


def _message(data: bytes, known: dict[str, tuple[int, type, Any]]) -> dict[str, Any]:
    """The ``known`` fields of a message: the last of each, else its default."""
    names = {number: name for name, (number, _, _) in known.items()}
    values = {name: default for name, (_, _, default) in known.items()}
    for number, value in fields(data):
        if number in names:
            name = names[number]
            if not isinstance(value, known[name][1]):
                raise FormatError(f"{name} in the sentencepiece model is of another type", REWRITE)
            values[name] = value
    return values


def _bytes(value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise FormatError("the sentencepiece model has a number where a message belongs", REWRITE)
    return value


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise FormatError("a text in the sentencepiece model is not UTF-8", REWRITE) from error

"""What a tokenizer file says of its model: how a piece of text becomes ids.

The names are those of the package ``tokenizers`` (its ``models``), beside those for the files of
others: ``RankBPE`` (tiktoken's ranks that no list of merges stands for), ``SentencePieceBPE`` and
``SentencePieceUnigram``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from lmkit.errors import FormatError, one_line
from lmkit.text.subwords import foreign_bpe as bpe
from lmkit.text.subwords.foreign_unigram import ForeignUnigram
from lmkit.text.subwords.parts import REQUIRED, REWRITE, Part, kind_of, options_of
from lmkit.text.subwords.wordpiece import WordPiece


class Encoder(Protocol):
    """What turns a piece of text into ids."""

    def encode(self, piece: str) -> list[int]:
        """The ids of ``piece``."""

    def unknown_texts(self, piece: str) -> list[str]:
        """What each unknown id in the result of `encode` stands for."""


@dataclass(frozen=True)
class Model:
    """An encoder, and the id of what it cannot write (None: it has none)."""

    encoder: Encoder
    unknown: int | None


@dataclass(frozen=True)
class Tables:
    """The rows of a model: its pieces with their scores, the id of each, and its merges."""

    pieces: Sequence[tuple[str, float | None]]
    ids: Mapping[str, int]
    merges: Sequence[Sequence[str]]

    def scored(self) -> list[tuple[str, float]]:
        """The pieces, each with its score. Raises `FormatError` where one has none."""
        result = []
        for piece, score in self.pieces:
            if score is None:
                raise FormatError(f"the piece {one_line(piece)!r} has no score", REWRITE)
            result.append((piece, score))
        return result

    def id_of(self, token: str | None, what: str) -> int | None:
        """The id of ``token``. Raises `FormatError` where it has none."""
        if token is None:
            return None
        if token not in self.ids:
            raise FormatError(f"{what} {one_line(token)!r} is not in the vocabulary", REWRITE)
        return self.ids[token]


def make_model(part: Part, tables: Tables) -> Model:
    """The model that ``part`` describes, of these ``tables``.

    Raises `UnsupportedError` for a kind or an option that is not known here, `FormatError` for
    one that is damaged.
    """
    return _KINDS[kind_of(part, "model", _KINDS)](part, tables)


def _bpe(part: Part, tables: Tables) -> Model:
    options = options_of(
        part,
        "model",
        unk_token=((str, None), None),
        fuse_unk=(bool, False),
        byte_fallback=(bool, False),
        ignore_merges=(bool, False),
        continuing_subword_prefix=((str, None), None),
        end_of_word_suffix=((str, None), None),
    )
    prefix = options["continuing_subword_prefix"] or ""
    unknown = tables.id_of(options["unk_token"], "the unknown token")
    encoder = bpe.ForeignBpe(
        tables.ids,
        bpe.merges_of_pairs(tables.merges, tables.ids, prefix),
        unknown=unknown,
        fuse_unknown=options["fuse_unk"],
        byte_fallback=options["byte_fallback"],
        whole=options["ignore_merges"],
        prefix=prefix,
        suffix=options["end_of_word_suffix"] or "",
    )
    apart = not (options["ignore_merges"] or prefix or options["end_of_word_suffix"])
    apart = apart and not encoder.leaves_out and _by_words(tables)
    return Model(bpe.ByWords(encoder) if apart else encoder, unknown)


def _by_words(tables: Tables) -> bool:
    """Whether the merges of ``tables`` keep to words, of which each begins with a mark."""
    made = (left + right for left, right in tables.merges)
    return bpe.SPACE in tables.ids and bpe.ByWords.may([bpe.SPACE, *made])


def _ranks(part: Part, tables: Tables) -> Model:
    options_of(part, "model")
    merges = bpe.merges_of_ranks(tables.ids, tables.ids)
    return Model(bpe.ForeignBpe(tables.ids, merges, whole=True), None)


def _word_piece(part: Part, tables: Tables) -> Model:
    options = options_of(
        part,
        "model",
        unk_token=(str, REQUIRED),
        continuing_subword_prefix=(str, "##"),
        max_input_chars_per_word=(int, 100),
    )
    unknown = tables.id_of(options["unk_token"], "the unknown token")
    assert unknown is not None
    encoder = WordPiece(
        tables.ids,
        unknown,
        options["continuing_subword_prefix"],
        options["max_input_chars_per_word"],
    )
    return Model(encoder, unknown)


def _unigram(part: Part, tables: Tables) -> Model:
    options = options_of(part, "model", unk_id=((int, None), None), byte_fallback=(bool, False))
    pieces = tables.scored()
    unknown = options["unk_id"]
    if unknown is not None and not 0 <= unknown < len(pieces):
        raise FormatError(
            f"the id {unknown} of the unknown token is outside the vocabulary", REWRITE
        )
    encoder = ForeignUnigram(pieces, unknown=unknown, byte_fallback=options["byte_fallback"])
    return Model(encoder, unknown)


KINDS = ("unknown", "control", "symbols", "unused", "bytes")
"""The kinds of sentencepiece's pieces that are not ordinary ones."""


def _sentencepiece(part: Part, tables: Tables) -> tuple[dict[str, Any], dict[str, list[int]], int]:
    options = options_of(
        part, "model", byte_fallback=(bool, False), **{k: (list, []) for k in KINDS}
    )
    members = {}
    for kind in KINDS:
        found = [tables.id_of(piece, f"the {kind} piece") for piece in options[kind]]
        members[kind] = [one for one in found if one is not None]
    if len(members["unknown"]) != 1:
        raise FormatError(
            "a sentencepiece model has one unknown piece, and this one has not", REWRITE
        )
    return options, members, members["unknown"][0]


def _sentencepiece_unigram(part: Part, tables: Tables) -> Model:
    options, members, unknown = _sentencepiece(part, tables)
    out = {*members["unknown"], *members["control"], *members["unused"], *members["bytes"]}
    special = {*out, *members["symbols"]}
    pieces = tables.scored()
    encoder = ForeignUnigram(
        pieces,
        unknown=unknown,
        byte_fallback=options["byte_fallback"],
        usable=[k for k in range(len(pieces)) if k not in out],
        scored=[k for k in range(len(pieces)) if k not in special],
        symbols=members["symbols"],
        single=True,
    )
    return Model(encoder, unknown)


def _sentencepiece_bpe(part: Part, tables: Tables) -> Model:
    options, members, unknown = _sentencepiece(part, tables)
    if members["unused"]:
        raise FormatError(
            "a BPE model of sentencepiece with unused pieces is not supported",
            "a model saved with its whole vocabulary",
        )
    pieces = tables.scored()
    out = {*members["unknown"], *members["control"], *members["bytes"]}
    usable = {piece: k for k, (piece, _) in enumerate(pieces) if k not in out}
    # Single characters that are no pieces can still be parts of pieces.
    letters = {letter for piece in usable for letter in piece} - usable.keys()
    ids = usable | {letter: bpe.NO_TOKEN + ord(letter) for letter in letters}
    symbols = {piece for k, (piece, _) in enumerate(pieces) if k in {*members["symbols"]}}
    by_score = sorted({pieces[k][1] for k in usable.values()}, reverse=True)
    place = {score: rank for rank, score in enumerate(by_score)}
    ranks = {piece: place[pieces[k][1]] for piece, k in usable.items()}
    mergeable = {piece: k for piece, k in ids.items() if piece not in symbols}
    merges = bpe.merges_of_ranks(
        {piece: rank for piece, rank in ranks.items() if piece not in symbols}, mergeable
    )
    of_bytes: list[int | None] | None = None
    if options["byte_fallback"]:
        of_bytes = [tables.ids.get(f"<0x{byte:02X}>") for byte in range(256)]

    encoder = bpe.SymbolBpe(ids, merges, sorted(symbols), unknown, of_bytes)
    return Model(bpe.ByWords(encoder) if bpe.ByWords.may(usable) else encoder, unknown)


_KINDS: dict[str, Callable[[Part, Tables], Model]] = {
    "BPE": _bpe,
    "RankBPE": _ranks,
    "SentencePieceBPE": _sentencepiece_bpe,
    "SentencePieceUnigram": _sentencepiece_unigram,
    "Unigram": _unigram,
    "WordPiece": _word_piece,
}

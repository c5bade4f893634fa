"""The rows of an imported tokenizer, checked, and how lmkit writes its tokens."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lmkit.errors import FormatError, one_line
from lmkit.text.subwords.added_tokens import AddedToken
from lmkit.text.subwords.parts import REWRITE, typed

UNKNOWN = "<unk>"
_MARKS = (UNKNOWN, "<s>", "</s>")


def checked_pieces(rows: Sequence[Sequence[Any]]) -> tuple[tuple[str, float | None], ...]:
    """The rows of tokens and scores. Raises `FormatError` where one is not that."""
    result = []
    for row in rows:
        if not isinstance(row, (list, tuple)) or len(row) != 2:
            raise FormatError(f"{one_line(repr(row))} is not a piece and its score", REWRITE)
        piece = typed(row[0], str, "a piece")
        score = typed(row[1], (float, None), f"the score of the piece {one_line(piece)!r}")
        result.append((piece, None if score is None else float(score)))
    if not result:
        raise FormatError("the vocabulary of the tokenizer is empty", REWRITE)
    return tuple(result)


def checked_merges(rows: Sequence[Sequence[Any]]) -> tuple[tuple[str, str], ...]:
    """The rows of two tokens each. Raises `FormatError` where one is not that."""
    result = []
    for row in rows:
        if not isinstance(row, (list, tuple)) or len(row) != 2:
            raise FormatError(f"{one_line(repr(row))} is not a merge of two tokens", REWRITE)
        left, right = (typed(token, str, "a token of a merge") for token in row)
        result.append((left, right))
    return tuple(result)


def numbered(pieces: Sequence[tuple[str, float | None]], numbers: Sequence[int]) -> dict[str, int]:
    """The id of each piece. Raises `FormatError` where two have the same, or one has two."""
    ids: dict[str, int] = {}
    for (piece, _), number in zip(pieces, numbers, strict=True):
        if piece in ids:
            raise FormatError(
                f"the token {one_line(piece)!r} stands twice in the vocabulary, as"
                f" {ids[piece]} and {number}",
                REWRITE,
            )
        ids[piece] = number
    return ids


def contents_of(ids: Mapping[str, int], added: Sequence[AddedToken]) -> dict[int, str]:
    """The token of each id. Raises `FormatError` where an id has two."""
    contents = {number: piece for piece, number in ids.items()}
    for token in added:
        other = contents.setdefault(token.id, token.content)
        if other != token.content or ids.get(token.content, token.id) != token.id:
            raise FormatError(
                f"the added token {one_line(token.content)!r} and the id {token.id} do not belong"
                " together",
                REWRITE,
            )
    return contents


def spellings_of(contents: Mapping[int, str], unknown: int | None) -> dict[int, str]:
    """How lmkit writes the token of each id: without white space, all different."""
    spellings: dict[int, str] = {}
    owners: dict[str, int] = {}
    for number, content in contents.items():
        spelling = UNKNOWN if number == unknown else spelt(content)
        if spelling in owners:
            raise FormatError(
                f"the tokens {owners[spelling]} and {number} would both be written {spelling!r}",
                REWRITE,
            )
        owners[spelling] = number
        spellings[number] = spelling
    return spellings


def spelt(content: str) -> str:
    """``content`` without white space and control characters, and not a mark of lmkit."""
    if content in _MARKS:
        return f"<U+003C>{content[1:]}"
    return "".join(f"<U+{ord(one):04X}>" if _is_hidden(one) else one for one in content)


def length_of(spelling: str) -> int:
    """The code points of what `spelt` wrote so."""
    return len(re.sub("<U\\+[0-9A-F]{4,6}>", " ", spelling))


def _is_hidden(letter: str) -> bool:
    return letter.isspace() or ord(letter) < 0x20 or 0x7F <= ord(letter) < 0xA0


def checked_ids(ids: Sequence[Any] | None, size: int) -> tuple[int, ...] | None:
    """The ids of ``size`` pieces. Raises `FormatError` where they are not one for each."""
    if ids is None:
        return None
    numbers = tuple(typed(number, int, "an id of the vocabulary") for number in ids)
    if len(numbers) != size or len(set(numbers)) != size or min(numbers) < 0:
        raise FormatError("the ids of the vocabulary are not one for each token", REWRITE)
    return numbers

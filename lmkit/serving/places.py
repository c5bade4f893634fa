"""Where the tokens of a text stand in it.

They are counted (`lmkit.evaluate.places`) where a sentence is a line. Else, and if the tokens were
given as ids, each is looked for behind the one before it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from lmkit.batch import EOS, UNK
from lmkit.evaluate.places import TokenTexts, places
from lmkit.evaluate.scoring import token_texts
from lmkit.model import LanguageModel
from lmkit.text.by_line import encode_by_line

_SPACE = re.compile(rb"[\s\0]*")
_WORD = re.compile(rb"[^\s\0]*")
_LINE_END = re.compile("\n")
_ANY_LINE_END = re.compile("\r\n|\r|\n")


def token_ends(model: LanguageModel, text: str, ids: Sequence[int]) -> list[int]:
    """Where each of the tokens ``ids`` of ``text`` ends in it, in characters, ascending. The
    tokens and what lies between them, as white space, together are the text.

    Where tokens cannot be counted, one that stands there in other letters (lower case, composed)
    is taken to be as long as it is written.
    """
    return _counted(model, text, ids) or _looked_for(model, text, ids)


def _counted(model: LanguageModel, text: str, ids: Sequence[int]) -> list[int] | None:
    """The same by counting; None if sentences are not lines, or ``text`` has other tokens."""
    encoder = model.encoder.with_settings(skip_empty_lines=False)
    settings = encoder.settings
    if settings.segment != "line" or settings.special_tokens == "drop":
        return None
    ending = _LINE_END if settings.reading["only_lf"] else _ANY_LINE_END
    lines = ending.split(text)
    batch, tokens = encode_by_line(encoder, lines)
    if batch.ids[: len(ids)].tolist() != list(ids):
        return None
    found = places(TokenTexts(model, settings), lines, batch, tokens)
    behind = np.array([0, *(match.end() for match in ending.finditer(text)), len(text)])
    ends = np.where(batch.ids == EOS, behind[found.line + 1], behind[found.line] + found.last)
    return [int(end) for end in np.maximum.accumulate(ends)[: len(ids)]]


def _looked_for(model: LanguageModel, text: str, ids: Sequence[int]) -> list[int]:
    data = text.encode(errors="surrogateescape")
    ends: list[int] = []
    place = 0
    for token, piece in zip(ids, _pieces(model, text, ids), strict=True):
        place = _end(data, place, token, piece)
        ends.append(place)
    return _in_characters(data, ends)


def _pieces(model: LanguageModel, text: str, ids: Sequence[int]) -> list[bytes]:
    """The text of each token; of an unknown word its spelling, if that can be told."""
    encoder = model.encoder
    spelt: list[str] = []
    if UNK in ids:
        plain = text
        if not encoder.settings.reading["only_lf"]:
            plain = plain.replace("\r\n", "\n").replace("\r", "\n")
        batch = encoder.with_settings(skip_empty_lines=False).encode(plain.split("\n"))
        if batch.ids[: len(ids)].tolist() == list(ids):
            join = encoder.settings.tokenizer.join
            spelt = [join([token]) for token in token_texts(model, batch)[: len(ids)]]
    known = {token: encoder.decode([token]) for token in set(ids) - {UNK, EOS}}
    pieces = [
        known.get(token, (spelt[place] if spelt and token == UNK else ""))
        for place, token in enumerate(ids)
    ]
    return [piece.encode(errors="surrogateescape") for piece in pieces]


def _end(data: bytes, place: int, token: int, piece: bytes) -> int:
    if token == EOS:
        found = data.find(b"\n", place)
        return found + 1 if found >= 0 else place
    if not piece:
        start = _behind_space(data, place)
        return _matched(_WORD, data, start)
    if data.startswith(piece, place):
        return place + len(piece)
    start = _behind_space(data, place)
    bare = piece.strip() or piece
    if data.startswith(bare, start):
        return start + len(bare)
    return min(start + len(bare), len(data))


def _behind_space(data: bytes, place: int) -> int:
    return _matched(_SPACE, data, place)


def _matched(pattern: re.Pattern[bytes], data: bytes, place: int) -> int:
    found = pattern.match(data, place)
    return place if found is None else found.end()


def _in_characters(data: bytes, ends: Sequence[int]) -> list[int]:
    """Ends in bytes of UTF-8 as ends in characters; one within a character is behind it."""
    found = []
    done = characters = 0
    for end in ends:
        # Continuation bytes are 0x80 to 0xBF; stray ones are characters of their own.
        characters += len(data[done:end].decode(errors="surrogateescape")) if end > done else 0
        done = max(done, end)
        while done < len(data) and 0x80 <= data[done] < 0xC0:
            done += 1
        found.append(characters)
    return found

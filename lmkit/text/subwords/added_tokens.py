"""Tokens that a tokenizer file adds to its model: found in the text before all else.

As in the package ``tokenizers``: those that are not ``normalized`` are looked for in the text as
it stands, then each part between is normalized, then the others are looked for there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lmkit.errors import FormatError
from lmkit.text.subwords.normalizers import SPACES, Normalize
from lmkit.text.subwords.parts import REWRITE, Part, typed


@dataclass(frozen=True, slots=True)
class AddedToken:
    """A token that stands for its ``content`` wherever that is found.

    ``single_word``: only where no letter or digit touches it. ``lstrip``, ``rstrip``: white space
    before it, behind it, goes with it. ``normalized``: its normalized form is looked for in
    normalized text. ``special``: a mark that is not text.
    """

    id: int
    content: str
    single_word: bool = False
    lstrip: bool = False
    rstrip: bool = False
    normalized: bool = True
    special: bool = False

    def as_dict(self) -> dict[str, Any]:
        """As ``tokenizer.json`` has it."""
        return asdict(self)

    @classmethod
    def of(cls, part: Part) -> AddedToken:
        """That of an entry of ``added_tokens``. Raises `FormatError` where it is none."""
        flags = ("single_word", "lstrip", "rstrip", "normalized", "special")
        values = typed(part, dict, "an added token")
        try:
            token = cls(
                typed(values["id"], int, "the id of an added token"),
                typed(values["content"], str, "the content of an added token"),
                *(typed(values[flag], bool, f"{flag} of an added token") for flag in flags),
            )
        except KeyError as error:
            raise FormatError(f"an added token of the tokenizer has no {error}", REWRITE) from error
        if set(values) - {"id", "content", *flags}:
            extra = sorted(set(values) - {"id", "content", *flags})
            raise FormatError(
                f"an added token of the tokenizer has {', '.join(map(repr, extra))}", REWRITE
            )
        return token


Part_ = tuple[str, int | None, bool]
"""A part of a text, the id if it is an added token, and whether the text begins with it."""


class AddedTokens:
    """Finds ``tokens`` in texts.

    ``drops_first`` says whether normalization takes the first character of a text away; None is
    for those to whom it does not matter.
    """

    def __init__(
        self,
        tokens: Sequence[AddedToken],
        normalize: Normalize | None,
        drops_first: Callable[[str], bool] | None = None,
    ) -> None:
        self._drops_first = drops_first
        self._normalize = normalize or (lambda text: text)
        tokens = sorted(tokens, key=lambda token: not token.special)  # of two alike, a special one
        raw = [(token.content, token) for token in tokens if not token.normalized]
        formed = [(self.found_as(token), token) for token in tokens if token.normalized]
        self._raw, self._formed = _finder(raw), _finder(formed)

    def found_as(self, token: AddedToken) -> str:
        """The text that ``token`` stands for."""
        return self._normalize(token.content) if token.normalized else token.content

    def parts(self, text: str) -> Iterator[Part_]:
        """``text`` in parts, normalized but for the added tokens."""
        first = True
        for part, id_, _ in _cut(text, self._raw):
            if id_ is not None:
                yield part, id_, first
            else:
                if first and self._drops_first is not None:
                    first = not self._drops_first(part)
                for inner, found, begins in _cut(self._normalize(part), self._formed):
                    yield inner, found, first and begins
            first = False


Finder = Callable[[str], Iterator[tuple[int, int, AddedToken]]]


def _finder(tokens: Sequence[tuple[str, AddedToken]]) -> Finder | None:
    by_text: dict[str, AddedToken] = {}
    for text, token in tokens:
        if text:
            by_text.setdefault(text, token)
    if not by_text:
        return None
    longest_first = sorted(by_text, key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, longest_first)))
    return lambda text: (
        (found.start(), found.end(), by_text[found[0]]) for found in pattern.finditer(text)
    )


def _cut(text: str, find: Finder | None) -> Iterator[Part_]:
    if find is None:
        if text:
            yield text, None, True
        return
    before = 0
    for start, end, token in find(text):
        if token.single_word and (
            _is_word(text[start - 1 : start]) or _is_word(text[end : end + 1])
        ):
            continue
        if token.lstrip:
            start = max(len(text[:start].rstrip(SPACES)), before)
        if token.rstrip:
            end += len(text) - end - len(text[end:].lstrip(SPACES))
        if before < start:
            yield text[before:start], None, before == 0
        if start < end:
            yield text[start:end], token.id, start == 0
        before = end
    if before < len(text):
        yield text[before:], None, before == 0


def _is_word(letter: str) -> bool:
    """Whether ``letter`` is one that words consist of."""
    import regex  # type: ignore[import-untyped, unused-ignore]

    return bool(regex.match(r"[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]", letter))

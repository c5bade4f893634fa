"""Unicode words, numbers and punctuation, by the ``regex`` package.

One token each: words with inner apostrophes and hyphens (don't, re-use), numbers with
inner points and commas (3.14, 1,000), abbreviations of single letters (U.S., e.g.), web
and mail addresses, runs of dots or hyphens (..., --), a Han or Hiragana character (those
scripts have no spaces), the literals <unk>, <s> and </s>, and any other character with
what combines with it. All white space of Unicode, and NUL, only separates. Nothing else
is lost: the tokens of a text are the text without its white space.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, ClassVar

from lmkit.text.tokenizers.base import PieceTokenizer

_PATTERN = r"""
    \n
  | <unk> | </?s>
  | (?: https?:// | ftp:// | www\. ) [^\s\x00<>"]* [^\s\x00<>"'.,;:!?)\]}»”’]
  | \w [\w.+-]{0,63} @ [\p{L}\p{N}] [\p{L}\p{N}-]* (?: \. [\p{L}\p{N}-]+ )+
  | (?: \p{L} \. ){2,}
  | [\p{Han}\p{Hiragana}] \p{M}*
  | W (?: ['’] W | [-‐‑] (?=\p{L}) W | (?<=[\p{L}\p{M}]) [-‐‑] W | (?<=\p{Nd}) [.,] (?=\p{Nd}) W )*
  | \.{2,} | -{2,}
  | [^\s\x00] [\p{M}\u200d\ufe0f]* (?: (?<=\u200d) [^\s\x00] [\p{M}\u200d\ufe0f]* )*
"""
_WORD = r"[[\w\u00ad]--[\p{Han}\p{Hiragana}]]+"


@cache
def _pattern() -> Any:
    import regex  # type: ignore[import-untyped, unused-ignore]

    return regex.compile(_PATTERN.replace("W", _WORD), regex.VERBOSE | regex.VERSION1)


class WordTokenizer(PieceTokenizer):
    """Words and punctuation."""

    name: ClassVar[str] = "word"
    unit: ClassVar[str] = "word"

    def tokenize_lines(self, text: str) -> list[str]:
        return _pattern().findall(text)

    def join(self, tokens: Sequence[str]) -> str:
        from lmkit.text.detokenize import join_words

        return join_words(tokens)

"""Unicode words, numbers and punctuation, by the ``regex`` package.

One token each: words with inner apostrophes and hyphens (don't, re-use), numbers with
inner points and commas (3.14, 1,000), abbreviations of single letters (U.S., e.g.), web
and mail addresses, runs of dots or hyphens (..., --), a Han or Hiragana character (those
scripts have no spaces), the literals <unk>, <s> and </s>, and any other character. All
white space of Unicode, and NUL, only separates. Nothing else is lost: the tokens of a text
are the text without its white space.

A token consists of whole grapheme clusters (UAX 29): what combines with a character, the
parts of an emoji and of a flag are never cut off. Models made before that was so read
text by the rules 1, which cut some of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, ClassVar

from lmkit.text.tokenizers.base import PieceTokenizer

_WORDS = r"""
    (?: https?:// | ftp:// | www\. ) [^\s\x00<>"]* [^\s\x00<>"'.,;:!?)\]}»”’]
  | \w [\w.+-]{0,63} @ [\p{L}\p{N}] [\p{L}\p{N}-]* (?: \. [\p{L}\p{N}-]+ )+
  | (?: \p{L} \. ){2,}
  | W (?: ['’] W | [-‐‑] (?=\p{L}) W | (?<=[\p{L}\p{M}]) [-‐‑] W | (?<=\p{Nd}) [.,] (?=\p{Nd}) W )*
  | \.{2,} | -{2,}
"""
_CLUSTERS = rf"""
    \n
  | (?: <unk> | </?s> ) (?!E)
  | \p{{GCB=Prepend}}*
    (?: [0-9#*] \ufe0f? \u20e3 | {_WORDS} | \p{{RI}}{{2}} | [^\s\x00] )
    E* (?: (?<=\p{{ExtPict}}\p{{GCB=Extend}}*\u200d) \p{{ExtPict}} E* )*
"""
"""E: what goes on with a grapheme cluster. RI: half a flag. ExtPict: what emoji are made of."""
_RULES_1 = rf"""
    \n
  | <unk> | </?s>
  | {_WORDS}
  | [\p{{Han}}\p{{Hiragana}}] \p{{M}}*
  | [^\s\x00] [\p{{M}}\u200d\ufe0f]* (?: (?<=\u200d) [^\s\x00] [\p{{M}}\u200d\ufe0f]* )*
"""
_EXTEND = r"[\p{GCB=Extend}\p{GCB=SpacingMark}\p{M}\u200d]"


@cache
def _pattern(rules: int) -> Any:
    import regex  # type: ignore[import-untyped, unused-ignore]

    alone = r"\p{Han}\p{Hiragana}" + (r"\p{ExtPict}" if rules > 1 else "")
    pattern = _CLUSTERS if rules > 1 else _RULES_1
    pattern = pattern.replace("W", rf"[[\w\u00ad]--[{alone}]]+").replace("E*", f"{_EXTEND}*")
    return regex.compile(pattern.replace("(?!E)", f"(?!{_EXTEND})"), regex.VERBOSE | regex.VERSION1)


class WordTokenizer(PieceTokenizer):
    """Words and punctuation, by the rules of that number (`lmkit.text.settings.RULES`)."""

    name: ClassVar[str] = "word"
    unit: ClassVar[str] = "word"

    def __init__(self, rules: int = 2) -> None:
        self._rules = rules

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, "rules": self._rules}

    def with_rules(self, rules: int) -> WordTokenizer:
        return WordTokenizer(rules)

    def tokenize_lines(self, text: str) -> list[str]:
        return _pattern(self._rules).findall(text)

    def join(self, tokens: Sequence[str]) -> str:
        from lmkit.text.detokenize import join_words

        return join_words(tokens)

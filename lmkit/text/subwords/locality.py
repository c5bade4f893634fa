"""Whether what a tokenizer file describes keeps to words: then a line has the tokens of its words,
one word after the other, and each distinct word has to be cut once only.

A word begins at a space that follows something else, and holds all spaces before it. The claim is
made part by part, and only for parts that are known here to keep it; for any other it is not made.
What a single word does that the next one could feel is looked at when the word comes up
(`lmkit.text.tokenizers.word_bulk`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lmkit.text.subwords.added_tokens import AddedToken, AddedTokens
from lmkit.text.subwords.charsmap import PRINTABLE
from lmkit.text.subwords.normalizers import charsmap_of
from lmkit.text.subwords.parts import Part, steps
from lmkit.text.subwords.words import MARK, crosses

_FORMS = (
    *("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "BertNormalizer", "Prepend"),
)
"""Normalizers to which a space is the beginning of something new."""
_CUTTERS = ("BertPreTokenizer", "Whitespace", "WhitespaceSplit")


def keeps_to_words(
    parts: Mapping[str, Part | None], added: Iterable[AddedToken], finder: AddedTokens
) -> bool:
    """Whether added tokens, normalizer and pre-tokenizer do. The model is not looked at: it must
    do so itself where `cuts_words` says that the pre-tokenizer does not cut between words."""
    return (
        all(map(_normalizes_words, steps(parts["normalizer"], "normalizers")))
        and all(map(_cuts_within_words, steps(parts["pre_tokenizer"], "pretokenizers")))
        and not any(crosses(token.content) or crosses(finder.found_as(token)) for token in added)
    )


def cuts_words(parts: Mapping[str, Part | None]) -> bool:
    """Whether the pre-tokenizer cuts between any two words."""
    return any(
        step["type"] in _CUTTERS
        or (step["type"] == "Metaspace" and step.get("split") is not False)
        or (step["type"] == "ByteLevel" and step.get("use_regex") is not False)
        for step in steps(parts["pre_tokenizer"], "pretokenizers")
    )


def leaves_ascii(parts: Mapping[str, Part | None]) -> bool:
    """Whether normalizer and pre-tokenizer make of a word of printable ASCII, which begins with a
    space, the mark and the rest as it stands, and nothing else."""
    normalizers = list(steps(parts["normalizer"], "normalizers"))
    cutters = list(steps(parts["pre_tokenizer"], "pretokenizers"))
    return (
        all(step["type"] == "Prepend" or _marks_spaces(step) for step in normalizers)
        and all(step["type"] == "Metaspace" for step in cutters)
        and (bool(cutters) or any(map(_marks_spaces, normalizers)))
    )


def _marks_spaces(step: Part) -> bool:
    """Whether all that ``step`` does to printable ASCII inside a line is to mark spaces."""
    if step["type"] == "Replace":
        return step["pattern"].get("String") == " " and step["content"] == MARK
    if step["type"] != "SentencePiece":
        return False
    charsmap = charsmap_of(step.get("precompiled_charsmap"))
    return charsmap is None or not charsmap.has_any_of(PRINTABLE)


def _normalizes_words(step: Part) -> bool:
    kind = step["type"]
    if kind == "Replace":
        return not crosses(step["pattern"].get("String", "a "))
    if kind == "SentencePiece":
        charsmap = charsmap_of(step.get("precompiled_charsmap"))
        return (
            (charsmap is None or not charsmap.has_inside(ord(" ")))
            and not any(" " in symbol for symbol in step.get("symbols", ()))
            and not step.get("treat_whitespace_as_suffix")
        )
    return kind in _FORMS


def _cuts_within_words(step: Part) -> bool:
    if step["type"] == "Metaspace":
        return bool(step["replacement"] == MARK)
    return step["type"] in (*_CUTTERS, "ByteLevel")

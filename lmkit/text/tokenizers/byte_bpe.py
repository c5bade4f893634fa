"""Which imported tokenizers are just byte-level BPE, as lmkit has it itself, and much faster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lmkit.errors import UsageError
from lmkit.text.subwords.added_tokens import AddedToken
from lmkit.text.subwords.alphabet import CHARACTERS, spell, unspell
from lmkit.text.subwords.foreign_patterns import GPT2, GPT4
from lmkit.text.subwords.parts import Part
from lmkit.text.tokenizers.bpe import BpeTokenizer

_NAMES = {GPT2: "gpt2", GPT4: "gpt4"}
_OPTIONS = ("unk_token", "byte_fallback", "continuing_subword_prefix", "end_of_word_suffix")
"""Options of a BPE model that byte-level BPE does without."""


def byte_bpe(
    parts: Mapping[str, Part | None],
    ids: Mapping[str, int],
    merges: Sequence[tuple[str, str]],
    added: Sequence[AddedToken],
) -> BpeTokenizer | None:
    """The `BpeTokenizer` that gives the same tokens on any text as the ``parts`` of a
    ``tokenizer.json``, whose model has these ``ids`` and ``merges``; None if there is none."""
    pattern = _pattern(parts["pre_tokenizer"])
    if pattern is None or not _is_plain(parts, ids, added):
        return None
    try:
        found = BpeTokenizer(merges, pattern, [token.content for token in added])
    except UsageError:
        return None  # merges of what is not made of bytes, or that make a mark of lmkit
    if (parts["model"] or {}).get("ignore_merges") and not _makes_all(found, ids, added):
        return None
    return found


def _is_plain(
    parts: Mapping[str, Part | None], ids: Mapping[str, int], added: Sequence[AddedToken]
) -> bool:
    model = parts["model"] or {}
    return (
        model["type"] == "BPE"
        and not any(model.get(option) for option in _OPTIONS)
        and parts["normalizer"] is None
        and (parts["decoder"] or {}).get("type") == "ByteLevel"
        and set(CHARACTERS) <= ids.keys()
        and len({token.normalized for token in added}) < 2
        and not any(token.lstrip or token.rstrip or token.single_word for token in added)
        and all(spell(token.content.encode()) == token.content for token in added)
    )


def _makes_all(
    tokenizer: BpeTokenizer, ids: Mapping[str, int], added: Sequence[AddedToken]
) -> bool:
    """Whether merges make each token of what it spells: then a piece that is a token needs no
    rule of its own."""
    contents = {token.content for token in added}
    try:
        pieces = [unspell(token) for token in ids if token not in contents]
    except ValueError:
        return False
    return tokenizer.makes(pieces)


def _pattern(part: Any) -> str | None:
    """The pattern of `lmkit.text.subwords.patterns` that cuts as the pre-tokenizer ``part``."""
    steps = [part] if part is None or part["type"] != "Sequence" else part["pretokenizers"]
    last = steps[-1] if steps else None
    if last is None or last["type"] != "ByteLevel" or last["add_prefix_space"] or len(steps) > 2:
        return None
    if len(steps) == 1:
        return "gpt2" if last.get("use_regex", True) else "none"
    cut = steps[0]
    if last.get("use_regex", True) or cut["type"] != "Split":
        return None
    if cut["behavior"] != "Isolated" or cut["invert"] or "Regex" not in cut["pattern"]:
        return None
    pattern = str(cut["pattern"]["Regex"])
    # Ends of lines are other places there, and word characters other ones.
    odd = "^" in pattern.replace("[^", "[") or "$" in pattern or r"\w" in pattern.lower()
    return _NAMES.get(pattern) or (None if odd else pattern)

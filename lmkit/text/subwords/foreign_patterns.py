"""The patterns by which other programs cut text for byte-level BPE, as in ``tokenizer.json``."""

from __future__ import annotations

import re
from typing import Any

GPT2 = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++(?![\s\S])|\s+(?!\S)|\s"
GPT4 = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*+"
    r"|\s++(?![\s\S])|\s*[\r\n]|\s+(?!\S)|\s"
)
_UPPER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
_LOWER = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_ENDING = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
GPT4O = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+{_ENDING}"
    rf"|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*{_ENDING}"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
PATTERNS = {"gpt2": GPT2, "gpt4": GPT4, "gpt4o": GPT4O}
"""The patterns of OpenAI's encodings, as the ``tiktoken`` package has them."""
SIZES = {50256: "gpt2", 50280: "gpt2", 100256: "gpt4", 199998: "gpt4o"}
"""The pattern of each public encoding, by the number of its ranks."""

BYTE_LEVEL = {
    "type": "ByteLevel",
    "add_prefix_space": False,
    "trim_offsets": True,
    "use_regex": True,
}
"""The pre-tokenizer and the decoder of GPT-2."""
LETTERS = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}


def cut_by(pattern: str, whole: bool = False) -> dict[str, Any]:
    """The pre-tokenizer that cuts by a regular expression, then writes bytes as letters.

    What the pattern does not match is left out, as in ``tiktoken``; one that matches everything
    is ``whole``. ``$`` is the end of the text.
    """
    split = {
        "type": "Split",
        "pattern": {"Regex": _for_oniguruma(pattern)},
        "behavior": "Isolated" if whole else "Removed",
        "invert": not whole,
    }
    return {"type": "Sequence", "pretokenizers": [split, LETTERS]}


def _for_oniguruma(pattern: str) -> str:
    """``pattern``, which Rust's ``fancy-regex`` reads, as a ``tokenizer.json`` would have it: ``$``
    is the end of the text, and numbers need no possessive quantifier."""
    pattern = pattern.replace(r"\p{N}{1,3}+", r"\p{N}{1,3}")
    return re.sub(r"(?<!\\)\$", r"(?![\\s\\S])", pattern)

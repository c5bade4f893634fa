"""Which imported tokenizers are just byte-level BPE, as lmkit has it itself and much faster."""

from __future__ import annotations

from typing import Any

from lmkit.errors import UsageError
from lmkit.text.subwords.alphabet import CHARACTERS, spell
from lmkit.text.subwords.formats.tiktoken_ranks import GPT2, GPT4
from lmkit.text.tokenizers.base import Tokenizer
from lmkit.text.tokenizers.bpe import BpeTokenizer
from lmkit.text.tokenizers.imported import ImportedTokenizer

_NAMES = {GPT2: "gpt2", GPT4: "gpt4"}
_OPTIONS = (
    "unk_token",
    "byte_fallback",
    "continuing_subword_prefix",
    "end_of_word_suffix",
)
"""Options of a BPE model that byte-level BPE does without."""


def simplest(tokenizer: ImportedTokenizer) -> Tokenizer:
    """The `BpeTokenizer` that gives the same ids on any text, with them as the order of its
    vocabulary; ``tokenizer`` itself if there is none."""
    pattern = _pattern(tokenizer.parts["pre_tokenizer"])
    tokens = tokenizer.contents
    if pattern is None or not _is_plain(tokenizer) or sorted(tokens) != [*range(len(tokens))]:
        return tokenizer
    spellings = [tokens[number] for number in range(len(tokens))]
    try:
        found = BpeTokenizer(
            tokenizer.merges,
            pattern,
            [token.content for token in tokenizer.added_tokens],
            pieces=[(spelling, None) for spelling in spellings],
            whole_pieces=bool(tokenizer.model_part.get("ignore_merges")),
        )
    except UsageError:
        return tokenizer  # a token that is not made of bytes, or one that lmkit has as a mark
    return found if list(found.vocabulary) == spellings else tokenizer


def _is_plain(tokenizer: ImportedTokenizer) -> bool:
    added = tokenizer.added_tokens
    return (
        tokenizer.model_part["type"] == "BPE"
        and not any(tokenizer.model_part.get(option) for option in _OPTIONS)
        and tokenizer.parts["normalizer"] is None
        and (tokenizer.parts["decoder"] or {}).get("type") == "ByteLevel"
        and set(CHARACTERS) <= tokenizer.model_ids.keys()
        and len({token.normalized for token in added}) < 2
        and not any(token.lstrip or token.rstrip or token.single_word for token in added)
        and all(spell(token.content.encode()) == token.content for token in added)
    )


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
    # A text is a line here: what asks for its beginning or end asks for another place there.
    return _NAMES.get(pattern) or (None if set(pattern) & {"^", "$", "#"} else pattern)

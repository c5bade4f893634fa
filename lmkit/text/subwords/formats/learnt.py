"""What lmkit has learnt itself (``bpe`` and ``unigram``), as the values of a ``tokenizer.json``.

The package ``tokenizers`` then gives the same tokens. There are two exceptions, both of unigram:
a ``▁`` in the text is a space there, and a text ``<0x41>`` may be taken for the byte.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lmkit.errors import UnsupportedError
from lmkit.text.subwords.alphabet import spell
from lmkit.text.subwords.foreign_patterns import BYTE_LEVEL, GPT4, LETTERS
from lmkit.text.subwords.patterns import NAMED
from lmkit.text.tokenizers.base import Tokenizer

_LOWEST = -1e6
"""The score of byte tokens: any other piece is better."""
_PATTERNS = {"gpt4": GPT4}


def as_tokenizer_json(tokenizer: Tokenizer) -> dict[str, Any]:
    """The values of the ``tokenizer.json`` of ``tokenizer``.

    Raises `UnsupportedError` for one that is not of subwords.
    """
    values = tokenizer.as_dict()
    if tokenizer.name == "bpe":
        return _bpe(values, tokenizer.vocabulary or ())
    if tokenizer.name == "unigram":
        return _unigram(values)
    raise UnsupportedError(
        f"the tokenizer {tokenizer} has no file in other programs", "one of subwords, such as bpe"
    )


def _bpe(values: Mapping[str, Any], vocabulary: Sequence[str]) -> dict[str, Any]:
    special = {spell(token.encode()): token for token in values["special_tokens"]}
    ids = {special.get(token, token): number for number, token in enumerate(vocabulary)}
    pattern = values["pattern"]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [_special(ids[token], token) for token in special.values()],
        "normalizer": None,
        "pre_tokenizer": BYTE_LEVEL if pattern == "gpt2" else _cut(pattern, LETTERS),
        "post_processor": None,
        "decoder": BYTE_LEVEL,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": bool(values.get("whole_pieces")),
            "vocab": ids,
            "merges": [list(pair) for pair in values["merges"]],
        },
    }


def _special(number: int, content: str) -> dict[str, Any]:
    return {
        "id": number,
        "content": content,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": True,
    }


def _cut(pattern: str, then: Mapping[str, Any]) -> dict[str, Any]:
    """Cut by ``pattern``, then do what ``then`` says."""
    if pattern == "none":
        return dict(then)
    regex = _PATTERNS.get(pattern, pattern)
    split = {
        "type": "Split",
        "pattern": {"Regex": regex},
        "behavior": "Isolated",
        "invert": False,
    }
    return {"type": "Sequence", "pretokenizers": [split, dict(then)]}


def _unigram(values: Mapping[str, Any]) -> dict[str, Any]:
    special = values["special_tokens"]
    rows = values["pieces"][: len(values["pieces"]) - len(special)]
    # Added tokens are looked for in the text as it is, and their pieces must be the same.
    rows += [
        [text, log_prob]
        for text, (_, log_prob) in zip(special, values["pieces"][len(rows) :], strict=True)
    ]
    pieces = [
        [piece, _LOWEST if number < 256 else log_prob]
        for number, (piece, log_prob) in enumerate(rows)
    ]
    ids = {piece: number for number, (piece, _) in enumerate(pieces)}
    pattern = NAMED["gpt2"] if values["pattern"] == "gpt2" else values["pattern"]
    marks = {
        "type": "Metaspace",
        "replacement": "▁",
        "prepend_scheme": "never",
        "split": False,
    }
    steps = [
        {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
    ]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [_special(ids[token], token) for token in special],
        "normalizer": None,
        "pre_tokenizer": _cut(pattern, marks),
        "post_processor": None,
        "decoder": {"type": "Sequence", "decoders": steps},
        # There has to be an unknown piece. Bytes always stand in for it, and no text is it: spaces
        # are marks by then.
        "model": {
            "type": "Unigram",
            "unk_id": len(pieces),
            "vocab": [*pieces, ["<unk> ", _LOWEST]],
            "byte_fallback": True,
        },
    }

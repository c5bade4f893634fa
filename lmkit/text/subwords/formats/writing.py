"""Tokenizers as files for other programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lmkit.errors import UnsupportedError, UsageError
from lmkit.files.atomic import open_target
from lmkit.text.subwords.alphabet import unspell
from lmkit.text.subwords.foreign_patterns import BYTE_LEVEL
from lmkit.text.subwords.formats import gpt2_files, hugging_face, tiktoken_ranks
from lmkit.text.subwords.formats.learnt import as_tokenizer_json
from lmkit.text.tokenizers.base import Tokenizer
from lmkit.text.tokenizers.imported import ImportedTokenizer

_BYTES_ONLY = "tokenizer.json, which any tokenizer of subwords can be written as"


def write(tokenizer: Tokenizer, path: str | Path, kind: str = "tokenizer.json") -> list[Path]:
    """Write ``tokenizer`` for other programs; the paths that were written.

    ``kind`` is one of `KINDS`: Hugging Face's ``tokenizer.json``; ``gpt2``, the two files
    ``vocab.json`` and ``merges.txt`` in the folder ``path``; ``tiktoken``, ranks of bytes;
    ``vocab.txt``, for WordPiece.

    Raises `UsageError` for a kind that there is not, or where nothing can be written;
    `UnsupportedError` for a tokenizer that files of that kind cannot hold.
    """
    if kind not in KINDS:
        raise UsageError(f"{kind!r} is no kind of tokenizer file", f"one of {', '.join(KINDS)}")
    path = Path(path)
    texts = KINDS[kind](_values(tokenizer))
    if texts.keys() == {""}:
        targets = {path: texts[""]}
    else:
        path.mkdir(parents=True, exist_ok=True)
        targets = {path / name: text for name, text in texts.items()}
    for target, text in targets.items():
        with open_target(target) as file:
            file.write(text.encode())
    return list(targets)


def _values(tokenizer: Tokenizer) -> dict[str, Any]:
    """``tokenizer`` as the values of a ``tokenizer.json``."""
    if isinstance(tokenizer, ImportedTokenizer):
        return hugging_face.as_json(tokenizer)
    return as_tokenizer_json(tokenizer)


def _tokenizer_json(values: Mapping[str, Any]) -> dict[str, str]:
    return {"": json.dumps(values, ensure_ascii=False, indent=1) + "\n"}


def _gpt2(values: Mapping[str, Any]) -> dict[str, str]:
    model = values["model"]
    if (
        model["type"] != "BPE"
        or values["pre_tokenizer"] != BYTE_LEVEL
        or (model["ignore_merges"] or values["normalizer"] is not None)
    ):
        raise UnsupportedError(
            "GPT-2's two files hold BPE over bytes with GPT-2's pattern, and nothing else",
            _BYTES_ONLY,
        )
    ids = {**model["vocab"], **{one["content"]: one["id"] for one in values["added_tokens"]}}
    ordered = dict(sorted(ids.items(), key=lambda item: item[1]))
    return {
        "vocab.json": json.dumps(ordered, ensure_ascii=False) + "\n",
        "merges.txt": gpt2_files.as_text(model["merges"]),
    }


def _tiktoken(values: Mapping[str, Any]) -> dict[str, str]:
    model = values["model"]
    if model["type"] != "BPE" or values["normalizer"] is not None or model["byte_fallback"]:
        raise UnsupportedError("ranks are for BPE over bytes, and this is not that", _BYTES_ONLY)
    special = {one["content"] for one in values["added_tokens"]}
    ranks: dict[bytes, int] = {}
    for token, rank in model["vocab"].items():
        if token not in special:
            try:
                ranks[unspell(token)] = rank
            except ValueError as error:
                raise UnsupportedError(
                    f"the token {token!r} is not made of bytes, of which ranks are", _BYTES_ONLY
                ) from error
    text = tiktoken_ranks.as_text(ranks)
    tiktoken_ranks.require_same(text, model["merges"])
    return {"": text}


def _vocab_txt(values: Mapping[str, Any]) -> dict[str, str]:
    model = values["model"]
    if model["type"] != "WordPiece" or sorted(model["vocab"].values()) != list(
        range(len(model["vocab"]))
    ):
        raise UnsupportedError("a vocab.txt is for WordPiece, and this is not that", _BYTES_ONLY)
    ordered = sorted(model["vocab"], key=model["vocab"].__getitem__)
    return {"": "".join(f"{token}\n" for token in ordered)}


KINDS: dict[str, Callable[[Mapping[str, Any]], dict[str, str]]] = {
    "tokenizer.json": _tokenizer_json,
    "gpt2": _gpt2,
    "tiktoken": _tiktoken,
    "vocab.txt": _vocab_txt,
}
"""The kinds of files that `write` writes."""

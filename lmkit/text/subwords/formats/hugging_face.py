"""Hugging Face's ``tokenizer.json``: BPE, Unigram and WordPiece, with the parts around them.

Its post-processor adds marks such as ``[CLS]`` around a text, and padding and truncation fit
texts into batches: lmkit has its own marks and takes no notice of these three. All else that a
file says is obeyed, or is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lmkit.errors import FormatError, UnsupportedError, one_line
from lmkit.text.subwords.added_tokens import AddedToken
from lmkit.text.subwords.parts import REWRITE, kind_of, typed
from lmkit.text.subwords.rows import checked_pieces
from lmkit.text.tokenizers.imported import ImportedTokenizer

_KEYS = {
    "version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer",
    "post_processor", "decoder", "model",
}  # fmt: skip
_MODELS = {"BPE", "Unigram", "WordPiece"}


def from_json(values: Any) -> ImportedTokenizer:
    """The tokenizer of a parsed ``tokenizer.json``.

    Raises `UnsupportedError`, which names the part, for what lmkit does not have; `FormatError`
    for damage.
    """
    values = typed(values, dict, "a tokenizer.json")
    if unknown := sorted(set(values) - _KEYS):
        raise UnsupportedError(
            f"the key {one_line(unknown[0])!r} of a tokenizer.json is not supported", REWRITE
        )
    if values.get("version", "1.0") != "1.0":
        raise UnsupportedError(
            f"a tokenizer.json of version {one_line(values['version'])} is not supported",
            "one of version 1.0",
        )
    model = dict(typed(values.get("model"), dict, "the model of a tokenizer.json"))
    model.setdefault("type", _kind(model))
    kind = kind_of(model, "model", dict.fromkeys(sorted(_MODELS)))
    vocabulary = model.pop("vocab", None)
    added = typed(values.get("added_tokens") or [], list, "added_tokens")
    merges: list[Any] = []
    ids: list[int] | None = None
    if kind == "Unigram":
        rows = typed(vocabulary, list, "the vocabulary of a Unigram model")
        pieces = [list(row) for row in checked_pieces(rows)]
    else:
        pieces, ids = vocabulary_of(vocabulary, added)
    if kind == "BPE":
        if model.pop("dropout", None):
            raise UnsupportedError(
                "the dropout of the BPE model in a tokenizer.json is not supported",
                'the file with "dropout": null',
            )
        merges = [_pair(row) for row in typed(model.pop("merges", None), list, "merges")]
    _require_their_ids(pieces, ids, added)
    # What is as it would be anyway is not written down: so two files of one tokenizer are equal.
    defaults = _DEFAULTS[kind]
    model = {key: one for key, one in model.items() if key not in defaults or one != defaults[key]}
    return ImportedTokenizer(
        model,
        pieces,
        merges,
        normalizer=values.get("normalizer"),
        pre_tokenizer=values.get("pre_tokenizer"),
        decoder=values.get("decoder"),
        added_tokens=added,
        ids=ids,
    )


def _kind(model: Mapping[str, Any]) -> str:
    """The type of a model that does not say it, as old files did."""
    if "merges" in model:
        return "BPE"
    if isinstance(model.get("vocab"), list):
        return "Unigram"
    return "WordPiece" if "continuing_subword_prefix" in model else "unnamed"


def _require_their_ids(pieces: list[list[Any]], ids: list[int] | None, added: list[Any]) -> None:
    """Raises `FormatError` where the package would give an added token another id than the file
    has: it numbers those that the model does not have from the size of the vocabulary on."""
    numbers = ids or range(len(pieces))
    known = {row[0]: number for row, number in zip(pieces, numbers, strict=True) if row}
    following = len(pieces)
    for token in map(AddedToken.of, added):
        number = known.setdefault(token.content, following)
        if number != token.id:
            raise FormatError(
                f"the added token {one_line(token.content)!r} has the id {token.id} in the file,"
                f" and the package tokenizers would give it {number}",
                "a tokenizer.json that the package has written",
            )
        following = max(following, number + 1)


def _pair(row: Any) -> list[str]:
    """A merge: two tokens, or both with a space between as older files have them."""
    if isinstance(row, str) and row.count(" ") == 1:
        return row.split(" ")
    if isinstance(row, list) and len(row) == 2:
        return row
    raise FormatError(f"{one_line(repr(row))} is not a merge of two tokens", REWRITE)


def vocabulary_of(
    vocabulary: Any,
    added: list[Any] = [],  # noqa: B006
) -> tuple[list[list[Any]], list[int] | None]:
    """The rows of an object from tokens to ids, and their ids if those are not 0, 1, 2 and so on.

    Raises `FormatError` where an id stands twice, or is missing among those below the largest:
    neither a token nor one that is ``added`` has it.
    """
    vocabulary = typed(vocabulary, dict, "the vocabulary")
    tokens: dict[int, str] = {}
    for token, number in vocabulary.items():
        typed(number, int, f"the id of the token {one_line(token)!r}")
        if number in tokens:
            raise FormatError(
                f"the tokens {one_line(tokens[number])!r} and {one_line(token)!r} both have the id"
                f" {number}",
                REWRITE,
            )
        tokens[number] = token
    numbers = sorted(tokens)
    there = tokens.keys() | {AddedToken.of(one).id for one in added}
    if numbers and (numbers[0] < 0 or len(there) <= numbers[-1]):
        missing = next((k for k in range(len(there) + 1) if k not in there), -1)
        if numbers[0] < 0 or missing < numbers[-1]:
            raise FormatError(
                f"the vocabulary has no token with the id {missing}"
                if numbers[0] >= 0
                else f"the vocabulary has the id {numbers[0]}",
                REWRITE,
            )
    rows = [[tokens[number], None] for number in numbers]
    return rows, None if numbers == list(range(len(numbers))) else numbers


_BPE = {
    "dropout": None,
    "unk_token": None,
    "continuing_subword_prefix": None,
    "end_of_word_suffix": None,
    "fuse_unk": False,
    "byte_fallback": False,
    "ignore_merges": False,
}
_UNIGRAM = {"unk_id": None, "byte_fallback": False}
_WORD_PIECE = {"continuing_subword_prefix": "##", "max_input_chars_per_word": 100}

_DEFAULTS: dict[str, dict[str, Any]] = {"BPE": _BPE, "Unigram": _UNIGRAM, "WordPiece": _WORD_PIECE}


def as_json(tokenizer: ImportedTokenizer) -> dict[str, Any]:
    """The values of the ``tokenizer.json`` of ``tokenizer``.

    Raises `UnsupportedError` for one of a sentencepiece model, whose ways the package
    ``tokenizers`` does not have.
    """
    parts, rows = tokenizer.parts, tokenizer.rows
    model = dict(parts["model"] or {})
    if model["type"] not in _MODELS:
        raise UnsupportedError(
            "there is no tokenizer.json that gives the same tokens as this"
            f" {'file of ranks' if model['type'] == 'RankBPE' else 'sentencepiece model'}",
            "the file itself, which can be read",
        )
    if model["type"] == "Unigram":
        model = {**_UNIGRAM, **model, "vocab": [list(row) for row in rows]}
    else:
        model = {**_DEFAULTS[model["type"]], **model, "vocab": dict(tokenizer.model_ids)}
        if model["type"] == "BPE":
            model["merges"] = [list(row) for row in tokenizer.merges]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [token.as_dict() for token in tokenizer.added_tokens],
        "normalizer": parts["normalizer"],
        "pre_tokenizer": parts["pre_tokenizer"],
        "post_processor": None,
        "decoder": parts["decoder"],
        "model": model,
    }

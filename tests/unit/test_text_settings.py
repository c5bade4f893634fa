"""Text settings: defaults of each tokenizer, JSON and back, names that do not exist."""

from __future__ import annotations

import json

import pytest

from lmkit.errors import UsageError
from lmkit.text.settings import TextSettings


@pytest.mark.parametrize(
    ("tokenizer", "form"),
    [("word", "nfc"), ("char", "nfc"), ("whitespace", "none"), ("byte", "none")],
)
def test_each_tokenizer_has_its_normalization(tokenizer: str, form: str) -> None:
    assert TextSettings(tokenizer=tokenizer).normalize == form
    assert TextSettings(tokenizer=tokenizer, normalize="nfkc").normalize == "nfkc"


def test_json_and_back() -> None:
    settings = TextSettings("char", True, None, "paragraph", True, "word")
    stored = json.loads(json.dumps(settings.as_dict()))
    assert stored == {
        "tokenizer": "char",
        "lowercase": True,
        "normalize": "nfc",
        "segment": "paragraph",
        "skip_empty_lines": True,
        "special_tokens": "word",
        "rules": 2,
    }
    assert TextSettings.from_dict(stored) == settings


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"tokenizer": "moses"}, "no tokenizer named 'moses'"),
        ({"normalize": "NFD"}, "normalize cannot be 'NFD'"),
        ({"segment": "page"}, "segment cannot be 'page'"),
        ({"special_tokens": "keep"}, "special-tokens cannot be 'keep'"),
        ({"lowercase": "de"}, "lowercase cannot be 'de'"),
        ({"rules": 3}, "rules cannot be 3"),
    ],
)
def test_unknown_names(values: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        TextSettings(**values)  # type: ignore[arg-type]


def test_settings_of_a_newer_version() -> None:
    with pytest.raises(UsageError, match="unknown text settings: merges"):
        TextSettings.from_dict({"tokenizer": "word", "merges": 3})

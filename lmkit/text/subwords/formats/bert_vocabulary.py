"""BERT's ``vocab.txt``: a token a line, the first with the id 0."""

from __future__ import annotations

from lmkit.errors import FormatError
from lmkit.text.subwords.parts import REWRITE
from lmkit.text.tokenizers.wordpiece import WordPieceTokenizer


def from_text(text: str, lowercase: bool | None = None) -> WordPieceTokenizer:
    """The tokenizer of the lines of a ``vocab.txt``.

    The file does not say whether text is put into lower case first. ``lowercase`` does; None
    means: if no token has a capital, marks such as ``[CLS]`` aside. Raises `FormatError` where a
    token is empty, stands twice, or ``[UNK]`` is missing.
    """
    tokens = [line.rstrip() for line in text.split("\n")]
    while tokens and not tokens[-1]:
        tokens.pop()
    if "" in tokens:
        raise FormatError(f"line {tokens.index('') + 1} of the vocabulary is empty", REWRITE)
    return WordPieceTokenizer([[token, None] for token in tokens], lowercase=lowercase)

"""WordPiece with a vocabulary file, as BERT has it (Devlin et al. 2019).

Text is cleaned, Chinese characters stand by themselves, and, if asked for, accents and capitals go.
Words are cut at white space and around punctuation, and each becomes the longest pieces of the
vocabulary; a piece that does not begin a word is written ``##piece``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

from lmkit.text.lexicon import LINE_END, Lexicon
from lmkit.text.normalization import Normalizer
from lmkit.text.subwords.parts import REQUIRED, options_of, written_down
from lmkit.text.subwords.rows import checked_pieces
from lmkit.text.tokenizers.base import Bulk, PieceBulk, PieceTokenizer
from lmkit.text.tokenizers.imported import ImportedTokenizer

MARKS = ("[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]")
"""Tokens of BERT that are not text. Where one stands in a text, it is that token."""


class WordPieceTokenizer(ImportedTokenizer, PieceTokenizer):
    """``pieces`` are the rows ``[token, None]`` of the vocabulary by their ids.

    ``lowercase`` also takes accents away; None means: if no token but a mark has a capital.
    Raises `FormatError` where ``[UNK]`` is missing or a token comes twice.
    """

    name: ClassVar[str] = "wordpiece"
    tables: ClassVar[tuple[str, ...]] = ("pieces",)

    def __init__(self, pieces: Sequence[Sequence[Any]], *, lowercase: bool | None = None) -> None:
        tokens = [token for token, _ in checked_pieces(pieces)]
        if lowercase is None:
            lowercase = all(token == token.lower() for token in tokens if token not in MARKS)
        self.lowercase = lowercase
        super().__init__(
            {"type": "WordPiece", "unk_token": "[UNK]"},
            pieces,
            normalizer={
                "type": "BertNormalizer",
                "clean_text": True,
                "handle_chinese_chars": True,
                "strip_accents": None,
                "lowercase": lowercase,
            },
            pre_tokenizer={"type": "BertPreTokenizer"},
            decoder={"type": "WordPiece", "prefix": "##", "cleanup": True},
            added_tokens=[
                {
                    "id": tokens.index(mark),
                    "content": mark,
                    "single_word": False,
                    "lstrip": False,
                    "rstrip": False,
                    "normalized": False,
                    "special": True,
                }
                for mark in MARKS
                if mark in tokens
            ],
        )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        part = {"type": cls.name, **{key: values[key] for key in values if key != "name"}}
        with written_down():
            options = options_of(
                part, "tokenizer", pieces=((list, tuple), REQUIRED), lowercase=((bool, None), None)
            )
            return cls(options["pieces"], lowercase=options["lowercase"])

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "lowercase": self.lowercase,
            "pieces": [list(row) for row in self.rows],
        }

    def tokenize_lines(self, text: str) -> list[str]:
        tokens: list[str] = []
        for line in text.split("\n")[:-1]:
            tokens += self.tokenize(line)
            tokens.append(LINE_END)
        return tokens

    def tokenize(self, text: str) -> list[str]:
        return ImportedTokenizer.tokenize(self, text)

    def bulk(self, normalize: Normalizer | None, lexicon: Lexicon) -> Bulk:
        pieces = PieceBulk(self, normalize, lexicon)
        # BERT takes NUL away, where others read a space.
        return lambda text: pieces(text.replace(b"\0", b""))

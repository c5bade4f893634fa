"""A tokenizer that another program made: normalizer, pre-tokenizer, model and decoder, as its file
describes them (`lmkit.text.subwords.formats`).

Its tokens are those of the file, by their ids there. White space and control characters in a token
are written ``<U+000A>``, and so is the ``<`` of one that would be a mark of lmkit (``<s>``). The
file's unknown token is ``<unk>``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import TextError
from lmkit.text.lexicon import Lexicon
from lmkit.text.normalization import Normalizer
from lmkit.text.subwords.added_tokens import AddedToken, AddedTokens, Part_
from lmkit.text.subwords.alphabet import CHARACTERS
from lmkit.text.subwords.decoders import as_bytes, byte_of, make_decoder
from lmkit.text.subwords.models import Tables, make_model
from lmkit.text.subwords.normalizers import drops_first, make_normalizer
from lmkit.text.subwords.parts import REQUIRED, Part, options_of, steps, typed, written_down
from lmkit.text.subwords.pre_tokenizers import Piece, make_pre_tokenizer
from lmkit.text.subwords.rows import (
    UNKNOWN,
    checked_ids,
    checked_merges,
    checked_pieces,
    contents_of,
    length_of,
    numbered,
    spellings_of,
    spelt,
)
from lmkit.text.tokenizers.base import Bulk, Tokenizer
from lmkit.text.tokenizers.bpe import BpeTokenizer
from lmkit.text.tokenizers.byte_bpe import byte_bpe
from lmkit.text.tokenizers.word_bulk import WordBulk

SPACED = (None, "WordPiece", "BPEDecoder")
"""Decoders that put spaces between tokens, or none at all."""
_MOST_CACHED = 1 << 18
_LONGEST_CACHED = 256


class ImportedTokenizer(Tokenizer):
    """What a tokenizer file describes.

    ``pieces`` are the rows ``[token, score]`` of its model by their ids (score None where it has
    none), ``merges`` the rows ``[left, right]``, best first. ``ids`` are the ids of the pieces,
    None where they are 0, 1, 2 and so on. The other parts are as in ``tokenizer.json``.

    Raises `UnsupportedError` for a part that lmkit does not have, `FormatError` for damage.
    """

    name: ClassVar[str] = "imported"
    unit: ClassVar[str] = "subword"
    default_normalize: ClassVar[str] = "none"
    tables: ClassVar[tuple[str, ...]] = ("pieces", "merges")

    def __init__(
        self,
        model: Part,
        pieces: Sequence[Sequence[Any]],
        merges: Sequence[Sequence[str]] = (),
        *,
        normalizer: Part | None = None,
        pre_tokenizer: Part | None = None,
        decoder: Part | None = None,
        added_tokens: Sequence[Part] = (),
        ids: Sequence[int] | None = None,
    ) -> None:
        self.model_part = model
        self.parts = {
            "model": model,
            "normalizer": normalizer,
            "pre_tokenizer": pre_tokenizer,
            "decoder": decoder,
        }
        self.added_tokens = tuple(
            map(AddedToken.of, typed(added_tokens, (list, tuple), "added_tokens"))
        )
        self.rows = checked_pieces(pieces)
        self.merges = checked_merges(merges)
        self._listed_ids = checked_ids(ids, len(self.rows))
        numbers = self._listed_ids or range(len(self.rows))
        tables = Tables(self.rows, numbered(self.rows, numbers), self.merges)
        self.model_ids = tables.ids
        self.contents = contents_of(tables.ids, self.added_tokens)
        self._model = make_model(model, tables)
        normalize = make_normalizer(normalizer)
        self.encoder = self._model.encoder
        self._cut = make_pre_tokenizer(pre_tokenizer)
        asked = any(step.get("prepend_scheme") == "first" for step in self._cutting())
        drops = partial(drops_first, normalizer) if asked else None
        self.finder = AddedTokens(self.added_tokens, normalize, drops)
        self._decode = make_decoder(decoder)
        self._spellings = spellings_of(self.contents, self._model.unknown)
        self._cache: dict[str, list[int]] = {}
        vars(self).update(self._facts())

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        part = {"type": cls.name, **{key: values[key] for key in values if key != "name"}}
        with written_down():
            options = options_of(
                part,
                "tokenizer",
                model=(dict, REQUIRED),
                pieces=((list, tuple), REQUIRED),
                merges=((list, tuple), ()),
                normalizer=((dict, None), None),
                pre_tokenizer=((dict, None), None),
                decoder=((dict, None), None),
                added_tokens=((list, tuple), ()),
                ids=((list, tuple, None), None),
            )
            rows = options.pop("model"), options.pop("pieces"), options.pop("merges")
            return cls(*rows, **options)

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            **{key: part for key, part in self.parts.items() if part is not None},
            "added_tokens": [token.as_dict() for token in self.added_tokens],
            **({} if self._listed_ids is None else {"ids": list(self._listed_ids)}),
            "pieces": [list(row) for row in self.rows],
            "merges": [list(row) for row in self.merges],
        }

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).from_dict, (self.as_dict(),)

    @cached_property
    def _order(self) -> list[int]:
        """The ids of the file that the tokens of `vocabulary` have."""
        return [id_ for id_ in sorted(self.contents) if id_ != self._model.unknown]

    @cached_property
    def vocabulary(self) -> tuple[str, ...]:
        """All tokens but the unknown one, by their ids in the file."""
        return tuple(self._spellings[id_] for id_ in self._order)

    @property
    def own_ids(self) -> Sequence[int]:
        return self._order

    @property
    def unknown_id(self) -> int | None:
        return self._model.unknown

    def bytes_of(self, token: str) -> bytes:
        content = self._contents_of_tokens.get(token, token)
        if self._style[0] == "ByteLevel" and content not in self._added_contents:
            return as_bytes(content)
        return super().bytes_of(token)

    @cached_property
    def _added_contents(self) -> frozenset[str]:
        return frozenset(one.content for one in self.added_tokens)

    @cached_property
    def _quick(self) -> BpeTokenizer | None:
        """What gives the same tokens faster, if there is that."""
        found = byte_bpe(self.parts, self.model_ids, self.merges, self.added_tokens)
        return found if found and {*found.vocabulary} <= {*self.vocabulary} else None

    def simplest(self) -> Tokenizer:
        """The tokenizer that lmkit has itself with the same tokens by the same ids, if there is
        one; else this one."""
        found = self._quick
        in_order = self.contents.keys() == set(range(len(self.contents)))
        return found if found and in_order and found.vocabulary == self.vocabulary else self

    def bulk(self, normalize: Normalizer | None, lexicon: Lexicon) -> Bulk:
        if self._quick:
            return self._quick.bulk(normalize, lexicon)
        words = WordBulk.of(self, normalize, lexicon)
        return super().bulk(normalize, lexicon) if words is None else words

    def ids_of(self, text: str) -> list[int]:
        """The file's own ids of the tokens of ``text``, which may have line ends.

        Raises `TextError` where ``text`` holds half of a surrogate pair, or what there is no
        token for, not even an unknown one.
        """
        return [id_ for _, ids in self._encoded(text) for id_ in ids]

    def text_of(self, ids: Sequence[int]) -> str:
        """The text of tokens by the file's own ids. Raises `KeyError` for one that it has not."""
        return self._text([self._shown[id_] for id_ in ids])

    @cached_property
    def _shown(self) -> dict[int, str]:
        """What the decoder is given for each id: of an added token, its normalized form."""
        added = {one.id: self.finder.found_as(one) for one in self.added_tokens}
        return {**self.contents, **added}

    def _text(self, contents: list[str]) -> str:
        return " ".join(contents) if self._decode is None else "".join(self._decode(contents))

    def _encoded(self, text: str) -> Iterator[tuple[str | None, list[int]]]:
        """The pieces of ``text`` with their ids; an added token is a piece None."""
        try:
            text.encode()
        except UnicodeEncodeError as error:
            half = ascii(text[error.start])
            raise TextError(
                f"the tokenizer reads Unicode text, and this one holds a lone surrogate, {half}",
                "text in UTF-8",
            ) from error
        cache = self._cache
        for part, added, first in self.finder.parts(text):
            if added is not None:
                yield None, [added]
                continue
            for piece in self.pieces_of((part, added, first)):
                ids = cache.get(piece)
                if ids is None:
                    ids = self.encoder.encode(piece)
                    if len(piece) <= _LONGEST_CACHED:
                        if len(cache) >= _MOST_CACHED:
                            cache.clear()
                        cache[piece] = ids
                yield piece, ids

    def tokenize(self, text: str) -> list[str]:
        """The tokens of one line. What is unknown is written as it stands in the text, and is a
        token that `vocabulary` does not have."""
        tokens: list[str] = []
        for piece, ids in self._encoded(text):
            tokens += self.spelt(piece, ids)
        return tokens

    def spelt(self, piece: str | None, ids: list[int]) -> list[str]:
        """The tokens of ``piece``, of which the model makes these ``ids``; None is an added
        token."""
        unknown = self._model.unknown
        tokens = list(map(self._spellings.__getitem__, ids))
        if piece is None or unknown not in ids:
            return tokens
        texts = iter(self._unknown_tokens(piece, ids.count(unknown)))
        return [next(texts) if token == UNKNOWN else token for token in tokens]

    def pieces_of(self, part: Part_) -> list[str]:
        """What the pre-tokenizer makes of a ``part`` that is no added token."""
        text, _, first = part
        pieces = [Piece(text, first)]
        return [piece.text for piece in (pieces if self._cut is None else self._cut(pieces))]

    def _unknown_tokens(self, piece: str, number: int) -> list[str]:
        texts = self.encoder.unknown_texts(piece)
        if len(texts) != number:  # a merge took one in, or it was itself a known token
            return [UNKNOWN] * number
        known = self._contents_of_tokens
        return [UNKNOWN if (token := spelt(text)) in known else token for text in texts]

    @cached_property
    def _contents_of_tokens(self) -> dict[str, str]:
        return {spelling: self._shown[id_] for id_, spelling in self._spellings.items()}

    def join(self, tokens: Sequence[str]) -> str:
        """The text that the file's decoder makes of ``tokens``."""
        contents = self._contents_of_tokens
        unknown = contents.get(UNKNOWN, UNKNOWN)
        return self._text([contents.get(token, unknown) for token in tokens])

    def widths(self, tokens: Sequence[str]) -> NDArray[np.int32]:
        known = self._widths
        spaced = self._style[0] in SPACED
        return np.fromiter(
            (
                width if (width := known.get(token)) is not None else length_of(token) + spaced
                for token in tokens
            ),
            np.int32,
            len(tokens),
        )

    @cached_property
    def _widths(self) -> dict[str, int]:
        """The code points of the text that begin in each token, by what the decoder does to it."""
        added = {token.id for token in self.added_tokens}
        return {
            spelling: len(content) if id_ in added else max(0, self._width(content))
            for id_, spelling in self._spellings.items()
            for content in [self.contents[id_]]
        }

    def _width(self, content: str) -> int:
        style, mark = self._style
        if style == "ByteLevel":
            return sum(byte & 0xC0 != 0x80 for byte in as_bytes(content))
        if style == "WordPiece":
            return len(content) - len(mark) if content.startswith(mark) else len(content) + 1
        if style == "BPEDecoder":
            return len(content) - (len(mark) - 1 if content.endswith(mark) else 0)
        if style is None:
            return len(content) + 1
        if self._has_bytes and (byte := byte_of(content)) is not None:
            return int(byte & 0xC0 != 0x80)
        return len(content)

    @cached_property
    def _style(self) -> tuple[str | None, str]:
        """The decoder that says where spaces are, and the mark that it goes by."""
        found = {str(step["type"]): step for step in steps(self.parts["decoder"], "decoders")}
        for kind, key in (("ByteLevel", ""), ("WordPiece", "prefix"), ("BPEDecoder", "suffix")):
            if kind in found:
                return kind, str(found[kind].get(key, ""))
        return ("other", "") if found else (None, "")

    @property
    def _has_bytes(self) -> bool:
        return bool(self.parts["model"] and self.parts["model"].get("byte_fallback"))

    def _cutting(self) -> Iterator[Part]:
        """The steps of the pre-tokenizer."""
        return steps(self.parts["pre_tokenizer"], "pretokenizers")

    def _facts(self) -> dict[str, Any]:
        """What is known of other tokenizers by their class: whether this one keeps the text."""
        cutting = list(self._cutting())
        letters = frozenset(self.contents.values())
        keeps = (
            self._style[0] == "ByteLevel"
            and self.parts["normalizer"] is None
            and all(step["type"] in ("ByteLevel", "Split") for step in cutting)
            and any(step["type"] == "ByteLevel" for step in cutting)
            and not any(step.get("add_prefix_space") for step in cutting)
            and not any(step.get("behavior") == "Removed" for step in cutting)
            and not any(token.lstrip or token.rstrip for token in self.added_tokens)
            and not any(
                set(token.content) <= set(CHARACTERS)
                and len(token.content.encode()) > len(token.content)
                for token in self.added_tokens
            )
            and letters.issuperset(CHARACTERS)
        )
        spaced = self._style[0] in SPACED
        prefixed = any(
            step.get("prepend_scheme", "always") == "always"
            and step.get("add_prefix_space") is not False
            for step in cutting
            if step["type"] == "Metaspace"
        ) or any(
            step["type"] == "Prepend"
            or step.get("add_dummy_prefix", step["type"] == "SentencePiece")
            for step in steps(self.parts["normalizer"], "normalizers")
        )
        return {"keeps_spaces": keeps, "end_width": int(not spaced and not prefixed)}

"""What a tokenizer file says of pre-tokenization: functions that cut a text into the pieces that
the model then sees one by one.

The names are those of the package ``tokenizers`` (its ``pre_tokenizers``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from lmkit.errors import FormatError
from lmkit.text.subwords.alphabet import spell
from lmkit.text.subwords.normalizers import SPACES
from lmkit.text.subwords.old_unicode import PUNCTUATION
from lmkit.text.subwords.parts import (
    REQUIRED,
    REWRITE,
    Part,
    kind_of,
    options_of,
    pattern_of,
    sequence_of,
)


class Piece(NamedTuple):
    """A part of a text, and whether it begins where the text does."""

    text: str
    first: bool


PreTokenize = Callable[[list[Piece]], list[Piece]]
BEHAVIORS = ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous")
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
"""The pattern of GPT-2, and of ``ByteLevel``."""
_SPACE = rf"[{SPACES}]"
_WORD = r"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}"


def make_pre_tokenizer(part: Part | None) -> PreTokenize | None:
    """The function that ``part`` describes; None leaves the text whole.

    Raises `UnsupportedError` for a kind or an option that is not known here, `FormatError` for
    one that is damaged.
    """
    if part is None:
        return None
    return _KINDS[kind_of(part, "pre-tokenizer", _KINDS)](part)


def _each(cut: Callable[[Piece], Iterator[Piece]]) -> PreTokenize:
    return lambda pieces: [part for piece in pieces for part in cut(piece) if part.text]


def _split(pattern: Any, behavior: str, invert: bool = False) -> PreTokenize:
    """Cut at what ``pattern`` finds, which is then treated as ``behavior`` says."""
    join = _JOINS[behavior]

    def cut(piece: Piece) -> Iterator[Piece]:
        for start, end in join(list(_spans(pattern, piece.text, invert))):
            yield Piece(piece.text[start:end], piece.first and start == 0)

    return _each(cut)


Span = tuple[int, int, bool]


def _spans(pattern: Any, text: str, invert: bool) -> Iterator[Span]:
    """What ``pattern`` finds in ``text``, and what stands between: start, end, found or not."""
    before = 0
    for found in pattern.finditer(text):
        start, end = found.span()
        if start > before:
            yield before, start, invert
        yield start, end, not invert
        before = end
    if before < len(text):
        yield before, len(text), invert


def _isolated(spans: list[Span]) -> list[tuple[int, int]]:
    return [(start, end) for start, end, _ in spans]


def _removed(spans: list[Span]) -> list[tuple[int, int]]:
    return [(start, end) for start, end, found in spans if not found]


def _contiguous(spans: list[Span]) -> list[tuple[int, int]]:
    return _joined(spans, lambda found, before: found == before)


def _with_previous(spans: list[Span]) -> list[tuple[int, int]]:
    return _joined(spans, lambda found, before: found and not before)


def _with_next(spans: list[Span]) -> list[tuple[int, int]]:
    mirrored = [(-end, -start, found) for start, end, found in reversed(spans)]
    return [(-end, -start) for start, end in reversed(_with_previous(mirrored))]


def _joined(spans: list[Span], joins: Callable[[bool, bool], bool]) -> list[tuple[int, int]]:
    result: list[tuple[int, int]] = []
    before = False
    for start, end, found in spans:
        if result and joins(found, before):
            result[-1] = (result[-1][0], end)
        else:
            result.append((start, end))
        before = found
    return result


_JOINS: dict[str, Callable[[list[Span]], list[tuple[int, int]]]] = {
    "Removed": _removed,
    "Isolated": _isolated,
    "MergedWithPrevious": _with_previous,
    "MergedWithNext": _with_next,
    "Contiguous": _contiguous,
}


def _regex(pattern: str) -> Any:
    return pattern_of({"Regex": pattern}, "pre-tokenizer")


def _marks() -> Any:
    import regex  # type: ignore[import-untyped, unused-ignore]

    return regex.compile(PUNCTUATION, regex.V1)


def _sequence(part: Part) -> PreTokenize:
    steps = sequence_of(part, "pre-tokenizer", "pretokenizers", make_pre_tokenizer)

    def run(pieces: list[Piece]) -> list[Piece]:
        for step in steps:
            pieces = step(pieces)
        return pieces

    return run


def _bert(part: Part) -> PreTokenize:
    options_of(part, "pre-tokenizer")
    words = _split(_regex(_SPACE), "Removed")
    marks = _split(_marks(), "Isolated")
    return lambda pieces: marks(words(pieces))


def _whitespace(part: Part) -> PreTokenize:
    options_of(part, "pre-tokenizer")
    return _split(_regex(rf"[{_WORD}]+|[^{_WORD}{SPACES}]+"), "Removed", invert=True)


def _whitespace_split(part: Part) -> PreTokenize:
    options_of(part, "pre-tokenizer")
    return _split(_regex(_SPACE), "Removed")


def _digits(part: Part) -> PreTokenize:
    options = options_of(part, "pre-tokenizer", individual_digits=(bool, REQUIRED))
    return _split(_regex(r"\p{N}"), "Isolated" if options["individual_digits"] else "Contiguous")


def _punctuation(part: Part) -> PreTokenize:
    options = options_of(part, "pre-tokenizer", behavior=(str, "Isolated"))
    return _split(_marks(), _behavior(options["behavior"]))


def _delimiter(part: Part) -> PreTokenize:
    options = options_of(part, "pre-tokenizer", delimiter=(str, REQUIRED))
    return _split(pattern_of({"String": options["delimiter"]}, "pre-tokenizer"), "Removed")


def _by_pattern(part: Part) -> PreTokenize:
    options = options_of(
        part,
        "pre-tokenizer",
        pattern=(dict, REQUIRED),
        behavior=(str, REQUIRED),
        invert=(bool, REQUIRED),
    )
    pattern = pattern_of(options["pattern"], "pre-tokenizer Split")
    return _split(pattern, _behavior(options["behavior"]), options["invert"])


def _behavior(name: str) -> str:
    if name not in BEHAVIORS:
        raise FormatError(f"a pre-tokenizer cannot treat what it finds as {name!r}", REWRITE)
    return name


def _fixed_length(part: Part) -> PreTokenize:
    length = options_of(part, "pre-tokenizer", length=(int, REQUIRED))["length"]
    if length < 1:
        raise FormatError(f"the length of the pre-tokenizer FixedLength is {length}", REWRITE)

    def cut(piece: Piece) -> Iterator[Piece]:
        for start in range(0, len(piece.text), length):
            yield Piece(piece.text[start : start + length], piece.first and not start)

    return _each(cut)


def _byte_level(part: Part) -> PreTokenize:
    options = options_of(
        part,
        "pre-tokenizer",
        add_prefix_space=(bool, REQUIRED),
        trim_offsets=(bool, True),
        use_regex=(bool, True),
    )
    cut = _split(_regex(GPT2), "Isolated") if options["use_regex"] else None

    def run(pieces: list[Piece]) -> list[Piece]:
        if options["add_prefix_space"]:
            pieces = [
                piece if piece.text.startswith(" ") else Piece(" " + piece.text, piece.first)
                for piece in pieces
            ]
        if cut is not None:
            pieces = cut(pieces)
        return [Piece(spell(piece.text.encode()), piece.first) for piece in pieces]

    return run


def metaspace_options(part: Part, what: str) -> dict[str, Any]:
    """The options of a ``Metaspace``, those of its older form too (``add_prefix_space``)."""
    options = options_of(
        part,
        what,
        replacement=(str, REQUIRED),
        prepend_scheme=(str, None),
        split=((bool, None), True),
        add_prefix_space=(bool, None),
        str_rep=(str, None),
    )
    scheme = options["prepend_scheme"]
    if scheme is None:
        scheme = "never" if options["add_prefix_space"] is False else "always"
    if scheme not in ("always", "first", "never") or len(options["replacement"]) != 1:
        raise FormatError(f"the {what} Metaspace of the tokenizer makes no sense", REWRITE)
    if options["add_prefix_space"] is False and scheme != "never":
        raise FormatError(f"the {what} Metaspace both adds a prefix space and does not", REWRITE)
    return {
        "mark": options["replacement"],
        "scheme": scheme,
        "split": options["split"] is not False,
    }


def _metaspace(part: Part) -> PreTokenize:
    options = metaspace_options(part, "pre-tokenizer")
    mark, scheme = options["mark"], options["scheme"]
    cut = _split(pattern_of({"String": mark}, "pre-tokenizer"), "MergedWithNext")

    def mark_spaces(piece: Piece) -> Piece:
        text = piece.text.replace(" ", mark)
        if (scheme == "always" or (scheme == "first" and piece.first)) and text[:1] != mark:
            text = mark + text
        return Piece(text, piece.first)

    def run(pieces: list[Piece]) -> list[Piece]:
        pieces = list(map(mark_spaces, pieces))
        return cut(pieces) if options["split"] else pieces

    return run


_KINDS: dict[str, Callable[[Part], PreTokenize]] = {
    "Sequence": _sequence,
    "BertPreTokenizer": _bert,
    "ByteLevel": _byte_level,
    "CharDelimiterSplit": _delimiter,
    "Digits": _digits,
    "FixedLength": _fixed_length,
    "Metaspace": _metaspace,
    "Punctuation": _punctuation,
    "Split": _by_pattern,
    "Whitespace": _whitespace,
    "WhitespaceSplit": _whitespace_split,
}

"""What a tokenizer file says of the way back, as functions from the tokens to the parts of a text.

The names are those of the package ``tokenizers`` (its ``decoders``).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Any

from lmkit.text.subwords.alphabet import unspell
from lmkit.text.subwords.parts import (
    REQUIRED,
    Part,
    kind_of,
    options_of,
    pattern_of,
    sequence_of,
)
from lmkit.text.subwords.pre_tokenizers import metaspace_options

Decode = Callable[[list[str]], list[str]]


def make_decoder(part: Part | None) -> Decode | None:
    """The function that ``part`` describes. Its results make the text when they are concatenated;
    with None, the tokens stand with single spaces between them.

    Raises `UnsupportedError` for a kind or an option that is not known here, `FormatError` for
    one that is damaged.
    """
    return None if part is None else _KINDS[kind_of(part, "decoder", _KINDS)](part)


def _sequence(part: Part) -> Decode:
    steps = sequence_of(part, "decoder", "decoders", make_decoder)

    def run(tokens: list[str]) -> list[str]:
        for step in steps:
            tokens = step(tokens)
        return tokens

    return run


def _byte_level(part: Part) -> Decode:
    options_of(
        part,
        "decoder",
        add_prefix_space=(bool, True),
        trim_offsets=(bool, True),
        use_regex=(bool, True),
    )
    return lambda tokens: [b"".join(map(as_bytes, tokens)).decode(errors="replace")]


def as_bytes(token: str) -> bytes:
    """The bytes that ``token`` spells (`lmkit.text.subwords.alphabet`), or its own UTF-8 if it
    spells none."""
    try:
        return unspell(token)
    except ValueError:
        return token.encode()


def _word_piece(part: Part) -> Decode:
    options = options_of(part, "decoder", prefix=(str, REQUIRED), cleanup=(bool, REQUIRED))

    def run(tokens: list[str]) -> list[str]:
        result = []
        for place, token in enumerate(tokens):
            if place and token.startswith(options["prefix"]):
                token = token.removeprefix(options["prefix"])
            elif place:
                token = " " + token
            result.append(_tidied(token) if options["cleanup"] else token)
        return result

    return run


_TIDIED = (
    (" .", "."),
    (" ?", "?"),
    (" !", "!"),
    (" ,", ","),
    (" ' ", "'"),
    (" n't", "n't"),
    (" 'm", "'m"),
    (" do not", " don't"),
    (" 's", "'s"),
    (" 've", "'ve"),
    (" 're", "'re"),
)


def _tidied(text: str) -> str:
    """``text`` without the spaces that English does not have."""
    for spaced, written in _TIDIED:
        text = text.replace(spaced, written)
    return text


def _metaspace(part: Part) -> Decode:
    options = metaspace_options(part, "decoder")
    mark = options["mark"]

    def run(tokens: list[str]) -> list[str]:
        result = [token.replace(mark, " ") for token in tokens]
        if tokens and options["scheme"] != "never":
            result[0] = tokens[0].replace(mark, "")
        return result

    return run


def _bpe(part: Part) -> Decode:
    suffix = options_of(part, "decoder", suffix=(str, REQUIRED))["suffix"]

    def run(tokens: list[str]) -> list[str]:
        spaced = [token.replace(suffix, " ") for token in tokens[:-1]]
        return spaced + [token.replace(suffix, "") for token in tokens[-1:]]

    return run


def _fuse(part: Part) -> Decode:
    options_of(part, "decoder")
    return lambda tokens: ["".join(tokens)]


def _replace(part: Part) -> Decode:
    options = options_of(part, "decoder", pattern=(dict, REQUIRED), content=(str, REQUIRED))
    content = options["content"]
    pattern = pattern_of(options["pattern"], "decoder Replace")
    return lambda tokens: [pattern.sub(lambda _: content, token) for token in tokens]


def _strip(part: Part) -> Decode:
    options = options_of(
        part, "decoder", content=(str, REQUIRED), start=(int, REQUIRED), stop=(int, REQUIRED)
    )
    content, most_before, most_behind = options["content"], options["start"], options["stop"]

    def stripped(token: str) -> str:
        start = min(most_before, len(token) - len(token.lstrip(content)))
        end = len(token) - min(most_behind, len(token) - len(token.rstrip(content)))
        return token[start:end]

    return lambda tokens: list(map(stripped, tokens))


def _byte_fallback(part: Part) -> Decode:
    options_of(part, "decoder")

    def run(tokens: list[str]) -> list[str]:
        result: list[str] = []
        for of_bytes, group in groupby(tokens, lambda token: byte_of(token) is not None):
            members = list(group)
            if not of_bytes:
                result += members
                continue
            data = bytes(byte_of(token) or 0 for token in members)
            try:
                result.append(data.decode())
            except UnicodeDecodeError:
                # The package gives up a run of bytes whole, with a sign for each of them.
                result += "\ufffd" * len(data)
        return result

    return run


def byte_of(token: str) -> int | None:
    """The byte of a token ``<0xNN>``, None for another token."""
    if len(token) == 6 and token.startswith("<0x") and token.endswith(">"):
        return _HEX.get(token[3:5])
    return None


_HEX = {
    form: byte
    for byte in range(256)
    for form in (
        f"{byte:02X}",
        f"{byte:02x}",
        f"{byte:02X}"[0] + f"{byte:02x}"[1],
        f"{byte:02x}"[0] + f"{byte:02X}"[1],
    )
}


def _sentencepiece(part: Part) -> Decode:
    options = options_of(
        part,
        "decoder",
        strips=(bool, True),
        strips_all=(bool, True),
        byte_fallback=(bool, False),
        control=(list, []),
        unknown=(str, "<unk>"),
        unknown_surface=(str, " \u2047 "),
    )
    control = frozenset(options["control"])
    unknown, surface = options["unknown"], options["unknown_surface"]

    def run(tokens: list[str]) -> list[str]:
        result: list[str] = []
        data = bytearray()
        begun = stripped = False
        for token in [*tokens, None]:
            byte = byte_of(token) if token is not None and options["byte_fallback"] else None
            if byte is not None:
                data.append(byte)
                continue
            if data:
                result.append(_characters(bytes(data)))
                begun = True
                data.clear()
            if token is None or token in control:
                stripped = False
                continue
            if token == unknown:
                text, now = surface, False
            else:
                text, now = token, False
                if options["strips"] and not (begun or stripped) and text.startswith("▁"):
                    text, now = text[1:], not options["strips_all"]
                text = text.replace("▁", " ")
            begun = begun or stripped or bool(text)
            stripped = now
            result.append(text)
        return result

    return run


def _characters(data: bytes) -> str:
    """The text of ``data``, with a sign for each byte that is not part of a character."""
    return "".join(
        "\ufffd" if "\udc80" <= one <= "\udcff" else one
        for one in data.decode(errors="surrogateescape")
    )


_KINDS: dict[str, Callable[[Part], Any]] = {
    "Sequence": _sequence,
    "BPEDecoder": _bpe,
    "ByteFallback": _byte_fallback,
    "ByteLevel": _byte_level,
    "Fuse": _fuse,
    "Metaspace": _metaspace,
    "Replace": _replace,
    "SentencePiece": _sentencepiece,
    "Strip": _strip,
    "WordPiece": _word_piece,
}

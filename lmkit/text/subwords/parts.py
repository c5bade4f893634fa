"""The parts that a tokenizer file describes, read strictly.

A part is a JSON object with a ``type`` and options, as in a Hugging Face ``tokenizer.json``. An
option that is not known here is an error, never overlooked: it could change the tokens.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from lmkit.errors import FormatError, UnsupportedError, UsageError, one_line

Part = Mapping[str, Any]
HINT = "the package that wrote the file, to write one without it"
_KINDS = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "an object",
}
REQUIRED = object()
"""The default of an option that must be given."""


def kind_of(part: Any, what: str, known: Mapping[str, Any]) -> str:
    """The ``type`` of ``part``, one of ``known``. Raises `UnsupportedError` for another one, and
    `FormatError` where ``part`` is not such an object."""
    if not isinstance(part, Mapping) or not isinstance(part.get("type"), str):
        raise FormatError(f"the {what} of the tokenizer is not an object with a type", REWRITE)
    kind = part["type"]
    if kind not in known:
        raise UnsupportedError(
            f"the {what} {one_line(kind)!r} is not supported", f"one of {', '.join(known)}"
        )
    return str(kind)


REWRITE = "another copy of the file: this one is damaged"


@contextlib.contextmanager
def written_down() -> Iterator[None]:
    """Make what is wrong with a file's parts wrong with what was written down of a tokenizer:
    `UsageError`, of which whoever reads a model file makes damage to it."""
    try:
        yield
    except (FormatError, UnsupportedError) as error:
        raise UsageError(error.message, error.hint) from error


def options_of(part: Part, what: str, /, **known: tuple[Any, Any]) -> dict[str, Any]:
    """The options of ``part``. ``known`` has the type of each (or a tuple of types, None for
    null) and its default, which is `REQUIRED` if it has none.

    Raises `UnsupportedError` for an option that is not known, `FormatError` for one that is
    missing or of another type.
    """
    name = f"{what} {part['type']}"
    for key in part:
        if key != "type" and key not in known:
            raise UnsupportedError(
                f"the option {one_line(key)!r} of the {name} is not supported", HINT
            )
    values = {}
    for key, (types, default) in known.items():
        if key not in part:
            if default is REQUIRED:
                raise FormatError(f"the {name} of the tokenizer has no {key!r}", REWRITE)
            values[key] = default
            continue
        values[key] = typed(part[key], types, f"{key!r} of the {name}")
    return values


def typed(value: Any, types: Any, what: str) -> Any:
    """``value``, if it is of (one of) these JSON ``types``; else raises `FormatError`."""
    types = types if isinstance(types, tuple) else (types,)
    if value is None and None in types:
        return value
    wanted = tuple(kind for kind in types if kind is not None)
    if isinstance(value, bool) and bool not in wanted:
        fits = False
    elif float in wanted:
        fits = isinstance(value, (*wanted, int))
    else:
        fits = isinstance(value, wanted)
    if not fits:
        kinds = " or ".join(_KINDS[kind] for kind in wanted)
        raise FormatError(f"{what} is {one_line(repr(value))}, not {kinds}", REWRITE)
    if isinstance(value, str):
        encodable(value, what)
    return value


def encodable(text: str, what: str) -> None:
    """Raises `FormatError` where ``text`` holds half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise FormatError(
            f"{what} holds a lone surrogate: {one_line(ascii(text))}", REWRITE
        ) from error


def sequence_of(part: Part, what: str, key: str, make: Callable[[Any], Any]) -> list[Any]:
    """What ``make`` makes of each part of a ``Sequence``."""
    steps = options_of(part, what, **{key: (list, REQUIRED)})[key]
    return [make(typed(step, dict, f"a step of the {what} Sequence")) for step in steps]


_ODD = re.compile(
    r"\{\d*,?\d*\}\+|&&|\\[bBhHGKORXyYZz]|\[:\^?punct:\]|\(\?[a-z]*[mxW]|\(\?~|\\[gk]<|\[\^?[^\]\\]*\[(?!:)"
)
"""What means another thing in Oniguruma than in the ``regex`` package."""


_WORD = r"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}"
"""What ``\\w`` adds to a set in Oniguruma; by itself it is also some numbers of Latin-1."""
_MORE = "²³¹¼½¾"


def _with_words(pattern: str) -> str:
    """``pattern`` with the set that a word character is in Oniguruma."""
    inside = False

    def written(found: re.Match[str]) -> str:
        nonlocal inside
        if found[0] in ("[", "]"):
            inside = found[0] == "["
        elif found[0] in (r"\w", r"\W"):
            if not inside:
                return f"[{'^' * (found[0][1] == 'W')}{_WORD}{_MORE}]"
            if found[0] == r"\w":
                return _WORD
        return found[0]

    return re.sub(r"\\.|\[(?!:)|(?<!:)\]", written, pattern, flags=re.DOTALL)


def pattern_of(pattern: Any, what: str) -> Any:
    """The compiled pattern of a ``Split`` or ``Replace``: ``{"String": …}`` is found literally,
    ``{"Regex": …}`` by the ``regex`` package.

    Oniguruma, which the ``tokenizers`` package searches with, and ``regex`` agree on the syntax
    that pre-tokenizers use. Raises `UnsupportedError` for a pattern that ``regex`` cannot read.
    """
    import regex  # type: ignore[import-untyped, unused-ignore]

    if not isinstance(pattern, Mapping) or len(pattern) != 1:
        raise FormatError(f"the pattern of the {what} is neither a String nor a Regex", REWRITE)
    ((kind, text),) = pattern.items()
    if kind not in ("String", "Regex") or not isinstance(text, str):
        raise FormatError(f"the pattern of the {what} is neither a String nor a Regex", REWRITE)
    encodable(text, f"the pattern of the {what}")
    if kind == "Regex" and (odd := _ODD.search(text)):
        raise UnsupportedError(
            f"the pattern of the {what} has {odd[0]!r}, which lmkit's regular expressions do not"
            " have with that meaning",
            HINT,
        )
    try:
        # VERSION0 reads sets as Oniguruma does; (?m) there is the s of others.
        return regex.compile(
            regex.escape(text) if kind == "String" else _with_words(text), regex.V0 | regex.M
        )
    except (regex.error, RecursionError, OverflowError) as error:
        raise UnsupportedError(
            f"the pattern of the {what} cannot be used: {one_line(error)}", HINT
        ) from error


def steps(part: Part | None, key: str) -> Iterator[Part]:
    """The parts of a ``Sequence``, which holds them by ``key``, or the only one."""
    if part is not None and part["type"] == "Sequence":
        for step in part[key]:
            yield from steps(step, key)
    elif part is not None:
        yield part

"""The built-in corpus: English that is on every machine with Python.

CPython carries the reference texts of its language for ``help()``, in
``pydoc_data.topics``: some 65,000 words, of which about 42,000 are running text
that is not there twice. They differ a little from one Python version to the next.

The fixed rule, in the order of the steps:

1. Topics in the order of their names; a topic is cut into blocks at empty lines,
   at list items and where the indentation changes. Underlined headings go.
2. A block is prose if it was filled like a paragraph and reads like one (see
   `_is_prose`). Programs, grammar and tables go.
3. A block that came before, in whatever topic, goes: topics quote each other at
   length, and a test text that is also in the training text measures nothing.
4. Of every ten blocks that remain, the ninth is for ``valid``, the tenth for ``test``,
   the others are for ``train``.
5. Markup (quotes around code, asterisks, footnote numbers) goes, words broken at
   a hyphen are joined, and each sentence gets its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib import import_module

from lmkit.errors import DownloadError

SPLIT_OF_TEN = ("train",) * 8 + ("valid", "test")
FILLED_WIDTH = 50
LEAST_WORDS = 4

_UNDERLINE = re.compile(r"\s*([*=~^\"#-])\1{2,}\s*")
_ITEM = re.compile(r"\s*(?:[*-]|\d+\.|\[\d+\])\s+(?=\S)")
_NOT_PROSE = re.compile(
    r"::=|>>>| # |^[|+#>]|^\(Pdb\)|^(?:class|def|async|if|while|with|for|import)\b.*[:)]$"
)
_PUNCTUATION = re.compile(r"\w[\"')]*[.,:;](?:\s|$)")
_END = re.compile(r"[.!?:;][\"')\]”’]*(?: \[\d+\])*$")
_START = re.compile(r"[\"'(“‘*]*[A-Z]|[\"*]\w")
_BROKEN_WORD = re.compile(r"(?<=\w-)\s(?=[a-z])(?!(?:and|or|to)\b)")
_FOOTNOTE = re.compile(r"\s\[\d+\](?=[\s.,;:)]|$)")
_EMPHASIS = re.compile(r"(?<![\w*])(\*{1,2})(?=\w)([^*]+?)(?<=[\w.:)])\1(?![\w*])")
_CODE = re.compile(r"(?<![\w\"])\"([^\"]+)\"(?![\w\"])")
_SENTENCE_END = re.compile(r"(?<=[.!?])([\"')\]”’]*) (?=[\"'(“‘*]*[A-Z]|\"\w)")
_ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|cf|vs|resp|approx)|\b[A-Z])\.$")


def builtin_corpus() -> dict[str, list[str]]:
    """The corpus of this Python: split to lines, each a sentence of plain text.

    Raises `DownloadError` where the Python was installed without the texts.
    """
    corpus: dict[str, list[str]] = {"train": [], "valid": [], "test": []}
    for number, block in enumerate(distinct_blocks(reference_texts())):
        corpus[SPLIT_OF_TEN[number % 10]].extend(to_sentences(block))
    return corpus


def reference_texts() -> Mapping[str, str]:
    """The reference texts of this Python by topic."""
    try:
        topics: Mapping[str, str] = import_module("pydoc_data.topics").topics
    except (ImportError, AttributeError) as error:
        raise DownloadError(
            "this Python was installed without its reference texts (pydoc_data.topics)",
            "a Python with its whole standard library, or `lmkit data get tinyshakespeare`",
        ) from error
    return topics


def distinct_blocks(topics: Mapping[str, str]) -> Iterator[str]:
    """Every block of prose once, each on one line, still with its markup."""
    seen: set[str] = set()
    for topic in sorted(topics):
        for lines in _blocks(topics[topic]):
            block = " ".join(" ".join(lines).split())
            if block not in seen and _is_prose(lines, block):
                seen.add(block)
                yield block


def _blocks(text: str) -> Iterator[list[str]]:
    """Runs of lines that belong together, without the markers of list items."""
    block: list[str] = []
    indentation = 0
    for line in text.splitlines():
        if _UNDERLINE.fullmatch(line):
            block = block[:-1]
            line = ""
        item = _ITEM.match(line)
        start = item.end() if item else len(line) - len(line.lstrip())
        if block and (not line.strip() or item or start != indentation):
            yield block
            block = []
        if line.strip():
            block.append(" " * start + line[start:])
            indentation = start
    if block:
        yield block


def _is_prose(lines: list[str], block: str) -> bool:
    """Whether a block is running text.

    The texts were filled to 70 columns, so all lines of a paragraph but the last
    are long; lines of programs rarely are. One or two lines may be either: those
    must begin and end like a sentence.
    """
    if _NOT_PROSE.search(block) or len(block.split()) < LEAST_WORDS:
        return False
    if not _PUNCTUATION.search(block) or any(len(line) < FILLED_WIDTH for line in lines[:-1]):
        return False
    return len(lines) > 2 or bool(_START.match(block) and _END.search(block))


def to_sentences(block: str) -> list[str]:
    """Cut a block into sentences of plain text.

    A sentence ends at ``.``, ``!`` or ``?``, with the brackets and quotes that close
    there, where a space and a capital letter or a quoted name follow; not after
    an initial or a common abbreviation.
    """
    block = _FOOTNOTE.sub("", block)
    sentences, start = [], 0
    for end in _SENTENCE_END.finditer(block):
        if not _ABBREVIATION.search(block[start : end.start()]):
            sentences.append(block[start : end.end()])
            start = end.end()
    sentences.append(block[start:])
    return [_without_markup(sentence) for sentence in sentences]


def _without_markup(sentence: str) -> str:
    for pattern, replacement in ((_EMPHASIS, r"\2"), (_CODE, r"\1")):
        sentence = pattern.sub(replacement, sentence)
    return _BROKEN_WORD.sub("", sentence).strip()

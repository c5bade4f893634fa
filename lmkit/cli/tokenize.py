"""``lmkit tokenize``: what a tokenizer makes of text, and back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lmkit.cli.command import command
from lmkit.cli.console import Console, pass_console
from lmkit.cli.layout import VISIBLE_SPACE, text
from lmkit.cli.options import (
    chosen_seed,
    reading_options,
    say_replaced,
    seed_option,
    special_tokens_option,
    text_argument,
    text_source,
)
from lmkit.cli.output import Format, RowWriter, output_formats
from lmkit.cli.tokenizer_options import TokenizerName, TokenizerType
from lmkit.errors import TextError, UnsupportedError, UsageError

if TYPE_CHECKING:
    from lmkit.store.tokenizer_files import StoredTokenizer
    from lmkit.text.reading import LineBlock, TextReader
    from lmkit.text.settings import TextSettings
    from lmkit.text.tokenized import LineTokenizer, TokenizedLines

GROUNDS, LETTERS = (153, 223, 194, 225), 16
"""Colours behind tokens, one after the other, and the colour of letters on them: of the 256 that
terminals share, and so the same on dark and light ones."""
COLUMNS = ("line", "token", "text", "id", "start", "end", "start_byte", "end_byte")
COUNTS = ("line", "tokens", "characters", "bytes", "characters_per_token")
NBEST = ("line", "rank", "log_prob", "tokens")


@command()
@click.argument("tokenizer", type=TokenizerType(), metavar="MODEL|FILE|NAME")
@text_argument
@click.option("--ids", is_flag=True, help="Ids in place of tokens.")
@click.option("--count", is_flag=True, help="Only how many tokens each line has, and all lines.")
@click.option("--table", is_flag=True, help="A row for each token, with its id and place.")
@click.option(
    "--decode",
    is_flag=True,
    help="The other way: TEXT has tokens, or with --ids ids, and spaces between them.",
)
@click.option(
    "--nbest", type=click.IntRange(min=1), metavar="N", help="The N best segmentations of unigram."
)
@click.option(
    "--alpha",
    type=click.FloatRange(min=0),
    metavar="A",
    help="Draw a segmentation of unigram by its probability to the power A.",
)
@click.option(
    "--dropout",
    type=click.FloatRange(0, 1),
    metavar="P",
    help="Leave out each merge of bpe with the probability P.",
)
@seed_option
@special_tokens_option
@reading_options
@output_formats
@pass_console
def tokenize(
    console: Console,
    tokenizer: TokenizerName | Path,
    text: str | None,
    encoding: str | None,
    errors: str,
    fmt: Format,
    seed: int | None,
    nbest: int | None,
    alpha: float | None,
    dropout: float | None,
    special_tokens: str | None,
    **modes: bool,
) -> None:
    """Show the tokens of text, their ids and where they are.

    The tokenizer is that of a MODEL, of a FILE of lmkit train-tokenizer or of another program
    (tokenizer.json, vocab.json, tiktoken's ranks, sentencepiece's .model, BERT's vocab.txt), or
    one by its NAME, such as word. Each line is cut as a model reads it. A terminal shows its
    tokens in colours, with ␣ for a space; a pipe gets them with single spaces between them.
    --json, --jsonl, --csv and --tsv have the id of each token and where it is in its line, in
    characters and bytes, from 0 on. Ids are the model's, or the tokenizer's own.

    Example:

        lmkit tokenize model.lm text.txt
        lmkit tokenize word text.txt --json
        lmkit tokenize model.lm text.txt --count
    """
    from lmkit.text.encodings import encoded

    chosen = [name for name in ("table", "count", "decode", "nbest") if modes.get(name)]
    chosen += ["nbest"] if nbest is not None else []
    chosen += ["ids"] if modes["ids"] and "decode" not in chosen else []
    chosen += [fmt] if fmt != "table" and not set(chosen) & {"count", "nbest"} else []
    _one_of(chosen)
    drawing = {"alpha": alpha, "dropout": dropout}
    _one_of([name for name, value in {**drawing, "nbest": nbest}.items() if value is not None])
    stored = _opened(tokenizer)
    if special_tokens is not None:
        stored = stored.with_special_tokens(special_tokens)
    settings = _drawing(console, stored.settings, seed, alpha, dropout)
    source = encoded(text_source(console, text), encoding)
    if modes["decode"]:
        reader = _reader(source, errors)
        _decode(console, stored, reader, modes["ids"])
    else:
        reader = _reader(source, errors, **settings.reading)
        if nbest is not None:
            _write_nbest(console, settings, reader, nbest, fmt)
        else:
            mode = chosen[0] if chosen else "tokens"
            _write(console, stored, settings, reader, mode, fmt)
    say_replaced(console, reader.replaced)


def _one_of(flags: Sequence[str]) -> None:
    if len(flags) > 1:
        raise UsageError(f"--{flags[0]} and --{flags[1]} exclude each other", "one of the two")


def _opened(tokenizer: TokenizerName | Path) -> StoredTokenizer:
    from lmkit.store.tokenizer_files import StoredTokenizer
    from lmkit.store.tokenizer_making import load_tokenizer
    from lmkit.text.settings import TextSettings
    from lmkit.text.tokenizers.making import Unlearnt

    if isinstance(tokenizer, Path):
        return load_tokenizer(tokenizer)
    settings = TextSettings(tokenizer.name)
    if isinstance(settings.tokenizer, Unlearnt):
        raise settings.tokenizer.error()
    return StoredTokenizer(settings)


def _drawing(
    console: Console,
    settings: TextSettings,
    seed: int | None,
    alpha: float | None,
    dropout: float | None,
) -> TextSettings:
    """``settings`` with a tokenizer that cuts by chance, if that is wanted."""
    for flag, ability, value, kind in (
        ("--alpha", "with_sampling", alpha, "unigram"),
        ("--dropout", "with_dropout", dropout, "bpe"),
    ):
        if value is not None:
            draw = getattr(settings.tokenizer, ability, None)
            if draw is None:
                raise _only(flag, settings, kind)
            return replace(settings, tokenizer=draw(value, chosen_seed(console, seed)))
    if seed is not None:
        raise UsageError("--seed means nothing where nothing is drawn", "--alpha or --dropout")
    return settings


def _only(flag: str, settings: TextSettings, kind: str) -> UnsupportedError:
    return UnsupportedError(
        f"the tokenizer {settings.tokenizer} cuts a text in one way only, so {flag} means nothing",
        f"leaving out {flag}, or a tokenizer of lmkit train-tokenizer --tokenizer {kind}",
    )


def _reader(source: Any, errors: str, **reading: Any) -> TextReader:
    from lmkit.text.reading import TextReader

    return TextReader(source, errors, chunk_bytes=1 << 20, eager=True, **reading)


def _write(
    console: Console,
    stored: StoredTokenizer,
    settings: TextSettings,
    reader: TextReader,
    mode: str,
    fmt: Format,
) -> None:
    from lmkit.model import UNK
    from lmkit.store.tokenizer_files import no_ids
    from lmkit.text.reading import iter_line_blocks
    from lmkit.text.tokenized import LineTokenizer

    cut = LineTokenizer(settings, stored.numbered)
    blocks = iter_line_blocks(reader)
    if mode == "ids":
        if stored.numbered is None:
            raise no_ids(stored.tokenizer)
        _write_ids(console, cut, blocks)
    elif mode == "count":
        _write_counts(console, cut, blocks, fmt)
    elif mode != "tokens":
        _write_rows(console, cut, blocks, fmt)
    elif console.style("x", bold=True) != "x":
        unknown = stored.tokenizer.unknown_id if stored.model is None else UNK
        _write_coloured(console, cut, blocks, unknown)
    else:
        for lines in blocks:
            done = cut(lines)
            spelt = [VISIBLE_SPACE if token == " " else token for token in done.tokens]
            spelt[2] = "\n"
            console.write(done.joined(spelt))


def _write_ids(console: Console, cut: LineTokenizer, blocks: Iterator[LineBlock]) -> None:
    spelt: list[str] = []
    for lines in blocks:
        done = cut(lines)
        assert done.ids is not None
        if len(done.ids) < len(spelt):
            spelt.clear()
        spelt += map(str, done.ids[len(spelt) :].tolist())
        spelt[2] = "\n"
        console.write(done.joined(spelt))


def _write_counts(
    console: Console, cut: LineTokenizer, blocks: Iterator[LineBlock], fmt: Format
) -> None:
    total = [0, 0, 0]
    with RowWriter(console, COUNTS, fmt) as writer:
        first: int = 1
        for lines in blocks:
            counts = cut(lines).counts().tolist()
            sizes = list(map(len, lines))
            coded = [
                size if line.isascii() else len(line.encode(errors="surrogateescape"))
                for line, size in zip(lines, sizes, strict=True)
            ]
            writer.write(
                [
                    (number, *row, _ratio(row[1], row[0]))
                    for number, row in enumerate(zip(counts, sizes, coded, strict=True), first)
                ]
            )
            first += len(lines)
            total = [
                before + sum(new) for before, new in zip(total, (counts, sizes, coded), strict=True)
            ]
        writer.write([("total", *total, _ratio(total[1], total[0]))])


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _write_rows(
    console: Console, cut: LineTokenizer, blocks: Iterator[LineBlock], fmt: Format
) -> None:
    from lmkit.text.tokenized import Spans

    spans = Spans(cut.settings)
    first = 1
    with RowWriter(console, COLUMNS, fmt) as writer:
        for lines in blocks:
            done = cut(lines)
            for place, (line, numbers) in enumerate(done, first):
                rows = list(_rows(place, line, numbers, done, spans))
                if fmt == "table":
                    rows = [(*row[:2], _spaced(row[2]), *row[3:]) for row in rows]
                writer.write(rows)
            first += len(lines)


def _spaced(part: str | None) -> str | None:
    return None if part is None else part.replace(" ", VISIBLE_SPACE)


def _rows(
    place: int, line: str, numbers: Sequence[int], done: TokenizedLines, spans: Any
) -> Iterator[tuple[Any, ...]]:
    from lmkit.text.tokenized import NO_ID

    tokens = [done.tokens[number] for number in numbers]
    found = spans.of(line, tokens)
    for number, token, span in zip(numbers, tokens, found, strict=True):
        own = NO_ID if done.ids is None else int(done.ids[number])
        shown = None if span is None else line[span[0] : span[1]]
        yield place, token, shown, None if own == NO_ID else own, *(span or (None,) * 4)


def _write_coloured(
    console: Console, cut: LineTokenizer, blocks: Iterator[LineBlock], unknown: int | None
) -> None:
    tokenizer = cut.settings.tokenizer
    joint = "" if tokenizer.keeps_spaces else " "
    shown: dict[str, str] = {}
    for lines in blocks:
        done = cut(lines)
        for _, numbers in done:
            parts = []
            for place, number in enumerate(numbers):
                token = done.tokens[number]
                if token not in shown:
                    shown[token] = _visible(token, tokenizer)
                odd = done.ids is not None and int(done.ids[number]) == unknown
                ground = GROUNDS[place % len(GROUNDS)]
                look: dict[str, Any] = {"bg": ground, "fg": LETTERS, "underline": odd or None}
                parts.append(console.style(shown[token], **look))
            console.write_line(joint.join(parts))


def _visible(token: str, tokenizer: Any) -> str:
    """The text of a token, with marks for spaces; bytes that are a part of a character as such."""
    if tokenizer.keeps_spaces:
        token = tokenizer.bytes_of(token).decode(errors="surrogateescape")
    return text(token).replace(" ", VISIBLE_SPACE)


def _write_nbest(
    console: Console, settings: TextSettings, reader: TextReader, most: int, fmt: Format
) -> None:
    from lmkit.text.reading import read_lines

    find = getattr(settings.tokenizer, "n_best", None)
    if find is None:
        raise _only("--nbest", settings, "unigram")
    normalize = settings.make_normalizer()
    with RowWriter(console, NBEST, fmt) as writer:
        for number, line in enumerate(read_lines(reader), 1):
            found = find(line if normalize is None else normalize(line), most)
            writer.write(
                [
                    (number, rank, log_prob, list(tokens) if "json" in fmt else " ".join(tokens))
                    for rank, (log_prob, tokens) in enumerate(found, 1)
                ]
            )


def _decode(console: Console, stored: StoredTokenizer, reader: TextReader, ids: bool) -> None:
    from lmkit.text.reading import iter_line_blocks

    vocabulary = None if stored.vocabulary is None else {"<unk>", *stored.vocabulary}
    for lines in iter_line_blocks(reader):
        texts = []
        for number, line in enumerate(lines, lines.first_line):
            given = [part for part in line.split(" ") if part]
            where = f"{lines.source}, line {number}"
            if ids:
                decoded = stored.decode([_id(part, where) for part in given])
            else:
                tokens = [" " if part == VISIBLE_SPACE else part for part in given]
                wrong = [one for one in tokens if vocabulary is not None and one not in vocabulary]
                if wrong:
                    raise TextError(
                        f"{where}: {text(wrong[0])!r} is not a token of {stored.tokenizer}",
                        "--decode --ids, if these are ids",
                    )
                decoded = stored.tokenizer.join(tokens)
            texts.append(f"{decoded}\n")
        console.write_bytes("".join(texts).encode(errors="surrogateescape"))


def _id(part: str, where: str) -> int:
    if not (part.isascii() and part.isdigit()):
        raise TextError(
            f"{where}: {text(part)!r} is not an id", "whole numbers, with spaces between them"
        )
    return int(part)

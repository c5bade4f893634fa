"""``lmkit classify``: which of several models a line is likeliest to come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lmkit.cli.command import command
from lmkit.cli.console import Console, pass_console
from lmkit.cli.headings import heading
from lmkit.cli.model_options import (
    check_method_options,
    ngram_options,
    text_settings,
    text_settings_options,
)
from lmkit.cli.options import reading_options, say_replaced, text_source
from lmkit.cli.output import Format, RowWriter, output_formats, to_json, write_rows
from lmkit.cli.paths import Group, InputPath, OutputFolder, named
from lmkit.cli.progress import ProgressBars
from lmkit.errors import TextError, UsageError

if TYPE_CHECKING:
    from lmkit.evaluate.classification import Classified, Classifier
    from lmkit.text.reading import LineBlock, TextReader

BLOCK = 2_000
"""Lines that are classified in one go: each model has them at once in memory."""
COMPRESSED = (".gz", ".bz2", ".xz", ".lzma", ".zst")


class Prior(click.ParamType):
    """``NAME=P``: a label and its probability."""

    name = "prior"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float]:
        if isinstance(value, tuple):
            return value
        label, _, number = str(value).rpartition("=")
        wrong = f"{value!r} is not NAME=P; write en=0.5"
        if not label:
            self.fail(wrong, param, ctx)
        try:
            return label, float(number)
        except ValueError:
            self.fail(wrong, param, ctx)


def _files(params: Mapping[str, Any]) -> Iterator[Group]:
    """What --train writes is none of what is read."""
    folder, output = params["train"], params["output"]
    if folder is not None and output is not None and Path(folder).is_dir():
        texts = {label: f for label, files in training_texts(Path(folder)).items() for f in files}
        written = [one for label in texts for one in named("--output", _place(output, label))]
        read = [*texts.values(), *params["files"]]
        yield written, [one for file in read for one in named("a text", file)]


@command(files=_files)
@click.argument("files", nargs=-1, type=InputPath(), metavar="MODEL... [TEXT]")
@click.option(
    "--prior",
    "priors",
    type=Prior(),
    multiple=True,
    metavar="NAME=P",
    help="The probability of a model before a line is seen. The others share the rest.",
)
@click.option(
    "--labelled",
    is_flag=True,
    help="TEXT is label<TAB>text a line: count how many lines are found to be what they are.",
)
@heading(
    "Making the models",
    click.option(
        "--train",
        type=InputPath(exists=True, file_okay=False),
        metavar="FOLDER",
        help="First train a model on each file, or each folder of files, in FOLDER.",
    ),
    click.option(
        "--output",
        "-o",
        type=OutputFolder(path_type=Path),
        metavar="FOLDER",
        help="Where these models go: NAME.lm each.",
    ),
)
@ngram_options("6")
@text_settings_options("char")
@reading_options
@output_formats
@pass_console
def classify(
    console: Console,
    files: tuple[str, ...],
    priors: tuple[tuple[str, float], ...],
    labelled: bool,
    train: str | None,
    output: Path | None,
    encoding: str | None,
    errors: str,
    fmt: Format,
    **options: Any,
) -> None:
    """Say which model each line is likeliest to come from.

    Languages, topics, authors: there is a model of each. A model is called by the name
    of its file, or as NAME=FILE says; a folder stands for all models (.lm) in it. TEXT
    is the last file, if it is not a model; - or none is standard input.

    Each line has the label of its model, the posterior probability of that model, and
    log10 p(line) per character under each model. p(line) is the probability of the
    text itself: a word that a model does not know pays for its spelling, so the models
    may have different tokens. Text is read as each model was trained.

    With --train models are made first, of characters and of order 6 unless options
    say otherwise; they are what lmkit train makes.

    Example:

        lmkit classify --train texts --output models --order 4
        lmkit classify models text.txt
        lmkit classify models/one.lm rest=models/two.lm text.txt --prior one=0.9 --jsonl
    """
    given = {key: value for key, value in options.items() if value is not None}
    reading = {"encoding": encoding, "errors": errors}
    models, text = split_models(files)
    special_tokens = given.get("special_tokens")
    if train is not None:
        models |= _train(console, Path(train), output, given, reading)
        if text is None:
            return
    elif output is not None or set(given) - {"special_tokens"}:
        flags = ["output"] if output is not None else sorted(set(given) - {"special_tokens"})
        raise UsageError(
            f"--{flags[0].replace('_', '-')} says how models are made", "--train FOLDER"
        )
    source = text_source(console, text)

    from lmkit.api import load
    from lmkit.evaluate.classification import Classifier
    from lmkit.text.encodings import encoded
    from lmkit.text.reading import TextReader

    refuse_repeated([label for label, _ in priors], "--prior {}", "one prior for each model")
    opened = {label: load(path) for label, path in models.items()}
    classifier = Classifier(opened, dict(priors), special_tokens)
    if classifier.unspelt:
        console.remark(
            f"note: {', '.join(classifier.unspelt)}: no model of how unknown words are spelt, so"
            " all spellings of one length are alike"
        )
    with ProgressBars(console, shares_terminal=not labelled) as bars:
        reader = TextReader(
            encoded(source, encoding),
            errors,
            chunk_bytes=1 << 20,
            eager=True,
            progress=bars.bar("classifying"),
        )
        if labelled:
            _evaluate(console, classifier, reader, fmt)
        else:
            _write(console, classifier, reader, fmt)
    say_replaced(console, reader.replaced)


def split_models(files: tuple[str, ...]) -> tuple[dict[str, Path], str | None]:
    """Labels to model files, and TEXT, which is the last of ``files`` if that is no model.

    Raises `UsageError` for a label that two models have, and for a folder without models.
    """
    from lmkit.store.modelfile import is_model_file

    found: list[tuple[str, Path]] = []
    text = None
    for place, name in enumerate(files):
        label, path = named_model(name)
        if path.is_dir():
            inside = sorted(path.glob("*.lm"))
            if not inside:
                raise UsageError(f"there is no model (.lm) in {path}", "another folder")
            found += [(label + one.stem if label else one.stem, one) for one in inside]
        elif label or path.suffix == ".lm" or (path.is_file() and is_model_file(path)):
            found.append((label or path.stem, path))
        elif place < len(files) - 1:
            raise UsageError(f"{name} is not a model", "models first, and TEXT last")
        else:
            text = name
    refuse_repeated([label for label, _ in found], "the name {}", "a name for each: NAME=MODEL")
    return dict(found), text


def named_model(name: str) -> tuple[str, Path]:
    """``NAME=FILE`` in its parts; a file that is called so is a file."""
    label, sign, path = name.partition("=")
    if sign and label and path and not Path(name).exists():
        return label, Path(path)
    return "", Path(name)


def refuse_repeated(labels: list[str], what: str, hint: str) -> None:
    """Raises `UsageError` where one of ``labels`` is there twice; ``what`` says what it is, and
    ``hint`` what is wanted in its place."""
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise UsageError(f"{what.format(twice)} is there twice", hint)


def training_texts(folder: Path) -> dict[str, list[Path]]:
    """The texts in ``folder`` by their labels: a file has one of its own, and so has a folder of
    files. Hidden files are left out."""
    texts: dict[str, list[Path]] = {}
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        inside = [entry]
        label = entry.name
        if entry.is_dir():
            inside = [one for one in sorted(entry.rglob("*")) if one.is_file()]
            inside = [one for one in inside if not one.name.startswith(".")]
        else:
            bare = entry.with_suffix("") if entry.suffix in COMPRESSED else entry
            label = bare.stem
        if label in texts:
            raise UsageError(f"two texts in {folder} are called {label}", "other names for them")
        if inside:
            texts[label] = inside
    return texts


def _place(output: Path, label: str) -> Path:
    return output / f"{label}.lm"


def _train(
    console: Console,
    folder: Path,
    output: Path | None,
    options: dict[str, Any],
    reading: dict[str, Any],
) -> dict[str, Path]:
    """One model for each text of ``folder``; their labels and files."""
    from lmkit import api

    if output is None:
        raise UsageError("--train makes models, which need a place", "--output FOLDER")
    if output.resolve().is_relative_to(folder.resolve()):
        raise UsageError(f"models in {output} would be texts of --train", "another --output FOLDER")
    texts = training_texts(folder)
    if not texts:
        raise UsageError(f"there is no text in {folder}", "a folder with a text for each label")
    check_method_options(options)
    settings = text_settings(options, tokenizer="char")
    options = {"order": 6, **options}
    output.mkdir(parents=True, exist_ok=True)
    with ProgressBars(console) as bars:
        progress = bars.bar("training", "")
        for done, (label, files) in enumerate(texts.items()):
            if progress is not None:
                progress(done, len(texts))
            api.train(*files, output=_place(output, label), settings=settings, **reading, **options)
    console.remark(f"{output}: {len(texts)} models: {', '.join(texts)}")
    return {label: _place(output, label) for label in texts}


def _blocks(reader: TextReader) -> Iterator[LineBlock]:
    from lmkit.text.reading import iter_line_blocks

    return iter_line_blocks(reader, max_lines=BLOCK)


def _classified(classifier: Classifier, block: LineBlock, texts: list[str]) -> Classified:
    """What the models say of ``texts``, one of each line of ``block``."""
    from lmkit.text.lexicon import SpecialTokenError

    try:
        return classifier(texts)
    except SpecialTokenError:
        for number, text in enumerate(texts, block.first_line):
            try:
                classifier([text])
            except SpecialTokenError as error:
                raise SpecialTokenError(error.token, f"{block.source}, line {number}") from None
        raise


def _write(console: Console, classifier: Classifier, reader: TextReader, fmt: Format) -> None:
    """A row a line."""
    nested = fmt in ("json", "jsonl")
    prefix = "" if fmt == "table" else "log10_per_character_"
    each = ["log10_per_character"] if nested else [prefix + name for name in classifier.labels]
    with RowWriter(console, ["line", "label", "posterior", *each, "text"], fmt) as writer:
        for block in _blocks(reader):
            found = _classified(classifier, block, block)
            best = found.best
            costs: list[Any] = found.log10_per_character.tolist()
            if nested:
                costs = [[dict(zip(found.labels, row, strict=True))] for row in costs]
            posteriors = found.posterior[range(len(best)), best].tolist()
            writer.write(
                [
                    [number, found.labels[label], posterior, *row, line]
                    for number, label, posterior, row, line in zip(
                        range(block.first_line, block.first_line + len(block)),
                        best.tolist(),
                        posteriors,
                        costs,
                        block,
                        strict=True,
                    )
                ]
            )
            console.flush()


def _evaluate(console: Console, classifier: Classifier, reader: TextReader, fmt: Format) -> None:
    """The accuracy on labelled lines, and what is taken for what."""
    from lmkit.evaluate.classification import Confusion

    confusion = Confusion(classifier.labels)
    for block in _blocks(reader):
        parts = [line.partition("\t") for line in block]
        for number, (_, tab, _) in enumerate(parts, block.first_line):
            if not tab:
                raise TextError(
                    f"{block.source}, line {number}: there is no tab behind a label",
                    "label<TAB>text, or leaving out --labelled",
                )
        found = _classified(classifier, block, [text for _, _, text in parts])
        labels = [found.labels[best] for best in found.best.tolist()]
        confusion.add([label for label, _, _ in parts], labels)
    if fmt in ("json", "jsonl"):
        pairs = {
            str(row[0]): dict(zip(confusion.labels, row[3:], strict=True)) for row in confusion.rows
        }
        figures = {"lines": confusion.texts, "accuracy": confusion.accuracy, "confusion": pairs}
        console.write_line(to_json(figures))
        return
    write_rows(console, confusion.rows, ["label", "lines", "accuracy", *confusion.labels], fmt)
    console.remark(f"{confusion.texts:,} lines, accuracy {confusion.accuracy:.4f}")

"""``lmkit compare``: models of every kind on the same corpus, in one table."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lmkit.cli.command import command
from lmkit.cli.compared_models import chosen_models, with_times
from lmkit.cli.console import Console, pass_console
from lmkit.cli.headings import heading
from lmkit.cli.layout import text
from lmkit.cli.model_options import text_settings, text_settings_options
from lmkit.cli.neural_options import Duration, live_line
from lmkit.cli.options import minimal_pairs_option, reading_options, text_source
from lmkit.cli.output import Format, output_formats, write_rows
from lmkit.cli.paths import Group, InputPath, OutputFolder, OutputPath, named
from lmkit.cli.progress import ProgressBars
from lmkit.errors import LmkitError, UsageError
from lmkit.files.claims import claimed

if TYPE_CHECKING:
    from lmkit.evaluate.comparison.corpus import Corpus
    from lmkit.evaluate.comparison.specs import Spec
    from lmkit.evaluate.results import Comparison, ModelResult

FORMATS = ("json", "jsonl", "csv", "tsv", "markdown")
TEXTS = ("train", "valid", "test")


class Shares(click.ParamType):
    """Parts of the training text: ``1%,10%,100%``."""

    name = "parts"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        if isinstance(value, tuple):
            return value
        try:
            shares = tuple(_share(part.strip()) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not a list of parts; write 1%,10%,100%", param, ctx)
        if not all(0 < share <= 1 for share in shares):
            self.fail(f"{value!r}: parts are above 0 % and at most 100 %", param, ctx)
        return shares


def _share(part: str) -> float:
    return float(part[:-1]) / 100 if part.endswith("%") else float(part)


def _files(params: Mapping[str, Any]) -> Iterator[Group]:
    """What is written into --output, and what must not be lost there, to --report above all."""
    from lmkit.evaluate.comparison.corpus import written_files
    from lmkit.evaluate.comparison.tokenizers import tokenizer_file

    folder, corpus = params["output"], params["corpus"]
    # What can be read once only is copied.
    copied = [split for split in TEXTS if not os.path.isfile(str(params[split]))]
    written = written_files(folder / "corpus", TEXTS if corpus else copied)
    kept = [path for path in (folder / "models").glob("*") if path.is_file()]
    results = folder / "results.db"
    given = [named(f"--{split}", params[split]) for split in TEXTS]
    read = [*named("CORPUS", corpus), *chain(*given)]
    for spec in chosen_models(params["models"], params["suite"], params["sweeps"]):
        tokenizer = tokenizer_file(spec.tokenizer)
        files = (spec.path, spec.options.get("vocabulary"), spec.options.get("teacher"), tokenizer)
        for file in files:
            read += named("--model", file)
    read += chain(*(named("--minimal-pairs", file) for file in params["minimal_pairs"]))
    made = [*written, results, *(kept if params["force"] else [])]
    yield named("--output", tuple(made)), read
    yield (
        named("--report", params["report"]),
        [
            *read,
            *named("a file of --output", (*written, results, *kept)),
        ],
    )


@command(files=_files)
@click.argument("corpus", required=False, type=InputPath(), metavar="[CORPUS]")
@click.option("--train", type=InputPath(), metavar="FILE", help="The text to train on.")
@click.option("--valid", type=InputPath(), metavar="FILE", help="Held-out text to choose by.")
@click.option("--test", type=InputPath(), metavar="FILE", help="The text to be compared on.")
@click.option("--dataset", metavar="NAME", help="A data set of lmkit data.  [default: builtin]")
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="SPEC",
    help="A model file, or backend:option=value,option=value with the options of lmkit train.",
)
@click.option(
    "--suite",
    type=click.Choice(["quick", "classic", "full", "subword"]),
    help="A set of models.  [default: quick, unless there is a --model]",
)
@click.option(
    "--sweep",
    "sweeps",
    multiple=True,
    metavar="KEY=VALUES",
    help="Each --model with an option at several values: tokenizer=bpe:500..32000, order=1..6,"
    " hidden-size=64,128, dropout=0.1..0.5:5.",
)
@click.option(
    "--time-budget",
    type=Duration(),
    metavar="TIME",
    help="For all models together, such as 5m; networks share what n-grams leave."
    "  [default: 30s, 10m, 30m, 20m, by the suite]",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, metavar="N", help="The first seed.")
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    help="Train what draws random numbers N times, and report the spread.",
)
@click.option(
    "--curve",
    "shares",
    type=Shares(),
    metavar="P,P,...",
    help="Learning curves: train on parts of the text too, such as 1%,3%,10%,30%,100%.",
)
@click.option("--drop-overlap", is_flag=True, help="Leave out test lines that were trained on.")
@minimal_pairs_option
@click.option("--force", is_flag=True, help="Train again what is there already.")
@click.option(
    "--output",
    "-o",
    type=OutputFolder(path_type=Path),
    default=Path("comparison"),
    metavar="DIR",
    help="Where models and results.db are kept.",
)
@click.option(
    "--report",
    type=OutputPath(path_type=Path),
    metavar="FILE",
    help="Write an HTML page too; if FILE ends in .svg, only its bar chart.",
)
@text_settings_options()
@heading("How text becomes tokens (stored in the model)", reading_options)
@output_formats
@heading("Output formats", click.option("--markdown", is_flag=True, help="A table in Markdown."))
@pass_console
def compare(
    console: Console,
    corpus: str | None,
    models: tuple[str, ...],
    suite: str | None,
    sweeps: tuple[str, ...],
    output: Path,
    report: Path | None,
    fmt: Format,
    markdown: bool,
    **given: Any,
) -> None:
    """Compare models of every kind on the same text.

    Trains the models of a suite, or each SPEC, on one corpus, tests them on the same
    text and says which is better, by how much, and whether that is more than chance.
    CORPUS is split by a fixed rule; --train, --valid and --test name the splits.
    Models and results.db stay in --output: what is there is not trained again, and
    an interrupted comparison goes on.

    Bits per character are of one text for all models, unknown words paid for:
    words, characters and bytes can be compared. Perplexities can be compared only
    between models with the same tokens and vocabulary.

    Example:

        lmkit compare text.txt --model ngram:order=2 --model ngram:order=3,smoothing=katz
        lmkit compare text.txt --model ngram:order=3 --curve 10%,30%,100%
        lmkit compare text.txt --model ngram --sweep tokenizer=bpe:500..2000
    """
    if markdown and fmt != "table":
        raise UsageError(f"--markdown and --{fmt} exclude each other", "one of the two")
    options = {key: value for key, value in given.items() if value is not None}
    specs = chosen_models(models, suite, sweeps)
    if report is not None:
        from lmkit.evaluate.report import require_report

        require_report(report, coming=output)
    if files := options.pop("minimal_pairs"):
        from lmkit.evaluate.minimal_pairs import read_pairs

        options["pairs"] = read_pairs(files)
    _make_folder(output)
    # Two at once would train on each other's text.
    click.get_current_context().with_resource(claimed(output / "results.db", output))
    training = any(spec.path is None for spec in specs)
    texts = _corpus(console, corpus, output, options, training)
    if suite is None and not models:
        suite = "quick"
    specs = with_times(specs, suite, texts, options)
    found = _compare(console, texts, specs, output, options)
    with ExitStack() as then:
        # Whatever becomes of one of the three, the others are not lost.
        then.callback(_keep, console, found, texts.test_lines, output / "results.db")
        if report is not None and found.ranked:
            then.callback(_report, console, found, report)
        _write(console, found, fmt, markdown)
        console.flush()
    if not found.ranked:
        raise LmkitError("none of the models could be compared", "the reasons above")


def _keep(console: Console, found: Comparison, test_lines: Sequence[str], path: Path) -> None:
    from lmkit.evaluate.comparison.database import LONGEST_WAIT, write_results

    def waiting() -> None:
        console.remark(
            f"{path} is locked by another program; waiting for it, {LONGEST_WAIT:.0f} s at most"
        )

    write_results(found, test_lines, path, waiting)


def _report(console: Console, found: Comparison, path: Path) -> None:
    from lmkit.evaluate.report import write_report

    write_report(found, path)
    console.remark(f"report: {path}")


def _make_folder(output: Path) -> None:
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LmkitError(
            f"cannot make the directory {output}: {(error.strerror or str(error)).lower()}",
            "another --output",
        ) from error


def _corpus(
    console: Console, corpus: str | None, output: Path, options: dict[str, Any], training: bool
) -> Corpus:
    """The texts that the command line names, ready to train and test on."""
    from lmkit.evaluate.comparison.corpus import prepare
    from lmkit.store.modelfile import is_model_file
    from lmkit.text.encodings import encoded

    files = {split: options.pop(split) for split in TEXTS if split in options}
    dataset = options.pop("dataset", None)
    chosen = [
        what
        for what, there in (
            (f"CORPUS {corpus}", corpus),
            (" ".join(f"--{split}" for split in files), files),
            ("--dataset", dataset),
        )
        if there
    ]
    if len(chosen) > 1:
        raise UsageError(f"{' and '.join(chosen)} exclude each other", "one of them")
    name = corpus or dataset or "builtin"
    encoding = options.pop("encoding", None)

    def source(path: str | None) -> Any:
        return encoded(text_source(console, path), encoding)

    sources: dict[str, Any] = {split: source(path) for split, path in files.items()}
    if corpus is not None:
        if is_model_file(corpus):
            raise UsageError(f"{corpus} is a model, not text", f"--model {corpus}")
        sources = {"all": source(corpus)}
        name = "standard input" if corpus == "-" else Path(corpus).name
    elif files:
        name = Path(files.get("train") or files["test"]).name
    else:
        if encoding is not None:
            raise UsageError(
                f"--encoding says what files are in, and {name} is a data set", "no --encoding"
            )
        sources = dict(_dataset(name))
    settings = text_settings(options)
    return prepare(
        output / "corpus",
        settings,
        sources,
        name=name,
        errors=options.pop("errors"),
        drop_overlap=options.pop("drop_overlap"),
        training=training,
    )


def _dataset(name: str) -> dict[str, Path]:
    from lmkit.datasets.catalogue import find_dataset
    from lmkit.datasets.library import dataset_path

    splits = list(find_dataset(name).splits)
    paths = {split: dataset_path(name, split) for split in splits}
    return {"all": paths[splits[0]]} if len(splits) == 1 else paths


def _compare(
    console: Console, texts: Corpus, specs: Sequence[Spec], output: Path, options: dict[str, Any]
) -> Comparison:
    from lmkit.cli.comparison_table import remarks
    from lmkit.evaluate.comparison.run import Listener, compare
    from lmkit.evaluate.comparison.training import Watching
    from lmkit.evaluate.results import Comparison

    for remark in remarks(Comparison(texts.facts, [])):
        console.remark(remark)
    with ProgressBars(console) as bars:
        overall = bars.bar("models", "")

        def begun(number: int, of: int, name: str) -> None:
            if overall is not None:
                overall(number - 1, of)

        def done(row: ModelResult) -> None:
            console.remark(_heard(row))

        listener = Listener(begun, done, Watching(bars.stages(), live_line(bars)))
        return compare(
            texts,
            specs,
            output / "models",
            command=command_line(click.get_current_context()),
            listener=listener,
            **options,
        )


def command_line(context: click.Context) -> str:
    """What was typed, from what it was understood as; without the format of the output."""
    words = ["lmkit", "compare"]
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        value = context.params.get(name)
        if source is not click.core.ParameterSource.COMMANDLINE or value is None:
            continue
        if isinstance(parameter, click.Argument):
            words.append(str(value))
        elif isinstance(parameter, click.Option) and parameter.is_flag:
            words.append(parameter.opts[0] if value else parameter.secondary_opts[0])
        elif isinstance(parameter.type, Shares):
            words += [parameter.opts[0], ",".join(f"{100 * share:g}%" for share in value)]
        else:
            for one in value if parameter.multiple else [value]:
                words += [parameter.opts[0], f"{one:g}" if isinstance(one, float) else str(one)]
    return shlex.join([word for word in words if word not in {f"--{name}" for name in FORMATS}])


def _heard(row: ModelResult) -> str:
    from lmkit.cli.comparison_table import duration

    if row.status == "failed":
        return f"{row.name}: failed: {row.reason}"
    how = {"trained": f"trained in {duration(row.training_seconds)}"}.get(row.origin, row.origin)
    return f"{row.name}: {how}; {row.bits_per_character:.4f} bits/char"


def _write(console: Console, found: Comparison, fmt: Format, markdown: bool) -> None:
    from lmkit.cli.comparison_table import (
        crossing_lines,
        curve_table,
        legend,
        table,
    )
    from lmkit.cli.comparison_table import markdown as markdown_table
    from lmkit.cli.sweep_table import sweep_markdown, sweep_table

    if fmt != "table":
        from lmkit.evaluate.comparison.database import flat

        rows = [flat(row, found, nested=fmt.startswith("json")) for row in found.rows]
        write_rows(console, [list(row.values()) for row in rows], list(rows[0]), fmt)
        return
    if markdown:
        for line in [*markdown_table(found), *sweep_markdown(found)]:
            console.write_line(line)
        return
    if found.ranked:
        for line in table(found, console.width):
            console.write_line(line)
        for line in legend(found, console.width):
            console.write_line(line)
    for row in found.failed:
        console.write_line(f"failed: {text(row.name)}: {text(row.reason)}")
    if found.sweep:
        console.write_line()
        for line in sweep_table(found, console.width):
            console.write_line(line)
    if found.curves:
        console.write_line()
        for line in [*curve_table(found), *crossing_lines(found)]:
            console.write_line(line)

"""``lmkit minimal-pairs``: whether models prefer the good one of two sentences."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lmkit.cli.classify import named_model, refuse_repeated
from lmkit.cli.command import command
from lmkit.cli.console import Console, pass_console
from lmkit.cli.options import reading_options, special_tokens_option, text_source
from lmkit.cli.output import Format, output_formats, write_rows
from lmkit.cli.paths import InputPath
from lmkit.cli.progress import ProgressBars
from lmkit.errors import UsageError

if TYPE_CHECKING:
    from lmkit.evaluate.minimal_pairs import Accuracy, AccuracyDifference, PairsRow, Per


@command()
@click.argument("files", nargs=-1, required=True, type=InputPath(), metavar="MODEL... FILE...")
@click.option(
    "--group",
    metavar="FIELD",
    help="The field that names the group of a pair.  [default: UID, or else the file's name]",
)
@click.option(
    "--per",
    type=click.Choice(["sentence", "token", "character"]),
    default="sentence",
    help="What is compared: log p of a sentence, or that divided by its length.",
)
@click.option(
    "--unknown-words",
    type=click.Choice(["spell", "token"]),
    default="spell",
    help="Unknown words pay for their letters too, or all cost what <unk> costs.",
)
@special_tokens_option
@reading_options
@output_formats
@pass_console
def minimal_pairs(
    console: Console,
    files: tuple[str, ...],
    group: str | None,
    per: Per,
    unknown_words: str,
    special_tokens: str | None,
    encoding: str | None,
    errors: str,
    fmt: Format,
) -> None:
    """Count how often models prefer the good of two sentences.

    FILE has a pair a line, in the format of BLiMP: a JSON object with sentence_good,
    sentence_bad and a field that names its group. A folder stands for all .jsonl files
    in it, - for standard input. MODEL may be NAME=FILE.

    The accuracy is that of each group, the mean over groups, and that of all pairs,
    with 95 % intervals (Wilson's). Sentences that are equally likely count half. With
    several models each is compared with the first one: p is that of an exact sign test
    over pairs, for the mean that of a permutation test over groups.

    --json, --csv and the others have the accuracies per token and per character too.

    Example:

        lmkit minimal-pairs model.lm pairs.jsonl
        lmkit minimal-pairs model.lm other=other.lm pairs.jsonl --group field --csv
    """
    models, texts = _split(files)
    sources = [text_source(console, text) for text in texts]

    from lmkit.api import load
    from lmkit.evaluate.minimal_pairs import read_pairs, rows_by_group, score_pairs

    opened = {name: load(path) for name, path in models.items()}
    pairs = read_pairs(sources, group=group, encoding=encoding, errors=errors)
    found: dict[str, list[PairsRow]] = {}
    base = None
    with ProgressBars(console) as bars:
        for name, model in opened.items():
            scores = score_pairs(
                model,
                pairs,
                unknown_words=unknown_words,
                special_tokens=special_tokens,
                progress=bars.bar(name, ""),
            )
            if unknown_words == "spell" and not scores.spelt:
                console.remark(
                    f"note: {name}: no model of how unknown words are spelt, so all of them cost"
                    " the same"
                )
            found[name] = rows_by_group(pairs, scores, base, per)
            base = base or scores
    if fmt == "table":
        _write_table(console, found, per)
        for name, rows in found.items():
            console.remark(_about(name, rows[-1], per))
    else:
        _write_rows(console, found, fmt)


def _split(files: tuple[str, ...]) -> tuple[dict[str, Path], list[str]]:
    """The models by their names, and the files of pairs."""
    from lmkit.store.modelfile import is_model_file

    models: list[tuple[str, Path]] = []
    texts: list[str] = []
    for file in files:
        name, path = named_model(file)
        if name or path.suffix == ".lm" or (path.is_file() and is_model_file(path)):
            models.append((name or path.stem, path))
        else:
            texts.append(file)
    if not models:
        raise UsageError("there is no model among the files", "a model first, then its pairs")
    refuse_repeated([name for name, _ in models], "the name {}", "a name for each: NAME=MODEL")
    return dict(models), texts or ["-"]


def _write_rows(console: Console, found: dict[str, list[PairsRow]], fmt: Format) -> None:
    from lmkit.evaluate.minimal_pairs import flat_rows

    to_first = dict.fromkeys(["difference", "difference_low", "difference_high", "p_value"])
    rows = [
        {"model": name, **values, **({} if "difference" in values else to_first)}
        for name, of_model in found.items()
        for values in flat_rows(of_model)
    ]
    write_rows(console, [list(row.values()) for row in rows], list(rows[0]), fmt)


def _write_table(console: Console, found: dict[str, list[PairsRow]], per: Per) -> None:
    """A row a group, and columns of each model."""
    groups = next(iter(found.values()))
    table: list[list[Any]] = [[_title(row, len(groups) - 2), row.by[per].pairs] for row in groups]
    columns = ["group", "pairs"]
    for name, rows in found.items():
        columns += [name, "95 %"]
        for line, row in zip(table, rows, strict=True):
            line += [row.by[per].accuracy, _limits(row.by[per])]
        if rows[0].difference is not None:
            columns += ["to first", "p"]
            for line, row in zip(table, rows, strict=True):
                line += _to_first(row.difference)
    write_rows(console, table, columns)


def _title(row: PairsRow, groups: int) -> str:
    if row.total is None:
        return str(row.group)
    if row.total == "pairs":
        return "all pairs"
    return f"mean of {groups} group{'s' * (groups != 1)}"


def _limits(found: Accuracy) -> str:
    return f"{found.low:.4f}..{found.high:.4f}"


def _to_first(found: AccuracyDifference | None) -> list[str]:
    assert found is not None
    p = "<.001" if found.p_value < 0.001 else f"{found.p_value:.3f}".replace("0.", ".", 1)
    return [f"{found.difference:+.4f}±{(found.high - found.low) / 2:.4f}", p]


def _about(name: str, row: PairsRow, per: Per) -> str:
    """What must be known of a model's accuracy."""
    said = f"{name}: {row.by[per].ties:,} of {row.by[per].pairs:,} pairs tie and count half"
    return f"{said}; {row.unknown:,} have a word that the model does not know"

"""``lmkit data``: the catalogue of data sets, fetching them, and where they are."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem

from lmkit.cli.command import group
from lmkit.cli.console import Console, pass_console
from lmkit.cli.output import Format, output_formats, write_rows
from lmkit.cli.progress import ProgressBars, Report


def _complete_name(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from lmkit.datasets.catalogue import catalogue

    return [
        CompletionItem(name, help=dataset.description)
        for name, dataset in catalogue().items()
        if name.startswith(incomplete)
    ]


name_argument = click.argument("name", shell_complete=_complete_name)
split_option = click.option(
    "--split",
    "splits",
    multiple=True,
    metavar="SPLIT",
    help="Only this split, such as train, valid or test; may be given more than once.",
)


@group()
def data() -> None:
    """List and fetch data sets.

    They go to data/ in the directory that LMKIT_HOME names, by default the one your
    system gives to applications. The data set "builtin" needs no network.

    Example:

        lmkit data list
        lmkit data path builtin --split train
    """


@data.command("list")
@click.option("--files", is_flag=True, help="One row a file, with its address and git blob id.")
@output_formats
@pass_console
def list_(console: Console, fmt: Format, files: bool) -> None:
    """List the data sets there are.

    "present" says whether a data set is on this machine, or can be made here; "bytes"
    is the size of the download, where it is known beforehand.

    Example:

        lmkit data list
        lmkit data list --files --json
    """
    if files:
        _list_files(console, fmt)
        return
    from lmkit.datasets.catalogue import catalogue
    from lmkit.datasets.library import present_splits

    columns = ["name", "splits", "bytes", "present", "licence", "home", "description"]
    rows = [
        [
            dataset.name,
            list(dataset.splits) if fmt in ("json", "jsonl") else " ".join(dataset.splits),
            dataset.size,
            present_splits(dataset) == list(dataset.splits),
            dataset.licence,
            dataset.home,
            dataset.description,
        ]
        for dataset in catalogue().values()
    ]
    if fmt == "table":  # the address is long, and no help in choosing
        columns.remove("home")
        for row in rows:
            del row[5]
    write_rows(console, rows, columns, fmt)


def _list_files(console: Console, fmt: Format) -> None:
    from lmkit.datasets.catalogue import catalogue
    from lmkit.datasets.library import present_splits

    columns = ["name", "split", "bytes", "present", "git_blob", "url"]
    rows = [
        [
            dataset.name,
            split,
            source.size if source else None,
            split in present_splits(dataset),
            source.git_blob if source else None,
            source.url if source else None,
        ]
        for dataset in catalogue().values()
        for split, source in dataset.splits.items()
    ]
    write_rows(console, rows, columns, fmt)


@data.command()
@name_argument
@split_option
@click.option("--force", is_flag=True, help="Fetch or make it again, even if it is there.")
@pass_console
def get(console: Console, name: str, splits: tuple[str, ...], force: bool) -> None:
    """Fetch the data set NAME and print the paths of its files.

    What was fetched before is not fetched again. A download that broke off goes on where
    it stopped; each file is checked before it is put in place. LMKIT_DATA_MIRROR names
    another base address than the one in the catalogue.

    Example:

        lmkit data get builtin
        lmkit data get wikitext-2 --split test
    """
    from lmkit.datasets.catalogue import find_dataset
    from lmkit.datasets.library import get_dataset, present_splits

    dataset = find_dataset(name)
    missing = set(splits or dataset.splits) - set(present_splits(dataset))
    with ProgressBars(console) as bars:
        reports: dict[str, Report | None] = {}

        def progress(split: str, done: int, total: int | None) -> None:
            if split not in reports:
                reports[split] = bars.bar(f"{name} {split}")
            report = reports[split]
            if report:
                report(done, total)

        def waiting(split: str) -> None:
            console.remark(f"{name} ({split}) is being fetched by another process; waiting for it.")

        paths = get_dataset(name, splits or None, progress, force=force, waiting=waiting)
    if missing or force:
        console.remark(f"{name}: licence {dataset.licence}; see {dataset.home}")
    _print_paths(console, list(paths.values()))


@data.command()
@name_argument
@split_option
@pass_console
def path(console: Console, name: str, splits: tuple[str, ...]) -> None:
    """Print the paths of the files of the data set NAME, one a line.

    The built-in corpus is written where it is missing. Any other data set must have been
    fetched before.

    Example:

        lmkit data path builtin --split train
    """
    from lmkit.datasets.catalogue import find_dataset
    from lmkit.datasets.library import dataset_path

    chosen = splits or tuple(find_dataset(name).splits)
    _print_paths(console, [dataset_path(name, split) for split in chosen])


def _print_paths(console: Console, paths: list[Path]) -> None:
    for path in paths:
        console.write_line(str(path))

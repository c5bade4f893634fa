"""Data sets as files on this machine: where they are, and how they get there.

A split is there when its text file is there: files are put in place by a rename,
after the check, so there never is a part of one.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

from lmkit.datasets.builtin import builtin_corpus
from lmkit.datasets.catalogue import Dataset, Source, check_split, find_dataset
from lmkit.datasets.location import cannot_write, partial_directory, split_file
from lmkit.errors import DownloadError, UsageError
from lmkit.files.locking import exclusive
from lmkit.files.replacing import replace

Progress = Callable[[str, int, int | None], None]
"""Called with the split, the bytes there are so far, the bytes there will be (None: not known)."""


def dataset_path(name: str, split: str | None = None) -> Path:
    """The text file of one split of a data set that is on this machine.

    ``split`` may be left out where the data set has only one. The built-in corpus
    is written when it is asked for; nothing is fetched. Raises `UsageError` for a
    name or split that does not exist, `DownloadError` for one that was not fetched.
    """
    dataset = find_dataset(name)
    if split is None:
        if len(dataset.splits) > 1:
            raise UsageError(
                f"data set {name!r} has more than one split", f"one of {', '.join(dataset.splits)}"
            )
        split = next(iter(dataset.splits))
    path = split_file(name, check_split(dataset, split))
    if dataset.splits[split] is None:
        _write_builtin(dataset, force=False)
    elif not path.exists():
        wanted = f"data set {name!r}" + (f" ({split})" if len(dataset.splits) > 1 else "")
        raise DownloadError(f"{wanted} has not been fetched", f"`lmkit data get {name}`")
    return path


def get_dataset(
    name: str,
    splits: Iterable[str] | None = None,
    progress: Progress | None = None,
    *,
    force: bool = False,
    waiting: Callable[[str], None] | None = None,
) -> dict[str, Path]:
    """Bring a data set, or the named ``splits`` of it, to this machine.

    What is there already is left alone, unless ``force`` asks for it anew; the old
    file stays until the new one is whole and checked. ``waiting`` is called with
    the split while another process fetches the same file. Returns the text file
    of each split. Raises `UsageError` for a name or split that does not exist,
    `DownloadError` where a file could not be fetched whole.
    """
    dataset = find_dataset(name)
    chosen = [check_split(dataset, split) for split in (splits or dataset.splits)]
    for split in chosen:
        source = dataset.splits[split]
        if source is None:
            _write_builtin(dataset, force=force)
            force = False  # all splits are written together
        elif force or not split_file(name, split).exists():
            _fetch_split(dataset, split, source, progress, waiting, force)
    return {split: split_file(name, split) for split in chosen}


def present_splits(dataset: Dataset) -> list[str]:
    """The splits that are on this machine, or can be made here without a download."""
    return [
        split
        for split, source in dataset.splits.items()
        if source is None or split_file(dataset.name, split).exists()
    ]


def _fetch_split(
    dataset: Dataset,
    split: str,
    source: Source,
    progress: Progress | None,
    waiting: Callable[[str], None] | None,
    force: bool,
) -> None:
    from lmkit.datasets.fetch import Partial, fetch  # TLS and HTTP, only where they are needed

    target = split_file(dataset.name, split)
    label = dataset.name if len(dataset.splits) == 1 else f"{dataset.name} ({split})"
    body = partial_directory() / f"{dataset.name}-{split}.partial"
    try:
        with exclusive(body.with_suffix(".lock"), (lambda: waiting(split)) if waiting else None):
            if target.exists() and not force:
                return  # the process that held the lock has brought it
            report = (lambda done, total: progress(split, done, total)) if progress else None
            fetch(source, label, Partial(body), report)
            _publish(body, target, source, label)
    except OSError as error:
        raise cannot_write(target, error) from error


def _publish(body: Path, target: Path, source: Source, label: str) -> None:
    """Turn a checked download into the text file of its split, all at once."""
    text = body
    try:
        if source.conversion is not None:
            text = body.with_suffix(".converted")
            _convert(body, text, source)
        target.parent.mkdir(parents=True, exist_ok=True)
        replace(text, target)
    except (ValueError, zipfile.BadZipFile) as error:
        raise DownloadError(
            f"cannot read {label}: {error}", "a newer lmkit, and tell its authors"
        ) from error
    finally:
        body.unlink(missing_ok=True)
        text.unlink(missing_ok=True)


def _convert(body: Path, text: Path, source: Source) -> None:
    """Raises ValueError or `zipfile.BadZipFile` where ``body`` is not what it should be."""
    if source.conversion == "brown":
        from lmkit.datasets.brown import write_plain_text

        write_plain_text(body, text)
        return
    from lmkit.datasets.pairs import write_pairs

    count = write_pairs(body, text, str(source.conversion))
    if count < source.least:
        raise ValueError(f"it holds {count} pairs, not {source.least} or more")


def _write_builtin(dataset: Dataset, *, force: bool) -> None:
    """Write all splits of the built-in corpus, unless all of them are there.

    Never one of them alone: splits made by two Python versions could share text.
    """
    targets = {split: split_file(dataset.name, split) for split in dataset.splits}
    if not force and all(target.exists() for target in targets.values()):
        return
    corpus = builtin_corpus()
    try:
        with exclusive(partial_directory() / f"{dataset.name}.lock"):
            for split, target in targets.items():
                text = partial_directory() / f"{dataset.name}-{split}.partial"
                try:
                    text.write_text("".join(f"{line}\n" for line in corpus[split]), "utf-8")
                    target.parent.mkdir(parents=True, exist_ok=True)
                    replace(text, target)
                finally:
                    text.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(next(iter(targets.values())).parent, error) from error

"""Models made of models, such as a mixture or a channel with its source: where the parts are.

A part is named by its path, relative to the folder of the file that names it, with its SHA-256;
or it is carried: its tables stand in that file too, under a prefix. ``meta`` says which, under
the key ``components``.

A model may come from anybody, and must not have other files opened. So a part that is named lies
in the folder of the file that names it, or below; what lies elsewhere is carried. Files made
before that rule may name such parts: these are opened only where they are regular files, lmkit
models, and have that SHA-256 to the last byte, so that nothing is read that whoever made the file
did not have.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lmkit.errors import LmkitError, ModelFileError, UsageError, one_line
from lmkit.model import LanguageModel
from lmkit.registry import resolve
from lmkit.remarks import remark
from lmkit.store.checksums import fill, seal_table, watch_edits
from lmkit.store.damage import HINT, damage
from lmkit.store.facts import check, integer, matching, record, sequence, text
from lmkit.store.modelfile import Inside, ModelReader, ModelWriter, is_model_file
from lmkit.store.schema import create_tables
from lmkit.store.tokenizers import is_tokenizer
from lmkit.store.values import to_json

KEY = "components"
DEEPEST, MOST = 16, 256
"""Models within models, and how many parts there may be in all: a file that names itself, or ten
files that each name the next one ten times, would never be open."""
PART = re.compile(r"component[1-9][0-9]{0,3}\.")
ENTRIES = sequence(
    record(
        {},
        also={
            "prefix": matching(PART),
            "path": text,
            "sha256": text,
            "bytes": integer(),
            "modified": integer(),
        },
    ),
    1,
)


@dataclass(frozen=True, slots=True)
class Component:
    """``model`` and the ``place`` it was read from; None for one that is in memory only."""

    model: LanguageModel
    place: Path | Inside | None


def component(model: LanguageModel | str | Path) -> Component:
    """``model``, which is opened where it is a path. Raises what opening a model raises."""
    if isinstance(model, LanguageModel):
        return Component(model, None)
    place = model if isinstance(model, Inside) else Path(model)
    return Component(open_model(place), place)


def open_model(place: str | Path) -> LanguageModel:
    """The model in ``place``, whatever its backend.

    Raises `ModelFileError` where there is none, or one that is damaged or from a newer lmkit.
    """
    with _opening(place), damage(place):
        reader = ModelReader(place)
        if is_tokenizer(reader):
            raise ModelFileError(
                f"{place} is a tokenizer, not a model",
                f"lmkit train TEXT --tokenizer {place} --output MODEL.lm",
            )
        meta = reader.meta
        if not isinstance(meta.get("backend"), str):
            raise ValueError("it does not say what kind of model it is")
        try:
            backend = resolve("backend", meta["backend"])
        except UsageError as error:
            raise ModelFileError(f"{place}: {error.message}", error.hint) from error
        model: LanguageModel = backend.open(place)
        return model


@dataclass(slots=True)
class _Opening:
    """The models that are being opened, each a part of the one before, and how many have been."""

    within: list[str] = field(default_factory=list)
    parts: int = 0


_opening_now: ContextVar[_Opening | None] = ContextVar("opening", default=None)


@contextlib.contextmanager
def _opening(place: str | Path) -> Iterator[None]:
    """Within the block ``place`` is being opened. Raises `ModelFileError` where it is a part of
    itself, or there are too many parts."""
    now, token = _opening_now.get(), None
    if now is None:
        now = _Opening()
        token = _opening_now.set(now)
    name = str(place) if isinstance(place, Inside) else os.path.realpath(place)
    now.parts += 1
    try:
        if name in now.within or len(now.within) > DEEPEST or now.parts > MOST:
            raise ModelFileError(
                f"{place} is made of itself, or of too many models: it is damaged", HINT
            )
        now.within.append(name)
        yield
        now.within.pop()
    finally:
        if token is not None:
            _opening_now.reset(token)


def save_components(
    writer: ModelWriter, components: Sequence[Component], embed: bool = False
) -> None:
    """Write into ``meta`` where the ``components`` are, and with ``embed`` carry them all. Those
    that are in memory only, are carried already, or lie outside the folder of the file, are
    carried always.

    Raises `LmkitError` where the file would take the place of one that it names.
    """
    entries: list[dict[str, Any]] = []
    for number, part in enumerate(components, 1):
        prefix = f"component{number}."
        if isinstance(part.place, Path) and not embed:
            if _lies_below(part.place, writer.path):
                _refuse_itself(part.place, writer.path)
                entries.append(_named(part.place, writer.path))
                continue
            remark(f"{part.place} is not in the folder of {writer.path}, which carries it")
        if part.place is None:
            with tempfile.TemporaryDirectory(prefix="lmkit-") as folder:
                path = Path(folder) / "model.lm"
                part.model.save(path)
                _carry(writer, path, prefix)
        else:
            _carry(writer, part.place, prefix)
        entries.append({"prefix": prefix})
    writer.meta({KEY: entries})


def open_components(reader: ModelReader) -> list[Component]:
    """The models that the model of ``reader`` is made of.

    Raises `ModelFileError` where one of them is missing, has changed since, or is damaged.
    """
    return [Component(open_model(place), place) for place in places(reader)]


def places(reader: ModelReader) -> list[Path | Inside]:
    """Where the models are that the model of ``reader`` is made of, looked after as
    `open_components` does."""
    with damage(reader.path):
        check(reader.meta, record({KEY: ENTRIES}), "meta")
        entries = reader.meta[KEY]
        prefixes = [entry["prefix"] for entry in entries if "prefix" in entry]
        if len(set(prefixes)) < len(prefixes):
            raise ValueError("one part is carried for two")
        return [_place(entry, reader) for entry in entries]


def named_files(path: Path) -> list[Path]:
    """The files that the model in ``path`` names as its parts, and those that they name; whether
    they are there or not. Only files in the folder of the model, and below, are looked into."""
    found: dict[Path, None] = {}
    waiting = [path]
    while waiting:
        owner = waiting.pop()
        with contextlib.suppress(LmkitError):
            reader = ModelReader(owner)
            with damage(owner):
                named = [entry["path"] for entry in reader.meta.get(KEY, []) if "path" in entry]
                parts = [Path(os.path.normpath(owner.parent / name)) for name in named]
            new = [part for part in dict.fromkeys(parts) if part not in found]
            found.update(dict.fromkeys(new))
            below = owner.parent.resolve()
            waiting += [
                part
                for part in new
                if os.path.isfile(part) and part.resolve().is_relative_to(below)
            ]
    return list(found)


def sha256_of(path: Path) -> str:
    """The checksum of the file ``path``, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _named(place: Path, owner: Path) -> dict[str, Any]:
    relative = os.path.relpath(os.path.abspath(place), os.path.abspath(owner.parent))
    return {"path": Path(relative).as_posix(), "sha256": sha256_of(place), **_stamp(place)}


def _lies_below(place: Path, owner: Path) -> bool:
    """Whether ``place`` is in the folder of ``owner`` or below, links followed."""
    return place.resolve().is_relative_to(owner.parent.resolve())


def _refuse_itself(place: Path, owner: Path) -> None:
    if owner.exists() and os.path.samefile(place, owner):
        raise LmkitError(
            f"{owner} would be made of itself, and the model in it would be lost",
            "another name for --output, or --embed to carry the old model in the new one",
        )


def _stamp(path: Path) -> dict[str, int]:
    """A file with the same stamp is taken to be the same, without reading all of it."""
    facts = path.stat()
    return {"bytes": facts.st_size, "modified": facts.st_mtime_ns}


def _place(entry: dict[str, Any], reader: ModelReader) -> Path | Inside:
    if "prefix" in entry:
        return Inside(reader.path, reader.prefix + entry["prefix"])
    path = Path(os.path.normpath(reader.path.parent / entry["path"]))
    if not path.is_file():
        raise ModelFileError(
            f"{reader.path} is made of {one_line(path)}, which is not there",
            f"putting it back, or making {reader.path} again, with --embed to carry its parts",
        )
    if not _is_recorded(path, entry, _lies_below(path, reader.path)):
        raise ModelFileError(
            f"{one_line(path)} has changed since {reader.path} was made of it",
            f"restoring it, or making {reader.path} again",
        )
    return path


def _is_recorded(path: Path, entry: dict[str, Any], below: bool) -> bool:
    """Whether ``path`` is the file that ``entry`` names. One with the same time is taken to be the
    same; outside the folder every byte counts."""
    stamp = _stamp(path)
    if below and stamp == {key: entry[key] for key in stamp}:
        return True
    if stamp["bytes"] != entry["bytes"] or not (below or is_model_file(path)):
        return False
    return sha256_of(path) == entry["sha256"]


def _carry(writer: ModelWriter, place: str | Path, prefix: str) -> None:
    """Copy the tables of the model in ``place``, and those of what it is made of, under
    ``prefix``; where they have no checksums they get some."""
    reader = ModelReader(place)
    run = writer.connection.execute
    create_tables(writer.connection, prefix)
    with damage(reader.path):
        for name in sorted(reader.tables):
            _copy_rows(reader, name, writer, f"{prefix}{name}")
        run(f'CREATE INDEX "{prefix}vocabulary_token" ON "{prefix}vocabulary" (token)')
        if reader.checked:
            watch_edits(writer.connection, prefix)
        else:
            fill(writer.connection, prefix)
    if KEY not in reader.meta:
        return
    entries = []
    for number, inner in enumerate(places(reader), 1):
        under = f"component{number}."
        _carry(writer, inner, prefix + under)
        entries.append({"prefix": under})
    run(f'UPDATE "{prefix}meta" SET value = ? WHERE key = ?', (to_json(entries), KEY))
    seal_table(writer.connection, "meta", prefix)


def _copy_rows(reader: ModelReader, name: str, writer: ModelWriter, new: str) -> None:
    """Copy the rows of a table, in the columns that a table of the reader and of today have."""
    table = f'main."{reader.prefix}{name}"'
    here = {column[0] for column in reader.connection.execute(f"SELECT * FROM {table}").description}
    today = [column[1] for column in writer.connection.execute(f'PRAGMA table_info("{new}")')]
    names = [column for column in today if column in here]
    marks = ", ".join("?" * len(names))
    rows = reader.connection.execute(f"SELECT {', '.join(names)} FROM {table}")
    try:
        writer.connection.executemany(
            f'INSERT INTO "{new}" ({", ".join(names)}) VALUES ({marks})', rows
        )
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        raise ModelFileError(f"{reader.path} is damaged: {one_line(error)}", HINT) from error

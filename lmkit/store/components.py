"""Models made of models, such as a mixture or a channel with its source: where the parts are.

A part is named by its path, relative to the folder of the file that names it, with its SHA-256;
or it is carried: its tables stand in that file too, under a prefix. ``meta`` says which, under
the key ``components``.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmkit.errors import LmkitError, ModelFileError
from lmkit.model import LanguageModel
from lmkit.registry import resolve
from lmkit.store.damage import HINT, damage
from lmkit.store.modelfile import Inside, ModelReader, ModelWriter

KEY = "components"
DERIVED = "ngrams_"
"""What the names of tables begin with that are made for people, and are not carried."""


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
    meta = ModelReader(place).meta
    if "backend" not in meta:
        raise ModelFileError(
            f"{place} does not say what kind of model it is: it is damaged",
            "train it again, or restore a copy",
        )
    model: LanguageModel = resolve("backend", meta["backend"]).open(place)
    return model


def save_components(
    writer: ModelWriter, components: Sequence[Component], embed: bool = False
) -> None:
    """Write into ``meta`` where the ``components`` are, and with ``embed`` carry them all. Those
    that are in memory only, or are carried already, are carried always.

    Raises `LmkitError` where the file would take the place of one that it names.
    """
    entries: list[dict[str, Any]] = []
    for number, part in enumerate(components, 1):
        prefix = f"component{number}."
        if isinstance(part.place, Path) and not embed:
            _refuse_itself(part.place, writer.path)
            entries.append(_named(part.place, writer.path))
            continue
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
        entries = reader.meta[KEY]
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
    folder = os.path.abspath(owner.parent)
    try:
        relative = os.path.relpath(os.path.abspath(place), folder)
    except ValueError:  # another drive
        relative = os.path.abspath(place)
    return {"path": Path(relative).as_posix(), "sha256": sha256_of(place), **_stamp(place)}


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
            f"{reader.path} is made of {path}, which is not there",
            f"putting it back, or making {reader.path} again, with --embed to carry its parts",
        )
    stamp = _stamp(path)
    same = stamp == {key: entry[key] for key in stamp}
    if not same and (stamp["bytes"] != entry["bytes"] or sha256_of(path) != entry["sha256"]):
        raise ModelFileError(
            f"{path} has changed since {reader.path} was made of it",
            f"restoring it, or making {reader.path} again",
        )
    return path


def _carry(writer: ModelWriter, place: str | Path, prefix: str) -> None:
    """Copy the tables of the model in ``place``, and those of what it is made of, under
    ``prefix``."""
    reader = ModelReader(place)
    run = writer.connection.execute
    with damage(reader.path):
        for kind, name, sql in _schema(reader):
            body = sql[sql.index("(") :]
            if kind == "table":
                run(f'CREATE TABLE "{prefix}{name}" {body}')
                _copy_rows(reader, name, writer, f"{prefix}{name}")
            else:
                table = sql[: sql.index("(")].rpartition(" ON ")[2].strip().strip('"')
                table = table.removeprefix(reader.prefix)
                run(f'CREATE INDEX "{prefix}{name}" ON "{prefix}{table}" {body}')
    if KEY not in reader.meta:
        return
    entries = []
    for number, inner in enumerate(places(reader), 1):
        under = f"component{number}."
        if isinstance(inner, Path):
            _carry(writer, inner, prefix + under)
        entries.append({"prefix": under})
    run(f'UPDATE "{prefix}meta" SET value = ? WHERE key = ?', (json.dumps(entries), KEY))


def _schema(reader: ModelReader) -> Iterator[tuple[str, str, str]]:
    """Kind, name and SQL of the tables and then the indexes of a model, without its prefix."""
    rows = reader.connection.execute(
        "SELECT type, name, sql FROM main.sqlite_master"
        " WHERE type IN ('table', 'index') AND sql IS NOT NULL ORDER BY type DESC, rowid"
    ).fetchall()
    for kind, name, sql in rows:
        own = name.removeprefix(reader.prefix)
        if name.startswith(reader.prefix) and not own.startswith((DERIVED, "sqlite_", "idx_")):
            yield kind, own, sql


def _copy_rows(reader: ModelReader, name: str, writer: ModelWriter, new: str) -> None:
    rows = reader.connection.execute(f'SELECT * FROM main."{reader.prefix}{name}"')
    marks = ", ".join("?" * len(rows.description))
    try:
        writer.connection.executemany(f'INSERT INTO "{new}" VALUES ({marks})', rows)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        raise ModelFileError(f"{reader.path} is damaged: {error}", HINT) from error

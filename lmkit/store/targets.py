"""What a model is written to: checked, and claimed, before any work is done for it.

`writing` is for whoever writes a model; `writes` makes it part of a function, which then says by
name which of its arguments are files that it reads.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from lmkit.files.claims import claimed
from lmkit.files.overwriting import Named, refuse_overwriting
from lmkit.files.replacing import Temporary
from lmkit.registry import resolve
from lmkit.store.components import named_files
from lmkit.store.modelfile import check_target, is_model_file

SEVERAL = ("texts", "models")
"""Arguments that are lists of files; any other list is one of something else."""

P = ParamSpec("P")
T = TypeVar("T")


@contextlib.contextmanager
def writing(
    output: str | Path | None,
    read: Mapping[str, Any],
    checkpoint: str | Path | None = None,
) -> Iterator[None]:
    """Write ``output``, a model, within the block; None: nothing is written. ``read`` are the
    files, streams or lists of them that are read for it, by what they are.

    Raises `UsageError` where ``output`` or ``checkpoint`` would take the place of one of them
    (or of a model that one of them is made of), and `LmkitError` where a model cannot be written
    there, or another process is about to.
    """
    written = [
        Named(role, place)
        for role, place in (("output", output), ("the checkpoint", checkpoint))
        if place is not None
    ]
    refuse_overwriting(written, [one for role in read for one in with_parts(role, read[role])])
    if output is None:
        yield
        return
    if checkpoint is not None:
        check_target(checkpoint)
    check_target(output)
    with claimed(output):
        yield


def with_parts(role: str, given: Any) -> list[Named]:
    """``given``, a file or several, with the files that those are made of which are models."""
    if given is None or isinstance(given, Mapping):
        return []
    if isinstance(given, list | tuple):
        return [one for each in given for one in with_parts(role, each)]
    found = [Named(role, given)]
    # Looking into a pipe would take its first bytes away.
    if isinstance(given, str | Path) and os.path.isfile(given) and is_model_file(given):
        found += [Named(f"a part of {given}", part) for part in named_files(Path(given))]
    return found


def writes(
    *read: str, in_place: str | None = None, embedded: str | None = None
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Decorator of a function that writes a model to its argument ``output``: within `writing`.

    ``read`` are the arguments that name files it reads. The model in ``in_place`` may be written
    over by what is made of it, the one in ``embedded`` if the argument ``embed`` is true.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def within(*args: P.args, **kwargs: P.kwargs) -> T:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            given = {**bound.arguments, **bound.arguments.get("options", {})}
            given = {k: v for k, v in given.items() if k in SEVERAL or not isinstance(v, list)}
            files = {name: given.get(name) for name in read}
            for name in (in_place, embedded if given.get("embed") else None):
                if name is not None:
                    # It may be replaced itself, but what it is made of may not.
                    files[name] = _parts_of(given.get(name))
            with writing(given["output"], files, _checkpoint(given)):
                return function(*args, **kwargs)

        return within

    return decorate


def _parts_of(models: Any) -> list[Path]:
    several = models if isinstance(models, list | tuple) else [models]
    return [
        part.place for one in several for part in with_parts("model", one) if part.place is not one
    ]


def _checkpoint(given: Mapping[str, Any]) -> str | Path | None:
    """Where a training of ``given`` keeps what it has done so far, if it does."""
    backend = given.get("backend")
    if "texts" not in given or given["output"] is None:
        return given.get("checkpoint")
    if backend is not None and not getattr(resolve("backend", backend), "makes_checkpoints", False):
        return None
    if backend is None and "base" not in given:
        return None
    return given.get("checkpoint") or f"{given['output']}.checkpoint"


@contextlib.contextmanager
def made_whole(output: str | Path) -> Iterator[Path]:
    """A path to write a model to in several steps; it is put at ``output`` when all are done."""
    with Temporary(Path(output)) as temporary:
        yield temporary.path
        temporary.put()

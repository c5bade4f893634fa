"""`train_channel`: a noisy channel over any model of words, and its file."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lmkit.model import LanguageModel
from lmkit.registry import resolve
from lmkit.store.components import component
from lmkit.store.history import run_record
from lmkit.store.targets import writes
from lmkit.text.encodings import encoded

Progress = Callable[[str, int, int | None], None]


@writes("source", "pairs", "noisy", "lexicon", embedded="source")
def train_channel(
    source: LanguageModel | str | Path,
    *,
    output: str | Path | None = None,
    pairs: str | Path | None = None,
    noisy: str | Path | None = None,
    channel: str = "brill-moore",
    embed: bool = False,
    lexicon: str | Path | Mapping[str, float] | None = None,
    encoding: str | None = None,
    errors: str = "strict",
    progress: Progress | None = None,
    **options: Any,
) -> LanguageModel:
    """A noisy channel with ``source`` as its model of what is meant, saved to ``output`` where
    that is given.

    The errors are learnt from ``pairs`` (a file of ``typed<TAB>intended[<TAB>count]``), or
    without any by EM from ``noisy`` text; with neither, they are those of English that ship with
    lmkit. ``channel`` is a name of the registry; ``embed`` puts the source into the file instead
    of its name, ``lexicon`` the words of a list, a file or words with their counts.
    ``encoding`` and ``errors`` are as in `lmkit.train`. Raises
    `TextError` for pairs with an empty side and `UnsupportedError` for a source whose tokens are
    no words.
    """
    clock, started = time.monotonic(), datetime.now(UTC)
    files = {"pairs": encoded(pairs, encoding), "noisy": encoded(noisy, encoding)}
    told = {**files, "channel": channel, "embed": embed, **options}
    model: LanguageModel = resolve("backend", "noisy-channel").train(
        None,
        None,
        source=component(source),
        lexicon=encoded(lexicon, encoding),
        errors=errors,
        progress=progress,
        **told,
    )
    settled = {"backend": "noisy-channel", **told, "pairs": None, "noisy": None}
    settled["encoding"] = encoding
    record = run_record("train", started, clock, None, settled, None)
    read = (one for one in (pairs, noisy, lexicon) if one and not isinstance(one, Mapping))
    model.runs.append({**record, "sources": [str(one) for one in read]})
    if output is not None:
        model.save(output)
    return model

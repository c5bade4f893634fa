"""What made a model: the rows of the table ``runs`` of its file."""

from __future__ import annotations

import platform
import time
from datetime import datetime
from typing import Any

import numpy as np

import lmkit
from lmkit.text.corpus import Corpus

NOT_KEPT = ("progress", "watch", "checkpoint", "resume", "teacher", "seed")
"""Options that do not belong into the history of a model."""


def run_record(
    what: str,
    started: datetime,
    clock: float,
    corpus: Corpus | None,
    options: dict[str, Any],
    seed: int | None,
) -> dict[str, Any]:
    """A row of the table ``runs``: what made a model."""
    return {
        "what": what,
        "started": started.isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - clock, 3),
        "sources": [] if corpus is None else list(map(str, corpus.sources)),
        "sha256": None if corpus is None else corpus.sha256,
        "tokens": None if corpus is None else corpus.tokens,
        "sentences": None if corpus is None else corpus.sentences,
        "options": {k: v for k, v in options.items() if v is not None and k not in NOT_KEPT},
        "seed": seed,
        "versions": {
            "lmkit": lmkit.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }

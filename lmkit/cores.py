"""How many threads are of use on this machine."""

from __future__ import annotations

import os

MOST_THREADS = 4
"""Each has a gradient or words of its own, and all wait for one interpreter."""


def available_cores() -> int:
    """A thread for each core that this process may use, four at most."""
    if hasattr(os, "sched_getaffinity"):
        return min(len(os.sched_getaffinity(0)), MOST_THREADS)
    return min(os.cpu_count() or 1, MOST_THREADS)

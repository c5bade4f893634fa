"""Matrix products on one thread.

The batch is split over worker threads instead: two BLAS threads that wait for each other
collapse on a shared machine, and gain nothing on matrices of a few hundred rows.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Any


@cache
def _controller() -> Any:
    # Finding the libraries takes some milliseconds, so it is done once.
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def one_thread() -> AbstractContextManager[Any]:
    """Within the block, and until it is left, BLAS uses one thread in the whole process."""
    context: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="blas")
    return context

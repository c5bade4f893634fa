"""Matrix products on one thread, and those of a recurrence in blocks.

The batch is split over worker threads instead: two BLAS threads that wait for each other
collapse on a shared machine, and gain nothing on matrices of a few hundred rows.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

import numpy as np

from lmkit.neural.arrays import Array

SMALL = 1_000_000
"""OpenBLAS's kernels for AVX-512 do products of up to so many multiplications without copying
("packing") the operands first, which for matrices that are multiplied by a few columns costs as
much as the product."""
UNPACKED = {"skylakex", "cooperlake", "sapphirerapids"}
"""The processors, as OpenBLAS calls them, that it has such kernels for."""
LEAST_ROWS = 8
"""Blocks of fewer rows are slower than the whole product."""


@cache
def _controller() -> Any:
    # Finding the libraries takes some milliseconds, so it is done once.
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def one_thread() -> AbstractContextManager[Any]:
    """Within the block, and until it is left, BLAS uses one thread in the whole process."""
    context: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="blas")
    return context


@cache
def has_unpacked_kernels() -> bool:
    """Whether NumPy's products are faster in blocks of `SMALL` multiplications."""
    return any(
        library.get("internal_api") == "openblas"
        and str(library.get("architecture")).lower() in UNPACKED
        for library in _controller().info()
    )


@cache
def block_rows(rows: int, inner: int, columns: int) -> int:
    """How many rows of a matrix [rows, inner] to multiply at once by [inner, columns]; all of
    them where blocks would not help."""
    most = SMALL // max(1, inner * columns)
    if columns == 1 or most >= rows or most < LEAST_ROWS or not has_unpacked_kernels():
        return rows
    height = -(-rows // -(-rows // most))
    rounded = -(-height // LEAST_ROWS) * LEAST_ROWS
    return rounded if rounded <= most else most // LEAST_ROWS * LEAST_ROWS


def product(a: Array, out: Array) -> Callable[[Array], Array]:
    """A function that writes ``a @ b`` into ``out`` [rows, columns] for any ``b``, and returns
    it: made once for the products of all steps of a recurrence."""
    rows, inner = a.shape
    height = block_rows(rows, inner, out.shape[1])
    whole = rows - rows % height
    if height == rows:
        return lambda b: np.matmul(a, b, out=out)
    blocks = a[:whole].reshape(-1, height, inner)
    places = out[:whole].reshape(-1, height, out.shape[1])
    rest, place = a[whole:], out[whole:]

    def multiply(b: Array) -> Array:
        np.matmul(blocks, b, out=places)
        if len(rest):
            np.matmul(rest, b, out=place)
        return out

    return multiply

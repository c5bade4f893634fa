"""What a network remembers between two passes: trees of arrays.

A state is a nested tuple whose leaves are arrays with the stream as last axis: ``(h, c)``, each
[H, B], of an LSTM layer, keys and values [H * K, S, B] of an attention layer, ``()`` of a layer
without memory, and the tuple of its layers' states of a network. A tuple holds arrays or tuples,
never both.

No one else takes a state apart: whoever carries, selects or stores streams does it with these
functions, whatever layers there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lmkit.neural.arrays import Array

State: TypeAlias = tuple[Any, ...]
"""A nested tuple of arrays [..., B]."""


def mapped(function: Callable[..., Array], *states: State) -> State:
    """``function`` of the leaves that have the same place in all ``states``."""
    if len(states) == 1:
        return _each(function, states[0])
    return tuple(
        mapped(function, *parts) if isinstance(parts[0], tuple) else function(*parts)
        for parts in zip(*states, strict=True)
    )


def leaves(state: State) -> Iterator[Array]:
    """The arrays, in their order."""
    for part in state:
        if isinstance(part, tuple):
            yield from leaves(part)
        else:
            yield part


def streams(state: State) -> int:
    """How many streams ``state`` is of; 0 where it has no arrays."""
    return next((int(leaf.shape[-1]) for leaf in leaves(state)), 0)


def select(state: State, which: slice | NDArray[np.integer]) -> State:
    """The streams ``which``: indices, each as often as it is given, or a stretch of them.

    The arrays lie in memory as those of a pass do (indexing would leave them transposed), so that
    a product gives the same bits whether streams were selected or not.
    """
    if isinstance(which, slice):
        return mapped(lambda leaf: np.ascontiguousarray(leaf[..., which]), state)
    return mapped(lambda leaf: leaf.take(which, axis=-1), state)


def join(*states: State) -> State:
    """The streams of all ``states``, one after the other."""
    return mapped(lambda *parts: np.concatenate(parts, axis=-1), *states)


def repeat(state: State, count: int) -> State:
    """Each stream ``count`` times."""
    return mapped(lambda leaf: leaf.repeat(count, axis=-1), state)


def kept(state: State) -> State:
    """``state`` in memory of its own: what a pass leaves may be memory that the next one uses."""
    return _each(np.ndarray.copy, state)


def replace(state: State, which: NDArray[np.integer], by: State) -> None:
    """Put the one stream ``by`` in the place of the streams ``which``, within the arrays."""
    for leaf, one in zip(leaves(state), leaves(by), strict=True):
        leaf[..., which] = one


def named(state: State, prefix: str) -> dict[str, Array]:
    """The arrays under the names that files have them by: ``<prefix>.<k>.<i>`` is the i-th array
    of the k-th tuple that has any. How deep tuples are nested does not matter, so that a network
    may be put together in another way and still read its files."""
    return {
        f"{prefix}.{k}.{i}": leaf
        for k, group in enumerate(_groups(state))
        for i, leaf in enumerate(group)
    }


def restored(like: State, prefix: str, tensors: Mapping[str, Array]) -> State:
    """A state of the form of ``like`` from the ``tensors`` that `named` gave.

    Raises `KeyError` where one is missing.
    """
    names = iter(named(like, prefix))
    return mapped(lambda _: tensors[next(names)].copy(), like)


def _each(function: Callable[[Array], Array], state: State) -> State:
    """`mapped` of one state, which each generated token goes through several times."""
    if not state:
        return state
    return tuple(
        [_each(function, part) if type(part) is tuple else function(part) for part in state]
    )


def _groups(state: State) -> Iterator[State]:
    """The tuples that hold arrays, in their order."""
    if state and not isinstance(state[0], tuple):
        yield state
        return
    for part in state:
        yield from _groups(part)

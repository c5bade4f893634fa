"""What a network remembers between two passes: trees of arrays.

A state is a nested tuple whose leaves are arrays with the stream as last axis: ``(h, c)``, each
[H, B], of an LSTM layer, ``()`` of a layer without memory, and the tuple of its layers' states of
a network. A leaf may also be `Growing`, as what an attention layer has read. A tuple holds leaves
or tuples, never both.

No one else takes a state apart: whoever carries, selects or stores streams does it with these
functions, whatever layers there are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lmkit.neural.arrays import Array

State: TypeAlias = tuple[Any, ...]
"""A nested tuple of arrays [..., B]."""


class Growing(ABC):
    """A leaf that is no array, as it grows with what is read. It never changes: what was selected,
    joined or read on from is another one."""

    __slots__ = ()

    @property
    @abstractmethod
    def streams(self) -> int:
        """How many streams B it is of."""

    @abstractmethod
    def select(self, which: slice | NDArray[np.integer]) -> Growing:
        """See `select`."""

    @abstractmethod
    def join(self, others: Sequence[Growing]) -> Growing:
        """Its streams and those of ``others`` of the same layer; see `join`."""

    @abstractmethod
    def arrays(self) -> tuple[Array, ...]:
        """What it keeps, as arrays [..., B]: always as many."""

    @abstractmethod
    def restored(self, arrays: Sequence[Array]) -> Growing:
        """One of the same layer and number of streams that has such ``arrays``. Raises `ValueError`
        where their shapes do not fit."""


def mapped(function: Callable[..., Any], *states: State) -> State:
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
        elif isinstance(part, Growing):
            yield from part.arrays()
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
    return _each(lambda leaf: _chosen(leaf, which), state)


def _chosen(leaf: Any, which: slice | NDArray[np.integer]) -> Any:
    if not isinstance(leaf, np.ndarray):
        return leaf.select(which)
    if isinstance(which, slice):
        return np.ascontiguousarray(leaf[..., which])
    return leaf.take(which, axis=-1)


def join(*states: State) -> State:
    """The streams of all ``states``, one after the other."""
    return mapped(_joined, *states)


def _joined(first: Any, *others: Any) -> Any:
    if isinstance(first, Growing):
        return first.join(others)
    return np.concatenate((first, *others), axis=-1)


def repeat(state: State, count: int) -> State:
    """Each stream ``count`` times."""
    return select(state, np.arange(streams(state)).repeat(count))


def kept(state: State) -> State:
    """``state`` in memory of its own: what a pass leaves may be memory that the next one uses."""
    return _each(lambda leaf: leaf.copy() if isinstance(leaf, np.ndarray) else leaf, state)


def replaced(state: State, which: NDArray[np.integer], by: State) -> State:
    """``state`` with the one stream ``by`` in the place of the streams ``which``."""
    places = np.arange(streams(state))
    places[which] = len(places)
    return select(join(state, by), places)


def named(state: State, prefix: str) -> dict[str, Array]:
    """The arrays under the names that files have them by: ``<prefix>.<k>.<i>`` is the i-th array
    of the k-th tuple that has any. How deep tuples are nested does not matter, so that a network
    may be put together in another way and still read its files."""
    return {
        f"{prefix}.{k}.{i}": leaf
        for k, group in enumerate(_groups(state))
        for i, leaf in enumerate(leaves(group))
    }


def restored(like: State, prefix: str, tensors: Mapping[str, Array]) -> State:
    """A state of the form of ``like`` from the ``tensors`` that `named` gave.

    Raises `KeyError` where one is missing, and `ValueError` where one has another shape.
    """
    names = iter(named(like, prefix))

    def again(leaf: Any) -> Any:
        if isinstance(leaf, Growing):
            return leaf.restored([tensors[next(names)] for _ in leaf.arrays()])
        name = next(names)
        if tensors[name].shape != leaf.shape:
            raise ValueError(f"the tensor {name!r} has another shape")
        return tensors[name].astype(leaf.dtype)

    return _each(again, like)


def _each(function: Callable[[Any], Any], state: State) -> State:
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

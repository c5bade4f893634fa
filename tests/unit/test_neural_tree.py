"""States as trees of arrays: streams are selected, joined and stored whatever layers there are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lmkit.neural import tree
from lmkit.neural.tree import State


def state(streams: int = 3, start: int = 0) -> State:
    """An LSTM layer, one without memory, and attention with two steps of keys and values."""
    h, c = np.arange(start, start + 2 * 4 * streams).reshape(2, 4, streams)
    keys, values = np.arange(start, start + 2 * 3 * 2 * streams).reshape(2, 3, 2, streams)
    return (h, c), ((), ((keys, values),))


def same(some: State, others: State) -> bool:
    pairs = zip(tree.leaves(some), tree.leaves(others), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def test_leaves_come_in_order_and_their_last_axis_is_the_stream() -> None:
    assert [leaf.shape for leaf in tree.leaves(state())] == [(4, 3), (4, 3), (3, 2, 3), (3, 2, 3)]
    assert tree.streams(state(5)) == 5
    assert tree.streams(((), ())) == 0


def test_streams_are_selected_by_index_or_stretch() -> None:
    some = tree.select(state(), np.array([2, 0, 0, 1]))
    assert [leaf[..., 3].tolist() for leaf in tree.leaves(some)] == [
        leaf[..., 1].tolist() for leaf in tree.leaves(state())
    ]
    assert same(tree.select(state(), slice(1, 3)), tree.select(state(), np.array([1, 2])))
    assert isinstance(some[1][0], tuple) and some[1][0] == ()


@pytest.mark.parametrize("which", [np.array([2, 0]), slice(0, 2)], ids=["indices", "stretch"])
def test_selected_streams_lie_in_memory_as_those_of_a_pass_do(which: Any) -> None:
    # Transposed ones would take another product of the BLAS, and differ from them in the last bit.
    assert all(leaf.flags.c_contiguous for leaf in tree.leaves(tree.select(state(), which)))


def test_what_is_joined_can_be_selected_again() -> None:
    both = tree.join(state(3), state(2, start=50))
    assert tree.streams(both) == 5
    assert same(tree.select(both, slice(3)), state(3))
    assert same(tree.select(both, slice(3, 5)), state(2, start=50))


def test_one_stream_is_repeated_or_put_in_the_place_of_others() -> None:
    one = state(1, start=70)
    assert same(tree.repeat(one, 2), tree.join(one, one))
    found = tree.replaced(state(), np.array([0, 2]), one)
    assert same(tree.select(found, np.array([0, 2])), tree.repeat(one, 2))
    assert same(tree.select(found, np.array([1])), tree.select(state(), np.array([1])))


def test_what_is_kept_does_not_change_with_the_state_it_was() -> None:
    here = state()
    there = tree.kept(here)
    next(tree.leaves(here))[...] = -1
    assert same(there, state())


def test_names_count_the_tuples_that_have_arrays_however_deep_they_are() -> None:
    names = ["s.0.0", "s.0.1", "s.1.0", "s.1.1"]
    assert list(tree.named(state(), "s")) == names
    (h, c), (_, ((keys, values),)) = state()
    assert list(tree.named(((h, c), (keys, values)), "s")) == names


def test_a_state_comes_back_from_its_names_in_memory_of_its_own() -> None:
    tensors = tree.named(state(), "start")
    found = tree.restored(state(start=9), "start", tensors)
    assert same(found, state())
    assert not any(np.shares_memory(a, b) for a in tree.leaves(found) for b in tensors.values())
    del tensors["start.1.0"]
    with pytest.raises(KeyError, match=r"start\.1\.0"):
        tree.restored(state(), "start", tensors)


def test_states_of_different_layers_are_not_mixed() -> None:
    with pytest.raises(ValueError, match="zip"):
        tree.join(state(), state()[:1])

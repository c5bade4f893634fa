"""What attention keeps of a text: shared memory behind states that never change."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from lmkit.neural.arrays import Array
from lmkit.neural.layers.past import SPARE, Past

H, K = 2, 3


def empty(streams: int = 2, most: int = 5) -> Past:
    return Past.empty(streams, H, K, most, np.float32)


def steps(first: int, count: int, streams: int = 2) -> Array:
    """Keys and values of the steps ``first`` and following: numbers that tell all places apart."""
    base = np.arange(2 * streams * H * K, dtype=np.float32).reshape(2, streams, H, 1, K)
    return base + 1000 * np.arange(first, first + count, dtype=np.float32)[:, None]


def shared(some: Past, other: Past) -> bool:
    return np.shares_memory(some.last(1), other.last(1)) or some._memory is other._memory


def test_what_was_read_last_is_kept_and_no_more() -> None:
    past = empty()
    for first in range(0, 60, 3):
        past = past.append(steps(first, 3))
        count = min(first + 3, 5)
        assert past.count == count and past.read.tolist() == [[first + 3] * 2]
        assert np.array_equal(past.last(count), steps(first + 3 - count, count))
    keys, values, read = past.arrays()
    assert keys.shape == values.shape == (H * K, 5, 2) and read is past.read


def test_two_texts_that_go_on_from_one_state_do_not_meet() -> None:
    begin = empty().append(steps(0, 2))
    one, two = begin.append(steps(10, 1)), begin.append(steps(20, 1))
    assert shared(begin, one) and not shared(one, two)
    for past, first in ((one, 10), (two, 20)):
        assert np.array_equal(past.last(3)[:, :, :, :2], steps(0, 2))
        assert np.array_equal(past.last(1), steps(first, 1))
    later = one
    for k in range(3 * SPARE):
        later = later.append(steps(k, 1))
    assert np.array_equal(begin.last(2), steps(0, 2))
    assert np.array_equal(one.last(1), steps(10, 1))


def test_reading_on_seldom_copies() -> None:
    past, memories = empty(most=100), set()
    for k in range(1000):
        past = past.append(steps(k, 1))
        memories.add(id(past._memory))
    assert past._memory.array.shape[3] <= 2 * 100 + SPARE
    copies = 0
    for k in range(1000):
        before, past = past, past.append(steps(k, 1))
        copies += before._memory is not past._memory
    assert copies <= 10


def test_threads_that_go_on_from_one_state_write_in_places_of_their_own() -> None:
    begin = empty(most=50).append(steps(0, 2))

    def read(first: int) -> Past:
        past = begin
        for k in range(40):
            past = past.append(steps(first + k, 1))
        return past

    with ThreadPoolExecutor(4) as pool:
        for n, past in enumerate(pool.map(read, range(0, 8000, 1000))):
            assert np.array_equal(past.last(40), steps(1000 * n, 40))


def test_the_same_streams_share_memory_and_others_do_not() -> None:
    past = empty(3).append(steps(0, 4, 3))
    for everyone in (np.arange(3), slice(None), slice(0, 3)):
        assert past.select(everyone) is past
    some = past.select(np.array([2, 0]))
    assert np.array_equal(some.last(4), past.last(4)[:, [2, 0]])
    later = some.append(steps(9, 1))
    assert not shared(later, past) and later.append(steps(9, 1))._memory is later._memory
    assert np.array_equal(later.last(5)[:, :, :, :4], past.last(4)[:, [2, 0]])
    assert np.array_equal(past.append(steps(5, 1, 3)).last(1), steps(5, 1, 3))


def test_streams_are_copied_when_they_read_on_and_not_when_they_are_selected() -> None:
    past = empty(3).append(steps(0, 4, 3))
    some = past.select(np.array([2, 0, 1, 1])).select(np.array([3, 0])).select(slice(1, 2))
    assert some._memory is past._memory and some.streams == 1
    for one in (some, pickle.loads(pickle.dumps(some)), some.append(steps(9, 0, 1))):
        assert np.array_equal(one.last(4), past.last(4)[:, [2]])
    assert np.array_equal(past.join([some]).last(4)[:, 3], past.last(4)[:, 2])


def test_no_streams_at_all() -> None:
    past = empty(3).append(steps(0, 4, 3))
    none = past.select(np.array([], np.int64))
    assert none.streams == 0 and none.append(steps(0, 1, 0)).streams == 0


def test_streams_of_unequal_length_end_together() -> None:
    long, short = empty(1).append(steps(0, 4, 1)), empty(1).append(steps(7, 2, 1))
    both = short.join([long])
    assert both.read.tolist() == [[2, 4]] and both.count == 4
    assert np.array_equal(both.last(2)[:, :1], short.last(2))
    assert np.array_equal(both.last(4)[:, 1:], long.last(4))
    alone = both.select(np.array([0]))
    assert alone.count == 2 and np.array_equal(alone.last(2), short.last(2))


def test_a_pickle_has_what_is_read_and_not_the_memory_behind() -> None:
    past = empty(most=5).append(steps(0, 3))
    again = pickle.loads(pickle.dumps(past))
    assert np.array_equal(again.last(3), past.last(3)) and again.most == 5
    wide = Past.empty(1, 1, 1, 1 << 16, np.float32).append(np.zeros((2, 1, 1, 1, 1)))
    assert len(pickle.dumps(wide)) < 2000 and wide._memory.array.size < 100


@pytest.mark.parametrize(
    "change",
    [
        lambda k, v, n: (k[1:], v[1:], n),
        lambda k, v, n: (k, v[:, 1:], n),
        lambda k, v, n: (k[:, 1:], v[:, 1:], n),
        lambda k, v, n: (k[..., :1], v[..., :1], n[:, :1]),
        lambda k, v, n: (k, v, n[0]),
        lambda k, v, n: (k, v, n - 9),
        lambda k, v, n: (k, v, n.astype(float)),
        lambda k, v, n: (k[:, 0], v[:, 0], n),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change: object) -> None:
    arrays = empty().append(steps(0, 4)).arrays()
    with pytest.raises(ValueError, match="another shape than their layer"):
        empty().restored(change(*arrays))  # type: ignore[operator]

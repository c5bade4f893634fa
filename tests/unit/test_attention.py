"""Attention against its naive twin, and what each kind of positions promises."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lmkit.errors import UsageError
from lmkit.neural import tree
from lmkit.neural.arrays import Array
from lmkit.neural.layer import Layer, Pass
from lmkit.neural.layers import attention
from lmkit.neural.layers.attention import SelfAttention, Sight, attend
from lmkit.neural.layers.compose import Serial
from lmkit.neural.layers.cross_attention import AdditiveAttention, CrossAttention
from lmkit.neural.layers.positions import (
    ALiBi,
    Buckets,
    Learnt,
    Relative,
    Rotary,
    Sinusoidal,
    alibi_slopes,
)
from lmkit.neural.parameters import Parameters

from ..reference import attention as naive

B, H, K = 2, 3, 4
RNG = np.random.default_rng(7)


def three(queries: int, keys: int) -> list[Array]:
    return [RNG.standard_normal((B, H, K, n)) for n in (queries, keys, keys)]


def by_hand(q: Array, k: Array, v: Array, sees: Any, bias: Any = None) -> Array:
    """The naive twin for all streams and heads."""
    y = np.empty_like(q)
    for b in range(B):
        for h in range(H):
            more = {} if bias is None else {"bias": lambda t, s, h=h: bias(h, t, s)}
            seen = naive.attention(
                q[b, h].T, k[b, h].T, v[b, h].T, lambda t, s, b=b: sees(b, t, s), **more
            )
            y[b, h] = np.transpose(seen)
    return y


@pytest.mark.parametrize("size", [1.0, 30.0], ids=["small scores", "large scores"])
@pytest.mark.parametrize(
    ("before", "window", "first"), [(0, None, 0), (0, 7, 0), (9, 13, 0), (9, None, 4), (9, 60, 8)]
)
def test_attention_is_the_papers(size: float, before: int, window: int | None, first: int) -> None:
    """Over more steps than a block has, with keys of earlier passes, in a window, and where one
    stream has read less than the other."""
    steps = attention.BLOCK + 5
    q, k, v = three(steps, before + steps)
    q *= size
    starts = np.array([0, first])
    y, _ = attend(q, k, v, Sight(True, before, window, starts))

    def sees(b: int, t: int, s: int) -> bool:
        return max(starts[b], before + t - (window or 999) + 1) <= s <= before + t

    np.testing.assert_allclose(y, by_hand(q, k, v, sees), atol=1e-12)


@pytest.mark.parametrize("size", [1.0, 30.0], ids=["small scores", "large scores"])
def test_gradients_over_several_blocks(size: float) -> None:
    before, steps = 5, attention.BLOCK + 3
    q, k, v = three(steps, before + steps)
    q *= size
    sight = Sight(True, before, 20, np.array([0, 3]))
    bias = RNG.standard_normal((H, 20))
    y, backward = attend(q, k, v, sight, bias, learns=True)
    dy = RNG.standard_normal(y.shape)
    found = [np.empty_like(q), *(np.empty((B, H, K, steps)) for _ in "kv")]
    of_bias = backward(dy, *found)
    assert of_bias is not None
    found.append(of_bias)
    for array, gradient, skip in zip((q, k, v, bias), found, (0, before, before, 0), strict=True):
        whole = np.concatenate((np.full((*array.shape[:-1], skip), np.nan), gradient), axis=-1)
        for place in RNG.permutation(array.size)[:15].tolist():
            where = np.unravel_index(place, array.shape)
            was, sums = array[where], []
            for change in (1e-6, -1e-6):
                array[where] = was + change
                sums.append((attend(q, k, v, sight, bias)[0] * dy).sum())
            array[where] = was
            if not np.isnan(whole[where]):
                slope = (sums[0] - sums[1]) / 2e-6
                assert whole[where] == pytest.approx(slope, rel=1e-4, abs=1e-6 * size)


def layer(positions: type[Relative], heads: int = H, window: int = 50) -> SelfAttention:
    return SelfAttention(heads * K, heads, window, "a.", positions)


def run(
    made: Layer, x: Array, state: Any = None, seed: int = 1, streams: int = 1
) -> tuple[Array, Any]:
    """A pass over ``x`` [D, T * B] with weights of ``seed``."""
    parameters = Parameters(made.shapes(), np.float64)
    parameters.flat[...] = np.random.default_rng(seed).standard_normal(len(parameters.flat))
    state = made.start(streams, np.float64) if state is None else state
    y, last, _ = made.forward(parameters.views, x, Pass(x.shape[1] // streams), state)
    return y, last


def test_scores_by_rotary_positions_are_those_of_turned_vectors() -> None:
    q, k, _ = three(6, 6)
    y = [x.transpose(1, 2, 0, 3).copy() for x in (q, k)]
    for x in y:
        Rotary(H).turn(x, np.array([0, 3]))
    for b, start in enumerate((0, 3)):
        for t in range(6):
            for x, turned in zip((q, k), y, strict=True):
                expected = naive.rotary(x[b, 1, :, t].tolist(), start + t)
                np.testing.assert_allclose(turned[1, :, b, t], expected, atol=1e-12)
                before = turned[:, :, b, t].copy()
                assert np.abs(np.linalg.norm(before) - np.linalg.norm(x[b, :, :, t])) < 1e-9


def test_alibi_falls_with_the_distance() -> None:
    assert alibi_slopes(8).tolist() == [2.0**-n for n in range(1, 9)]
    assert alibi_slopes(6).tolist() == [2**-2, 2**-4, 2**-6, 2**-8, 2**-1, 2**-3]
    q, k, v = three(40, 40)
    bias = ALiBi(H).by_distance({}, 40, q.dtype)
    slopes = alibi_slopes(H)
    y, _ = attend(q, k, v, Sight(True), bias)
    expected = by_hand(q, k, v, lambda b, t, s: s <= t, lambda h, t, s: -slopes[h] * (t - s))
    np.testing.assert_allclose(y, expected, atol=1e-12)


def test_buckets_are_those_of_t5() -> None:
    table = RNG.standard_normal((H, 32))
    found = Buckets(H, "b.").by_distance({"b.buckets": table}, 300, table.dtype)
    assert found is not None
    assert found.tolist() == table[:, [naive.bucket(d) for d in range(300)]].tolist()


@pytest.mark.parametrize("kind", [Rotary, ALiBi, Buckets, Sinusoidal, Learnt, Relative])
def test_order_matters_but_where_there_are_no_positions(kind: type) -> None:
    size = H * K
    inner = layer(kind if issubclass(kind, Relative) else Relative)
    made: Layer = inner
    if kind is Sinusoidal:
        made = Serial(Sinusoidal(size), inner)
    elif kind is Learnt:
        made = Serial(Learnt(size, 9, "l"), inner)
    x = RNG.standard_normal((size, 5))
    swapped = x[:, [2, 1, 0, 3, 4]]
    change = np.abs(run(made, x)[0][:, -1] - run(made, swapped)[0][:, -1]).max()
    assert (change < 1e-12) if kind is Relative else (change > 1e-3)


@pytest.mark.parametrize("kind", [Rotary, ALiBi, Buckets, Relative])
def test_relative_positions_are_the_same_anywhere(kind: type[Relative]) -> None:
    """What lies beyond the window is forgotten, wherever in a text it stands: so nothing ends."""
    made = layer(kind, window=4)
    x = RNG.standard_normal((H * K, 5))
    for ahead in (1, 7, 200):
        state = run(made, RNG.standard_normal((H * K, ahead)))[1]
        later = run(made, x, state)[0]
        assert np.abs(later[:, 3:] - run(made, x)[0][:, 3:]).max() < 1e-9
        kept = min(ahead, 3)
        assert {leaf.shape for leaf in tree.leaves(state)} == {(H * K, kept, 1), (1, 1)}


def test_learnt_positions_end_and_say_so() -> None:
    made = Learnt(4, 6, "l")
    state = run(made, RNG.standard_normal((4, 6)))[1]
    with pytest.raises(UsageError, match="learnt for 6 tokens") as caught:
        run(made, RNG.standard_normal((4, 1)), state)
    assert "rotary" in str(caught.value.hint)
    run(Sinusoidal(4), RNG.standard_normal((4, 1)), state)


def test_streams_that_have_read_more_and_less() -> None:
    """Side by side, each is as it would be alone."""
    for kind in (Rotary, ALiBi, Buckets):
        made, x = layer(kind, window=6), RNG.standard_normal((H * K, 40, 3))
        alone = [run(made, x[:, n : n + 1, 0])[1] if n else made.start(1, float) for n in (0, 1)]
        alone.append(run(made, x[:, :9, 2])[1])
        together = run(made, x[:, 9:].reshape(H * K, -1), tree.join(*alone), streams=3)[0]
        for stream, state in enumerate(alone):
            expected = run(made, x[:, 9:, stream], state)[0]
            found = together.reshape(H * K, -1, 3)[..., stream]
            np.testing.assert_allclose(found, expected, atol=1e-10)


def test_hints_for_widths() -> None:
    with pytest.raises(UsageError, match="5 heads do not divide a width of 12") as caught:
        SelfAttention(12, 5, 8, "a.")
    assert caught.value.hint == "--heads 4"
    # What a hint says must work: rotary positions want heads of even width.
    with pytest.raises(UsageError, match="99 heads do not divide") as caught:
        SelfAttention(12, 99, 8, "a.", Rotary)
    assert caught.value.hint == "--heads 6"
    with pytest.raises(UsageError, match="a head has 3"):
        SelfAttention(12, 4, 8, "a.", Rotary)


@pytest.mark.parametrize("kind", ["many heads", "additive"])
def test_two_inputs_have_two_gradients(kind: str) -> None:
    made: Any = CrossAttention(6, 5, 2, "c.", True)
    if kind == "additive":
        made = AdditiveAttention(6, 5, 7, "c.")
    parameters = Parameters(made.shapes(), np.float64)
    made.initialise(parameters.views, RNG)
    parameters.flat += 0.2 * RNG.standard_normal(len(parameters.flat))
    x, source = RNG.standard_normal((6, B * 3)), RNG.standard_normal((5, B * 4))
    lengths = np.array([4, 2])

    def forward() -> tuple[Array, Any]:
        y, backward = made.forward(parameters.views, x, source, B, lengths)
        return y, backward

    y, backward = forward()
    dy = RNG.standard_normal(y.shape)
    gradients = parameters.gradients_of(parameters.empty_like())
    gradients.begin()
    dx, dsource = backward(dy, gradients)
    pairs = [(x, dx), (source, dsource)]
    pairs += [(view, gradients[name]) for name, view in parameters.views.items()]
    for array, gradient in pairs:
        flat = array.reshape(-1)
        for place in RNG.permutation(array.size)[:12]:
            was, sums = flat[place], []
            for change in (1e-6, -1e-6):
                flat[place] = was + change
                sums.append((forward()[0] * dy).sum())
            flat[place] = was
            slope = (sums[0] - sums[1]) / 2e-6
            assert gradient.reshape(-1)[place] == pytest.approx(slope, rel=1e-5, abs=1e-7)
    # The second stream has no more than two steps.
    source[:, 6:] = 99
    np.testing.assert_allclose(forward()[0], y, rtol=1e-12)


@pytest.mark.parametrize("size", [1.0, 1e3], ids=["small scores", "large scores"])
@pytest.mark.parametrize("kind", ["many heads", "additive"])
def test_the_mean_of_an_empty_source_is_zero(kind: str, size: float) -> None:
    made: Any = CrossAttention(6, 5, 2, "c.")
    if kind == "additive":
        made = AdditiveAttention(6, 5, 7, "c.")
    parameters = Parameters(made.shapes(), np.float64)
    made.initialise(parameters.views, RNG)
    x, source = size * RNG.standard_normal((6, B * 3)), RNG.standard_normal((5, B * 4))
    y, backward = made.forward(parameters.views, x, source, B, np.array([0, 4]))
    gradients = parameters.gradients_of(parameters.empty_like())
    gradients.begin()
    dx, dsource = backward(np.ones_like(y), gradients)
    for array, count in ((y, 3), (dx, 3), (dsource, 4)):
        assert not array[:, :count].any() and np.isfinite(array).all()


def test_additive_attention_is_bahdanaus() -> None:
    made = AdditiveAttention(6, 5, 7, "")
    weights = {name: RNG.standard_normal(shape) for name, shape in made.shapes().items()}
    x, source = RNG.standard_normal((6, B * 3)), RNG.standard_normal((5, B * 4))
    y, _ = made.forward(weights, x, source, B)
    for b in range(B):
        keys = source[:, 4 * b : 4 * b + 4].T.tolist()
        for t in range(3):
            query = x[:, 3 * b + t].tolist()
            wanted = naive.additive(query, keys, weights["query"], weights["key"], weights["v"])
            np.testing.assert_allclose(y[:, 3 * b + t], wanted, atol=1e-12)


def test_streams_are_answered_in_groups_as_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    before, count = 5, attention.BLOCK + 3
    q, k, v = three(count, before + count)
    sight = Sight(True, before, 20, np.array([0, 3]))
    bias, dy = RNG.standard_normal((H, 20)), RNG.standard_normal(q.shape)
    found = []
    for scores in (1 << 18, 1):
        monkeypatch.setattr(attention, "SCORES", scores)
        y, backward = attend(q, k, v, sight, bias, learns=True)
        slopes = [np.empty_like(q), *(np.empty((B, H, K, count)) for _ in "kv")]
        of_bias = backward(dy, *slopes)
        assert of_bias is not None
        found.append((y, *slopes, of_bias))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)

"""Channels are distributions: sums over all ways, over all strings, and the best way."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmkit.channel.edits.brill_moore import BrillMoore
from lmkit.channel.edits.damerau import Damerau
from lmkit.channel.edits.edit_model import EditModel
from lmkit.channel.edits.grid import grids
from lmkit.channel.edits.pairs import collected
from lmkit.channel.edits.table import UNSMOOTHED
from lmkit.channel.edits.ways import forward, totals
from lmkit.registry import names, resolve

from .channel_support import AllWays, strange_letters

TAUGHT = {
    ("ba", "ab"): 3.0,
    ("abb", "ab"): 2.0,
    ("a", "ab"): 2.0,
    ("bab", "abb"): 1.0,
    ("aab", "ab a"): 1.0,
    ("ab", "ab"): 4.0,
    ("aba", "abab"): 2.0,
    ("b b", "bb"): 1.0,
    ("bbaa", "abba"): 2.0,
}
STRINGS = ["", "a", "b", "ab", "ba", "abb", "aab", "abba", "baab", "a b", "ab a", "aé", "éa", "é"]


def taught(name: str, keep: float = 0.0, **options: object) -> EditModel:
    channel, _ = resolve("channel", name).learn(collected(TAUGHT.items()), **options)
    channel.keep = keep
    return channel


@pytest.fixture(scope="module", params=[(n, k) for n in names("channel") for k in (0.0, 0.8)])
def channel(request: pytest.FixtureRequest) -> EditModel:
    name, keep = request.param
    return taught(name, keep)


class TestAllWays:
    def test_the_sum_over_all_ways_is_that_of_each_of_them(self, channel: EditModel) -> None:
        ways = AllWays(channel.table, channel.keep)
        pairs = list(itertools.product(STRINGS, STRINGS))
        found = channel.log_probs([x for x, _ in pairs], [y for _, y in pairs])
        one_by_one = [math.log(ways.total(x, y)) for x, y in pairs]
        np.testing.assert_allclose(found, one_by_one, rtol=0, atol=1e-9)

    def test_the_path_is_the_best_of_all_ways(self, channel: EditModel) -> None:
        ways = AllWays(channel.table, channel.keep)
        for x, y in itertools.product(STRINGS, STRINGS):
            path = channel.path(x, y)
            assert "".join(edit.typed for edit in path) == x
            assert "".join(edit.intended for edit in path) == y
            total = sum(edit.log_prob for edit in path)
            assert total == pytest.approx(math.log(ways.best(x, y)), abs=1e-9)

    def test_pairs_do_not_depend_on_their_neighbours(self, channel: EditModel) -> None:
        pairs = list(itertools.product(STRINGS, STRINGS))
        together = channel.log_probs([x for x, _ in pairs], [y for _, y in pairs])
        alone = [channel.log_probs([x], [y])[0] for x, y in pairs]
        np.testing.assert_allclose(together, alone, rtol=1e-12)


class TestSums:
    @pytest.mark.slow
    @pytest.mark.parametrize("intended", ["", "a", "ab", "abba", "ab a", "é"])
    def test_all_strings_together_come_to_one(self, channel: EditModel, intended: str) -> None:
        # Every letter but a, b and the space is as likely as any other one that was never seen
        # (but for those of the intended string): one of them stands for all.
        known = "".join(dict.fromkeys(channel.table.letters + intended))
        others = strange_letters(channel.table) - (len(known) - channel.table.A)
        letters, sums = known + "\u4e00", [0.0]
        for length in range(8 if intended != "abba" else 9):
            strings = ["".join(s) for s in itertools.product(letters, repeat=length)]
            times = np.array([float(others) ** s.count("\u4e00") for s in strings])
            probs = np.exp(channel.log_probs(strings, [intended] * len(strings)))
            sums.append(sums[-1] + float(probs @ times))
        assert all(later > earlier for earlier, later in itertools.pairwise(sums))
        assert 0.97 < sums[-1] <= 1 + 1e-9
        left = 1 - np.array(sums)
        assert (left[1:][-3:] < left[:-1][-3:] * 0.6).all()

    def test_what_is_left_for_single_letters_and_longer_edits_is_one(self) -> None:
        """Of every substring: what replaces it and what passes on; of every letter: all that can
        become of it."""
        table = taught("brill-moore").table
        taken = np.zeros_like(table.passes)
        wide = [n for n, y in enumerate(table.counts.intended) if len(y) > 1]
        np.add.at(taken, table.intended[wide], table.longer[wide])
        np.testing.assert_allclose(taken + table.passes, 1, atol=1e-12)
        others = strange_letters(table)
        letters = table.delete + table.single[:, :, 1:].sum(axis=2)
        letters += table.single[:, :, 0] * others
        for n in table.ones.tolist():
            letters[:, table.letters.index(table.counts.intended[n]) + 1] += table.longer[n]
        np.testing.assert_allclose(letters[:, 1:], 1, atol=1e-12)
        # Of a letter never seen, itself is one of the others and has a price of its own.
        np.testing.assert_allclose(
            letters[:, 0] + table.same - table.single[:, 0, 0], 1, atol=1e-12
        )
        inserted = table.insert[:, 1:].sum(axis=1) + table.insert[:, 0] * others
        np.testing.assert_allclose(inserted, table.insert_rate, atol=1e-12)
        np.testing.assert_allclose(table.spaces.sum(), 1)
        np.testing.assert_allclose(
            table.at_space[1:].sum() + table.at_space[0] * others,
            table.spaces[0] + table.spaces[2],
        )


class TestAnyStrings:
    @given(st.text(max_size=12), st.text(max_size=12))
    def test_every_pair_has_a_probability(self, typed: str, intended: str) -> None:
        channel = taught_once()
        (log_prob,) = channel.log_probs([typed], [intended])
        assert -np.inf < log_prob <= 1e-9
        path = channel.path(typed, intended)
        assert sum(edit.log_prob for edit in path) <= log_prob + 1e-9
        assert "".join(edit.typed for edit in path) == typed

    @given(st.text("ab ", max_size=6), st.text("ab ", max_size=5))
    def test_brute_force_agrees(self, typed: str, intended: str) -> None:
        channel = taught_once()
        total = AllWays(channel.table, channel.keep).total(typed, intended)
        assert channel.log_probs([typed], [intended])[0] == pytest.approx(math.log(total), abs=1e-9)

    @pytest.mark.parametrize("name", names("channel"))
    def test_long_and_strange_strings_have_one_too(self, name: str) -> None:
        channel = taught(name, 0.9)
        pairs = [
            ("a" * 1000, "a" * 1000),
            ("a" * 500 + "b" + "a" * 499, "a" * 1000),
            ("\U0001f600" * 60, "ab"),
            ("x" * 20_000, "y" * 20_000),
            ("ab " * 100, "ab " * 99 + "ba"),
        ]
        found = channel.log_probs([x for x, _ in pairs], [y for _, y in pairs])
        assert np.isfinite(found).all() and (found <= 0).all()
        assert found[0] == pytest.approx(math.log(0.9), abs=0.2)
        assert found[0] > found[1] > found[3]

    def test_a_long_pair_is_scored_nearly_exactly(self) -> None:
        channel = BrillMoore.english()
        channel.keep = 0.5
        drawn = np.random.default_rng(1).integers(0, 26, 78).tolist()
        word = "".join(chr(ord("a") + n) for n in drawn)
        for x, y in [(word[:40] + word[41:], word), (word, word)]:
            (nearly,) = channel.log_probs([x], [y])
            (grid,) = grids([x], [y], channel.table, 0.5)
            exact = totals(grid, forward(grid))[0]
            assert nearly == pytest.approx(exact, abs=0.5)


_KEPT: list[EditModel] = []


def taught_once() -> EditModel:
    if not _KEPT:
        _KEPT.append(taught("brill-moore", 0.9))
    return _KEPT[0]


class TestUntrained:
    def test_neighbours_on_the_keyboard_are_likelier(self) -> None:
        near, far = Damerau().log_probs(["tje", "tme"], ["the", "the"])
        assert near > far + 1

    def test_each_error_of_damerau_is_likelier_than_two(self) -> None:
        channel = BrillMoore()
        ones = channel.log_probs(["teh", "te", "thee", "tha"], ["the"] * 4)
        two = channel.log_probs(["ta"], ["the"])
        assert (ones > two).all()

    def test_nothing_is_learnt_without_smoothing_from_nothing(self) -> None:
        channel = BrillMoore(smoothing=UNSMOOTHED)
        assert channel.table.stop == 1

"""Pairs of single words, summed in bulk or of one typed word: the same as over a grid of each."""

from __future__ import annotations

import numpy as np
import pytest

from lmkit.channel.edits import single_words
from lmkit.channel.edits.edit_model import EditModel
from lmkit.channel.edits.grid import grids
from lmkit.channel.edits.one_typed import one_typed_log_probs
from lmkit.channel.edits.single_words import word_log_probs
from lmkit.channel.edits.table import UNSMOOTHED, EditTable
from lmkit.channel.edits.ways import forward, totals
from lmkit.registry import names, resolve

KEEP = 0.9


@pytest.fixture(scope="module", params=names("channel"))
def channel(request: pytest.FixtureRequest) -> EditModel:
    english: EditModel = resolve("channel", request.param).english()
    english.keep = 0.1
    return english


def drawn(channel: EditModel, number: int, seed: int = 1) -> tuple[list[str], list[str]]:
    """Words of common letters, and what the channel makes of them; every third pair unlike."""
    generator = np.random.default_rng(seed)
    sizes = generator.integers(1, 14, number)
    intended = ["".join(generator.choice(list("eationsrlcdhmup'é"), n)) for n in sizes]
    typed = [channel.draw(word, generator) for word in intended]
    typed[::3] = typed[1::3] + typed[: len(typed[::3]) - len(typed[1::3])]
    return typed, intended


def by_grid(channel: EditModel, typed: list[str], intended: list[str]) -> np.ndarray:
    values = np.zeros(len(typed))
    for grid in grids(typed, intended, channel.table, KEEP):
        values[grid.pairs] = totals(grid, forward(grid))
    return values


class TestSums:
    @pytest.mark.slow
    def test_they_are_those_of_the_grid(self, channel: EditModel) -> None:
        typed, intended = drawn(channel, 3000)
        found = word_log_probs(typed, intended, channel.table, KEEP)
        mine = np.isfinite(found)
        assert mine.sum() > 500
        assert np.isnan(found[~mine]).all()
        np.testing.assert_allclose(
            found[mine], by_grid(channel, typed, intended)[mine], rtol=0, atol=1e-10
        )

    def test_how_many_go_together_does_not_matter(
        self, channel: EditModel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        typed, intended = drawn(channel, 400)
        together = word_log_probs(typed, intended, channel.table, KEEP)
        monkeypatch.setattr(single_words, "CELLS", 300)
        monkeypatch.setattr(single_words, "TYPED", 3)
        np.testing.assert_array_equal(
            word_log_probs(typed, intended, channel.table, KEEP), together
        )


class TestOneTyped:
    @pytest.mark.slow
    def test_sums_are_those_of_the_grid(self, channel: EditModel) -> None:
        typed, intended = drawn(channel, 400)
        several = [f"{a} {b}" for a, b in zip(intended[::2], intended[1::2], strict=True)]
        scored = 0
        for n, x in enumerate(typed[::5]):
            meant = [x, *intended[n : n + 20], *several[n : n + 8], f"{x[:2]} {x[2:]}", "a b c"]
            meant = [y for y in meant if all(y.split(" "))]
            found = one_typed_log_probs(x, meant, channel.table, KEEP)
            mine = np.isfinite(found)
            known = bool(x) and all(channel.table.numbers[ord(letter)] for letter in x)
            assert mine.all() if known else np.isnan(found).all()
            scored += int(mine.sum())
            expected = by_grid(channel, [x] * len(meant), meant)
            np.testing.assert_allclose(found[mine], expected[mine], rtol=0, atol=1e-10)
        assert scored > 1000

    @pytest.mark.parametrize("keep", [0.0, 0.4])
    def test_without_longer_edits_or_smoothing(self, keep: float) -> None:
        model = EditModel()
        tables = [
            model.table,
            EditTable(resolve("channel", "brill-moore").english().counts, UNSMOOTHED),
        ]
        meant = ["the", "tea", "t", "he", "of the", "t eh", "thé"]
        for table in tables:
            found = one_typed_log_probs("teh", meant, table, keep)
            values = np.zeros(len(meant))
            for grid in grids(["teh"] * len(meant), meant, table, keep):
                values[grid.pairs] = totals(grid, forward(grid))
            np.testing.assert_allclose(found, values, rtol=0, atol=1e-10)

    @pytest.mark.parametrize(
        ("typed", "intended"),
        [("", "a"), ("щука", "pike"), ("a" * 65, "b"), ("a", "b" * 65), ("a", ""), ("ab", "a  b")],
    )
    def test_what_is_left_to_the_grid(self, channel: EditModel, typed: str, intended: str) -> None:
        assert np.isnan(one_typed_log_probs(typed, [intended], channel.table, KEEP)).all()

    def test_none_at_all(self, channel: EditModel) -> None:
        assert len(one_typed_log_probs("a", [], channel.table, KEEP)) == 0


class TestLeftToTheGrid:
    @pytest.mark.parametrize(
        ("typed", "intended"),
        [
            ("word", "word"),  # may have been typed as it was meant
            ("ofthe", "of the"),
            ("", "a"),
            ("a", ""),
            ("щука", "pike"),  # letters without a number
            ("a" * 65, "b"),
            ("a", "b" * 65),
        ],
    )
    def test_what_is_no_pair_of_words(self, channel: EditModel, typed: str, intended: str) -> None:
        found = word_log_probs(["teh", typed], ["the", intended], channel.table, KEEP)
        assert np.isfinite(found[0])
        assert np.isnan(found[1])

    def test_none_at_all(self, channel: EditModel) -> None:
        assert len(word_log_probs([], [], channel.table, KEEP)) == 0

"""Learning channels: likelihoods that never fall, counts done by hand, real pairs."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest

from lmkit.channel.edits.brill_moore import BrillMoore
from lmkit.channel.edits.counts import Counts, counts_of
from lmkit.channel.edits.damerau import Damerau
from lmkit.channel.edits.inventory import Inventory
from lmkit.channel.edits.learning import learn, one_round, without_rare
from lmkit.channel.edits.pairs import Pairs, collected, read_pairs
from lmkit.channel.edits.table import UNSMOOTHED, EditTable, Smoothing

from .channel_support import AllWays

WORDS = {
    ("teh", "the"): 5.0,
    ("hte", "the"): 2.0,
    ("th", "the"): 1.0,
    ("fone", "phone"): 3.0,
    ("foto", "photo"): 2.0,
    ("recieve", "receive"): 4.0,
    ("beleive", "believe"): 2.0,
    ("acomodate", "accommodate"): 3.0,
    ("thier", "their"): 2.0,
    ("nife", "knife"): 1.0,
    ("the", "the"): 3.0,
    ("alot", "a lot"): 2.0,
    ("to gether", "together"): 1.0,
}


def words() -> Pairs:
    return collected(WORDS.items())


def beginning(pairs: Pairs, widest: int = 3) -> Counts:
    """Counts with longer edits to begin with, such that without smoothing all is possible."""
    letters = "".join(sorted({*"".join(pairs.typed), *"".join(pairs.intended)}))
    counts = one_round(pairs, Counts.zero(letters), Smoothing()).counts
    inventory = Inventory(EditTable(counts, Smoothing()), widest)
    one_round(pairs, counts, Smoothing(), True, inventory)
    return one_round(pairs, inventory.counts(counts), Smoothing()).counts


class TestLikelihood:
    @pytest.mark.parametrize("viterbi", [False, True])
    def test_never_falls_without_smoothing(self, viterbi: bool) -> None:
        """Of all ways, and with Viterbi's rounds that of the best ways."""
        pairs, course = words(), []
        counts = beginning(pairs)
        for _ in range(12):
            done = one_round(pairs, counts, UNSMOOTHED, viterbi)
            assert done.unexplained == 0
            course.append(done.log_likelihood)
            counts = done.counts
        assert all(later >= earlier - 1e-9 for earlier, later in itertools.pairwise(course))
        assert course[-1] > course[0] + 0.5

    def test_is_what_the_channel_says_of_the_pairs(self) -> None:
        pairs = words()
        counts = beginning(pairs)
        channel = BrillMoore(counts, keep=0.0, smoothing=UNSMOOTHED)
        expected = channel.log_probs(pairs.typed, pairs.intended) @ pairs.counts
        found = one_round(pairs, counts, UNSMOOTHED).log_likelihood
        assert found == pytest.approx(expected, abs=1e-6)

    def test_of_best_ways_is_that_of_the_paths(self) -> None:
        pairs = words()
        counts = beginning(pairs)
        channel = BrillMoore(counts, keep=0.0, smoothing=UNSMOOTHED)
        paths = [sum(edit.log_prob for edit in channel.path(x, y)) * count for x, y, count in pairs]
        found = one_round(pairs, counts, UNSMOOTHED, viterbi=True).log_likelihood
        assert found == pytest.approx(sum(paths), abs=1e-6)


class TestCounts:
    def test_one_way_only(self) -> None:
        """Where each pair has one way, what is counted is what happened: a, b kept, b typed as
        c at the end, and so on.

            ab -> ab  3 times     ab -> ac  1 time
        """
        pairs = collected({("ab", "ab"): 3.0, ("ac", "ab"): 1.0}.items())
        start = Counts.zero("abc")
        start.single[0, 2, 2] = 8.0  # letters are " abc": a kept at the start
        start.single[2, 3, 3] = 4.0
        start.single[2, 3, 4] = 4.0
        start.stop = 8.0
        done = one_round(pairs, start, UNSMOOTHED)
        # p(ab|ab) = p(ac|ab) = 1/2
        assert done.log_likelihood == pytest.approx(4 * math.log(1 / 2))
        rows = {(r.kind, r.context, r.intended, r.typed): r.count for r in done.counts.rows()}
        assert rows == {
            ("keep", "start", "a", "a"): pytest.approx(4),
            ("keep", "end", "b", "b"): pytest.approx(3),
            ("substitute", "end", "b", "c"): pytest.approx(1),
            ("stop", "end", "", ""): pytest.approx(4),
        }
        again = one_round(pairs, done.counts, UNSMOOTHED)
        assert again.log_likelihood == pytest.approx(3 * math.log(3 / 4) + math.log(1 / 4))

    def test_a_pair_with_two_ways_is_shared_out(self) -> None:
        """``a`` for ``aa``: the first letter deleted and the second kept, or the other way round.

        With p(deleted) = 1/4 at the start and 1/2 at the end these weigh 1/4 * 1/2 and
        3/4 * 1/2: a quarter and three quarters of the pair.
        """
        pairs = collected({("a", "aa"): 1.0}.items())
        start = Counts.zero("a")
        start.delete[0, 2], start.single[0, 2, 2] = 1.0, 3.0
        start.delete[2, 2], start.single[2, 2, 2] = 1.0, 1.0
        start.stop = 1.0
        counts = one_round(pairs, start, UNSMOOTHED).counts
        assert counts.delete[0, 2] == pytest.approx(1 / 4)
        assert counts.single[2, 2, 2] == pytest.approx(1 / 4)
        assert counts.delete[2, 2] == pytest.approx(3 / 4)
        assert counts.single[0, 2, 2] == pytest.approx(3 / 4)

    def test_a_longer_edit_is_counted_against_all_places_it_could_have_been(self) -> None:
        """``ph`` became f in one of the two places where a word begins with it."""
        rows = [
            ("replace", "start", "ph", "f", 1.0),
            ("seen", "start", "ph", "", 4.0),
            ("keep", "start", "p", "p", 3.0),
            ("keep", "middle", "h", "h", 3.0),
            ("keep", "end", "o", "o", 4.0),
            ("stop", "end", "", "", 4.0),
        ]
        channel = BrillMoore.from_rows(rows, keep=0.0)
        channel = BrillMoore(channel.counts, keep=0.0, smoothing=UNSMOOTHED)
        found = np.exp(channel.log_probs(["fo", "pho"], ["pho", "pho"]))
        np.testing.assert_allclose(found, [1 / 4, 3 / 4])
        done = one_round(collected({("fo", "pho"): 1.0, ("pho", "pho"): 1.0}.items()),
                         channel.counts, UNSMOOTHED).counts  # fmt: skip
        assert done.longer[0].tolist() == [1.0, 0.0, 0.0]
        assert done.seen[0].tolist() == [2.0, 0.0, 0.0]

    def test_expected_counts_are_posteriors_of_all_ways(self) -> None:
        """The expected number of letters inserted is how the sum over all ways changes with the
        probability of inserting: d log Z / d log p."""
        pairs = collected({("abba", "aba"): 1.0}.items())
        channel, _ = Damerau.learn(collected({("abba", "aba"): 2.0, ("ab", "ba"): 1.0}.items()))
        expected = one_round(pairs, channel.counts, channel.smoothed).counts.insert
        table = EditTable(channel.counts, channel.smoothed)
        before = AllWays(table).total("abba", "aba")
        for place, number in [(1, 3), (0, 2), (2, 2)]:
            table.insert[place, number] *= 1 + 1e-6
            after = AllWays(table).total("abba", "aba")
            table.insert[place, number] /= 1 + 1e-6
            slope = (math.log(after) - math.log(before)) / 1e-6
            assert expected[place, number] == pytest.approx(slope, abs=1e-4)


class TestLearning:
    def test_what_was_taught_is_likelier_than_before(self) -> None:
        channel, facts = BrillMoore.learn(words())
        channel.keep = 0.0
        untaught = BrillMoore(keep=0.0)
        typed, intended = ["fonograph", "acomodation"], ["phonograph", "accommodation"]
        gains = channel.log_probs(typed, intended) - untaught.log_probs(typed, intended)
        assert (gains > 0).all()
        assert facts["pairs"] == len(WORDS)
        assert facts["counted"] == sum(WORDS.values())

    def test_damped_pairs_are_pairs_counted_less(self) -> None:
        damped, _ = BrillMoore.learn(words())
        plan = BrillMoore.plan
        by_hand, _ = BrillMoore.learn(words().damped(plan.damping, plan.far), damping=0.0)
        assert list(damped.rows()) == list(by_hand.rows())
        assert list(damped.rows()) != list(BrillMoore.learn(words(), damping=0.0)[0].rows())

    def test_a_string_edit_is_named_in_the_path(self) -> None:
        channel, _ = BrillMoore.learn(
            collected({("fone", "phone"): 9, ("foto", "photo"): 9}.items())
        )
        (edit,) = [e for e in channel.path("fonograph", "phonograph") if e.kind == "replace"]
        assert edit.intended.startswith("ph")
        assert edit.typed.startswith("f")

    def test_damerau_learns_the_four_confusions_only(self) -> None:
        channel, _ = Damerau.learn(words(), damping=0.0)
        kinds = set()
        for row in channel.rows():
            if len(row.intended) > 1 and row.kind != "seen":
                swap = row.typed == row.intended[::-1]
                assert swap or row.typed == row.intended[0]
                kinds.add("swap" if swap else "delete")
            elif len(row.typed) > 1:
                assert row.typed[0] == row.intended
                kinds.add("insert")
        assert {"swap", "delete"} <= kinds

    def test_rare_edits_are_cut_with_what_was_seen_of_them(self) -> None:
        counts, _ = learn(words(), BrillMoore.plan, Smoothing())
        total = counts.longer.sum(axis=1)
        kept = without_rare(counts, float(np.median(total)))
        assert 0 < len(kept.intended) < len(counts.intended)
        assert set(kept.substrings) <= set(kept.intended)

    def test_rows_make_the_same_channel_again(self) -> None:
        channel, _ = BrillMoore.learn(words())
        again = BrillMoore.from_rows(list(channel.rows()), keep=channel.keep, **channel.options)
        typed, intended = [x for x, _ in WORDS], [y for _, y in WORDS]
        np.testing.assert_allclose(
            again.log_probs(typed, intended), channel.log_probs(typed, intended), rtol=1e-12
        )
        first, second = (counts_of(c.rows()) for c in (channel, again))
        assert list(first.rows()) == list(second.rows())

    def test_the_same_pairs_teach_the_same(self) -> None:
        one, other = (BrillMoore.learn(words())[0] for _ in range(2))
        assert list(one.rows()) == list(other.rows())


@pytest.mark.data
@pytest.mark.slow
def test_real_pairs_teach_to_spell(shared_data: Path) -> None:
    """Learnt from lists of misspellings, a channel explains those of other words better than
    one that was taught nothing, by several nats a word, and better than single letters do."""
    path = shared_data / "spelling" / "train.tsv"
    if not path.exists():
        pytest.skip("no pairs of misspellings")
    held_out = read_pairs(path.with_name("dev.tsv"))
    pairs = read_pairs(path)
    assert not set(pairs.intended) & set(held_out.intended)
    means = {}
    for name, channel in {
        "untaught": BrillMoore(),
        "damerau": Damerau.learn(pairs)[0],
        "brill-moore": BrillMoore.learn(pairs)[0],
    }.items():
        channel.keep = 0.0
        means[name] = channel.log_probs(held_out.typed, held_out.intended).mean()
    assert means["damerau"] > means["untaught"] + 1.5
    assert means["brill-moore"] > means["damerau"] + 0.2

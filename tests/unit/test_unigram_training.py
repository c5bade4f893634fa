"""How unigram pieces are learnt: by hand, against the slow twin, and that EM only goes up."""

from __future__ import annotations

import random
from math import log

import numpy as np
import pytest

from lmkit.text.subwords import unigram_training
from lmkit.text.subwords.lattice import Lattice, Nodes
from lmkit.text.subwords.trie import Trie, spelling_of
from lmkit.text.subwords.unigram_text import symbols_of
from lmkit.text.subwords.unigram_training import ExpectationMaximization, learn_unigram, seeds

from ..reference import unigram as twin


def text_of(seed: int, parts: int) -> dict[bytes, int]:
    generator = random.Random(seed)
    stems = ["the", "cat", "sat", "hat", "ing", "un", "é", "日本", "ed"]
    made = (
        " " + "".join(generator.choices(stems, k=generator.randint(1, 3))) for _ in range(parts)
    )
    return {part.encode(): generator.randint(1, 20) for part in made}


def spelt(text: dict[bytes, int]) -> dict[str, float]:
    return {part.decode().replace(" ", "▁"): float(times) for part, times in text.items()}


def em_of(
    text: dict[bytes, int], pieces: list[str], counts: list[float]
) -> ExpectationMaximization:
    symbols, lengths = symbols_of(list(text))
    nodes = Nodes(symbols, lengths)
    lattice = Lattice.of(nodes, Trie(*spelling_of(pieces)).matches(nodes))
    mass = np.array(list(text.values()), np.float64)[nodes.order]
    return ExpectationMaximization(lattice, mass, np.zeros(0), np.array(counts))


def test_a_step_of_em_by_hand() -> None:
    # "ab" comes three times, with p(a) = p(b) = 1/4 and p(ab) = 1/2. Its segmentations are
    # a b (1/16) and ab (1/2): p("ab") = 9/16, and the shares are 1/9 and 8/9.
    em = em_of({b"ab": 3}, ["a", "b", "ab"], [1.0, 1.0, 2.0])
    assert em.step() == pytest.approx(3 * log(9 / 16))
    # Expected: a and b 3 * 1/9 times, ab 3 * 8/9 times; 10/3 tokens.
    assert em.counts == pytest.approx([1 / 3, 1 / 3, 8 / 3])
    assert em.total == pytest.approx(10 / 3)
    # Then p(a) = p(b) = 1/10 and p(ab) = 8/10: p("ab") = 0.81.
    assert em.step() == pytest.approx(3 * log(0.81))


def test_steps_of_em_are_those_of_the_twin() -> None:
    text = text_of(1, 30)
    counts = twin.substrings(spelt(text), 4)
    em = em_of(text, list(counts), list(counts.values()))
    for _ in range(3):
        em.step()
        counts = twin.step(spelt(text), counts, 0.0)
        assert em.counts == pytest.approx(list(counts.values()), rel=1e-9, abs=1e-12)


def test_the_likelihood_falls_at_no_step_of_em() -> None:
    text = text_of(2, 400)
    counts = twin.substrings(spelt(text), 6)
    em = em_of(text, list(counts), list(counts.values()))
    em.fixed = np.array([5.0, 0.0, 1.0])
    found = [em.step() for _ in range(60)]
    rises = np.diff(found)
    assert (rises >= -1e-9 * abs(found[0])).all()
    assert rises[:10].min() > 0.01 and found[-1] > found[0] + 100
    # And a step is that from probabilities, which sum to one with those of the fixed tokens.
    assert (em.counts.sum() + em.fixed.sum()) / em.total == pytest.approx(1)


def test_seeds_are_the_substrings_of_the_text_by_count_times_length() -> None:
    text = text_of(3, 60)
    symbols, lengths = symbols_of(list(text))
    nodes = Nodes(symbols, lengths)
    mass = np.array(list(text.values()), np.float64)[nodes.order]
    expected = twin.substrings(spelt(text), unigram_training.LONGEST)
    candidates, counts, lattice = seeds(nodes, mass, 10**6)
    assert dict(zip(candidates.texts(), counts.tolist(), strict=True)) == expected
    assert candidates.texts() == sorted(expected, key=lambda piece: (len(piece), piece))
    # The lattice has each of their occurrences: as many as they were counted.
    again = np.bincount(lattice.piece, np.repeat(mass[nodes.row], np.diff(lattice.starts)))
    assert again == pytest.approx(counts)
    few, _, _ = seeds(nodes, mass, 40)
    worst = min(expected[p] * len(p) for p in few.texts() if len(p) > 1)
    left = max(n * len(p) for p, n in expected.items() if p not in set(few.texts()))
    assert len(few) == 40 and left <= worst
    assert {p for p in expected if len(p) == 1} <= set(few.texts())


@pytest.mark.parametrize("size", [25, 45, 10**4])
def test_learning_is_that_of_the_twin(size: int) -> None:
    text = text_of(4, 25)
    learnt = learn_unigram(list(text), list(text.values()), size, coverage=1.0, others=[3])
    fixed = 256.0 + 3
    expected = twin.learn(
        spelt(text),
        size,
        fixed=fixed,
        steps=unigram_training.STEPS,
        shrink=unigram_training.SHRINK,
        rarest=unigram_training.RAREST,
        longest=unigram_training.LONGEST,
        seeds=unigram_training.SEEDS * size,
    )
    total = sum(expected.values()) + fixed
    assert set(learnt.pieces) == set(expected)
    assert len(expected) == min(size, len(expected))
    by_twin = [log(expected[piece] / total) for piece in learnt.pieces]
    frequent = np.array(by_twin) > -30
    assert learnt.log_probs[frequent] == pytest.approx(np.array(by_twin)[frequent], rel=1e-7)
    assert (np.diff(learnt.log_probs) <= 0).all()
    assert learnt.byte_log_probs == pytest.approx([log(1 / total)] * 256)
    assert learnt.other_log_probs == pytest.approx([log(3 / total)])


def test_probabilities_of_all_tokens_sum_to_one() -> None:
    text = {**text_of(5, 80), "ﬁ\t".encode(): 3, b"\xff": 2, "▁".encode(): 1}
    learnt = learn_unigram(list(text), list(text.values()), 60, coverage=0.99, others=[1, 7])
    every = [learnt.log_probs, learnt.byte_log_probs, learnt.other_log_probs]
    assert np.exp(np.concatenate(every)).sum() == pytest.approx(1)
    assert np.isfinite(np.concatenate(every)).all()
    bytes_seen = np.exp(learnt.byte_log_probs) / np.exp(learnt.byte_log_probs).min()
    # Each is counted once more: a tab three times, 0xFF twice; a ▁ of the text in bytes, once each.
    assert bytes_seen[[0x09, 0xFF, 0x96, 0x41]] == pytest.approx([4, 3, 2, 1])


def test_characters_are_kept_by_coverage_and_never_dropped() -> None:
    text = {b"aaaa": 100, b"bb": 50, "é".encode(): 2, b"z": 1}
    all_of_them = learn_unigram(list(text), list(text.values()), 4, coverage=1.0)
    assert sorted(all_of_them.pieces) == ["a", "b", "z", "é"]
    # 500 of 503 characters are a and b.
    most = learn_unigram(list(text), list(text.values()), 4, coverage=0.99)
    assert sorted(piece for piece in most.pieces if len(piece) == 1) == ["a", "b"]
    one = learn_unigram(list(text), list(text.values()), 1, coverage=1.0)
    assert one.pieces == ("a",)
    # An é that is no piece is spelt by its two bytes.
    assert most.byte_log_probs[0xC3] == most.byte_log_probs[0xA9] > most.byte_log_probs[0x41]


def test_what_is_reserved_is_no_piece() -> None:
    text = {b"<unk><0x0A>": 50, b"<s>x": 30, b" <|x|>": 9}
    free = learn_unigram(list(text), list(text.values()), 10**4)
    assert not {"<unk>", "<s>", "<0x0A>"} & set(free.pieces)
    assert {"<unk", "s>", "▁<|x|>", "<s>x"} <= set(free.pieces)
    held = learn_unigram(list(text), list(text.values()), 10**4, reserved=["▁<|x|>", "x"])
    assert not {"▁<|x|>", "x", "<s>x"} & set(held.pieces)


def test_no_text_leaves_the_bytes() -> None:
    learnt = learn_unigram([], [], 5, others=[1])
    assert learnt.pieces == () and np.exp(learnt.byte_log_probs).sum() == pytest.approx(256 / 257)
    only_bytes = learn_unigram([b"\xff\t"], [3], 5)
    assert only_bytes.pieces == ()


def test_of_too_long_a_text_the_rarest_parts_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    text = text_of(6, 200)
    often = {part: times for part, times in text.items() if times > 10}
    monkeypatch.setattr(unigram_training, "MOST_SYMBOLS", sum(map(len, often)))
    some = learn_unigram(list(text), list(text.values()), 50, coverage=1.0)
    assert some.pieces == learn_unigram(list(often), list(often.values()), 50, coverage=1.0).pieces


def test_long_parts_are_cut_for_learning_only() -> None:
    text = {b"ab" * 400: 2, b"abc": 5}
    learnt = learn_unigram(list(text), list(text.values()), 30)
    assert learnt.pieces[0] == "ab" * 8
    assert max(map(len, learnt.pieces)) == unigram_training.LONGEST


def test_progress_is_told_after_each_round() -> None:
    text = text_of(7, 60)
    told: list[tuple[int, int]] = []
    learn_unigram(
        list(text), list(text.values()), 40, progress=lambda done, of: told.append((done, of))
    )
    assert [done for done, _ in told] == list(range(1, len(told) + 1))
    assert told[-1][0] == told[-1][1] and len(told) > 3

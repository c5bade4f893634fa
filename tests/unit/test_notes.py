"""Notes that say the same of several orders."""

from __future__ import annotations

from lmkit.ngram.building import folded


def test_equal_notes_of_several_orders_are_one() -> None:
    notes = [
        "weights by 3 rounds",
        "order 2: took 0.5",
        "order 3: took 1",
        "order 4: took 0.5",
        "order 5: took 0.5",
        "order 6: took 0.5",
        "order 8: nothing",
        "order 9: nothing",
    ]
    assert folded(notes) == [
        "weights by 3 rounds",
        "orders 2, 4 to 6: took 0.5",
        "order 3: took 1",
        "orders 8, 9: nothing",
    ]


def test_what_is_of_no_order_stays_as_it_is() -> None:
    assert folded([]) == []
    assert folded(["order: of words", "a note"]) == ["order: of words", "a note"]

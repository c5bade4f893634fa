"""What kind of model a backend trains is what its class declares."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from lmkit.evaluate.comparison.specs import parse_spec
from lmkit.registry import BUILT_IN, family, names


class Deep:
    """A network from outside, whose name is no cell."""

    family = "neural"


class Plain:
    """A backend from outside that declares nothing."""


def test_all_networks_are_one_family() -> None:
    assert [family(cell) for cell in names("cell")] == ["neural"] * len(names("cell"))
    assert [family(name) for name in ("ngram", "mixture")] == ["ngram", "mixture"]


def test_what_names_no_backend_has_no_family() -> None:
    assert [family(name) for name in ("", "mix", "neural")] == [""] * 3


def test_a_backend_from_outside_says_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    outside = ModuleType("outside")
    outside.__dict__.update(Deep=Deep, Plain=Plain)
    monkeypatch.setitem(sys.modules, "outside", outside)
    monkeypatch.setitem(BUILT_IN["backend"], "deep", "outside:Deep")
    monkeypatch.setitem(BUILT_IN["backend"], "plain", "outside:Plain")
    assert parse_spec("deep").is_network and not parse_spec("plain").is_network
    assert family("plain") == "plain"

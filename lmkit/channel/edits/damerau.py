"""Confusion counts for letters inserted, deleted, replaced and transposed (Kernighan, Church &
Gale 1990), with the neighbours on the keyboard as the prior of letters replaced."""

from __future__ import annotations

from typing import ClassVar

from lmkit.channel.edits.edit_model import EditModel
from lmkit.channel.edits.plan import Plan


class Damerau(EditModel):
    """The four errors of Damerau (1964): a letter after another inserted or deleted, a letter
    for another, two letters that changed places."""

    name: ClassVar[str] = "damerau"
    plan: ClassVar[Plan] = Plan(widest=2, only_after=True)

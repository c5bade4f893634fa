"""String-to-string edits that know where in the word they are (Brill & Moore 2000)."""

from __future__ import annotations

from typing import ClassVar

from lmkit.channel.edits.edit_model import EditModel


class BrillMoore(EditModel):
    """Substrings of up to four letters become others, with probabilities learnt from pairs."""

    name: ClassVar[str] = "brill-moore"

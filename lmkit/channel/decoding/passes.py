"""A search in two passes, for a source model that is slow to ask.

A network forms a distribution over its vocabulary for every history, which takes some hundred times
as long as to look up n-grams. But most of what a lattice offers is hopeless to any model. So a
faster model of the same tokens goes first, and the slow one reads what that leaves: the ways that
are not too far behind the best one (Murveit et al. 1993, "Large-vocabulary dictation using SRI's
DECIPHER speech recognition system: progressive-search techniques"). Text as it was typed is always
left, whatever the fast model makes of it, so that a change has that beside it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lmkit.channel.decoding.decoder import BeamSearch, Pricing
from lmkit.channel.decoding.lattice import CHANGED, Lattice
from lmkit.channel.decoding.search import Search
from lmkit.model import LanguageModel

HOPELESS = 7.0
"""A change is hopeless where the first pass has its best way so many nats behind the best one."""


def two_passes(
    lattice: Lattice,
    first: LanguageModel,
    first_pricing: Pricing,
    source: LanguageModel,
    pricing: Pricing,
    beam: int,
    behind: float,
    hopeless: float = HOPELESS,
    relative: bool = False,
) -> Search:
    """What `BeamSearch` of ``lattice`` with ``source`` keeps of what is not ``hopeless`` for the
    model ``first``; arcs have the numbers that they have in ``lattice``. ``relative``: scores need
    only be right beside each other, so that ``source`` is not asked about what all ways share."""
    found = BeamSearch(lattice, first, first_pricing, beam, behind).run()
    kept = _hopeful(lattice, found, hopeless)
    left = lattice.thinned(kept)
    sure = left.sure() if relative else None
    search = BeamSearch(left, source, pricing, beam, behind, sure=sure).run()
    return replace(search, edge_arc=kept[search.edge_arc])


def _hopeful(lattice: Lattice, found: Search, hopeless: float) -> NDArray[np.int64]:
    """The arcs that are left by what was ``found``."""
    left = found.behind_best(len(lattice.arcs)) <= hopeless
    left |= lattice.arcs.kind != CHANGED
    # Where no way is possible to the first model, it knows nothing of the sentence.
    lost = found.final < 0
    if lost.any():
        left |= lost[lattice.sentences()]
    return np.flatnonzero(left)

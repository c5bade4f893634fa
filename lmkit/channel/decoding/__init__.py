"""From lines to a lattice of all that may have been meant, and the best way through it."""

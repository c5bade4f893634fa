"""Writing ARPA files, the text format that all n-gram toolkits read.

log10, ``<unk>``, ``<s>`` and ``</s>`` first, no backoffs at the highest order; a probability or
a backoff weight of 0, as that of ``<s>``, is -99 (SRILM's word for it, which KenLM reads). Nine
significant digits give back the very float32 that the model holds. Tokens that would break a
line are written as `lmkit.ngram.escapes` says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UnsupportedError
from lmkit.model import BOS
from lmkit.ngram.model import NgramModel
from lmkit.ngram.ngram_lines import NgramLines, Number, formatted
from lmkit.store.atomic import Target, open_target
from lmkit.store.columns import Column

Progress = Callable[[str, int, int], None]

LOG10_ZERO = -99.0
LN10 = float(np.log(10))


def write_arpa(model: NgramModel, path: Target, progress: Progress | None = None) -> None:
    """Write ``model`` to the ARPA file ``path``, atomically; ``-`` is standard output, and the
    end of the name says how it is compressed.

    Raises `UnsupportedError`, before anything is written, for a model whose probabilities are
    no n-grams' with backoff weights.
    """
    check_backoff_form(model)
    trie = model.trie
    total, done = sum(trie.sizes), 0
    with open_target(path) as file:
        sizes = [f"ngram {order}={size}" for order, size in enumerate(trie.sizes, 1)]
        file.write("\n".join(["\\data\\", *sizes, ""]).encode())
        lines = NgramLines(trie, model.vocabulary.tokens)
        for order in range(1, trie.order + 1):
            file.write(f"\n\\{order}-grams:\n".encode())
            level = trie[order]
            assert level.log_prob is not None
            if order < trie.order:
                assert level.log_backoff is not None
                behind = _log10(level.log_backoff, "\t%.9g\n")
            else:
                behind = _line_ends
            for block, size in lines.blocks(order, [_log10(level.log_prob, "%.9g\t")], [behind]):
                file.write(block)
                done += size
                if progress is not None:
                    progress("writing", done, total)
        file.write(b"\n\\end\\\n")


def check_backoff_form(model: NgramModel) -> None:
    """Raises `UnsupportedError` where p(w|h) is not the listed probability or else the backoff
    weight of h times p(w|h'), all above 0: an ARPA file cannot say that."""
    name, hint = model.facts["smoothing"]["name"], "lmkit train --from, with another smoothing"
    reasons = {
        "floor": "it gives the tokens that a context does not list equal probabilities, not "
        "those of the shorter context",
        "constant": "its scores are no probabilities, and contexts without any n-gram cost there",
    }
    if model.form in reasons:
        raise UnsupportedError(
            f"an ARPA file cannot hold {name} smoothing: {reasons[model.form]}", hint
        )
    column = model.trie[1].log_prob
    assert column is not None
    impossible = np.isneginf(column.array())
    impossible[BOS] = False
    if name == "maximum-likelihood" or impossible.any():
        raise UnsupportedError(
            f"an ARPA file cannot hold {name} smoothing: it says of tokens that they are "
            "impossible, for which the format has no number",
            hint,
        )


def _log10(column: Column, form: str) -> Number:
    """Pieces of text for natural logarithms."""

    def pieces(rows: slice) -> NDArray[Any]:
        values = column.read(rows.start, rows.stop).astype(np.float64) / LN10
        # Adding 0 makes 0 of -0.
        return formatted(np.where(np.isneginf(values), LOG10_ZERO, values) + 0.0, form)

    return pieces


def _line_ends(rows: slice) -> NDArray[Any]:
    return np.full(rows.stop - rows.start, b"\n", object)

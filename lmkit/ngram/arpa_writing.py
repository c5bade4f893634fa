"""Writing ARPA files, the text format that all n-gram toolkits read.

log10, ``<unk>``, ``<s>`` and ``</s>`` first, no backoffs at the highest order; a probability or
a backoff weight of 0, as that of ``<s>``, is -99 (SRILM's word for it, which KenLM reads). A
number has the seven, eight or nine digits that give back the very float32 of the model, so
what was read with no more than seven is written as it was. Tokens that would break a line are
written as `lmkit.ngram.escapes` says.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lmkit.errors import UnsupportedError
from lmkit.files.atomic import Target, open_target
from lmkit.model import BOS, EOS, UNK
from lmkit.ngram.digits import log10_text
from lmkit.ngram.model import NgramModel
from lmkit.ngram.ngram_lines import NgramLines

Progress = Callable[[str, int, int], None]


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

        def told(size: int) -> None:
            nonlocal done
            done += size
            if progress is not None:
                progress("writing", done, total)

        for order in range(1, trie.order + 1):
            file.write(f"\n\\{order}-grams:\n".encode())
            level = trie[order]
            assert level.log_prob is not None
            behind = []
            if order < trie.order:
                assert level.log_backoff is not None
                behind.append((level.log_backoff, log10_text))
            lines.write(file, order, [(level.log_prob, log10_text)], behind, told)
        file.write(b"\n\\end\\\n")


def check_backoff_form(model: NgramModel) -> None:
    """Raises `UnsupportedError` where p(w|h) is not the listed probability or else the backoff
    weight of h times p(w|h'), all above 0: an ARPA file cannot say that."""
    name, hint = model.facts["smoothing"]["name"], "lmkit train --from, with another smoothing"
    reasons = {
        "floor": "it gives the tokens that a context does not list equal probabilities, not "
        "those of the shorter context",
        "constant": "its scores are not probabilities, and contexts without any n-gram cost there",
    }
    if model.form in reasons:
        raise UnsupportedError(
            f"an ARPA file cannot hold {name} smoothing: {reasons[model.form]}", hint
        )
    column = model.trie[1].log_prob
    assert column is not None
    impossible = np.isneginf(column.array())
    # Where no word is unknown, <unk> is 0 as <s> is.
    impossible[[UNK, BOS]] = False
    if not model.encoder.settings.sentence_marks:
        impossible[EOS] = False
    if name == "maximum-likelihood" or impossible.any():
        raise UnsupportedError(
            f"an ARPA file cannot hold {name} smoothing: it says of tokens that they are "
            "impossible, for which the format has no number",
            hint,
        )

"""A small ARPA file, and what a model says of a line."""

from __future__ import annotations

from lmkit.ngram.arpa import LN10
from lmkit.ngram.model import NgramModel

SMALL = """\
\\data\\
ngram 1=5
ngram 2=4
ngram 3=2

\\1-grams:
-2\t<unk>
-99\t<s>\t-0.25
-0.5\t</s>
-0.75\ta\t-0.125
-1\tb\t-0.375

\\2-grams:
-0.3\t<s> a\t-0.0625
-0.4\ta b\t-0.5
-0.6\ta a
-0.2\tb </s>

\\3-grams:
-0.1\t<s> a b
-0.05\ta b </s>

\\end\\
"""


def log10s(model: NgramModel, line: str) -> list[float]:
    """log10 probability of each token of ``line``, rounded."""
    log_probs, _ = model.score(line)
    return [round(value, 5) for value in (log_probs / LN10).tolist()]


def notes(model: NgramModel) -> list[str]:
    """What the model says about how it came about."""
    found: list[str] = model.facts["smoothing"]["notes"]
    return found

"""Perplexity of WikiText-2's test text under every smoothing method, as a Markdown table.

    python benchmarks/smoothing.py --orders 3 5

Counts once, at the highest order, and smooths these counts with each method; nothing is tuned
but what a method learns by itself from the valid text. The literal ``<unk>`` of the corpus is a
word like any other, empty lines are dropped: the figures are those of the literature.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from corpora import WIKITEXT, find_corpora

import lmkit
from lmkit.api import resmooth
from lmkit.text.settings import TextSettings

METHODS: list[tuple[str, dict[str, Any]]] = [
    ("laplace", {"smoothing": "laplace"}),
    ("lidstone, k = 0.01", {"smoothing": "lidstone", "k": 0.01}),
    ("katz", {"smoothing": "katz"}),
    ("witten-bell", {"smoothing": "witten-bell"}),
    ("witten-bell, backoff", {"smoothing": "witten-bell", "form": "backoff"}),
    ("absolute-discounting", {"smoothing": "absolute-discounting"}),
    ("absolute-discounting, backoff", {"smoothing": "absolute-discounting", "form": "backoff"}),
    ("jelinek-mercer", {"smoothing": "jelinek-mercer"}),
    ("kneser-ney", {"smoothing": "kneser-ney"}),
    ("kneser-ney, backoff", {"smoothing": "kneser-ney", "form": "backoff"}),
    ("modified-kneser-ney", {"smoothing": "modified-kneser-ney"}),
    ("modified-kneser-ney, backoff", {"smoothing": "modified-kneser-ney", "form": "backoff"}),
    ("modified-kneser-ney, tuned", {"smoothing": "modified-kneser-ney", "tune": True}),
]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--orders", type=int, nargs="+", default=[3, 5], metavar="N")
    parser.add_argument("--only", metavar="NAME", help="methods whose name contains NAME")
    arguments = parser.parse_args()
    folder = find_corpora()
    if folder is None:
        print("Error: no corpora. Try: LMKIT_TEST_DATA=FOLDER.", file=sys.stderr)
        return 1
    orders = sorted(arguments.orders)
    wikitext = (folder / WIKITEXT).parent
    settings = TextSettings(tokenizer="whitespace", skip_empty_lines=True)
    with tempfile.TemporaryDirectory() as place:
        counts = Path(place) / "counts.lm"
        lmkit.train(wikitext / "train.txt", output=counts, order=orders[-1], settings=settings)
        print("| method | " + " | ".join(f"order {n}" for n in orders) + " |")
        print("|---|" + "---:|" * len(orders))
        for name, options in METHODS:
            if arguments.only is None or arguments.only in name:
                found = [measured(counts, wikitext, order, options) for order in orders]
                print(f"| {name} | " + " | ".join(f"{figure:.1f}" for figure in found) + " |")
    return 0


def measured(counts: Path, wikitext: Path, order: int, options: dict[str, Any]) -> float:
    learns = options["smoothing"] == "jelinek-mercer" or "tune" in options
    clock = time.monotonic()
    model = resmooth(
        counts, order=order, valid=wikitext / "valid.txt" if learns else None, **options
    )
    smoothed = time.monotonic()
    figures = model.perplexity(wikitext / "test.txt")
    print(
        f"{options}, order {order}: {smoothed - clock:.1f} s to smooth,"
        f" {time.monotonic() - smoothed:.1f} s to measure",
        file=sys.stderr,
    )
    return figures.perplexity


if __name__ == "__main__":
    sys.exit(main())

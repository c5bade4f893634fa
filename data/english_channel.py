"""Learn the English channels that come with lmkit, from lists of misspellings.

    lmkit data get birkbeck codespell toefl-spell norvig-spelling
    python data/english_channel.py

learns from those lists but for the words of Norvig's test set, on which the result may then be
measured, and writes ``lmkit/channel/edits/english/<channel>.tsv``. Other lists may be named
instead.

Only figures are kept: how often which letters became which, errors of one word counting less the
more there are of them, and each all the less the further off it is. An edit that was found fewer
than `FEWEST` times in all would say more of the words it comes from than of how people type, and
is cut; what it explained is then left to shorter ones by one more round of EM.
"""

from __future__ import annotations

import argparse
import hashlib
from dataclasses import replace
from pathlib import Path

from lmkit.channel.edits.counts import Counts
from lmkit.channel.edits.english import FOLDER
from lmkit.channel.edits.learning import learn, one_round, without_rare
from lmkit.channel.edits.pairs import Pairs, collected, read_pairs
from lmkit.datasets.library import dataset_path
from lmkit.registry import names, resolve

LISTS = ("birkbeck", "codespell", "toefl-spell")
LEFT_OUT = "norvig-spelling"
FEWEST = 2.0
LEAST = 0.3
"""Counts of single letters below this are noise of the expectation."""


def main() -> None:
    """Write the counts of each channel that the registry has."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    arguments.add_argument("pairs", nargs="*", type=Path, help="lists, typed<TAB>intended")
    arguments.add_argument("--leave-out", type=Path, help="a list of pairs not to learn from")
    given = arguments.parse_args()
    paths = given.pairs or [dataset_path(name) for name in LISTS]
    left_out = given.leave_out or (None if given.pairs else dataset_path(LEFT_OUT))
    avoid = set() if left_out is None else set(read_pairs(left_out).intended)
    found: dict[tuple[str, str], float] = {}
    for path in paths:
        for typed, intended, count in read_pairs(path):
            if intended not in avoid and typed != intended:
                # However often a list has a pair, it is one error that people make.
                found[typed, intended] = max(found.get((typed, intended), 0.0), min(count, 1.0))
    pairs = collected(sorted(found.items()))
    digests = [hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in paths]
    for name in names("channel"):
        counts = learnt(name, pairs)
        head = (
            f"# {name}: learnt from {len(pairs):,} pairs; sha256 of the lists {' '.join(digests)}"
        )
        rows = [
            f"{row.kind}\t{row.context}\t{row.intended}\t{row.typed}\t{row.count:.1f}"
            for row in counts.rows()
            if row.count >= LEAST
        ]
        FOLDER.mkdir(exist_ok=True)
        text = "\n".join([head, "kind\tcontext\tintended\ttyped\tcount", *rows, ""])
        (FOLDER / f"{name}.tsv").write_text(text, encoding="utf-8")


def learnt(name: str, pairs: Pairs) -> Counts:
    """The counts of one channel, without what is rare."""
    channel = resolve("channel", name)
    pairs = pairs.damped(channel.plan.damping, channel.plan.far)
    counts, _ = learn(pairs, replace(channel.plan, damping=0.0, far=1.0), channel.smoothing)
    counts = without_rare(counts, FEWEST)
    counts = one_round(pairs, counts, channel.smoothing).counts
    counts.spaces[:] = 0.0
    return without_rare(counts, FEWEST)


if __name__ == "__main__":
    main()

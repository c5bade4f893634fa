"""The real text that the benchmarks run on, and cuts of it."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOVELS = Path("novels/novels-5m.txt")
WIKITEXT = Path("wikitext-2/train.txt")


def find_corpora() -> Path | None:
    """The folder of corpora: LMKIT_TEST_DATA, else shared/data beside the checkout."""
    folder = Path(os.environ.get("LMKIT_TEST_DATA") or ROOT.parent / "shared" / "data")
    return folder if (folder / NOVELS).is_file() and (folder / WIKITEXT).is_file() else None


def count_tokens(path: Path) -> int:
    """Tokens between spaces, with one ``</s>`` for each line that is not empty."""
    with path.open(encoding="utf-8") as lines:
        return sum(len(words) + 1 for line in lines if (words := line.split()))


def first_tokens(source: Path, target: Path, tokens: int) -> int:
    """Copy lines until there are ``tokens`` of them (as `count_tokens` counts); their number."""
    copied = 0
    with source.open(encoding="utf-8") as lines, target.open("w", encoding="utf-8") as out:
        for line in lines:
            if copied >= tokens:
                break
            if words := line.split():
                copied += len(words) + 1
                out.write(line)
    return copied

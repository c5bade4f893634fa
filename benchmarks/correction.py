"""Spelling correction on several test sets, beside other correctors, as a Markdown table.

    python benchmarks/correction.py CHANNEL.lm --lexicon count_1w.txt
    python benchmarks/correction.py --peers

Without CHANNEL.lm one is trained first: a trigram model of the novels as its source, and the
pairs of train.tsv for its errors. Peers that are not installed are left out and named:
``pip install symspellpy pyspellchecker``, ``apt install aspell aspell-en hunspell
hunspell-en-us``. They are given the first ``--lines`` lines of each text only. Times are wall
times of one process, the loading of models not included; those of single words are below.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from corpora import NOVELS, find_corpora
from correctors import PEERS, Lmkit, Speller, Unavailable
from suggesting import ISOLATED, print_suggest

import lmkit
from lmkit.evaluate.correction import evaluate_pairs, evaluate_text

TEXTS = ("bea322", "wikidump", "no_spaces", "jfleg-dev")
COLUMNS = (
    "corrector",
    "isolated top-1",
    "top-5",
    "corrected",
    "bea322 fixed",
    "broken",
    "wikidump wrong after",
    "fixed",
    "broken",
    "clean changed",
    "words/s",
    "no_spaces F1: boundaries",
    "words",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("model", nargs="?", type=Path, help="a channel; trained if not given")
    parser.add_argument("--lexicon", type=Path, help="words besides those of the model")
    parser.add_argument("--peers", action="store_true", help="the peers too")
    parser.add_argument("--only-peers", action="store_true", help="the peers only")
    parser.add_argument("--only", metavar="NAME", help="of the peers those with NAME in theirs")
    parser.add_argument("--lines", type=int, default=322, help="lines of each text for peers")
    parser.add_argument("--own-lines", type=int, help="lines of each text for lmkit [all]")
    arguments = parser.parse_args()
    folder = find_corpora()
    if folder is None:
        print("Error: no corpora. Try: LMKIT_TEST_DATA=FOLDER.", file=sys.stderr)
        return 1
    print("| " + " | ".join(COLUMNS) + " |")
    print("|---|" + "---:|" * (len(COLUMNS) - 1))
    with tempfile.TemporaryDirectory() as place:
        if not arguments.only_peers:
            model = arguments.model or trained(folder, Path(place))
            show(Lmkit(model, arguments.lexicon), folder, arguments.own_lines)
        if arguments.peers or arguments.only_peers:
            for peer in PEERS:
                if arguments.only is not None and arguments.only not in peer.name:
                    continue
                try:
                    speller = peer()
                except Unavailable as missing:
                    print(f"{peer.name} was not run: {missing}", file=sys.stderr)
                    continue
                show(speller, folder, arguments.lines)
        if not arguments.only_peers:
            print_suggest(model, arguments.lexicon, folder)
    return 0


def trained(folder: Path, place: Path) -> Path:
    """A trigram model of the novels, and the channel of the pairs over it."""
    source, channel = place / "novels.lm", place / "channel.lm"
    started = time.perf_counter()
    settings = lmkit.TextSettings("whitespace", lowercase=True, skip_empty_lines=True)
    lmkit.train(folder / NOVELS, output=source, order=3, settings=settings)
    middle = time.perf_counter()
    lmkit.api.train_channel(source, output=channel, pairs=folder / "spelling/train.tsv")
    seconds = middle - started, time.perf_counter() - middle
    print(f"trained in {seconds[0]:.1f} s and {seconds[1]:.1f} s", file=sys.stderr)
    return channel


def lines_of(path: Path, limit: int | None) -> list[str]:
    return path.read_text(encoding="utf-8").split("\n")[:-1][:limit]


def show(speller: Speller, folder: Path, limit: int | None) -> None:
    """Print the row of one corrector."""
    print(f"| {' | '.join([speller.name, *figures(speller, folder, limit)])} |", flush=True)


def figures(speller: Speller, folder: Path, limit: int | None) -> Iterator[str]:
    pairs = [
        (typed, intended, 1.0)
        for typed, intended, *_ in map(str.split, lines_of(folder / ISOLATED, None))
    ]
    isolated = evaluate_pairs(speller.suggest, speller.correct, pairs)
    yield f"{100 * isolated.top1:.1f}"
    yield f"{100 * isolated.top5:.1f}"
    yield f"{100 * isolated.corrected:.1f}"
    context = folder / "spelling/context"
    clean_words = clean_changed = 0
    for name in ("bea322", "wikidump"):
        corrupt = lines_of(context / name / "corrupt.txt", limit)
        correct = lines_of(context / name / "correct.txt", limit)
        found, _ = evaluate_text(speller.correct, corrupt, correct)
        if name == "wikidump":
            yield f"{100 * found.errors_after / found.words:.1f}"
        yield f"{100 * found.fix_rate:.1f}"
        yield f"{100 * found.broken_rate:.2f}"
        clean, _ = evaluate_text(speller.correct, correct, correct)
        clean_words += clean.words
        clean_changed += clean.broken
    yield f"{100 * clean_changed / clean_words:.2f}"
    yield f"{found.words_per_second:,.0f}"
    yield from segmentation(speller.split, context / "no_spaces", limit)


def segmentation(
    split: Callable[[list[str]], list[str] | None], folder: Path, limit: int | None
) -> Iterator[str]:
    joined, spaced = (lines_of(folder / f"{name}.txt", limit) for name in ("corrupt", "correct"))
    if split(joined[:1]) is None:
        yield from ("-", "-")
        return
    _, cuts = evaluate_text(lambda block: split(list(block)) or [], joined, spaced, boundaries=True)
    assert cuts is not None
    yield f"{100 * cuts.boundary_f1:.1f}"
    yield f"{100 * cuts.word_f1:.1f}"


if __name__ == "__main__":
    sys.exit(main())

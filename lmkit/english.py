"""The English model of this machine, for who has none: made once of what is at hand, and kept.

It is a noisy channel with the errors of English. The source that it carries is a trigram model of
a corpus that ``lmkit data get`` has fetched; its lexicon has the word frequencies of the package
wordfreq (Speer 2022), where that is installed. With only the latter the source has no context.
The built-in corpus is no source: some 40,000 words know too little English, and what is not known
would be corrected.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from lmkit.api import import_model, train, train_channel
from lmkit.channel.candidates.folding import add_word
from lmkit.channel.candidates.stored import VERSION
from lmkit.channel.edits.english import FOLDER
from lmkit.datasets.catalogue import catalogue
from lmkit.datasets.location import split_file
from lmkit.errors import LmkitError
from lmkit.files.locking import exclusive
from lmkit.home import home_directory
from lmkit.text.settings import TextSettings

Progress = Callable[[str, int, int | None], None]

ORDER = 3
CHANNEL = "brill-moore"
CORPORA = {
    "big": TextSettings("word", segment="paragraph"),
    "brown": TextSettings("whitespace"),
    "wikitext-2": TextSettings("whitespace", skip_empty_lines=True),
}
"""Data sets that serve, the best first, and how each is read."""
WORDS = 200_000
"""How many words of wordfreq are taken, the most frequent ones."""
PER_BILLION = 1e9
PUNCTUATION = {".": 0.05, ",": 0.05, "'": 0.005, '"': 0.01, "?": 0.005, "!": 0.002, ":": 0.002,
               ";": 0.002, "-": 0.005, "(": 0.002, ")": 0.002, "</s>": 0.05}  # fmt: skip
"""How often these stand in running text, roughly; wordfreq counts words only."""
UNSEEN = 0.01
"""Part of running text that is none of these words: names, mostly."""

BETTER_CORPUS = "lmkit data get big"
BETTER_WORDS = "pip install 'lmkit[wordfreq]'"


@dataclass(frozen=True)
class EnglishModel:
    """The model file, what it was made of, whether that was just now, and what would make a
    better one, if anything."""

    path: Path
    source: str
    better: str | None
    fresh: bool


def english_model(progress: Progress | None = None) -> EnglishModel:
    """The English model of this machine; it is made where it is missing, or where it was made
    of less than there is now.

    Raises `LmkitError` where there is nothing to make it of.
    """
    corpus = next((name for name in CORPORA if _fetched(name)), None)
    words = _wordfreq_version()
    if corpus is None and words is None:
        raise LmkitError(
            "there is no English to correct by: no MODEL, no package wordfreq, no corpus"
            " (the built-in one is too small)",
            f"{BETTER_WORDS}, or {BETTER_CORPUS}, or a MODEL of your own",
        )
    used = [part for part in (corpus, f"wordfreq {words}" if words else None) if part]
    place = home_directory() / "models"
    stem = f"english-{_fingerprint(used)}"
    path = place / f"{stem}.lm"
    fresh = not path.exists()
    if fresh:
        # Whoever comes second waits for the first, and has its model then.
        with exclusive(place / f"{stem}.lock"):
            fresh = not path.exists()
            if fresh:
                _make(path, corpus, words is not None, progress)
        _remove_others(place, stem)
    better = BETTER_CORPUS if corpus is None else BETTER_WORDS if words is None else None
    return EnglishModel(path, " and ".join(used), better, fresh)


def _make(path: Path, corpus: str | None, words: bool, progress: Progress | None) -> None:
    with tempfile.TemporaryDirectory(prefix="lmkit-") as folder:
        source = Path(folder) / "source.lm"
        if corpus is not None:
            train(*_fetched(corpus), output=source, order=ORDER, settings=CORPORA[corpus],
                  progress=progress)  # fmt: skip
        else:
            _train_on_words(source, progress)
        listed = _listed() if words else None
        train_channel(source, channel=CHANNEL, output=path, lexicon=listed, embed=True,
                      progress=progress)  # fmt: skip


def _fetched(name: str) -> list[Path]:
    """The training text of a data set, if it is on this machine."""
    splits = [split for split in catalogue()[name].splits if split in ("all", "train")]
    return [path for split in splits if (path := split_file(name, split)).exists()]


def _wordfreq_version() -> str | None:
    try:
        return version("wordfreq")
    except PackageNotFoundError:
        return None


def _fingerprint(used: list[str]) -> str:
    """Changes with what the model is made of, and with how."""
    made = [
        used,
        ORDER,
        WORDS,
        UNSEEN,
        VERSION,
        {name: one.as_dict() for name, one in CORPORA.items()},
    ]
    digest = hashlib.sha256(json.dumps(made).encode())
    digest.update((FOLDER / f"{CHANNEL}.tsv").read_bytes())
    return digest.hexdigest()[:12]


def _frequencies() -> Iterator[tuple[str, int]]:
    """The words of wordfreq with their counts in a billion words."""
    import wordfreq  # type: ignore[import-not-found]

    for word in wordfreq.top_n_list("en", WORDS):
        if any(map(str.isalpha, word)):
            count = round(wordfreq.word_frequency(word, "en") * PER_BILLION)
            yield word, max(count, 1)


def _listed() -> dict[str, float]:
    """The same as a lexicon has them."""
    listed: dict[str, float] = {}
    for word, count in _frequencies():
        add_word(listed, word, count)
    return listed


def _train_on_words(path: Path, progress: Progress | None) -> None:
    """A model of words without context, from their frequencies."""
    with tempfile.TemporaryDirectory() as place:
        counts = Path(place) / "counts.tsv"
        with counts.open("w", encoding="utf-8") as file:
            for word, count in _frequencies():
                file.write(f"{word}\t{count}\n")
            for mark, part in {**PUNCTUATION, "<unk>": UNSEEN}.items():
                file.write(f"{mark}\t{round(part * PER_BILLION)}\n")
        import_model(counts, kind="counts", output=path, settings=TextSettings("word"),
                     order=1, progress=progress)  # fmt: skip


def _remove_others(place: Path, stem: str) -> None:
    """Remove models that were made of something else."""
    for old in place.glob("english-*"):
        if old.stem != stem and old.suffix in (".lm", ".tsv"):
            old.unlink(missing_ok=True)

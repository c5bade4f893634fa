"""What ``lmkit correct`` and ``lmkit suggest`` have in common: where MODEL comes from, the words
it is given besides, and how it decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lmkit.cli.console import Console
from lmkit.cli.headings import heading
from lmkit.cli.paths import InputPath
from lmkit.cli.progress import ProgressBars
from lmkit.errors import UsageError

if TYPE_CHECKING:
    from lmkit.channel.corrector import Corrector
    from lmkit.model import LanguageModel

PROBABILITY = click.FloatRange(min=0, max=1)


def word_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: ``--lexicon`` and ``--dictionary``."""
    return heading(
        "Words",
        click.option(
            "--lexicon",
            type=InputPath(path_type=Path),
            metavar="FILE",
            help="More words that exist, one a line, with their counts if known: word<TAB>n.",
        ),
        click.option(
            "--dictionary",
            type=InputPath(path_type=Path),
            metavar="FILE",
            help="Your own words, one a line, which are never changed."
            "  [default: dictionary.txt in LMKIT_HOME, if it is there]",
        ),
    )(function)


def decision_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: how the search weighs and decides. Not given is None."""
    return heading(
        "Decisions",
        click.option(
            "--threshold",
            type=PROBABILITY,
            metavar="P",
            help="Change a word only if the change is right with this probability.",
        ),
        click.option(
            "--beam",
            type=click.IntRange(min=1),
            metavar="N",
            default=10,
            help="Readings of a sentence that are kept at each word.",
        ),
        click.option(
            "--channel-weight",
            type=click.FloatRange(min=0, min_open=True),
            metavar="W",
            help="Weight of log p(typed | intended).  [default: as MODEL was tuned]",
        ),
    )(function)


def split_model(files: Sequence[str]) -> tuple[Path | None, list[str]]:
    """MODEL, if the first of ``files`` is one, and the others.

    A first file is MODEL if it is an lmkit model or its name ends in ``.lm``. Raises
    `UsageError` where a model stands behind another file.
    """
    from lmkit.store.modelfile import is_model_file

    def is_model(name: str) -> bool:
        # Looking into a pipe would take its first bytes away.
        path = Path(name)
        return path.suffix == ".lm" or (path.is_file() and is_model_file(name))

    if files and is_model(files[0]):
        if not Path(files[0]).exists():
            raise UsageError(f"there is no file {files[0]}", "the name of a model file")
        return Path(files[0]), list(files[1:])
    for later in files[1:]:
        if is_model(later):
            raise UsageError(f"{later} is a model, and comes after {files[0]}", "MODEL first")
    return None, list(files)


def personal_dictionary() -> Path:
    """Where the words go that a person adds, unless ``--dictionary`` names another place."""
    from lmkit.home import home_directory

    return home_directory() / "dictionary.txt"


def open_corrector(
    console: Console,
    model: Path | LanguageModel | None,
    *,
    lexicon: Path | None,
    dictionary: Path | None,
    encoding: str | None = None,
    personal: bool = True,
    begun: bool = False,
    **options: Any,
) -> Corrector:
    """The corrector with ``model``, which may be open; without one, with the English model of
    this machine, which is made where it is missing. ``personal``: with the person's own
    dictionary, if there is one, which is UTF-8; other files are in ``encoding``. ``begun``:
    ``dictionary`` need not be there yet, as words are going to be added to it. Raises
    `LmkitError` for what cannot be read."""
    # Less is imported for it than for `lmkit.load`, and somebody waits.
    from lmkit.channel.corrector import Corrector
    from lmkit.store.components import open_model
    from lmkit.text.encodings import encoded

    own: Any = encoded(dictionary, encoding)
    if dictionary is None and personal and personal_dictionary().is_file():
        own = personal_dictionary()
    elif dictionary is not None and not dictionary.exists():
        if not begun:
            raise UsageError(f"there is no file {dictionary}", "a file with a word a line")
        own = None
    if model is None:
        model = _english(console)
    opened = open_model(model) if isinstance(model, Path) else model
    told = {key: value for key, value in options.items() if value not in (None, False)}
    return Corrector(opened, lexicon=encoded(lexicon, encoding), dictionary=own, **told)


def _english(console: Console) -> Path:
    from lmkit.english import english_model

    with ProgressBars(console) as bars:
        made = english_model(progress=bars.stages())
    if made.fresh:
        console.remark(f"made {made.path} from {made.source}; it is used from now on")
        if made.better:
            console.remark(f"for a better one: {made.better}")
    return made.path

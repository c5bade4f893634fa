"""What ``lmkit info`` says of a tokenizer: of one in a file, or of that of a model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmkit.cli.console import Console
from lmkit.cli.layout import ELLIPSIS, VISIBLE_SPACE, megabytes, text
from lmkit.cli.options import say_replaced, text_source
from lmkit.cli.progress import ProgressBars

if TYPE_CHECKING:
    from lmkit.model import LanguageModel
    from lmkit.store.tokenizer_files import StoredTokenizer

TRAINING = "the text that it was learnt from"
OF_MODEL = "the text that the model was trained on"
LONGEST = 10
WIDEST = 24
"""Characters of a token that are shown."""
SCRIPTS_SHOWN = 12


def opened_tokenizer(path: Path) -> StoredTokenizer | None:
    """The tokenizer in a file of its own; None where ``path`` is anything else."""
    from lmkit.store.modelfile import ModelReader, is_model_file
    from lmkit.store.tokenizer_files import open_tokenizer
    from lmkit.store.tokenizers import is_tokenizer

    if is_model_file(path) and is_tokenizer(ModelReader(path)):
        return open_tokenizer(path)
    return None


def of_model(model: LanguageModel) -> StoredTokenizer:
    """The tokenizer of ``model``, with the counts that the model has of its tokens."""
    from lmkit.store.tokenizer_files import StoredTokenizer

    counts = getattr(model.vocabulary, "counts", None)
    settings = model.encoder.settings
    figures = None
    if counts is not None and settings.tokenizer.vocabulary is not None:
        figures = _figures_of_counts(settings.tokenizer, counts[3:].tolist())
    return StoredTokenizer(settings, figures, model=model.vocabulary)


def _figures_of_counts(tokenizer: Any, counts: list[int]) -> dict[str, Any] | None:
    """What the counts of the tokens [V] tell of the text: its sizes, but not its words."""
    tokens = sum(counts)
    if not (tokens and tokenizer.keeps_spaces):
        return None
    vocabulary = tokenizer.vocabulary
    characters = sum(map(int.__mul__, counts, tokenizer.widths(vocabulary).tolist()))
    size = sum(
        count * len(tokenizer.bytes_of(token))
        for count, token in zip(counts, vocabulary, strict=True)
    )
    used = sum(map(bool, counts))
    return {
        "characters": characters,
        "bytes": size,
        "tokens": tokens,
        "characters_per_token": characters / tokens,
        "bytes_per_token": size / tokens,
        "vocabulary_used": used,
        "vocabulary_share": used / len(vocabulary),
    }


def tokenizer_section(
    console: Console,
    stored: StoredTokenizer,
    sample: str | None,
    encoding: str | None,
    errors: str,
) -> dict[str, Any]:
    """All there is to know of a tokenizer: ``figures`` are of the text ``sample``, or else of what
    it was learnt from, if that is known."""
    from lmkit.store.tokenizer_making import text_figures
    from lmkit.text.figures import longest_tokens

    tokenizer, settings = stored.tokenizer, stored.settings
    vocabulary = tokenizer.vocabulary
    figures, measured = stored.figures, TRAINING if stored.model is None else OF_MODEL
    if sample is not None:
        with ProgressBars(console) as bars:
            source = text_source(console, sample)
            figures, replaced = text_figures(
                stored, source, encoding=encoding, errors=errors, progress=bars.stages()
            )
        say_replaced(console, replaced)
        measured = "standard input" if sample == "-" else sample
    return {
        "name": tokenizer.name,
        "unit": tokenizer.unit,
        "vocabulary": None if vocabulary is None else len(vocabulary),
        "pattern": getattr(tokenizer, "pattern", None),
        "special_tokens": list(getattr(tokenizer, "special_tokens", ())),
        "lowercase": settings.lowercase,
        "normalize": settings.normalize,
        "longest": longest_tokens(tokenizer, LONGEST),
        "measured_on": None if figures is None else measured,
        "figures": figures,
    }


def section_rows(section: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Names and values of a section, to read."""
    size = section["vocabulary"]
    tokens = "any tokens" if size is None else f"{size:,} tokens"
    yield "tokenizer", f"{section['name']}, {tokens}"
    if section["pattern"] is not None:
        yield "  pattern", text(section["pattern"])
    if section["special_tokens"]:
        yield "  special tokens", " ".join(map(text, section["special_tokens"]))
    if section["lowercase"]:
        yield "  lowercase", "yes" if section["lowercase"] is True else section["lowercase"]
    yield "  normalize", section["normalize"]
    if section["longest"]:
        shown = (text(token).replace(" ", VISIBLE_SPACE) for token in section["longest"])
        cut = (one if len(one) <= WIDEST else one[: WIDEST - 1] + ELLIPSIS for one in shown)
        yield "  longest tokens", " ".join(cut)
    if section["figures"] is not None:
        yield from _figures(section["figures"], section["measured_on"], size)


def _figures(figures: dict[str, Any], measured: str, size: int | None) -> Iterator[tuple[str, str]]:
    words = f", {figures['words']:,} words" if "words" in figures else ""
    sizes = f"{megabytes(figures['bytes'])}{words}, {figures['tokens']:,} tokens"
    yield "  measured on", f"{text(measured)}: {sizes}"
    for key in ("characters_per_token", "bytes_per_token", "tokens_per_word"):
        if figures.get(key) is not None:
            yield f"  {key.replace('_per_', ' a ')}", f"{figures[key]:.3f}"
    used = f"{figures['vocabulary_used']:,}"
    if size:
        used += f" of {size:,} ({100 * figures['vocabulary_used'] / size:.1f} %)"
    yield "  tokens used", used
    for script in figures.get("scripts", [])[:SCRIPTS_SHOWN]:
        parts = [f"{script['words']:,} words"]
        if script["tokens_per_word"] is not None:
            parts.append(f"{script['tokens_per_word']:.2f} tokens a word")
        if script["characters_per_token"] is not None:
            parts.append(f"{script['characters_per_token']:.2f} characters a token")
        yield f"    {script['script']}", ", ".join(parts)

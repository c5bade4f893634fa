"""The corpus of a comparison: its three texts, and the one reference text that all models code.

The reference text of a split has a sentence a line, its tokens joined by single spaces. All models
read the split as it is, those of characters and bytes through the comparison's tokenizer as their
pre-tokenizer: so bits per character are of the same characters for all, and a model reads a text
here as in all other commands.

Where the corpus is one text it is split by a fixed rule: it is cut into stretches of
neighbouring lines; of every ten stretches the ninth is for ``valid`` and the tenth for ``test``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lmkit.errors import TextError, UsageError
from lmkit.evaluate.comparison.tokenizers import tokenizer_of
from lmkit.evaluate.results import CorpusFacts, SplitFacts
from lmkit.text.reading import Source, TextReader
from lmkit.text.settings import TextSettings
from lmkit.text.stream import Spaced

LONGEST_STRETCH = 100
FEWEST_LINES = 10
GOLDEN = 0.6180339887498949

NO_TEXT = SplitFacts("train", "", "", 0, 0, 0)
OF_TEN = ("train",) * 8 + ("valid", "test")


@dataclass(frozen=True, slots=True)
class Corpus:
    """The texts of a comparison as files: ``raw`` and ``reference`` map ``train``, ``valid`` and
    ``test`` to paths. ``test_lines`` [S] are those of the reference text."""

    raw: dict[str, Path]
    reference: dict[str, Path]
    settings: TextSettings
    errors: str
    facts: CorpusFacts
    test_lines: list[str]
    folder: Path

    def sha256(self, text: Path) -> str:
        """Of the bytes of a training text, decompressed: what a model of it says it was of."""
        return self.facts.train.sha256 if text == self.raw.get("train") else sha256_of(text)

    def settings_for(self, tokenizer: str | None) -> TextSettings:
        """How a model with this ``tokenizer`` (None: the comparison's) reads its text."""
        own = self.settings
        if tokenizer is None or tokenizer == own.tokenizer.name:
            return own
        return replace(own, tokenizer=tokenizer_of(tokenizer), pre_tokenizer=own.tokenizer)


def prepare(
    folder: Path,
    settings: TextSettings,
    given: dict[str, Source],
    *,
    name: str,
    errors: str = "strict",
    drop_overlap: bool = False,
    training: bool = True,
) -> Corpus:
    """Make the corpus in ``folder``. ``given`` has ``all``, or ``train`` and ``test`` and, if there
    is one, ``valid``. Where there is no ``training``, since all models are there, ``test`` will do;
    the facts of the training text then are empty.

    Raises `UsageError` where there is no test text, `TextError` for text that is empty or too
    short to be split.
    """
    if settings.tokenizer.unit != "word":
        raise UsageError(
            f"the text of a comparison is one of words, not of the tokenizer {settings.tokenizer}",
            f"a model with it instead: --model lstm:tokenizer={settings.tokenizer}",
        )
    if settings.pre_tokenizer is not None:
        raise UsageError(
            "the pre-tokenizer of a comparison's models is its own tokenizer",
            f"--tokenizer {settings.pre_tokenizer}, without --pre-tokenizer",
        )
    folder.mkdir(parents=True, exist_ok=True)
    raw, rule = _splits(folder, given, errors, training)
    reference = {split: folder / f"{split}.reference.txt" for split in raw}
    for split in raw:
        write_reference(raw[split], reference[split], settings, errors)
        if not split_facts(split, raw[split], reference[split]).tokens:
            raise TextError(f"the {split} text is empty: {raw[split]}", "a file with words in it")
    overlap: dict[str, int] = {}
    if "train" in reference:
        overlap = shared_lines(reference["test"], reference["train"])
    if drop_overlap and overlap:
        raw["test"] = _drop(folder, raw["test"], reference["test"], overlap, settings, errors)
        write_reference(raw["test"], reference["test"], settings, errors)
    lines = read_lines(reference["test"])
    if not any(lines):
        raise TextError(
            "no test text is left: all of its lines stand in the training text too",
            "another --test, or no --drop-overlap",
        )
    number = sum(overlap.values())
    facts = {split: split_facts(split, raw[split], reference[split]) for split in raw}
    return Corpus(
        raw,
        reference,
        settings,
        errors,
        CorpusFacts(
            name,
            facts.get("train", NO_TEXT),
            facts.get("valid"),
            facts["test"],
            rule,
            number,
            drop_overlap and number > 0,
            sum(map(len, lines)) + len(lines),
            sum(len(line.encode()) for line in lines) + len(lines),
        ),
        lines,
        folder,
    )


def written_files(folder: Path, copied: Sequence[str]) -> list[Path]:
    """The files in ``folder`` that `prepare`, and learning curves, may write over; ``copied`` are
    the splits of which there is a copy."""
    forms = ["*.reference.txt", "test.distinct.txt", "train-*-percent.txt"]
    return [
        path
        for form in [*forms, *(f"{split}.txt" for split in copied)]
        for path in folder.glob(form)
        if path.is_file()
    ]


def _splits(
    folder: Path, given: dict[str, Source], errors: str, training: bool
) -> tuple[dict[str, Path], str | None]:
    if "all" in given:
        return split_by_rule(given["all"], folder, errors)
    if "test" not in given or (training and "train" not in given):
        lack, other = ("test", "train") if "train" in given else ("train", "test")
        raise UsageError(
            f"there is a --{other} text but no {lack} text",
            f"--{lack} FILE, or one CORPUS, which is then split",
        )
    raw = {split: _as_file(folder, split, source, errors) for split, source in given.items()}
    return raw, None


def _as_file(folder: Path, split: str, source: Source, errors: str) -> Path:
    """``source`` itself, or a copy, in UTF-8, of what can be read only once or is in another
    encoding."""
    if isinstance(source, str | Path) and str(source) != "-":
        path = Path(source)
        if path.is_file() or not path.exists():
            return path
    target = folder / f"{split}.txt"
    with target.open("wb") as file:
        for chunk in TextReader(source, errors):
            file.write(chunk.data)
    return target


def split_by_rule(source: Source, folder: Path, errors: str) -> tuple[dict[str, Path], str]:
    """Split ``source`` into files in ``folder``; what was done, in words."""
    source = _as_file(folder, "all", source, errors)
    total = sum(chunk.data.count(b"\n") for chunk in TextReader(source, errors))
    if not total:
        raise TextError(f"the text is empty: {source}", "a file with words in it")
    if total < FEWEST_LINES:
        raise TextError(
            f"{source} has {total} lines, too few to be split",
            f"at least {FEWEST_LINES} lines, or --train, --valid and --test",
        )
    length = stretch_length(total)
    paths = {split: folder / f"{split}.txt" for split in ("train", "valid", "test")}
    files = {split: path.open("wb") for split, path in paths.items()}
    try:
        for number, line in enumerate(_raw_lines(TextReader(source, errors))):
            files[OF_TEN[number // length % 10]].write(line)
    finally:
        for file in files.values():
            file.close()
    stretches = "lines" if length == 1 else f"stretches of {length} lines"
    return paths, f"of every ten {stretches} the ninth is for valid, the tenth for test"


def stretch_length(lines: int) -> int:
    """How many neighbouring lines stay together when so many are split."""
    return max(1, min(LONGEST_STRETCH, lines // FEWEST_LINES))


def _raw_lines(reader: TextReader) -> Iterator[bytes]:
    for chunk in reader:
        yield from chunk.data.splitlines(keepends=True)


def write_reference(source: Path, target: Path, settings: TextSettings, errors: str) -> None:
    """Write the reference text of ``source``: a sentence a line, its tokens with single spaces
    between them."""
    spaced = Spaced(settings)
    with target.open("w", encoding="utf-8", newline="\n") as file:
        for numbers in spaced.stream.of_chunks(TextReader(source, errors)):
            file.write(spaced.join(numbers))


def read_lines(path: Path) -> list[str]:
    """The lines of a reference text."""
    return path.read_text(encoding="utf-8").split("\n")[:-1]


def split_facts(name: str, raw: Path, reference: Path) -> SplitFacts:
    """What a split holds; its sizes are those of the reference text."""
    reader = TextReader(raw, "replace")
    for _ in reader:
        pass
    sentences = tokens = characters = 0
    with reference.open(encoding="utf-8", newline="\n") as file:
        for line in file:
            sentences += 1
            tokens += line.count(" ") + (line != "\n")
            characters += len(line)
    return SplitFacts(name, str(raw), reader.sha256, sentences, tokens, characters)


def shared_lines(test: Path, train: Path) -> dict[str, int]:
    """The lines of ``test`` that stand in ``train`` too, and how often in ``test``; empty ones
    do not count."""
    found: dict[str, int] = {}
    for line in read_lines(test):
        if line:
            found[line] = found.get(line, 0) + 1
    with train.open(encoding="utf-8", newline="\n") as file:
        shared = {line[:-1] for line in file if line[:-1] in found}
    return {line: number for line, number in found.items() if line in shared}


def _drop(
    folder: Path,
    raw: Path,
    reference: Path,
    overlap: dict[str, int],
    settings: TextSettings,
    errors: str,
) -> Path:
    """The test text without the lines of ``overlap``, in a file of its own."""
    target = folder / "test.distinct.txt"
    lines = read_lines(reference)
    originals: Sequence[bytes] = [f"{line}\n".encode() for line in lines]
    line_by_line = settings.segment == "line" and settings.special_tokens != "drop"
    if line_by_line and not settings.skip_empty_lines:
        originals = list(_raw_lines(TextReader(raw, errors)))
    with target.open("wb") as file:
        file.writelines(
            original for line, original in zip(lines, originals, strict=True) if line not in overlap
        )
    return target


def write_part(source: Path, target: Path, share: float, errors: str) -> None:
    """Write about ``share`` of the lines of ``source``: stretches spread evenly over it, so that
    a smaller part is within a larger one (multiples of the golden ratio, modulo 1)."""
    total = sum(chunk.data.count(b"\n") for chunk in TextReader(source, errors))
    length = max(1, min(LONGEST_STRETCH, total // 1000))
    with target.open("wb") as file:
        file.writelines(
            line
            for number, line in enumerate(_raw_lines(TextReader(source, errors)))
            if (number // length * GOLDEN) % 1 < share
        )


def sha256_of(path: Path) -> str:
    """Of the bytes of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

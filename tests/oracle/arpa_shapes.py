"""ARPA files in shapes that public trackers tell of, made anew: each function writes one small
model as the program or the person in that report wrote theirs."""

from __future__ import annotations

import gzip
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import lmkit
from lmkit.text.settings import TextSettings

WORDS = [f"w{number}" for number in range(12)]


@dataclass(frozen=True)
class Entry:
    """A line of a section: log10 probability, n-gram, log10 backoff (None: not written)."""

    prob: float
    words: tuple[str, ...]
    backoff: float | None = None


Sections = list[list[Entry]]
"""The entries of each order."""


def lines_of(seed: int, words: list[str] = WORDS) -> list[str]:
    """Sentences in which words have favourite followers."""
    draw = random.Random(seed)
    favourites = {word: draw.sample(words, 3) for word in words}
    lines = []
    for _ in range(80):
        line = [draw.choice(words)]
        for _ in range(draw.randrange(7)):
            line.append(draw.choice(favourites[line[-1]] if draw.random() < 0.7 else words))
        lines.append(" ".join(line))
    return lines


def sections_of(folder: Path, order: int, prune: float | None = None) -> Sections:
    """The entries of a model of some lines, with backoffs wherever there may be some."""
    text, exported = folder / "shape.txt", folder / "shape.source"
    text.write_text("".join(f"{line}\n" for line in lines_of(order)), encoding="utf-8")
    settings = TextSettings(tokenizer="whitespace")
    model = lmkit.train(text, settings=settings, order=order, smoothing="witten-bell")
    if prune is not None:
        model = lmkit.prune(model, entropy=prune)[1]
    lmkit.export_model(model, exported)
    sections: Sections = []
    for line in exported.read_text(encoding="utf-8").splitlines():
        if line.endswith("-grams:"):
            sections.append([])
        elif "\t" in line:
            prob, words, *backoff = line.split("\t")
            ngram = tuple(words.split(" "))
            last = float(backoff[0]) if backoff else None
            sections[-1].append(Entry(float(prob), ngram, last))
    return sections


def without_unk(sections: Sections) -> Sections:
    return [[entry for entry in section if "<unk>" not in entry.words] for section in sections]


def plain(entry: Entry, form: str = "%.7g") -> str:
    """``entry`` as most toolkits write it."""
    fields = [form % entry.prob, " ".join(entry.words)]
    return "\t".join(fields if entry.backoff is None else [*fields, form % entry.backoff])


def written(
    sections: Sections,
    line: Callable[[Entry], str] = plain,
    *,
    count: str = "ngram {}={}",
    before_end: str = "\n",
) -> str:
    counts = [count.format(n, len(section)) for n, section in enumerate(sections, 1)]
    parts = ["\\data\\", *counts, ""]
    for order, section in enumerate(sections, 1):
        parts += [f"\\{order}-grams:", *map(line, section), ""]
    return "\n".join(parts[:-1]) + "\n" + before_end + "\\end\\\n"


def kaldi_643(folder: Path) -> str:
    """SRILM: blanks in the counts, no empty line before the end, no ``<unk>``, ``<s>`` of -99."""
    return written(without_unk(sections_of(folder, 2)), count="ngram  {}={:>10}", before_end="")


def kaldi_365(folder: Path) -> str:
    """Four decimals, ``<UNK>``, blanks for tabs and behind a line, ``<s>`` of -98.9366."""

    def line(entry: Entry) -> str:
        prob = "-98.9366" if entry.words == ("<s>",) else f"{entry.prob:.4f}"
        words = " ".join(entry.words).replace("<unk>", "<UNK>")
        backoff = "" if entry.backoff is None else f"{entry.backoff:.4f}"
        gap = "   " if len(words) > 2 else "\t"
        return f"{prob} {words}{gap}{backoff} "

    return written(sections_of(folder, 2), line)


def kenlm_139(folder: Path) -> str:
    """Saved on Windows: CR and LF."""
    return written(sections_of(folder, 3)).replace("\n", "\r\n")


def kenlm_171(folder: Path) -> str:
    """Unigrams only."""
    return written([[Entry(e.prob, e.words) for e in sections_of(folder, 2)[0]]])


def kenlm_380(folder: Path) -> str:
    """The first two orders of a larger model, backoffs at the highest one included."""
    return written(sections_of(folder, 3)[:2])


def kenlm_247(folder: Path) -> str:
    """Words with a no-break space, an ideographic space, a vertical tab and a line separator."""
    text = written(sections_of(folder, 3))
    for word, odd in (("w3", "w\xa03"), ("w5", "\u3000"), ("w7", "w\x0b7"), ("w8", "w\u20288")):
        text = text.replace(f" {word} ", f" {odd} ").replace(f" {word}\t", f" {odd}\t")
        text = text.replace(f"\t{word} ", f"\t{odd} ").replace(f"\t{word}\t", f"\t{odd}\t")
        text = text.replace(f" {word}\n", f" {odd}\n")
    return text


def kenlm_337(folder: Path) -> str:
    """Pruned by SRILM and sorted: ``<unk>`` in the middle, n-grams whose ends are not listed."""
    sections = sections_of(folder, 4, prune=1e-3)
    draw = random.Random(1)
    for order in (1, 2):
        contexts = {entry.words[:-1] for entry in sections[order + 1]}
        sections[order] = [e for e in sections[order] if e.words in contexts or draw.random() < 0.5]
    return written([sorted(section, key=lambda e: e.words) for section in sections])


def pocolm_86(folder: Path) -> str:
    """N-grams whose contexts are not listed."""
    sections = sections_of(folder, 3)
    draw = random.Random(2)
    sections[1] = [entry for entry in sections[1] if draw.random() < 0.7]
    return written(sections)


def kenlm_475(folder: Path) -> str:
    """Numbers made by hand: backoffs above 0, exponents, whole numbers, ``<unk>`` in n-grams."""
    sections = sections_of(folder, 3)
    by_hand = {("w1",): 0.25, ("w2",): 2.5e-05}
    sections[0] = [Entry(e.prob, e.words, by_hand.get(e.words, e.backoff)) for e in sections[0]]
    sections[1] += [Entry(-1, ("<unk>", "w1"), -0.5), Entry(-2, ("w1", "<unk>"), 0)]
    sections[2] += [Entry(-1e-1, ("w1", "<unk>", "w2"))]
    return written(sections, lambda e: plain(e, "%.6e" if e.words[0] == "w4" else "%g"))


def sphinxbase_13(folder: Path) -> str:
    """MITLM: ``</s>`` first and without a backoff, no ``<unk>``, and words after ``</s>``."""
    sections = without_unk(sections_of(folder, 3))
    sections[0] = [
        Entry(e.prob, e.words, None if e.words == ("</s>",) else e.backoff) for e in sections[0]
    ]
    sections[0].sort(key=lambda e: e.words != ("</s>",))
    if all(e.words != ("<s>", "</s>") for e in sections[1]):
        sections[1].append(Entry(-2.5, ("<s>", "</s>"), -0.067095))
    sections[2] += [Entry(-1.9, ("<s>", "</s>", "w1")), Entry(-1.8, ("<s>", "</s>", "w2"))]
    return written(sections, lambda e: plain(e, "%.6f"))


def sphinxbase_14(folder: Path) -> str:
    """No backoff where it would be 0, as some tools leave it out."""
    sections = sections_of(folder, 3)
    bare = [[Entry(e.prob, e.words, e.backoff or None) for e in section] for section in sections]
    return written(bare)


def russian_6(folder: Path) -> str:
    """Counts of 0 and empty sections of higher orders."""
    return written([*sections_of(folder, 2), [], []])


def pocketsphinx_lmtool(folder: Path) -> str:
    """A web tool's: remarks before the data, with the names of the parts in them."""
    remarks = "Language model created by a tool\nThe (fixed) discount mass is 0.5\n\n"
    return remarks + written(sections_of(folder, 3), lambda e: plain(e, "%.4f"))


SHAPES = {
    "kaldi 643": kaldi_643,
    "kaldi 365": kaldi_365,
    "kenlm 139": kenlm_139,
    "kenlm 171": kenlm_171,
    "kenlm 247": kenlm_247,
    "kenlm 337": kenlm_337,
    "kenlm 380": kenlm_380,
    "kenlm 475": kenlm_475,
    "sphinxbase 13": sphinxbase_13,
    "sphinxbase 14": sphinxbase_14,
    "kaldi-for-russian 6": russian_6,
    "lmtool": pocketsphinx_lmtool,
    "pocolm 86": pocolm_86,
}
"""By tracker and number of the thread that tells of it."""

REFUSED = {
    "kaldi 365": "Expected tab after probability",
    "kenlm 171": "at least a bigram model",
    "kenlm 380": "Non-zero backoff",
    "lmtool": "first non-empty line",
    "pocolm 86": "The context of every 3-gram should appear as a 2-gram",
}
"""What KenLM does not read, and what it says."""

REPAIRED: dict[str, Callable[[str], str]] = {
    "kaldi 365": lambda text: re.sub(r"(?m)^(-\S+) (.*?)\s*$", _tabs, text),
    "kenlm 380": lambda text: (
        text[: text.index("\\2-grams")]
        + re.sub(r"\t[^\t\n]+$", "", text[text.index("\\2-grams") :], flags=re.MULTILINE)
    ),
    "lmtool": lambda text: text[text.index("\\data") :],
}
"""The least change of the text after which KenLM reads it."""


def _tabs(line: re.Match[str]) -> str:
    """A line of `kaldi_365` with tabs for the blanks around its words."""
    return line[1] + "\t" + re.sub("   |\t", "\t", line[2])


def write(shape: str, folder: Path) -> Path:
    """The file of that ``shape``, in ``folder``; some are compressed."""
    data = SHAPES[shape](folder).encode()
    if shape == "sphinxbase 14":
        path = folder / "shape.arpa.gz"
        path.write_bytes(gzip.compress(data))
    else:
        path = folder / "shape.arpa"
        path.write_bytes(data)
    return path

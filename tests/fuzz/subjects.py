"""What is damaged, and what is then done with it.

A subject is a file, the ways to damage it, and what reads it: `Subject.use` gives back all that
must not change. Model files are those of `tests/regression/models`, saved by the present code.
"""

from __future__ import annotations

import gzip
import importlib.util
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import mutations
from uses import command, commands

import lmkit
from lmkit.api import train_channel
from lmkit.channel.candidates.folding import read_word_list
from lmkit.channel.edits.pairs import read_pairs
from lmkit.model import LanguageModel
from lmkit.text.vocabulary import read_vocabulary

ROOT = Path(__file__).parents[2]
LINES = ["The harbour lies at the end of a long bay.", "Nobody has seen a zebra!", ""]
SHORT = ["The wal of the harbour."]

Damage = Callable[[bytes, Random], bytes]


@dataclass(frozen=True)
class Subject:
    """``path`` is the file that is damaged and then used. ``checked``: it has checksums, so that
    what it answers never changes; ``weight`` is how often it is taken."""

    name: str
    path: Path
    use: Callable[[Path], Any]
    checked: bool = False
    model: bool = False
    weight: float = 1.0
    damages: tuple[Damage, ...] = (mutations.damage_bytes, mutations.damage_lines)
    whole: bytes = field(default=b"", repr=False)


def script(path: str) -> ModuleType:
    """A file of the checkout as a module."""
    name = f"lmkit_fuzz_{Path(path).stem}"
    spec = importlib.util.spec_from_file_location(name, ROOT / path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def answers(path: Path) -> Any:
    """What a model says, to the last bit."""
    return says(lmkit.load(path))


def says(model: LanguageModel) -> Any:
    """Scores, a sample, the description and the history of ``model``."""
    channel = model.backend == "noisy-channel"
    lines = SHORT if channel else LINES
    batch = model.batch(lines)
    log_probs, _ = model.score(batch)
    costs = model.spelling_costs(batch)
    found = [log_probs.tolist(), None if costs is None else costs.tolist()]
    found += [one.text for one in model.generate(1, seed=3, max_tokens=8)]
    if channel:
        found.append(lmkit.Corrector(model, threads=1).correct(SHORT)[0].corrected)
    return [*found, model.describe(), model.runs]


def _imported(kind: str, **options: Any) -> Callable[[Path], Any]:
    return lambda path: says(lmkit.import_model(path, kind=kind, **options))[:2]


def models(folder: Path, old: Path, new: Path) -> list[Subject]:
    """Those of each backend, as ``old`` code wrote them, without checksums, and ``new`` code."""
    files = script("tests/regression/model_files.py")
    found = []
    for place in (old, new):
        place.mkdir()
        files.unpacked(folder, place)
    for path in sorted(new.glob("*.lm")):
        lmkit.load(path).save(path)
    # Parts that are named have been written anew.
    for name in ("mixture-cache", "channel-named"):
        lmkit.load(old / f"{name}.lm").save(new / f"{name}.lm")
    for path in sorted(new.glob("*.lm")):
        lines = commands(lmkit.load(path).backend)
        for line in lines:
            use, name = command(line, old.parent), f"{path.stem}: {line}"
            each = Subject(name, path, use, checked=True, model=True, weight=0.6 / len(lines))
            found.append(each)
        found.append(Subject(path.stem, path, answers, checked=True, model=True))
        found.append(Subject(f"old {path.stem}", old / path.name, answers, model=True, weight=0.2))
    return found


def checkpoints(new: Path, text: Path, sizes: dict[str, Any]) -> list[Subject]:
    """A training that was stopped, and is gone on with."""

    def resumed(path: Path) -> Any:
        options = {**sizes, "checkpoint": path, "resume": True, "checkpoint_every": 1000.0}
        return says(lmkit.train(text, backend="lstm", seed=1, **options))[:2]

    path = new / "lstm.checkpoint"
    return [Subject("checkpoint", path, resumed, model=True, weight=0.5)]


def texts(place: Path, new: Path) -> list[Subject]:
    """ARPA files, counts, pairs, word lists."""
    words = lmkit.load(new / "ngram-words.lm")
    arpa, counts, zipped = place / "m.arpa", place / "m.counts", place / "m.arpa.gz"
    pruned = lmkit.load(new / "ngram-pruned.lm")
    lmkit.export_model(pruned, arpa)
    lmkit.export_model(words, counts, "counts")
    zipped.write_bytes(gzip.compress(arpa.read_bytes(), mtime=0))
    pairs, lexicon, list_ = place / "pairs.tsv", place / "lexicon.tsv", place / "words.txt"
    pairs.write_text("recieved\treceived\t3\nteh\tthe\t9\nofthe\tof the\nfreind\tfriend\n" * 3)
    lexicon.write_text("".join(f"word{n}\t{n}\n" for n in range(60)) + "naïve\t7\n")
    list_.write_text("".join(f"word{n}\n" for n in range(60)))
    one, two = place / "1gms", place / "2gms"
    one.mkdir(), two.mkdir()
    (one / "vocab").write_text("a\t5\nb\t4\nc\t1\n<S>\t3\n</S>\t3\n<UNK>\t1\n")
    (two / "2gm-0000").write_text("<S> a\t3\na b\t4\nb c\t1\nb </S>\t3\n")
    web = _imported("web1t", smoothing="witten-bell")

    def corrected(path: Path) -> Any:
        counted = read_pairs(path)
        return train_channel(words, pairs=path, iterations=1).score(SHORT)[0].tolist(), len(counted)

    return [
        Subject("arpa", arpa, _imported("arpa")),
        Subject(
            "arpa.gz", zipped, _imported("arpa"), weight=0.3, damages=(mutations.damage_bytes,)
        ),
        Subject("counts", counts, _imported("counts", smoothing="witten-bell")),
        Subject("web1t", one / "vocab", lambda path: web(place), weight=0.5),
        Subject("web1t bigrams", two / "2gm-0000", lambda path: web(place), weight=0.5),
        Subject("pairs", pairs, corrected, weight=0.5),
        Subject("lexicon", lexicon, lambda path: len(read_word_list(path)), weight=0.5),
        Subject("vocabulary", list_, lambda path: len(read_vocabulary(path)), weight=0.3),
    ]


def results(place: Path) -> list[Subject]:
    """``results.db``, to which a comparison adds its own."""
    from lmkit.evaluate.comparison.corpus import prepare
    from lmkit.evaluate.comparison.database import write_results
    from lmkit.evaluate.comparison.run import compare
    from lmkit.evaluate.comparison.specs import parse_specs
    from lmkit.text.settings import TextSettings

    text = place / "all.txt"
    text.write_text("".join(f"a b c {n % 7} d e {n % 3}\n" for n in range(300)))
    corpus = prepare(place / "corpus", TextSettings(), {"all": text}, name="fuzz")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = compare(corpus, parse_specs(["ngram:order=2"]), place / "m", resamples=100)
    path = place / "results.db"
    write_results(found, corpus.test_lines, path)

    def added(path: Path) -> Any:
        return write_results(found, corpus.test_lines, path)

    return [Subject("results.db", path, added, weight=0.5, damages=(mutations.damage_bytes,))]


def subjects(place: Path) -> list[Subject]:
    """All of them, made in the folder ``place``."""
    files = sys.modules.get("lmkit_fuzz_model_files") or script("tests/regression/model_files.py")
    folder = sorted(files.MODELS.iterdir())[0]
    old, new = place / "old", place / "new"
    found = models(folder, old, new)
    found += checkpoints(new, folder / files.TRAINED_ON, files.SIZES)
    for name, make in (("texts", lambda at: texts(at, new)), ("results", results)):
        (place / name).mkdir()
        found += make(place / name)
    return [
        Subject(
            **{**{k: getattr(s, k) for k in s.__dataclass_fields__}, "whole": s.path.read_bytes()}
        )
        for s in found
    ]

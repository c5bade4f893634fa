"""Small model files of every backend, and what they answer: made once, to open for ever.

``python tests/regression/model_files.py`` writes those of the present code into a folder beside
the others, named after the schema; files that are there already stay as they are. A model is
kept as ``NAME.lm.xz``: the pages of a small database are mostly empty. ``lstm.checkpoint.xz`` is
a training of a network on ``text.txt`` that was stopped.
"""

from __future__ import annotations

import contextlib
import json
import lzma
import shutil
import sys
import tempfile
from itertools import count
from pathlib import Path
from typing import Any

import lmkit
from lmkit.api import train_channel
from lmkit.errors import LmkitError
from lmkit.model import LanguageModel
from lmkit.neural.tools.compression import pruned, quantized
from lmkit.store.schema import SCHEMA_VERSION
from lmkit.text.settings import TextSettings
from lmkit.text.subwords import formats
from lmkit.text.tokenizers.base import Tokenizer
from lmkit.text.tokenizers.making import make_tokenizer

MODELS = Path(__file__).parent / "models"
TEXT = Path(__file__).parents[2] / "data" / "sample.txt"
LINES = [
    "The harbour lies at the end of a long bay.",
    "An old man sits on the wall and writes down what he sees.",
    "Nobody has ever seen a zebra in the harbour!",
    "",
]
"""What the models are asked about; one word is known to none of them."""
TRAINED_ON, CHECKPOINT = "text.txt", "lstm.checkpoint"
SIZES = {"hidden": 8, "embedding": 8, "epochs": 2, "batch_size": 4, "bptt": 8, "workers": 1}
"""Of the networks."""
TYPED = "An old man sits on the wal and writes donw what he sees."
PAIRS = """recieved\treceived\t3
beleived\tbelieved
freind\tfriend\t2
teh\tthe\t9
wich\twhich
form\tfrom
donw\tdown
th e\tthe
ofthe\tof the
"""


def answers(model: LanguageModel) -> dict[str, Any]:
    """Everything that must not change: log-probabilities of `LINES` token by token, a sample,
    perplexity, and what a channel corrects."""
    batch = model.batch(LINES)
    log_probs, _ = model.score(batch)
    found: dict[str, Any] = {
        "backend": model.backend,
        "offsets": batch.offsets.tolist(),
        "log_probs": log_probs.tolist(),
        "sample": [one.text for one in model.generate(2, seed=7, max_tokens=20)],
    }
    if model.normalised:
        figures = model.perplexity(LINES)
        found["perplexity"] = figures.perplexity
        found["spellings"] = figures.log_probability_of_spellings
    if model.backend == "noisy-channel":
        (corrected,) = lmkit.Corrector(model).correct([TYPED])
        found["corrected"] = corrected.corrected
    return found


def unpacked(folder: Path, into: Path) -> list[Path]:
    """The model files of ``folder`` as they were written, in ``into``."""
    paths = []
    for packed in sorted(folder.glob("*.xz")):
        path = into / packed.name.removesuffix(".xz")
        path.write_bytes(lzma.decompress(packed.read_bytes()))
        paths.append(path)
    return paths


class Workshop:
    """Trains the models of one folder on a few lines of `TEXT`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        lines = TEXT.read_text(encoding="utf-8").splitlines()
        self.text = self._write(TRAINED_ON, lines[:60])
        self.valid = self._write("valid.txt", lines[60:80])
        self.pairs = folder / "pairs.tsv"
        self.pairs.write_text(PAIRS, encoding="utf-8")
        self.words = folder / "words.tsv"
        self.words.write_text("wall\t900\nwalk\t40\nzebra\t25\nlighthouses\t3\n", encoding="utf-8")

    def _write(self, name: str, lines: list[str]) -> Path:
        path = self.folder / name
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return path

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.lm"

    def train(self, name: str, tokenizer: Tokenizer | str = "word", **options: Any) -> Any:
        settings = TextSettings(tokenizer, lowercase=options.pop("lowercase", False))
        return lmkit.train(self.text, output=self.path(name), settings=settings, **options)

    def network(
        self, name: str, backend: str, tokenizer: Tokenizer | str = "word", **options: Any
    ) -> Any:
        return self.train(name, tokenizer, backend=backend, seed=1, **{**SIZES, **options})

    def ngrams(self) -> None:
        self.train("ngram-words", order=3)
        self.train("ngram-chars", "char", order=5, smoothing="witten-bell")
        self.train("ngram-stupid", "whitespace", order=3, smoothing="stupid-backoff")
        self.train("ngram-bytes", "byte", order=3, smoothing="lidstone", lowercase=True)
        self.train(
            "ngram-limited", order=4, smoothing="jelinek-mercer", valid=self.valid, min_count=2
        )
        arpa = self.folder / "katz.arpa"
        lmkit.export_model(self.train("katz", "whitespace", order=3, smoothing="katz"), arpa)
        lmkit.import_model(arpa, output=self.path("ngram-imported"))
        lmkit.prune(self.path("ngram-words"), size=700, output=self.path("ngram-pruned"))
        self.path("katz").unlink()

    def networks(self) -> None:
        self.network("rnn-words", "rnn")
        self.network("rnn-chars", "rnn", "char", layers=2, residual=True, layer_norm=True)
        self.network("rnn-sampled", "rnn", softmax="sampled", tied=False)
        self.network("gru-chars", "gru", "char")
        self.network(
            "gru-adaptive", "gru", softmax="adaptive", softmax_options={"cutoffs": (20, 80)}
        )
        quantized(self.network("gru-int8", "gru", hidden=10)).save(self.path("gru-int8"))
        self.network("lstm-words", "lstm", tied=False)
        self.network(
            "lstm-adaptive",
            "lstm",
            softmax="adaptive",
            softmax_options={"cutoffs": (20, 80)},
            cell_options={"peepholes": True},
            by_sentence=True,
        )
        sparse = pruned(self.network("lstm-sparse", "lstm", "char", layers=2), 0.5)
        quantized(sparse).save(self.path("lstm-sparse"))

    def subwords(self) -> None:
        bpe = make_tokenizer("bpe", vocabulary_size=300, special_tokens=["the end"])
        self.train("ngram-bpe", bpe, order=4)
        self.train("ngram-unigram", make_tokenizer("unigram", vocabulary_size=320), order=3)
        self.network("lstm-bpe", "lstm", bpe)
        vocabulary = self.folder / "vocab.txt"
        pieces = ["[UNK]", "the", "harbour", "##s", "##e", "s", "a", "see", "##n", "."]
        vocabulary.write_text("\n".join(pieces) + "\n", encoding="utf-8")
        self.train("ngram-wordpiece", formats.read(vocabulary), order=2)

    def transformers(self) -> None:
        for name, tokenizer, options in (
            ("words", "word", {"positions": "rotary"}),
            ("chars", "char", {"positions": "learnt", "norm": "layer"}),
            ("alibi", "word", {"positions": "alibi", "activation": "swiglu"}),
        ):
            self.network(
                f"transformer-{name}",
                "transformer",
                tokenizer,
                layers=2,
                cell_options={"heads": 2, "context": 80, **options},
            )

    def classes(self) -> None:
        """Three models of one file of n-grams, as SRILM writes them, with other definitions."""
        text = self._write("classes.txt", ["the NOUN saw a NOUN", "a NOUN sat", "the NOUN sat"])
        arpa = self.folder / "classes.arpa"
        model = lmkit.train(text, order=2, smoothing="witten-bell")
        lmkit.export_model(model, arpa)
        for name, definitions in (
            ("plain", "NOUN harbour\nNOUN bay\n"),
            ("weighted", "NOUN 0.75 man\nNOUN 0.25 wall\n"),
            ("ambiguous", "NOUN 0.5 wall\nNOUN 0.4 saw\nNOUN 0.1 man\n"),
        ):
            file = self.folder / "definitions"
            file.write_text(definitions, encoding="utf-8")
            lmkit.import_model(arpa, classes=file, output=self.path(f"class-{name}"))

    def checkpoint(self) -> None:
        updates = count(1)

        def stop(_: Any) -> None:
            if next(updates) == 5:
                raise KeyboardInterrupt

        with contextlib.suppress(LmkitError, KeyboardInterrupt):
            lmkit.train(
                self.text,
                backend="lstm",
                seed=1,
                checkpoint=self.folder / CHECKPOINT,
                checkpoint_every=0,
                watch=stop,
                **SIZES,
            )

    def mixtures(self) -> None:
        words, network, limited = map(self.path, ("ngram-words", "lstm-words", "ngram-pruned"))
        chars = [self.path("ngram-chars"), self.path("gru-chars")]
        for name, models, options in (
            ("mixture-linear", [words, network], {"embed": True}),
            ("mixture-cache", [words, limited], {"kind": "by-context", "cache": True}),
            ("mixture-words", [words, self.path("ngram-imported")], {"embed": True}),
            ("mixture-product", chars, {"kind": "log-linear", "embed": True}),
        ):
            lmkit.mix(models, valid=self.valid, output=self.path(name), **options)
        # A mixture of a mixture, which carries all of it.
        inner = [self.path("mixture-cache"), self.path("rnn-words")]
        lmkit.mix(inner, valid=self.valid, output=self.path("mixture-nested"), embed=True)

    def channels(self) -> None:
        words = self.path("ngram-words")
        learnt = {"pairs": self.pairs}
        train_channel(words, output=self.path("channel-named"), **learnt)
        train_channel(
            words, output=self.path("channel-lexicon"), lexicon=self.words, embed=True, **learnt
        )
        train_channel(
            self.path("mixture-linear"),
            output=self.path("channel-damerau"),
            channel="damerau",
            embed=True,
            **learnt,
        )


def make(target: Path) -> None:
    """Write all models of the present code into ``target``, and what they answer."""
    target.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shop = Workshop(folder)
        for step in (
            *(shop.ngrams, shop.subwords, shop.classes, shop.networks, shop.transformers),
            *(shop.checkpoint, shop.mixtures, shop.channels),
        ):
            step()
        found = {}
        for path in [*sorted(folder.glob("*.lm")), folder / CHECKPOINT]:
            if path.suffix == ".lm":
                found[path.stem] = answers(lmkit.load(path))
            packed = lzma.compress(path.read_bytes(), preset=9 | lzma.PRESET_EXTREME)
            (target / f"{path.name}.xz").write_bytes(packed)
        shutil.copy(shop.text, target)
        rows = ",\n".join(f'"{name}": {json.dumps(told)}' for name, told in found.items())
        (target / "answers.json").write_text(f"{{\n{rows}\n}}\n", encoding="utf-8")


if __name__ == "__main__":
    folder = MODELS / f"schema-{SCHEMA_VERSION}"
    if folder.exists():
        sys.exit(f"{folder} is there: model files that are kept are never made again")
    try:
        make(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise

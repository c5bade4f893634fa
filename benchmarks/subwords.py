"""Learning and applying subwords, compared with other programs, as a Markdown table.

    python benchmarks/subwords.py TEXT [--vocabulary-size 8000] [--runs 3] [--only NAME]

Each program learns from TEXT in a process of its own, and cuts TEXT in another; they take turns,
with one thread each. The seconds are processor time, medians of ``--runs`` turns: a machine that is
shared slows all of them, so the ratios to lmkit's say more than the seconds. Memory is the largest
that either process had. Programs that are not installed are left out of the table's figures:
``pip install tokenizers sentencepiece tiktoken``. tiktoken learns nothing; it cuts by the merges
that lmkit has learnt.

All learn vocabularies of the same size: byte-level BPE, or a unigram language model of characters.
Those that have a pattern have GPT-2's. sentencepiece cuts characters, with bytes for those that it
never saw.

The programs ``file`` cut by a tokenizer of another program, which has learnt it: by its file,
beside that program.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pickle
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

ONE_THREAD = {
    "RAYON_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}
COLUMNS = ("learnt", "program", "training s", "ratio", "encoding MB/s", "ratio", "memory MB",
           "bytes a token")  # fmt: skip
_BLOCK = 1 << 22


class Program(ABC):
    """A program: learns from a text into a file, and cuts a text with it."""

    model: ClassVar[str]
    name: ClassVar[str]
    package: ClassVar[str]
    learns: ClassVar[bool] = True

    @abstractmethod
    def learn(self, text: Path, size: int, target: Path) -> None:
        """Learn ``size`` tokens from ``text`` and keep them in ``target``."""

    @abstractmethod
    def load(self, target: Path) -> Any:
        """What `encode` needs."""

    @abstractmethod
    def encode(self, loaded: Any, text: Path) -> int:
        """The number of tokens of ``text``, all of which were made; line ends not among them."""


class Lmkit(Program):
    """A tokenizer of lmkit, by way of the interface that all models use."""

    name = "lmkit"
    package = "lmkit"
    tokenizer: ClassVar[str]

    def learn(self, text: Path, size: int, target: Path) -> None:
        from lmkit.registry import resolve

        kind = resolve("tokenizer", self.tokenizer)
        target.write_text(json.dumps(kind.learn(blocks(text), vocabulary_size=size).as_dict()))

    def load(self, target: Path) -> Any:
        from lmkit.text.lexicon import Lexicon
        from lmkit.text.tokenizers.making import as_tokenizer

        return as_tokenizer(json.loads(target.read_text())).bulk(None, Lexicon("word"))

    def encode(self, loaded: Any, text: Path) -> int:
        from lmkit.model import EOS

        return sum(int((loaded(block) != EOS).sum()) for block in blocks(text))


class LmkitBpe(Lmkit):
    """lmkit's BPE."""

    model = tokenizer = "bpe"


class TokenizersBpe(Program):
    """Hugging Face's tokenizers, byte-level."""

    model = "bpe"
    name = package = "tokenizers"

    def learn(self, text: Path, size: int, target: Path) -> None:
        import tokenizers

        tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
        tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
        trainer = tokenizers.trainers.BpeTrainer(
            vocab_size=size,
            min_frequency=2,
            show_progress=False,
            initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        )
        tokenizer.train([str(text)], trainer)
        tokenizer.save(str(target))

    def load(self, target: Path) -> Any:
        import tokenizers

        return tokenizers.Tokenizer.from_file(str(target))

    def encode(self, loaded: Any, text: Path) -> int:
        return sum(
            len(encoding.ids)
            for block in blocks(text)
            for encoding in loaded.encode_batch_fast(block.decode().split("\n"))
        )


class SentencePieceBpe(Program):
    """Google's sentencepiece."""

    model = "bpe"
    name = package = "sentencepiece"

    def learn(self, text: Path, size: int, target: Path) -> None:
        import sentencepiece

        sentencepiece.SentencePieceTrainer.train(
            input=str(text),
            model_prefix=str(target),
            vocab_size=size,
            model_type=self.model,
            num_threads=1,
            byte_fallback=True,
            minloglevel=2,
        )

    def load(self, target: Path) -> Any:
        import sentencepiece

        return sentencepiece.SentencePieceProcessor(model_file=f"{target}.model")

    def encode(self, loaded: Any, text: Path) -> int:
        return sum(
            len(ids)
            for block in blocks(text)
            for ids in loaded.encode(block.decode().split("\n"), num_threads=1)
        )


class LmkitUnigram(Lmkit):
    """lmkit's unigram model."""

    model = tokenizer = "unigram"


class TokenizersUnigram(TokenizersBpe):
    """Hugging Face's tokenizers, whose unigram model is of characters."""

    model = "unigram"

    def learn(self, text: Path, size: int, target: Path) -> None:
        import tokenizers

        tokenizer = tokenizers.Tokenizer(tokenizers.models.Unigram())
        tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace(prepend_scheme="never")
        trainer = tokenizers.trainers.UnigramTrainer(
            vocab_size=size, show_progress=False, unk_token="<unk>", special_tokens=["<unk>"]
        )
        tokenizer.train([str(text)], trainer)
        tokenizer.save(str(target))


class SentencePieceUnigram(SentencePieceBpe):
    """Google's sentencepiece."""

    model = "unigram"


class TiktokenBpe(Program):
    """OpenAI's tiktoken, with lmkit's merges."""

    model = "bpe"
    name = package = "tiktoken"
    learns = False

    def learn(self, text: Path, size: int, target: Path) -> None:
        from lmkit.text.tokenizers.bpe import BpeTokenizer

        tokenizer = BpeTokenizer.learn(blocks(text), vocabulary_size=size)
        ranks = {tokenizer.bytes_of(t): rank for rank, t in enumerate(tokenizer.vocabulary)}
        target.write_bytes(pickle.dumps(ranks))

    def load(self, target: Path) -> Any:
        import tiktoken
        from tiktoken_ext.openai_public import r50k_pat_str

        return tiktoken.Encoding(
            "own",
            pat_str=r50k_pat_str,
            mergeable_ranks=pickle.loads(target.read_bytes()),
            special_tokens={},
        )

    def encode(self, loaded: Any, text: Path) -> int:
        return sum(
            len(ids)
            for block in blocks(text)
            for ids in map(loaded.encode_ordinary, block.decode().split("\n"))
        )


class FileBpe(SentencePieceBpe):
    """sentencepiece with its own model file."""

    model = "file bpe.model"
    learns = False

    def learn(self, text: Path, size: int, target: Path) -> None:
        learnt = SentencePieceUnigram() if "unigram" in self.model else SentencePieceBpe()
        learnt.learn(text, size, target)


class FileUnigram(FileBpe):
    """The same for a unigram model."""

    model = "file unigram.model"


class FileJson(TokenizersBpe):
    """Hugging Face's tokenizers with a file as Llama has it: spaces are marked, characters that
    are no tokens go by bytes, and nothing cuts a line but the merges."""

    model = "file tokenizer.json"
    learns = False

    def learn(self, text: Path, size: int, target: Path) -> None:
        import tokenizers as hf

        special = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256))]
        made = hf.Tokenizer(hf.models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
        made.pre_tokenizer = hf.pre_tokenizers.Metaspace()
        trainer = hf.trainers.BpeTrainer(
            vocab_size=size, special_tokens=special, show_progress=False
        )
        made.train([str(text)], trainer)
        mark = "\u2581"
        steps = [hf.normalizers.Prepend(mark), hf.normalizers.Replace(" ", mark)]
        made.normalizer, made.pre_tokenizer = hf.normalizers.Sequence(steps), None
        made.decoder = hf.decoders.Sequence(
            [hf.decoders.Replace(mark, " "), hf.decoders.ByteFallback(), hf.decoders.Fuse()]
        )
        made.save(str(target))


class LmkitFile(Program):
    """lmkit with the file of the other program."""

    name = "lmkit"
    learns = False
    ending: ClassVar[str] = ".model"

    def load(self, target: Path) -> Any:
        from lmkit.text.lexicon import Lexicon
        from lmkit.text.subwords.formats import read

        return read(f"{target}{self.ending}").bulk(None, Lexicon("word"))

    def encode(self, loaded: Any, text: Path) -> int:
        return LmkitBpe().encode(loaded, text)


class LmkitFileBpe(LmkitFile, FileBpe):
    """A BPE model of sentencepiece."""


class LmkitFileUnigram(LmkitFile, FileUnigram):
    """A unigram model of sentencepiece."""


class LmkitFileJson(LmkitFile, FileJson):
    """A tokenizer.json."""

    ending = ""


PROGRAMS = {
    f"{program.model}-{program.name}": program
    for program in (
        LmkitBpe,
        TokenizersBpe,
        SentencePieceBpe,
        TiktokenBpe,
        LmkitUnigram,
        TokenizersUnigram,
        SentencePieceUnigram,
        LmkitFileBpe,
        FileBpe,
        LmkitFileUnigram,
        FileUnigram,
        LmkitFileJson,
        FileJson,
    )
}


def blocks(text: Path) -> Iterator[bytes]:
    """The text in blocks of whole lines."""
    with text.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block + file.readline()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("text", type=Path, metavar="TEXT")
    parser.add_argument("--vocabulary-size", type=int, default=8000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", metavar="NAME", help="programs with NAME in model-program")
    parser.add_argument("--step", nargs=3, metavar="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        step(arguments)
        return 0
    names = [name for name in PROGRAMS if not arguments.only or arguments.only in name]
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        for run in range(arguments.runs):
            for name in names:
                if installed(PROGRAMS[name].package):
                    found[name].append(one_turn(arguments, name, f"{folder}/{name}-{run}"))
                    print(f"{name}: {found[name][-1]}", file=sys.stderr)
    print_table(found)
    return 0


def installed(package: str) -> bool:
    try:
        importlib.import_module(package)
    except ModuleNotFoundError:
        return False
    return True


def one_turn(arguments: argparse.Namespace, name: str, target: str) -> dict[str, Any]:
    """The figures of both processes of a program."""
    figures: dict[str, Any] = {}
    for what in ("learn", "encode"):
        command = [sys.executable, __file__, str(arguments.text)]
        command += ["--vocabulary-size", str(arguments.vocabulary_size)]
        done = subprocess.run(
            [*command, "--step", what, name, target],
            env={**os.environ, **ONE_THREAD},
            stdout=subprocess.PIPE,
            check=True,
        )
        figures[what] = json.loads(done.stdout.splitlines()[-1])
    return figures


def step(arguments: argparse.Namespace) -> None:
    """One process: learns or encodes, and prints what that took."""
    what, name, target = arguments.step
    program = PROGRAMS[name]()
    tokens = 0
    if what == "learn":
        begun = time.process_time()
        program.learn(arguments.text, arguments.vocabulary_size, Path(target))
    else:
        loaded = program.load(Path(target))
        begun = time.process_time()
        tokens = program.encode(loaded, arguments.text)
    seconds = time.process_time() - begun
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "memory": memory, "tokens": tokens,
                      "bytes": arguments.text.stat().st_size}))  # fmt: skip


def print_table(found: dict[str, list[dict[str, Any]]]) -> None:
    print("| " + " | ".join(COLUMNS) + " |")
    print("|---|---" + "|---:" * (len(COLUMNS) - 2) + "|")
    seconds = {
        (name, what): statistics.median(turn[what]["seconds"] for turn in turns)
        for name, turns in found.items()
        for what in ("learn", "encode")
        if turns
    }
    for name, turns in found.items():
        program = PROGRAMS[name]
        cells = [program.model, program.name]
        if turns:
            own = f"{program.model}-lmkit"
            learn, encode = seconds[name, "learn"], seconds[name, "encode"]
            last = turns[-1]["encode"]
            used = [what for what in ("learn", "encode") if what == "encode" or program.learns]
            memory = max(turn[what]["memory"] for turn in turns for what in used)
            cells += [
                f"{learn:.1f}" if program.learns else "",
                ratio(learn, seconds.get((own, "learn"))) if program.learns else "",
                f"{last['bytes'] / encode / 1e6:.1f}",
                ratio(encode, seconds.get((own, "encode"))),
                f"{memory:.0f}",
                f"{last['bytes'] / last['tokens']:.3f}",
            ]
        cells += [""] * (len(COLUMNS) - len(cells))
        print("| " + " | ".join(cells) + " |")


def ratio(seconds: float, own: float | None) -> str:
    """How many times lmkit's seconds these are."""
    return f"{seconds / own:.2f}" if own else ""


if __name__ == "__main__":
    sys.exit(main())

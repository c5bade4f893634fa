"""The programs that `subwords.py` compares: how each learns subwords, and cuts by them."""

from __future__ import annotations

import json
import pickle
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

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

"""Running a command line: inside this process with any terminal, or in one of its own."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import lmkit.api
from lmkit.cli.main import main

from .support import TOKENIZED, Result, clean_environment, faked_console, run_python, written


@pytest.fixture
def run() -> Callable[..., Result]:
    """``run("score", path, stdin=b"...", stdout_is_terminal=True)``: a command line in this
    process, on a console of memory."""

    def runner(*words: str | Path, stdin: bytes = b"", **facts: Any) -> Result:
        console = faked_console(stdin, **facts)
        status = main([str(word) for word in words], console)
        assert isinstance(console.stderr, io.StringIO)
        return Result(int(status), written(console), console.stderr.getvalue())

    return runner


@pytest.fixture
def process() -> Callable[..., subprocess.CompletedProcess[str]]:
    """``process("score", path, env={...})``: a command line in a process of its own."""

    def runner(
        *words: str | Path, env: Mapping[str, str] | None = None, **settings: Any
    ) -> subprocess.CompletedProcess[str]:
        return run_python("-m", "lmkit", *map(str, words), env=env, **settings)

    return runner


@pytest.fixture
def environment() -> dict[str, str]:
    """The environment for a process that imports this lmkit."""
    return clean_environment()


@pytest.fixture(scope="session")
def small_text(tmp_path_factory: pytest.TempPathFactory, zipf_lines: list[str]) -> Path:
    """A file of 300 lines, some of them empty."""
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("".join(f"{line}\n" for line in zipf_lines[:300]), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory, small_text: Path) -> Path:
    """A trigram model of `small_text`: modified Kneser-Ney, words between spaces."""
    return _trained(tmp_path_factory, small_text, "model.lm", order=3)


@pytest.fixture(scope="session")
def stupid_model(tmp_path_factory: pytest.TempPathFactory, small_text: Path) -> Path:
    """A model of `small_text` whose scores are no probabilities."""
    return _trained(tmp_path_factory, small_text, "stupid.lm", order=3, smoothing="stupid-backoff")


def _trained(
    factory: pytest.TempPathFactory, text: Path, name: str, *, skip: bool = False, **options: Any
) -> Path:
    from lmkit.api import train
    from lmkit.text.settings import TextSettings

    path = factory.mktemp("model") / name
    settings = TextSettings(tokenizer="whitespace", skip_empty_lines=skip)
    train(text, output=path, settings=settings, **options)
    return path


@pytest.fixture(scope="session")
def skipping_model(tmp_path_factory: pytest.TempPathFactory, small_text: Path) -> Path:
    """A model of `small_text` that was trained without its empty lines."""
    return _trained(tmp_path_factory, small_text, "skipping.lm", skip=True, order=2)


@pytest.fixture(scope="session")
def arpa_model(tmp_path_factory, small_model):
    """A model that came from an ARPA file, and so has no counts."""
    place = tmp_path_factory.mktemp("arpa")
    lmkit.export_model(small_model, place / "model.arpa")
    lmkit.import_model(place / "model.arpa", output=place / "imported.lm")
    return place / "imported.lm"


@pytest.fixture(scope="session")
def pruned_model(tmp_path_factory, small_model):
    path = tmp_path_factory.mktemp("pruned") / "pruned.lm"
    lmkit.prune(small_model, cutoffs=(0, 1, 1), output=path)
    return path


@pytest.fixture(scope="session")
def english_text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some hundred sentences over a few dozen English words, for a corrector to know."""
    who = ["the old farmer", "my sister", "their teacher", "a young doctor", "the captain"]
    did = ["received a letter from", "believed the story of", "wrote to", "went with", "heard of"]
    whom = ["her friend", "the village", "his brother", "a stranger"]
    when = ["yesterday .", "before the winter .", ", and there was no doubt about it ."]
    path = tmp_path_factory.mktemp("english") / "english.txt"
    lines = [f"{a} {b} {c} {d}\n" for a in who for b in did for c in whom for d in when]
    path.write_text("".join(lines), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def english_model(tmp_path_factory: pytest.TempPathFactory, english_text: Path) -> Path:
    """A trigram model of `english_text`."""
    return _trained(tmp_path_factory, english_text, "english.lm", order=3)


@pytest.fixture(scope="session")
def spelling_pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few misspellings of its words."""
    pairs = ["recieved\treceived\t3", "beleived\tbelieved", "freind\tfriend\t2", "teh\tthe\t9"]
    pairs += ["wich\twhich\tsome list", "yesterdy\tyesterday", "docter\tdoctor", "form\tfrom"]
    path = tmp_path_factory.mktemp("pairs") / "pairs.tsv"
    path.write_text("".join(f"{pair}\n" for pair in pairs), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def channel_model(
    tmp_path_factory: pytest.TempPathFactory, english_model: Path, spelling_pairs: Path
) -> Path:
    """A noisy channel of `spelling_pairs` over `english_model`."""
    path = tmp_path_factory.mktemp("channel") / "channel.lm"
    lmkit.api.train_channel(english_model, output=path, pairs=spelling_pairs, embed=True)
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the test is in, with `TOKENIZED` as ``a.txt``."""
    (tmp_path / "a.txt").write_text(TOKENIZED * 3, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def tokenizers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``b.tok`` and ``u.tok``, bpe and unigram."""
    place = tmp_path_factory.mktemp("tokenizers")
    (place / "a.txt").write_text(TOKENIZED * 3, encoding="utf-8")
    for kind, name in (("bpe", "b.tok"), ("unigram", "u.tok")):
        lmkit.api.train_tokenizer(
            place / "a.txt",
            output=place / name,
            tokenizer=kind,
            vocabulary_size=290,
            special_tokens=["<|x|>"],
        )
    return place


@pytest.fixture
def learnt(folder: Path, tokenizers: Path) -> Path:
    """`folder` with the tokenizers in it."""
    for name in ("b.tok", "u.tok"):
        shutil.copy(tokenizers / name, folder / name)
    return folder

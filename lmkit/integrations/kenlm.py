"""KenLM's Python interface on lmkit's models of every backend, and on ARPA files.

>>> from lmkit import kenlm
>>> model = kenlm.Model("model.lm")                                   # doctest: +SKIP
>>> model.score("this is a sentence .", bos=True, eos=True)           # doctest: +SKIP

Names, arguments and meanings are those of the package kenlm (Heafield 2011, "KenLM: Faster and
Smaller Language Model Queries"): scores are log10, and a sentence is cut at white space.
Programs that say ``import kenlm`` get this module after `install`, or run unchanged under
``python -m lmkit.integrations.kenlm PROGRAM.py``.
"""

from __future__ import annotations

import os
import re
import runpy
import sys
from collections.abc import Iterator
from functools import total_ordering
from pathlib import Path
from typing import Any

from lmkit.batch import UNK
from lmkit.errors import FormatError, LmkitError, ModelFileError, UnsupportedError
from lmkit.integrations.walking import LOG10_ZERO, Walk, text_of
from lmkit.model import LanguageModel as AnyModel

__all__ = [
    "ARPALoadComplain",
    "Config",
    "FullScoreReturn",
    "LanguageModel",
    "LoadMethod",
    "Model",
    "ModelError",
    "State",
    "install",
]

END = "</s>"
_WORD = re.compile(r"[^ \t\n\r\x0b\x0c]+")
"""What KenLM cuts a sentence into: it knows no white space outside ASCII."""
_BOS = re.compile(
    rb"^[ \t]*([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|-inf)[ \t]+<s>(?:[ \t\r]|$)", re.M | re.I
)
_BIGRAMS = b"\\2-grams:"


class ModelError(LmkitError, OSError):
    """A model that cannot be read: an `LmkitError`, and the `OSError` that KenLM raises."""

    __str__ = LmkitError.__str__


class LoadMethod:
    """How much of a model is read when it is opened: all of it with ``READ`` and
    ``PARALLEL_READ``, else each part of a file when it is needed."""

    LAZY = 0
    POPULATE_OR_LAZY = 1
    POPULATE_OR_READ = 2
    READ = 3
    PARALLEL_READ = 4


class ARPALoadComplain:
    """What KenLM says of an ARPA file on standard error. Nothing is said here."""

    ALL = 0
    EXPENSIVE = 1
    NONE = 2


class Config:
    """Options of `Model`. ``load_method`` is one of `LoadMethod`; ``show_progress`` and
    ``arpa_complain`` are taken and change nothing."""

    __slots__ = ("arpa_complain", "load_method", "show_progress")

    def __init__(self) -> None:
        self.load_method = LoadMethod.POPULATE_OR_READ
        self.show_progress = True
        self.arpa_complain = ARPALoadComplain.ALL


class FullScoreReturn:
    """``log_prob``: log10 p(word | state). ``ngram_length``: words of the longest n-gram behind
    it. ``oov``: whether the word is unknown."""

    __slots__ = ("_log_prob", "_ngram_length", "_oov")

    def __init__(self, log_prob: float, ngram_length: int, oov: bool) -> None:
        self._log_prob = log_prob
        self._ngram_length = ngram_length
        self._oov = oov

    @property
    def log_prob(self) -> float:
        return self._log_prob

    @property
    def ngram_length(self) -> int:
        return self._ngram_length

    @property
    def oov(self) -> bool:
        return self._oov

    def __repr__(self) -> str:
        return f"FullScoreReturn({self.log_prob!r}, {self.ngram_length!r}, {self.oov!r})"


@total_ordering
class State:
    """Where a text stands in a model. `Model.BeginSentenceWrite`, `Model.NullContextWrite` and
    the scores write it; a new one has no context. Copies are cheap.

    States are equal where nothing that follows can tell them apart, and can be sorted (in an order
    that says nothing), hashed and copied, but not pickled.
    """

    __slots__ = ("_place", "_walk")

    def __init__(self) -> None:
        self._walk: Walk | None = None
        self._place: Any = 0

    def __copy__(self) -> State:
        twin = State()
        twin._walk, twin._place = self._walk, self._place
        return twin

    def __deepcopy__(self, memory: Any) -> State:
        return self.__copy__()

    def __reduce__(self) -> Any:
        raise TypeError("a State cannot be pickled: it means something to its own Model only")

    def __hash__(self) -> int:
        return hash(self._place)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, State):
            return NotImplemented
        known = self._walk is None or other._walk is None or self._walk is other._walk
        return known and bool(self._place == other._place)

    def __lt__(self, other: State) -> bool:
        return self._place < other._place if isinstance(other, State) else NotImplemented


class Model:
    """The language model in ``path``: a model file of lmkit, whatever its backend, or an ARPA
    file, which may be compressed (gz, bz2, xz, zst).

    A word is a token of the model's vocabulary. A sentence is cut at white space, and into its
    symbols if the model's tokens are no words. Text may be bytes, which are UTF-8. `len` is the
    size of the vocabulary, with ``<unk>``, ``<s>`` and ``</s>``.

    Raises `ModelError` (an `OSError`) if the file cannot be read, and `UnsupportedError` for a
    noisy channel, which has no next word.
    """

    __slots__ = ("_encoder", "_walk", "path")

    def __init__(self, path: str | bytes | os.PathLike[str], config: Config | None = None) -> None:
        name = os.path.abspath(os.fsdecode(path))
        self.path = os.fsencode(name)
        """The absolute path; bytes, as KenLM has it."""
        self._walk = walk_through(*_opened(Path(name)))
        if config is not None and config.load_method in (LoadMethod.READ, LoadMethod.PARALLEL_READ):
            self._walk.load()
        self._encoder: Any = None
        if self._walk.model.unit != "word":
            self._encoder = self._walk.model.encoder.with_settings(skip_empty_lines=False)

    @property
    def order(self) -> int:
        """The longest n-grams; how many tokens a score can depend on, itself included. Networks
        look back without limit and say 1000."""
        return self._walk.order

    def score(self, sentence: str | bytes, bos: bool = True, eos: bool = True) -> float:
        """log10 p(sentence ``</s>`` | ``<s>``). Without ``bos`` there is no context before the
        first word, and without ``eos`` no ``</s>`` behind the last."""
        return self._walk.total(self._words(sentence), bos, eos)

    def perplexity(self, sentence: str | bytes) -> float:
        """Of one sentence: 10 ** (-score / (words + 1)), unknown words included. (A model
        without sentence marks divides by the words alone; 1 for none.)"""
        words = self._words(sentence)
        tokens = len(words) + self._walk.marks
        try:
            return 10.0 ** (-self._walk.total(words, True, True) / max(tokens, 1))
        except OverflowError:
            return float("inf")

    def full_scores(
        self, sentence: str | bytes, bos: bool = True, eos: bool = True
    ) -> Iterator[tuple[float, int, bool]]:
        """For each word, and for ``</s>`` with ``eos``: log10 p(word | the words before it), the
        length of the n-gram behind it, and whether the word is unknown."""
        words = self._words(sentence)
        place = self._walk.start if bos else self._walk.null
        for word in [*words, END] if eos and self._walk.marks else words:
            score, place, length, oov = self._walk.step(place, word)
            yield score, length, oov

    def BeginSentenceWrite(self, state: State) -> None:  # noqa: N802
        """Make ``state`` stand at the beginning of a sentence."""
        state._walk, state._place = self._walk, self._walk.start

    def NullContextWrite(self, state: State) -> None:  # noqa: N802
        """Make ``state`` stand before any text, not even at the beginning of a sentence. Raises
        `UnsupportedError` for a network, which always begins with a sentence."""
        state._walk, state._place = self._walk, self._walk.null

    def BaseScore(  # noqa: N802
        self, in_state: State, word: str | bytes, out_state: State
    ) -> float:
        """log10 p(word | in_state). ``out_state`` becomes the state after the word; it may be
        ``in_state`` itself."""
        walk = self._walk
        place = in_state._place if in_state._walk is walk else self._place_of(in_state)
        step = walk.steps.get((place, word)) or walk.take(place, word)
        out_state._walk, out_state._place = walk, step[1]
        return step[0]

    def BaseFullScore(  # noqa: N802
        self, in_state: State, word: str | bytes, out_state: State
    ) -> FullScoreReturn:
        """As `BaseScore`, with the length of the n-gram and whether the word is unknown."""
        score, place, length, oov = self._walk.step(self._place_of(in_state), word)
        out_state._walk, out_state._place = self._walk, place
        return FullScoreReturn(score, length, oov)

    def _place_of(self, state: State) -> Any:
        if state._walk is self._walk:
            return state._place
        if state._walk is None:
            return self._walk.null
        raise UnsupportedError(
            "this State belongs to another Model, whose words have other numbers",
            "BeginSentenceWrite with the Model that is asked",
        )

    def _words(self, sentence: str | bytes) -> list[str]:
        text = text_of(sentence)
        if self._encoder is None:
            return _WORD.findall(text)
        tokens = self._encoder.vocabulary.tokens
        ids = self._encoder.encode([text]).ids.tolist()
        return [tokens[number] for number in ids[: len(ids) - self._walk.marks]]

    def __contains__(self, word: str | bytes) -> bool:
        return self._walk.ids[word] != UNK

    def __len__(self) -> int:
        return len(self._walk.model.vocabulary)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} from {os.path.basename(self.path)!r}>"

    def __reduce__(self) -> Any:
        return type(self), (self.path,)


class LanguageModel(Model):
    """The former name of `Model`."""

    __slots__ = ()


def install() -> None:
    """Make ``import kenlm`` mean this module, here and in what is imported from now on, whether
    the package kenlm is installed or not."""
    sys.modules["kenlm"] = sys.modules[Model.__module__]


def walk_through(model: AnyModel, bos_score: float = LOG10_ZERO) -> Walk:
    """What `Model` goes through ``model`` with; ``bos_score`` is log10 p(``<s>``). Raises
    `UnsupportedError` for a model that has no next word."""
    from lmkit.ngram.model import NgramModel

    if isinstance(model, NgramModel):
        from lmkit.integrations.ngram_walk import DeepNgramWalk, NgramWalk

        deep = model.form in ("constant", "floor")
        return DeepNgramWalk(model, bos_score) if deep else NgramWalk(model, bos_score)
    from lmkit.integrations.model_walk import ModelWalk

    return ModelWalk(model)


def _opened(path: Path) -> tuple[AnyModel, float]:
    """The model in ``path``, and log10 p(``<s>``) in its file. Raises `ModelError`."""
    from lmkit.store.modelfile import is_model_file

    try:
        if not is_model_file(path):
            return _read_arpa(path), _bos_score(path)
        from lmkit.store.components import open_model

        return open_model(path), LOG10_ZERO
    except LmkitError as error:
        raise ModelError(error.message, error.hint) from error


def _read_arpa(path: Path) -> AnyModel:
    from lmkit.ngram.arpa import read_arpa
    from lmkit.signatures import ARPA
    from lmkit.store.modelfile import kind_of_file

    kind = kind_of_file(path)
    if kind not in (None, ARPA):
        raise ModelFileError(
            f"{path} is neither a model nor an ARPA file but {kind.what}", kind.hint(path)
        )
    try:
        return read_arpa(path)
    except FormatError as error:
        if kind is ARPA:
            raise
        raise ModelFileError(
            f"{path} is neither a model of lmkit nor an ARPA file",
            "lmkit train, to make a model of text",
        ) from error


def _bos_score(path: Path) -> float:
    """log10 p(``<s>``) in the ARPA file ``path``. No text is scored with it but one that has
    ``<s>`` as a word, so that the model itself does not keep it."""
    from lmkit.text.reading import TextReader

    for chunk in TextReader(path, arpa=True):
        unigrams, end, _ = chunk.data.partition(_BIGRAMS)
        if found := _BOS.search(unigrams):
            return float(found[1])
        if end:
            break
    return LOG10_ZERO


def main(arguments: list[str] | None = None) -> None:
    """Run a program, or with ``-m`` a module, for which ``import kenlm`` means this module."""
    given = sys.argv[1:] if arguments is None else arguments
    named = given[:1] == ["-m"]
    if len(given) < 1 + named or given[0] in ("-h", "--help"):
        sys.exit(f"usage: python -m {Model.__module__} [-m MODULE | PROGRAM.py] [ARGUMENT]...")
    if not named and not os.path.isfile(given[0]):
        sys.exit(f"Error: there is no program {given[0]}. Try: -m NAME, for a module.")
    install()
    sys.argv = given[named:]
    if named:
        runpy.run_module(given[1], run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = os.path.dirname(os.path.abspath(given[0]))
        runpy.run_path(given[0], run_name="__main__")


if __name__ == "__main__":
    from lmkit.integrations.kenlm import main as imported_main

    imported_main()  # that of the module which programs import, not of this copy of it

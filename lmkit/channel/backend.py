"""Training and opening noisy channels: the backend ``noisy-channel``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from lmkit.channel.candidates.folding import read_word_list
from lmkit.channel.candidates.lexicon import Lexicon
from lmkit.channel.model import NoisyChannelModel
from lmkit.errors import UsageError
from lmkit.registry import resolve
from lmkit.store.components import Component, component
from lmkit.text.reading import Source

if TYPE_CHECKING:
    from lmkit.model import LanguageModel
    from lmkit.text.corpus import Corpus

Progress = Callable[[str, int, int | None], None]


class NoisyChannelBackend:
    """A model of errors over any model of words."""

    name: ClassVar[str] = "noisy-channel"

    @classmethod
    def train(
        cls,
        corpus: Corpus | None = None,
        valid: Corpus | None = None,
        *,
        source: Component | LanguageModel | str | Path | None = None,
        pairs: Source | None = None,
        noisy: Source | None = None,
        channel: str = "brill-moore",
        iterations: int | None = None,
        viterbi: bool = False,
        embed: bool = False,
        lexicon: Source | Mapping[str, float] | None = None,
        keep: float | None = None,
        errors: str = "strict",
        progress: Progress | None = None,
    ) -> NoisyChannelModel:
        """A channel over ``source``, learnt from ``pairs`` (`read_pairs`), or from ``noisy``
        text alone, or, with neither, the English one that comes with lmkit.

        ``iterations`` rounds of EM (None: as many as the channel likes), over best ways only if
        ``viterbi``. ``embed`` makes the file carry the source, ``lexicon`` a word list (a file, or
        folded words with their counts), so that corrections need neither to be given it nor to
        read it. ``corpus`` and ``valid`` have to be None: a channel has no text of its own to
        count.

        Raises `UsageError` where there is no source or both pairs and noisy text, `TextError`
        for malformed pairs, `UnsupportedError` for a source that is no model of words.
        """
        if corpus is not None or valid is not None:
            raise UsageError(
                "a noisy channel is not trained on text but on pairs", "--pairs, or --noisy TEXT"
            )
        if source is None:
            raise UsageError("a noisy channel needs a source model", "--source MODEL.lm")
        if pairs is not None and noisy is not None:
            raise UsageError(
                "a channel is learnt from pairs or from noisy text, not from both",
                "one of --pairs and --noisy",
            )
        part = source if isinstance(source, Component) else component(source)
        facts: dict[str, Any] = {}
        listed = lexicon or {}
        if not isinstance(listed, Mapping):
            listed = read_word_list(listed, errors)
        learner = resolve("channel", channel)
        if pairs is not None:
            from lmkit.channel.edits.pairs import read_pairs

            learnt, facts["learnt"] = learner.learn(
                read_pairs(pairs, errors=errors),
                iterations=iterations,
                viterbi=viterbi,
                progress=progress,
            )
        elif noisy is not None:
            from lmkit.channel.noisy_text import learn_from_text

            learnt, facts["learnt"] = learn_from_text(
                NoisyChannelModel(part, learner.english()),
                noisy,
                iterations=iterations,
                errors=errors,
                progress=progress,
            )
        else:
            learnt = learner.english()
            facts["learnt"] = {"from": "the English counts that come with lmkit"}
        if keep is not None:
            learnt.keep = keep
        stock = Lexicon.of(part.model, listed).stock
        stock = replace(stock, spelling=stock.learn_spelling())
        facts["lexicon"] = {"words": len(stock.words), "listed": len(listed)}
        return NoisyChannelModel(part, learnt, facts=facts, embed=embed, stock=stock)

    @staticmethod
    def open(path: str | Path) -> NoisyChannelModel:
        """Open the model file ``path``."""
        from lmkit.channel.files import open_channel_model

        return open_channel_model(path)

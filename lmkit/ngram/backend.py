"""Training and opening n-gram models: the backend that the registry names ``ngram``.

Opening a model imports nothing of what training needs: it is done much more often.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from lmkit.errors import UsageError
from lmkit.model import EOS, UNK
from lmkit.ngram.model import NgramModel
from lmkit.ngram.trie import Level, Trie

if TYPE_CHECKING:
    from lmkit.ngram.building import Progress
    from lmkit.text.corpus import Corpus

DEFAULT_ORDER = 5
DEFAULT_SMOOTHING = "modified-kneser-ney"


class NgramBackend:
    """Smoothed n-gram counts."""

    name = "ngram"

    @staticmethod
    def train(
        corpus: Corpus,
        valid: Corpus | None = None,
        *,
        order: int = DEFAULT_ORDER,
        smoothing: str = DEFAULT_SMOOTHING,
        prune: Sequence[int] = (),
        closed_vocabulary: bool = False,
        memory: int | None = None,
        progress: Progress | None = None,
        **options: Any,
    ) -> NgramModel:
        """Count ``corpus`` up to ``order`` and smooth with the method named ``smoothing``.

        ``prune``: cutoffs, an order each, as KenLM means them. ``closed_vocabulary`` gives
        ``<unk>`` no probability: what it had goes to the words; so it is with ``</s>`` where the
        text has no sentence marks. ``memory``: bound in bytes.
        ``options`` go to the method (`make_smoothing`); those that learn from held-out text
        use ``valid``. Raises `UsageError` for options that are unknown or make no sense.
        """
        from lmkit.ngram.building import make_smoothing, smooth, step
        from lmkit.ngram.counting import count_ngrams
        from lmkit.ngram.estimation import check_cutoffs

        cutoffs = tuple(prune)
        check_cutoffs(cutoffs, max(order, 1))
        method = make_smoothing(smoothing, **options)
        trie = count_ngrams(
            corpus.chunks(),
            order,
            len(corpus.vocabulary),
            marks=corpus.settings.sentence_marks,
            memory=memory,
            progress=step(progress, "counting"),
        )
        model = smooth(
            trie, corpus.encoder, method, valid, cutoffs=cutoffs, memory=memory, progress=progress
        )
        never = [UNK] if closed_vocabulary else []
        if not corpus.settings.sentence_marks:
            never.append(EOS)
        if never:
            from lmkit.ngram.cutting import without_tokens

            model = without_tokens(model, never)
        return model

    @staticmethod
    def resmooth(
        model: NgramModel,
        valid: Corpus | None = None,
        *,
        smoothing: str = DEFAULT_SMOOTHING,
        order: int | None = None,
        prune: Sequence[int] = (),
        memory: int | None = None,
        progress: Progress | None = None,
        **options: Any,
    ) -> NgramModel:
        """The counts of ``model`` under another smoothing, and another ``order`` where it is
        no higher. The text is not needed.

        Raises `UnsupportedError` where the model has no counts, or lost some by pruning.
        """
        from lmkit.ngram.building import make_smoothing, require_full_counts, smooth
        from lmkit.ngram.estimation import check_cutoffs

        require_full_counts(model, "smoothed anew")
        order = order or model.order
        if not 1 <= order <= model.order:
            raise UsageError(
                f"the model has counts up to order {model.order}, not {order}",
                f"--order {model.order} or less, or train on the text",
            )
        cutoffs = tuple(prune)
        check_cutoffs(cutoffs, order)
        method = make_smoothing(smoothing, **options)
        levels = [
            Level(
                level.size,
                level.token,
                level.count,
                level.suffix,
                level.first_child if n < order else None,
            )
            for n, level in enumerate(model.trie.levels[:order], 1)
        ]
        smoothed = smooth(
            Trie(levels),
            model.encoder,
            method,
            valid,
            cutoffs=cutoffs,
            memory=memory,
            progress=progress,
        )
        smoothed.runs = list(model.runs)
        return smoothed

    @staticmethod
    def append(
        model: NgramModel,
        corpus: Corpus,
        *,
        valid: Corpus | None = None,
        memory: int | None = None,
        progress: Progress | None = None,
    ) -> NgramModel:
        """``model`` with the counts of ``corpus`` added, whose vocabulary extends the model's."""
        from lmkit.ngram.merging import append

        return append(model, corpus, valid=valid, memory=memory, progress=progress)

    @staticmethod
    def prune(
        model: NgramModel,
        *,
        entropy: float | None = None,
        size: int | None = None,
        cutoffs: Sequence[int] | None = None,
        words: Sequence[str] | None = None,
        closed: bool = False,
    ) -> NgramModel:
        """``model`` without the n-grams that matter least, by one of the three measures, or with
        only some of its ``words``, the others being unknown or, with ``closed``, impossible."""
        from lmkit.ngram.entropy import prune_by_entropy, prune_to_size
        from lmkit.ngram.pruning import prune_by_cutoffs

        if words is not None:
            from lmkit.ngram.cutting import cut_to_words

            return cut_to_words(model, words, closed=closed)
        if entropy is not None:
            return prune_by_entropy(model, entropy)
        if size is not None:
            return prune_to_size(model, size)
        return prune_by_cutoffs(model, tuple(cutoffs or ()))

    @staticmethod
    def merge(
        models: Sequence[NgramModel],
        weights: Sequence[float],
        into: Sequence[Any],
        encoder: Any,
        *,
        progress: Progress | None = None,
    ) -> NgramModel:
        """``models`` mixed with fixed ``weights`` as one model, which reads text with ``encoder``;
        ``into``: the ids of its tokens in each of them, None where they are the same."""
        from lmkit.ngram.mixing import Share, merge_mixture

        shares = [Share(*share) for share in zip(models, weights, into, strict=True)]
        return merge_mixture(shares, encoder, progress)

    @staticmethod
    def export(model: NgramModel, path: str | Path | BinaryIO, kind: str) -> None:
        """Write ``model`` in the format ``kind``: ``arpa`` or ``counts``."""
        from lmkit.ngram.arpa_writing import write_arpa
        from lmkit.ngram.countfiles import write_counts

        writers = {"arpa": write_arpa, "counts": write_counts}
        if kind not in writers:
            raise UsageError(
                f"there is no format {kind!r} to write", f"one of {', '.join(writers)}"
            )
        writers[kind](model, path)

    @staticmethod
    def is_arpa(path: str | Path) -> bool:
        """Whether the file ``path`` is an ARPA file."""
        from lmkit.ngram.formats import kind_of_file

        return kind_of_file(path) == "arpa"

    @staticmethod
    def read_arpa(
        path: str | Path, settings: Any = None, *, progress: Progress | None = None
    ) -> NgramModel:
        """The model in the ARPA file ``path``, for text that is cut as ``settings`` say (None: at
        white space)."""
        from lmkit.ngram.arpa import read_arpa

        return read_arpa(path, settings, progress)

    @staticmethod
    def open(path: str | Path) -> NgramModel:
        """Open the model file ``path``."""
        from lmkit.ngram.files import open_ngram_model

        return open_ngram_model(path)

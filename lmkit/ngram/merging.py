"""Adding text to a model: its counts and those of the new text become one set of counts.

The vocabulary of the new text begins with that of the model, so ids stay what they are. Order
by order the n-grams of both are packed in one numbering of contexts and merged as sorted runs,
just as counting under a memory bound merges its own: the result is what counting all the text
at once gives, to the bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UsageError
from lmkit.model import UNK
from lmkit.ngram.building import Progress, make_smoothing, require_full_counts, smooth
from lmkit.ngram.counting import Workspace, columns_of_run, count_ngrams, narrowed
from lmkit.ngram.model import NgramModel
from lmkit.ngram.runs import Run, merge_runs
from lmkit.ngram.smoothing.restoring import options_of
from lmkit.ngram.trie import Level, Trie, row_dtype
from lmkit.store.columns import MemoryColumn
from lmkit.text.corpus import Corpus, spelling_of_rare
from lmkit.text.encoder import TextEncoder
from lmkit.text.lexicon import text_token
from lmkit.text.vocabulary import Vocabulary


def append(
    model: NgramModel,
    corpus: Corpus,
    *,
    valid: Corpus | None = None,
    memory: int | None = None,
    progress: Progress | None = None,
) -> NgramModel:
    """``model`` with the text of ``corpus`` added, which was read with the model's settings and
    its vocabulary as ``base``.

    A whole vocabulary grows, a limited one stays. The model's smoothing method is fitted anew,
    with its options, to all counts (and to ``valid``, where it learns from held-out text). With
    a whole vocabulary this is the model that training on all the text gives, except that
    literal ``<s>`` and ``</s>`` that were read as unknown words are taken for literal ``<unk>``
    by the spelling model.

    Raises `UnsupportedError` where the model has no counts or was pruned, `UsageError` for a
    corpus that was read otherwise.
    """
    require_full_counts(model, "added to")
    encoder = _merged_encoder(model, corpus)
    new = count_ngrams(
        corpus.chunks(),
        model.order,
        len(encoder.vocabulary),
        memory=memory,
        progress=None if progress is None else lambda done, all_: progress("counting", done, all_),
    )
    facts = model.facts["smoothing"]
    method = make_smoothing(facts["name"], **options_of(facts))
    merged = smooth(
        merge_counts(model.trie, new, memory=memory),
        encoder,
        method,
        valid,
        memory=memory,
        progress=progress,
    )
    merged.runs = list(model.runs)
    return merged


def _merged_encoder(model: NgramModel, corpus: Corpus) -> TextEncoder:
    """What reads text for the model of both texts."""
    old, read = model.vocabulary, corpus.vocabulary
    assert isinstance(model.encoder, TextEncoder)
    settings, spelling = model.encoder.settings, model.encoder.spelling
    if corpus.settings != settings or read.tokens[: len(old)] != old.tokens:
        raise UsageError(
            "the text was read with other settings or another vocabulary than the model has",
            "build_corpus(text, model.encoder.settings, base=model.vocabulary)",
        )
    counts = read.counts.copy()
    counts[: len(old)] += old.counts
    vocabulary = Vocabulary(read.tokens, counts, limited=old.limited)
    if not old.limited:
        words = [text_token(token, settings.special_tokens) for token in read.tokens]
        spelling = spelling_of_rare(words, counts, int(counts[UNK]))
    return TextEncoder(settings, vocabulary, spelling, errors=corpus.encoder.errors)


def merge_counts(old: Trie, new: Trie, *, memory: int | None = None) -> Trie:
    """The counts of two texts together, of ``new`` with a vocabulary that begins with that of
    ``old`` and of the same order. ``memory`` bounds the working memory in bytes."""
    assert old.order == new.order
    workspace = Workspace.bounded(memory)
    counts = _array(new[1].count).astype(np.int64)
    counts[: old[1].size] += _array(old[1].count)
    levels = [Level(len(counts), count=MemoryColumn(narrowed(counts)))]
    # Where the n-grams of the order below stand in the merged trie; None: where they stood.
    moved: Sequence[NDArray[Any] | None] = (None, None)
    for order in range(2, new.order + 1):
        runs = [
            _run(trie, order, places, new.token_bits, levels[-1].size, workspace)
            for trie, places in zip((old, new), moved, strict=True)
        ]
        merged = merge_runs(runs, workspace.builder)
        level, levels[-1].first_child = columns_of_run(
            merged, levels[-1].size, new.token_bits, workspace
        )
        levels.append(level)
        moved = [_array(run.merged_rows) for run in runs]
    return Trie(levels)


def _run(
    trie: Trie,
    order: int,
    moved: NDArray[Any] | None,
    token_bits: int,
    contexts: int,
    workspace: Workspace,
) -> Run:
    """The n-grams of ``order`` as a sorted run, contexts and suffixes in the merged numbers of
    the order below, of which there are ``contexts``."""
    level = trie[order]
    assert level.token is not None and level.count is not None and level.suffix is not None
    keys, counts = workspace.builder(np.uint64), workspace.builder(np.int64)
    suffixes = workspace.builder(row_dtype(contexts))
    for rows, places, sizes in trie.context_blocks(order):
        owners = np.arange(places.start, places.stop)
        if moved is not None:
            owners = moved[places]
        packed = np.repeat(owners.astype(np.uint64), sizes)
        packed <<= np.uint64(token_bits)
        packed |= level.token.read(rows.start, rows.stop).astype(np.uint64)
        keys.append(packed)
        counts.append(level.count.read(rows.start, rows.stop))
        suffix = level.suffix.read(rows.start, rows.stop)
        suffixes.append(suffix if moved is None else moved[suffix])
    return Run(keys.finish(), counts.finish(), suffixes.finish())


def _array(column: Any) -> NDArray[Any]:
    assert column is not None
    values: NDArray[Any] = column.array()
    return values

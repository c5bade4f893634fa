"""BPE-dropout in the training of networks: another text of tokens each epoch, the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lmkit.errors import ModelFileError, UsageError
from lmkit.model import EOS
from lmkit.neural.backend import LSTMBackend
from lmkit.neural.training.course import Report
from lmkit.neural.use.model import NeuralModel
from lmkit.text.corpus import Corpus, build_corpus
from lmkit.text.resegmentation import Resegmented
from lmkit.text.settings import TextSettings
from lmkit.text.tokenizers.making import make_tokenizer

TEXT = b"the harbour and the boats\r\n\nthe quiet harb\xffour \xc3\xb6n\n" * 12
QUICK = {"hidden": 8, "batch_size": 4, "bptt": 8, "epochs": 3, "workers": 1, "hold_out": 0}
DROPOUT = {"tokenizer_dropout": 0.3}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_bytes(TEXT)
    return build_corpus(path, TextSettings(make_tokenizer("bpe", vocabulary_size=280)))


def train(corpus: Corpus, **options: Any) -> NeuralModel:
    return LSTMBackend.train(corpus, **{**QUICK, **options})


def test_the_text_stays_and_its_tokens_do_not(corpus: Corpus) -> None:
    (ids,) = corpus.chunks()
    drawn = Resegmented(corpus.settings, corpus.vocabulary, ids, 0.3)
    one, two, again = (drawn.draw(np.random.default_rng(seed)) for seed in (1, 2, 1))
    assert (one == again).all() and (len(one) != len(two) or (one != two).any())
    assert len(one) > len(ids)
    tokenizer = corpus.settings.tokenizer
    for text in (one, two):
        spelt = [corpus.vocabulary.tokens[number] for number in text.tolist()]
        lines = [b"\n" if token == "</s>" else tokenizer.bytes_of(token) for token in spelt]
        assert b"".join(lines) == TEXT
    # A part of the text that ends within a line.
    whole = Resegmented(corpus.settings, corpus.vocabulary, ids[:20], 0.0)
    assert ids[19] != EOS and (whole.draw(np.random.default_rng(0)) == ids[:20]).all()


@pytest.mark.parametrize("more", [{}, {"by_sentence": True}])
def test_a_resumed_training_ends_bit_identical(
    corpus: Corpus, tmp_path: Path, more: dict[str, Any]
) -> None:
    options = {**DROPOUT, **more}
    whole = train(corpus, **options)
    plain = train(corpus, **more)
    assert whole.parameters.flat.shape == plain.parameters.flat.shape
    assert (whole.parameters.flat != plain.parameters.flat).any()

    class Stop(Exception):
        pass

    def stop(report: Report) -> None:
        if report.epoch > 1.2:
            raise Stop

    place = tmp_path / "checkpoint"
    with pytest.raises(Stop):
        train(corpus, **options, checkpoint=place, checkpoint_every=0, watch=stop)
    # Without dropout it is the training of another text.
    with pytest.raises(ModelFileError, match="on another text"):
        train(corpus, **more, checkpoint=place, resume=True)
    resumed = train(corpus, **options, checkpoint=place, resume=True)
    assert (resumed.parameters.flat == whole.parameters.flat).all()


def test_only_merges_can_be_dropped(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(b"a b c\n" * 30)
    with pytest.raises(UsageError, match="the tokenizer word has no merges"):
        train(build_corpus(path, TextSettings("word")), **DROPOUT)
    with pytest.raises(UsageError, match=r"tokenizer.dropout must be at least 0 and below 1"):
        train(build_corpus(path, TextSettings("word")), tokenizer_dropout=1.0)

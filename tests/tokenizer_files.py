"""What tests of tokenizer files share: hostile text, and a small text to learn from."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from hypothesis import strategies as st

from lmkit.text.tokenizers.base import Tokenizer
from lmkit.text.tokenizers.imported import ImportedTokenizer

LINES = (
    "the cat sat on the mat, and the dog's dog sat on the log",
    "Don't stop: we'll see 123 of 4567 cats in 2024!",
    "Żółw i żaba, naïve café, crème brûlée",
    "東京は大きい。北京也大。",
    "the king spoke, and the kings spoke again; they'd spoken",
    "ΟΔΥΣΣΕΥΣ ὁδός, Привет мир",
    "x = {'a': [1, 2], \"b\": <3>}; y += 0.5e-3",
)
TEXT = [*LINES * 12, "unhappiness happily happy unhappy  two  spaces"]

ODD = (
    " ", "  ", "\t", "\n", "\r\n", "\r", "\x0b", "\x0c", "\x00", "\x1c", "\x1f", "\x7f", "\x80",
    "\x85", "\xa0", "\xad", "\u1680", "\u2003", "\u2028", "\u2029", "\u202f", "\u3000", "\u200b",
    "\u200d", "\ufeff", "\ufffd", "\uffff", "▁", "▁▁", "##", "##s", "Ġ", "Ċ", "é", "e\u0301",
    "\u0301", "\u0345\u0334", "ß", "ſ", "İ", "ı", "ΑΣ", "Σ", "ς", "K", "ﬁ", "①", "½", "²", "Ⅷ",
    "٣", "㋀", "ｶﾞ", "東京", "각", "क्षि", "👩\u200d👩\u200d👧", "👍🏽", "🇩🇪", "𝄞", "\U000e0001",
    "'s", "'S", "'ll", "’", "don't", "_", "^", "$", "`", "~", "...", "1234567",
    "<unk>", "<s>", "</s>", "[UNK]", "[MASK]",
    "[CLS]", "<mask>", "<|x|>", "<|x|><|y|>", "<0x0A>", "<0x41>", "<ctl>", "the", " the", "The",
    "THE", "king's", "the king", "Hello", "cat", "aaaa" * 30, "\U0010fffd", "ꟲ", "\u1734", "؝",
)  # fmt: skip
"""Texts that tokenizers take for different things."""

ANY = st.characters(exclude_categories=["Cs", "Cn"])
HOSTILE = st.lists(
    st.one_of(st.sampled_from(ODD), st.sampled_from(LINES), st.text(ANY, max_size=4)), max_size=9
).map("".join)
"""Text of any kind, with line ends."""

SAMPLED = ["".join(random.Random(k).choices([*ODD, *LINES], k=400)) for k in range(3)]
"""Long lines."""

Encode = Callable[[str], list[int]]


def ids_of(tokenizer: Tokenizer) -> Encode:
    """What gives the file's ids."""
    if isinstance(tokenizer, ImportedTokenizer):
        return tokenizer.ids_of
    ids = {token: number for number, token in enumerate(tokenizer.vocabulary or ())}
    return lambda text: [ids[token] for token in tokenizer.tokenize(text)]


SP_MODELS: dict[str, dict[str, Any]] = {
    "unigram": {"vocab_size": 180},
    "unigram-bytes": {
        "vocab_size": 460,
        "byte_fallback": True,
        "user_defined_symbols": ["<mask>", "king's", "▁the▁king", "e\u0301"],
        "control_symbols": ["<ctl>"],
    },
    "unigram-suffix": {
        "vocab_size": 170,
        "treat_whitespace_as_suffix": True,
        "normalization_rule_name": "nmt_nfkc_cf",
    },
    "unigram-across": {
        "vocab_size": 220,
        "split_by_whitespace": False,
        "add_dummy_prefix": False,
        "remove_extra_whitespaces": False,
    },
    "bpe": {"vocab_size": 180, "model_type": "bpe"},
    "bpe-bytes": {
        "vocab_size": 460,
        "model_type": "bpe",
        "byte_fallback": True,
        "normalization_rule_name": "identity",
        "remove_extra_whitespaces": False,
        "user_defined_symbols": ["<mask>", "e\u0301", "  ", "the k"],
        "allow_whitespace_only_pieces": True,
    },
    "bpe-plain": {"vocab_size": 200, "model_type": "bpe", "add_dummy_prefix": False},
}


def sentencepiece_model(spm: ModuleType, folder: Path, name: str) -> Path:
    """A small model, trained on `TEXT`."""
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXT),
        model_prefix=str(folder / name),
        minloglevel=2,
        num_threads=1,
        hard_vocab_limit=False,
        **SP_MODELS[name],
    )
    return folder / f"{name}.model"

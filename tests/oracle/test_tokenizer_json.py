"""Hugging Face's tokenizer.json gives the ids and the text that the package ``tokenizers`` gives,
on hostile text. The files are made here by the package.

Characters that Unicode has had for less time than the packages know are left out: there the
packages differ among themselves.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmkit.text.lexicon import Lexicon
from lmkit.text.subwords.formats import read, write
from lmkit.text.subwords.formats.hugging_face import from_json
from lmkit.text.subwords.formats.json_files import parsed
from lmkit.text.subwords.normalizers import make_normalizer
from lmkit.text.subwords.pre_tokenizers import Piece, make_pre_tokenizer
from lmkit.text.tokenizers.imported import ImportedTokenizer
from lmkit.text.tokenizers.making import as_tokenizer, written
from lmkit.text.tokenizers.unigram import UnigramTokenizer

from ..tokenizer_files import (
    HOSTILE,
    ODD,
    SAMPLED,
    TEXT,
    ids_of,
    sentencepiece_model,
)
from .conftest import oracle

GPT4 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
HF_NAMES = (
    "gpt2", "gpt2-prefix", "roberta", "llama3", "llama2", "llama2-first", "no-decoder", "suffix",
    "prefix", "unigram", "unigram-bytes", "unigram-precompiled", "bert", "bert-cased", "chinese",
)  # fmt: skip


def trained(hf: ModuleType, model: Any, kind: str, options: dict[str, Any], **parts: Any) -> Any:
    """A tokenizer of the package, learnt from `TEXT`."""
    tokenizer = hf.Tokenizer(model)
    for name, part in parts.items():
        setattr(tokenizer, name, part)
    trainer = getattr(hf.trainers, kind)(show_progress=False, **options)
    tokenizer.train_from_iterator(TEXT, trainer)
    return tokenizer


def made_by_tokenizers(hf: ModuleType, name: str) -> Any:
    """One of each shape that tokenizer.json files in use have."""
    m, n, p, d = hf.models, hf.normalizers, hf.pre_tokenizers, hf.decoders
    added = hf.AddedToken
    letters = p.ByteLevel.alphabet()
    byte_tokens = [f"<0x{byte:02X}>" for byte in range(256)]
    if name in ("gpt2", "gpt2-prefix", "roberta"):
        special = ["<s>", "</s>", "<unk>"] if name == "roberta" else ["<|x|>"]
        made = trained(
            hf, m.BPE(), "BpeTrainer",
            {"vocab_size": 400, "initial_alphabet": letters, "special_tokens": special},
            pre_tokenizer=p.ByteLevel(add_prefix_space=name != "gpt2"), decoder=d.ByteLevel(),
        )  # fmt: skip
        if name == "roberta":
            made.add_special_tokens([added("<mask>", lstrip=True, special=True)])
        return made
    if name == "llama3":
        made = trained(
            hf, m.BPE(ignore_merges=True), "BpeTrainer",
            {"vocab_size": 400, "initial_alphabet": letters},
            pre_tokenizer=p.Sequence([
                p.Split(hf.Regex(GPT4), "isolated"),
                p.ByteLevel(add_prefix_space=False, use_regex=False),
            ]),
            decoder=d.ByteLevel(),
        )  # fmt: skip
        made.add_special_tokens([added("<|x|>", special=True), added("<|x|><|y|>", special=True)])
        return made
    if name == "llama2":
        return trained(
            hf, m.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True), "BpeTrainer",
            {"vocab_size": 500, "special_tokens": ["<unk>", "<s>", "</s>", *byte_tokens]},
            normalizer=n.Sequence([n.Prepend("▁"), n.Replace(" ", "▁")]),
            decoder=d.Sequence([
                d.Replace("▁", " "), d.ByteFallback(), d.Fuse(), d.Strip(" ", 1, 0)
            ]),
        )  # fmt: skip
    if name == "llama2-first":
        # Half of the bytes: what has no bytes is unknown.
        made = trained(
            hf, m.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True), "BpeTrainer",
            {"vocab_size": 400, "special_tokens": ["<unk>", "<s>", *byte_tokens[:128]]},
            pre_tokenizer=p.Metaspace(prepend_scheme="first", split=False),
            decoder=d.Sequence([d.ByteFallback(), d.Metaspace(prepend_scheme="first")]),
        )  # fmt: skip
        made.add_tokens([
            added("<mask>", lstrip=True), added("Hello", single_word=True),
            added("[CLS]", rstrip=True, normalized=False), added("<ctl>", lstrip=True, rstrip=True),
        ])  # fmt: skip
        return made
    if name == "no-decoder":
        return trained(
            hf, m.BPE(unk_token="?"), "BpeTrainer", {"vocab_size": 150, "special_tokens": ["?"]},
            pre_tokenizer=p.Sequence([
                p.Split(hf.Regex(r"\w+|[^\w\s]"), "merged_with_previous"),
                p.Digits(individual_digits=False), p.FixedLength(7),
            ]),
        )  # fmt: skip
    if name == "suffix":
        made = trained(
            hf, m.BPE(unk_token="[UNK]", end_of_word_suffix="</w>"), "BpeTrainer",
            {"vocab_size": 300, "special_tokens": ["[UNK]"], "end_of_word_suffix": "</w>"},
            normalizer=n.Sequence([n.NFKC(), n.Lowercase(), n.StripAccents(), n.Strip()]),
            pre_tokenizer=p.Whitespace(), decoder=d.BPEDecoder(),
        )  # fmt: skip
        made.add_tokens([added("The King", normalized=True), added("CAT", single_word=True)])
        return made
    if name == "prefix":
        return trained(
            hf, m.BPE(unk_token="[UNK]", continuing_subword_prefix="##", fuse_unk=True),
            "BpeTrainer",
            {"vocab_size": 300, "special_tokens": ["[UNK]"], "continuing_subword_prefix": "##"},
            pre_tokenizer=p.Sequence([
                p.WhitespaceSplit(), p.Punctuation("merged_with_next"),
                p.Digits(individual_digits=True), p.CharDelimiterSplit("x"),
            ]),
            decoder=d.WordPiece(cleanup=False),
        )  # fmt: skip
    if name.startswith("unigram"):
        special = ["<s>", "</s>", "<unk>"]
        normalizer: Any = n.NFKC()
        if name == "unigram-bytes":
            special += byte_tokens
            normalizer = n.Replace(hf.Regex(" {2,}"), " ")
        made = trained(
            hf, m.Unigram(), "UnigramTrainer",
            {"vocab_size": 600, "special_tokens": special, "unk_token": "<unk>"},
            normalizer=normalizer, pre_tokenizer=p.Metaspace(), decoder=d.Metaspace(),
        )  # fmt: skip
        if name != "unigram":
            made = hf.Tokenizer.from_str(
                made.to_str().replace('"byte_fallback":false', '"byte_fallback":true')
                if name == "unigram-bytes" else made.to_str()
            )  # fmt: skip
        if name == "unigram-precompiled":
            made.normalizer = n.Precompiled(charsmap_of_sentencepiece())
        return made
    lowercase = name != "bert-cased"
    return trained(
        hf, m.WordPiece(unk_token="[UNK]"), "WordPieceTrainer",
        {"vocab_size": 300, "special_tokens": ["[UNK]", "[CLS]", "[SEP]", "[MASK]"]},
        normalizer=n.BertNormalizer(lowercase=lowercase, handle_chinese_chars=name == "chinese"),
        pre_tokenizer=p.BertPreTokenizer(), decoder=d.WordPiece(),
    )  # fmt: skip


def charsmap_of_sentencepiece() -> bytes:
    """The rules of ``nmt_nfkc``, out of a sentencepiece model."""
    import base64
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        found = read(sentencepiece_model(oracle("sentencepiece"), Path(folder), "unigram"))
        assert isinstance(found, ImportedTokenizer)
        normalizer = found.parts["normalizer"] or {}
        return base64.b64decode(normalizer["precompiled_charsmap"])


_made: dict[str, tuple[Any, ImportedTokenizer]] = {}


def both(hf: ModuleType, name: str) -> tuple[Any, ImportedTokenizer]:
    """The package's tokenizer and lmkit's, of one file."""
    if name not in _made:
        theirs = made_by_tokenizers(hf, name)
        _made[name] = theirs, from_json(parsed(theirs.to_str(), "tokenizer.json"))
    return _made[name]


@pytest.mark.parametrize("name", HF_NAMES)
def test_tokenizer_json_gives_the_same_ids_and_text(hf: ModuleType, name: str) -> None:
    theirs, ours = both(hf, name)

    @given(HOSTILE)
    def same(text: str) -> None:
        ids = theirs.encode(text, add_special_tokens=False).ids
        assert ours.ids_of(text) == ids
        assert ours.text_of(ids) == theirs.decode(ids, skip_special_tokens=False)

    same()
    for text in (*ODD, *SAMPLED, *itertools.chain(*itertools.permutations(ODD[:6], 2))):
        same.hypothesis.inner_test(text)


@pytest.mark.parametrize("name", HF_NAMES)
def test_any_ids_give_the_same_text(hf: ModuleType, name: str) -> None:
    theirs, ours = both(hf, name)

    @given(st.lists(st.sampled_from(sorted(ours.contents)), max_size=8))
    def same(ids: list[int]) -> None:
        assert ours.text_of(ids) == theirs.decode(ids, skip_special_tokens=False)

    same()


@pytest.mark.parametrize("name", HF_NAMES)
def test_written_again_it_is_the_same_to_the_package(
    hf: ModuleType, name: str, tmp_path: Path
) -> None:
    theirs, ours = both(hf, name)
    write(ours, tmp_path / "tokenizer.json")
    again = hf.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    simplest = read(tmp_path)
    assert simplest == ours or simplest == ours.simplest()
    encode = ids_of(simplest)
    for text in (*ODD, *SAMPLED):
        ids = theirs.encode(text, add_special_tokens=False).ids
        assert again.encode(text, add_special_tokens=False).ids == ids == encode(text)


@pytest.mark.parametrize("name", HF_NAMES)
def test_tokens_of_models_are_those_of_the_file(hf: ModuleType, name: str) -> None:
    _, ours = both(hf, name)
    stored = as_tokenizer(written(ours))
    assert stored == ours and stored.vocabulary == ours.vocabulary
    numbers = {token: number for number, token in enumerate(ours.vocabulary)}
    order = [id_ for id_ in sorted(ours.contents) if ours.contents[id_] != unknown_of(ours)]
    lexicon = Lexicon("word")
    bulk = ours.bulk(None, lexicon)

    @given(HOSTILE)
    @settings(max_examples=40)
    def same(text: str) -> None:
        line = text.replace("\n", " ")
        tokens = ours.tokenize(line)
        known = [order[numbers[token]] for token in tokens if token in numbers]
        unknown = [k for k in ours.ids_of(line) if k not in order]
        assert known == [k for k in ours.ids_of(line) if k in order]
        assert len(tokens) == len(known) + len(unknown)
        found = [lexicon.tokens[k] for k in bulk(f"{line}\n{line}\n".encode()).tolist()]
        assert found == [*tokens, "</s>"] * 2
        if ours.keeps_spaces:
            assert ours.join(tokens) == line
            assert int(ours.widths(tokens).sum()) + ours.end_width == len(line) + 1

    same()


def unknown_of(tokenizer: ImportedTokenizer) -> str | None:
    """The unknown token of a file."""
    model = tokenizer.model_part
    if model.get("unk_id") is not None:
        return tokenizer.contents[model["unk_id"]]
    return model.get("unk_token")


STAGES = (
    'n.NFC()', 'n.NFD()', 'n.NFKC()', 'n.NFKD()', 'n.Lowercase()', 'n.StripAccents()',
    'n.Strip(left=False)', 'n.Replace("the", "")', 'n.Replace(R(r"\\w+"), "x")', 'n.Prepend("▁")',
    'n.ByteLevel()', 'n.BertNormalizer()', 'n.BertNormalizer(lowercase=False, strip_accents=True)',
    'n.BertNormalizer(clean_text=False)',
    'p.BertPreTokenizer()', 'p.ByteLevel()', 'p.ByteLevel(use_regex=False)', 'p.Whitespace()',
    'p.WhitespaceSplit()', 'p.Digits(True)', 'p.Digits(False)', 'p.FixedLength(3)',
    'p.CharDelimiterSplit(" ")', 'p.Metaspace()', 'p.Metaspace("_", "never", False)',
    'p.Metaspace("▁", "first")', *(f'p.Punctuation("{how}")' for how in (
        "isolated", "removed", "merged_with_previous", "merged_with_next", "contiguous")),
    *(f'p.Split(R({pattern!r}), "{how}", {invert})' for pattern in (
        r"\w+|[^\w\s]+", r"\W", r"\s+$", r"^\s", r" ?\p{L}+", r"[[:alpha:]]+", r"(?i:the)")
      for how in ("isolated", "removed", "merged_with_previous", "merged_with_next", "contiguous")
      for invert in (False, True)),
)  # fmt: skip


@pytest.mark.parametrize("made", STAGES)
def test_each_stage_by_itself(hf: ModuleType, made: str) -> None:
    stage = eval(made, {"n": hf.normalizers, "p": hf.pre_tokenizers, "R": hf.Regex})
    holder = hf.Tokenizer(hf.models.BPE())
    kind = "normalizer" if made.startswith("n.") else "pre_tokenizer"
    setattr(holder, kind, stage)
    part = json.loads(holder.to_str())[kind]
    normalize, cut = make_normalizer(part if kind == "normalizer" else None), None
    if kind == "pre_tokenizer":
        cut = make_pre_tokenizer(part)

    @given(HOSTILE.filter(bool))
    @settings(max_examples=60)
    def same(text: str) -> None:
        if normalize is not None:
            assert normalize(text) == stage.normalize_str(text)
        elif cut is not None:
            theirs = [piece for piece, _ in stage.pre_tokenize_str(text)]
            assert [piece.text for piece in cut([Piece(text, True)])] == theirs

    same()


@pytest.mark.parametrize("pattern", ["gpt2", "gpt4", "none"])
def test_unigram_that_lmkit_learns_is_the_same_to_the_package(
    hf: ModuleType, tmp_path: Path, pattern: str
) -> None:
    chunk = "".join(f"{line}\n" for line in TEXT).encode()
    learnt = UnigramTokenizer.learn(
        [chunk], vocabulary_size=600, pattern=pattern, special_tokens=["<|x|>"]
    )
    write(learnt, tmp_path / "tokenizer.json")
    theirs = hf.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    again, ids = read(tmp_path), ids_of(learnt)
    assert isinstance(again, ImportedTokenizer)

    @given(HOSTILE)
    def same(text: str) -> None:
        text = text.replace("▁", "").replace("<0x", "")  # the two exceptions
        expected = ids(text)
        assert theirs.encode(text).ids == expected == again.ids_of(text)
        assert theirs.decode(expected, skip_special_tokens=False) == text

    same()


@pytest.mark.parametrize(
    "made",
    [
        "n.Strip()", "n.Strip(left=False)", "n.BertNormalizer()", "n.StripAccents()", "n.NFD()",
        "n.Replace('a', '')", "n.Replace(R(' {2,}'), ' ')", "n.Replace(R('^ '), '')",
        "n.Prepend('a')", "n.Sequence([n.Strip(), n.Prepend('b')])", "n.Lowercase()",
    ],
)  # fmt: skip
def test_what_a_text_begins_with(hf: ModuleType, made: str) -> None:
    """A ``Metaspace`` marks the beginning of the text only, and normalization may take it away."""
    ids = {"<unk>": 0} | {letter: k for k, letter in enumerate("▁abcde", 1)}
    theirs = hf.Tokenizer(hf.models.BPE(ids, [], unk_token="<unk>"))
    theirs.normalizer = eval(made, {"n": hf.normalizers, "R": hf.Regex})
    theirs.pre_tokenizer = hf.pre_tokenizers.Metaspace(prepend_scheme="first")
    theirs.add_tokens([hf.AddedToken("<m>", normalized=False, lstrip=True)])
    ours = from_json(parsed(theirs.to_str(), "tokenizer.json"))
    begins = ("", " ", "\t", "\0", "\u0301", "a", "<m>", "ﬁ", "é")
    for parts in itertools.product(begins, repeat=3):
        text = "".join(parts) + "b"
        assert ours.ids_of(text) == theirs.encode(text).ids, ascii(text)


def test_what_is_left_out_does_not_keep_its_neighbours_apart(hf: ModuleType) -> None:
    """Without an unknown token and without bytes, the package leaves unknown characters out."""
    vocabulary = {"▁": 0, "a": 1, "▁▁": 2, "▁a": 3}
    theirs = hf.Tokenizer(hf.models.BPE(vocab=vocabulary, merges=[("▁", "▁"), ("▁", "a")]))
    ours = from_json(parsed(theirs.to_str(), "tokenizer.json"))
    for text in ("▁x▁", "▁▁▁\t▁a", "▁\ta▁", "x", "▁a\t▁\t▁"):
        assert ours.tokenize(text) == theirs.encode(text).tokens, text

"""Tokenizer files of others give the ids and the text that the packages give: ``tokenizers``,
``tiktoken`` and ``sentencepiece``, on hostile text. The files are made here by these packages.

Characters that Unicode has had for less time than the packages know are left out: there the
packages differ among themselves.
"""

from __future__ import annotations

import itertools
import random
import struct
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmkit.errors import LmkitError
from lmkit.text.lexicon import Lexicon
from lmkit.text.subwords.alphabet import unspell
from lmkit.text.subwords.formats import read, write
from lmkit.text.subwords.formats.hugging_face import from_json
from lmkit.text.subwords.formats.json_files import parsed
from lmkit.text.subwords.formats.sentencepiece_model import from_bytes
from lmkit.text.subwords.formats.tiktoken_ranks import as_text
from lmkit.text.tokenizers.base import Tokenizer
from lmkit.text.tokenizers.bpe import BpeTokenizer
from lmkit.text.tokenizers.imported import ImportedTokenizer
from lmkit.text.tokenizers.making import as_tokenizer, written

from ..tokenizer_files import HOSTILE, LINES, ODD, TEXT
from .conftest import oracle

Encode = Callable[[str], list[int]]
SAMPLED = ["".join(random.Random(k).choices([*ODD, *LINES], k=400)) for k in range(3)]
"""Long lines."""


@pytest.fixture(scope="module")
def hf() -> ModuleType:
    """The package ``tokenizers``."""
    for name in ("models", "normalizers", "pre_tokenizers", "decoders", "trainers"):
        oracle(f"tokenizers.{name}")
    return oracle("tokenizers")


@pytest.fixture(scope="module")
def spm() -> ModuleType:
    """The package ``sentencepiece``."""
    return oracle("sentencepiece")


def ids_of(tokenizer: Tokenizer) -> Encode:
    """What gives the file's ids."""
    if isinstance(tokenizer, ImportedTokenizer):
        return tokenizer.ids_of
    ids = {token: number for number, token in enumerate(tokenizer.vocabulary or ())}
    return lambda text: [ids[token] for token in tokenizer.tokenize(text)]


# ---------------------------------------------------------------- tokenizer.json

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
    import json

    from lmkit.text.subwords.normalizers import make_normalizer
    from lmkit.text.subwords.pre_tokenizers import Piece, make_pre_tokenizer

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


# ---------------------------------------------------------------- GPT-2 and tiktoken

PATTERNS = {
    "gpt2": r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s",
    "gpt4": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+"
    r"| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
    "gpt4o": r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+"
    r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"\p{L}+|\d": r"\p{L}+|\d",
}
"""OpenAI's patterns, as the package has them; the last one leaves text out."""


@pytest.fixture(scope="module")
def learnt() -> BpeTokenizer:
    """BPE that lmkit has learnt."""
    chunk = "".join(f"{line}\n" for line in TEXT).encode()
    return BpeTokenizer.learn([chunk], vocabulary_size=420, special_tokens=["<|x|>"])


def ranks_of(tokenizer: BpeTokenizer) -> dict[bytes, int]:
    """Its tokens but the special one, and their ids."""
    return {unspell(token): k for k, token in enumerate(tokenizer.vocabulary[:-1])}


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("special_id", [419, 430])
def test_tiktoken_gives_the_same_ids(
    learnt: BpeTokenizer, tmp_path: Path, pattern: str, special_id: int
) -> None:
    tiktoken = oracle("tiktoken")
    ranks = ranks_of(learnt)
    special = {"<|x|>": special_id}
    theirs = tiktoken.Encoding(
        "x", pat_str=PATTERNS[pattern], mergeable_ranks=ranks, special_tokens=special
    )
    path = tmp_path / "x.tiktoken"
    path.write_text(as_text(ranks))
    marked = read(path, pattern=pattern, special_tokens=special)
    plain = read(path, pattern=PATTERNS[pattern])
    ids, ordinary = ids_of(marked), ids_of(plain)

    @given(HOSTILE)
    def same(text: str) -> None:
        expected = theirs.encode(text, allowed_special="all")
        assert ids(text) == expected
        assert ordinary(text) == theirs.encode_ordinary(text)
        assert marked.join(marked.tokenize(text)) == theirs.decode(expected)

    same()
    for text in SAMPLED:
        same.hypothesis.inner_test(text)


def test_ranks_that_are_no_merges_are_the_same(tmp_path: Path) -> None:
    """Ranks in any order: tokens that no merge makes, and that many could make."""
    tiktoken = oracle("tiktoken")
    generator = random.Random(5)
    for _ in range(25):
        words = {"".join(generator.choices("abc", k=generator.randint(2, 5))) for _ in range(12)}
        tokens = [bytes([byte]) for byte in range(256)] + [word.encode() for word in words]
        generator.shuffle(tokens)
        ranks = {token: rank for rank, token in enumerate(tokens)}
        path = tmp_path / "x.tiktoken"
        path.write_text(as_text(ranks))
        theirs = tiktoken.Encoding(
            "x", pat_str=PATTERNS["gpt2"], mergeable_ranks=ranks, special_tokens={}
        )
        ids = ids_of(read(path, pattern="gpt2"))
        for _ in range(80):
            text = "".join(generator.choices("abc ", weights=[9, 9, 9, 1], k=14))
            assert ids(text) == theirs.encode_ordinary(text)


def test_what_lmkit_learns_is_the_same_to_the_packages(
    hf: ModuleType, learnt: BpeTokenizer, tmp_path: Path
) -> None:
    tiktoken = oracle("tiktoken")
    write(learnt, tmp_path / "tokenizer.json")
    write(learnt, tmp_path / "ranks.tiktoken", "tiktoken")
    folder = write(learnt, tmp_path / "gpt2", "gpt2")[0].parent
    theirs = hf.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    two = hf.ByteLevelBPETokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    two.add_special_tokens(["<|x|>"])
    encoding = tiktoken.Encoding(
        "x",
        pat_str=PATTERNS["gpt2"],
        mergeable_ranks=oracle("tiktoken.load").load_tiktoken_bpe(str(tmp_path / "ranks.tiktoken")),
        special_tokens={"<|x|>": 419},
    )
    assert read(tmp_path / "tokenizer.json") == read(folder) == learnt
    ids = ids_of(learnt)

    @given(HOSTILE)
    def same(text: str) -> None:
        expected = ids(text)
        assert theirs.encode(text).ids == expected == two.encode(text).ids
        assert encoding.encode(text, allowed_special="all") == expected

    same()


@pytest.mark.parametrize("pattern", ["gpt4", "none", r"[a-z]+|\s+"])
def test_learnt_with_another_pattern(hf: ModuleType, tmp_path: Path, pattern: str) -> None:
    chunk = "".join(f"{line}\n" for line in TEXT).encode()
    learnt = BpeTokenizer.learn([chunk], vocabulary_size=400, pattern=pattern)
    write(learnt, tmp_path / "tokenizer.json")
    theirs = hf.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    ids = ids_of(learnt)

    @given(HOSTILE)
    @settings(max_examples=50)
    def same(text: str) -> None:
        assert theirs.encode(text).ids == ids(text)

    same()


@pytest.mark.data
@pytest.mark.slow
def test_gpt2_itself(hf: ModuleType, shared_data: Path) -> None:
    folder = shared_data / "bpe"
    if not folder.is_dir():
        pytest.skip("GPT-2's two files are not there")
    theirs = hf.ByteLevelBPETokenizer(str(folder / "encoder.json"), str(folder / "vocab.bpe"))
    ours = read(folder)
    assert isinstance(ours, BpeTokenizer)
    ids = ids_of(ours)

    @given(HOSTILE.map(lambda text: text.replace("<|x|>", "")))
    def same(text: str) -> None:
        assert ids(text) == theirs.encode(text).ids

    same()
    assert ids("a<|endoftext|>b") == [64, 50256, 65]


# ---------------------------------------------------------------- sentencepiece

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


@pytest.fixture(scope="module", params=SP_MODELS)
def model(
    request: pytest.FixtureRequest, spm: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Any, ImportedTokenizer]:
    """The package's tokenizer and lmkit's, of one file."""
    path = sentencepiece_model(spm, tmp_path_factory.mktemp("models"), request.param)
    ours = read(path)
    assert isinstance(ours, ImportedTokenizer)
    return spm.SentencePieceProcessor(model_file=str(path)), ours


def test_sentencepiece_gives_the_same_ids_and_text(model: tuple[Any, ImportedTokenizer]) -> None:
    theirs, ours = model

    @given(HOSTILE)
    def same(text: str) -> None:
        ids = theirs.encode(text)
        assert ours.ids_of(text) == ids
        assert ours.text_of(ids) == theirs.decode(ids)

    same()
    for text in (*ODD, *SAMPLED):
        same.hypothesis.inner_test(text)


def test_any_pieces_give_the_same_text(model: tuple[Any, ImportedTokenizer]) -> None:
    theirs, ours = model

    @given(st.lists(st.integers(0, theirs.get_piece_size() - 1), max_size=8))
    def same(ids: list[int]) -> None:
        assert ours.text_of(ids) == theirs.decode(ids)

    same()


def test_pieces_of_one_score_are_merged_from_the_left(spm: ModuleType, tmp_path: Path) -> None:
    """Pieces that were added to a model all have the score 0."""
    path = sentencepiece_model(spm, tmp_path, "bpe")
    data = path.read_bytes()
    first = spm.SentencePieceProcessor(model_file=str(path))
    there = {first.id_to_piece(k) for k in range(first.get_piece_size())}
    for piece in {"tt", "ta", "at", "att", "tta", "aa", "ac", "ca", "▁ta"} - there:
        text = piece.encode()
        data += bytes([0x0A, len(text) + 7, 0x0A, len(text)]) + text + b"\x15\0\0\0\0"
    path.write_bytes(data)
    theirs, ours = spm.SentencePieceProcessor(model_file=str(path)), read(path)
    assert isinstance(ours, ImportedTokenizer)
    for letters in itertools.product("at c", repeat=6):
        text = "".join(letters)
        assert ours.ids_of(text) == theirs.encode(text)


SCORES = (-0.1, -1.1, -2.2, -3.3, -4.4, -5.5, -0.7)
"""Numbers that single precision rounds, so that sums of the same pieces differ by their order."""


def sentencepiece_bytes(pieces: list[tuple[str, float, int]]) -> bytes:
    """A unigram model of these pieces, their scores and kinds, with no rules."""
    data = b""
    for piece, score, kind in pieces:
        text = piece.encode()
        inner = b"\x0a" + bytes([len(text)]) + text + b"\x15" + struct.pack("<f", score)
        data += b"\x0a" + bytes([len(inner) + 2]) + inner + b"\x18" + bytes([kind])
    return data + b"\x12\x02\x18\x01" + b"\x1a\x04\x18\x00\x20\x00"


def test_ties_and_roundings_of_unigram_are_the_same(spm: ModuleType) -> None:
    generator = random.Random(2)
    for _ in range(120):
        words = {"".join(generator.choices("ab", k=generator.randint(1, 4))) for _ in range(10)}
        pieces = [("<unk>", 0.0, 2)]
        for word in sorted(words):
            even = generator.random() < 0.3
            score = -1.1 if even else generator.choice(SCORES)
            pieces.append((word, score * len(word), 1))
        if generator.random() < 0.4:
            pieces.append(("ababab", 0.0, 4))
        data = sentencepiece_bytes(pieces)
        theirs, ours = spm.SentencePieceProcessor(model_proto=data), from_bytes(data)
        for _ in range(20):
            text = "".join(generator.choices("ab", k=generator.randint(1, 40)))
            assert ours.ids_of(text) == theirs.encode(text)


def test_a_damaged_model_is_refused_or_read_alike(spm: ModuleType, tmp_path: Path) -> None:
    """Bytes changed anywhere: an error in one line, or ids."""
    path = sentencepiece_model(spm, tmp_path, "unigram-bytes")
    whole = path.read_bytes()
    generator = random.Random(1)
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(generator.randint(1, 3)):
            data[generator.randrange(min(len(data), 6000))] = generator.randrange(256)
        path.write_bytes(data)
        said = ""
        try:
            read(path).tokenize("the king's cat, ①")
        except LmkitError as error:
            said = str(error)
        assert "\n" not in said

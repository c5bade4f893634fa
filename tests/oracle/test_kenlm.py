"""KenLM reads what is exported here, and scores the same; ARPA files in the ways that others
write them score here as there.

KenLM loads orders 2 to 6 and works in log10.
"""

from __future__ import annotations

import random
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from lmkit.ngram.arpa import read_arpa
from lmkit.ngram.arpa_writing import write_arpa
from lmkit.ngram.backend import NgramBackend
from lmkit.ngram.entropy import prune_by_entropy
from lmkit.ngram.model import NgramModel
from lmkit.text.corpus import build_corpus
from lmkit.text.settings import TextSettings

TOLERANCE = 1e-4
LN10 = float(np.log(10))

METHODS = [
    ("modified-kneser-ney", {"form": "interpolated"}),
    ("modified-kneser-ney", {"form": "backoff"}),
    ("kneser-ney", {"form": "interpolated"}),
    ("kneser-ney", {"form": "backoff"}),
    ("absolute-discounting", {"form": "interpolated"}),
    ("absolute-discounting", {"form": "backoff"}),
    ("witten-bell", {}),
    ("katz", {}),
    ("jelinek-mercer", {}),
]


def name_of(method: tuple[str, dict[str, str]]) -> str:
    return "-".join((method[0], *method[1].values()))


@pytest.fixture(scope="module")
def training_lines() -> list[str]:
    """Text in which each word depends on the one before, with ``<unk>`` and empty lines."""
    generator = random.Random(11)
    words = [f"w{rank}" for rank in range(150)] + ["<unk>", "größe", "語", "a,b", "-1.5"]
    lines = []
    for _ in range(400):
        line = generator.choices(words, k=1)
        for _ in range(generator.randrange(15)):
            near = neighbours(line[-1], words)
            line.append(generator.choice(near if generator.random() < 0.8 else words))
        lines.append(" ".join(line))
    return [*lines, "", *lines[:60], ""]


def neighbours(word: str, words: list[str]) -> list[str]:
    """A few words that tend to follow ``word``: the same in every process."""
    return random.Random(word).sample(words, 4)


@pytest.fixture(scope="module")
def test_lines(training_lines: list[str]) -> list[str]:
    """Lines seen, lines shuffled, and unknown words between known ones."""
    generator = random.Random(12)
    lines = list(training_lines[:40])
    for line in training_lines[40:160]:
        words = [generator.choice(["UNKNOWN", w, w, w, "x y", "<UNK>"]) for w in line.split()]
        generator.shuffle(words)
        lines.append(" ".join(words))
    return [*lines, "", "UNKNOWN", "<unk> <unk>"]


def train(path: Path, lines: list[str], order: int, smoothing: str, **options: Any) -> NgramModel:
    text = path / "train.txt"
    text.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    corpus = build_corpus(text, TextSettings(tokenizer="whitespace"))
    return NgramBackend.train(corpus, order=order, smoothing=smoothing, **options)


def assert_same(
    kenlm: ModuleType, model: NgramModel, arpa: Path, lines: list[str], lengths: bool = True
) -> None:
    """Token by token: log10 probability, length of the matched n-gram, unknown or not."""
    reference = kenlm.Model(str(arpa))
    assert reference.order == model.order
    expected = [full for line in lines for full in reference.full_scores(line)]
    # KenLM takes <UNK> for <unk> in the text too.
    batch = model.encoder.encode([line.replace("<UNK>", "<unk>") for line in lines])
    log_probs, _ = model.score(batch)
    assert len(expected) == len(log_probs)
    scores = np.array([score for score, _, _ in expected])
    np.testing.assert_allclose(log_probs / LN10, scores, rtol=0, atol=TOLERANCE)
    if lengths:
        assert model.matched_orders(batch).tolist() == [length for _, length, _ in expected]
    assert (batch.ids == 0).tolist() == [unknown for _, _, unknown in expected]


@pytest.mark.parametrize("order", [2, 3, 4, 5, 6])
@pytest.mark.parametrize("method", METHODS, ids=name_of)
def test_exported_models_score_the_same(
    method: tuple[str, dict[str, str]],
    order: int,
    kenlm: ModuleType,
    tmp_path: Path,
    training_lines: list[str],
    test_lines: list[str],
) -> None:
    model = train(tmp_path, training_lines, order, method[0], **method[1])
    write_arpa(model, tmp_path / "model.arpa")
    assert_same(kenlm, model, tmp_path / "model.arpa", test_lines)


@pytest.mark.parametrize("method", METHODS, ids=name_of)
@pytest.mark.parametrize("prune", [(0, 0, 1), (0, 1, 1, 2), (1, 1, 2)], ids=str)
def test_exported_models_with_cutoffs_score_the_same(
    prune: tuple[int, ...],
    method: tuple[str, dict[str, str]],
    kenlm: ModuleType,
    tmp_path: Path,
    training_lines: list[str],
    test_lines: list[str],
) -> None:
    model = train(tmp_path, training_lines, 4, method[0], prune=prune, **method[1])
    write_arpa(model, tmp_path / "model.arpa.gz")
    assert_same(kenlm, model, tmp_path / "model.arpa.gz", test_lines, lengths=False)


def test_models_without_any_unknown_word_score_unknown_words_the_same(
    kenlm: ModuleType, tmp_path: Path, training_lines: list[str], test_lines: list[str]
) -> None:
    known = [line.replace("<unk>", "word") for line in training_lines]
    model = train(tmp_path, known, 3, "modified-kneser-ney")
    write_arpa(model, tmp_path / "model.arpa")
    assert_same(kenlm, model, tmp_path / "model.arpa", test_lines)


def test_a_word_spelt_like_the_unknown_word_is_kept_apart(
    kenlm: ModuleType, tmp_path: Path
) -> None:
    # For KenLM <UNK> is <unk>: left as it is, it would overwrite the unknown word's number.
    model = train(tmp_path, ["a b <UNK> c", "a <UNK>", "<unk> a b"], 3, "witten-bell")
    write_arpa(model, tmp_path / "model.arpa")
    assert_same(kenlm, model, tmp_path / "model.arpa", ["a b c", "a X b", "c c b a", "b X a"])


def test_characters_score_the_same(kenlm: ModuleType, tmp_path: Path) -> None:
    """A space is a token there, written <0x20>."""
    text = tmp_path / "train.txt"
    text.write_text("the cat sat\nthe hat\nthat cat\n", encoding="utf-8")
    corpus = build_corpus(text, TextSettings(tokenizer="char"))
    model = NgramBackend.train(corpus, order=4, smoothing="modified-kneser-ney")
    write_arpa(model, tmp_path / "model.arpa")
    line = "that hat sat"
    expected = kenlm.Model(str(tmp_path / "model.arpa")).full_scores(
        " ".join("<0x20>" if c == " " else c for c in line)
    )
    log_probs, _ = model.score(line)
    np.testing.assert_allclose(
        log_probs / LN10, [score for score, _, _ in expected], rtol=0, atol=TOLERANCE
    )


KENLM_STYLE = """\
\\data\\
ngram 1=6
ngram 2=7
ngram 3=3

\\1-grams:
-1.2041199\t<unk>\t0
0\t<s>\t-0.30103
-0.60206\t</s>\t0
-0.9030899\ta\t-0.2218487
-0.9030899\tb\t-0.17609125
-1.1\tc\t-0.09

\\2-grams:
-0.4\t<s> a\t-0.1
-0.7\t<s> b\t0
-0.3\ta b\t-0.5
-0.5\tb </s>\t0
-0.6\tb c\t-0.04
-0.35\tc </s>\t0
-0.9\tc a\t-0.02

\\3-grams:
-0.2\t<s> a b
-0.15\ta b c
-0.05\tb c </s>

\\end\\
"""

SRILM_STYLE = """

\\data\\
ngram 1=6
ngram 2=5
ngram 3=3

\\1-grams:
-0.60206\t</s>
-1.2041199\t<unk>
-99\t<s>\t-0.30103
-0.9030899\ta\t-0.2218487
-0.9030899\tb\t-0.17609125
-1.1\tc

\\2-grams:
-0.4\t<s> a\t0.1
-0.7\t<s> b
-0.3\ta b\t-0.5
-0.5\tb </s>
-0.6\tb c

\\3-grams:
-0.2\t<s> a b
-0.15\ta b c
-0.25\ta b </s>

\\end\\
"""

LINES = ["a b c", "a b", "c a b c", "b b a a", "c c", "", "a X b", "X X", "a b c a b c"]


@pytest.mark.parametrize(
    "text",
    [
        KENLM_STYLE,
        SRILM_STYLE,
        SRILM_STYLE.replace("<unk>", "<UNK>"),
        SRILM_STYLE.replace("-1.2041199\t<unk>\n", "").replace("ngram 1=6", "ngram 1=5"),
        KENLM_STYLE.replace("0\t<s>\t", "-inf\t<s>\t"),
        KENLM_STYLE.replace("-0.3\ta b\t-0.5", "-3e-1\ta b\t-5.0E-1"),
        KENLM_STYLE.replace("-0.3\ta b\t-0.5", "-12.25\ta b\t-11"),
    ],
    ids=["kenlm", "srilm", "UNK", "without-unk", "inf", "exponents", "large"],
)
def test_files_of_others_score_the_same(text: str, kenlm: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "given.arpa"
    path.write_text(text, encoding="utf-8")
    assert_same(kenlm, read_arpa(path), path, LINES)


def test_suffixes_that_a_file_lacks_score_the_same(kenlm: ModuleType, tmp_path: Path) -> None:
    """``<s> a c`` without ``a c``, and ``b c c`` without ``c c``, as SRILM's pruning leaves them.

    (KenLM's default data structure refuses a file that lacks contexts.)
    """
    text = KENLM_STYLE.replace("ngram 3=3", "ngram 3=5").replace(
        "-0.2\t<s> a b\n", "-0.2\t<s> a b\n-0.125\t<s> a c\n-0.33\tb c c\n"
    )
    path = tmp_path / "given.arpa"
    path.write_text(text, encoding="utf-8")
    model = read_arpa(path)
    assert model.trie[3].suffix.array().tolist().count(-1) == 2
    lines = [*LINES, "a c", "a c c b", "b c c", "b c c c", "c a c a"]
    assert_same(kenlm, model, path, lines, lengths=False)
    write_arpa(model, tmp_path / "again.arpa")
    assert_same(kenlm, model, tmp_path / "again.arpa", lines, lengths=False)


@pytest.mark.parametrize("threshold", [1e-4, 1e-3, 1e-2])
def test_models_pruned_by_entropy_score_the_same(
    threshold: float,
    kenlm: ModuleType,
    tmp_path: Path,
    training_lines: list[str],
    test_lines: list[str],
) -> None:
    model = train(tmp_path, training_lines, 4, "witten-bell")
    pruned = prune_by_entropy(model, threshold)
    assert pruned.trie.sizes < model.trie.sizes
    write_arpa(pruned, tmp_path / "model.arpa")
    assert_same(kenlm, pruned, tmp_path / "model.arpa", test_lines, lengths=False)
    again = read_arpa(tmp_path / "model.arpa")
    assert again.trie.sizes == pruned.trie.sizes
    assert_same(kenlm, again, tmp_path / "model.arpa", test_lines, lengths=False)


@pytest.mark.data
@pytest.mark.slow
def test_real_text_scores_the_same(kenlm: ModuleType, tmp_path: Path, shared_data: Path) -> None:
    settings = TextSettings(tokenizer="whitespace", skip_empty_lines=True)
    folder = shared_data / "wikitext-2"
    model = NgramBackend.train(build_corpus(folder / "valid.txt", settings), order=5)
    write_arpa(model, tmp_path / "model.arpa")
    with open(folder / "test.txt", encoding="utf-8") as file:
        lines = [line.rstrip("\n") for line in file if line.strip()]
    assert_same(kenlm, model, tmp_path / "model.arpa", lines)

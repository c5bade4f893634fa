"""`lmkit.kenlm` and the package kenlm, side by side on the same ARPA file, call by call.

Both keep float32 numbers, one natural and the other decimal logarithms, so they agree to one part
in a million.
"""

from __future__ import annotations

import copy
import gzip
import math
import pickle
import random
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lmkit import kenlm as ours
from lmkit.ngram.arpa_writing import write_arpa
from lmkit.ngram.entropy import prune_by_entropy

from ..small_models import train

WORDS = [f"w{rank}" for rank in range(60)] + ["größe", "語", "a,b", "-1.5"]
OTHERS = ["UNKNOWN", "<unk>", "<UNK>", "<s>", "</s>", "W1", "größe", "\u00a0", "x\u0085y"]
SPACES = [" ", "  ", "\t", "\n", "\r\n", "\x0b", "\f"]

SRILM = """
\\data\\
ngram 1=6
ngram 2=5
ngram 3=2

\\1-grams:
-99\t<s>\t-0.3
-0.9\t</s>
-0.6\ta\t-0.25
-0.7\tb\t-0.1
-0.8\tc
-1.5\td\t0

\\2-grams:
-0.2\t<s> a\t-0.15
-0.3\ta b\t-0.12
-0.5\tb c\t0
-0.5\tc </s>
-0.45\tb b\t-0.2

\\3-grams:
-0.1\t<s> a b
-0.11\ta b c

\\end\\
"""
"""Without <unk> and without some backoffs."""


def near(value: float) -> Any:
    return pytest.approx(value, rel=1e-6, abs=1e-6)


def text_of(seed: int, sentences: int) -> list[str]:
    """Sentences in which each word depends on the one before."""
    generator = random.Random(seed)
    lines = []
    for _ in range(sentences):
        line = generator.choices(WORDS, k=1)
        for _ in range(generator.randrange(12)):
            followers = random.Random(line[-1]).sample(WORDS, 4)
            line.append(generator.choice(followers if generator.random() < 0.8 else WORDS))
        lines.append(" ".join(line))
    return [*lines, ""]


def write_model(folder: Path, name: str) -> Path:
    path = folder / f"{name}.arpa"
    if name == "srilm":
        path.write_text(SRILM, encoding="utf-8")
        return path
    lines = text_of(1, 300)
    if name == "literal-unk":
        lines = [line.replace("w1 ", "<unk> ") for line in lines]
    order = int(name[-1]) if name[-1].isdigit() else 4
    model = train(lines, order, "modified-kneser-ney")
    if name.startswith("pruned"):
        model = prune_by_entropy(model, 1e-4)
    write_arpa(model, path)
    return path


LIKE_LMPLZ = ["order-2", "order-3", "order-4", "order-5", "order-6", "literal-unk"]
OTHER_FILES = ["pruned-4", "srilm"]
"""KenLM adds n-grams to these: the shorter forms that pruning has left out, with no probability of
their own, and <unk>. It counts them as matched, and tells states by them that have one future."""


@pytest.fixture(scope="module", params=[*LIKE_LMPLZ, *OTHER_FILES])
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, kenlm: ModuleType
) -> tuple[Any, Any]:
    """The same file in both packages."""
    path = write_model(tmp_path_factory.mktemp("models"), request.param)
    config = kenlm.Config()
    config.show_progress = False
    return kenlm.Model(str(path), config), ours.Model(str(path))


def adds(model: Any) -> bool:
    """Whether KenLM adds n-grams to the file of ``model``."""
    return Path(model.path.decode()).stem in OTHER_FILES


def lines_of(model: Any) -> list[str]:
    """Sentences seen, and others with unknown words, marks and white space of all kinds."""
    generator = random.Random(2)
    words = ["a", "b", "c", "d"] if "a" in model else WORDS
    lines = ["", " ", "</s>", "<s>", "<s> <s>", *text_of(1, 40)]
    for _ in range(150):
        chosen = generator.choices([*words, *OTHERS], [4] * len(words) + [1] * len(OTHERS), k=8)
        lines.append("".join(word + generator.choice(SPACES) for word in chosen))
    return lines


def test_whole_sentences(pair: tuple[Any, Any]) -> None:
    theirs, mine = pair
    for line in lines_of(theirs):
        assert math.log10(mine.perplexity(line)) == near(math.log10(theirs.perplexity(line)))
        for bos in (True, False):
            for eos in (True, False):
                assert mine.score(line, bos=bos, eos=eos) == near(theirs.score(line, bos, eos))
                expected = list(theirs.full_scores(line, bos=bos, eos=eos))
                found = list(mine.full_scores(line, bos, eos))
                assert [score for score, *_ in found] == [near(score) for score, *_ in expected]
                assert [oov for *_, oov in found] == [oov for *_, oov in expected]
                if not adds(mine):
                    assert [n for _, n, _ in found] == [n for _, n, _ in expected]
                assert [list(map(type, one)) for one in found] == [[float, int, bool]] * len(found)


def test_facts_and_words(pair: tuple[Any, Any]) -> None:
    theirs, mine = pair
    assert (mine.order, mine.path) == (theirs.order, theirs.path)
    assert repr(mine) == repr(theirs)
    for word in [*WORDS, *OTHERS, "a", "", " ", "w1 w2"]:
        assert (word in mine) is (word in theirs)
        assert (word.encode() in mine) is (word.encode() in theirs)
    for wrong in (None, 3):
        for model in pair:
            with pytest.raises(TypeError):
                model.score(wrong)
            with pytest.raises(TypeError):
                _ = wrong in model


def test_one_word_at_a_time(pair: tuple[Any, Any], kenlm: ModuleType) -> None:
    """Scores, and states: two of ours are equal where two of theirs are."""
    theirs, mine = pair
    places: dict[Any, Any] = {}
    back: dict[Any, Any] = {}
    for number, line in enumerate(lines_of(theirs)):
        states = [kenlm.State(), kenlm.State()], [ours.State(), ours.State()]
        for model, (state, _) in zip(pair, states, strict=True):
            if number % 3 == 1:
                model.NullContextWrite(state)
            elif number % 3 == 2:
                model.BeginSentenceWrite(state)
        for word in [*line.split(" "), "</s>"]:
            full = [
                model.BaseFullScore(before, word, after)
                for model, (before, after) in zip(pair, states, strict=True)
            ]
            scores = [
                model.BaseScore(before, word, after)
                for model, (before, after) in zip(pair, states, strict=True)
            ]
            assert scores[1] == near(scores[0]) == near(full[1].log_prob)
            assert full[1].ngram_length == full[0].ngram_length or adds(mine)
            assert full[1].oov is full[0].oov
            for pairs in states:
                pairs.reverse()
            their_state, my_state = copy.copy(states[0][0]), copy.copy(states[1][0])
            assert places.setdefault(their_state, my_state) == my_state
            assert back.setdefault(my_state, their_state) == their_state or adds(mine)
    assert len(places) >= len(back) > 3


@settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    words=st.lists(st.sampled_from([*WORDS[:12], *OTHERS, "a", "b", "c", "d"]) | st.text("a w1")),
    space=st.sampled_from(SPACES),
    bos=st.booleans(),
    eos=st.booleans(),
)
def test_any_sentence(
    pair: tuple[Any, Any], words: list[str], space: str, bos: bool, eos: bool
) -> None:
    theirs, mine = pair
    line = space.join(words)
    assert mine.score(line, bos, eos) == near(theirs.score(line, bos, eos))
    assert mine.score(line.encode(), bos, eos) == mine.score(line, bos, eos)
    scores = [score for score, *_ in mine.full_scores(line, bos, eos)]
    assert scores == [near(score) for score, *_ in theirs.full_scores(line, bos, eos)]


def test_the_same_names_and_arguments(kenlm: ModuleType, tmp_path: Path) -> None:
    for name in dir(kenlm):
        thing = getattr(kenlm, name)
        if not isinstance(thing, type):
            continue
        assert isinstance(getattr(ours, name), type), name
        for member in set(dir(thing)) - set(dir(object)):
            assert hasattr(getattr(ours, name), member) or member.startswith("__"), (name, member)
    for name in ("LoadMethod", "ARPALoadComplain"):
        numbers = {k: v for k, v in vars(getattr(kenlm, name)).items() if isinstance(v, int)}
        assert numbers.items() <= vars(getattr(ours, name)).items()
    for option in ("load_method", "show_progress", "arpa_complain"):
        assert getattr(ours.Config(), option) == getattr(kenlm.Config(), option)
    path = write_model(tmp_path, "srilm")
    for package in (kenlm, ours):
        config = package.Config()
        config.load_method = package.LoadMethod.READ
        config.show_progress = False
        one = package.LanguageModel(path=str(path), config=config)
        assert isinstance(one, package.Model)
        assert repr(package.FullScoreReturn(-1.0, 2, True)) == "FullScoreReturn(-1.0, 2, True)"
        with pytest.raises(OSError, match="missing"):
            package.Model(str(tmp_path / "missing.arpa"))
        with pytest.raises(TypeError):
            pickle.dumps(package.State())


def test_compressed_files(kenlm: ModuleType, tmp_path: Path) -> None:
    path = write_model(tmp_path, "srilm")
    packed = tmp_path / "model.arpa.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    expected = kenlm.Model(str(packed)).score("<s> a b c d")
    assert ours.Model(packed).score("<s> a b c d") == near(expected)

"""`lmkit.kenlm` without the package kenlm: what it opens and refuses, words, states, and the
bounds of what it keeps. tests/oracle/test_kenlm_interface.py holds it against kenlm itself."""

from __future__ import annotations

import bz2
import copy
import gzip
import lzma
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard

import lmkit
from lmkit import kenlm
from lmkit.errors import LmkitError, UnsupportedError
from lmkit.integrations import walking
from lmkit.integrations.ngram_walk import MASK, Blocks
from lmkit.ngram.arpa import read_arpa
from lmkit.store.columns import MemoryColumn
from lmkit.text.settings import TextSettings

from .arpa_support import SMALL

LINES = ["the cat sat on the mat", "the dog sat on a log", "a cat saw the dog", "a dog sat"]


@pytest.fixture
def arpa(tmp_path: Path) -> Path:
    path = tmp_path / "small.arpa"
    path.write_text(SMALL, encoding="utf-8")
    return path


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("".join(f"{line}\n" for line in LINES * 3), encoding="utf-8")
    return path


def after(model: kenlm.Model, *words: str, bos: bool = True) -> kenlm.State:
    state = kenlm.State()
    (model.BeginSentenceWrite if bos else model.NullContextWrite)(state)
    for word in words:
        model.BaseScore(state, word, state)
    return state


class TestArpa:
    def test_a_sentence_by_hand(self, arpa: Path) -> None:
        model = kenlm.Model(arpa)
        # "x" is unknown: -0.0625 - 0.125 backs off from "<s> a" and "a" to -2; then -0.5 of </s>.
        assert list(model.full_scores("a x")) == [
            (pytest.approx(-0.3), 2, False),
            (pytest.approx(-2.1875), 1, True),
            (pytest.approx(-0.5), 1, False),
        ]
        assert model.score("a x") == pytest.approx(-2.9875)
        assert model.score("a x", eos=False) == pytest.approx(-2.4875)
        assert model.score("a b", bos=False, eos=False) == pytest.approx(-0.75 - 0.4)
        assert model.perplexity("a x") == pytest.approx(10 ** (2.9875 / 3))
        assert model.perplexity("") == pytest.approx(10 ** (0.5 + 0.25))

    def test_the_beginning_of_a_sentence_as_a_word_has_the_number_of_the_file(
        self, arpa: Path, tmp_path: Path
    ) -> None:
        assert kenlm.Model(arpa).score("<s>", bos=False, eos=False) == pytest.approx(-99)
        arpa.write_text(SMALL.replace("-99\t<s>", "0\t<s>"), encoding="utf-8")
        model = kenlm.Model(arpa)
        assert model.score("<s>", bos=False, eos=False) == 0
        assert after(model, "<s>", bos=False) == after(model)
        read_arpa(arpa).save(tmp_path / "model.lm")
        saved = kenlm.Model(tmp_path / "model.lm")
        assert saved.score("<s>", bos=False, eos=False) == pytest.approx(-99)

    def test_an_n_gram_whose_shorter_form_is_missing(self, tmp_path: Path) -> None:
        # "c d" is there and "b c d" is not: after "a b c d" the context is "c d".
        text = (
            "\\data\\\nngram 1=6\nngram 2=3\nngram 3=2\nngram 4=1\n\n\\1-grams:\n-1\t<unk>\n"
            "-99\t<s>\t-.1\n-1\t</s>\n-1\ta\t-.2\n-1\tb\t-.3\n-1\tc\t-.4\n-1\td\t-.5\n-1\te\n\n"
            "\\2-grams:\n-.5\ta b\t-.6\n-.5\tb c\t-.7\n-.5\tc d\t-.8\n\n"
            "\\3-grams:\n-.4\ta b c\t-.9\n-.3\tc d e\n\n\\4-grams:\n-.2\ta b c d\n\n\\end\\\n"
        ).replace("ngram 1=6", "ngram 1=8")
        path = tmp_path / "pruned.arpa"
        path.write_text(text, encoding="utf-8")
        model, whole = kenlm.Model(path), read_arpa(path)
        assert [n for _, n, _ in model.full_scores("a b c d e", bos=False)] == [1, 2, 3, 4, 3, 1]
        for line in ("a b c d e", "a b c d d", "b c d e", "c d e", "a b c e"):
            expected = (whole.score(line)[0] / np.log(10)).tolist()
            assert [s for s, *_ in model.full_scores(line)] == pytest.approx(expected)
        assert after(model, "a", "b", "c", "d") == after(model, "c", "d", bos=False)

    @pytest.mark.parametrize("how", ["gz", "bz2", "xz", "zst"])
    def test_compressed(self, arpa: Path, how: str) -> None:
        pack: Any = {
            "gz": gzip.compress,
            "bz2": bz2.compress,
            "xz": lzma.compress,
            "zst": zstandard.compress,
        }[how]
        path = arpa.with_name(f"packed.arpa.{how}")
        path.write_bytes(pack(arpa.read_bytes()))
        assert kenlm.Model(path).score("<s> a b") == kenlm.Model(arpa).score("<s> a b")


class TestRefusals:
    """Each is one line, and the OSError that programs around KenLM catch."""

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (None, "no such file"),
            (b"", "neither a model of lmkit nor an ARPA file"),
            (b"a text\n", "neither a model of lmkit nor an ARPA file"),
            (b"mmap lm http://kheafield.com/code format version 5\n\0\0", "a KenLM binary file"),
            (SMALL.replace("ngram 2=4", "ngram 2=5").encode(), "promises 5 n-grams of order 2"),
            (b"SQLite format 3\0" + b"\0" * 100, "an SQLite database"),
        ],
        ids=["missing", "empty", "text", "binary", "malformed", "database"],
    )
    def test_a_file_that_is_no_model(
        self, content: bytes | None, said: str, tmp_path: Path
    ) -> None:
        path = tmp_path / "model.bin"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(OSError, match=said) as caught:
            kenlm.Model(path)
        assert isinstance(caught.value, kenlm.ModelError | LmkitError)
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)

    def test_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(OSError, match="directory"):
            kenlm.Model(tmp_path)

    def test_a_damaged_model(self, tmp_path: Path, text: Path) -> None:
        path = tmp_path / "model.lm"
        lmkit.train(text, output=path, order=2)
        path.write_bytes(path.read_bytes()[:-100])
        with pytest.raises(OSError, match="truncated"):
            kenlm.Model(path)

    def test_a_noisy_channel(self, tmp_path: Path, text: Path) -> None:
        path = tmp_path / "channel.lm"
        lmkit.train_channel(lmkit.train(text, order=2), output=path)
        with pytest.raises(UnsupportedError, match="whole sentences"):
            kenlm.Model(path)

    @pytest.mark.parametrize("wrong", [None, 3, ("a", "b")], ids=str)
    def test_what_is_no_word(self, wrong: Any, arpa: Path) -> None:
        model, state = kenlm.Model(arpa), kenlm.State()
        with pytest.raises(TypeError):
            model.BaseScore(state, wrong, kenlm.State())
        with pytest.raises(TypeError):
            model.score(wrong)
        with pytest.raises(TypeError):
            _ = wrong in model


class TestWords:
    def test_text_and_bytes(self, arpa: Path) -> None:
        model = kenlm.Model(str(arpa).encode())
        assert model.path == str(arpa).encode()
        assert model.score(b"a b") == model.score("a b")
        assert "a" in model
        assert b"a" in model
        assert b"\xff" not in model
        assert model.score(b"a \xff") == model.score("a x")
        one, other = kenlm.State(), kenlm.State()
        assert model.BaseScore(one, b"a", one) == model.BaseScore(other, "a", other)
        assert one == other

    def test_only_white_space_of_ascii_separates(self, arpa: Path) -> None:
        model = kenlm.Model(arpa)
        assert model.score("a\x0bb\fa\r\n") == model.score(" a b a")
        assert [oov for *_, oov in model.full_scores("a\u00a0b a\x1cb")] == [True, True, False]

    def test_a_word_is_read_as_the_model_reads_text_if_it_lacks_it(
        self, text: Path, tmp_path: Path
    ) -> None:
        path = tmp_path / "lower.lm"
        lmkit.train(text, output=path, order=2, settings=TextSettings("word", lowercase=True))
        model = kenlm.Model(path)
        assert "The" in model
        assert model.score("The CAT sat") == model.score("the cat sat")
        state = after(model)
        assert model.BaseScore(state, "The", state) == model.score("the", eos=False)
        # A model of words reads text that is cut already.
        assert [oov for *_, oov in model.full_scores("the cat!")] == [False, True, False]

    def test_the_symbols_of_a_character_model(self, text: Path, tmp_path: Path) -> None:
        path = tmp_path / "char.lm"
        lmkit.train(text, output=path, order=3, settings=TextSettings("char"))
        model, whole = kenlm.Model(path), lmkit.load(path)
        expected = whole.score("the cat")[0].sum() / np.log(10)
        assert model.score("the cat") == pytest.approx(expected)
        state = after(model)
        total = sum(model.BaseScore(state, letter, state) for letter in "the cat")
        assert total == pytest.approx(model.score("the cat", eos=False))
        assert model.perplexity("the cat") == pytest.approx(10 ** (-expected / 8))


class TestStates:
    def test_they_compare_hash_and_copy(self, arpa: Path) -> None:
        model = kenlm.Model(arpa)
        one, other = after(model, "a"), after(model, "b", "a", bos=False)
        assert one != other
        assert (one < other) != (other < one)
        assert (one <= one) and (one >= one)
        # The longest context that can say anything counts: "a b" here, and none after "x".
        assert after(model, "a", "a", "b") == after(model, "x", "a", "b")
        assert after(model, "a", "x") == after(model, "a", "</s>") == after(model, bos=False)
        assert len({after(model, "a"), after(model, "a"), other}) == 2
        twin = copy.copy(one)
        assert twin == one == copy.deepcopy(one)
        model.BaseScore(twin, "b", twin)
        assert twin != one
        assert one != 3
        with pytest.raises(TypeError):
            pickle.dumps(one)

    def test_a_new_one_has_no_context(self, arpa: Path) -> None:
        model = kenlm.Model(arpa)
        new, out = kenlm.State(), kenlm.State()
        assert new == after(model, bos=False) != after(model)
        assert model.BaseScore(new, "a", out) == pytest.approx(-0.75)

    def test_of_another_model(self, arpa: Path) -> None:
        one, other = kenlm.Model(arpa), kenlm.Model(arpa)
        with pytest.raises(UnsupportedError, match="another Model"):
            other.BaseScore(after(one, "a"), "b", kenlm.State())
        with pytest.raises(UnsupportedError, match="another Model"):
            other.BaseFullScore(after(one, "a"), "b", kenlm.State())
        assert after(one, "a") != after(other, "a")

    def test_a_model_is_pickled_by_its_path(self, arpa: Path) -> None:
        model = kenlm.LanguageModel(arpa)
        again = pickle.loads(pickle.dumps(model))
        assert type(again) is kenlm.LanguageModel
        assert again.score("a b") == model.score("a b")

    def test_steps_are_forgotten_and_found_again(
        self, arpa: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        expected = [kenlm.Model(arpa).score(line) for line in ("a b a x", "b a", "x a b")]
        monkeypatch.setattr(walking, "MOST_STEPS", 2)
        monkeypatch.setattr(walking, "MOST_WORDS", -4)
        model = kenlm.Model(arpa)
        assert [model.score(line) for line in ("a b a x", "b a", "x a b")] == expected
        assert len(model._walk.steps) <= 2
        assert len(model._walk.ids) <= 2


def test_reading_all_at_once(text: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.lm"
    lmkit.train(text, output=path, order=3)
    config = kenlm.Config()
    config.load_method = kenlm.LoadMethod.READ
    model = kenlm.Model(path, config)
    path.unlink()
    assert model.score("the cat sat") == pytest.approx(model.score("the cat sat"))


def test_entries_of_a_long_column() -> None:
    generator = np.random.default_rng(1)
    values = np.sort(generator.choice(10**6, 3 * MASK + 1000, replace=False)).astype(np.int32)
    blocks = Blocks(MemoryColumn(values))
    for low, high in ((0, len(values)), (MASK, MASK + 2), (MASK + 1, 2 * MASK), (5, 6)):
        for row in {low, high - 1, (low + high) // 2, *generator.integers(low, high, 50).tolist()}:
            assert blocks.find(low, high, int(values[row])) == row
            if values[row] + 1 not in values:
                assert blocks.find(low, high, int(values[row]) + 1) == -1
        assert blocks.find(low, high, -1) == blocks.find(low, high, 10**6) == -1
    repeated = np.repeat(np.arange(3 * MASK, step=3), 2)  # as the first children of contexts are
    column = Blocks(MemoryColumn(repeated))
    for row in (0, 1, 3, 4, 3 * MASK - 4, *generator.integers(0, 3 * MASK - 3, 50).tolist()):
        assert column.owner(row) == np.searchsorted(repeated, row, side="right") - 1


class TestProgramsThatImportKenlm:
    PROGRAM = "import sys, kenlm\nprint(kenlm.Model(sys.argv[1]).score('a b'), __name__)\n"

    def test_after_install(self, arpa: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "kenlm", sys)  # what was there comes back afterwards
        kenlm.install()
        import kenlm as found

        assert found is kenlm

    @pytest.mark.slow
    @pytest.mark.parametrize("how", ["program", "module"])
    def test_under_the_module(self, how: str, arpa: Path, tmp_path: Path) -> None:
        (tmp_path / "program.py").write_text(self.PROGRAM, encoding="utf-8")
        start = {"program": ["program.py"], "module": ["-m", "program"]}[how]
        command = [sys.executable, "-m", "lmkit.integrations.kenlm", *start, str(arpa)]
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert (result.returncode, result.stderr) == (0, "")
        score, name = result.stdout.split()
        assert float(score) == kenlm.Model(arpa).score("a b")
        assert name == "__main__"

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [([], "usage: "), (["-m"], "usage: "), (["missing.py"], "Error: .* missing.py. Try: ")],
        ids=str,
    )
    def test_without_a_program(self, arguments: list[str], said: str) -> None:
        with pytest.raises(SystemExit, match=said):
            kenlm.main(arguments)

    def test_the_example_of_the_page(
        self,
        root: Path,
        text: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        page = (root / "docs" / "integrations.md").read_text(encoding="utf-8")
        program = re.findall(r"^```python\n(from lmkit import.*?)^```$", page, re.M | re.S)[0]
        model: Any = lmkit.train(text, output=tmp_path / "model.lm", order=2)
        monkeypatch.chdir(tmp_path)
        exec(program)
        sentence, first, second = map(float, capsys.readouterr().out.split())
        log_probs = model.score("this is a sentence .")[0] / np.log(10)
        assert sentence == pytest.approx(log_probs.sum())
        assert [first, second] == pytest.approx(log_probs[:2])

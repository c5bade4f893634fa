"""The texts of a comparison: splits by rule, the reference text, lines that were trained on."""

from __future__ import annotations

from pathlib import Path

import pytest

from lmkit.errors import TextError, UsageError
from lmkit.evaluate.comparison.corpus import prepare, read_lines, write_part
from lmkit.text.settings import TextSettings


def written(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def test_of_ten_stretches_the_ninth_and_tenth_are_held_out(tmp_path: Path) -> None:
    source = written(tmp_path / "all.txt", [f"line {number}" for number in range(60)])
    corpus = prepare(tmp_path / "c", TextSettings(), {"all": source}, name="all")
    # 60 lines: stretches of 6.
    assert read_lines(corpus.raw["valid"]) == [f"line {n}" for n in range(48, 54)]
    assert read_lines(corpus.raw["test"]) == [f"line {n}" for n in range(54, 60)]
    assert len(read_lines(corpus.raw["train"])) == 48
    assert corpus.facts.rule == "of every ten stretches of 6 lines the ninth is for valid, " + (
        "the tenth for test"
    )


def test_long_texts_are_cut_into_stretches_of_a_hundred(tmp_path: Path) -> None:
    source = written(tmp_path / "all.txt", [f"line {number}" for number in range(2500)])
    corpus = prepare(tmp_path / "c", TextSettings(), {"all": source}, name="all")
    expected = [f"line {n}" for start in (900, 1900) for n in range(start, start + 100)]
    assert read_lines(corpus.raw["test"]) == expected


def test_the_reference_text_has_single_spaces_and_every_line(tmp_path: Path) -> None:
    source = written(tmp_path / "t.txt", ["Don't  stop, now!", "", "  a\tb ", "", "", "Ünı c"])
    train = written(tmp_path / "train.txt", ["x"])
    corpus = prepare(tmp_path / "c", TextSettings(), {"train": train, "test": source}, name="t")
    assert corpus.test_lines == ["Don't stop , now !", "", "a b", "", "", "Ünı c"]
    assert corpus.facts.reference_characters == 18 + 0 + 3 + 0 + 0 + 5 + 6
    assert corpus.facts.test.sentences == 6
    assert corpus.facts.test.tokens == 5 + 2 + 2


def test_lower_case_holds_for_the_reference_text_too(tmp_path: Path) -> None:
    texts = {"train": written(tmp_path / "a", ["A B"]), "test": written(tmp_path / "b", ["C D"])}
    corpus = prepare(tmp_path / "c", TextSettings(lowercase=True), texts, name="t")
    assert corpus.test_lines == ["c d"]


def test_test_lines_that_were_trained_on_are_counted(tmp_path: Path) -> None:
    texts = {
        "train": written(tmp_path / "a", ["one two", "three , four", "", "five"]),
        "test": written(
            tmp_path / "b", ["one  two", "six", "", "one two", "three, four", "five x"]
        ),
    }
    corpus = prepare(tmp_path / "c", TextSettings(), texts, name="t")
    assert corpus.facts.overlap == 3
    assert not corpus.facts.dropped
    assert len(corpus.test_lines) == 6
    without = prepare(tmp_path / "d", TextSettings(), texts, name="t", drop_overlap=True)
    assert without.test_lines == ["six", "", "five x"]
    assert (without.facts.overlap, without.facts.dropped) == (3, True)
    assert without.facts.test.sha256 != corpus.facts.test.sha256


def test_nothing_left_to_test_on(tmp_path: Path) -> None:
    texts = {"train": written(tmp_path / "a", ["a b"]), "test": written(tmp_path / "b", ["a b"])}
    with pytest.raises(TextError, match=r"no test text is left.*no --drop-overlap"):
        prepare(tmp_path / "c", TextSettings(), texts, name="t", drop_overlap=True)


def test_parts_are_within_each_other_and_of_about_the_right_size(tmp_path: Path) -> None:
    source = written(tmp_path / "all.txt", [f"line {number}" for number in range(20_000)])
    parts = []
    for share in (0.03, 0.1, 0.3):
        write_part(source, tmp_path / "part", share, "strict")
        parts.append(read_lines(tmp_path / "part"))
    assert [len(part) / 20_000 for part in parts] == pytest.approx([0.03, 0.1, 0.3], rel=0.1)
    assert set(parts[0]) < set(parts[1]) < set(parts[2])
    # Spread over the whole text, not its beginning.
    assert int(parts[0][-1].split()[1]) > 18_000


@pytest.mark.parametrize(
    ("lines", "said"),
    [([], "the text is empty"), (["a"] * 9, "9 lines, too few to be split"), ([""] * 50, "empty")],
)
def test_texts_that_cannot_be_split(tmp_path: Path, lines: list[str], said: str) -> None:
    source = written(tmp_path / "all.txt", lines)
    with pytest.raises(TextError, match=said):
        prepare(tmp_path / "c", TextSettings(), {"all": source}, name="all")


def test_no_test_text(tmp_path: Path) -> None:
    train = written(tmp_path / "train.txt", ["x"])
    with pytest.raises(UsageError, match="there is a --train text but no test text"):
        prepare(tmp_path / "c", TextSettings(), {"train": train}, name="t")


def test_words_are_what_a_comparison_is_normalised_to(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--model lstm:tokenizer=char"):
        prepare(tmp_path / "c", TextSettings("char"), {}, name="t")

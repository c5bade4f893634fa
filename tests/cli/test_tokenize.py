"""``tokenize``: tokens, ids and places, and the way back."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from lmkit.cli.main import main
from lmkit.cli.tokenize import GROUNDS

from .support import Result, faked_console, ran, said_no

Run = Callable[..., Result]
CODES = re.compile(r"\x1b\[[0-9;]*m")


# -- tokenize --------------------------------------------------------------------------------------


def test_tokens_and_ids_are_a_line_each(learnt: Path, run: Run) -> None:
    text = b"the  b\xc3\xb6at<|x|>\xff\r\n\n \xe2\x96\x81\ta<s>\n"
    for name in ("b.tok", "u.tok"):
        tokens = ran(run("tokenize", name, stdin=text))
        assert "<|x|>" in tokens.split() and tokens.split("\n")[1] == ""
        ids = ran(run("tokenize", name, "--ids", stdin=text))
        assert [len(line.split()) for line in ids.split("\n")] == [
            len(line.split()) for line in tokens.split("\n")
        ]


@pytest.mark.parametrize("name", ["b.tok", "u.tok", "char", "byte"])
def test_decoding_gives_every_byte_again(name: str, learnt: Path) -> None:
    text = b"the  b\xc3\xb6at<|x|> \xe2\x90\xa2\r\n\n \xe2\x96\x81\ta\n"
    if name != "char":
        text += b"\xff\xc3 <s>\n"
    else:
        text = text.replace(b"\r", b"").replace("␣".encode(), b"")

    def bytes_of(*words: str, stdin: bytes) -> bytes:
        console = faked_console(stdin)
        assert main(list(words), console) == 0
        assert console.stdout is not None
        console.stdout.flush()
        return console.stdout.buffer.getvalue()  # type: ignore[attr-defined, no-any-return]

    tokens = bytes_of("tokenize", name, stdin=text)
    assert bytes_of("tokenize", name, "--decode", stdin=tokens) == text
    if name.endswith(".tok"):
        ids = bytes_of("tokenize", name, "--ids", stdin=text)
        assert bytes_of("tokenize", name, "--decode", "--ids", stdin=ids) == text


def test_rows_say_where_each_token_is(learnt: Path, run: Run) -> None:
    text = "the böat\nİ the e\u0301\n"
    for name in ("b.tok", "u.tok"):
        rows = json.loads(ran(run("tokenize", name, "--json", stdin=text.encode())))
        lines = text.splitlines()
        for number, line in enumerate(lines, 1):
            own = [row for row in rows if row["line"] == number]
            data = line.encode()
            # Bytes lie behind each other, and are those of the tokens.
            assert [row["start_byte"] for row in own] == [0, *(r["end_byte"] for r in own[:-1])]
            assert own[-1]["end_byte"] == len(data)
            for row in own:
                part = line.encode()[row["start_byte"] : row["end_byte"]]
                assert part in row["text"].encode()
                assert row["text"] == line[row["start"] : row["end"]]
    table = list(csv.DictReader(io.StringIO(ran(run("tokenize", "b.tok", "--csv", "a.txt")))))
    assert table[0]["token"] == "the" and table[1]["text"].startswith(" ")


def test_places_are_those_of_the_text_as_it_was_given(folder: Path, run: Run) -> None:
    """Normalization and lower case make other texts, of other lengths."""
    for words in (["--normalize", "nfkc"], ["--lowercase", "--normalize", "nfc"]):
        ran(run("train", "a.txt", "--order", "1", "-o", "m.lm", *words))
        line = "ﬁ İx e\u0301t\u0301, a\u0308 ΟΔΟΣ \u1100\u1161 b"
        rows = json.loads(ran(run("tokenize", "m.lm", "--json", stdin=line.encode())))
        texts = [row["text"] for row in rows]
        assert texts == ["ﬁ", "İx", "e\u0301t\u0301", ",", "a\u0308", "ΟΔΟΣ", "\u1100\u1161", "b"]
        for row in rows:
            assert line.encode()[row["start_byte"] : row["end_byte"]].decode() == row["text"]


def test_a_model_names_what_it_does_not_know(folder: Path, run: Run) -> None:
    ran(run("train", "a.txt", "--order", "1", "-o", "m.lm"))
    rows = json.loads(ran(run("tokenize", "m.lm", "--json", stdin=b"the nosuch harbour\n")))
    assert [row["token"] for row in rows] == ["the", "nosuch", "harbour"]
    assert rows[1]["id"] == 0 and rows[0]["id"] >= 3
    shown = run("tokenize", "m.lm", stdin=b"the nosuch\n", stdout_is_terminal=True).out
    assert re.findall(r"((?:\x1b\[[0-9;]*m)+)nosuch", shown)[0].count("\x1b[4m") == 1
    # Without a vocabulary there are no ids.
    assert json.loads(ran(run("tokenize", "word", "--json", stdin=b"the\n")))[0]["id"] is None
    said_no(run("tokenize", "word", "--ids", stdin=b"the\n"), "has no ids")


def test_a_terminal_shows_tokens_in_turn_and_spaces(learnt: Path, run: Run) -> None:
    shown = ran(run("tokenize", "b.tok", stdin="the\tböx  ☃\n".encode(), stdout_is_terminal=True))
    parts = re.findall(r"((?:\x1b\[[0-9;]*m)+)([^\x1b]+)\x1b\[0m", shown)
    grounds = [re.findall(r"48;5;(\d+)", codes)[0] for codes, _ in parts]
    assert grounds == [str(GROUNDS[n % len(GROUNDS)]) for n in range(len(parts))]
    assert all("38;5;16" in codes for codes, _ in parts)
    assert CODES.sub("", shown) == "the\\tb\\xc3\\xb6x␣␣\\xe2\\x98\\x83\n"
    words = run("tokenize", "word", stdin=b"a b\n", stdout_is_terminal=True).out
    assert CODES.sub("", words) == "a b\n"
    for settings in ({"no_color": True, "stdout_is_terminal": True}, {}):
        assert ran(run("tokenize", "b.tok", stdin=b"the x\n", **settings)) == "the Ġ x\n"
    always = ran(run("tokenize", "b.tok", "--color", "always", stdin=b"the x\n"))
    assert CODES.sub("", always) == "the␣x\n"


def test_counts_by_line_and_in_all(learnt: Path, run: Run) -> None:
    text = "the harbour\n\nöö\n"
    rows = json.loads(ran(run("tokenize", "b.tok", "--count", "--json", stdin=text.encode())))
    assert [row["line"] for row in rows] == [1, 2, 3, "total"]
    assert [row["tokens"] for row in rows] == [2, 0, 4, 6]
    assert [row["characters"] for row in rows] == [11, 0, 2, 13]
    assert [row["bytes"] for row in rows] == [11, 0, 4, 15]
    assert [row["characters_per_token"] for row in rows] == [5.5, None, 0.5, 13 / 6]
    assert ran(run("tokenize", "b.tok", "--count", stdin=text.encode())).count("\n") == 6


def test_segmentations_that_are_drawn_or_not_the_best(learnt: Path, run: Run) -> None:
    best = ran(run("tokenize", "u.tok", stdin=b"the harbour\n")).strip()
    rows = json.loads(ran(run("tokenize", "u.tok", "--nbest", "4", "--json", stdin=b"the harbour")))
    assert " ".join(rows[0]["tokens"]) == best and [row["rank"] for row in rows] == [1, 2, 3, 4]
    log_probs = [row["log_prob"] for row in rows]
    assert log_probs == sorted(log_probs, reverse=True)
    text = b"the harbour\n" * 20
    for name, flag, value in (("u.tok", "--alpha", "0.02"), ("b.tok", "--dropout", "0.3")):
        once, again, other = (
            ran(run("tokenize", name, flag, value, "--seed", seed, stdin=text))
            for seed in (1, 1, 2)
        )
        assert once == again != other
        assert len(set(once.splitlines())) > 1
        assert "seed " in run("tokenize", name, flag, value, stdin=text).err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("b.tok --alpha 0.1", "bpe cuts a text in one way only"),
        ("u.tok --dropout 0.1", "unigram cuts a text in one way only"),
        ("b.tok --nbest 2", "bpe cuts a text in one way only"),
        ("b.tok --ids --count", "--count and --ids exclude each other"),
        ("b.tok --ids --json", "--ids and --json exclude each other"),
        ("u.tok --nbest 2 --alpha 0.2", "exclude each other"),
        ("b.tok --seed 3", "--seed means nothing"),
        ("b.tok --decode", "'harbourx' is not a token of bpe"),
        ("b.tok --decode --ids", "line 1: 'the' is not an id"),
        ("a.txt", "a.txt"),
    ],
)
def test_what_tokenize_refuses(words: str, said: str, learnt: Path, run: Run) -> None:
    said_no(run("tokenize", *words.split(), stdin=b"the harbourx\n"), said)


def test_an_id_that_there_is_not(learnt: Path, run: Run) -> None:
    said_no(run("tokenize", "b.tok", "--decode", "--ids", stdin=b"0 290\n"), "290 is not an id")


def test_marks_in_the_text_are_what_the_option_says(folder: Path, run: Run) -> None:
    ran(run("train", "a.txt", "--order", "1", "-o", "m.lm"))
    text = b"the <s> bay\n"
    result = run("tokenize", "m.lm", stdin=text)
    said_no(result, "line 1: the text has a literal <s>")
    for policy, tokens in (
        ("word", "the <s> bay"),
        ("unknown", "the <s> bay"),
        ("drop", "the bay"),
    ):
        assert (
            ran(run("tokenize", "m.lm", "--special-tokens", policy, stdin=text)).strip() == tokens
        )
    ids = ran(run("tokenize", "m.lm", "--ids", "--special-tokens", "unknown", stdin=text)).split()
    assert ids[1] == "0" and "0" not in (ids[0], ids[2])


def test_a_text_in_the_place_of_its_file_is_told_where_to_go(run):
    result = run("tokenize", "word", "the cat sat")
    assert result.status == 1
    assert result.err == (
        "Error: cannot read the cat sat: no such file or directory. "
        "Try: echo TEXT | lmkit ..., if it is the text itself.\n"
    )
    assert "Try" not in run("tokenize", "word", "no-such-file").err

"""``info`` of tokenizers, and their way to other programs and back."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from .support import TOKENIZED, Result, ran, said_no

Run = Callable[..., Result]


# -- files of other programs -----------------------------------------------------------------------


def test_a_tokenizer_goes_to_other_programs_and_back(learnt: Path, run: Run) -> None:
    text = "the  harböur<|x|> at\tthe ☃ bay\n"
    for name, kinds in (("b.tok", ["tokenizer.json", "gpt2", "tiktoken"]), ("u.tok", [None])):
        own = ran(run("tokenize", name, "--ids", stdin=text.encode()))
        for kind in kinds:
            flags = [] if kind is None else ["--format", kind]
            other = f"other.{kind}"
            ran(run("export", name, *flags, "-o", other))
            more = ["--pattern", "gpt2", "--special-token", "<|x|>=289"]
            from_ranks = more if kind == "tiktoken" else []
            ran(run("train-tokenizer", "--from", other, *from_ranks, "-o", "again.tok"))
            assert ran(run("tokenize", "again.tok", "--ids", stdin=text.encode())) == own
            if kind != "tiktoken":
                assert ran(run("tokenize", other, "--ids", stdin=text.encode())) == own
                ran(run("train", "a.txt", "--tokenizer", other, "--order", "1", "-o", "m.lm"))
                assert json.loads(ran(run("info", "m.lm", "--json")))["unit"] == "subword"


def test_a_special_token_with_spaces_goes_to_other_programs_and_back(
    folder: Path, run: Run
) -> None:
    flags = ["--vocabulary-size", "290", "--special-token", "at the bay", "--special-token", "x\ty"]
    ran(run("train-tokenizer", "a.txt", "--tokenizer", "unigram", *flags, "-o", "s.tok"))
    text = b"we are at the bay x\ty\n"
    tokens = ran(run("tokenize", "s.tok", stdin=text))
    assert "at▁the▁bay ▁ x<0x09>y" in tokens
    assert ran(run("tokenize", "s.tok", "--decode", stdin=tokens.encode())) == text.decode()
    ran(run("export", "s.tok", "-o", "s.json"))
    ids = ran(run("tokenize", "s.tok", "--ids", stdin=text))
    assert ran(run("tokenize", "s.json", "--ids", stdin=text)) == ids
    # In ARPA as well, where spaces part the tokens.
    (folder / "s.txt").write_bytes(text)
    ran(run("train", "s.txt", "a.txt", "--tokenizer", "s.tok", "--order", "2", "-o", "s.lm"))
    ran(run("export", "s.lm", "-o", "s.arpa"))
    ran(run("import", "s.arpa", "--tokenizer", "s.tok", "-o", "again.lm"))
    (own,) = json.loads(ran(run("perplexity", "s.lm", "s.txt", "--json")))
    (again,) = json.loads(ran(run("perplexity", "again.lm", "s.txt", "--json")))
    assert again["oovs"] == own["oovs"] == 0
    assert again["log10_probability"] == pytest.approx(own["log10_probability"], abs=1e-5)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            "export w.lm --format tokenizer.json -o x",
            "the tokenizer word of w.lm has no vocabulary",
        ),
        ("export low.tok -o x", "made with --lowercase"),
        ("export u.tok --format gpt2 -o x", "hold BPE over bytes"),
        ("export b.tok --format gpt2 -o a.txt", "a.txt is a file"),
        ("export b.tok -o b.tok", "would write over MODEL"),
        ("train-tokenizer --from b.tok --pattern gpt4 -o x", "--pattern means nothing"),
        ("train-tokenizer --from a.txt --special-token <x> -o x", "<x> has no id"),
        ("train-tokenizer --from a.txt -o x", "a.txt"),
        ("train-tokenizer --from t.json --pattern gpt4 -o x", "pattern cannot be given"),
        ("train-tokenizer --from t.json --lowercase -o x", "lowercase cannot be given"),
        ("train a.txt --tokenizer ./a.txt -o x", "a.txt"),
    ],
)
def test_what_does_not_go_to_or_fro(words: str, said: str, learnt: Path, run: Run) -> None:
    if "w.lm" in words:
        ran(run("train", "a.txt", "--order", "1", "-o", "w.lm"))
    if "t.json" in words:
        ran(run("export", "b.tok", "-o", "t.json"))
    if "low.tok" in words:
        ran(
            run(
                "train-tokenizer", "a.txt", "--vocabulary-size", 260, "--lowercase", "-o", "low.tok"
            )
        )
    said_no(run(*words.split()), said)
    assert not (learnt / "x").exists()


# -- info ------------------------------------------------------------------------------------------


def test_info_of_a_tokenizer(learnt: Path, run: Run) -> None:
    section = json.loads(ran(run("info", "b.tok", "--json")))["tokenizer"]
    assert (section["name"], section["pattern"], section["vocabulary"]) == ("bpe", "gpt2", 290)
    assert section["special_tokens"] == ["<|x|>"]
    assert section["longest"][0] == "Ġharbour"
    figures = section["figures"]
    lines = (TOKENIZED * 3).splitlines()
    assert figures["lines"] == 6 and figures["words"] == sum(len(line.split()) for line in lines)
    assert figures["characters"] == figures["bytes"] == sum(map(len, lines))
    counts = json.loads(ran(run("tokenize", "b.tok", "a.txt", "--count", "--json")))[-1]
    assert figures["tokens"] == counts["tokens"]
    assert figures["characters_per_token"] == counts["characters_per_token"]
    assert figures["tokens_per_word"] == figures["tokens"] / figures["words"]
    # The same figures of the same text, measured again.
    again = json.loads(ran(run("info", "b.tok", "--text", "a.txt", "--json")))["tokenizer"]
    assert again["figures"] == figures and again["measured_on"] == "a.txt"
    shown = ran(run("info", "b.tok"))
    assert "bpe, 290 tokens" in shown and "Ġharbour" in shown


def test_info_tells_scripts_apart(learnt: Path, run: Run) -> None:
    (learnt / "mixed.txt").write_text("the море море 猫が the 12 &\n", encoding="utf-8")
    said = json.loads(ran(run("info", "b.tok", "--text", "mixed.txt", "--json")))
    scripts = {row["script"]: row for row in said["tokenizer"]["figures"]["scripts"]}
    words = {name: row["words"] for name, row in scripts.items()}
    assert words == {"Latin": 2, "Cyrillic": 2, "no letters": 2, "Han": 1}
    # A space and two bytes a letter.
    assert scripts["Cyrillic"]["tokens_per_word"] == 9
    assert scripts["Cyrillic"]["characters_per_token"] == 4 / 9
    assert scripts["Han"]["tokens"] == 7


def test_info_of_a_model_has_the_same_section(learnt: Path, run: Run) -> None:
    ran(run("train", "a.txt", "--tokenizer", "b.tok", "--order", "2", "-o", "m.lm"))
    own = json.loads(ran(run("info", "b.tok", "--json")))["tokenizer"]
    of_model = json.loads(ran(run("info", "m.lm", "--json")))["tokenizer"]
    for key in ("name", "pattern", "vocabulary", "special_tokens", "longest"):
        assert of_model[key] == own[key]
    for key in ("tokens", "characters", "bytes", "characters_per_token", "vocabulary_share"):
        assert of_model["figures"][key] == own["figures"][key]
    texted = json.loads(ran(run("info", "m.lm", "--json", "--text", "a.txt")))["tokenizer"]
    assert texted["figures"] == own["figures"]
    ran(run("train", "a.txt", "--order", "1", "-o", "words.lm"))
    assert "tokenizer" not in json.loads(ran(run("info", "words.lm", "--json")))
    assert "tokens a word" in ran(run("info", "words.lm", "--text", "a.txt"))


def test_damage_in_a_tokenizer_file(learnt: Path, run: Run) -> None:
    for sql in (
        "UPDATE merges SET left = 'x' WHERE rank = 0",
        "UPDATE meta SET value = '{}' WHERE key = 'figures'",
        "DELETE FROM meta WHERE key = 'text'",
    ):
        (learnt / "bad.tok").write_bytes((learnt / "b.tok").read_bytes())
        with sqlite3.connect(learnt / "bad.tok") as file:
            file.execute(sql)
        said_no(run("info", "bad.tok"), "bad.tok is damaged")
        said_no(run("train", "a.txt", "--tokenizer", "bad.tok", "-o", "m.lm"), "is damaged")

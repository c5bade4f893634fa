"""A terminal gets no control character of a text, a model, a file name or an error; a pipe gets
every byte as it is."""

from __future__ import annotations

import io
import json
import re
import shutil
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lmkit.api
from lmkit.cli.main import SECTIONS
from lmkit.cli.progress import ProgressBars
from lmkit.text.settings import TextSettings
from lmkit.visible import on_one_line, visible

from .support import faked_console, written

TERMINAL = {
    "stdin_is_terminal": False,
    "stdout_is_terminal": True,
    "stderr_is_terminal": True,
    "progress": False,
}
HOSTILE = {
    "link (OSC 8)": "\x1b]8;;http://a.example\x1b\\here\x1b]8;;\x1b\\",
    "clipboard (OSC 52)": "\x1b]52;c;cm0gLXJm\x07",
    "title (OSC 0)": "\x1b]0;owned\x07",
    "screen (CSI)": "\x1b[2J\x1b[31m\x1b[1m\x1b[0m",
    "screen (CSI of 8 bits)": "\x9b2J",
    "title (OSC of 8 bits)": "\x9d0;owned\x9c",
    "backspace": "rm\x08\x08ls",
    "delete": "rm\x7f\x7fls",
    "bell, form feed, vertical tab": "a\x07b\x0cc\x0bd",
    "override": "\u202egpj.exe\u202c",
    "isolate": "\u2066a\u2069",
    "shift out": "\x0eabc\x0f",
}
NAME = "a\x1b[31m\rb\nError: c\x9bd\u202e\x7f"
"""Of a file; it has a line end too."""


def obeyed(text):
    """The characters of ``text`` that a terminal would obey."""
    return {
        letter
        for letter in re.sub("\r\n", "\n", text)
        if (unicodedata.category(letter) == "Cc" and letter not in "\n\t")
        or "\u202a" <= letter <= "\u202e"
        or "\u2066" <= letter <= "\u2069"
    }


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a text and models that are full of it, some of them called `NAME`."""
    folder = tmp_path_factory.mktemp("hostile")
    good = ["the old farmer received a letter", "my sister believed the story of a stranger"]
    lines = [f"{line} {bad} {line}" for bad in HOSTILE.values() for line in good] * 2
    text = folder / f"{NAME}.txt"
    text.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
    settings = TextSettings("whitespace")
    source = folder / f"{NAME}.lm"
    lmkit.api.train(text, output=source, settings=settings, order=3)
    lmkit.api.train(text, output=folder / "char.lm", settings=TextSettings("char"), order=3)
    rows = [{"sentence_good": good[0], "sentence_bad": bad, "UID": bad} for bad in HOSTILE.values()]
    minimal = folder / f"{NAME}.jsonl"
    minimal.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    pairs = folder / "pairs.tsv"
    pairs.write_text("recieved\treceived\nbeleived\tbelieved\nfarmr\tfarmer\n", encoding="utf-8")
    lmkit.api.train_channel(source, output=folder / "channel.lm", pairs=pairs, embed=True)
    return folder


CALLS = {
    "train": ["{text}", "--tokenizer", "whitespace", "-o", "{new}"],
    "train-tokenizer": ["{text}", "--vocabulary-size", "300", "-o", "{new}"],
    "tokenize": ["{model}", "{text}"],
    "tokenize by characters": ["char", "{text}"],
    "tokenize --table": ["{char}", "{text}", "--table"],
    "tokenize --json": ["{model}", "{text}", "--json"],
    "tokenize in one colour": ["char", "{text}", "--color", "never"],
    "mix": ["{model}", "{char}", "--valid", "{text}", "-o", "{new}"],
    "prune": ["{model}", "--cutoffs", "0,1", "-o", "{new}"],
    "quantize": ["{model}", "-o", "{new}"],
    "import": ["{text}", "-o", "{new}"],
    "perplexity": ["{model}", "{char}", "{text}"],
    "compare": ["--test", "{text}", "--tokenizer", "whitespace", "--model", "{model}",
                "--output", "{new}"],
    "score": ["{model}", "{text}"],
    "score --per-token": ["{model}", "{text}", "--per-token"],
    "score --heat": ["{model}", "{text}", "--heat"],
    "score --heat of characters": ["{char}", "{text}", "--heat"],
    "score --explain": ["{model}", "{text}", "--explain"],
    "score --tsv": ["{model}", "{text}", "--tsv"],
    "score --csv": ["{model}", "{text}", "--csv"],
    "score --json": ["{model}", "{text}", "--json"],
    "score as a filter": ["{model}", "{text}", "--max-perplexity", "1e9"],
    "score of documents": ["{model}", "{text}", "--jsonl-field", "{bad}", "--errors", "replace"],
    "score of documents, strict": ["{model}", "{text}", "--jsonl-field", "text"],
    "classify": ["{model}", "{char}", "{text}"],
    "classify --jsonl": ["{model}", "{char}", "{text}", "--jsonl"],
    "classify --labelled": ["{model}", "{char}", "{text}", "--labelled"],
    "minimal-pairs": ["{model}", "{char}", "{minimal}"],
    "minimal-pairs --json": ["{model}", "{char}", "{minimal}", "--json"],
    "minimal-pairs of a text": ["{model}", "{text}"],
    "surprisal": ["{model}", "{text}"],
    "surprisal --words": ["{char}", "{text}", "--words"],
    "surprisal --csv": ["{model}", "{text}", "--words", "--csv"],
    "generate": ["{model}", "-n", "20", "--seed", "1"],
    "generate of characters": ["{char}", "-n", "20", "--seed", "1"],
    "generate --jsonl": ["{model}", "-n", "20", "--seed", "1", "--jsonl"],
    "correct": ["{channel}", "{wrong}"],
    "correct --diff": ["{channel}", "{wrong}", "--diff"],
    "correct --flag-only": ["{channel}", "{wrong}", "--flag-only"],
    "correct --explain": ["{channel}", "{wrong}", "--explain"],
    "correct --jsonl": ["{channel}", "{wrong}", "--jsonl"],
    "correct --tsv": ["{channel}", "{wrong}", "--tsv"],
    "correct --evaluate": ["{channel}", "--evaluate", "{wrong}", "{text}"],
    "suggest": ["{channel}", "recieved", "{bad}"],
    "counts": ["{model}", "letter"],
    "explain": ["{model}", "a letter {bad} {bad}"],
    "info": ["{model}"],
    "info --csv": ["{model}", "--csv"],
    "info --text": ["{model}", "--text", "{text}"],
    "tables": ["{copy}"],
    "export": ["{model}", "--output", "-"],
    "export of counts": ["{model}", "--format", "counts", "--output", "-"],
    "data get": ["get", "{bad}"],
    "data list": ["list"],
    "completion": ["{bad}"],
    "no such file": ["{bad}.lm", "{text}"],
}  # fmt: skip
HARMLESS = {
    *("data list", "quantize", "tables", "suggest"),
    *("correct --evaluate", "correct --explain", "correct --tsv"),
}
"""These write nothing of the text and of the names; the others show it in another form."""


def words_of(name, place, tmp_path):
    bad = HOSTILE["screen (CSI)"] + HOSTILE["override"] + HOSTILE["screen (CSI of 8 bits)"]
    text, model = place / f"{NAME}.txt", place / f"{NAME}.lm"
    wrong = tmp_path / f"{NAME}.txt"
    wrong.write_bytes(
        text.read_bytes().replace(b"received", b"recieved").replace(b"a st", b"\xc2\x9b a st")
    )
    copy = tmp_path / f"{NAME}.lm"
    shutil.copy(model, copy)
    known = {"text": text, "model": model, "char": place / "char.lm", "bad": bad, "copy": copy}
    known |= {"channel": place / "channel.lm", "wrong": wrong, "new": tmp_path / f"new {NAME}"}
    known["minimal"] = place / f"{NAME}.jsonl"
    command = "perplexity" if name == "no such file" else name.split(" ")[0]
    return [
        command,
        *(word.format(**{k: str(v) for k, v in known.items()}) for word in CALLS[name]),
    ]


def test_every_command_is_called():
    # A server does not end by itself; tests/serve looks at what it prints.
    named = {name.split(" ")[0] for name in CALLS} | {"serve"}
    assert named >= {name for commands in SECTIONS.values() for name in commands}


@pytest.mark.parametrize("name", CALLS)
def test_a_terminal_gets_no_control_characters(run, place, tmp_path, name):
    words = words_of(name, place, tmp_path)
    result = run(*words, **TERMINAL, color="never", width=200)
    assert "unexpected" not in result.err
    assert obeyed(result.out + result.err) == set()
    if name not in HARMLESS:
        assert re.search(r"\\x1b|\\u009b|\\u202e|\\x9b", result.out + result.err)
    assert "\nError: c" not in result.err


COLOURED = ["score --heat", "score --explain", "correct --diff", "correct --flag-only",
            "correct --explain", "explain", "score", "no such file"]  # fmt: skip


@pytest.mark.parametrize("name", COLOURED)
def test_colours_are_ours_alone(run, place, tmp_path, name):
    """As many codes as where the text is harmless, and none that moves anything."""
    words = words_of(name, place, tmp_path)
    result = run(*words, **TERMINAL, width=200)
    both = result.out + result.err
    assert re.search("\x1b\\[[0-9;]+m", both)
    plain = re.sub("\x1b\\[[0-9;]+m", "", both)
    assert obeyed(plain) == set()
    colourless = run(*words, **TERMINAL, color="never", width=200)
    legend = plain.partition("\n")[2] if "heat" in name or name == "score --explain" else plain
    if name != "score --heat":  # which shows figures in place of colours
        assert legend == colourless.out + colourless.err
    assert name in HARMLESS or "\\x1b[31m" in plain


def test_pipes_get_every_byte(run, place, tmp_path):
    text = (place / f"{NAME}.txt").read_text(encoding="utf-8")
    model = place / f"{NAME}.lm"
    assert run("score", model, place / f"{NAME}.txt", "--max-perplexity", "1e9").out == text
    wrong = text.replace("received", "recieved")
    corrected = run("correct", place / "channel.lm", stdin=wrong.encode()).out
    for bad in HOSTILE.values():
        assert corrected.count(bad) == text.count(bad)
    drawn = run("generate", model, "-n", "200", "--seed", "1").out
    assert "\x1b]0;owned\x07" in drawn and "\u202e" in drawn
    exported = run("export", model, "--output", "-").out
    assert "\x1b]52;" in exported


def test_rows_on_a_terminal_are_still_rows(run, place):
    """JSON means the same with escapes in it."""
    text = place / f"{NAME}.txt"
    piped = json.loads(run("score", place / f"{NAME}.lm", text, "--json").out)
    shown = json.loads(run("score", place / f"{NAME}.lm", text, "--json", **TERMINAL).out)
    assert piped == shown


def test_line_ends_of_other_systems_are_no_control_characters(run, place):
    lines = b"the old farmer\r\nmy sister\r\n"
    out = run("correct", place / "channel.lm", stdin=lines, **TERMINAL).out
    assert out == lines.decode()


def test_bytes_for_a_terminal_may_be_cut_anywhere():
    console = faked_console(stdout_is_terminal=True)
    stream = console.binary()
    for byte in "é\x1b👍\u202e\n".encode() + b"\xff\xc3":
        stream.write(bytes([byte]))
    stream.flush()
    assert written(console) == "é\\x1b👍\\u202e\n\\xff\\xc3"


@pytest.mark.parametrize("color", ["auto", "always"])
def test_styled_text_is_cleaned_inside_its_style(color):
    console = faked_console(stdout_is_terminal=True, color=color)
    console.write_line(console.style("a\x1b[2Jb", fg="red") + " \x1b[31mc")
    assert written(console) == "\x1b[31ma\\x1b[2Jb\x1b[0m \\x1b[31mc\n"


def test_a_pipe_gets_colours_where_they_are_asked_for_and_the_text_as_it_is():
    console = faked_console(color="always")
    console.write_line(console.style("a\x1b[2Jb", fg="red") + " \x1b[31mc")
    assert written(console) == "\x1b[31ma\x1b[2Jb\x1b[0m \x1b[31mc\n"


def test_a_title_of_a_bar_and_a_remark_beside_it_are_clean():
    console = faked_console(stderr_is_terminal=True)
    with ProgressBars(console) as bars:
        report = bars.bar(f"reading {NAME}")
        assert report is not None
        report(1, 2)
        console.remark(NAME)
        report(2, 2)
    assert isinstance(console.stderr, io.StringIO)
    # Of the codes that draw a bar all but colours move the cursor or hide it.
    drawn = re.sub("\x1b\\[[0-9;?]*[mAKhlJGH]", "", console.stderr.getvalue())
    assert obeyed(drawn.replace("\r", "")) == set()
    assert "a\\x1b[31m\\rb\\nError: c" in drawn


def test_interactive_questions_are_clean(run, place, tmp_path):
    text = tmp_path / "text.txt"
    text.write_bytes("\x1b[2J the old farmer recieved \u202ea \x9b letter\n".encode())
    words = ["correct", place / "channel.lm", text, "--interactive"]
    words += ["--output", tmp_path / "out.txt"]
    result = run(*words, stdin=b"y\n", **TERMINAL, color="never")
    assert result.status == 0 and "recieved" in result.err
    assert obeyed(result.out + result.err) == set()
    assert (tmp_path / "out.txt").read_bytes() == text.read_bytes().replace(
        b"recieved", b"received"
    )


def test_tracebacks_are_clean(run, tmp_path):
    result = run("info", tmp_path / NAME, "--debug", **TERMINAL, color="never")
    assert "Traceback" in result.err
    assert obeyed(result.err) == set()


@pytest.mark.parametrize("letter", ["\u200b", "\u200d", "\ufeff", "\u200f", "\t", "é", "👍🏽"])
def test_letters_that_move_nothing_stay(letter):
    assert visible(f"a{letter}b") == f"a{letter}b"


@given(st.text())
def test_what_is_visible_is_obeyed_by_nothing_and_the_same_again(text):
    shown = visible(text)
    assert obeyed(shown) == set()
    assert visible(shown) == shown
    assert "\n" not in on_one_line(text)
    if not obeyed(text):
        assert shown == text


def test_nothing_is_printed_but_by_the_console(root):
    """What goes round `lmkit.cli.console` would not be cleaned."""
    direct = re.compile(r"std(out|err)\.write|sys\.std(out|err)|click\.s?echo|\bprint\(")
    found = {
        path.name
        for path in (root / "lmkit/cli").rglob("*.py")
        if direct.search(path.read_text(encoding="utf-8"))
    }
    assert found <= {"console.py", "failures.py"}

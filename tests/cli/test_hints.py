"""What errors say to try: options that the command has, and commands that work."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

import lmkit
from lmkit.cli.main import cli
from lmkit.signatures import KINDS
from lmkit.text.settings import TextSettings

from .support import ROOT, Result

OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*[a-z]")
CALL = re.compile(
    # Behind "an", "any" and "no" it is prose: an lmkit model.
    r"(?<!\ban )(?<!any )(?<!no )`?\blmkit (?P<name>[a-z]+(?:-[a-z]+)*)(?P<rest>[^,;()`]*?)"
    r"(?=,|;|\(|\)|`| or |$|\. )"
)
FOREIGN = re.compile(r"\b(pip install|compile-lm|ngramprint|spm_encode|lz4|gzip|lzip)\b[^,]*")
"""Commands of others, with their own options."""


def options_of(command: click.Command) -> set[str]:
    names = ([*parameter.opts, *parameter.secondary_opts] for parameter in command.params)
    return {"-h", "--help"}.union(*names)


def command_of(name: str, rest: str = "") -> click.Command | None:
    """The command of these words; None where there is none."""
    context = click.Context(cli)
    found = cli.get_command(context, name)
    if isinstance(found, click.Group):
        word = (rest.split() or [""])[0]
        return found.get_command(context, word) or found
    return found


def dead_ends(hint: str, command: click.Command | None) -> list[str]:
    """What ``hint`` names that there is not: commands, their options, and options of ``command``
    (None: of any command)."""
    hint = FOREIGN.sub("", hint)
    missing = []

    def check(found: re.Match[str]) -> str:
        named = command_of(found["name"], found["rest"])
        if named is None:
            missing.append(found[0])
        else:
            missing.extend(set(OPTION.findall(found["rest"])) - options_of(named))
        return ""

    rest = CALL.sub(check, hint)
    known = ANY if command is None else options_of(command)
    return missing + sorted(set(OPTION.findall(rest)) - known)


def all_commands() -> Iterator[click.Command]:
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        yield command
        if isinstance(command, click.Group):
            for inner in command.list_commands(context):
                found = command.get_command(context, inner)
                assert found is not None
                yield found


ANY = {name for command in all_commands() for name in options_of(command)}

# -- what is written in the code --------------------------------------------------------------


def written_hints() -> Iterator[tuple[str, str]]:
    """Where each hint of the package stands, and its words; what is computed is ``X``."""
    for path in sorted((ROOT / "lmkit").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _raises(node.func):
                hints = [*node.args[1:], *(word.value for word in node.keywords)]
                for hint in hints:
                    yield f"{path.relative_to(ROOT)}:{hint.lineno}", _words(hint)


def _raises(function: ast.expr) -> bool:
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name.endswith(("Error", "malformed", "_ability", "_wrong"))


def _words(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_words(value) for value in node.values)
    if isinstance(node, ast.BinOp):
        return _words(node.left) + _words(node.right)
    if isinstance(node, ast.IfExp):
        return f"{_words(node.body)}, {_words(node.orelse)}"
    return "X"


def test_hints_name_what_there_is() -> None:
    hints = list(written_hints())
    assert len(hints) > 150
    found = {
        where: bad
        for where, hint in hints
        # An option whose name is computed ends in a hyphen.
        if (bad := dead_ends(re.sub(r"--[a-z-]*X[\w-]*", "", hint), None))
    }
    assert not found


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.what[:20])
def test_advice_for_files_of_other_programs_names_what_there_is(kind) -> None:
    assert not dead_ends(kind.hint("some file"), None)


@pytest.mark.parametrize(
    ("hint", "command", "bad"),
    [
        ("--errors replace", "generate", ["--errors"]),
        ("lmkit trian TEXT", "score", ["lmkit trian TEXT"]),
        ("lmkit train TEXT --order 3 --text", "score", ["--text"]),
        ("lmkit import x.arpa --output x.lm, or --against OTHER.lm", "score", []),
        ("lmkit import x.arpa --output x.lm, or --against OTHER.lm", "train", ["--against"]),
        ("`lmkit data get builtin`", "data", []),
        ("pip install --upgrade lmkit", "train", []),
    ],
)
def test_dead_ends_are_found(hint: str, command: str, bad: list[str]) -> None:
    assert dead_ends(hint, command_of(command)) == bad


# -- what bad calls say -----------------------------------------------------------------------


@pytest.fixture(scope="session")
def bad(tmp_path_factory, small_text, small_model, english_model, channel_model) -> Path:
    """A folder with models and with files that are not what is asked for."""
    folder = tmp_path_factory.mktemp("bad")
    for name, path in (("w", small_model), ("e", english_model), ("channel", channel_model)):
        (folder / f"{name}.lm").write_bytes(path.read_bytes())
    text = small_text.read_text(encoding="utf-8")
    (folder / "text").write_text(text, encoding="utf-8")
    lmkit.train(small_text, output=folder / "char.lm", order=2, settings=TextSettings("char"))
    lmkit.train(
        folder / "text", output=folder / "lstm.lm", backend="lstm", hidden=4, epochs=1, seed=1
    )
    lmkit.export_model(folder / "w.lm", folder / "w.arpa")
    (folder / "koi8").write_bytes("и вот что он сказал на это\n".encode("koi8-r") * 9)
    (folder / "utf16").write_bytes("and that is what was said\n".encode("utf-16-le"))
    (folder / "bytes").write_bytes(b"one\n\xfa\xfb\xfc\xfd\n")
    (folder / "marks").write_text("a <s> b\n" * 20)
    (folder / "kenlm").write_bytes(b"mmap lm http://kheafield.com/code format version 5\n\0")
    (folder / "list").write_text("the,12\nof,11\nand\n")
    (folder / "pairs").write_text("teh,the\n")
    return folder


TEXTS = ("koi8", "utf16", "bytes", "kenlm", "w.arpa", "nowhere")
BAD_CALLS = [
    # Every place where a text file is read, with every file that is no text in UTF-8.
    *(
        call.replace("%", text)
        for text in TEXTS
        for call in (
            "train % -o x.lm",
            "train text --valid % -o x.lm",
            "train text --vocabulary % -o x.lm",
            "train more % --append w.lm -o x.lm",
            "train % --from lstm.lm -o x.lm",
            "train --from w.lm --smoothing jelinek-mercer --valid % -o x.lm",
            "train --backend noisy-channel --source e.lm --pairs % -o x.lm",
            "train --backend noisy-channel --source e.lm --noisy % -o x.lm",
            "train --backend noisy-channel --source e.lm --lexicon % -o x.lm",
            "import % --format arpa -o x.lm",
            "import % --format counts -o x.lm",
            "import % --format google-books -o x.lm",
            "mix w.lm --cache --valid % -o x.lm",
            "quantize lstm.lm --valid % -o x.lm",
            "perplexity w.lm %",
            "perplexity lstm.lm text --tune-cache %",
            "perplexity % text",
            "score w.lm %",
            "score % text",
            "score w.lm text --against %",
            "compare % -o x",
            "compare --train text --test % -o x --model ngram:order=1",
            "correct channel.lm %",
            "correct channel.lm text --lexicon %",
            "correct channel.lm text --dictionary %",
            "correct channel.lm --evaluate % text",
            "correct channel.lm --tune text %",
            "correct channel.lm --evaluate-pairs %",
            "suggest e.lm word --lexicon %",
            "suggest e.lm word --dictionary %",
            "info %",
            "tables %",
            "counts % a",
            "explain % a",
            "generate %",
            "prune % --size 10 -o x.lm",
            "export % -o x.arpa",
        )
    ),
    # Lists and pairs.
    "train text --vocabulary list -o x.lm",
    "correct channel.lm text --lexicon list",
    "train --backend noisy-channel --source e.lm --pairs pairs -o x.lm",
    # Marks of sentences.
    *(
        call.replace("%", "marks")
        for call in (
            "train % -o x.lm",
            "train text --valid % -o x.lm",
            "mix w.lm --cache --valid % -o x.lm",
            "quantize lstm.lm --valid % -o x.lm",
            "perplexity w.lm %",
            "perplexity lstm.lm text --tune-cache %",
            "score w.lm %",
            "compare % -o x --model ngram:order=1",
            "generate w.lm --prompt </s>",
            "explain w.lm </s>",
            "counts w.lm </s>",
        )
    ),
    # Models that cannot do what is asked of them.
    "mix w.lm char.lm --valid text -o x.lm",
    "mix w.lm w.lm -o x.lm",
    "mix w.lm w.lm --weights 7,3 -o x.lm",
    "mix w.lm --cache --weights 1 -o x.lm",
    "mix w.lm --valid text -o x.lm",
    "correct char.lm text",
    "suggest char.lm word",
    "train --backend noisy-channel --source char.lm -o x.lm",
    "train --backend noisy-channel -o x.lm",
    "train text --backend noisy-channel --source w.lm -o x.lm",
    "train text --pairs pairs -o x.lm",
    "score w.lm text --against char.lm --difference-per token",
    "score w.lm text --difference-per token",
    "score w.lm text --max-difference 0",
    "score w.lm text --max-perplexity 3 --json",
    "score w.lm text --heat --json",
    "score w.lm text --against w.lm --against w.lm",
    "score w.lm text --state carry",
    "score lstm.lm text --state line --cache 10",
    "score lstm.lm text --cache-weight 0.1",
    "perplexity w.lm text --cache 10",
    "perplexity w.lm text list",
    "prune lstm.lm --size 3 -o x.lm",
    "prune w.lm -o x.lm",
    "prune w.lm --size 1 -o x.lm",
    "prune w.lm --entropy -1 -o x.lm",
    "prune w.lm --closed --size 3 -o x.lm",
    "score w.lm --ngram a --total",
    "score lstm.lm --ngram a",
    "train text --no-sentence-marks --segment paragraph -o x.lm",
    "train text --no-sentence-marks --backend lstm -o x.lm",
    "import w.arpa --classes text -o x.lm",
    "train text --backend class -o x.lm",
    "quantize w.lm -o x.lm",
    "export lstm.lm -o x.arpa",
    "export w.lm -o nowhere/x.arpa",
    "counts lstm.lm a",
    "explain lstm.lm a",
    "generate w.lm --beam 3 --greedy",
    "generate w.lm --beam 0",
    "generate w.lm --top-p 0",
    "generate w.lm --prompt \udcff",
    "suggest e.lm wrd\udcff",
    "suggest e.lm word --around none",
    "explain w.lm \udcff",
    "counts w.lm \udcff",
    "train text --append lstm.lm -o x.lm",
    "train --from lstm.lm -o x.lm",
    "train text --append w.lm --from w.lm -o x.lm",
    "train text --append w.lm --order 2 -o x.lm",
    "train text --discount 3,4 -o x.lm",
    "train text --smoothing witten-bell --discount 0.5 -o x.lm",
    "train text --tune -o x.lm",
    "train text --memory 1 -o x.lm",
    "train text --prune 3,2 -o x.lm",
    "train text --hidden 3 -o x.lm",
    "train text --backend nosuch -o x.lm",
    "train text --encoding nosuch -o x.lm",
    "train text --encoding gbk --vocabulary koi8 -o x.lm",
    "train w.lm -o x.lm",
    "train text -o nowhere/x.lm",
    "train text -o x.lm --nosuch",
    "import w.arpa --order 2 -o x.lm",
    "import text --years 1950-1960 --format counts -o x.lm",
    "import text --years 1960-1950 -o x.lm",
    "import - -o x.lm",
    "compare w.lm -o x",
    "compare list -o x --model ngram:order=1",
    "compare text -o x --model nosuch",
    "compare text -o x --model ngram:nosuch=1",
    "compare text -o x --tokenizer char",
    "compare text --train text -o x",
    "compare --train text -o x",
    "correct channel.lm text more",
    "correct channel.lm --in-place",
    "correct channel.lm text --in-place --output x",
    "correct channel.lm text --in-place --diff",
    "correct channel.lm --evaluate text text --output x",
    "correct e.lm --tune text text",
    "correct text channel.lm",
    "correct nowhere.lm text",
    "suggest e.lm",
    "data get nosuch",
    "data path wikitext-2",
    "completion nosuch",
    "nosuch",
]


@pytest.fixture
def call(run, tmp_path, monkeypatch) -> Callable[..., Result]:
    """``call("train text -o x.lm", folder)``: that command line; its words are files of the
    folder, and what begins with an x, or is nowhere, is in a folder of the test's own."""
    monkeypatch.setenv("LMKIT_HOME", str(tmp_path / "home"))

    def runner(line: str, folder: Path, **facts: object) -> Result:
        words = []
        for word in line.split(" "):
            own = word.startswith(("x", "nowhere"))
            is_file = own or word == "more" or (folder / word).exists()
            words.append(str((tmp_path if own else folder) / word) if is_file else word)
        return run(*words, **facts)

    return runner


@pytest.mark.parametrize("line", BAD_CALLS)
def test_hints_of_bad_calls_are_no_dead_ends(call, bad, line) -> None:
    result = call(line, bad)
    if result.status == 0:
        # Models of bytes of another kind: what is asked for can be done.
        assert line in MAY_WORK
        return
    error = result.err.splitlines()[-1]
    assert error.startswith("Error: "), error
    assert "unexpected" not in error
    hint = error.partition(" Try: ")[2]
    first, second = [*line.split(), ""][:2]
    assert not dead_ends(hint, command_of(first, second) or cli), error


MAY_WORK = {"counts w.lm </s>", "import w.arpa --format arpa -o x.lm"}


@pytest.mark.parametrize("command", ["score w.lm", "perplexity w.lm", "correct channel.lm"])
def test_the_hint_at_a_terminal_names_the_command(call, bad, command) -> None:
    result = call(command, bad, stdin_is_terminal=True)
    assert f"| lmkit {command.split()[0]}." in result.err


# -- hints that are whole commands, run -------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "perplexity w.arpa text",
        "score w.arpa text",
        "train w.arpa -o x.lm",
        "generate w.arpa",
        "train text -o nowhere/x.lm",
        "import w.lm -o x.lm",
        "train w.lm -o x.lm",
    ],
)
def test_a_hint_that_is_a_command_works(call, run, bad, line, tmp_path) -> None:
    for name in ("w.arpa", "text", "w.lm"):
        (tmp_path / name).write_bytes((bad / name).read_bytes())
    result = call(line, tmp_path)
    assert result.status in (1, 2)
    hint = result.err.splitlines()[-1].partition(" Try: ")[2].removesuffix(".")
    words = shlex.split(hint.partition(",")[0])
    if words[0] == "lmkit":
        again = run(*words[1:])
    elif words[0] == "mkdir":
        Path(words[-1]).mkdir(parents=True)
        again = call(line, tmp_path)
    else:
        # An option that the same command has.
        again = call(f"train text {words[0]} w.lm -o x.lm", tmp_path)
    assert again.status == 0, again.err


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("koi8", "--encoding koi8-r"),
        ("utf16", "--encoding utf-16-le"),
        ("bytes", "--errors replace"),
    ],
)
@pytest.mark.parametrize(
    "line", ["train % -o x.lm", "perplexity w.lm %", "correct channel.lm % -o x"]
)
def test_options_of_hints_work(call, bad, line, text, option) -> None:
    line = line.replace("%", text)
    refused = call(line, bad)
    assert refused.status == 1
    assert option in refused.err
    assert call(f"{line} {option}", bad).status == 0

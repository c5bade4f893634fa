"""The frame that every command stands in: lazy imports, help, examples, common options."""

from __future__ import annotations

import re
import sys

import click
import pytest

from lmkit.cli.command import Command, Group, command
from lmkit.cli.main import SECTIONS, cli

from .support import faked_console, run_python

HEAVY = ("numpy", "sqlite_utils", "sqlite3", "rich", "regex")


def all_commands() -> dict[str, click.Command]:
    """Every command and, as ``data list``, every command of a command."""
    context = click.Context(cli)
    found: dict[str, click.Command] = {}

    def visit(name: str, one: click.Command) -> None:
        found[name] = one
        if isinstance(one, click.Group):
            for inner in one.list_commands(context):
                visit(f"{name} {inner}", one.get_command(context, inner))

    for name in cli.list_commands(context):
        visit(name, cli.get_command(context, name))
    return found


COMMANDS = all_commands()


@pytest.fixture(params=COMMANDS)
def named(request) -> tuple[str, click.Command]:
    return request.param, COMMANDS[request.param]


UNMEASURED = {"COVERAGE_PROCESS_CONFIG": ""}
"""What measures coverage imports modules of its own into every process that is told of it."""


def imported_by(*words: str) -> set[str]:
    """Which of the heavy packages a command line imports."""
    program = (
        "import sys\n"
        "from lmkit.cli.main import main\n"
        "main(sys.argv[1:])\n"
        f"print('imported', *[name for name in {HEAVY!r} if name in sys.modules])"
    )
    result = run_python("-c", program, *words, env=UNMEASURED)
    last = result.stdout.splitlines()[-1].split()
    assert last[0] == "imported", result.stderr
    return set(last[1:])


def test_the_test_of_imports_notices_one():
    assert run_python("-c", "import numpy, sys; print('numpy' in sys.modules)").stdout == "True\n"


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["nosuch"], []])
def test_lmkit_alone_imports_nothing_heavy(words):
    assert imported_by(*words) == set()


def test_help_of_a_command_imports_nothing_heavy():
    assert imported_by("perplexity", "--help") == set()
    for name, one in COMMANDS.items():
        module = sys.modules[one.callback.__module__]
        assert not set(HEAVY) & set(vars(module)), f"{name} imports at its head"


def test_help_lists_every_command_with_its_line(run):
    out = run("--help").out
    longest = max(map(len, cli.table))
    for rows in SECTIONS.values():
        for name, (_, text) in rows.items():
            assert f"  {name.ljust(longest)}  {text}\n" in out


@pytest.mark.parametrize("name", cli.table)
def test_the_line_in_the_table_is_the_first_of_the_docstring(name):
    assert " ".join(COMMANDS[name].help.split("\n\n")[0].split()) == cli.table[name][1]


def test_every_command_ends_its_help_with_an_example(named, run):
    name, one = named
    assert isinstance(one, Command | Group), f"{name} is declared with click, not lmkit.cli.command"
    assert one.example, f"the docstring of {name} does not end with an example"
    assert any(line.startswith(f"lmkit {name}") for line in one.example)
    for flag in ("-h", "--help"):
        result = run(*name.split(), flag)
        assert result.status == 0
        assert result.out.rstrip().endswith(one.example[-1])


def test_every_option_has_help(named):
    name, one = named
    for parameter in one.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.opts[0]}"


def test_every_argument_is_named_in_the_help(named):
    name, one = named
    for parameter in one.params:
        if isinstance(parameter, click.Argument):
            for word in (parameter.metavar or parameter.name).split():
                assert re.search(rf"\b{word.strip('[].')}\b", one.help, re.I), f"{name} {word}"


def test_every_command_takes_the_common_options(named):
    flags = {flag for parameter in named[1].params for flag in parameter.opts}
    assert {"--quiet", "-q", "--no-progress", "--color", "--debug"} <= flags


@pytest.mark.parametrize("before", [True, False])
def test_common_options_reach_the_console_before_and_after_the_command(before):
    seen = []

    @command("see")
    @click.pass_obj
    def see(console):
        """See."""
        seen.append(console)

    group = Group("top", commands=[see])
    flags = ["--quiet", "--no-progress", "--color", "never", "--debug"]
    console = faked_console()
    words = [*flags, "see"] if before else ["see", *flags]
    with group.make_context("top", words, obj=console) as context:
        group.invoke(context)
    assert seen == [console]
    assert (console.quiet, console.progress, console.color, console.debug) == (
        True,
        False,
        "never",
        True,
    )


def test_indented_paragraphs_of_a_docstring_keep_their_lines(run):
    out = run("completion", "--help").out
    assert '    ~/.zshrc                       eval "$(lmkit completion zsh)"\n' in out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_the_shells_script(run, shell):
    result = run("completion", shell)
    assert result.status == 0
    assert f"_LMKIT_COMPLETE={shell}_complete" in result.out


def test_a_shell_without_completion_is_a_usage_error(run):
    result = run("completion", "tcsh")
    assert result.status == 2
    assert "'tcsh' is not one of" in result.err


def test_completing_a_command_lists_those_that_fit_and_imports_none_of_them():
    program = (
        "import sys; from lmkit.cli.main import main; main();"
        f"print('imported', *[name for name in {HEAVY!r} if name in sys.modules])"
    )
    result = run_python(
        "-c",
        program,
        env={
            **UNMEASURED,
            "_LMKIT_COMPLETE": "bash_complete",
            "COMP_WORDS": "lmkit per",
            "COMP_CWORD": "1",
        },
    )
    assert result.stdout == "plain,perplexity\nimported\n"

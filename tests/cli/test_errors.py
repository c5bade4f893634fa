"""How commands end: exit codes one by one, one-line errors, --debug, closed pipes."""

from __future__ import annotations

import errno
import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from lmkit.cli import main as main_module
from lmkit.cli.command import command
from lmkit.cli.console import Console, pass_console
from lmkit.cli.main import main
from lmkit.errors import ExitCode, LmkitError, ModelFileError, UsageError


@pytest.fixture
def failing(monkeypatch):
    """``failing(error)`` puts a command ``fail`` into the table that raises ``error``."""

    def install(error):
        @command("fail")
        @click.option("--count", type=int, help="A number.")
        @click.argument("thing", required=False)
        @pass_console
        def fail(console, count, thing):
            """Fail."""
            console.write_line("before")
            raise error

        monkeypatch.setattr(main_module, "FAIL", fail, raising=False)
        monkeypatch.setitem(main_module.cli.table, "fail", ("lmkit.cli.main:FAIL", "Fail."))

    return install


def test_success_is_0(run):
    assert run("--version").status == ExitCode.OK == 0


def test_an_error_is_1_and_one_line(run, failing):
    failing(ModelFileError("x.lm is no model", "lmkit train"))
    result = run("fail")
    assert (result.status, result.err) == (1, "Error: x.lm is no model. Try: lmkit train.\n")
    assert result.out == "before\n"


def test_an_error_without_a_hint_is_a_sentence(run, failing):
    failing(LmkitError("it broke"))
    assert run("fail").err == "Error: it broke.\n"


def test_an_error_that_names_a_file_with_a_line_end_stays_on_one_line(run, failing):
    failing(LmkitError("no file a\nb", "c"))
    assert run("fail").err == "Error: no file a b. Try: c.\n"


@pytest.mark.parametrize(
    "words, said",
    [
        (["fail", "--count", "x"], "Invalid value for '--count': 'x' is not a valid integer."),
        (["fail", "--cuont", "1"], "No such option '--cuont'. Did you mean '--count'?"),
        (["fail", "a", "b"], "Got unexpected extra argument"),
        (["fail", "--count"], "Option '--count' requires an argument."),
    ],
)
def test_a_wrong_call_is_2_and_one_line(run, failing, words, said):
    failing(LmkitError("never"))
    result = run(*words)
    assert result.status == ExitCode.USAGE == 2
    assert said in result.err
    assert result.err.startswith("Error: ")
    assert result.err.endswith("Try: lmkit fail --help.\n")
    assert result.err.count("\n") == 1


def test_the_librarys_usage_error_is_2(run, failing):
    failing(UsageError("both given", "one"))
    assert run("fail").status == 2


def test_an_unknown_command_suggests_the_close_one(run):
    result = run("perplxity", "model.lm")
    assert result.status == 2
    assert result.err == (
        "Error: No such command 'perplxity'. Did you mean perplexity? Try: lmkit --help.\n"
    )


def test_an_unknown_command_unlike_any_suggests_none(run):
    assert run("zzz").err == "Error: No such command 'zzz'. Try: lmkit --help.\n"


def test_no_command_shows_the_help_on_standard_error(run):
    result = run()
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith("Usage: lmkit")


def test_an_interrupt_is_130_and_a_short_word(run, failing):
    failing(KeyboardInterrupt())
    result = run("fail")
    assert (result.status, result.err) == (130, "Interrupted.\n")


def test_out_of_memory_says_so(run, failing):
    failing(MemoryError())
    result = run("fail")
    assert result.status == 1
    assert result.err.startswith("Error: out of memory. Try: lmkit train --memory")


@pytest.mark.parametrize(
    "number, reason",
    [
        (errno.ENOSPC, "x.lm: no space left on device. Try: freeing some space"),
        (errno.EROFS, "x.lm: read-only file system. Try: a directory that can be written"),
        (errno.EACCES, "x.lm: permission denied. Try: another place"),
        (errno.ENOENT, "x.lm: no such file or directory. Try: another path"),
    ],
)
def test_an_error_of_the_system_names_the_file_and_the_reason(run, failing, number, reason):
    failing(OSError(number, os.strerror(number), "x.lm"))
    result = run("fail")
    assert result.status == 1
    assert result.err.startswith(f"Error: {reason}")
    assert result.err.count("\n") == 1


def test_an_unexpected_error_names_its_type_and_the_way_to_more(run, failing):
    failing(ZeroDivisionError("division by zero"))
    result = run("fail")
    assert result.status == 1
    assert result.err == (
        "Error: unexpected ZeroDivisionError: division by zero."
        " Try: the same command with --debug to see where.\n"
    )


@pytest.mark.parametrize("words", [["--debug", "fail"], ["fail", "--debug"]])
def test_debug_shows_the_traceback_before_the_line(run, failing, words):
    failing(ZeroDivisionError("division by zero"))
    result = run(*words)
    assert result.status == 1
    assert result.err.startswith("Traceback (most recent call last)")
    assert result.err.splitlines()[-1].startswith("Error: unexpected ZeroDivisionError")


def test_debug_can_be_set_in_the_environment(process, tmp_path):
    result = process("nosuch", env={"LMKIT_DEBUG": "1"})
    assert result.returncode == 2
    assert result.stderr.startswith("Traceback")
    assert process("nosuch", env={"LMKIT_DEBUG": "0"}).stderr.startswith("Error: ")


def test_the_error_is_red_only_where_colours_are_wanted(run, failing):
    failing(LmkitError("it broke"))
    red = "\x1b[31m"
    assert red in run("fail", stderr_is_terminal=True).err
    assert red not in run("fail", stderr_is_terminal=True, no_color=True).err
    assert red not in run("fail", "--color", "never", stderr_is_terminal=True).err
    assert red not in run("fail").err
    assert red in run("--color", "always", "fail", no_color=True).err


def test_a_closed_pipe_inside_a_command_ends_quietly(run, failing):
    failing(BrokenPipeError(errno.EPIPE, "Broken pipe"))
    result = run("fail")
    assert (result.status, result.err) == (0, "")


LONG = """
import sys, click
from lmkit.cli import main
from lmkit.cli.command import command
from lmkit.cli.console import pass_console
@command("long")
@click.argument("lines", type=int)
@pass_console
def long(console, lines):
    "Long."
    for line in range(lines):
        console.write_line(str(line))
main.LONG = long
main.cli.table["long"] = ("lmkit.cli.main:LONG", "Long.")
sys.exit(main.main())
"""


def long_command(lines: int) -> list[str]:
    return [sys.executable, "-c", LONG, "long", str(lines)]


@pytest.mark.parametrize("lines", [10, 1_000_000])
def test_a_closed_pipe_ends_quietly_whether_it_is_noticed_early_or_at_the_last_flush(
    lines, environment
):
    with subprocess.Popen(
        long_command(lines), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        if lines > 10:
            assert running.stdout.readline() == b"0\n"
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait(60) == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("lines", [10, 1_000_000])
def test_a_full_disk_behind_standard_output_is_one_line(lines, environment):
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            long_command(lines), stdout=full, stderr=subprocess.PIPE, env=environment, check=False
        )
    assert ended.returncode == 1
    assert ended.stderr.decode().startswith("Error: no space left on device. Try: ")
    assert ended.stderr.count(b"\n") == 1


def test_a_closed_standard_output_is_one_line(environment):
    words = [sys.executable, "-m", "lmkit", "--version"]
    quoted = " ".join(f"'{word}'" for word in words)
    ended = subprocess.run(
        ["/bin/sh", "-c", f"exec {quoted} >&-"], capture_output=True, env=environment, check=False
    )
    assert ended.returncode == 1
    assert ended.stderr == b"Error: standard output is closed. Try: a file: > out.txt.\n"


def test_ctrl_c_ends_a_process_with_130(environment):
    with subprocess.Popen(
        long_command(10**7), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.readline()
        running.send_signal(signal.SIGINT)
        while running.stdout.read(1 << 20):
            pass
        assert running.stderr.read() == b"Interrupted.\n"
        assert running.wait(60) == 130


def test_python_m_lmkit_is_lmkit(process):
    result = process("--version")
    assert (result.returncode, result.stdout) == (0, f"lmkit {version()}\n")


def version() -> str:
    from lmkit import __version__

    return __version__


def test_main_takes_the_arguments_of_the_process_by_default(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["lmkit", "--version"])
    out = io.StringIO()
    assert main(console=Console(None, out, io.StringIO())) == 0
    assert out.getvalue().startswith("lmkit ")

"""Types and helpers that commands share."""

from __future__ import annotations

import io
from pathlib import Path

import click
import pytest

from lmkit.cli.options import Cutoffs, MemorySize, chosen_seed, text_source
from lmkit.errors import UsageError

from .support import faked_console


@pytest.mark.parametrize(
    "written, size",
    [
        ("2G", 2 * 1024**3),
        ("500M", 500 * 1024**2),
        ("500m", 500 * 1024**2),
        ("1.5GiB", 3 * 1024**3 // 2),
        ("1 GB", 10**9),
        ("64k", 65536),
        ("123", 123),
        ("123B", 123),
        ("1T", 1024**4),
    ],
)
def test_a_size_of_memory(written, size):
    assert MemorySize().convert(written, None, None) == size


@pytest.mark.parametrize("written", ["", "2X", "G", "-1G", "1e9", "2GG", "0", "0.1B", "two"])
def test_what_is_no_size_of_memory_says_how_to_write_one(written):
    with pytest.raises(click.BadParameter, match="write 2G, 500M or"):
        MemorySize().convert(written, None, None)


@pytest.mark.parametrize("written, cutoffs", [("0,0,1", (0, 0, 1)), ("2", (2,)), ("0, 1", (0, 1))])
def test_cutoffs(written, cutoffs):
    assert Cutoffs().convert(written, None, None) == cutoffs


@pytest.mark.parametrize("written", ["", "0,,1", "a", "1,0", "-1,0", "0.5"])
def test_what_are_no_cutoffs_says_how_to_write_some(written):
    with pytest.raises(click.BadParameter, match="write 0,0,1"):
        Cutoffs().convert(written, None, None)


def test_text_is_a_file_and_a_dash_or_nothing_is_standard_input():
    console = faked_console(b"abc")
    assert text_source(console, "a.txt") == Path("a.txt")
    assert text_source(console, "-") is console.stdin
    assert text_source(console, None) is console.stdin


@pytest.mark.parametrize("text", [None, "-"])
def test_standard_input_at_a_terminal_is_an_error_with_a_hint(text):
    with pytest.raises(UsageError, match="standard input is a terminal"):
        text_source(faked_console(stdin_is_terminal=True), text)


def test_closed_standard_input_is_an_error():
    console = faked_console()
    console.stdin = None
    with pytest.raises(UsageError, match="standard input is closed"):
        text_source(console, None)


def test_the_seed_is_said_and_drawn_if_not_given():
    console = faked_console()
    assert chosen_seed(console, 7) == 7
    drawn = chosen_seed(console, None)
    assert isinstance(console.stderr, io.StringIO)
    assert console.stderr.getvalue() == f"seed 7\nseed {drawn}\n"
    assert len({chosen_seed(console, None) for _ in range(5)}) == 5

"""Streams, remarks and progress bars."""

from __future__ import annotations

import io
import subprocess

import pytest

from lmkit.cli.console import Console
from lmkit.cli.progress import ProgressBars

from .support import faked_console, run_python, written

SHOW = """
from lmkit.cli.console import Console
console = Console.of_process()
console.write_line("héllo 東京")
console.write_bytes("bytes\\n".encode())
console.write_line("name \\udcff")
console.remark("a remárk")
console.flush()
"""

ONE_PLACE = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}


@pytest.mark.parametrize("locale", ["C", "en_US.ISO-8859-1", "POSIX"])
def test_output_is_utf_8_with_line_feeds_whatever_the_locale(locale):
    env = {"LC_ALL": locale, "PYTHONIOENCODING": "latin-1", "PYTHONCOERCECLOCALE": "0"}
    result = run_python("-c", SHOW, env=env, encoding=None)
    assert result.stdout == "héllo 東京\nbytes\nname \\udcff\n".encode()
    assert result.stderr == "a remárk\n".encode()


def test_quiet_silences_remarks_and_nothing_else():
    console = faked_console(quiet=True)
    console.remark("beside")
    console.write_line("result")
    assert isinstance(console.stderr, io.StringIO)
    assert (written(console), console.stderr.getvalue()) == ("result\n", "")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_results_and_remarks_that_end_in_one_place_stand_in_their_order(unbuffered):
    env = {"PYTHONUNBUFFERED": unbuffered}
    result = run_python("-c", SHOW, env=env, capture_output=False, **ONE_PLACE)
    assert result.stdout == "héllo 東京\nbytes\nname \\udcff\na remárk\n"


def test_a_reader_that_has_gone_does_not_stop_a_remark():
    class Gone(io.BytesIO):
        def write(self, _):
            raise BrokenPipeError

    console = Console(None, io.TextIOWrapper(io.BufferedWriter(Gone())), io.StringIO())
    console.write_line("result")
    console.remark("beside")
    assert console.stderr.getvalue() == "beside\n"
    with pytest.raises(BrokenPipeError):
        console.flush()


def test_a_bar_is_drawn_on_a_terminal():
    console = faked_console(stderr_is_terminal=True)
    with ProgressBars(console) as bars:
        report = bars.bar("reading")
        assert report is not None
        report(5_000_000, 10_000_000)
        console.remark("a [bold]remark[/bold]")
        report(10_000_000, 10_000_000)
    assert isinstance(console.stderr, io.StringIO)
    drawn = console.stderr.getvalue()
    assert "reading" in drawn
    assert "10.0/10.0 MB" in drawn
    assert "a [bold]remark[/bold]" in drawn
    assert console.live is None
    assert written(console) == ""


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"stderr_is_terminal": True, "progress": False},
        {"stderr_is_terminal": True, "quiet": True},
    ],
)
def test_no_bar_is_drawn_where_nobody_sees_or_wants_it(facts):
    console = faked_console(**facts)
    with ProgressBars(console) as bars:
        assert bars.bar("reading") is None
    assert isinstance(console.stderr, io.StringIO)
    assert console.stderr.getvalue() == ""


def test_no_bar_is_drawn_among_results_on_the_same_terminal():
    both = {"stderr_is_terminal": True, "stdout_is_terminal": True}
    with ProgressBars(faked_console(**both), shares_terminal=True) as bars:
        assert bars.bar("scoring") is None
    with ProgressBars(faked_console(stderr_is_terminal=True), shares_terminal=True) as bars:
        assert bars.bar("scoring") is not None


def test_stages_are_a_bar_each_and_none_after_the_end():
    console = faked_console(stderr_is_terminal=True)
    with ProgressBars(console) as bars:
        report = bars.stages()
        assert report is not None
        report("reading", 1_000_000, 2_000_000)
        report("counting", 1, 3)
        report("counting", 3, 3)
    assert isinstance(console.stderr, io.StringIO)
    drawn = console.stderr.getvalue()
    assert "1.0/2.0 MB" in drawn
    assert "3/3" in drawn
    report("smoothing", 1, 2)
    assert console.stderr.getvalue() == drawn
    assert console.live is None


def test_a_bar_without_a_known_total_shows_what_is_done():
    console = faked_console(stderr_is_terminal=True)
    with ProgressBars(console) as bars:
        report = bars.bar("reading", "lines")
        assert report is not None
        report(1500, None)
    assert isinstance(console.stderr, io.StringIO)
    assert "1.5 k lines" in console.stderr.getvalue()


@pytest.mark.parametrize(
    "done, total, shown",
    [
        (500, 43_969, "0.5/44.0 k tokens"),
        (500, 2_000_000, "0.0/2.0 M tokens"),
        (2_500_000, None, "2.5 M"),
    ],
)
def test_tokens_are_told_in_a_unit_that_suits_their_number(done, total, shown):
    console = faked_console(stderr_is_terminal=True)
    with ProgressBars(console) as bars:
        report = bars.bar("m.lm", "tokens")
        assert report is not None
        report(done, total)
    assert isinstance(console.stderr, io.StringIO)
    assert shown in console.stderr.getvalue()


def test_a_line_says_as_much_as_fits_and_makes_bars_that_have_ended_go():
    console = faked_console(stderr_is_terminal=True, width=60)
    forms = ["loss 4.312 perplexity 74.59 gradient 0.35 1:23 left", "loss 4.312 1:23 left"]
    with ProgressBars(console) as bars:
        report, show = bars.stages(), bars.line("training")
        assert report is not None and show is not None
        report("reading", 2_000_000, 2_000_000)
        before = console.stderr.getvalue()
        report("training", 1, 1000)
        show(0.27, forms)
        show(1.0, forms)
    drawn = console.stderr.getvalue()
    assert "reading" in before and "reading" not in drawn[len(before) :].split("training", 1)[1]
    assert "training 100 %" in drawn and "loss 4.312 1:23 left" in drawn
    assert "perplexity" not in drawn and "1/1000" not in drawn


@pytest.mark.parametrize(
    "room, shown",
    [
        (20, ("head 9 %", "four and ten")),
        (16, ("9 %", "four and ten")),
        (14, ("head 9 %", "four")),
        (7, ("9 %", "four")),
        (5, ("9 %", "fo")),
        (0, ("9 %", "")),
    ],
)
def test_the_longest_words_that_fit_are_shown(room, shown):
    from lmkit.cli.bars import fitting

    assert fitting(["head 9 %", "9 %"], ["four and ten", "four"], room) == shown


def test_the_live_line_of_a_training_fits_80_columns():
    from lmkit.cli.neural_options import forms
    from lmkit.neural.training.course import Report

    report = Report(0.4, 12.34, 12345.6, 4.3123, 12.345, 0.001, 4.5, 3725.0)
    longest, _, usual, *_, shortest = forms(report)
    for said in ("epoch 12.34", "12,346 tokens/s", "loss 4.312", "perplexity 74.61", "valid 90.02",
                 "gradient 12.35", "1:02:05 left"):  # fmt: skip
        assert said in longest
    assert usual == "12.3k tok/s  loss 4.31  ppl 74.6  valid 90  grad 12.3  1:02:05 left"
    assert len(" 40 %  ") + len(usual) < 78, "and room for what Ctrl-C prints"
    assert shortest == "loss 4.31  1:02:05 left"


def test_rich_is_imported_only_for_a_bar():
    program = (
        "import io, sys\n"
        "from lmkit.cli.console import Console\n"
        "from lmkit.cli.progress import ProgressBars\n"
        "with ProgressBars(Console(None, None, io.StringIO())) as bars: bars.bar('x')\n"
        "print('rich' in sys.modules)"
    )
    assert run_python("-c", program).stdout == "False\n"

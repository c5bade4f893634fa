"""Rows in every format: what is written, that it reads back, that it streams."""

from __future__ import annotations

import csv
import io
import json

import click
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmkit.cli.command import command
from lmkit.cli.layout import number
from lmkit.cli.output import BLOCK, output_formats, write_rows

from .support import faked_console, written

COLUMNS = ["line", "probability", "oov", "text"]
ROWS = [
    (1, 0.125, False, "the cat"),
    (20, float("-inf"), True, 'says "no"'),
    (300, None, False, "東京"),
]


def rendered(fmt, rows=ROWS, columns=COLUMNS, **facts):
    console = faked_console(**facts)
    write_rows(console, rows, columns, fmt)
    return written(console)


def test_table_aligns_numbers_right_and_text_left():
    assert rendered("table") == (
        "line  probability  oov  text\n"
        "----  -----------  ---  ---------\n"
        "   1       0.1250       the cat\n"
        '  20         -inf  yes  says "no"\n'
        " 300            -       東京\n"
    )


def test_table_counts_the_columns_that_a_character_takes():
    rows = [("東京", "a"), ("e\u0301e", "b"), ("xyz", "c")]
    assert rendered("table", rows, ["token", "t"]).splitlines()[2:] == [
        "東京   a",
        "e\u0301e     b",
        "xyz    c",
    ]


def test_table_shows_what_would_move_the_cursor():
    out = rendered("table", [("a\tb\x1b[2J\r\nc",)], ["text"])
    assert out.splitlines()[2:] == [r"a\tb\x1b[2J\r\nc"]


def test_table_is_cut_at_the_edge_of_a_terminal_and_nowhere_else():
    row = [(1, "word " * 30)]
    wide = rendered("table", row, ["line", "text"], stdout_is_terminal=True, width=40)
    assert [len(line) for line in wide.splitlines()[1:]] == [40, 40]
    assert wide.endswith("…\n")
    assert rendered("table", row, ["line", "text"]).splitlines()[2].count("word") == 30


def test_table_without_rows_has_its_heading():
    assert rendered("table", []) == ("line  probability  oov  text\n----  -----------  ---  ----\n")


def test_table_heading_is_bold_where_colours_are_wanted():
    assert rendered("table", stdout_is_terminal=True).startswith("\x1b[1mline")
    assert rendered("table", stdout_is_terminal=True, no_color=True).startswith("line")
    assert rendered("table", color="always").startswith("\x1b[1mline")


@pytest.mark.parametrize(
    "value, shown",
    [
        (0.0, "0.0000"),
        (0.12345678, "0.1235"),
        (224.81, "224.8100"),
        (-4712345.67, "-4712345.7"),
        (0.00012345, "0.0001234"),
        (1.23456e-9, "1.235e-09"),
        (3.5e14, "3.5e+14"),
        (float("inf"), "inf"),
        (float("-inf"), "-inf"),
        (float("nan"), "-"),
        (None, "-"),
        (7, "7.0000"),
    ],
)
def test_table_rounds_numbers_for_reading(value, shown):
    assert number(value) == shown


def test_json_is_one_array_with_null_for_what_is_no_number():
    out = rendered("json")
    assert json.loads(out) == [
        {"line": 1, "probability": 0.125, "oov": False, "text": "the cat"},
        {"line": 20, "probability": None, "oov": True, "text": 'says "no"'},
        {"line": 300, "probability": None, "oov": False, "text": "東京"},
    ]
    assert "東京" in out
    assert rendered("json", []) == "[]\n"


def test_jsonl_is_one_object_a_line():
    assert [json.loads(line)["line"] for line in rendered("jsonl").splitlines()] == [1, 20, 300]
    assert rendered("jsonl", []) == ""


def test_csv_and_tsv_have_a_header_and_line_feeds():
    assert rendered("csv") == (
        "line,probability,oov,text\n"
        "1,0.125,False,the cat\n"
        '20,-inf,True,"says ""no"""\n'
        "300,,False,東京\n"
    )
    assert rendered("tsv").splitlines()[1] == "1\t0.125\tFalse\tthe cat"


def test_numbers_of_numpy_are_numbers():
    row = [(np.int64(3), np.float32(0.5), np.float64("nan"), np.bool_(True))]
    assert json.loads(rendered("json", row)) == [
        {"line": 3, "probability": 0.5, "oov": None, "text": True}
    ]


def test_infinities_inside_a_value_are_null_too():
    row = [({"a": [float("inf"), 1.5], "b": (np.float32("nan"),)},)]
    assert json.loads(rendered("json", row, ["value"])) == [
        {"value": {"a": [None, 1.5], "b": [None]}}
    ]


texts = st.text(st.characters(exclude_categories=["Cs"]))
rows_of_any_text = st.lists(st.tuples(texts, st.floats(allow_nan=False), texts), min_size=1)


@given(rows_of_any_text)
def test_any_text_and_any_number_read_back_from_csv_and_tsv(rows):
    for fmt, delimiter in (("csv", ","), ("tsv", "\t")):
        source = io.StringIO(rendered(fmt, rows, ["a", "b", "c"]), newline="")
        back = list(csv.reader(source, delimiter=delimiter))
        assert back[0] == ["a", "b", "c"]
        assert [(a, float(b), c) for a, b, c in back[1:]] == rows


@given(rows_of_any_text)
def test_any_text_reads_back_from_json_lines_that_are_lines(rows):
    out = rendered("jsonl", rows, ["a", "b", "c"])
    lines = out.split("\n")
    assert lines.pop() == ""
    assert [tuple(json.loads(line).values())[::2] for line in lines] == [row[::2] for row in rows]


@given(rows_of_any_text)
def test_a_table_has_one_line_a_row_whatever_the_text(rows):
    assert len(rendered("table", rows, ["a", "b", "c"]).splitlines()) == len(rows) + 2


@pytest.mark.parametrize("fmt", ["table", "json", "jsonl", "csv", "tsv"])
def test_rows_are_written_before_the_last_one_is_known(fmt):
    console = faked_console()
    seen = []

    def rows():
        for line in range(3 * BLOCK):
            seen.append(len(written(console)))
            yield (line, "text")

    write_rows(console, rows(), ["line", "text"], fmt)
    assert seen[BLOCK - 1] < 20
    assert seen[2 * BLOCK] > 10 * BLOCK


def test_later_rows_of_a_table_may_be_wider_than_the_first_block():
    rows = [(1, "a")] * BLOCK + [(10**9, "b")]
    assert rendered("table", rows, ["line", "text"]).splitlines()[-1] == "1000000000  b"


@pytest.fixture
def listing():
    @command("listing")
    @output_formats
    @click.pass_obj
    def listing(console, fmt):
        """List."""
        console.write(fmt)

    def call(*flags):
        console = faked_console()
        with listing.make_context("listing", list(flags), obj=console) as context:
            listing.invoke(context)
        return written(console)

    return call


@pytest.mark.parametrize("fmt", ["json", "jsonl", "csv", "tsv"])
def test_a_flag_chooses_the_format(listing, fmt):
    assert listing(f"--{fmt}") == fmt


def test_no_flag_is_a_table(listing):
    assert listing() == "table"


def test_two_formats_exclude_each_other(listing):
    with pytest.raises(click.UsageError, match="--json and --tsv exclude each other"):
        listing("--tsv", "--json")

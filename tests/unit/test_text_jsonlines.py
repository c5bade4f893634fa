"""JSON lines: a field is read, fields are added, and the rest stays as it is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmkit.text.jsonlines import BadLineError, field_of, with_fields

NEW = {"score": "1.5", "n": "2"}


@pytest.mark.parametrize(
    ("line", "added"),
    [
        ("{}", '{"score": 1.5, "n": 2}'),
        (" { } \r", '{"score": 1.5, "n": 2}'),
        ('{"a": 1.50}', '{"a": 1.50, "score": 1.5, "n": 2}'),
        ('{"a":1e400 }', '{"a":1e400, "score": 1.5, "n": 2}'),
        ('{"a": "\\u00e9é"}', '{"a": "\\u00e9é", "score": 1.5, "n": 2}'),
        ('{"score": 3, "a":[ 1]}', '{"a":[ 1], "score": 1.5, "n": 2}'),
        ('{"n":{"x":1},"score":[]}', '{"score": 1.5, "n": 2}'),
        ('{"sc\\u006fre": 3, "b" : 1.0}', '{"b" : 1.0, "score": 1.5, "n": 2}'),
        ('{"a":{"score":1}}', '{"a":{"score":1}, "score": 1.5, "n": 2}'),
        ('{"a": "my \\"score\\" }"}', '{"a": "my \\"score\\" }", "score": 1.5, "n": 2}'),
        ('{"a" :1,  "a": 2}', '{"a" :1,  "a": 2, "score": 1.5, "n": 2}'),
    ],
)
def test_fields_are_added_and_nothing_else_changes(line, added):
    assert with_fields(line, NEW) == added


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "no JSON: Expecting value (column 1)"),
        ('{"text": "a"', "no JSON: Expecting ',' delimiter (column 13)"),
        ('{"text": "a"} {}', "no JSON: Extra data (column 15)"),
        ('["text"]', "not an object but a list"),
        ('"text"', "not an object but a text"),
        ("7", "not an object but a number"),
        ("true", "not an object but true or false"),
        ('{"Text": "a"}', "there is no field 'text'"),
        ('{"text": null}', "the field 'text' is not a text but null"),
        ('{"text": ["a"]}', "the field 'text' is not a text but a list"),
        ('{"text": 3}', "the field 'text' is not a text but a number"),
        ('{"text": "a\\ud800"}', "the field 'text' has the lone surrogate U+D800"),
        ('{"text": "a", "b": NaN}', "NaN, which is not JSON"),
        ('{"text": "a", "b": -Infinity}', "-Infinity, which is not JSON"),
        ("[" * 100_000, "no JSON that can be read: it is nested too deeply"),
    ],
)
def test_a_line_without_a_text_says_why(line, reason):
    with pytest.raises(BadLineError) as raised:
        field_of(line, "text")
    assert str(raised.value) == reason


def test_numbers_of_any_length_and_whole_pairs_of_surrogates_are_no_fault():
    line = f'{{"text": "\\ud83d\\ude00", "n": {"9" * 5000}, "x": 1e999}}'
    assert field_of(line, "text") == "😀"


VALUES = st.none() | st.integers() | st.text(max_size=5) | st.just([{"score": [1.0]}])


@pytest.mark.slow
@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from(["a", "é", "n", "score", '"', "\\"]), VALUES), st.booleans())
def test_what_is_added_is_an_object_with_all_that_was_there(members, ascii_only):
    line = json.dumps(members, ensure_ascii=ascii_only)
    kept = {name: value for name, value in members.items() if name not in NEW}
    assert json.loads(with_fields(line, NEW)) == {**kept, "score": 1.5, "n": 2}

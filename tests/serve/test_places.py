"""Where the tokens of a prompt stand in it, whatever the model reads of it."""

from __future__ import annotations

from itertools import pairwise

import pytest

from lmkit.serving.places import token_ends

WORDS = [
    ("cafe\u0301 the", ["cafe\u0301", " the"]),  # read as one code point less
    ("the\u00a0cat sat", ["the", "\u00a0cat", " sat"]),
    ("a\u2028\u3000dog", ["a", "\u2028\u3000dog"]),
    ("\tthe  cat\n", ["\tthe", "  cat", "\n"]),
    ("the\r\n\u00a0naïve\rcat", ["the", "\r\n", "\u00a0naïve", "\r", "cat"]),
    ("🙂 🙂.", ["🙂", " 🙂", "."]),
    ("\n\n", ["\n", "\n"]),
    ("", []),
]


@pytest.mark.parametrize(("prompt", "expected"), WORDS, ids=lambda given: repr(given)[:30])
def test_words_and_what_is_before_them_are_the_text(model, prompt, expected):
    ends = token_ends(model, prompt, model.encoder.encode_prompt(prompt).tolist())
    assert [prompt[start:end] for start, end in pairwise([0, *ends])] == expected


def test_the_first_byte_of_a_character_has_all_of_it(bytes_model):
    text = "é\u00a0🙂a\n"
    ends = token_ends(bytes_model, text, bytes_model.encoder.encode_prompt(text).tolist())
    assert ends == [1, 1, 2, 2, 3, 3, 3, 3, 4, 5]


def test_tokens_that_are_not_those_of_the_text_are_looked_for(model):
    ids = [model.vocabulary.id_of(word) for word in ("the", "cat")]
    assert token_ends(model, "the cat", [*ids, 2]) == [3, 7, 7]

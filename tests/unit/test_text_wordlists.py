"""Word lists of many forms: words and counts, or an error that says what the list is."""

from __future__ import annotations

import io

import pytest

from lmkit.channel.candidates.folding import read_word_list
from lmkit.errors import TextError
from lmkit.text.encodings import Encoded
from lmkit.text.vocabulary import read_vocabulary

COUNTS = {"the": 23135851162.0, "of": 13151942776.0, "don't": 12.0}
FORMS = {
    "tabs": "the\t23135851162\nof\t13151942776\ndon't\t12\n",
    "spaces": "the 23135851162\nof 13151942776\ndon't 12\n",
    "commas": "the,23135851162\nof,13151942776\ndon't,12\n",
    "semicolons": "the;23135851162\nof;13151942776\ndon't;12\n",
    "a space behind the comma": "the, 23135851162\nof, 13151942776\ndon't, 12\n",
    "quotes": '"the","23135851162"\n"of","13151942776"\n"don\'t","12"\n',
    "names of columns": "word,count\nthe,23135851162\nof,13151942776\ndon't,12\n",
    "names and tabs": "word\tcount\nthe\t23135851162\nof\t13151942776\ndon't\t12\n",
    "windows": "the,23135851162\r\nof,13151942776\r\n\r\ndon't,12",
    "decimals": "the,2.3135851162e10\nof,13151942776.0\ndon't,12\n",
}


def words_of(text: str) -> list[str]:
    return read_vocabulary(io.BytesIO(text.encode()))


def counts_of(text: str) -> dict[str, float]:
    return read_word_list(io.BytesIO(text.encode()))


@pytest.mark.parametrize("text", FORMS.values(), ids=list(FORMS))
def test_forms_of_one_list(text: str) -> None:
    assert words_of(text) == list(COUNTS)
    assert counts_of(text) == COUNTS


def test_commas_of_words_stay() -> None:
    # Words of text that was cut at white space; few of them look like a count.
    words = ["1,000", "2,500", "May", "June", "May,1998", "a", "the", ","]
    assert words_of("\n".join(words)) == words
    assert words_of("1,000\n2,500\n") == ["1,000", "2,500"]
    assert words_of('"1,000",5\nthe,7\n') == ["1,000", "the"]


def test_quotes_of_words_stay() -> None:
    assert words_of('"\n"the"\n\'\n') == ['"', '"the"', "'"]


OTHERS = {
    "mixed": ("the,23135851162\nof,13151942776\nand\n", "line 3: 'and' is not a word and its"),
    "three columns": ("1,the,231\n2,of,131\n", "line 1: 3 columns"),
    "number first": ("231\tthe\n131\tof\n", "line 1: the number stands before the word"),
    "number first, commas": ("231,the\n131,of\n", "line 1: the number stands before the word"),
    "uniq -c": ("    231 the\n     13 of\n", "line 1: the number stands before the word"),
    "hunspell": ("3\nabandon/LDRSG\nabase/DGSL\nabbey\n", "is a hunspell dictionary"),
    "affixes": ("SET UTF-8\nTRY esia\nSFX A Y 1\nSFX A 0 s .\n", "hunspell's rules"),
    "a long field": ('the,231\n"' + "x" * 200_000 + '",5\n', "line 2: field larger than"),
    "json": ('{"the": 231, "of": 131}\n', "line 1: this is JSON"),
}


@pytest.mark.parametrize(("text", "reason"), OTHERS.values(), ids=list(OTHERS))
def test_other_lists_are_refused(text: str, reason: str) -> None:
    for read in (words_of, counts_of):
        with pytest.raises(TextError, match=reason) as caught:
            read(text)
        assert caught.value.hint


@pytest.mark.parametrize("count", ["1,234", "1.234.567", "1'234", "1\u00a0234"])
def test_counts_with_marks_between_digits_are_refused(count: str) -> None:
    with pytest.raises(TextError, match="line 1: the count 1"):
        counts_of(f"the\t{count}\nof\n")


def test_two_words_on_a_line_with_a_tab_are_not_the_first_of_them() -> None:
    assert counts_of("New York\t5\nnew\t2\n") == {"new": 2.0}


def test_a_list_in_another_encoding() -> None:
    data = "für,12\nStraße,3\n".encode("cp1252")
    assert read_vocabulary(Encoded(io.BytesIO(data), "cp1252")) == ["für", "Straße"]
    assert read_word_list(Encoded(io.BytesIO(data), "cp1252")) == {"für": 12, "straße": 3}
    with pytest.raises(TextError, match="not valid UTF-8"):
        read_vocabulary(io.BytesIO(data))
    assert read_vocabulary(io.BytesIO(data), errors="replace")[0] == "f\ufffdr"


def test_a_line_without_a_word_adds_none() -> None:
    assert counts_of("\t\t5\nthe\n \t\n\t7\n") == {"the": 1.0}
    assert words_of("\t\t5\nthe\n") == ["the"]

"""Surprisal as a data frame, and as a table that pandas reads."""

from __future__ import annotations

import io
import math

import pytest

import lmkit
from lmkit import TextSettings

from .conftest import oracle


@pytest.fixture(scope="module")
def records() -> list[dict[str, object]]:
    text = io.BytesIO(b"the cat sat\nthe dog sat\n" * 5)
    model = lmkit.train(text, order=2, settings=TextSettings("word"))
    late = {"word": "late", "spelling": None, "rank": 1}
    return [*lmkit.surprisals(model, 'the cat "sat"\nthe zebra'), late]


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_frame_has_a_row_a_record_and_types_to_reckon_with(
    records: list[dict[str, object]], library: str
) -> None:
    oracle(library)
    frame = lmkit.as_frame(records, library)
    assert type(frame).__module__.startswith(library)
    assert list(frame.columns) == list(records[0]) and len(frame) == len(records)
    assert list(frame["word"]) == [record["word"] for record in records]
    assert frame["surprisal"][0] == records[0]["surprisal"]
    assert float(frame["rank"].sum()) == sum(int(str(record["rank"])) for record in records)
    missing = list(frame["spelling"])[-1]
    assert missing is None or math.isnan(missing)


def test_pandas_comes_before_polars(records: list[dict[str, object]]) -> None:
    pandas = oracle("pandas")
    assert isinstance(lmkit.as_frame(records), pandas.DataFrame)

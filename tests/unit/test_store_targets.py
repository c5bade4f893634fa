"""Which files a model is made of, whatever its file says: none of them is written over."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from lmkit.errors import UsageError
from lmkit.store.components import named_files
from lmkit.store.modelfile import ModelWriter
from lmkit.store.targets import with_parts, writing


def write(path: Path, *named: Any) -> Path:
    """A file that names parts."""
    with ModelWriter(path) as writer:
        writer.meta({"components": [{"path": name} for name in named]})
    return path


def test_parts_of_parts_are_found_once(tmp_path: Path) -> None:
    write(tmp_path / "c.lm")
    write(tmp_path / "b.lm", "c.lm", "gone.lm")
    path = write(tmp_path / "a.lm", "b.lm", "c.lm")
    names = {part.name for part in named_files(path)}
    assert names == {"b.lm", "c.lm", "gone.lm"}
    assert len(named_files(path)) == 3


def test_circles_pipes_and_nonsense_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "text").write_text("no model\n")
    names = ["a.lm", "pipe", "text", "nul\0", ".", "x" * 300]
    path = write(tmp_path / "a.lm", *names)
    assert len(named_files(path)) == len(names)
    assert named_files(write(tmp_path / "b.lm", 5)) == []
    with ModelWriter(tmp_path / "c.lm") as writer:
        writer.meta({"components": [7, None]})
    assert named_files(tmp_path / "c.lm") == []


def test_a_part_outside_the_folder_is_kept_but_not_looked_into(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    write(tmp_path / "inner.lm")
    write(tmp_path / "outer.lm", "inner.lm")
    path = write(tmp_path / "below" / "a.lm", "../outer.lm")
    assert named_files(path) == [tmp_path / "outer.lm"]
    with (
        pytest.raises(UsageError, match=r"outer.lm would write over a part of .*a\.lm"),
        writing(tmp_path / "outer.lm", {"MODEL": path}),
    ):
        pytest.fail("nothing may be written")


def test_what_names_no_file_has_no_parts(tmp_path: Path) -> None:
    assert with_parts("words", {"a": 1.0}) == with_parts("TEXT", None) == []
    assert [one.place for one in with_parts("TEXT", ["-", tmp_path])] == ["-", tmp_path]

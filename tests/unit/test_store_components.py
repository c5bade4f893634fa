"""Models made of models: parts named by path and checksum, or carried in the file."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from lmkit.errors import ModelFileError
from lmkit.ngram.files import open_ngram_model
from lmkit.store.components import component, open_components, save_components
from lmkit.store.modelfile import Inside, ModelReader, ModelWriter

from ..small_models import train

LINES = ["a b c", "b c a", "c a b b", "a a zebra"]


@pytest.fixture
def part(tmp_path: Path) -> Path:
    (tmp_path / "parts").mkdir()
    path = tmp_path / "parts" / "part.lm"
    train(LINES, 3, "witten-bell").save(path)
    return path


def write(path: Path, *models: object, embed: bool = False) -> Path:
    with ModelWriter(path) as writer:
        writer.meta({"backend": "none"})
        save_components(writer, [component(model) for model in models], embed)
    return path


def same(one: object, other: object) -> bool:
    lines = [*LINES, "zebra unicorn"]
    return np.array_equal(one.score(lines)[0], other.score(lines)[0])


def test_a_part_is_found_by_its_path_from_the_file(part: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "whole.lm", part)
    assert ModelReader(path).meta["components"][0]["path"] == "parts/part.lm"
    (found,) = open_components(ModelReader(path))
    assert found.place == part
    assert same(found.model, open_ngram_model(part))
    shutil.copytree(tmp_path, tmp_path.parent / f"{tmp_path.name} moved")
    moved = tmp_path.parent / f"{tmp_path.name} moved" / "whole.lm"
    (found,) = open_components(ModelReader(moved))
    assert found.place == moved.parent / "parts" / "part.lm"


def test_a_copy_with_another_date_is_the_same(part: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "whole.lm", part)
    os.utime(part, (1, 1))
    assert len(open_components(ModelReader(path))) == 1


def test_a_part_that_is_gone_or_has_changed(part: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "whole.lm", part)
    data = bytearray(part.read_bytes())
    data[-1] ^= 1
    part.write_bytes(data)
    os.utime(part, (1, 1))
    with pytest.raises(ModelFileError, match=r"has changed since .*whole.lm was made of it"):
        open_components(ModelReader(path))
    train(LINES[:2], 2, "witten-bell").save(part)
    with pytest.raises(ModelFileError, match=r"part.lm has changed since .* Try: restoring it"):
        open_components(ModelReader(path))
    part.unlink()
    with pytest.raises(ModelFileError, match=r"is made of .*part.lm, which is not there.*--embed"):
        open_components(ModelReader(path))


def test_a_carried_part_needs_no_other_file(part: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "whole.lm", part, train(LINES[:3], 2, "lidstone"), embed=True)
    expected = open_ngram_model(part).score(LINES)[0]
    part.unlink()
    first, second = open_components(ModelReader(path))
    assert isinstance(first.place, Inside)
    assert str(first.place) == f"{path} (component1)"
    assert np.array_equal(first.model.score(LINES)[0], expected)
    assert first.model.encoder.spelling_log_probs(["zebra"]) is not None
    assert same(second.model, train(LINES[:3], 2, "lidstone"))
    assert first.model.vocabulary.id_of("zebra") > 2


def test_a_model_in_memory_is_carried(part: Path, tmp_path: Path) -> None:
    model = train(LINES, 2, "katz")
    path = write(tmp_path / "whole.lm", part, model)
    named, carried = open_components(ModelReader(path))
    assert named.place == part
    assert same(carried.model, model)


def test_parts_of_parts_are_carried_along(part: Path, tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    inner = write(tmp_path / "inner" / "inner.lm", part, train(LINES, 2, "katz"))
    with ModelWriter(tmp_path / "outer.lm") as writer:
        writer.meta({"backend": "none"})
        from lmkit.store.components import Component

        save_components(writer, [Component(train(LINES, 1, "katz"), inner)], embed=True)
    expected = open_ngram_model(part)
    kept = [c.model for c in open_components(ModelReader(inner))]
    again = ModelReader(Inside(tmp_path / "outer.lm", "component1."))
    found = open_components(again)
    assert [str(c.place) for c in found] == [
        f"{tmp_path / 'outer.lm'} (component1.component{n})" for n in (1, 2)
    ]
    part.unlink()
    inner.unlink()
    assert same(found[0].model, expected)
    assert same(found[1].model, kept[1])


def test_a_carried_part_that_is_not_there(part: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "whole.lm", part, embed=True)
    with pytest.raises(ModelFileError, match=r"whole.lm \(component7\) is damaged"):
        ModelReader(Inside(path, "component7."))


def test_what_is_made_for_people_is_not_carried(part: Path, tmp_path: Path) -> None:
    from lmkit.ngram.tables import write_tables

    write_tables(part)
    path = write(tmp_path / "whole.lm", part, embed=True)
    names = [
        name for (name,) in ModelReader(path).connection.execute("SELECT name FROM sqlite_master")
    ]
    assert "component1.blocks" in names
    assert not [name for name in names if "ngrams" in name]
    assert same(open_components(ModelReader(path))[0].model, open_ngram_model(part))

"""Model files of earlier versions: they open, answer as they did, and are saved again unchanged.

`model_files.py` made them, and says how to add those of a new version.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

import lmkit
from lmkit.registry import names
from lmkit.store.modelfile import is_model_file

SCRIPT = Path(__file__).with_name("model_files.py")
SPEC = importlib.util.spec_from_file_location("lmkit_model_files", SCRIPT)
assert SPEC is not None and SPEC.loader is not None
files = importlib.util.module_from_spec(SPEC)
sys.modules[SPEC.name] = files
SPEC.loader.exec_module(files)

ANSWERS = {
    (folder.name, name): told
    for folder in sorted(files.MODELS.iterdir())
    for name, told in json.loads((folder / "answers.json").read_text(encoding="utf-8")).items()
}
FOLDERS = sorted({folder for folder, _ in ANSWERS})
FEWEST = 3
"""Models of each backend that are kept."""


@pytest.fixture(scope="module")
def old_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the model files of each version in a folder of its own."""
    place = tmp_path_factory.mktemp("old")
    for name in FOLDERS:
        (place / name).mkdir()
        files.unpacked(files.MODELS / name, place / name)
    return place


def same(found: dict[str, Any], told: dict[str, Any], tolerance: float) -> None:
    for key, value in told.items():
        if key in ("log_probs", "perplexity", "spellings") and value is not None:
            assert found[key] == pytest.approx(value, rel=tolerance, abs=tolerance), key
        else:
            assert found[key] == value, key


@pytest.mark.parametrize(("version", "name"), ANSWERS, ids=map("-".join, ANSWERS))
def test_an_old_model_opens_and_answers_as_it_did(
    old_models: Path, tmp_path: Path, version: str, name: str
) -> None:
    told = ANSWERS[version, name]
    path = old_models / version / f"{name}.lm"
    before = path.read_bytes()
    model = lmkit.load(path)
    found = files.answers(model)
    # The backoff form is sums of what the file has; networks multiply in another order elsewhere.
    same(found, told, 1e-12 if told["backend"] == "ngram" else 2e-6)
    # Where it names its parts by path, these lie beside it.
    again = path.with_name(f"{name}-again.lm")
    model.save(again)
    same(files.answers(lmkit.load(again)), found, 0)
    assert path.read_bytes() == before


def test_there_are_three_models_of_each_backend() -> None:
    older = {"ngram", "rnn", "gru", "lstm", "mixture", "noisy-channel"}
    for folder in FOLDERS:
        kinds = [told["backend"] for (version, _), told in ANSWERS.items() if version == folder]
        backends = older if folder in ("schema-3", "schema-4") else set(names("backend"))
        assert {kind: kinds.count(kind) >= FEWEST for kind in backends} == dict.fromkeys(
            backends, True
        )


@pytest.mark.parametrize("version", FOLDERS)
def test_an_old_checkpoint_is_gone_on_from(old_models: Path, tmp_path: Path, version: str) -> None:
    checkpoint = old_models / version / files.CHECKPOINT
    assert is_model_file(checkpoint)
    model = lmkit.train(
        files.MODELS / version / files.TRAINED_ON,
        backend="lstm",
        seed=1,
        checkpoint=checkpoint,
        resume=True,
        **files.SIZES,
    )
    assert model.score("The harbour")[0].shape == (3,)

"""Scoring with several threads, and running text read in parts: the results of one reading."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

import lmkit
from lmkit.model import EOS
from lmkit.neural import blas
from lmkit.neural.use import parallel
from lmkit.neural.use.model import NeuralModel
from lmkit.registry import names
from lmkit.threads import Team


def train(path: Path, cell: str) -> NeuralModel:
    model = lmkit.train(
        path, backend=cell, hidden=16, epochs=1, batch_size=8, bptt=10, dropout=0.0, workers=1
    )
    assert isinstance(model, NeuralModel)
    return model


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory, zipf_lines: list[str]) -> Path:
    path = tmp_path_factory.mktemp("text") / "zipf.txt"
    path.write_text("".join(f"{line}\n" for line in zipf_lines[:400]), encoding="utf-8")
    return path


@pytest.fixture(scope="module", params=names("cell"))
def model(request: pytest.FixtureRequest, text: Path) -> NeuralModel:
    return train(text, request.param)


def test_threads_change_no_score(
    model: NeuralModel, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lmkit.neural.use.scoring.SIDE_BY_SIDE", 30)
    monkeypatch.setattr("lmkit.neural.use.parallel.GROUP", 2)
    monkeypatch.setattr("lmkit.neural.use.parallel.SHORTEST", 600)
    lines = text.read_text(encoding="utf-8").splitlines()
    found = []
    for workers in (1, 3):
        monkeypatch.setattr(model, "workers", workers)
        sentences, _ = model.score(lines)
        carried, _ = model.running().score(lines)
        cached, _ = model.running(cache=20).score(lines)
        found.append(np.concatenate((sentences, carried, cached)))
    assert (found[0] == found[1]).all()


def test_parts_give_what_one_reading_gives(
    model: NeuralModel, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lmkit.neural.use.parallel.SHORTEST", 600)
    batch = model.batch(text.read_text(encoding="utf-8").splitlines())
    done: list[int] = []
    running = model.running(progress=done.append)
    found, state = running.score(batch)
    expected, end = model.follow(batch.ids, model.start(1))
    assert found == pytest.approx(expected, abs=1e-4)
    assert model.next_log_probs(state) == pytest.approx(model.next_log_probs(end), abs=1e-4)
    assert done == sorted(done)
    assert done[-1] == len(batch.ids)
    # It was read in parts.
    assert len(done) < len(batch.ids) / 600 * 20


def test_a_network_that_does_not_forget_is_read_as_one_stream(text: Path) -> None:
    model = train(text, "lstm")
    size = 16
    # An open forget gate and a closed input gate keep the cell as it is.
    bias = model.parameters.views["layer0.b"]
    model.parameters.views["layer0.w"][...] *= 0.1
    bias[2 * size : 3 * size], bias[size : 2 * size] = 40, -3
    batch = model.batch(text.read_text(encoding="utf-8").splitlines())
    ids = batch.ids
    del model.scorer  # it holds copies of the weights as they were
    args = (model.scorer, ids, EOS, model.before_start, model.start(1).layers)
    with Team(1) as team:
        assert parallel.read_in_parts(*args, team, lambda _: None) is None
    found, _ = model.running().score(batch)
    expected, _ = model.follow(ids, model.start(1))
    assert found == pytest.approx(expected, abs=1e-4)


def test_a_team_shares_tasks_and_keeps_their_order() -> None:
    seen = set()
    barrier = threading.Barrier(3, timeout=60)

    def task(k: int) -> int:
        if k < 3:  # three threads at once, or this breaks
            barrier.wait()
        seen.add(threading.get_ident())
        return k * k

    with Team(3) as team:
        found = team.share([lambda k=k: task(k) for k in range(20)])
        assert found == [k * k for k in range(20)]
        assert len(seen) == 3
        with pytest.raises(ZeroDivisionError):
            team.share([lambda: 1 // 0, lambda: 1])


@pytest.mark.parametrize("shape", [(800, 200, 20), (650, 2600, 20), (129, 1000, 32), (7, 3, 1)])
@pytest.mark.parametrize("unpacked", [True, False])
def test_products_in_blocks_are_products(
    shape: tuple[int, int, int], unpacked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blas, "has_unpacked_kernels", lambda: unpacked)
    blas.block_rows.cache_clear()
    rows, inner, columns = shape
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((rows, inner)), rng.standard_normal((inner, columns))
    out = np.full((rows, columns), np.nan)
    height = blas.block_rows(rows, inner, columns)
    assert height == rows or (unpacked and height * inner * columns <= blas.SMALL)
    assert blas.product(a, out)(b) == pytest.approx(a @ b)
    blas.block_rows.cache_clear()

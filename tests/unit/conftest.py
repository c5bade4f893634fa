"""Fixtures of the unit tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ..mirror import Mirror, running_mirror


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    """A server on this machine in place of the real one, an empty home, no waiting."""
    from lmkit.datasets import connection, fetch

    monkeypatch.setenv("LMKIT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(fetch, "RETRY_DELAYS_SECONDS", (0.0,) * len(fetch.RETRY_DELAYS_SECONDS))
    monkeypatch.setattr(connection, "TIMEOUT_SECONDS", 10.0)
    with running_mirror() as server:
        monkeypatch.setenv("LMKIT_DATA_MIRROR", server.url)
        yield server

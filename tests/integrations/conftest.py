"""Programs of others that run on lmkit's models. `make integrations` installs them."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import pytest


def missing(name: str) -> NoReturn:
    """Skip a test that needs ``name``, or fail it under LMKIT_REQUIRE_ORACLES=1."""
    if os.environ.get("LMKIT_REQUIRE_ORACLES") == "1":
        pytest.fail(f"{name} is not installed, and LMKIT_REQUIRE_ORACLES asks for it")
    pytest.skip(f"{name} is not installed: make integrations")


def oracle(name: str) -> ModuleType:
    """Import a package of others, if it is there."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name.partition(".")[0]:
            raise
    missing(name)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.integration)

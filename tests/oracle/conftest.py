"""Other implementations to compare with: kenlm, nltk, torch. `make oracle` installs them."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from types import ModuleType

import pytest


def oracle(name: str) -> ModuleType:
    """Import an oracle; where it is missing, skip, or fail under LMKIT_REQUIRE_ORACLES=1."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name.partition(".")[0]:
            raise
    if os.environ.get("LMKIT_REQUIRE_ORACLES") == "1":
        pytest.fail(f"{name} is not installed, and LMKIT_REQUIRE_ORACLES asks for it")
    pytest.skip(f"{name} is not installed: make oracle")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.oracle)


@pytest.fixture(scope="session")
def kenlm() -> ModuleType:
    """KenLM's Python module: loads ARPA up to order 6, scores in log10."""
    return oracle("kenlm")


@pytest.fixture(scope="session")
def nltk_lm() -> ModuleType:
    """`nltk.lm`."""
    return oracle("nltk.lm")


@pytest.fixture(scope="session")
def torch() -> ModuleType:
    """PyTorch, on the CPU and one thread."""
    module = oracle("torch")
    module.set_num_threads(1)
    return module


@pytest.fixture(scope="session")
def hf() -> ModuleType:
    """The package ``tokenizers``."""
    for name in ("models", "normalizers", "pre_tokenizers", "decoders", "trainers"):
        oracle(f"tokenizers.{name}")
    return oracle("tokenizers")


@pytest.fixture(scope="session")
def spm() -> ModuleType:
    """The package ``sentencepiece``."""
    return oracle("sentencepiece")

"""Clients that others wrote, and requests that a fuzzer makes up, against ``lmkit serve``."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lmkit
from lmkit.model import LanguageModel
from tests.serve.process import Server

from .conftest import oracle

LINES = ["the cat sat", "the cat ran .", "a dog sat on the mat", "the dog ran", "a cat", "naïve"]
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
]
"""All but positive_data_acceptance: a schema cannot say that n times max_tokens has a limit, or
that a text must not be of lone surrogates."""


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("serving")
    text = folder / "text.txt"
    text.write_text("".join(f"{line}\n" for line in LINES * 3), encoding="utf-8")
    lmkit.train(text, output=folder / "m.lm", order=3)
    return folder / "m.lm"


@pytest.fixture(scope="module")
def model(model_file: Path) -> LanguageModel:
    return lmkit.load(model_file)


@pytest.fixture(scope="module")
def server(model_file: Path) -> Iterator[Server]:
    for package in ("starlette", "uvicorn"):
        oracle(package)
    server = Server(model_file, "--quiet", "--max-queue", "4")
    yield server
    status, said = server.end()
    assert (status, said) == (0, "")


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[Any]:
    openai = oracle("openai")
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:
        yield client


class TestOpenAI:
    """The package openai, version 1 and later."""

    def test_models(self, client: Any) -> None:
        assert [one.id for one in client.models.list()] == ["m.lm"]
        assert client.models.retrieve("m.lm").owned_by == "lmkit"

    def test_a_completion(self, client: Any, model: LanguageModel) -> None:
        found = client.completions.create(
            model="m.lm", prompt="the", max_tokens=10, n=2, seed=3, logprobs=2, echo=True
        )
        expected = model.generate(2, prompt="the", max_tokens=10, seed=3)
        assert [choice.text for choice in found.choices] == [one.text for one in expected]
        sums = [sum(choice.logprobs.token_logprobs[1:]) for choice in found.choices]
        assert sums == pytest.approx([one.log_probability for one in expected])
        assert found.usage.prompt_tokens == 1

    def test_a_stream(self, client: Any) -> None:
        asked = {"model": "m.lm", "prompt": "the", "max_tokens": 30, "seed": 1}
        whole = client.completions.create(**asked)
        pieces = list(client.completions.create(**asked, stream=True))
        assert "".join(piece.choices[0].text for piece in pieces) == whole.choices[0].text
        assert pieces[-1].choices[0].finish_reason == whole.choices[0].finish_reason

    def test_a_prompt_is_scored(self, client: Any, model: LanguageModel) -> None:
        found = client.completions.create(
            model="m.lm",
            prompt=[f"{line}\n" for line in LINES],
            max_tokens=0,
            echo=True,
            logprobs=0,
        )
        for line, choice in zip(LINES, found.choices, strict=True):
            expected = model.score(line)[0]
            assert choice.logprobs.token_logprobs == pytest.approx(expected.tolist())

    def test_errors_are_its_own(self, client: Any) -> None:
        openai = oracle("openai")
        with pytest.raises(openai.BadRequestError) as found:
            client.completions.create(model="m.lm", prompt="a", presence_penalty=1)
        assert found.value.param == "presence_penalty"
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve("other")


def test_made_up_requests(server: Server, tmp_path: Path) -> None:
    oracle("schemathesis")
    command = [
        str(Path(sys.executable).parent / "schemathesis"), "run", f"{server.url}/openapi.json",
        "--phases", "examples,coverage,fuzzing", "--max-examples", "25", "--no-color",
        "--generation-deterministic", "--checks", ",".join(CHECKS),
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": ""}
    found = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert found.returncode == 0, found.stdout
    assert "Tested: 7" in found.stdout

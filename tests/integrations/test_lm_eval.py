"""The harness itself on tasks of local files: what it reports is what lmkit says."""

from __future__ import annotations

import io
import json
import math
import os
import re
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import lmkit
from lmkit import TextSettings
from lmkit.errors import UsageError
from lmkit.integrations.continuing import Continuing

from .conftest import oracle

LINES = ["the cat sat on the mat.", "the dog, too, sat!", "a dog sat on the cat", "a cat sat"]
DOCUMENTS: list[dict[str, Any]] = [
    {"context": "the cat", "choices": ["sat on", "dog mat"], "label": 0, "text": "the cat sat\na"},
    {"context": "a dog", "choices": ["zebra", "sat"], "label": 1, "text": "the dog, too, sat!"},
    {"context": "the dog,", "choices": ["mat", "too"], "label": 0, "text": "a zebra sat\n"},
]
TASKS = {
    "choice": """
output_type: multiple_choice
doc_to_text: "{{context}}"
doc_to_choice: "{{choices}}"
doc_to_target: "{{label}}"
metric_list: [{metric: acc}, {metric: acc_norm}]
""",
    "rolling": """
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{text}}"
metric_list: [{metric: word_perplexity}, {metric: bits_per_byte}]
""",
    "writing": """
output_type: generate_until
doc_to_text: "{{context}}"
doc_to_target: "{{choices[label]}}"
generation_kwargs: {until: ["\\n", "."], max_gen_toks: 6}
metric_list: [{metric: exact_match}]
""",
}


@pytest.fixture(scope="module")
def lm_eval(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in _offline(tmp_path_factory.mktemp("cache")).items():
            patch.setenv(name, value)
        return oracle("lm_eval")


def _offline(folder: Path) -> dict[str, str]:
    return {
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(folder),
        "HF_DATASETS_CACHE": str(folder / "datasets"),
    }


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of tasks on one file."""
    folder = tmp_path_factory.mktemp("tasks")
    lines = "".join(f"{json.dumps(document)}\n" for document in DOCUMENTS)
    (folder / "documents.jsonl").write_text(lines, encoding="utf-8")
    for name, text in TASKS.items():
        data = {"data_files": {"test": str(folder / "documents.jsonl")}}
        head = f"task: own_{name}\ndataset_path: json\ndataset_kwargs: {json.dumps(data)}\n"
        (folder / f"{name}.yaml").write_text(f"{head}test_split: test\n{text}", encoding="utf-8")
    return folder


@pytest.fixture(scope="module", params=["word", "char", "byte"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.lm"
    text = "".join(f"{line}\n" for line in LINES * 4 + ["rare", "words"]).encode()
    lmkit.train(io.BytesIO(text), output=path, order=3, settings=TextSettings(request.param))
    return path


@pytest.mark.slow
def test_tasks_of_local_files_report_what_the_model_says(
    lm_eval: ModuleType, tasks: Path, model: Path
) -> None:
    from lm_eval.tasks import TaskManager

    import lmkit.integrations.lm_eval

    lmkit.integrations.lm_eval.register()

    results = lm_eval.simple_evaluate(
        model="lmkit",
        model_args=f"path={model}",
        tasks=[f"own_{name}" for name in TASKS],
        task_manager=TaskManager(include_path=str(tasks), include_defaults=False),
        bootstrap_iters=0,
    )
    found = {name: results["results"][f"own_{name}"] for name in TASKS}
    continuing = Continuing(lmkit.load(model))

    right = 0
    for document in DOCUMENTS:
        pairs = [(document["context"], f" {choice}") for choice in document["choices"]]
        values = [value for value, _ in continuing.continuations(pairs)]
        right += values.index(max(values)) == document["label"]
    assert found["choice"]["acc,none"] == right / len(DOCUMENTS) == pytest.approx(2 / 3)

    texts = [document["text"] for document in DOCUMENTS]
    bits = -sum(continuing.texts(texts)) / math.log(2)
    size = sum(len(text.encode()) for text in texts)
    assert found["rolling"]["bits_per_byte,none"] == pytest.approx(bits / size)
    words = sum(len(re.split(r"\s+", text)) for text in texts)  # as the harness counts them
    assert math.log2(found["rolling"]["word_perplexity,none"]) == pytest.approx(bits / words)

    written = continuing.written([d["context"] for d in DOCUMENTS], until=["\n", "."], max_tokens=6)
    samples = results["samples"]["own_writing"]
    by_text = {sample["doc"]["text"]: sample["resps"][0][0] for sample in samples}
    assert [by_text[text] for text in texts] == written


@pytest.mark.slow
def test_the_command_runs_from_a_shell(
    lm_eval: ModuleType, tasks: Path, tmp_path: Path, root: Path
) -> None:
    text = io.BytesIO(b"the cat sat on the mat.\n" * 9)
    lmkit.train(text, output=tmp_path / "model.lm", order=2)
    words = ["--model", "lmkit", "--model_args", f"path={tmp_path / 'model.lm'}"]
    words += ["--include_path", str(tasks), "--tasks", "own_choice"]
    ended = subprocess.run(
        [sys.executable, "-m", "lmkit.integrations.lm_eval", *words],
        env=os.environ | _offline(tmp_path) | {"PYTHONPATH": str(root)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    assert "own_choice" in ended.stdout and "acc_norm" in ended.stdout


def test_the_entry_point_names_the_class(lm_eval: ModuleType, root: Path) -> None:
    import tomllib

    from lm_eval.api.registry import get_model, model_registry

    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    target = project["entry-points"]["lm_eval.models"]["lmkit"]
    found = EntryPoint("lmkit-by-entry-point", target, "lm_eval.models")
    if found.name not in model_registry:  # as a version that looks for entry points does it
        model_registry.register(found.name, target=found)
    import lmkit.integrations.lm_eval as integration

    assert get_model("lmkit-by-entry-point") is integration.LmkitLM is get_model("lmkit")
    assert "hf" in model_registry


def test_arguments_that_mean_nothing_are_refused(lm_eval: ModuleType, model: Path) -> None:
    from lmkit.integrations.lm_eval import LmkitLM

    with pytest.raises(UsageError, match="no argument dtype"):
        LmkitLM.create_from_arg_string(f"path={model},dtype=float")
    with pytest.raises(UsageError, match="state cannot be 'kept'"):
        LmkitLM.create_from_arg_string(f"path={model},state=kept")
    made = LmkitLM.create_from_arg_string(
        f"path={model},unknown_words=token,seed=3", {"batch_size": 1, "device": None}
    )
    assert made.loglikelihood([]) == []


def test_the_options_of_a_task(lm_eval: ModuleType, model: Path, caplog: Any) -> None:
    from lmkit.integrations.lm_eval import LmkitLM

    options = LmkitLM(model)._options
    assert options({"until": "x"}) == {"until": ["x"], "max_tokens": 256, "sampling": None}
    assert options({"max_new_tokens": 3, "do_sample": False, "temperature": 0.7}) == {
        "until": [],
        "max_tokens": 3,
        "sampling": None,
    }
    drawn = options({"temperature": 0.7, "top_p": 0.9, "num_beams": 4})["sampling"]
    assert (drawn.temperature, drawn.top_p, drawn.greedy) == (0.7, 0.9, False)
    assert "num_beams" in caplog.text

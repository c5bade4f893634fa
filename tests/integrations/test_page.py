"""docs/integrations.md runs as it stands, section by section.

Each section runs in a folder of its own, with a text (text.txt), a model of it (model.lm) and
minimal pairs (pairs.jsonl). Blocks that begin with ``# NAME`` become these files. Then the others
are done one after the other: a block of ``sh`` is given to bash, one of ``python`` to Python, and
one of ``text`` is what the block before it has printed. Left out are the lines of pip, which
`make integrations` has run, and lines that name something of the reader's own in capitals.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

import lmkit
from lmkit.text.settings import TextSettings

from .conftest import missing

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "integrations.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"# ([\w./-]+\.\w+)\n")
OWN = re.compile(r"\b(?<![-$.])[A-Z]{3,}\b(?![.=])")
"""What stands for something of the reader's own: TASK."""
LINES = [
    "the cat sat on the mat",
    "the cat sat on a hat",
    "a dog sat on the mat",
    "the dog saw the cat on the mat",
    "a cat saw a rat in the hat",
    "a rat sat in the hat",
]
SECONDS = 120


def sections() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """The sections with their blocks: kind and text."""
    for section in re.split(r"^## ", PAGE, flags=re.MULTILINE):
        blocks = BLOCK.findall(section)
        if any(kind in ("sh", "python") for kind, _ in blocks):
            yield section.partition("\n")[0], blocks


def installs(blocks: list[tuple[str, str]]) -> list[str]:
    """The names of what the lines of pip in ``blocks`` install."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = []
    for line in "".join(text for kind, text in blocks if kind == "sh").splitlines():
        if line.startswith("pip install "):
            names += [word for word in shlex.split(line)[2:] if not word.startswith("-")]
    for name in list(names):
        if name.startswith("lmkit"):
            names.remove(name)
            for extra in filter(None, name.removeprefix("lmkit").strip("[]").split(",")):
                names += project["optional-dependencies"][extra]
    return [re.match(r"[\w.-]+", name)[0] for name in names]  # type: ignore[index]


def wanted(command: str) -> bool:
    return not command.startswith("pip ") and not OWN.search(command)


@pytest.fixture(scope="module")
def environment() -> None:
    """All that the page installs is there."""
    for name in installs([block for _, blocks in sections() for block in blocks]):
        try:
            version(name)
        except PackageNotFoundError:
            missing(name)


@pytest.fixture
def workplace(environment: None, tmp_path: Path) -> Path:
    """The folder of a section, and the programs that it calls."""
    folder, programs = tmp_path / "work", tmp_path / "bin"
    folder.mkdir()
    programs.mkdir()
    (folder / "text.txt").write_text("".join(f"{line}\n" for line in LINES * 4), encoding="utf-8")
    lmkit.train(
        folder / "text.txt",
        output=folder / "model.lm",
        order=3,
        settings=TextSettings("whitespace"),
    )
    pair = {"sentence_good": LINES[0], "sentence_bad": "the cat sat on mat the", "UID": "order"}
    (folder / "pairs.jsonl").write_text(f"{json.dumps(pair)}\n", encoding="utf-8")
    for name, words in (("python", ""), ("lmkit", " -m lmkit")):
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}"{words} "$@"\n', encoding="utf-8")
        program.chmod(0o755)
    return folder


def run(command: list[str], folder: Path) -> str:
    """What ``command`` prints. What it has left in the background is ended with it."""
    path = os.pathsep.join(
        [str(folder.parent / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
    )
    # Nobody is asked for what is not here.
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(folder / "home")}
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), **offline}
    with (folder.parent / "out").open("w+") as out, (folder.parent / "err").open("w+") as err:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL,
            stdout=out, stderr=err, start_new_session=True,
        )  # fmt: skip
        try:
            status = process.wait(SECONDS)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        out.seek(0)
        err.seek(0)
        assert status == 0, f"{shlex.join(command)}\n{err.read()}"
        return out.read()


@pytest.mark.slow
@pytest.mark.parametrize("blocks", [pytest.param(b, id=title) for title, b in sections()])
def test_a_section_runs_as_it_stands(blocks: list[tuple[str, str]], workplace: Path) -> None:
    for _, text in blocks:
        if named := NAMED.match(text):
            (workplace / named[1]).parent.mkdir(parents=True, exist_ok=True)
            (workplace / named[1]).write_text(text, encoding="utf-8")
    said = ""
    for kind, text in blocks:
        if NAMED.match(text):
            continue
        if kind == "sh":
            # A command may go on over lines.
            commands = re.findall(r"(?:.*\\\n)*.*\n", text)
            script = "".join(command for command in commands if wanted(command))
            said = run(["bash", "-e", "-o", "pipefail", "-c", script], workplace)
        elif kind == "python":
            said = run([sys.executable, "-c", text], workplace)
        elif kind == "text":
            assert said == text


def test_the_page_names_every_program() -> None:
    titles = " ".join(title for title, _ in sections())
    for name in (
        "KenLM",
        "pyctcdecode",
        "Datasette",
        "Documents",
        "Minimal pairs",
        "lm-eval",
        "Serving",
    ):
        assert name in titles, name


@pytest.mark.parametrize(
    ("command", "is_run"),
    [
        ("pip install lmkit", False),
        ("lm_eval --tasks TASK", False),
        ("python program.py ARGUMENTS", False),
        ("lmkit train text.txt --output model.lm", True),
        ("HF_HUB_OFFLINE=1 lm_eval --tasks own", True),
    ],
)
def test_what_is_left_out(command: str, is_run: bool) -> None:
    assert wanted(command) is is_run

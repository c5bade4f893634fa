"""What holds for the project as a whole: floors, registry, file sizes, version, package data."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import lmkit
from lmkit import registry
from lmkit.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]
LONGEST_FILE = 420
NOT_OURS = {".git", "build", "dist", "node_modules", "__pycache__"}
TEXT_SUFFIXES = {
    ".cfg", ".csv", ".json", ".md", ".py", ".sh", ".toml", ".tsv", ".txt", ".yaml", ".yml", "",
}  # fmt: skip


def committed_files() -> Iterator[Path]:
    """Every text file of the checkout, but for what tools leave behind."""
    for folder, folders, files in ROOT.walk() if hasattr(ROOT, "walk") else _walk(ROOT):
        folders[:] = [
            name
            for name in folders
            if name not in NOT_OURS
            and not name.endswith(".egg-info")
            and (not name.startswith(".") or name in {".ci", ".github"})
        ]
        for name in files:
            if name == ".git":  # of a worktree: where the repository is
                continue
            if (folder / name).suffix in TEXT_SUFFIXES:
                yield folder / name


def configuration() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def declared_floors() -> set[str]:
    contracts = configuration()["tool"]["importlinter"]["contracts"]
    layers = next(c["layers"] for c in contracts if c["id"] == "floors")
    return {re.sub(r"[() ]", "", name) for layer in layers for name in re.split(r"[|:]", layer)}


def test_every_module_of_the_package_has_its_floor() -> None:
    modules = {
        path.stem
        for path in (ROOT / "lmkit").iterdir()
        if (path.suffix == ".py" or (path / "__init__.py").exists())
        and not path.name.startswith("__")
    }
    assert modules <= declared_floors()


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, of in registry.BUILT_IN.items() for name in of]
)
def test_every_registry_entry_resolves(kind: str, name: str) -> None:
    assert isinstance(registry.resolve(kind, name), type)
    assert name in registry.names(kind)


def test_a_name_that_the_registry_lacks_is_a_usage_error_that_lists_the_others() -> None:
    with pytest.raises(UsageError, match=r"no tokenizer named 'sylable'.*whitespace, word, char"):
        registry.resolve("tokenizer", "sylable")


def test_files_stay_short() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in committed_files()
        if path.suffix == ".py"
    }
    assert lengths
    assert {name: n for name, n in lengths.items() if n > LONGEST_FILE} == {}


def test_nothing_names_the_machine_it_was_written_on_or_a_registry_host() -> None:
    hosts = [("py" + "pi", "org"), ("python" + "hosted", "org"), ("registry", "npm" + "js", "org")]
    forbidden = re.compile(
        "|".join(
            [
                r"(?<![\w.~-])/wo" + r"rk(?=/|\b)",
                r"(?<![\w.~-])/tm" + r"p/p\b",
                *(re.escape(".".join(host)) for host in hosts),
            ]
        )
    )
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in committed_files()
        for number, line in enumerate(
            path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1
        )
        if forbidden.search(line)
    ]
    assert found == []


def test_the_changelog_has_a_section_for_this_version() -> None:
    sections = re.findall(
        r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    assert sections
    assert sections[0] in {"Unreleased", lmkit.__version__}


def test_every_make_target_that_the_documents_name_exists() -> None:
    targets = set(
        re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    named = {
        word
        for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / ".ci" / "run")
        for command in re.findall(
            r"(?:`|^|step \w+ )make ((?:[a-z][a-z-]* ?)+)",
            path.read_text(encoding="utf-8"),
            re.MULTILINE,
        )
        for word in command.split()
    }
    assert {"test", "demo", "oracle"} <= named
    assert named <= targets


def test_public_names_import_and_are_listed() -> None:
    for name in lmkit.__all__:
        assert getattr(lmkit, name) is not None
    assert set(lmkit.__all__) <= set(dir(lmkit))
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = lmkit.no_such_name


def test_import_lmkit_brings_in_nothing_heavy() -> None:
    code = (
        "import sys, lmkit, lmkit.registry;"
        "print(sorted({'numpy', 'sqlite_utils', 'rich', 'regex', 'click'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (result.stdout.strip(), result.returncode) == ("[]", 0), result.stderr


def test_the_package_says_that_it_is_typed() -> None:
    assert (ROOT / "lmkit" / "py.typed").exists()


def _walk(root: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """`Path.walk`, which Python 3.11 lacks."""
    import os

    for folder, folders, files in os.walk(root):
        yield Path(folder), folders, files

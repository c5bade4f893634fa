"""Installs what docs/integrations.md says, with its own commands, into the environment that runs
this.

    .venv-integrations/bin/python .ci/integrations.py docs/integrations.md

All ``pip install`` lines of the page are one command, so that pip sees whether they can be had
together; those with ``--no-deps`` come after it. ``lmkit`` is the checkout, with what its tests
need.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
QUIET = ("--quiet", "--quiet", "--disable-pip-version-check")


def installed(page: str) -> tuple[list[str], list[str]]:
    """What the ``pip install`` lines of ``page`` install: with what it needs, and without."""
    whole: list[str] = []
    alone: list[str] = []
    for block in re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            if words[:2] == ["pip", "install"]:
                names = alone if "--no-deps" in words else whole
                names += [word for word in words[2:] if not word.startswith("-")]
    return list(dict.fromkeys(whole)), list(dict.fromkeys(alone))


def main(path: str) -> int:
    """Install what the page ``path`` asks for."""
    whole, alone = installed(Path(path).read_text(encoding="utf-8"))
    extras = {name.partition("[")[2].rstrip("]") for name in whole if name.startswith("lmkit")}
    others = [name for name in whole if not name.startswith("lmkit")]
    ours = f"{ROOT}[{','.join(sorted({'integrations', *extras} - {''}))}]"
    pip = [sys.executable, "-m", "pip", "install", *QUIET]
    subprocess.run([*pip, "--editable", ours, *others], check=True)
    if alone:
        subprocess.run([*pip, "--no-deps", *alone], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

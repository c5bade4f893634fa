"""What the command line does with a model, besides scoring: whole commands on a damaged file.

They run in this process, and their errors come through as they are: the one line that people see
would hide which of them nobody has thought of.
"""

from __future__ import annotations

import io
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

import lmkit
from lmkit.cli.console import Console
from lmkit.cli.main import cli
from lmkit.errors import LmkitError

SIZE = re.compile(r"^size .*\n|^bytes,.*\n|\"bytes\": \d+", re.MULTILINE)
"""Of the file, which `lmkit info` says."""
TYPED = "The wal of the harbour."
NGRAMS = [
    "explain MODEL 'The wal of'", "explain MODEL 'The wal of' --json", "counts MODEL The --top 3",
    "prune MODEL --entropy 1e-3 -o OUT", "prune MODEL --size 400 -o OUT",
    "prune MODEL --cutoffs 0,1 -o OUT", "train --from MODEL --smoothing witten-bell -o OUT",
    "train --from MODEL --smoothing katz --tables -o OUT", "train --append MODEL TEXT -o OUT",
    "export MODEL -o -", "export MODEL --format counts -o -", "tables COPY", "tables COPY --drop",
]  # fmt: skip
NETWORKS = [
    "info MODEL --neighbours the", "info MODEL --gates 'The wal'", "info MODEL --curve",
    "quantize MODEL -o OUT", "quantize MODEL -o OUT --sparsity 0.5 --keep-float",
    "perplexity MODEL TEXT --cache 20 --workers 1", "perplexity MODEL TEXT --dynamic 0.1 --json",
    "score MODEL TEXT --state carry --workers 1",
]  # fmt: skip
CHANNELS = [
    "suggest MODEL wal donw", "suggest MODEL wal --around 'the _ of' --json",
    "correct MODEL TYPED --explain", "correct MODEL TYPED --diff", "correct MODEL TYPED --jsonl",
]  # fmt: skip
MIXTURES = ["export MODEL -o -"]
ALL = ["info MODEL", "info MODEL --json", "info MODEL --csv"]
MOST = [
    "generate MODEL --seed 2 --lines 2 --max-tokens 9", "generate MODEL --beam 2 --max-tokens 4",
    "generate MODEL --greedy --json --seed 2 --prompt The --max-tokens 5", "perplexity MODEL TEXT",
    "score MODEL TEXT --explain", "score MODEL TEXT --per-token --csv",
    "mix MODEL MODEL --valid TEXT -o OUT", "mix MODEL --cache --valid TEXT -o OUT --embed",
]  # fmt: skip
KINDS = {
    "ngram": NGRAMS + MOST,
    "noisy-channel": CHANNELS,
    "mixture": MIXTURES + MOST,
    "class": MOST,
}


def commands(backend: str) -> list[str]:
    """Those that a model of ``backend`` understands."""
    return ALL + KINDS.get(backend, NETWORKS + MOST)


def command(line: str, folder: Path) -> Callable[[Path], Any]:
    """What uses a file as ``line`` says; what is made besides stands in ``folder``."""
    words = shlex.split(line)
    text, typed, out = folder / "text.txt", folder / "typed.txt", folder / "out.lm"
    copy = folder / "copy.lm"
    text.write_text("The harbour lies at the end.\n\nNobody has seen a zebra!\n")
    typed.write_text(f"{TYPED}\n")

    def use(path: Path) -> Any:
        out.unlink(missing_ok=True)
        names = {"MODEL": path, "TEXT": text, "TYPED": typed, "OUT": out, "COPY": copy}
        if "COPY" in words:
            copy.write_bytes(path.read_bytes())
        said = run([str(names.get(word, word)) for word in words])
        made = copy if "COPY" in words else out
        if made.exists():
            model = lmkit.load(made)
            return model.score(model.batch(["The harbour", ""]))[0].tolist()
        return SIZE.sub("", said)

    return use


def run(words: list[str]) -> str:
    """Standard output of a command line. Raises what it ends with."""
    written = io.BytesIO()
    out = io.TextIOWrapper(written, encoding="utf-8", errors="backslashreplace", newline="\n")
    console = Console(io.BytesIO(), out, io.StringIO())
    try:
        with cli.make_context("lmkit", list(words), obj=console) as context:
            cli.invoke(context)
    except click.ClickException as error:
        raise LmkitError(error.format_message()) from error
    out.flush()
    return written.getvalue().decode()

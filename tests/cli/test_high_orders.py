"""Orders up to 1,000, with every command that has to do with n-grams: no command may know only
the orders that people mostly use."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import numpy as np
import pytest

from lmkit.api import load
from lmkit.errors import FormatError, UsageError
from lmkit.ngram.arpa import read_arpa
from lmkit.ngram.countfiles import read_counts
from lmkit.ngram.counting import count_ngrams
from lmkit.registry import names

HIGHEST = 1000


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One line of 150 words, and some short ones."""
    draw = random.Random(1)
    long = " ".join(draw.choice("abcdefgh") for _ in range(150))
    path = tmp_path_factory.mktemp("orders") / "text.txt"
    path.write_text("\n".join([long, *(f"a b w{i} w{i * 7 % 5}" for i in range(30))]) + "\n")
    return path


@pytest.fixture(scope="module")
def model(text: Path) -> Path:
    from lmkit.api import train
    from lmkit.text.settings import TextSettings

    path = text.parent / "high.lm"
    train(text, settings=TextSettings(), order=HIGHEST, output=path)
    return path


@pytest.mark.parametrize("order", [127, 128, 255, 256])
def test_scores_go_over_the_limits_of_small_integers(order: int, text: Path) -> None:
    from lmkit.api import train
    from lmkit.text.settings import TextSettings

    made = train(text, settings=TextSettings(), order=order, output=text.parent / "o.lm")
    # The whole line was seen, so the longest n-gram is behind its last token, </s>.
    line = text.read_text().splitlines()[0]
    _, orders = made.score_with_orders(made.encoder.encode([line]))  # type: ignore[attr-defined]
    assert orders[-1] == min(order, 152)


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        "perplexity MODEL TEXT",
        "score MODEL TEXT",
        "score MODEL TEXT --per-token",
        "score MODEL TEXT --explain",
        "generate MODEL --seed 1",
        "generate MODEL --beam 3",
        "counts MODEL a",
        "info MODEL",
        "prune MODEL -o out.lm --size 100",
        "prune MODEL -o out.lm --cutoffs 0,1",
        "train TEXT --append MODEL -o out.lm",
        "train --from MODEL --smoothing witten-bell -o out.lm",
        "mix MODEL MODEL --valid TEXT -o out.lm",
        "correct MODEL TEXT",
    ],
)
def test_commands(command: str, model: Path, text: Path, run, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = [{"MODEL": str(model), "TEXT": str(text)}.get(word, word) for word in command.split()]
    result = run(*words)
    assert result.status == 0, result.err
    if "out.lm" in words:
        assert run("perplexity", "out.lm", str(text)).status == 0


def test_explain(model: Path, run) -> None:
    assert run("explain", str(model), "a b w1").status == 0


@pytest.mark.slow
def test_arpa_and_counts_there_and_back(text: Path, run, tmp_path: Path) -> None:
    model = tmp_path / "m.lm"
    assert run("train", text, "--order", "200", "-o", model).status == 0
    line = text.read_text().splitlines()[0]
    expected = load(model).score(line)[0]
    for name, close in (("x.arpa", 1e-5), ("x.counts", 1e-9)):
        path = tmp_path / name
        kind = [] if name == "x.arpa" else ["--format", "counts"]
        assert run("export", str(model), "-o", str(path), *kind).status == 0
        made = tmp_path / "back.lm"
        again = [] if name == "x.arpa" else ["--order", "200", "--tokenizer", "word"]
        assert run("import", str(path), "-o", str(made), *again).status == 0
        np.testing.assert_allclose(load(made).score(line)[0], expected, atol=close)


@pytest.mark.slow
def test_tables(model: Path, tmp_path: Path, run) -> None:
    import sqlite3

    copy = tmp_path / "t.lm"
    copy.write_bytes(model.read_bytes())
    assert run("tables", str(copy)).status == 0
    rows = sqlite3.connect(copy).execute("select context, token from ngrams_152").fetchall()
    assert len(rows) == 1 and rows[0][0].startswith("<s> ") and rows[0][1] == "</s>"
    assert sqlite3.connect(copy).execute("select count(*) from ngrams_1000").fetchone() == (0,)


@pytest.mark.slow
@pytest.mark.parametrize("smoothing", [n for n in names("smoothing") if n != "jelinek-mercer"])
def test_every_smoothing_scores_and_draws(smoothing: str, text: Path, run, tmp_path) -> None:
    made = str(tmp_path / "m.lm")
    trained = run("train", str(text), "--order", "200", "--smoothing", smoothing, "-o", made)
    assert trained.status == 0, trained.err
    scored = run("score", made, str(text), "--json")
    assert all(math.isfinite(row["log10_probability"]) for row in json.loads(scored.out))
    # A prompt of 150 tokens stands in 150 contexts at once, through which drawing backs off.
    prompt = text.read_text().splitlines()[0]
    drawn = run("generate", made, "--prompt", prompt, "--seed", "1", "--max-tokens", "3")
    assert drawn.status == 0, drawn.err


@pytest.mark.slow
def test_drawing_backs_off_through_more_orders_than_python_has_frames(tmp_path, run) -> None:
    (tmp_path / "t.txt").write_text("a b\n")
    assert run("train", f"{tmp_path}/t.txt", "--order", "1000", "-o", f"{tmp_path}/m").status == 0
    # "a a a ..." was never seen: every order passes the draw on to the one below.
    prompt = "a " * 1100
    drawn = run("generate", f"{tmp_path}/m", "--prompt", prompt, "--seed", "1", "-n", "1")
    assert drawn.status == 0, drawn.err


def test_above_1000(text: Path, tmp_path: Path, run) -> None:
    refused = run("train", str(text), "--order", "1001", "-o", str(tmp_path / "m.lm"))
    assert refused.status == 2
    assert "1001" in refused.err and "1000" in refused.err
    with pytest.raises(UsageError, match="from 1 to 1,000, not 1,001"):
        count_ngrams([np.array([3, 2], np.int32)], 1001, 4)
    counts = tmp_path / "long.counts"
    counts.write_text(" ".join(["a"] * 1001) + "\t1\n")
    with pytest.raises(FormatError, match=r"long.counts, line 1: an n-gram of 1,001 words"):
        read_counts(counts)
    arpa = tmp_path / "long.arpa"
    sizes = "".join(f"ngram {n}=0\n" for n in range(1, 1002))
    arpa.write_text(f"\\data\\\n{sizes}\n\\1-grams:\n\n\\end\\\n")
    with pytest.raises(FormatError, match=r"line 1002: orders go up to 1,000"):
        read_arpa(arpa)

"""What README.md and the pages show is what happens: their commands and Python are run, and the
outputs compared; and the comparison itself notices what it should."""

from __future__ import annotations

import re
from typing import Any

import pytest

from .support import ROOT, load_script

examples = load_script("docs/examples.py")


@pytest.mark.slow
@pytest.mark.parametrize("page", examples.PAGES)
def test_the_outputs_on_the_page_are_what_its_commands_say(page, tmp_path):
    path = ROOT / page
    blocks = examples.blocks_of(path.read_text(encoding="utf-8"))
    place = tmp_path / "place"
    place.mkdir()
    examples.run(blocks, place, tmp_path / "home")
    assert examples.check(path, blocks) == []


def test_the_tour_uses_every_command_of_the_main_jobs():
    shown = (ROOT / "README.md").read_text(encoding="utf-8")
    used = set(re.findall(r"lmkit ([a-z]+)", shown))
    assert used >= {
        *("train", "perplexity", "score", "generate", "counts", "explain"),
        *("prune", "import", "export", "tables", "data"),
    }


def test_no_block_that_looks_like_one_to_run_is_overlooked():
    for page in examples.PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        found = examples.blocks_of(text)
        assert len(found) == len(re.findall(r"^```(?:console|pycon)", text, re.MULTILINE)), page
        assert sum(len(block.examples) for block in found) == len(
            re.findall(r"^(?:\$|>>>) ", text, re.MULTILINE)
        )


def test_blocks_are_taken_apart_into_commands_and_outputs():
    page = (
        "text\n```console corpus\n$ one \\\n  more\nout\n\nput\n$ for x in y; do\n> two\n> done\n"
        "```\n\n```pycon\n>>> if a:\n...     b\n1\n>>> c\n```\n```sh\n$ not this\n```\n"
    )
    console, python = examples.blocks_of(page)
    assert (console.kind, console.corpus, console.line) == ("console", True, 2)
    assert [(e.source, e.expected) for e in console.examples] == [
        ("$ one \\\n  more\n", "out\n\nput\n"),
        ("$ for x in y; do\n> two\n> done\n", ""),
    ]
    assert (python.kind, python.corpus) == ("pycon", False)
    assert [e.expected for e in python.examples] == ["1\n", ""]
    for block in (console, python):
        for example in block.examples:
            example.actual = example.expected
    assert examples.rewritten(page, [console, python]) == page


def verdict(expected: str, actual: str, same: bool = True, **how: Any) -> str | None:
    """What the comparison says of a command's output; by default the corpus is the same."""
    source = how.get("source", "$ lmkit perplexity x")
    block = examples.Block("console", how.get("corpus", True), (0, 0), 1)
    return examples.difference(examples.Example(source, expected, actual), block, same)


def test_numbers_may_be_rounded_differently_and_times_and_sizes_differ():
    assert verdict("p 82.0091, 0.2 s, 2.9 MB\n", "p 82.0090, 11.7 s, 3.1 MB\n") is None
    assert verdict("-----  --\n   1  -0.5\n", "---  ------\n1   -0.5\n") is None


@pytest.mark.parametrize(
    "expected, actual",
    [
        ("p 82.0\n", "p 84.0\n"),
        ("p -82.0\n", "p 82.0\n"),
        ("perplexity 82\n", "perplexities 82\n"),
        ("a\nb\n", "a\n"),
        ("", "Error: x.\n"),
        ("1,000 n-grams\n", "1,100 n-grams\n"),
    ],
)
def test_a_wrong_output_is_noticed(expected, actual):
    assert verdict(expected, actual) is not None


def test_under_another_corpus_numbers_may_differ_by_a_third_and_sentences_wholly():
    assert verdict("p 82\n", "p 71\n", same=False) is None
    assert verdict("p 82\n", "p 41\n", same=False) is not None
    assert verdict("p 82\n", "p 71\n", same=False, corpus=False) is not None
    drawn = {"source": "$ lmkit generate x -n 2"}
    assert verdict("A b.\nC d.\n", "E.\nF g h.\n", same=False, **drawn) is None
    assert verdict("A b.\nC d.\n", "E.\n", same=False, **drawn) is not None
    assert verdict("A b.\nC d.\n", "A b.\nC e.\n", same=True, **drawn) is not None


def test_a_command_that_fails_unannounced_is_no_output(tmp_path):
    blocks = examples.blocks_of("```console\n$ lmkit info nowhere.lm\n```\n")
    with pytest.raises(RuntimeError, match=r"status 1: .*\nError: there is no file nowhere\.lm"):
        examples.run(blocks, tmp_path, tmp_path / "home")
    announced = "```console\n$ lmkit info nowhere.lm\nError: there is no file nowhere.lm.\n```\n"
    blocks = examples.blocks_of(announced)
    examples.run(blocks, tmp_path, tmp_path / "home")
    assert blocks[0].examples[0].actual.startswith("Error: there is no file nowhere.lm. Try: ")

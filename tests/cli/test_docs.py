"""The pages are complete and not stale: every command, option, public name, method and tokenizer
is described, and every link leads somewhere."""

from __future__ import annotations

import inspect
import re
import unicodedata

import click
import pytest

import lmkit
from lmkit import registry
from lmkit.cli.headings import UNBROKEN

from .support import ROOT, load_script
from .test_frame import COMMANDS

reference = load_script("docs/reference.py")
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("data/*.md")])


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def test_the_reference_of_the_commands_is_what_they_say_with_help():
    assert reference.PAGE.read_text(encoding="utf-8") == reference.reference(), "run: make docs"


def test_the_reference_has_every_command_and_option():
    page = text_of("docs/commands.md")
    for name, command in COMMANDS.items():
        section = page.partition(f"# lmkit {name}\n")[2].partition("\n#")[0]
        assert section, name
        for parameter in command.params:
            if isinstance(parameter, click.Option) and parameter.expose_value:
                for flag in (*parameter.opts, *parameter.secondary_opts):
                    assert re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", section), flag
    assert UNBROKEN not in page


def test_every_public_name_is_on_the_page_on_python():
    page = text_of("docs/python.md")
    for name in set(lmkit.__all__) - {"__version__"}:
        assert re.search(rf"lmkit\.{name}\b", page), name


def public_things() -> dict[str, object]:
    """The public names, and the methods and properties of the public classes."""
    found: dict[str, object] = {}
    for name in set(lmkit.__all__) - {"__version__"}:
        found[name] = getattr(lmkit, name)
        if inspect.isclass(found[name]):
            for member, thing in vars(found[name]).items():
                if not member.startswith("_") and (
                    callable(thing) or isinstance(thing, property | staticmethod | classmethod)
                ):
                    found[f"{name}.{member}"] = thing
    return found


SAID_BY_THEIR_CLASS = {"Perplexity"}
"""Classes whose module says in one place what all their properties count."""


@pytest.mark.parametrize("name", sorted(public_things()))
def test_every_public_name_has_a_docstring_and_types(name):
    thing = public_things()[name]
    owner = name.partition(".")[0]
    thing = getattr(thing, "fget", None) or getattr(thing, "__func__", thing)
    if owner not in SAID_BY_THEIR_CLASS or owner == name:
        assert inspect.getdoc(thing), name
    if inspect.isfunction(thing):
        signature = inspect.signature(thing)
        untyped = [
            one.name
            for one in signature.parameters.values()
            if one.name not in ("self", "cls") and one.annotation is one.empty
        ]
        assert untyped == [], name
        assert signature.return_annotation is not signature.empty, name


@pytest.mark.parametrize("method", list(registry.BUILT_IN["smoothing"]))
def test_every_smoothing_method_has_its_section(method):
    headings = re.findall(r"^### (.*)$", text_of("docs/smoothing.md"), re.MULTILINE)
    assert method in ", ".join(headings).split(", ")


@pytest.mark.parametrize("tokenizer", list(registry.BUILT_IN["tokenizer"]))
def test_every_tokenizer_is_in_the_table(tokenizer):
    assert re.search(rf"^\| `{tokenizer}`", text_of("docs/text.md"), re.MULTILINE)


def test_the_table_of_perplexities_has_every_method_that_has_perplexities():
    benchmark = text_of("benchmarks/smoothing.py")
    table = text_of("docs/smoothing.md").partition("## Which one")[2]
    named = re.findall(r'^    \("([^"]+)", \{', benchmark, re.MULTILINE)
    assert len(named) > 10
    for name in named:
        assert f"| {name} |" in table
    # Of the others one has no perplexity at all, the other an infinite one.
    left_out = {"stupid-backoff", "maximum-likelihood"}
    assert {name.split(",")[0] for name in named} | left_out == set(registry.BUILT_IN["smoothing"])


def test_the_index_lists_every_page():
    index = text_of("docs/index.md")
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "index.md" or f"({page.name})" in index, page.name


def anchors(page: str) -> set[str]:
    """What headings of ``page`` can be linked to, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    return {
        "".join(
            letter
            for letter in heading.lower().replace(" ", "-")
            if letter in "-_" or unicodedata.category(letter)[0] in "LN"
        )
        for heading in headings
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_inside_the_project_leads_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        path = (page.parent / file).resolve() if file else page
        assert path.exists(), target
        if anchor:
            assert anchor in anchors(path.read_text(encoding="utf-8")), target

"""The page in a real browser: on a light screen, a dark one, a small one and on paper."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from lmkit.evaluate.report import write_report

pytest.importorskip("matplotlib", reason="needs the extra report")
pytest.importorskip("jinja2", reason="needs the extra report")
# matplotlib brings it.
image = pytest.importorskip("PIL.Image", reason="needs the extra report")

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
QUIET = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --hide-scrollbars"
    " --disable-background-networking --disable-component-update --disable-sync"
).split()
LIGHT_PAPER, DARK_PAPER = (255, 255, 255), (22, 25, 29)
LIGHT_ACCENT, DARK_ACCENT = (10, 92, 168), (109, 180, 245)


@pytest.fixture(scope="module")
def browser() -> str:
    found = os.environ.get("LMKIT_BROWSER") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)}, and no LMKIT_BROWSER")
    return found


@pytest.fixture
def show(browser, comparison, tmp_path):
    """Opens the report with the browser's arguments, and gives what it prints."""
    page = tmp_path / "report.html"
    write_report(comparison, page)

    def run(*words: str) -> str:
        profile = tmp_path / "profile"
        command = [browser, *QUIET, f"--user-data-dir={profile}", *words, page.as_uri()]
        # A browser under load may take long to start, and goes on long after it has answered.
        ended = subprocess.run(command, capture_output=True, text=True, timeout=170, check=True)
        shutil.rmtree(profile, ignore_errors=True)
        return ended.stdout

    return run


def colours(path: Path, least: int) -> tuple[tuple[int, int, int], set[tuple[int, int, int]]]:
    """The colour in the corner, and all that at least ``least`` pixels have."""
    with image.open(path) as opened:
        picture = opened.convert("RGB")
        found = picture.getcolors(picture.width * picture.height)
        return picture.getpixel((3, 3)), {colour for count, colour in found if count >= least}


@pytest.mark.parametrize(
    ("scheme", "paper", "accent"),
    [(1, LIGHT_PAPER, LIGHT_ACCENT), (0, DARK_PAPER, DARK_ACCENT)],
    ids=["light", "dark"],
)
def test_the_page_takes_the_colours_of_the_screen(show, tmp_path, scheme, paper, accent):
    picture = tmp_path / "page.png"
    show(
        *(f"--blink-settings=preferredColorScheme={scheme}", f"--screenshot={picture}"),
        "--window-size=1100,4200",
    )
    corner, found = colours(picture, 500)
    assert corner == paper
    # The best bar has it: so drawings know the page's colours.
    assert accent in found
    assert len(found) > 8


def test_a_browser_reads_the_page_as_it_was_written(show):
    dom = show("--dump-dom")
    assert len(re.findall(r"<svg\b", dom)) == 4
    assert "alert(" in dom and "<script" not in dom.lower()
    assert dom.rstrip().endswith("</html>")


def test_it_prints_on_white(show, tmp_path):
    pdf = tmp_path / "page.pdf"
    show(
        f"--print-to-pdf={pdf}", "--no-pdf-header-footer", "--blink-settings=preferredColorScheme=0"
    )
    data = pdf.read_bytes()
    assert data.startswith(b"%PDF")
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", data)) <= 12


def test_a_narrow_screen_scrolls_tables_and_not_the_page(show, browser, comparison, tmp_path):
    """A script that the test adds says how wide the page has become."""
    page = tmp_path / "report.html"
    write_report(comparison, page)
    text = page.read_text(encoding="utf-8")
    text = re.sub(r"<meta http-equiv=[^>]+>", "", text)
    probe = "<script>document.title = 'wide ' + document.documentElement.scrollWidth</script>"
    page.write_text(text.replace("</body>", f"{probe}</body>"), encoding="utf-8")
    command = [browser, *QUIET, f"--user-data-dir={tmp_path / 'narrow'}", "--dump-dom"]
    ended = subprocess.run(
        [*command, "--window-size=500,900", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=170,
        check=True,
    )
    found = re.search(r"<title>wide (\d+)</title>", ended.stdout)
    assert found is not None
    assert int(found[1]) <= 500

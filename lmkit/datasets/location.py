"""Where data sets lie on this machine.

``$LMKIT_HOME/data/NAME/SPLIT.txt``; without ``LMKIT_HOME`` the application
directory of the platform, the same as ``click.get_app_dir("lmkit")``. Downloads
under way lie in ``data/.partial``, on the same file system, so that a finished
one is put in place by a rename.
"""

from __future__ import annotations

from pathlib import Path

from lmkit.errors import DownloadError
from lmkit.home import home_directory


def split_file(name: str, split: str) -> Path:
    """The text file of one split, whether it exists yet or not."""
    return home_directory() / "data" / name / f"{split}.txt"


def partial_directory() -> Path:
    """Where unfinished downloads and their locks lie."""
    return home_directory() / "data" / ".partial"


def cannot_write(path: Path, error: OSError) -> DownloadError:
    """The error for a directory or disk that does not take the data."""
    return DownloadError(
        f"cannot write {path}: {error.strerror or error}",
        "free some space, or set LMKIT_HOME to a directory that can be written",
    )

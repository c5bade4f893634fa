"""Where lmkit keeps what it makes for a person: data sets, models, a dictionary."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def home_directory() -> Path:
    """``LMKIT_HOME``, else the application directory. Nothing is created."""
    named = os.environ.get("LMKIT_HOME", "")
    if named:
        return Path(named).expanduser().absolute()
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA") or Path.home()) / "lmkit"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "lmkit"
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "lmkit"

"""Check that the newest wheel in dist/ holds every file of lmkit/, the licence, no more."""

import sys
import zipfile
from pathlib import Path

wheel = max(Path("dist").glob("lmkit-*.whl"), key=lambda path: path.stat().st_mtime)
held = set(zipfile.ZipFile(wheel).namelist())
ours = {
    path.as_posix()
    for path in Path("lmkit").rglob("*")
    if path.is_file() and "__pycache__" not in path.parts
}
facts = {name for name in held if ".dist-info/" in name}
missing = ours - held
foreign = held - ours - facts
if missing or foreign or not any(name.endswith("licenses/LICENSE") for name in facts):
    sys.exit(f"Error: {wheel} lacks {sorted(missing)} and has {sorted(foreign)} besides lmkit.")
print(f"{wheel}: {len(ours)} files of lmkit, {wheel.stat().st_size / 1024:.0f} KiB")

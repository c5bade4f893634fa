"""Print pip constraints that hold each run-time dependency at its lower bound in pyproject.toml."""

import re
import sys
import tomllib
from pathlib import Path

project = tomllib.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["project"]
for requirement in [*project["dependencies"], *project["optional-dependencies"]["zstd"]]:
    bound = re.fullmatch(r"([\w-]+)>=([\d.]+)", requirement)
    if bound is None:
        sys.exit(f"Error: no plain lower bound in {requirement!r}. Try: name>=version.")
    print(f"{bound[1]}=={bound[2]}")

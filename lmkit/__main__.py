"""``python -m lmkit`` is ``lmkit``."""

import sys

from lmkit.cli.main import main

if __name__ == "__main__":
    sys.exit(main())

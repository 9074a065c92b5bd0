"""`python -m hookwright_conformance` is `hookwright-conformance`."""

from __future__ import annotations

import sys

from hookwright_conformance.cli import main

if __name__ == "__main__":
    sys.exit(main())

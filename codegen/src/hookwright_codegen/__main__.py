"""`python -m hookwright_codegen`."""

from __future__ import annotations

import sys

from hookwright_codegen.cli import main

sys.exit(main())

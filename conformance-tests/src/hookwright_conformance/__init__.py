"""Does an implementation of Hookwright's `openapi.yaml` behave as documented?"""

from __future__ import annotations

__version__ = "0.1.0"

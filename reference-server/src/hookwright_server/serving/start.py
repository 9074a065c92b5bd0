"""What a process is to run, and how it says that it cannot start; its parent adds nothing."""

from __future__ import annotations

import importlib
from typing import Any

REFUSED_EXIT_CODE = 3
SWITCH_S = 0.001
"""The writer lets go of the interpreter at each step of a statement; every time it would wait for
as long as this (Python's default: 5 ms) while another thread computes."""


class StartRefused(Exception):
    """The application cannot start; `str()` says why and what to do."""


def load(target: str) -> Any:
    """What `module:name` names."""
    module_name, _, name = target.partition(":")
    return getattr(importlib.import_module(module_name), name)

"""Generate, import, run: what is made of the shop works, whatever its source looks like."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def test_the_generated_sdk_works(shop_tree: Path, run_cases: Callable[[Path, str], None]) -> None:
    """The SDK calls a real socket through the real runtime."""
    run_cases(shop_tree, "sdk_cases.py")


def test_the_generated_edge_works(shop_tree: Path, run_cases: Callable[[Path, str], None]) -> None:
    """The edge judges requests and leads them to handlers."""
    run_cases(shop_tree, "edge_cases.py")

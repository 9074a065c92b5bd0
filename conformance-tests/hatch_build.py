"""Puts openapi.yaml into the distributions."""

# ruff: noqa: INP001 - hatchling loads this file by its path

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ContractHook(BuildHookInterface[Any]):
    """Takes the contract from the repository, or from an sdist that has it already."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the file to what is built; hatchling calls this before every build."""
        del version
        here = Path(self.root)
        found = next(
            path for path in (here / "openapi.yaml", here.parent / "openapi.yaml") if path.is_file()
        )
        inside = (
            "openapi.yaml" if self.target_name == "sdist" else "hookwright_conformance/openapi.yaml"
        )
        build_data["force_include"][str(found)] = inside

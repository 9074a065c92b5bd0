"""The API reference: Markdown pages of the site, one per namespace, with all schemas and errors."""

from __future__ import annotations

from hookwright_codegen.targets.reference_docs.backend import render
from hookwright_codegen.targets.reference_docs.examples import curl

__all__ = ["curl", "render"]

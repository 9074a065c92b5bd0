"""The Python SDK: attrs models and namespaced resource classes, sync and async."""

from __future__ import annotations

from hookwright_codegen.targets.python_sdk.backend import render

__all__ = ["render"]

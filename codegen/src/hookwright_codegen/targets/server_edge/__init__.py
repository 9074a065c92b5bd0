"""The server's edge: routes, handler Protocols, request models, the gate, and `domain/contract`."""

from __future__ import annotations

from hookwright_codegen.targets.server_edge.backend import render

__all__ = ["render"]

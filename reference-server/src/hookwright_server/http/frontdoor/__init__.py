"""The front door: validates HTTP, sheds slow and oversized clients, relays the rest.

granian answers malformed HTTP with an empty 400 and cannot be told otherwise; the contract wants
a problem document with a request id for everything. So this relay stands in front of it.
"""

from __future__ import annotations

from hookwright_server.http.frontdoor.backends import Backend, Backends
from hookwright_server.http.frontdoor.door import FrontDoor
from hookwright_server.http.frontdoor.limits import Limits
from hookwright_server.http.frontdoor.refusal import RefusalCode, RenderProblem

__all__ = ["Backend", "Backends", "FrontDoor", "Limits", "RefusalCode", "RenderProblem"]

"""What is written once for all operations. Generated code uses these names and no others."""

from __future__ import annotations

from hookwright._core.call import UNSET, Call, CallOptions, Unset, expand, json_value, query_items
from hookwright._core.client import AsyncCore, SyncCore
from hookwright._core.paging import AsyncPage, AsyncPager, SyncPage

__all__ = [
    "UNSET",
    "AsyncCore",
    "AsyncPage",
    "AsyncPager",
    "Call",
    "CallOptions",
    "SyncCore",
    "SyncPage",
    "Unset",
    "expand",
    "json_value",
    "query_items",
]

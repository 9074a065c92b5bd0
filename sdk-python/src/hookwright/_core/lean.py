"""
httpx without its command line, which would import click, rich and pygments wherever those are
installed, `hookwright[cli]` among them: twice the time of all the rest of a first call.
"""

from __future__ import annotations

import sys

__all__ = ["httpx"]

if "httpx" in sys.modules:
    import httpx
else:
    # None makes an import fail; httpx takes that for an installation without its command line.
    sys.modules["httpx._main"] = None  # type: ignore[assignment] # pyright: ignore[reportArgumentType]
    try:
        import httpx
    finally:
        del sys.modules["httpx._main"]

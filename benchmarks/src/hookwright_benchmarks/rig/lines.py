"""How a rig's process answers: one line of JSON on stdout, however long it is."""

from __future__ import annotations

import json
import os
import select
import sys
from typing import Any


def say(document: Any) -> None:
    """Write `document` whole, also when the pipe is full and does not block."""
    rest = memoryview(json.dumps(document).encode() + b"\n")
    handle = sys.stdout.fileno()
    while rest:
        try:
            rest = rest[os.write(handle, rest) :]
        except BlockingIOError:
            select.select((), (handle,), ())

"""`python -m hookwright_benchmarks.comparison.probe LIBRARY (cost | SCENE)`, where only it lives.

Prints one JSON object. Standard library and the library only: it runs in an environment of its own.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from hookwright_benchmarks.comparison.features import SCENES
from hookwright_benchmarks.comparison.libraries import LIBRARIES, Library
from hookwright_benchmarks.comparison.scripted import Answer, scripted


def main() -> None:
    """Do what the command line names."""
    name, what = sys.argv[1:]
    library = LIBRARIES[name]
    print(json.dumps(_cost(library) if what == "cost" else asdict(SCENES[what](library))))


def _cost(library: Library) -> dict[str, float]:
    """CPU in ms of making a client and of its first call; growth in MB since before the import."""
    with scripted(Answer(200, library.one)) as server:
        memory = _resident_mb()
        import_module(library.module)
        imported = time.process_time()
        client = library.client(server.url)
        made = time.process_time()
        library.read(client)
        called = time.process_time()
        grown = _resident_mb() - memory
    return {
        "client_ms": (made - imported) * 1000,
        "first_call_ms": (called - made) * 1000,
        "memory_mb": grown,
    }


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()

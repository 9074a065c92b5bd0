"""The process model of `serve` and `api`: a parent with the front door, workers with the rest.

The parent only relays and supervises. `serve` has one worker; a crash of it is the parent's end
too, and the other way round, so that whoever restarts us finds the database's lock free. `api` has
several, and replaces the one that dies. The worker of `serve` has the delivery engine in a child
of its own, and starts that again when it dies.
"""

from __future__ import annotations

from hookwright_server.serving.engine_process import EngineProcess
from hookwright_server.serving.parent_watch import end_with_stdin
from hookwright_server.serving.process_settings import ProcessSettings
from hookwright_server.serving.shutdown import is_stopping, register_shutdown
from hookwright_server.serving.start import StartRefused
from hookwright_server.serving.supervisor import Ready, serve

__all__ = [
    "EngineProcess",
    "ProcessSettings",
    "Ready",
    "StartRefused",
    "end_with_stdin",
    "is_stopping",
    "register_shutdown",
    "serve",
]

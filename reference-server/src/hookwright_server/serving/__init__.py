"""The process model of `serve`: one parent with the front door, one worker with everything else.

The parent only relays and supervises; a crash of the worker is its end too, and the other way
round, so that whoever restarts us finds the database's lock free.
"""

from __future__ import annotations

from hookwright_server.serving.shutdown import register_shutdown
from hookwright_server.serving.start import StartRefused
from hookwright_server.serving.supervisor import ProcessSettings, Ready, serve

__all__ = ["ProcessSettings", "Ready", "StartRefused", "register_shutdown", "serve"]

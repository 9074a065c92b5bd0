"""`hookwright-server demo`: options in, exit code out."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom
from typing import cast

import uvloop
from rich.console import Console

from hookwright import APIError
from hookwright_server.demo.closing import document, say_goodbye
from hookwright_server.demo.report import write_report
from hookwright_server.demo.screen import JsonScreen, Screen, screen_for
from hookwright_server.demo.server_process import ServerFailed
from hookwright_server.demo.story import Ending, perform

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


@dataclass(frozen=True, slots=True)
class Options:
    """What may be said on the command line; a seed of None means a random one."""

    events: int
    seed: int | None
    report: Path
    as_json: bool


def run_demo(options: Options) -> int:
    """The exit code: 0 when nothing was lost, 1 when something was, 130 when interrupted.

    Raises OSError when the report cannot be written.
    """
    if not options.report.parent.is_dir():
        _complain(f"There is no folder {options.report.parent} for the report.")
        return 2
    _forget_proxies()
    seed = SystemRandom().randrange(100_000) if options.seed is None else options.seed
    console = Console(file=sys.stdout)
    screen = screen_for(console, options.as_json)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            ending = runner.run(_interruptible(options.events, seed, screen))
    except (asyncio.CancelledError, KeyboardInterrupt):
        screen.close()
        _complain("Interrupted; the server was killed and its temporary folder removed.")
        return 130
    except (ServerFailed, APIError, ExceptionGroup) as error:
        screen.close()
        _complain(_cause(error))
        return 1
    finally:
        screen.close()
    write_report(ending, options.report)
    if isinstance(screen, JsonScreen):
        screen.write(document(ending, options.report))
    else:
        say_goodbye(console, ending, options.report)
    return 0 if ending.passed else 1


def _complain(text: str) -> None:
    Console(stderr=True).print(text, markup=False, highlight=False, soft_wrap=True)


async def _interruptible(events: int, seed: int, screen: Screen) -> Ending:
    story = asyncio.create_task(perform(events, seed, screen))

    def cancel() -> None:
        # A second Ctrl-C must not keep the first one from stopping the server.
        if not story.cancelling():
            story.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, cancel)
    return await story


def _cause(error: Exception) -> str:
    if isinstance(error, ExceptionGroup):
        return _cause(cast("ExceptionGroup[Exception]", error).exceptions[0])
    if not isinstance(error, (ServerFailed, APIError)):
        raise error
    return f"The demo failed: {error}"


def _forget_proxies() -> None:
    # Everything here is on loopback, and the SDK would honour them.
    for name in _PROXIES:
        os.environ.pop(name, None)
        os.environ.pop(name.lower(), None)

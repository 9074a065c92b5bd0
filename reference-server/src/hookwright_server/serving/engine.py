"""The engine's process: delivers until it is told to stop, or until whoever started it is gone."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Protocol

from hookwright_server.serving.engine_link import DONE, LATE, READY, Link
from hookwright_server.serving.parent_watch import die_with_parent
from hookwright_server.serving.start import REFUSED_EXIT_CODE, SWITCH_S, StartRefused, load


class Delivering(Protocol):
    """What is run here. `start` raises StartRefused."""

    def start(self) -> None:
        """Begin to deliver."""
        ...

    def wake(self) -> None:
        """Something may be due now."""
        ...

    def run_until_quiescent(self, timeout_s: float) -> bool:
        """See `delivery.engine.Engine`."""
        ...

    def do_chores(self, timeout_s: float) -> bool:
        """See `delivery.engine.Engine`."""
        ...

    def stop(self) -> None:
        """Finish what is under way and let go of everything."""
        ...


def main(argv: Sequence[str] | None = None) -> int:
    """Build what the factory makes, deliver until the order to stop, shut it down."""
    options = _parse(argv)
    sys.setswitchinterval(SWITCH_S)
    die_with_parent(options.parent_pid)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # meant for the parent, which tells what follows
    link = Link.of(options.link)
    try:
        delivering: Delivering = load(options.factory)(*options.handles)
        delivering.start()
    except StartRefused as error:
        sys.stderr.write(f"Error: {error}\n")
        return REFUSED_EXIT_CODE
    link.say(READY)
    _obey(link, delivering)
    threading.Thread(target=_die_at_the_end_of, args=(link,), daemon=True).start()
    delivering.stop()
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("factory")
    parser.add_argument("--link", type=int, required=True)
    parser.add_argument("--parent-pid", type=int, required=True)
    parser.add_argument("--handles", type=int, nargs="*", default=[])
    return parser.parse_args(argv)


def _obey(link: Link, delivering: Delivering) -> None:
    """Return at the order to stop."""
    for line in link:
        if line == "stop":
            return
        if line == "hint":
            delivering.wake()
        else:
            # Hints and the order to stop do not wait for an answer that may take a minute.
            threading.Thread(target=_answer, args=(link, delivering, line), daemon=True).start()
    _kill_self()


def _answer(link: Link, delivering: Delivering, line: str) -> None:
    question, _, seconds = line.partition(" ")
    ask = delivering.run_until_quiescent if question == "settle" else delivering.do_chores
    link.say(DONE if ask(float(seconds)) else LATE)


def _die_at_the_end_of(link: Link) -> None:
    for _ in link:
        pass
    _kill_self()


def _kill_self() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())

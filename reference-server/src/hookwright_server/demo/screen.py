"""What the demo says while it runs: a live table, plain lines, or JSON lines for scripts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any, Protocol

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

_PLAIN_PAUSE_S = 2.0
_STYLES = {"healthy": "green", "degraded": "yellow", "failing": "red", "disabled": "magenta"}


@dataclass(frozen=True, slots=True)
class Line:
    """One endpoint at this moment, in deliveries; `retries` in requests beyond the first."""

    name: str
    does: str
    state: str
    owed: int
    taken: int
    retries: int
    waiting: int
    held: int
    given_up: int


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything that the screen shows at one moment."""

    at: float
    planned: int
    accepted: int
    server_up: bool
    lines: tuple[Line, ...]

    @property
    def totals(self) -> dict[str, int]:
        counted = ("owed", "taken", "retries", "waiting", "held", "given_up")
        return {name: sum(getattr(line, name) for line in self.lines) for name in counted}


@dataclass(frozen=True, slots=True)
class News:
    """One thing that happened, at `at` seconds; `event` and `facts` are for scripts."""

    at: float
    event: str
    text: str
    facts: Mapping[str, Any]


class Screen(Protocol):
    """Where the story is told."""

    def tell(self, news: News) -> None:
        """Say what has just happened."""
        ...

    def show(self, picture: Picture) -> None:
        """How things stand; called several times a second."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was. May be called twice."""
        ...


class JsonScreen:
    """JSON lines."""

    def __init__(self, output: IO[str]) -> None:
        self._output = output

    def tell(self, news: News) -> None:
        told = {"at_s": round(news.at, 2), "event": news.event, "text": news.text}
        self.write(told | dict(news.facts))

    def show(self, picture: Picture) -> None:
        """Pictures are for people."""

    def write(self, document: dict[str, Any]) -> None:
        self._output.write(json.dumps(document, ensure_ascii=False) + "\n")
        self._output.flush()

    def close(self) -> None:
        """Nothing is open."""


class PlainScreen:
    """Lines for a log or a pipe."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown_at = 0.0

    def tell(self, news: News) -> None:
        self._console.print(f"{news.at:5.1f} s  {news.text}", highlight=False, soft_wrap=True)

    def show(self, picture: Picture) -> None:
        if picture.at - self._shown_at < _PLAIN_PAUSE_S or not picture.accepted:
            return
        self._shown_at = picture.at
        self._console.print(
            f"{picture.at:5.1f} s    {summary(picture)}", highlight=False, soft_wrap=True
        )

    def close(self) -> None:
        """Nothing is open."""


class LiveScreen:
    """A table that changes in place, with the story above it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._live.start()

    def tell(self, news: News) -> None:
        line = Table.grid(padding=(0, 1))
        line.add_column(style="dim", justify="right", width=6, no_wrap=True)
        line.add_column()
        line.add_row(f"{news.at:.1f} s", news.text)
        self._console.print(line)

    def show(self, picture: Picture) -> None:
        bar = Table.grid(padding=(0, 1), expand=True)
        bar.add_column(no_wrap=True)
        bar.add_column(ratio=1)
        bar.add_row("accepted ", ProgressBar(picture.planned, picture.accepted))
        bar.add_row(
            "delivered", ProgressBar(max(1, picture.totals["owed"]), picture.totals["taken"])
        )
        server = (
            Text("server up", "green") if picture.server_up else Text("SERVER DEAD", "bold red")
        )
        foot = Text(f"{summary(picture)} · ", "dim").append_text(server)
        self._live.update(Group("", _table(picture), bar, foot), refresh=True)

    def close(self) -> None:
        self._live.stop()


def screen_for(console: Console, as_json: bool) -> Screen:
    """The screen that fits where the output goes."""
    if as_json:
        return JsonScreen(console.file)
    return LiveScreen(console) if console.is_terminal else PlainScreen(console)


def summary(picture: Picture) -> str:
    """A picture in one line."""
    totals = picture.totals
    return (
        f"{picture.accepted}/{picture.planned} events accepted · "
        f"{totals['taken']}/{totals['owed']} delivered · {totals['retries']} retries · "
        f"{totals['waiting']} waiting · {totals['held']} held · {totals['given_up']} given up"
    )


def _table(picture: Picture) -> Table:
    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("endpoint", style="bold")
    table.add_column("what it does", style="dim")
    table.add_column("health")
    for name in ("owed", "delivered", "retries", "waiting", "held", "given up"):
        table.add_column(name, justify="right")
    for line in picture.lines:
        counts = (line.retries, line.waiting, line.held, line.given_up)
        table.add_row(
            line.name,
            line.does,
            Text(line.state, _STYLES.get(line.state, "")),
            str(line.owed),
            Text(str(line.taken), "green"),
            *(str(count) if count else Text("·", "dim") for count in counts),
        )
    return table

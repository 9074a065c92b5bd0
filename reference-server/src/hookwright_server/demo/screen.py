"""What the demo says while it runs: a live table, plain lines, or JSON lines for scripts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

_PLAIN_PAUSE_S = 2.0
_WIDE = 86
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
        self._live = Live(console=console, auto_refresh=False)
        self._live.start()

    def tell(self, news: News) -> None:
        line = Table.grid(padding=(0, 1))
        line.add_column(style="dim", justify="right", width=6, no_wrap=True)
        line.add_column()
        line.add_row(f"{news.at:.1f} s", news.text)
        self._console.print(line)

    def show(self, picture: Picture) -> None:
        table = _table(picture, self._console.width >= _WIDE)
        self._live.update(Group("", table, "", _foot(picture)), refresh=True)

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


def _table(picture: Picture, wide: bool) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("endpoint", style="bold", no_wrap=True)
    if wide:
        table.add_column("what it does", style="dim", no_wrap=True)
    table.add_column("health", no_wrap=True)
    for name in ("delivered", "retries", "waiting", "held", "given up"):
        table.add_column(name, justify="right", no_wrap=True)
    for line in picture.lines:
        counts = (line.retries, line.waiting, line.held, line.given_up)
        table.add_row(
            line.name,
            *([line.does] if wide else []),
            Text(line.state, _STYLES.get(line.state, "")),
            Text.assemble((str(line.taken), "green"), (f"/{line.owed}", "dim")),
            *(str(count) if count else Text("·", "dim") for count in counts),
        )
    return table


def _foot(picture: Picture) -> Table:
    foot = Table.grid(padding=(0, 2, 0, 0), expand=True)
    foot.add_column(no_wrap=True)
    foot.add_column(no_wrap=True, justify="right")
    foot.add_column(ratio=1)
    done = (
        ("events accepted", picture.accepted, picture.planned),
        ("webhooks delivered", picture.totals["taken"], picture.totals["owed"]),
    )
    for name, count, total in done:
        foot.add_row(name, f"{count}/{total}", ProgressBar(max(1, total), count))
    up = Text("up", "green") if picture.server_up else Text("killed", "bold red")
    foot.add_row("server", up)
    return foot

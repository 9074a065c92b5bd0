"""The page to look at: one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from hookwright.models import Attempt
from hookwright_server.demo.charts import charts
from hookwright_server.demo.closing import rows, sentence
from hookwright_server.demo.screen import Line
from hookwright_server.demo.story import Ending, Scene


@dataclass(frozen=True, slots=True)
class Part:
    """A share of an endpoint's deliveries, in percent of all."""

    kind: str
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt as it is shown: seconds after the event was accepted, and what came of it."""

    after_s: float
    what: str
    latency_ms: int | None
    succeeded: bool


def write_report(ending: Ending, path: Path) -> None:
    """Write the page. Raises OSError."""
    path.write_text(render(ending), encoding="utf-8")


def render(ending: Ending) -> str:
    """The page."""
    environment = Environment(
        loader=PackageLoader("hookwright_server.demo"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        ending=ending,
        verdict=ending.verdict,
        sentence=sentence(ending),
        rows=list(rows(ending)),
        charts=charts(ending.ledger, ending.kill.outage, ending.news),
        endpoints=[(line, list(_parts(line))) for line in ending.picture.lines],
        scenes=[(scene, [_try(scene, each) for each in scene.attempts]) for scene in ending.scenes],
        date=datetime.fromtimestamp(ending.began_at, UTC),
    )


def _parts(line: Line) -> Iterator[Part]:
    counts = {
        "delivered": line.taken,
        "held": line.held,
        "given up": line.given_up,
        "waiting": line.waiting,
    }
    for kind, count in counts.items():
        if count:
            yield Part(kind, count, round(100 * count / max(1, line.owed), 2))


def _try(scene: Scene, attempt: Attempt) -> Try:
    waited = attempt.created_at - scene.delivery.created_at
    what = attempt.status_code or str(attempt.failure_reason).replace("_", " ")
    return Try(
        max(0.0, waited.total_seconds()),
        str(what),
        attempt.latency_ms,
        attempt.status == "succeeded",
    )

"""The demo's acts: publish, pause, kill, restart, release, and look at what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from hookwright.models import Attempt, Delivery
from hookwright_server.demo.cast import APP
from hookwright_server.demo.ledger import UNFINISHED, Ledger, Outage, Shown, Verdict
from hookwright_server.demo.publisher import PER_SECOND
from hookwright_server.demo.screen import News, Picture, Screen
from hookwright_server.demo.stage import Stage, open_stage

_PAUSE_AFTER: Final = 0.25
_KILL_AFTER: Final = 0.5
_BUSY_REQUESTS: Final = 3
_BUSY_PATIENCE_S: Final = 3.0
_DEAD_FOR_S: Final = 0.7
_PATIENCE_S: Final = 60.0
_LOOK_S: Final = 0.2
_SCENES_PER_ENDPOINT: Final = 2


@dataclass(frozen=True, slots=True)
class Scene:
    """A delivery and its attempts, the first one first, for the report."""

    endpoint: str
    delivery: Delivery
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class Kill:
    """What the kill hit, and how it went on. Times are seconds since the start of the demo."""

    outage: Outage
    requests_unanswered: int
    calls_under_way: int
    calls_repeated: int
    resumed_at: float


@dataclass(frozen=True, slots=True)
class Ending:
    """Everything the demo found out. `began_at` is Unix time, `lasted_s` up to the verdict."""

    began_at: float
    lasted_s: float
    seed: int
    ledger: Ledger
    verdict: Verdict
    picture: Picture
    kill: Kill
    calls_given_up: int
    news: tuple[News, ...]
    scenes: tuple[Scene, ...]

    @property
    def passed(self) -> bool:
        return self.verdict.passed and not self.calls_given_up


async def perform(events: int, seed: int, screen: Screen) -> Ending:
    """Play the demo. Raises ServerFailed when the server does not start."""
    async with open_stage(events, seed, screen) as stage:
        async with asyncio.TaskGroup() as crew:
            watching = crew.create_task(stage.watch())
            publishing = crew.create_task(stage.publisher.run())
            await _publish_and_pause(stage)
            outage, unanswered, calls = await _kill_and_restart(stage)
            await publishing
            kill = _kill_told(stage, outage, unanswered, calls)
            await _release(stage)
            await _settle(stage)
            watching.cancel()
        ending = await _judged(stage, seed, kill)
        screen.show(ending.picture)
        return ending


async def _publish_and_pause(stage: Stage) -> None:
    stage.tell(
        "publishing",
        f"Publishing {stage.events} events through the Python SDK, {PER_SECOND} a second, "
        f"to {len(stage.roles)} endpoints.",
    )
    await _accepted(stage, _PAUSE_AFTER)
    await stage.client.endpoints.disable(APP, stage.endpoints["paused"].id)
    stage.tell(
        "endpoint_paused", "Disabled “paused” by hand: what is published for it is held, not lost."
    )


async def _kill_and_restart(stage: Stage) -> tuple[Outage, int, int]:
    await _accepted(stage, _KILL_AFTER)
    await stage.until(lambda: _busy(stage), _BUSY_PATIENCE_S)
    requests, calls, pid = _requests(stage), stage.publisher.under_way, stage.server.pid
    waiting = stage.picture().totals["waiting"]
    killed_at = stage.clock()
    await stage.server.kill()
    stage.server_up = False
    stage.tell(
        "killed",
        f"kill -9 {pid} with work in flight: {_counted(requests, 'webhook')} at receivers, "
        f"{_counted(calls, 'publishing call')}, {_counted(waiting, 'delivery', 'deliveries')} "
        "still to be made.",
        requests_unanswered=requests,
        calls_under_way=calls,
        deliveries_waiting=waiting,
    )
    await asyncio.sleep(_DEAD_FOR_S)
    restarted_at = stage.clock()
    await stage.server.start()
    outage = Outage(killed_at, restarted_at, stage.clock())
    stage.server_up = True
    stage.tell(
        "restarted",
        f"Ready again on the same database, {outage.ready_at - killed_at:.1f} s after the kill "
        f"({_DEAD_FOR_S} s of them idle, for show). Publishing goes on: the SDK retries.",
    )
    return outage, requests, calls


def _kill_told(stage: Stage, outage: Outage, unanswered: int, calls: int) -> Kill:
    repeated = sum(
        one.called_at < outage.ready_at and one.accepted_at > outage.killed_at
        for one in stage.ledger.publications.values()
    )
    resumed_at = min(
        (one.at for one in stage.ledger.receipts if one.at >= outage.restarted_at),
        default=outage.ready_at,
    )
    stage.tell(
        "published",
        f"All {len(stage.ledger.publications)} events are accepted. {repeated} calls had met the "
        "dead server; the SDK repeated each with the same idempotency key.",
        calls_repeated=repeated,
    )
    return Kill(outage, unanswered, calls, repeated, resumed_at)


async def _release(stage: Stage) -> None:
    await stage.look()
    held = next(line.held for line in stage.picture().lines if line.name == "paused")
    await stage.client.endpoints.enable(APP, stage.endpoints["paused"].id)
    stage.tell(
        "endpoint_released",
        f"Enabled “paused” again: its {held} held deliveries are released.",
        released=held,
    )


async def _settle(stage: Stage) -> None:
    """Wait until every delivery has come to its end, or is held."""
    give_up_at = stage.clock() + _PATIENCE_S
    while stage.clock() < give_up_at:
        page = await stage.client.deliveries.list(APP, status=UNFINISHED, limit=1)
        if not page.data:
            break
        await asyncio.sleep(_LOOK_S)
    await stage.look()


async def _judged(stage: Stage, seed: int, kill: Kill) -> Ending:
    names = {endpoint.id: name for name, endpoint in stage.endpoints.items()}
    deliveries = [each async for each in stage.client.deliveries.list(APP, limit=100)]
    shown = {
        (each.message_id, names[each.endpoint_id]): Shown(
            each.id, str(each.status), each.attempt_count
        )
        for each in deliveries
    }
    return Ending(
        began_at=stage.began_at,
        lasted_s=stage.clock(),
        seed=seed,
        ledger=stage.ledger,
        verdict=stage.ledger.judge(shown, kill.outage),
        picture=stage.picture(),
        kill=kill,
        calls_given_up=len(stage.publisher.refused),
        news=tuple(stage.news),
        scenes=tuple([await _scene(stage, names, each) for each in _chosen(deliveries, names)]),
    )


def _chosen(deliveries: list[Delivery], names: Mapping[str, str]) -> Iterator[Delivery]:
    """A few of each endpoint, in the order of the cast: each status, then the most attempts."""
    for endpoint_id in names:
        mine = [each for each in deliveries if each.endpoint_id == endpoint_id]
        mine.sort(key=lambda each: -each.attempt_count)
        firsts = {each.status: each for each in reversed(mine)}
        mine.sort(key=lambda each: firsts[each.status] is not each)
        yield from mine[: max(len(firsts), _SCENES_PER_ENDPOINT)]


async def _scene(stage: Stage, names: Mapping[str, str], delivery: Delivery) -> Scene:
    attempts = [each async for each in stage.client.deliveries.list_attempts(APP, delivery.id)]
    return Scene(names[delivery.endpoint_id], delivery, tuple(reversed(attempts)))


async def _accepted(stage: Stage, share: float) -> None:
    wanted = stage.events * share
    await stage.until(lambda: len(stage.ledger.publications) >= wanted, _PATIENCE_S)


def _counted(count: int, one: str, many: str | None = None) -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"


def _busy(stage: Stage) -> bool:
    return stage.publisher.under_way > 0 and _requests(stage) >= _BUSY_REQUESTS


def _requests(stage: Stage) -> int:
    return sum(receiver.in_progress for receiver in stage.receivers.values())

"""What is worth telling a tenant: the events of `webhooks` in openapi.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hookwright_server.delivery.system_events import Happening
from hookwright_server.domain import instants
from hookwright_server.domain.health import FAILING_AFTER, Ending, Health
from hookwright_server.domain.outcome import failure_reason

if TYPE_CHECKING:
    from hookwright_server.delivery.recorder import Completed
    from hookwright_server.store.claims import Tenant
    from hookwright_server.store.replay_tasks import ReplayTaskRow


def happened(
    done: Completed, ended: Ending | None, before: Health, after: Health
) -> list[Happening]:
    """What follows from one attempt that moved its endpoint's health from `before` to `after`."""
    was, now = before.consecutive_failures, after.consecutive_failures
    found: list[Happening] = []
    if was < FAILING_AFTER <= now:
        found.append(
            _about(
                done,
                "endpoint.failing",
                consecutive_failures=now,
                first_failure_at=_shown(after.first_failure_at),
                **_last(done),
            )
        )
    elif now < FAILING_AFTER <= was:
        found.append(
            _about(done, "endpoint.recovered", failing_since=_shown(before.first_failure_at))
        )
    if ended == "dead_letter":
        found.append(
            _about(
                done,
                "delivery.dead_letter",
                delivery_id=done.claimed.row.id,
                message_id=done.claimed.row.message_id,
                event_name=done.claimed.row.event_name,
                attempt_count=done.claimed.number,
                **_last(done),
            )
        )
    return found


def endpoint_disabled(
    *, tenant: Tenant, app_id: str, endpoint_id: str, url: str, reason: str, at_ms: int
) -> Happening:
    """An endpoint was disabled, by its health, its answer or a request."""
    data = {
        "endpoint_id": endpoint_id,
        "url": url,
        "reason": reason,
        "disabled_at": instants.render(at_ms),
    }
    return Happening("endpoint.disabled", tenant, app_id, data)


def replay_completed(task: ReplayTaskRow) -> Happening:
    """Every delivery of a replay task had its turn."""
    counts = ("total_count", "processed_count", "replayed_count", "skipped_count")
    times = ("created_at", "started_at", "completed_at")
    data: dict[str, object] = {"replay_id": task.id}
    data |= {name: getattr(task, name) for name in counts}
    data |= {name: _shown(getattr(task, name)) for name in times}
    return Happening("replay.completed", (task.account_id, task.environment), task.app_id, data)


def _about(done: Completed, happened: str, /, **data: object) -> Happening:
    target = done.claimed.target
    place = {"endpoint_id": target.endpoint_id, "url": target.url}
    return Happening(happened, target.tenant, target.app_id, place | data)


def _last(done: Completed) -> dict[str, object]:
    return {
        "last_failure_reason": failure_reason(done.attempted.outcome),
        "last_status_code": done.attempted.status_code,
    }


def _shown(at_ms: int | None) -> str | None:
    return None if at_ms is None else instants.render(at_ms)

"""One contract for every store, and what a receiver makes of it."""

from __future__ import annotations

import threading
import uuid
from typing import TYPE_CHECKING

import pytest
import sdk_web

from hookwright.deduplication import (
    REMEMBER_SECONDS,
    Claim,
    DeduplicationStore,
    MemoryStore,
    RedisStore,
    Refusal,
)
from hookwright.errors import UsageError
from hookwright.integrations.django import CacheStore

if TYPE_CHECKING:
    from collections.abc import Iterator

sdk_web.configure_django()


@pytest.fixture(
    params=["memory", "django", pytest.param("redis", marks=pytest.mark.needs_service("redis"))]
)
def store(request: pytest.FixtureRequest) -> Iterator[DeduplicationStore]:
    """Each store; the prefix is this test's own."""
    prefix = f"{uuid.uuid4()}:"
    if request.param == "redis":
        import redis

        with redis.from_url(request.getfixturevalue("redis_url")) as client:
            yield RedisStore(client, prefix)
    elif request.param == "django":
        yield CacheStore(prefix=prefix)
    else:
        yield MemoryStore()


def _kind(claim: Claim) -> str:
    return claim.value if isinstance(claim, Refusal) else "claimed"


def _claimed(store: DeduplicationStore, lease_seconds: float = 60) -> str:
    token = store.claim("msg_1", lease_seconds)
    assert isinstance(token, str)
    return token


def test_the_life_of_a_claim(store: DeduplicationStore) -> None:
    """An event is claimed once, claimable again after a release, and done for good."""
    token = _claimed(store)
    seen = [store.claim("msg_1", 60), _kind(store.claim("msg_2", 60))]
    store.release("msg_1", token)
    store.complete("msg_1", _claimed(store), 60)
    seen += [store.claim("msg_1", 60)]

    assert [Refusal.RUNNING, "claimed", Refusal.DONE] == seen


def test_who_comes_too_late_drops_nothing(store: DeduplicationStore) -> None:
    """What follows a claim is touched by no release or completion of the earlier one."""
    late = _claimed(store)
    store.release("msg_1", late)
    current = _claimed(store)

    store.release("msg_1", late)
    store.complete("msg_1", late, 60)
    seen = [store.claim("msg_1", 60)]
    store.complete("msg_1", current, 60)
    store.release("msg_1", late)
    store.release("msg_1", current)
    seen += [store.claim("msg_1", 60)]

    assert [Refusal.RUNNING, Refusal.DONE] == seen


def test_a_completion_that_nobody_overtook(store: DeduplicationStore) -> None:
    """A claim that has ended, and that no other followed, is completed all the same."""
    late = _claimed(store)
    store.release("msg_1", late)

    store.complete("msg_1", late, 60)

    assert Refusal.DONE is store.claim("msg_1", 60)


def test_one_of_many_gets_the_claim(store: DeduplicationStore) -> None:
    """Of threads that claim at once, one gets the event."""
    claims: list[str] = []
    together = threading.Barrier(8)

    def claim() -> None:
        together.wait(30)
        claims.append(_kind(store.claim("msg_1", 60)))

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert ["claimed", *["running"] * 7] == sorted(claims)


@pytest.mark.needs_service("redis")
def test_redis_forgets_in_time(redis_url: str) -> None:
    """A claim and a handled event stay in Redis for their seconds, fractions included."""
    import redis

    with redis.from_url(redis_url) as client:
        store = RedisStore(client)
        token = _claimed(store, 0.5)
        lease = int(client.pttl("hookwright:event:msg_1"))
        store.complete("msg_1", token, REMEMBER_SECONDS)
        kept = int(client.ttl("hookwright:event:msg_1"))

    assert (True, True) == (0 < lease <= 500, 604_700 < kept <= 604_800)


def test_memory_forgets_in_time() -> None:
    """A lease and a remembered event end with their seconds."""
    now = [0.0]
    store = MemoryStore(clock=lambda: now[0])

    def claim_at(time: float) -> Claim:
        now[0] = time
        return store.claim("msg_1", 10)

    late, refused, token = claim_at(0), claim_at(9.9), claim_at(10)
    assert isinstance(late, str)
    assert isinstance(token, str)
    now[0] = 11
    store.release("msg_1", late)
    store.complete("msg_1", token, 100)
    seen = [refused, claim_at(110.9), _kind(claim_at(111))]

    assert [Refusal.RUNNING, Refusal.DONE, "claimed"] == seen


def test_memory_is_bounded() -> None:
    """Beyond its limit the store forgets the oldest events."""
    store = MemoryStore(3)
    for number in range(5):
        store.complete(f"msg_{number}", "token", 60)

    claims = [_kind(store.claim(f"msg_{number}", 60)) for number in (4, 3, 2, 1)]
    assert (["done", "done", "done", "claimed"], 3) == (claims, len(store))
    with pytest.raises(UsageError, match="max_entries"):
        MemoryStore(0)

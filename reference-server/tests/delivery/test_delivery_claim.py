"""Claims are fair, bounded by free slots, and hand over the endpoint as it is now."""

from __future__ import annotations

from collections import Counter

import pytest
from delivery_lab import DeliveryLab, room
from hypothesis import given
from hypothesis import strategies as st

from hookwright_server.delivery.claim import Claim, Rotation, claim
from hookwright_server.delivery.room import Room
from hookwright_server.store import tables
from hookwright_server.store.claims import Waiting
from hookwright_server.store.errors import SessionLost
from hookwright_server.store.targets import Targets


def _claim(
    lab: DeliveryLab,
    budget: int = 100,
    *,
    rotation: Rotation | None = None,
    limits: dict[str, int] | None = None,
    session_id: str = "wrk_one",
    targets: Targets | None = None,
) -> Claim:
    turns = rotation or Rotation()
    if session_id not in [row["id"] for row in lab.store.rows(tables.worker_sessions)]:
        lab.store.session(session_id)
    return lab.store.database.write(
        lambda c: claim(
            c,
            lab.store.clock,
            session_id,
            turns,
            room(budget),
            limits or {},
            targets or Targets(),
        )
    )


def _endpoints(result: Claim) -> Counter[str]:
    return Counter(claimed.target.endpoint_id for claimed in result.deliveries)


def test_a_claim_leases_what_is_due(lab: DeliveryLab) -> None:
    """Status, session and a grown fence are in the row and in what the engine gets."""
    app_id = lab.store.app(retry_policy="{}")
    endpoint_id = lab.store.endpoint(app_id, retry_policy='{"preset": "linear"}', timeout_ms=900)
    delivery_id = lab.store.deliver(app_id, endpoint_id)
    lab.store.update(tables.deliveries, delivery_id, attempt_count=3, uncounted_attempts=2, fence=5)

    [claimed] = _claim(lab).deliveries

    row = lab.store.row(tables.deliveries, delivery_id)
    assert ("sending", "wrk_one", 6) == (row["status"], row["lease_session"], row["fence"])
    assert ("wrk_one", 6) == (claimed.lease.session_id, claimed.lease.fence)
    assert (4, 2) == (claimed.number, claimed.scheduled_attempt)
    assert (b"null", "order.created", lab.store.clock.now) == (
        claimed.row.payload,
        claimed.row.event_name,
        claimed.row.accepted_at,
    )
    assert (900, '{"preset": "linear"}', "{}", 16) == (
        claimed.target.timeout_ms,
        claimed.target.retry_policy,
        claimed.target.app_retry_policy,
        claimed.target.max_concurrency,
    )


def test_a_dead_session_claims_nothing(lab: DeliveryLab) -> None:
    """Once a session has been declared dead, nothing can be leased to it."""
    app_id = lab.store.app()
    lab.store.deliver(app_id, lab.store.endpoint(app_id))

    with pytest.raises(SessionLost):
        lab.store.database.write(
            lambda c: claim(c, lab.store.clock, "wrk_dead", Rotation(), room(1), {}, Targets())
        )


def test_what_is_not_due_stays_and_is_announced(lab: DeliveryLab) -> None:
    """A later delivery is not claimed; the claim says when to come back."""
    app_id = lab.store.app()
    endpoint_id = lab.store.endpoint(app_id)
    now, later = lab.store.clock.now, lab.store.clock.now + 700
    lab.store.deliver(app_id, endpoint_id)
    waiting = lab.store.deliver(app_id, endpoint_id)
    lab.store.update(tables.deliveries, waiting, next_attempt_at=later)

    result = _claim(lab)

    assert (1, later, False) == (
        len(result.deliveries),
        result.next_due_at,
        result.left_behind,
    )
    lab.store.clock.now = later - 1
    assert () == _claim(lab).deliveries
    lab.store.clock.now = later
    assert [now] == [c.row.accepted_at for c in _claim(lab).deliveries]


def test_however_many_endpoints_wait_who_is_due_is_found_at_once(lab: DeliveryLab) -> None:
    """The first claim takes a due delivery that is alone among 2,000 endpoints of another account.

    So it does when the endpoint's id is behind all of theirs, and it says when those are due.
    """
    due_at = lab.store.clock.now + 3_600_000
    waiting = lab.store.app("acc_large")
    endpoint_ids = lab.store.endpoints(2_000, waiting, "acc_large")
    lab.store.database.accept(
        lab.store.acceptance(waiting, endpoint_ids, account_id="acc_large", due_at=due_at)
    )
    lab.store.clock.now += 1
    app_id = lab.store.app()
    lone = lab.store.endpoint(app_id)
    lab.store.deliver(app_id, lone)

    result = _claim(lab)

    assert max(endpoint_ids) < lone
    assert {lone: 1} == _endpoints(result)
    assert due_at == result.next_due_at


@pytest.mark.parametrize("column", ["deleted_at", "active"])
def test_endpoints_that_are_off_are_skipped(lab: DeliveryLab, column: str) -> None:
    """Disabled and deleted endpoints get nothing, and do not make the engine come back."""
    app_id = lab.store.app()
    endpoint_id = lab.store.endpoint(app_id)
    lab.store.deliver(app_id, endpoint_id)
    lab.store.update(tables.endpoints, endpoint_id, **{column: 0})

    assert Claim((), None, False) == _claim(lab)


def test_a_deleted_app_gets_nothing(lab: DeliveryLab) -> None:
    """Deliveries of a deleted app are not sent any more."""
    app_id = lab.store.app()
    lab.store.deliver(app_id, lab.store.endpoint(app_id))
    lab.store.update(tables.apps, app_id, deleted_at=1)

    assert () == _claim(lab).deliveries


def test_an_endpoint_gets_at_most_its_free_slots(lab: DeliveryLab) -> None:
    """Live leases count against max_concurrency, whichever session holds them."""
    app_id = lab.store.app()
    endpoint_id = lab.store.endpoint(app_id, max_concurrency=3)
    for _ in range(5):
        lab.store.deliver(app_id, endpoint_id)

    first = _claim(lab, 2)
    second = _claim(lab, session_id="wrk_two")
    third = _claim(lab)

    assert [2, 1, 0] == [len(c.deliveries) for c in (first, second, third)]
    assert [True, True, True] == [c.left_behind for c in (first, second, third)]


def test_a_throttled_endpoint_gets_less(lab: DeliveryLab) -> None:
    """A limit below max_concurrency holds; one above it does not."""
    app_id = lab.store.app()
    one, two = (lab.store.endpoint(app_id, max_concurrency=3) for _ in range(2))
    for endpoint_id in (one, two):
        for _ in range(5):
            lab.store.deliver(app_id, endpoint_id)

    result = _claim(lab, limits={one: 1, two: 9})

    assert {one: 1, two: 3} == _endpoints(result)


def test_the_longest_due_goes_first(lab: DeliveryLab) -> None:
    """Within an endpoint deliveries go in the order of their due time."""
    app_id = lab.store.app()
    endpoint_id = lab.store.endpoint(app_id, max_concurrency=2)
    ids = [lab.store.deliver(app_id, endpoint_id) for _ in range(3)]
    for delivery_id, ago in zip(ids, (10, 30, 20), strict=True):
        due_at = lab.store.clock.now - ago
        lab.store.update(tables.deliveries, delivery_id, next_attempt_at=due_at)

    assert [ids[1], ids[2]] == [c.row.id for c in _claim(lab).deliveries]


def test_accounts_take_turns_and_so_do_their_endpoints(lab: DeliveryLab) -> None:
    """A small account gets as much of a scarce budget as a large one."""
    large = lab.store.app("acc_large")
    small = lab.store.app("acc_small")
    many = [lab.store.endpoint(large, "acc_large") for _ in range(9)]
    lone = lab.store.endpoint(small, "acc_small")
    for endpoint_id in many:
        for _ in range(4):
            lab.store.deliver(large, endpoint_id, account_id="acc_large")
    for _ in range(8):
        lab.store.deliver(small, lone, account_id="acc_small")
    rotation = Rotation()

    first, second = (_endpoints(_claim(lab, 8, rotation=rotation)) for _ in range(2))

    assert (4, 4) == (first[lone], second[lone])
    assert 8 == len((first | second).keys() - {lone})


def test_every_valid_secret_signs_and_no_other(lab: DeliveryLab) -> None:
    """Current and overlapping secrets of the source sign; after a switch both sources do."""
    now = lab.store.clock.now
    app_id = lab.store.app()
    own = lab.store.endpoint(app_id)
    shared = lab.store.endpoint(app_id, signing_source="app")
    both = lab.store.endpoint(app_id, signing_source="app", both_sources_until=now + 1)
    past = lab.store.endpoint(app_id, signing_source="endpoint", both_sources_until=now)
    of_app = lab.store.secret(app_id, None)
    old = {e: lab.store.secret(app_id, e, expires_at=now + 1) for e in (own, both)}
    for endpoint_id in (own, shared, both, past):
        lab.store.secret(app_id, endpoint_id, expires_at=now)
    current = {e: lab.store.secret(app_id, e) for e in (own, shared, both, past)}
    for endpoint_id in (own, shared, both, past):
        lab.store.deliver(app_id, endpoint_id)

    result = _claim(lab)

    assert {
        own: [current[own], old[own]],
        shared: [of_app],
        both: [of_app, current[both], old[both]],
        past: [current[past]],
    } == {
        c.target.endpoint_id: [secret.id for secret in c.target.secrets] for c in result.deliveries
    }


def _waiting(claimable: dict[tuple[str, str], int]) -> list[Waiting]:
    return [
        Waiting(endpoint_id, (account_id, "live"), count, has_more=False)
        for (account_id, endpoint_id), count in claimable.items()
    ]


QUEUES = st.dictionaries(
    st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from(["1", "2", "3", "4"])).map(
        lambda pair: (pair[0], pair[0] + pair[1])
    ),
    st.integers(0, 6),
)


@given(QUEUES, st.integers(1, 40))
def test_a_deal_wastes_nothing_and_exceeds_nothing(
    claimable: dict[tuple[str, str], int], budget: int
) -> None:
    """The whole budget is dealt if there is use for it, and nobody gets more than is claimable."""
    shares = Rotation().deal(_waiting(claimable), room(budget))

    assert min(budget, sum(claimable.values())) == sum(share.count for share in shares)
    allowed = {endpoint_id: count for (_, endpoint_id), count in claimable.items()}
    assert all(0 < share.count <= allowed[share.endpoint_id] for share in shares)


@given(QUEUES, st.integers(1, 10))
def test_a_deal_is_even_between_accounts(
    claimable: dict[tuple[str, str], int], budget: int
) -> None:
    """An account that could use more never has two fewer than another."""
    shares = Rotation().deal(_waiting(claimable), room(budget))

    got = Counter({account_id: 0 for account_id, _ in claimable})
    wanted: Counter[str] = Counter()
    for (account_id, _), count in claimable.items():
        wanted[account_id] += count
    for share in shares:
        got[share.endpoint_id[0]] += share.count
    hungry = [account_id for account_id in got if got[account_id] < wanted[account_id]]
    assert all(got[other] - got[account_id] <= 1 for account_id in hungry for other in got)


@given(QUEUES)
def test_everyone_is_served_in_turn(claimable: dict[tuple[str, str], int]) -> None:
    """Dealing one at a time, every waiting endpoint is served before a full round of each ends."""
    waiting = _waiting({key: 1 for key, count in claimable.items() if count})
    rotation = Rotation()
    tenants = {w.tenant for w in waiting}
    largest = max((sum(w.tenant == t for w in waiting) for t in tenants), default=0)

    served = {
        share.endpoint_id
        for _ in range(len(tenants) * largest)
        for share in rotation.deal(waiting, room(1))
    }

    assert {w.endpoint_id for w in waiting} == served


def test_the_environments_of_an_account_take_turns(lab: DeliveryLab) -> None:
    """A test environment in trouble does not take the live one's turns, nor the reverse."""
    app_id = lab.store.app()
    many = [lab.store.endpoint(app_id) for _ in range(5)]
    lone = lab.store.endpoint(app_id, environment="live")
    for endpoint_id in (*many, lone):
        for _ in range(8):
            lab.store.deliver(app_id, endpoint_id)

    assert 4 == _endpoints(_claim(lab, 8))[lone]


class _Hanging:
    """An engine of which nothing ever comes back: what it deals stays taken."""

    def __init__(self, slots: int) -> None:
        self._slots = self.free = slots
        self.by_tenant: Counter[tuple[str, str]] = Counter()
        self.by_endpoint: Counter[str] = Counter()
        self._rotation = Rotation()

    def claim(self, *waiting: Waiting) -> int:
        """Take what there is room for; returns how many that is."""
        tenants = {w.endpoint_id: w.tenant for w in waiting}
        before = self.free
        while shares := self._rotation.deal(
            waiting,
            Room(min(500, self.free), self._slots, self.free, self.by_tenant, self.by_endpoint),
        ):
            for share in shares:
                self.free -= share.count
                self.by_endpoint[share.endpoint_id] += share.count
                self.by_tenant[tenants[share.endpoint_id]] += share.count
        return before - self.free


def _endless(tenant: str, endpoint: str = "") -> Waiting:
    return Waiting(f"{tenant}{endpoint}", (tenant, "live"), 1_000, has_more=True)


def test_a_tenant_gets_at_most_three_quarters_of_the_slots() -> None:
    """Many hanging endpoints of one tenant leave a quarter to others, and most is its own."""
    engine = _Hanging(1_000)

    assert 740 <= engine.claim(*(_endless("a", str(n)) for n in range(100))) <= 750


def test_an_endpoint_leaves_room_within_its_tenant() -> None:
    """One hanging endpoint does not use up what its tenant may have."""
    engine = _Hanging(1_000)

    assert 550 <= engine.claim(_endless("a", "1")) <= 570
    assert engine.claim(_endless("a", "2")) >= 100


def test_the_last_slot_can_be_had() -> None:
    """Also an engine of one slot delivers."""
    assert 1 == _Hanging(1).claim(_endless("a"))


@given(st.integers(1, 20), st.integers(1, 5))
def test_however_many_hang_a_newcomer_finds_room(tenants: int, endpoints: int) -> None:
    """Tenants that take all they can, one after the other, leave slots for the next one."""
    engine = _Hanging(1_000)
    for tenant in range(tenants):
        engine.claim(*(_endless(f"t{tenant}", f"e{n}") for n in range(endpoints)))

    assert engine.free > 50
    assert engine.claim(_endless("newcomer")) > 0

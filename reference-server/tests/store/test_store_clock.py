"""The database's clock: what it shows is followed, how long the answer took is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hookwright_server.clock import Clock, ClockSample, DatabaseClock, FollowingClock, SteadyClock
from hookwright_server.store.errors import StoreUnavailable
from hookwright_server.store.opening import OpenDatabase
from hookwright_server.store.server_clock import server_clock

SECOND = 1_000_000_000


class Machine:
    """A monotonic clock, and a server whose clock shows what the test says."""

    def __init__(self) -> None:
        self.monotonic = 50 * SECOND
        self.ahead_us = 1_790_000_000_000_000
        self.way_there_ns = self.way_back_ns = 500_000

    def now_ns(self) -> int:
        return self.monotonic

    def sample(self) -> ClockSample:
        asked = self.monotonic
        self.monotonic += self.way_there_ns
        shown = self.true_us()
        self.monotonic += self.way_back_ns
        return ClockSample(asked, shown, self.monotonic)

    def true_us(self) -> int:
        return self.ahead_us + self.monotonic // 1000


@pytest.fixture
def machine() -> Machine:
    """A machine half a millisecond away from its server."""
    return Machine()


def _error_ms(machine: Machine, clock: DatabaseClock) -> float:
    return abs(clock.now_ms() - machine.true_us() / 1000)


def test_it_shows_the_servers_time(machine: Machine) -> None:
    """With a symmetric way the time is exact; it goes on with the monotonic clock."""
    clock = DatabaseClock(machine.sample, machine.now_ns)
    machine.monotonic += 3600 * SECOND

    assert _error_ms(machine, clock) <= 1


def test_a_slow_answer_does_not_move_it(machine: Machine) -> None:
    """A sample that took long is ignored while a quicker one is a minute old at most."""
    clock = DatabaseClock(machine.sample, machine.now_ns)
    machine.way_back_ns = 2 * SECOND

    clock.measure()

    assert _error_ms(machine, clock) <= 1


@pytest.mark.parametrize("hours", [-24, -1, 1, 24])
def test_a_clock_that_was_set_is_followed_at_once(machine: Machine, hours: int) -> None:
    """One sample suffices when it cannot be the same clock that older ones saw."""
    clock = DatabaseClock(machine.sample, machine.now_ns)
    machine.ahead_us += hours * 3_600_000_000

    clock.measure()

    assert _error_ms(machine, clock) <= 1


def test_old_samples_are_forgotten(machine: Machine) -> None:
    """Clocks drift, so a quick sample of more than a minute ago counts no more."""
    clock = DatabaseClock(machine.sample, machine.now_ns)
    machine.monotonic += 61 * SECOND
    machine.ahead_us += 20_000  # 20 ms apart since: less than the drift that is allowed for
    machine.way_there_ns = machine.way_back_ns = 5_000_000

    clock.measure()

    assert _error_ms(machine, clock) <= 1


def test_processes_agree(machine: Machine) -> None:
    """Two processes with unlike monotonic clocks and unlike ways show the same time."""
    one = DatabaseClock(machine.sample, machine.now_ns)
    machine.way_there_ns, machine.way_back_ns = 4_000_000, 1_000_000
    other = DatabaseClock(machine.sample, machine.now_ns)

    assert abs(one.now_ms() - other.now_ms()) <= 2


@pytest.mark.needs_service("postgres")
def test_it_reads_the_clock_of_postgres(opened: Callable[[], OpenDatabase]) -> None:
    """Two processes' clocks on one server agree within the time of a look."""
    one, other = server_clock(opened()), server_clock(opened())
    apart: list[int] = []
    for _ in range(20):  # the quickest looks count: a busy machine has slow ones
        one.measure()
        other.measure()
        apart.append(abs(one.now_ms() - other.now_ms()))

    assert min(apart) <= 50


def test_nothing_is_known_before_there_is_a_clock_to_follow(machine: Machine) -> None:
    """Rather no time than a wrong one."""

    def unknown() -> Clock:
        raise StoreUnavailable("not yet")

    clock = FollowingClock(unknown)
    with pytest.raises(StoreUnavailable):
        clock.now_ms()

    followed = DatabaseClock(machine.sample, machine.now_ns)
    clock.follow(followed)

    assert followed.now_ms() == clock.now_ms()


def test_a_steady_clock_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """It began with the machine's time, and goes on whatever becomes of that."""
    clock = SteadyClock()
    before = clock.now_ms()
    monkeypatch.setattr("time.time_ns", lambda: 0)

    assert 0 <= clock.now_ms() - before < 60_000

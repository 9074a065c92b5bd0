"""Which server gets a client's next request."""

from __future__ import annotations

from typing import Any

from hookwright_server.http.frontdoor import Backend, Backends

_GET = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"


def _choose(backends: Backends) -> Backend:
    choice = backends.choose()
    assert choice is not None
    return choice


def _busy(backend: Backend, requests: int) -> Backend:
    backend.joined(requests)
    return backend


def test_equals_take_turns() -> None:
    """Servers with nothing to do are chosen one after the other."""
    backends = Backends("a", "b", "c")

    chosen = [_choose(backends).path for _ in range(6)]

    assert ["a", "b", "c"] * 2 == chosen


def test_the_least_busy_is_chosen() -> None:
    """Requests under way count first, then connections."""
    backends = Backends("a", "b", "c")
    for backend, requests in zip(backends, [2, 1, 1], strict=True):
        _busy(backend, requests)
    list(backends)[1].joined(0)

    chosen = _choose(backends).path

    assert "c" == chosen


def test_a_silent_server_is_the_last_resort() -> None:
    """A server that does not answer when asked gets requests only when none answers."""
    backends = Backends("a", "b")
    silent, busy = backends
    silent.is_silent = True
    _busy(busy, 50)

    chosen = [_choose(backends).path, backends.suits(silent)]
    busy.is_silent = True
    chosen += [_choose(backends).path, backends.suits(silent)]

    assert ["b", False, "a", True] == chosen


def test_a_retired_server_gets_nothing_and_tells_when_it_is_idle() -> None:
    """What a retired server has goes on; its clients' next requests go elsewhere."""
    backends = Backends("a", "b")
    old = _busy(_choose(backends), 1)
    backends.retire(old)

    seen = [backends.suits(old), old.idle.is_set(), _choose(backends).path]
    old.answered()

    assert [False, False, "b", True] == [*seen, old.idle.is_set()]


def test_a_client_moves_only_from_a_much_busier_server() -> None:
    """A connection stays where it is until its server has far more to do than another."""
    backends = Backends("a", "b")
    first, second = backends
    _busy(second, 3)

    suits = [backends.suits(_busy(first, requests)) for requests in (4, 6, 1)]

    assert [True, True, False] == suits


def test_nobody_is_left() -> None:
    """Without a server there is nothing to choose."""
    backends = Backends("a")
    only = _choose(backends)

    others = [backends.choose(other_than=only)]
    backends.retire(only)

    assert [None, None] == [*others, backends.choose()]


def test_a_request_goes_to_another_server_when_the_first_is_gone(
    open_house: Any, connect: Any
) -> None:
    """What no server has seen yet is given to one that listens."""
    with open_house(dead_servers=2) as house:
        answers = [connect(house.port).send(_GET * 2).read(2) for _ in range(5)]

    assert [[200, 200]] * 5 == [[answer.status for answer in each] for each in answers]


def test_a_client_leaves_a_full_server(open_house: Any, connect: Any) -> None:
    """A kept connection goes on with a server that has room when its own has none."""
    with open_house(max_open_requests=2) as house:
        backends = house.door._context.backends
        (first,) = backends
        wire = connect(house.port)
        statuses = [wire.send(_GET).read()[0].status]
        second = house.call(lambda: backends.add(first.path))
        for backend in (first, second):
            house.call(lambda full=backend: _busy(full, 2))
            statuses.append(wire.send(_GET).read()[0].status)

    assert [200, 200, 503] == statuses


def test_an_idle_connection_outlives_its_server(
    open_house: Any, connect: Any, wait_until: Any
) -> None:
    """A kept connection whose server ended it while idle is connected anew."""
    with open_house() as house:
        backends = house.door._context.backends
        wire = connect(house.port)
        statuses = [wire.send(_GET).read()[0].status]
        house.call(house.hang_up_idle)
        wait_until(lambda: [0] == house.call(lambda: [each.connections for each in backends]))
        statuses.append(wire.send(_GET).read()[0].status)

    assert [200, 200] == statuses

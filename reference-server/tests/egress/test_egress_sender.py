"""Names, addresses, environment and headers on the way from a URL to a connection."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator, Sequence
from itertools import pairwise

import bypass_corpus
import pytest
import uvloop
from egress_lab import (
    LOOPBACK,
    OK,
    FixedResolver,
    Receiver,
    Run,
    Send,
    Start,
    answering,
    make_sender,
    read_request,
    request_to,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from hookwright_server.clock import SystemClock
from hookwright_server.delivery.exchange import Reply
from hookwright_server.delivery.http1 import HttpClient, Origin
from hookwright_server.delivery.resolver import Lookup, ThreadResolver, system_lookup
from hookwright_server.delivery.sender import Sender
from hookwright_server.delivery.tls import outgoing_tls_context
from hookwright_server.domain.egress_policy import EgressPolicy, parse_allow_rule
from hookwright_server.domain.outcome import Blocked, DeadlineExceeded, Delivered, Unreachable

NAME = "hooks.example.com"
ONE = (parse_allow_rule("127.0.0.1"),)


class RecordingClient(HttpClient):
    """Dials nothing; remembers what it would have dialled."""

    def __init__(self) -> None:
        super().__init__(outgoing_tls_context())
        self.dialled: list[str] = []

    async def post(
        self, origin: Origin, addresses: Sequence[str], head: bytes, body: bytes, deadline: float
    ) -> Reply:
        self.dialled.extend(addresses)
        return Unreachable("connect_error")


class StuckResolver:
    async def resolve(self, host: str, account_id: str) -> tuple[str, ...]:
        await asyncio.Event().wait()
        return ()


class FailingResolver:
    async def resolve(self, host: str, account_id: str) -> tuple[str, ...]:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")


def _stuck_on(prefix: str, release: threading.Event) -> Lookup:
    """A lookup that answers at once, but for names with this prefix only after the release."""

    def lookup(host: str) -> tuple[str, ...]:
        if host.startswith(prefix):
            release.wait(60)
        return ("192.0.2.1",)

    return lookup


def test_no_delivery_of_the_bypass_corpus_reaches_the_client(run: Run) -> None:
    """Whatever was saved, an attempt to a forbidden place is blocked before any connection."""
    client = RecordingClient()
    cases = sorted(set(bypass_corpus.forbidden()))

    async def attempt_all() -> set[str]:
        kinds: set[str] = set()
        for url, address in cases:
            resolver = FixedResolver([address])
            policy = EgressPolicy(allow_http=True)
            sender = Sender(client, resolver, policy, SystemClock())
            attempted = await sender.send(request_to(url))
            kinds.add(type(attempted.outcome).__name__)
            assert (None, b"") == (attempted.status_code, attempted.response_body)
        return kinds

    assert {"Blocked"} == run(attempt_all())
    assert [] == client.dialled


@pytest.mark.parametrize(
    "answers",
    [
        ["127.0.0.2"],
        ["127.0.0.1", "127.0.0.2"],
        ["127.0.0.1", "fe80::1%lo"],
        ["127.0.0.1", "::ffff:127.0.0.1"],
        [*["127.0.0.1"] * 199, "10.0.0.1"],
    ],
)
def test_one_bad_answer_refuses_the_name(send: Send, receiver: Start, answers: list[str]) -> None:
    """If any address of a name is refused, none is dialled."""
    good = receiver(answering(OK))
    bad = receiver(answering(OK), address="127.0.0.2", port=good.port)
    sender = make_sender(allow=ONE, resolver=FixedResolver(answers))
    attempted = send(good.url(host=NAME), sender=sender)

    assert isinstance(attempted.outcome, Blocked)
    assert (0, 0) == (good.connections, bad.connections)


def test_a_name_that_flips_is_judged_anew_on_every_attempt(run: Run, receiver: Start) -> None:
    """One lookup for each attempt, and the address of that lookup is the one dialled."""
    good = receiver(answering(OK))
    bad = receiver(answering(OK), address="127.0.0.2", port=good.port)
    resolver = FixedResolver(["127.0.0.1"], ["127.0.0.2"], ["127.0.0.1"], ["127.0.0.2"])
    sender = make_sender(allow=ONE, resolver=resolver)

    async def attempts() -> list[object]:
        outcomes = [(await sender.send(request_to(good.url(host=NAME)))).outcome for _ in range(4)]
        await sender.aclose()
        return list(outcomes)

    blocked = Blocked("address_not_public")
    assert [Delivered(200), blocked, Delivered(200), blocked] == run(attempts())
    assert [NAME] * 4 == resolver.asked
    assert 0 == bad.connections


def test_a_blocked_target_tells_nothing_about_what_listens_there(
    send: Send, receiver: Start
) -> None:
    """Open and closed internal ports give the same attempt, and nobody is contacted."""
    listening = receiver(answering(OK))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = listener.getsockname()[1]
    outcomes = [
        send(f"http://127.0.0.1:{port}/", sender=make_sender(allow=())).outcome
        for port in (listening.port, closed)
    ]

    assert [Blocked("address_not_public")] * 2 == outcomes
    assert 0 == listening.connections


@pytest.mark.parametrize("resolver", [FailingResolver(), FixedResolver([])])
def test_a_name_without_addresses_is_a_dns_error(
    send: Send, resolver: FailingResolver | FixedResolver
) -> None:
    """No address, no attempt to connect."""
    attempted = send(f"http://{NAME}/", sender=make_sender(resolver=resolver))

    assert Unreachable("dns_error") == attempted.outcome


def test_a_lookup_counts_against_the_deadline(send: Send) -> None:
    """A name server that never answers ends the attempt at its deadline."""
    sender = make_sender(resolver=StuckResolver())
    attempted = send(f"http://{NAME}/", sender=sender, timeout_ms=200)

    assert DeadlineExceeded("dns") == attempted.outcome
    assert 190 <= attempted.latency_ms <= 30_000


def test_a_lookup_has_a_bound_of_its_own(send: Send) -> None:
    """A long deadline is not spent on a name server that never answers."""
    release = threading.Event()
    sender = make_sender(resolver=ThreadResolver(_stuck_on("hooks", release), lookup_s=0.1))
    attempted = send(f"http://{NAME}/", sender=sender, timeout_ms=60_000)
    release.set()

    assert Unreachable("dns_error") == attempted.outcome
    assert attempted.latency_ms < 30_000


def test_waiting_for_a_thread_is_no_fault_of_the_name(run: Run) -> None:
    """A lookup that no thread took counts against the deadline alone: timeout, phase dns."""
    release = threading.Event()
    resolver = ThreadResolver(_stuck_on("slow", release), max_threads=1, lookup_s=0.05)
    sender = make_sender(allow=ONE, resolver=resolver)

    async def attempts() -> list[object]:
        slow = asyncio.create_task(sender.send(request_to("http://slow.example/")))
        await asyncio.sleep(0)
        attempted = await sender.send(request_to(f"http://{NAME}/", timeout_ms=200))
        outcomes = [(await slow).outcome, attempted.outcome]
        release.set()
        return list(outcomes)

    assert [Unreachable("dns_error"), DeadlineExceeded("dns")] == run(attempts())


@pytest.mark.parametrize("accounts", [1, 3])
def test_slow_names_of_an_account_leave_threads_to_others(run: Run, accounts: int) -> None:
    """However many slow names accounts ask for, another account's lookup runs at once."""
    release = threading.Event()

    async def ask() -> tuple[str, ...]:
        resolver = ThreadResolver(_stuck_on("slow", release), max_threads=8)
        slow = [
            asyncio.create_task(resolver.resolve(f"slow{n}.example", f"acc_{account}"))
            for account in range(accounts)
            for n in range(20)
        ]
        # The same name, behind the slow ones of its account: the other must not share that.
        slow.append(asyncio.create_task(resolver.resolve("quick.example", "acc_0")))
        await asyncio.sleep(0)
        try:
            async with asyncio.timeout(60):
                return await resolver.resolve("quick.example", "acc_healthy")
        finally:
            release.set()
            for task in slow:
                task.cancel()
            await asyncio.gather(*slow, return_exceptions=True)

    assert ("192.0.2.1",) == run(ask())


def test_a_lookup_that_nobody_waits_for_is_not_made(run: Run) -> None:
    """What was given up before a thread was free costs none; the next in line gets it."""
    release = threading.Event()
    asked: list[str] = []

    def lookup(host: str) -> tuple[str, ...]:
        asked.append(host)
        return _stuck_on("first", release)(host)

    async def ask() -> tuple[str, ...]:
        resolver = ThreadResolver(lookup, max_threads=1)
        first, given_up, last = (
            asyncio.create_task(resolver.resolve(host, "acc_1"))
            for host in ("first", "given_up", "last")
        )
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.gather(given_up, return_exceptions=True)
        release.set()
        await first
        return await last

    assert ("192.0.2.1",) == run(ask())
    assert ["first", "last"] == asked


def test_localhost_is_never_looked_up(send: Send, receiver: Start) -> None:
    """`localhost` means the allowed loopback addresses, whatever a name server says."""
    sink = receiver(answering(OK))

    assert Delivered(200) == send(sink.url(host="localhost")).outcome


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize("lower", [False, True])
def test_proxies_of_the_environment_are_ignored(
    send: Send, receiver: Start, monkeypatch: pytest.MonkeyPatch, variable: str, lower: bool
) -> None:
    """Proxy variables redirect nothing."""
    canary = receiver(answering(OK))
    sink = receiver(answering(OK))
    monkeypatch.setenv(variable.lower() if lower else variable, canary.url("", "http"))
    monkeypatch.delenv("NO_PROXY", raising=False)

    assert Delivered(200) == send(sink.url()).outcome
    assert (1, 0) == (sink.connections, canary.connections)


class StrictSink:
    """A loop, a sender and a receiver that keeps every byte, for many examples in one test."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self.receiver = Receiver(self._keep)
        self.receiver.start()
        self.sender = make_sender(allow=LOOPBACK)

    def post(self, headers: Sequence[tuple[str, str]]) -> tuple[object, list[bytes]]:
        """The outcome of one request, and the requests that arrived because of it."""
        self.requests.clear()
        request = request_to(self.receiver.url(), headers=headers)
        attempted = self.runner.run(self.sender.send(request))
        return attempted.outcome, list(self.requests)

    def close(self) -> None:
        self.runner.run(self.sender.aclose())
        self.runner.close()
        self.receiver.stop()

    def _keep(self, peer: socket.socket) -> None:
        while data := read_request(peer):
            self.requests.append(data)
            peer.sendall(OK)


@pytest.fixture(scope="module")
def strict_sink() -> Iterator[StrictSink]:
    """One strict receiver for all examples."""
    sink = StrictSink()
    yield sink
    sink.close()


_odd = st.text(
    st.sampled_from(list("aZ09-_:;, \r\n\t\0\x7f\x80\u0130\u2028\u560d\u560a")), max_size=8
)
_names = st.sampled_from(["X-A", "x-b", "Host", "content-length", "Transfer-Encoding", "TE"]) | _odd
_header_lists = st.lists(st.tuples(_names, _odd | st.text(max_size=8)), max_size=4)


@settings(max_examples=400)
@given(headers=_header_lists)
def test_no_header_smuggles_anything_into_the_request(
    strict_sink: StrictSink, headers: list[tuple[str, str]]
) -> None:
    """Exactly one request with exactly the given headers arrives, or nothing is sent."""
    outcome, requests = strict_sink.post(headers)
    if outcome == Unreachable("protocol_error"):
        assert [] == requests
        return
    expected = [
        *("POST /hook HTTP/1.1", f"Host: 127.0.0.1:{strict_sink.receiver.port}"),
        *("Accept-Encoding: identity", "Content-Length: 8"),
        *(f"{name}: {value}" for name, value in headers),
    ]

    assert Delivered(200) == outcome
    assert ["\r\n".join(expected) + '\r\n\r\n{"a": 1}'] == [data.decode() for data in requests]


@pytest.mark.parametrize(
    "name",
    [
        *("Host", "content-length", "Transfer-Encoding", "connection", "Expect", "TE", "Trailer"),
        *("Upgrade", "Keep-Alive", "proxy-authorization", "HTTP2-Settings", "Accept-Encoding"),
        *("Content-Encoding", "", "a b", "a:"),
    ],
)
def test_a_framing_header_stops_the_attempt(strict_sink: StrictSink, name: str) -> None:
    """A header that slipped past the checks at saving is never sent."""
    assert (Unreachable("protocol_error"), []) == strict_sink.post([(name, "x")])


def test_lookups_run_in_threads_and_are_shared(run: Run) -> None:
    """Two callers that ask for one name at once cause one lookup; different names run at once."""
    both_started = threading.Barrier(2, timeout=60)
    asked: list[str] = []

    def lookup(host: str) -> tuple[str, ...]:
        asked.append(host)
        both_started.wait()
        return (f"address of {host}",)

    async def ask() -> list[tuple[str, ...]]:
        resolver = ThreadResolver(lookup)
        try:
            return await asyncio.gather(
                *[resolver.resolve(host, "acc_1") for host in ("a", "b", "a")]
            )
        finally:
            resolver.close()

    assert [("address of a",), ("address of b",), ("address of a",)] == run(ask())
    assert ["a", "b"] == sorted(asked)


def test_a_failed_lookup_reaches_every_caller_and_is_not_kept(run: Run) -> None:
    """An error is an OSError for all who waited; the next caller asks anew."""
    replies: list[OSError | UnicodeError | None] = [
        *(socket.gaierror(socket.EAI_AGAIN, "later"), UnicodeError("label too long"), None),
    ]

    def lookup(host: str) -> tuple[str, ...]:
        reply = replies.pop(0)
        if reply is not None:
            raise reply
        return ("192.0.2.1",)

    async def ask() -> list[str]:
        resolver = ThreadResolver(lookup, max_threads=1)
        results = [
            await asyncio.gather(resolver.resolve("a", "acc_1"), return_exceptions=True)
            for _ in range(3)
        ]
        resolver.close()
        return [type(result).__name__ for (result,) in results]

    assert ["gaierror", "OSError", "tuple"] == run(ask())


def test_a_caller_that_gives_up_does_not_disturb_the_lookup(run: Run) -> None:
    """The other caller still gets its answer, and a closed loop does not upset the thread."""
    release = threading.Event()

    def lookup(host: str) -> tuple[str, ...]:
        release.wait(60)
        return ("192.0.2.1",)

    async def ask() -> tuple[str, ...]:
        resolver = ThreadResolver(lookup)
        impatient = asyncio.create_task(resolver.resolve("a", "acc_1"))
        patient = asyncio.create_task(resolver.resolve("a", "acc_1"))
        await asyncio.sleep(0)
        impatient.cancel()
        release.set()
        with pytest.raises(asyncio.CancelledError):
            await impatient
        resolver.close()
        return await patient

    assert ("192.0.2.1",) == run(ask())


def test_the_system_resolver_is_asked_for_the_absolute_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Search domains of the machine never turn a name into another; duplicates are dropped."""
    asked: list[str] = []

    def getaddrinfo(host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        asked.append(host)
        addresses = ["192.0.2.1", "192.0.2.1", "2001:db8::1"]
        return [(0, 0, 0, "", (address, 0)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    assert ("192.0.2.1", "2001:db8::1") == system_lookup("example.com")
    assert ["example.com."] == asked


def test_latency_and_deadlines_use_real_time(run: Run, receiver: Start) -> None:
    """A clock that jumps, as in tests, changes neither deadline nor latency."""

    class JumpingClock:
        def __init__(self) -> None:
            self.now = 0

        def now_ms(self) -> int:
            self.now += 86_400_000
            return self.now

    sink = receiver(answering(b"HTTP/1.1 503 X\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n"))
    client = HttpClient(outgoing_tls_context())
    sender = Sender(client, StuckResolver(), EgressPolicy(LOOPBACK, True), JumpingClock())

    async def attempts() -> list[int]:
        results = [await sender.send(request_to(sink.url())) for _ in range(3)]
        await sender.aclose()
        return [result.latency_ms for result in results]

    latencies = run(attempts())
    assert all(0 <= latency < 30_000 for latency in latencies)
    assert all(abs(a - b) < 30_000 for a, b in pairwise(latencies))

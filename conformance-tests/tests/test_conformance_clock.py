"""How the cases move a server's clock."""

from __future__ import annotations

from conformance_toyserver import KEY, ToyServer

from hookwright_conformance.cases.clock import advance
from hookwright_conformance.receiver import Receiver
from hookwright_conformance.spec import Spec
from hookwright_conformance.target import Credential, Target
from hookwright_conformance.world import World


def test_a_clock_that_is_not_done_in_time_is_asked_again() -> None:
    """Without moving it once more."""
    with Receiver.start() as receiver, ToyServer(dates_retries=True) as server:
        account = Credential("TOY_KEY", KEY)
        target = Target(server.base_url, account, None, ("test-clock",))
        advance(World("clock", target, Spec.load(), receiver), "P1D")
        server.shutdown()

    assert ["P1D", "PT0S"] == server.moves

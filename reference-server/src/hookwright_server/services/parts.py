"""What the services share: time, ids, randomness, secrets, and the rules of this server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hookwright_server.clock import Clock
from hookwright_server.domain.egress_policy import EgressPolicy
from hookwright_server.domain.retry_policy import PolicyError, RetryPolicies, RetryPolicy
from hookwright_server.domain.vault import Vault
from hookwright_server.errors import invalid
from hookwright_server.ids import Ids


@dataclass(frozen=True, slots=True)
class Parts:
    """Handed to every service by the wiring."""

    clock: Clock
    ids: Ids
    random_bytes: Callable[[int], bytes]
    vault: Vault
    policies: RetryPolicies
    egress: EgressPolicy

    def check_policy(self, document: Mapping[str, Any] | None) -> None:
        """Refuse a retry policy document that contradicts itself (400)."""
        if document is None:
            return
        try:
            self.policies.from_document(document)
        except PolicyError as error:
            raise invalid("/retry_policy", "retry_policy", str(error)) from error

    def policy(
        self, endpoint: Mapping[str, Any] | None, app: Mapping[str, Any] | None
    ) -> RetryPolicy:
        """The policy in force: the endpoint's, else the app's, else the contract's default."""
        document = app if endpoint is None else endpoint
        return self.policies.from_document({} if document is None else document)

"""What documented examples may use without having made it: an app, an endpoint, a delivery, …"""

from __future__ import annotations

from functools import cached_property

from http_lab import eventually

from hookwright import Hookwright
from hookwright.models import EndpointCreated, TriggerAccepted
from hookwright_conformance.answers import status
from hookwright_conformance.received import Received
from hookwright_conformance.receiver import Hook, Receiver

APP = "my-app"
# Where a name must stand for something other than usual, by operation.
OTHERWISE: dict[str, dict[str, str]] = {
    "deliveries.retry": {"delivery_id": "failed_delivery_id"},
    "endpoints.get_secret_public_key": {"endpoint_id": "ed25519_endpoint_id"},
}


class World:
    """What the names of the prelude stand for; each is made when an example uses it."""

    def __init__(self, client: Hookwright, receiver: Receiver) -> None:
        self.client = client
        self._receiver = receiver
        client.apps.get_or_create(APP, name="My app")

    def close(self) -> None:
        """Leave nothing to the next example."""
        for app in list(self.client.apps.list()):
            self.client.apps.delete(app.slug)

    @cached_property
    def _hook(self) -> Hook:
        return self._receiver.path("good", status(204))

    @cached_property
    def _endpoint(self) -> EndpointCreated:
        return self.client.endpoints.create(APP, url=self._hook.url)

    @cached_property
    def _accepted(self) -> TriggerAccepted:
        _ = self._endpoint
        return self.client.trigger.send(APP, event_name="order.created", payload={"id": 7})

    @cached_property
    def _received(self) -> Received:
        _ = self._accepted
        (request,) = self._hook.wait_for(1, 60)
        return request

    @property
    def receiver_url(self) -> str:
        return self._hook.url

    @property
    def endpoint_id(self) -> str:
        return self._endpoint.id

    @property
    def secret(self) -> str:
        return self._endpoint.signing_secret

    @property
    def ed25519_endpoint_id(self) -> str:
        return self.client.endpoints.create(APP, url=self._hook.url, signing={"scheme": "v1a"}).id

    @property
    def event_type_id(self) -> str:
        return self.client.event_types.create(APP, name="order.created").id

    @property
    def message_id(self) -> str:
        return self._accepted.message_id

    @property
    def delivery_id(self) -> str:
        return self._ended(self._accepted, "delivered")

    @property
    def failed_delivery_id(self) -> str:
        bad = self._receiver.path("bad", status(400))
        self.client.endpoints.create(APP, url=bad.url)
        sent = self.client.trigger.send(APP, event_name="order.created", payload={"id": 8})
        return self._ended(sent, "failed")

    @property
    def replay_id(self) -> str:
        return self.client.deliveries.create_replay(APP, delivery_ids=[self.delivery_id]).id

    @property
    def key_id(self) -> str:
        return self.client.api_keys.create(name="of an example", scopes=["read"]).id

    @property
    def request_body(self) -> bytes:
        return self._received.body

    @property
    def request_headers(self) -> dict[str, str]:
        return dict(self._received.headers)

    def _ended(self, sent: TriggerAccepted, state: str) -> str:
        (delivery_id,) = sent.delivery_ids
        eventually(lambda: self.client.deliveries.get(APP, delivery_id).status == state)
        return delivery_id

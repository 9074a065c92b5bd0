"""Requests carry what api.md §5.1 says, signed with every valid secret, secrets masked in rows."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from delivery_lab import DeliveryLab, room
from standardwebhooks import Webhook

from hookwright_server.delivery.claim import ClaimedDelivery, Rotation, claim
from hookwright_server.delivery.prepare import NotPreparable, Prepared, Preparer, TooLate
from hookwright_server.store import tables
from hookwright_server.store.targets import Targets


def _claimed(lab: DeliveryLab) -> ClaimedDelivery:
    lab.store.session("wrk_one")
    result = lab.store.database.write(
        lambda c: claim(c, lab.store.clock, "wrk_one", Rotation(), room(1), {}, Targets())
    )
    return result.deliveries[0]


def _prepared(lab: DeliveryLab) -> Prepared:
    return Preparer(lab.vault, lab.store.clock, "1.2.3").prepare(_claimed(lab))


def _endpoint(lab: DeliveryLab, payload: object = None) -> tuple[str, str, str]:
    app_id = lab.store.app()
    endpoint_id = lab.store.endpoint(app_id, url="https://example.org/hook", timeout_ms=4_000)
    secret = lab.signing_secret(app_id, endpoint_id)
    lab.store.database.accept(lab.store.acceptance(app_id, [endpoint_id], payload=payload))
    return app_id, endpoint_id, secret


def _custom_headers(lab: DeliveryLab, endpoint_id: str, headers: dict[str, str]) -> None:
    sealed = lab.vault.seal(json.dumps(headers).encode(), f"endpoints.headers:{endpoint_id}")
    lab.store.update(tables.endpoints, endpoint_id, headers_sealed=sealed)


def test_the_request_is_what_the_contract_says(lab: DeliveryLab) -> None:
    """URL, body, content type, user agent, id and time stand in the request."""
    _endpoint(lab, payload={"a": 1})
    accepted_at = lab.store.clock.now
    lab.store.clock.now += 61_500

    request = _prepared(lab).request

    headers = dict(request.headers)
    assert ("https://example.org/hook", 4_000, "acc_one") == (
        request.url,
        request.timeout_ms,
        request.account_id,
    )
    assert {"type": "order.created", "data": {"a": 1}} == {
        key: value for key, value in json.loads(request.body).items() if key != "timestamp"
    }
    assert request.body.endswith(b'"data":{"a": 1}}')
    assert ("application/json", "Hookwright/1.2.3", str((accepted_at + 61_500) // 1000)) == (
        headers["content-type"],
        headers["user-agent"],
        headers["webhook-timestamp"],
    )
    assert lab.store.rows(tables.messages)[0]["id"] == headers["webhook-id"]


def test_every_valid_secret_has_its_signature(lab: DeliveryLab) -> None:
    """An independent library accepts the request under the current and the overlapping secret."""
    app_id, endpoint_id, secret = _endpoint(lab)
    old = lab.signing_secret(app_id, endpoint_id, expires_at=lab.store.clock.now + 1)

    request = _prepared(lab).request

    headers = dict(request.headers)
    assert 2 == len(headers["webhook-signature"].split(" "))
    for known in (secret, old):
        expected = Webhook(known).sign(
            headers["webhook-id"],
            datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC),
            request.body.decode(),
        )
        assert expected in headers["webhook-signature"].split(" ")


def test_custom_headers_are_sent_and_never_shown(lab: DeliveryLab) -> None:
    """The request has the value, the attempt row a mask; our own headers are shown."""
    _, endpoint_id, _ = _endpoint(lab)
    _custom_headers(lab, endpoint_id, {"X-Token": "hush"})

    prepared = _prepared(lab)

    assert ("X-Token", "hush") in prepared.request.headers
    shown = json.loads(prepared.shown_headers)
    assert "***" == shown["X-Token"]
    assert shown["webhook-signature"].startswith("v1,")
    assert "hush" not in prepared.shown_headers


def test_changed_headers_are_used_at_once(lab: DeliveryLab) -> None:
    """What was opened before does not stand in for what is stored now."""
    app_id, endpoint_id, _ = _endpoint(lab)
    lab.store.deliver(app_id, endpoint_id)
    preparer = Preparer(lab.vault, lab.store.clock, "1.2.3")
    _custom_headers(lab, endpoint_id, {"X-Token": "old"})
    preparer.prepare(_claimed(lab))
    _custom_headers(lab, endpoint_id, {"X-Token": "new"})
    lab.store.delete(tables.worker_sessions, "wrk_one")

    prepared = preparer.prepare(_claimed(lab))

    assert ("X-Token", "new") in prepared.request.headers


def test_nothing_unsigned_is_prepared(lab: DeliveryLab) -> None:
    """Without a secret, or with one that does not open, there is no request."""
    app_id = lab.store.app()
    for endpoint_id in (lab.store.endpoint(app_id), lab.store.endpoint(app_id)):
        lab.store.deliver(app_id, endpoint_id)
    lab.store.secret(app_id, endpoint_id, sealed=b"rubbish")
    lab.store.session("wrk_one")
    result = lab.store.database.write(
        lambda c: claim(c, lab.store.clock, "wrk_one", Rotation(), room(2), {}, Targets())
    )

    for claimed in result.deliveries:
        with pytest.raises(NotPreparable, match=claimed.target.endpoint_id):
            Preparer(lab.vault, lab.store.clock, "1.2.3").prepare(claimed)


def test_a_transformed_body_is_signed_as_it_is_sent(lab: DeliveryLab) -> None:
    """`data` is the result; type, timestamp and signature are those of the very body."""
    _, endpoint_id, secret = _endpoint(lab, payload={"a": 1.50, "b": 2})
    mappings = '{"mappings": [{"from": "payload.a", "to": "x.y"}]}'
    lab.store.update(tables.endpoints, endpoint_id, transformation=mappings)

    request = _prepared(lab).request

    assert request.body.endswith(b'"data":{"x":{"y":1.5}}}')
    headers = dict(request.headers)
    timestamp = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
    expected = Webhook(secret).sign(headers["webhook-id"], timestamp, request.body.decode())
    assert expected == headers["webhook-signature"]


def test_nothing_is_begun_once_it_has_expired(lab: DeliveryLab) -> None:
    """To the millisecond, however long ago it was claimed in time."""
    app_id = lab.store.app()
    lab.store.deliver(app_id, lab.endpoint(app_id), expires_at=lab.store.clock.now + 1)
    claimed = _claimed(lab)
    preparer = Preparer(lab.vault, lab.store.clock, "1.2.3")

    assert lab.store.clock.now == preparer.prepare(claimed).started_at
    lab.store.clock.now += 1
    with pytest.raises(TooLate):
        preparer.prepare(claimed)


@pytest.mark.parametrize(("waited_ms", "begins"), [(10_000, True), (10_001, False)])
def test_nothing_is_begun_long_after_its_claim(
    lab: DeliveryLab, waited_ms: int, begins: bool
) -> None:
    """What was read of the endpoint, secrets included, is used for ten seconds at most."""
    _endpoint(lab)
    claimed = _claimed(lab)
    preparer = Preparer(lab.vault, lab.store.clock, "1.2.3")
    lab.store.clock.now += waited_ms

    if begins:
        assert lab.store.clock.now == preparer.prepare(claimed).started_at
    else:
        with pytest.raises(TooLate):
            preparer.prepare(claimed)

"""An app that has as many endpoints or event types as it may takes no more, on both back ends."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from http_lab import Client
from http_limits import copy_endpoint, copy_event_type

from hookwright_server.domain.contract import Limits
from hookwright_server.store.database import Database

NOWHERE = "http://127.0.0.1:1/hook"


def test_an_app_has_room_for_so_many_endpoints(either_server: tuple[Database, Client]) -> None:
    """Of several that are created at once the last place goes to one; a deleted one makes room."""
    database, client = either_server
    slug = client.new_app()["slug"]
    path = f"/v1/apps/{slug}/endpoints"
    first = client.new_endpoint(slug, NOWHERE)
    copy_endpoint(database, first["id"], Limits.endpoints_per_app - 2)
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(client.post, path, {"url": NOWHERE}) for _ in range(4)]
    made = [each.result() for each in asked]
    client.delete(f"{path}/{first['id']}").require(204)
    client.post(path, {"url": NOWHERE}).require(201)

    assert [201, 409, 409, 409] == sorted(answer.status for answer in made)
    assert {"too_many_endpoints"} == {each.code for each in made if each.status == 409}
    assert client.new_endpoint(client.new_app()["slug"], NOWHERE)["active"]


def test_an_app_has_room_for_so_many_event_types(either_server: tuple[Database, Client]) -> None:
    """Archived ones count; of several that are created at once the last place goes to one."""
    database, client = either_server
    path = f"/v1/apps/{client.new_app()['slug']}/event-types"
    client.post(path, {"name": "first"}).require(201)
    copy_event_type(database, "first", Limits.event_types_per_app - 2)
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(client.post, path, {"name": f"new_{n}"}) for n in range(4)]
    made = [each.result() for each in asked]

    assert [201, 409, 409, 409] == sorted(answer.status for answer in made)
    assert {"too_many_event_types"} == {each.code for each in made if each.status == 409}

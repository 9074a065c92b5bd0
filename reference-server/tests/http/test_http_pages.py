"""Lists: pages that neither skip nor repeat, and cursors that belong to one query."""

from __future__ import annotations

import string
from collections.abc import Iterator
from typing import Any

import pytest
from http_lab import Answer, Client, Document, Lab, OpenLab
from hypothesis import given, settings
from hypothesis import strategies as st

from hookwright_server.http import paging
from hookwright_server.store import pages

NOWHERE = "http://127.0.0.1:1/hook"
_ALPHABET = string.ascii_letters + string.digits + "-_"


@pytest.fixture(scope="module")
def slug(shared_lab: Lab) -> str:
    """An app with 25 messages."""
    client = shared_lab.client
    name: str = client.new_app()["slug"]
    for number in range(25):
        client.trigger(name, event_id=f"n{number}", event_name=f"kind.{number % 2}")
    return name


def _walk(client: Client, path: str, limit: int) -> Iterator[Document]:
    page = client.get(f"{path}limit={limit}").require(200)
    while True:
        yield from page["data"]
        assert page["has_more"] == (page["next_cursor"] is not None)
        if not page["has_more"]:
            return
        page = client.get(f"{path}limit={limit}&cursor={page['next_cursor']}").require(200)


@pytest.mark.parametrize("limit", [1, 2, 7, 24, 25, 26, 100])
def test_pages_hold_every_row_once_newest_first(client: Client, slug: str, limit: int) -> None:
    """Whatever the page size, the walk is the list."""
    rows = list(_walk(client, f"/v1/apps/{slug}/messages?", limit))
    ids = [row["id"] for row in rows]

    assert sorted(ids, reverse=True) == ids
    assert sorted(f"n{number}" for number in range(25)) == sorted(row["event_id"] for row in rows)


def test_rows_inserted_meanwhile_are_neither_skipped_nor_repeated(client: Client) -> None:
    """What was there at the beginning comes exactly once, however much is added."""
    name = client.new_app()["slug"]
    before = [client.trigger(name)["message_id"] for _ in range(12)]
    seen: list[str] = []
    for row in _walk(client, f"/v1/apps/{name}/messages?", 2):
        seen.append(row["id"])
        client.trigger(name)

    assert sorted(before, reverse=True) == [found for found in seen if found in before]
    assert len(seen) == len(set(seen))


def test_rows_of_one_millisecond_are_paged(client: Client) -> None:
    """Order and cursor are exact where times are equal: fan-out makes many rows at once."""
    name = client.new_app()["slug"]
    for _ in range(9):
        client.new_endpoint(name, NOWHERE, active=False)
    sent = client.trigger(name)
    rows = list(_walk(client, f"/v1/apps/{name}/deliveries?", 2))

    assert sorted(sent["delivery_ids"], reverse=True) == [row["id"] for row in rows]


def test_total_count_counts_what_the_filters_match(client: Client, slug: str) -> None:
    """`total_count` is there when asked for, and does not depend on the page."""
    path = f"/v1/apps/{slug}/messages"
    page = client.get(f"{path}?event_name=kind.0&limit=2&include_total=true").json
    second = client.get(
        f"{path}?event_name=kind.0&limit=2&include_total=true&cursor={page['next_cursor']}"
    ).json

    assert (13, 13) == (page["total_count"], second["total_count"])
    assert "total_count" not in client.get(path).json


@pytest.mark.parametrize("offset", [0, 1, 24, 25, 10_000])
def test_an_offset_jumps(client: Client, slug: str, offset: int) -> None:
    """`offset` skips rows; past the end the page is empty."""
    path = f"/v1/apps/{slug}/messages"

    assert _ids(client, f"{path}?limit=100")[offset : offset + 2] == _ids(
        client, f"{path}?limit=2&offset={offset}"
    )


def test_an_offset_page_goes_on_by_cursor(client: Client, slug: str) -> None:
    """The cursor of a page that was reached by offset leads to the rows after it."""
    path = f"/v1/apps/{slug}/messages"
    page = client.get(f"{path}?limit=2&offset=10").json

    assert _ids(client, f"{path}?limit=100")[12:14] == _ids(
        client, f"{path}?limit=2&cursor={page['next_cursor']}"
    )


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("limit=0", ("query/limit", "minimum")),
        ("limit=101", ("query/limit", "maximum")),
        ("limit=1.5", ("query/limit", "type")),
        ("limit=", ("query/limit", "type")),
        ("limit=1e1", ("query/limit", "type")),
        ("limit=0x5", ("query/limit", "type")),
        ("limit=%EF%BC%95", ("query/limit", "type")),
        ("limit=" + "9" * 5000, ("query/limit", "type")),
        ("limit=5&limit=5", ("query/limit", "repeated_parameter")),
        ("offset=-1", ("query/offset", "minimum")),
        ("offset=10001", ("query/offset", "maximum")),
        ("include_total=yes", ("query/include_total", "type")),
        ("include_total=True", ("query/include_total", "type")),
        ("cursor=", ("query/cursor", "minLength")),
        ("cursor=" + "A" * 513, ("query/cursor", "maxLength")),
        ("nonsense=1", ("query/nonsense", "unknown_parameter")),
        ("Limit=1", ("query/Limit", "unknown_parameter")),
        ("after=2026-11-21", ("query/after", "format")),
        ("after=2026-11-21T09:00:00", ("query/after", "format")),
        ("before=yesterday", ("query/before", "format")),
        ("event_name=a..b", ("query/event_name", "pattern")),
    ],
)
def test_bad_parameters_are_named(
    client: Client, slug: str, query: str, fault: tuple[str, str]
) -> None:
    """A parameter that breaks its rule is a 400 that points at it."""
    answer = client.get(f"/v1/apps/{slug}/messages?{query}")

    assert (400, "validation_error") == (answer.status, answer.code)
    assert fault in answer.faults


def test_cursor_and_offset_exclude_each_other(client: Client, slug: str) -> None:
    """Both together are a 400, even where each alone is right."""
    path = f"/v1/apps/{slug}/messages?limit=1"
    cursor = client.get(path).json["next_cursor"]
    answer = client.get(f"{path}&offset=0&cursor={cursor}")

    assert (400, [("query/offset", "exclusive")]) == (answer.status, answer.faults)


def test_a_tampered_cursor_is_refused(client: Client, slug: str) -> None:
    """Every character is covered: change, drop, double or append any of them."""
    path = f"/v1/apps/{slug}/messages?limit=1&cursor="
    cursor: str = client.get(f"/v1/apps/{slug}/messages?limit=1").json["next_cursor"]
    forged = {cursor + "A", "A" + cursor, cursor + "=", cursor[:22], cursor.swapcase()}
    for place, character in enumerate(cursor):
        other = _ALPHABET[(_ALPHABET.index(character) + 1) % len(_ALPHABET)]
        forged |= {
            cursor[:place] + other + cursor[place + 1 :],
            cursor[:place] + cursor[place + 1 :],
            cursor[: place + 1] + cursor[place:],
        }
    forged -= {cursor}

    assert 200 == client.get(path + cursor).status
    assert {400} == {client.get(path + text).status for text in forged}


@given(text=st.text(min_size=1, max_size=200))
@settings(max_examples=60)
def test_any_text_as_cursor_is_refused(client: Client, slug: str, text: str) -> None:
    """No text but one of ours is a cursor, and none makes the server stumble."""
    encoded = "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "replace"))
    answer = client.get(f"/v1/apps/{slug}/messages?cursor={encoded}")

    assert (400, "validation_error") == (answer.status, answer.code)


def test_a_cursor_belongs_to_its_query(client: Client, slug: str) -> None:
    """Other filters, other apps and other lists refuse it; another page size does not."""
    path = f"/v1/apps/{slug}/messages"
    cursor = client.get(f"{path}?limit=2&event_name=kind.0").json["next_cursor"]
    other = client.new_app()["slug"]
    foreign = [
        f"{path}?cursor={cursor}",
        f"{path}?event_name=kind.1&cursor={cursor}",
        f"{path}?event_name=kind.0&event_id=n1&cursor={cursor}",
        f"{path}?event_name=kind.0&after=2020-01-01T00:00:00Z&cursor={cursor}",
        f"/v1/apps/{other}/messages?event_name=kind.0&cursor={cursor}",
        f"/v1/apps/-/messages?event_name=kind.0&cursor={cursor}",
        f"/v1/apps/{slug}/deliveries?event_name=kind.0&cursor={cursor}",
        f"/v1/apps?cursor={cursor}",
    ]

    assert [400] * len(foreign) == [client.get(target).status for target in foreign]
    assert 200 == client.get(f"{path}?event_name=kind.0&limit=5&cursor={cursor}").status


def test_a_cursor_is_good_for_every_key_of_the_environment(client: Client, slug: str) -> None:
    """Another key of the same account may go on where one stopped; a bound key may not."""
    path = f"/v1/apps/{slug}/messages?limit=1"
    cursor = client.get(path).json["next_cursor"]
    keys = [client.new_key("read")["key"], client.new_key("read", app_slug=slug)["key"]]
    answers = [client.with_key(key).get(f"{path}&cursor={cursor}") for key in keys]

    assert [200, 400] == [answer.status for answer in answers]


def test_after_is_inclusive_and_before_is_exclusive(client: Client, slug: str) -> None:
    """Each bound stands alone; together they cut out a range."""
    path = f"/v1/apps/{slug}/messages"
    rows = client.get(f"{path}?limit=100").json["data"]
    instant = rows[10]["created_at"]
    newer = [row["id"] for row in rows if row["created_at"] >= instant]
    older = [row["id"] for row in rows if row["created_at"] < instant]

    assert newer == _ids(client, f"{path}?limit=100&after={instant}")
    assert older == _ids(client, f"{path}?limit=100&before={instant}")
    assert [] == _ids(client, f"{path}?limit=100&after={instant}&before={instant}")
    assert newer + older == _ids(
        client, f"{path}?limit=100&after=1970-01-01T00:00:00Z&before=9999-12-31T23:59:59Z"
    )


@pytest.mark.parametrize(
    ("written", "means"),
    [
        ("2026-11-21T10:00:00%2B01:00", "2026-11-21T09:00:00Z"),
        ("2026-11-21t09:00:00z", "2026-11-21T09:00:00Z"),
        ("2026-11-21T09:00:00.0001Z", "2026-11-21T09:00:00.001Z"),
        ("0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
    ],
)
def test_instants_in_other_spellings(client: Client, slug: str, written: str, means: str) -> None:
    """Offsets, small letters, fine fractions and years before all data."""
    path = f"/v1/apps/{slug}/messages?limit=100"

    assert _ids(client, f"{path}&after={means}") == _ids(client, f"{path}&after={written}")


@pytest.mark.parametrize(
    "instant", ["9999-12-31T23:59:59-10:00", "0000-01-01T00:00:00Z", "2026-02-30T00:00:00Z"]
)
def test_instants_that_do_not_exist_are_refused(client: Client, slug: str, instant: str) -> None:
    """Beyond the calendar there is nothing: 400."""
    answer = client.get(f"/v1/apps/{slug}/messages?after={instant}")

    assert (400, [("query/after", "format")]) == (answer.status, answer.faults)


def test_the_endpoints_of_all_apps_are_listed_under_the_dash(lab: Lab) -> None:
    """`-` lists every app's endpoints, but not those of deleted apps."""
    client = lab.client
    slugs = [client.new_app()["slug"] for _ in range(3)]
    made = {slug: client.new_endpoint(slug, NOWHERE)["id"] for slug in slugs}
    client.delete(f"/v1/apps/{slugs[0]}").require(204)
    rows = client.get("/v1/apps/-/endpoints").json["data"]

    assert {made[slugs[1]]: slugs[1], made[slugs[2]]: slugs[2]} == {
        row["id"]: row["app_slug"] for row in rows
    }
    assert 404 == client.get(f"/v1/apps/-/endpoints/{made[slugs[1]]}").status


def _ids(client: Client, target: str) -> list[Any]:
    return [row["id"] for row in client.get(target).require(200)["data"]]


def test_short_pages_lead_to_all_that_fits(
    client: Client, slug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page may be empty and go on; a cursor keeps what is left of an offset."""
    path = f"/v1/apps/{slug}/messages?event_name=kind.1&"
    full = [row["id"] for row in _walk(client, path, 5)]
    monkeypatch.setattr(pages, "LOOKED_AT", 3)
    page = client.get(f"{path}limit=5&offset=10").require(200)
    first, rows = page, list(page["data"])
    while page["has_more"]:
        page = client.get(f"{path}limit=5&cursor={page['next_cursor']}").require(200)
        rows += page["data"]

    assert ([], True) == (first["data"], first["has_more"])
    assert full[10:] == [row["id"] for row in rows]
    assert full == [row["id"] for row in _walk(client, path, 5)]


def test_few_totals_of_an_account_are_counted_at_a_time(
    new_lab: OpenLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One more is told to come again; pages without a total are served meanwhile."""
    monkeypatch.setattr(paging, "_COUNTED_AT_A_TIME_OF_ONE_ACCOUNT", 1)
    client = new_lab().client
    path, total = "/v1/apps/-/messages", "?include_total=true"
    counted = pages.count
    beside: list[Answer] = []

    def meanwhile(*given: Any) -> int:
        beside.extend((client.get(path + total), client.get(path)))
        return counted(*given)

    monkeypatch.setattr(pages, "count", meanwhile)
    first = client.get(path + total).require(200)

    assert (0, [503, 200]) == (first["total_count"], [each.status for each in beside])
    assert ("unavailable", "1") == (beside[0].code, beside[0].headers["retry-after"])
    monkeypatch.undo()
    assert 200 == client.get(path + total).status

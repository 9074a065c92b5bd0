"""What is set up: apps with their catalogues, endpoints, and how receivers answer."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from hookwright_benchmarks.states.divergence import same
from hookwright_benchmarks.states.drawn import INDEX, NAME, WANTED
from hookwright_benchmarks.states.steps import Steps, path_of, pick
from hookwright_benchmarks.states.things import App, Endpoint, Secrets
from hookwright_benchmarks.states.words import ANSWERS, SILENT, SYSTEM, Wanted

_MOST_APPS = 2
_MOST_ENDPOINTS = 8
_DAYS = st.sampled_from((1, 1, 2, 365))  # of retention
_HISTORY = 6  # messages that there are before an app is deleted


class SetUp(Steps):
    """Rules of apps and endpoints."""

    @initialize(wanted=st.lists(WANTED, min_size=1, max_size=3), retention_days=_DAYS)
    def set_up(self, wanted: list[Wanted], retention_days: int) -> None:
        """An app with some endpoints."""
        self.create_app(retention_days)
        for each in wanted:
            self.create_endpoint(0, each)

    @precondition(lambda self: sum(not app.is_system for app in self.model.apps) < _MOST_APPS)
    @rule(retention_days=_DAYS)
    def create_app(self, retention_days: int) -> None:
        """Another app; its slug may be that of a deleted one."""
        self.step()
        body: dict[str, Any] = {"name": "An app", "retention_days": retention_days}
        reply = self.send("POST", "/v1/apps", body)
        same(201, reply.status, str(reply))
        made = reply.json
        secrets = Secrets.of(made["signing_secret"])
        self.model.apps.append(App(made["slug"], secrets, retention_days))

    @rule(wanted=WANTED, retention_days=_DAYS)
    def system_app(self, wanted: Wanted, retention_days: int) -> None:
        """The app that the platform publishes to; it is made once."""
        self.step()
        path, body = f"/v1/apps/{SYSTEM}", {"name": "Of us", "retention_days": retention_days}
        reply = self.send("PUT", path, body)
        is_there = any(app.is_system for app in self.model.apps)
        same(200, reply.status, str(reply))
        same(SYSTEM, reply.json["slug"], "apps.get_or_create")
        if not is_there:
            secrets = Secrets.of(reply.json["signing_secret"])
            self.model.apps.append(App(SYSTEM, secrets, retention_days))
            self.create_endpoint(len(self.model.apps) - 1, wanted)

    @rule(
        which=INDEX,
        active=st.sampled_from((True, True, True, False)),
        registered=st.sampled_from((False, False, True)),
        retention_days=_DAYS,
    )
    def update_app(self, which: int, active: bool, registered: bool, retention_days: int) -> None:
        """Switched off, an app takes no events; by policy only those of its catalogue."""
        self.step()
        app = pick(self.model.apps, which)
        app.active, app.registered, app.retention_days = active, registered, retention_days
        policy = "registered" if registered else "open"
        body = {"active": active, "event_type_policy": policy, "retention_days": retention_days}
        same(200, self.send("PATCH", f"/v1/apps/{app.slug}", body).status, "apps.update")

    @precondition(lambda self: len(self.model.messages) > _HISTORY)
    @rule(which=INDEX)
    def delete_app(self, which: int) -> None:
        """Its endpoints go with it, its history stays; nobody publishes to it any more."""
        self.step()
        self.delete_one(pick(self.model.apps, which))

    @rule(which=INDEX, name=NAME, most=st.sampled_from((None, None, 7)), archived=st.booleans())
    def catalogue(self, which: int, name: str, most: int | None, archived: bool) -> None:
        """An event type is made, changed, archived or taken back."""
        self.step()
        app = pick(self.model.apps, which)
        path = f"/v1/apps/{app.slug}/event-types"
        schema = None if most is None else {"properties": {"n": {"maximum": most}}}
        made = self.send("POST", path, {"name": name, "schema": schema})
        same("event_type_exists" if name in app.catalogue else None, made.code, str(made))
        rows = self.both.pages(path, {"include_archived": "true"}, 100)
        same(sorted({*app.catalogue, name}), sorted(row["name"] for row in rows), "the catalogue")
        found = next(row["id"] for row in rows if row["name"] == name)
        body = {"schema": schema, "archived": archived}
        same(200, self.send("PATCH", f"{path}/{found}", body).status, "event_types.update")
        app.catalogue[name] = archived, most

    @precondition(
        lambda self: sum(e.deleted_at is None for e in self.model.endpoints) < _MOST_ENDPOINTS
    )
    @rule(which=INDEX, wanted=WANTED)
    def create_endpoint(self, which: int, wanted: Wanted) -> None:
        """An endpoint whose receiver answers 200 until it is told otherwise."""
        now = self.step()
        app, path = pick(self.model.apps, which), self.world.new_path()
        wanted = wanted.of_system() if app.is_system else wanted
        url = self.world.receiver.url(path)
        body = {
            **wanted.document,
            "url": url,
            "max_concurrency": 1000,
        }
        reply = self.send("POST", f"/v1/apps/{app.slug}/endpoints", body)
        same(201, reply.status, str(reply))
        secrets = Secrets.of(reply.json["signing_secret"])
        self.model.endpoints.append(
            Endpoint(reply.json["id"], app, path, secrets, wanted, now, ANSWERS[0], url)
        )

    @rule(which=INDEX, answer=st.sampled_from((*ANSWERS, *ANSWERS, SILENT)))
    def receiver_answers(self, which: int, answer: Any) -> None:
        """From now on the receiver answers like this."""
        self.step()
        endpoint = pick(self.model.endpoints, which)
        endpoint.answer = self.world.receiver.answers[endpoint.path] = answer

    @rule(which=INDEX, wanted=WANTED)
    def update_endpoint(self, which: int, wanted: Wanted) -> None:
        """Subscriptions and filter are for what is published from now on, the rest at once."""
        now = self.step()
        endpoint = pick(self.model.endpoints, which)
        wanted = wanted.of_system() if endpoint.app.is_system else wanted
        if self.found(self.send("PATCH", path_of(endpoint), wanted.document), endpoint):
            endpoint.want(wanted, now)
        self.settle()

    @rule(which=INDEX, how=st.sampled_from(("enable", "enable", "disable")), release=st.booleans())
    def switch_endpoint(self, which: int, how: str, release: bool) -> None:
        """What is held while an endpoint is off goes out, or is cancelled."""
        now = self.step()
        endpoint = pick(self.model.endpoints, which)
        body = {"release": release} if how == "enable" else None
        if not self.found(self.send("POST", f"{path_of(endpoint)}/{how}", body), endpoint):
            return
        if how == "disable":
            self.disabled(endpoint)
        else:
            for each in self.model.of(endpoint):
                if each.reads(now)[0] == "held" and not release:
                    each.end("cancelled", now, "not_released")
            endpoint.enable()
        self.settle()

    @rule(which=INDEX)
    def delete_endpoint(self, which: int) -> None:
        """What waited for it reads as cancelled; its history stays."""
        now = self.step()
        endpoint = pick(self.model.endpoints, which)
        if self.found(self.send("DELETE", path_of(endpoint)), endpoint, 204):
            endpoint.deleted_at = now

    @rule(which=INDEX, overlap=st.sampled_from((0, 5, 3_600, 86_400)))
    def rotate_secret(self, which: int, overlap: int) -> None:
        """Both secrets sign until the overlap ends."""
        now = self.step()
        endpoint = pick(self.model.endpoints, which)
        body = {"overlap_seconds": overlap}
        reply = self.send("POST", f"{path_of(endpoint)}/rotate-secret", body)
        if self.found(reply, endpoint):
            endpoint.secrets.rotate(reply.json["signing_secret"], now + overlap * 1000, now)

    @rule(which=INDEX, overlap=st.sampled_from((0, 5, 3_600, 86_400)))
    def rotate_secret_of_app(self, which: int, overlap: int) -> None:
        """The same for all endpoints that sign with it."""
        now = self.step()
        app = pick(self.model.apps, which)
        body = {"overlap_seconds": overlap}
        reply = self.send("POST", f"/v1/apps/{app.slug}/rotate-secret", body)
        same(200, reply.status, str(reply))
        app.secrets.rotate(reply.json["signing_secret"], now + overlap * 1000, now)

"""Publishers over real sockets, each in a thread of its own."""

from __future__ import annotations

import http.client
import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping

from hookwright import UNSET, Hookwright
from hookwright.errors import APIConnectionError, APIError, APIStatusError
from hookwright_benchmarks.kill_campaign.history import Outcome, Publish
from hookwright_benchmarks.kill_campaign.sink import json_digest, raw_digest

APP = "kills"
EVENT = "kill.tested"
_PATIENCE_S = 60.0
_PAUSE_S = 0.05
_Answer = tuple[Outcome, str | None]


class Publisher(ABC):
    """Publishes `per_second` messages at most, each under a key of its own."""

    def __init__(self, name: str, base_url: str, api_key: str, per_second: float) -> None:
        self.published: list[Publish] = []
        self.waiting_for: str | None = None
        self._name = name
        self._base_url = base_url
        self._api_key = api_key
        self._period_s = 1 / per_second
        self._finish = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def finish(self) -> None:
        """Answer for the message under way, then end."""
        self._finish.set()

    def join(self, timeout_s: float) -> None:
        """Wait for the end; TimeoutError when it does not come."""
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            raise TimeoutError(f"{self._name} still waits for {self.waiting_for}")

    def _run(self) -> None:
        number = 0
        while not self._finish.wait(self._period_s):
            number += 1
            key = f"{self._name}-{number:06d}"
            self.waiting_for = key
            publish = self.publish(key)
            self.waiting_for = None
            self.published.append(publish)
        self.close()

    @abstractmethod
    def publish(self, key: str) -> Publish:
        """Publish one message."""

    @abstractmethod
    def close(self) -> None:
        """Close connections."""


class SdkPublisher(Publisher):
    """Repeats a publish that got no answer, under the same key, until it has one."""

    def __init__(self, name: str, base_url: str, api_key: str, per_second: float) -> None:
        super().__init__(name, base_url, api_key, per_second)
        self._client = Hookwright(api_key, base_url=base_url, timeout=_PATIENCE_S, max_retries=1)

    def publish(self, key: str) -> Publish:
        payload = {"key": key, "note": "smörgås \U0001f50f \u0001", "amount": 4900, "rate": 0.1}
        outcome, message_id = self._insist(key, payload)
        return Publish(
            key, outcome, json_digest(payload), message_id, ordering_key=self._ordering_key()
        )

    def close(self) -> None:
        self._client.close()

    def _ordering_key(self) -> str | None:
        return None

    def _insist(self, key: str, payload: Mapping[str, object]) -> _Answer:
        while True:
            try:
                accepted = self._client.trigger.send(
                    APP,
                    event_name=EVENT,
                    payload=payload,
                    idempotency_key=key,
                    ordering_key=self._ordering_key() or UNSET,
                )
            except APIStatusError as error:
                if error.status_code < 500:
                    return "fail", None
            except APIConnectionError:
                pass
            except APIError:
                return "unknown", None
            else:
                return "ok", accepted.message_id
            threading.Event().wait(_PAUSE_S)


class OrderedPublisher(SdkPublisher):
    """Its messages go one at a time, in its order."""

    def _ordering_key(self) -> str | None:
        return self._name


class RawPublisher(Publisher):
    """Never repeats: what got no answer, or a 5xx, is unknown. Its payload's bytes are its own."""

    def __init__(self, name: str, base_url: str, api_key: str, per_second: float) -> None:
        super().__init__(name, base_url, api_key, per_second)
        self._connection: http.client.HTTPConnection | None = None

    def publish(self, key: str) -> Publish:
        # Bytes that would not survive parsing and writing.
        payload = b'{ "key":"%b", "a":1.10, "A":1e2,"\\u006f":"\xc3\xa9\\/", "n":%b }' % (
            key.encode(),
            b"9" * 30,
        )
        try:
            outcome, message_id = self._post(key, payload)
        except ConnectionRefusedError:
            self.close()
            self._finish.wait(_PAUSE_S)
            outcome, message_id = "fail", None
        except (OSError, http.client.HTTPException, ValueError):
            self.close()
            outcome, message_id = "unknown", None
            self._finish.wait(_PAUSE_S)
        return Publish(key, outcome, raw_digest(payload), message_id)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _post(self, key: str, payload: bytes) -> _Answer:
        if self._connection is None:
            host = self._base_url.removeprefix("http://")
            self._connection = http.client.HTTPConnection(host, timeout=_PATIENCE_S)
        body = b'{"event_name":"%b","payload":%b}' % (EVENT.encode(), payload)
        headers = {
            "authorization": f"Bearer {self._api_key}",
            "content-type": "application/json",
            "idempotency-key": f'"{key}"',
        }
        self._connection.request("POST", f"/v1/apps/{APP}/trigger", body, headers)
        response = self._connection.getresponse()
        answer = response.read()
        if response.status == 202:
            return "ok", str(json.loads(answer)["message_id"])
        if response.status >= 500:
            self.close()
            return "unknown", None
        return "fail", None


def publishes(publishers: Iterable[Publisher]) -> list[Publish]:
    """What all of them did."""
    return [publish for publisher in publishers for publish in publisher.published]


def waiting(publishers: Iterable[Publisher]) -> int:
    """How many wait for an answer now."""
    return sum(publisher.waiting_for is not None for publisher in publishers)

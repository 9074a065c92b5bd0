"""An authority of the target's own: the README's commands, and files that are none."""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from hookwright_conformance.certificates import Flavour, Identity, new_authority, read_authority
from hookwright_conformance.receiver import Receiver

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
COMMANDS = re.search(r"^    openssl req .+?(?=^    export)", README, re.DOTALL | re.MULTILINE)


def judged(receiver: Receiver, flavour: Flavour, context: ssl.SSLContext) -> str:
    """What a client says of a certificate: its version of TLS, or why it refuses."""
    parts = urlsplit(receiver.base_url(flavour))
    raw = socket.create_connection((parts.hostname or "", parts.port or 0), 30)
    try:
        with raw, context.wrap_socket(raw, server_hostname=parts.hostname) as client:
            return str(client.version())
    except ssl.SSLCertVerificationError as error:
        return error.verify_message


@pytest.mark.needs_service("openssl")
def test_the_commands_of_the_readme_make_an_authority(tmp_path: Path) -> None:
    """Whoever trusts it believes the good certificate, and none of the bad ones."""
    assert COMMANDS is not None
    subprocess.run(["bash", "-ec", COMMANDS[0]], cwd=tmp_path, check=True, capture_output=True)
    authority = read_authority(tmp_path / "authority.pem")
    trusting = ssl.create_default_context(cafile=str(tmp_path / "authority.crt"))
    with Receiver.start(tls=True, authority=authority) as receiver:
        good = judged(receiver, "good", trusting)
        expired = judged(receiver, "expired", trusting)
        wrong_host = judged(receiver, "wrong_host", trusting)
        unknown = judged(receiver, "unknown_authority", trusting)

    assert ("TLSv1.3", "certificate has expired") == (good, expired)
    assert wrong_host.startswith("IP address mismatch")
    assert "unable to get local issuer certificate" == unknown


def _of_no_certificate(authority: Identity) -> bytes:
    return authority.pem().partition(b"-----BEGIN CERT")[0]


def _of_another(authority: Identity) -> bytes:
    return _of_no_certificate(new_authority()) + authority.certificate_pem()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (Identity.certificate_pem, "it holds no private key"),
        (_of_no_certificate, "no BEGIN CERTIFICATE"),
        (_of_another, "its private key is not that of its certificate"),
    ],
    ids=["no key", "no certificate", "another key"],
)
def test_files_that_are_no_authority_are_refused(
    tmp_path: Path, content: Callable[[Identity], bytes], says: str
) -> None:
    """With the reason."""
    path = tmp_path / "authority.pem"
    path.write_bytes(content(new_authority()))

    with pytest.raises(ValueError, match=says):
        read_authority(path)

"""How outgoing TLS is verified: always, at least TLS 1.2, against the system's authorities."""

from __future__ import annotations

import ssl
from pathlib import Path

_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora
    "/etc/ssl/cert.pem",  # macOS, BSD
)


def outgoing_tls_context(extra_ca_file: str | None = None) -> ssl.SSLContext:
    """A verifying client context. `extra_ca_file` (PEM) adds the operator's own authority.

    `ssl.create_default_context` is not used because it obeys SSL_CERT_FILE, SSL_CERT_DIR and
    SSLKEYLOGFILE: the environment must not decide whom we trust. Without any authority on the
    machine every certificate is refused. Raises OSError or ssl.SSLError for a bad extra file.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    _load_system_authorities(context)
    if extra_ca_file is not None:
        context.load_verify_locations(cafile=extra_ca_file)
    return context


def _load_system_authorities(context: ssl.SSLContext) -> None:
    compiled_in = ssl.get_default_verify_paths()
    for file in (compiled_in.openssl_cafile, *_BUNDLES):
        if Path(file).is_file():
            context.load_verify_locations(cafile=file)
            return
    if Path(compiled_in.openssl_capath).is_dir():
        context.load_verify_locations(capath=compiled_in.openssl_capath)

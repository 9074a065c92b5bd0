"""A throw-away certificate authority with one certificate per way in which TLS can be wrong."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

Flavour = Literal["good", "self_signed", "expired", "wrong_host"]
FLAVOURS: tuple[Flavour, ...] = ("good", "self_signed", "expired", "wrong_host")

_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Identity:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def pem(self) -> bytes:
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return key + self.certificate.public_bytes(Encoding.PEM)


class CertificateSet:
    """Certificates for `hosts` in `folder`; `authority` is the file that a client has to trust."""

    def __init__(self, folder: Path, hosts: tuple[str, ...]) -> None:
        self.authority = folder / "authority.pem"
        root = _authority()
        self.authority.write_bytes(root.certificate.public_bytes(Encoding.PEM))
        now = dt.datetime.now(dt.UTC)
        current, past = (now - _DAY, now + 30 * _DAY), (now - 60 * _DAY, now - 30 * _DAY)
        identities: dict[Flavour, _Identity] = {
            "good": _issue(hosts, current, root),
            "self_signed": _issue(hosts, current, None),
            "expired": _issue(hosts, past, root),
            "wrong_host": _issue(("wrong.example",), current, root),
        }
        self._files = {flavour: folder / f"{flavour}.pem" for flavour in FLAVOURS}
        for flavour, identity in identities.items():
            self._files[flavour].write_bytes(identity.pem())

    def context(self, flavour: Flavour) -> ssl.SSLContext:
        """A server context that presents the certificate called `flavour`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._files[flavour])
        return context


def _authority() -> _Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("Hookwright conformance authority")
    now = dt.datetime.now(dt.UTC)
    builder = _builder(name, name, key, (now - 90 * _DAY, now + 90 * _DAY))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_authority_usage(), critical=True)
    return _Identity(builder.sign(key, hashes.SHA256()), key)


def _issue(
    hosts: tuple[str, ...], period: tuple[dt.datetime, dt.datetime], root: _Identity | None
) -> _Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(hosts[0])
    issuer, signing_key = (root.certificate.subject, root.key) if root else (subject, key)
    builder = _builder(subject, issuer, key, period)
    alternatives = x509.SubjectAlternativeName([_alternative(host) for host in hosts])
    builder = builder.add_extension(alternatives, critical=False)
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key()), critical=False
    )
    return _Identity(builder.sign(signing_key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    period: tuple[dt.datetime, dt.datetime],
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(period[0])
        .not_valid_after(period[1])
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _authority_usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)

"""A certificate for each way in which TLS can be right or wrong, of a given or a new authority."""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

Flavour = Literal["good", "self_signed", "expired", "wrong_host", "unknown_authority"]
FLAVOURS: tuple[Flavour, ...] = (
    "good",
    "self_signed",
    "expired",
    "wrong_host",
    "unknown_authority",
)

_DAY = dt.timedelta(days=1)
_PRIVATE_KEY = re.compile(rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.+?-----END \1-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate with its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

    def pem(self) -> bytes:
        """Both, the key first."""
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return key + self.certificate_pem()

    def certificate_pem(self) -> bytes:
        """What may be shown to everybody."""
        return self.certificate.public_bytes(Encoding.PEM)


def read_authority(path: Path) -> Identity:
    """The authority whose certificate and private key are in a file. Raises OSError, ValueError."""
    data = path.read_bytes()
    key = _PRIVATE_KEY.search(data)
    if key is None:
        raise ValueError("it holds no private key (PEM, without a password)")
    certificate = x509.load_pem_x509_certificate(data)
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        private = load_pem_private_key(key[0], None)
    except TypeError as error:
        raise ValueError("its private key has a password") from error
    except x509.ExtensionNotFound as error:
        raise ValueError("its certificate is not that of an authority (CA:TRUE)") from error
    if not constraints.value.ca:
        raise ValueError("its certificate is not that of an authority (CA:TRUE)")
    if not isinstance(private, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise ValueError("its key is of a kind that is not supported; use EC or RSA")
    if private.public_key() != certificate.public_key():
        raise ValueError("its private key is not that of its certificate")
    return Identity(certificate, private)


class CertificateSet:
    """Certificates for `hosts` in `folder`, issued by `root` or a new authority; `authority` is
    the file that a client has to trust."""

    def __init__(self, folder: Path, hosts: tuple[str, ...], root: Identity | None = None) -> None:
        self.authority = folder / "authority.pem"
        root = root or new_authority()
        self.authority.write_bytes(root.certificate_pem())
        now = dt.datetime.now(dt.UTC)
        current, past = (now - _DAY, now + 30 * _DAY), (now - 60 * _DAY, now - 30 * _DAY)
        identities: dict[Flavour, Identity] = {
            "good": _issue(hosts, current, root),
            "self_signed": _issue(hosts, current, None),
            "expired": _issue(hosts, past, root),
            "wrong_host": _issue(("wrong.example",), current, root),
            "unknown_authority": _issue(hosts, current, new_authority()),
        }
        self._files = {flavour: folder / f"{flavour}.pem" for flavour in FLAVOURS}
        for flavour, identity in identities.items():
            self._files[flavour].write_bytes(identity.pem())

    def context(self, flavour: Flavour) -> ssl.SSLContext:
        """A server context that presents the certificate called `flavour`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._files[flavour])
        return context


def new_authority() -> Identity:
    """An authority that nobody trusts yet, for some weeks."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("Hookwright conformance authority")
    now = dt.datetime.now(dt.UTC)
    builder = _builder(name, name, key, (now - 90 * _DAY, now + 90 * _DAY))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_authority_usage(), critical=True)
    return Identity(builder.sign(key, hashes.SHA256()), key)


def _issue(
    hosts: tuple[str, ...], period: tuple[dt.datetime, dt.datetime], root: Identity | None
) -> Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(hosts[0])
    issuer, signing_key = (root.certificate.subject, root.key) if root else (subject, key)
    builder = _builder(subject, issuer, key, period)
    alternatives = x509.SubjectAlternativeName([_alternative(host) for host in hosts])
    builder = builder.add_extension(alternatives, critical=False)
    builder = builder.add_extension(_issuer_key(root, key), critical=False)
    return Identity(builder.sign(signing_key, hashes.SHA256()), key)


def _issuer_key(
    root: Identity | None, key: ec.EllipticCurvePrivateKey
) -> x509.AuthorityKeyIdentifier:
    """As the issuer names its own key: whoever verifies compares both."""
    if root is None:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    try:
        named = root.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(root.key.public_key())
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(named.value)


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

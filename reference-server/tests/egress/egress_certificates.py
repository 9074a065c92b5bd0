"""A certificate authority for one test run, with good and bad certificates."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
import warnings
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAME = "hooks.example.com"
_DAY = dt.timedelta(days=1)


class Authority:
    """Issues server contexts; `ca_file` is what a client must trust."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _common_name("Test authority")
        self._now = dt.datetime.now(dt.UTC)
        certificate = self._sign(self._name, self._name, self._key, days=10, is_authority=True)
        self.ca_file = str(folder / "ca.pem")
        Path(self.ca_file).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def good(self) -> ssl.SSLContext:
        """A certificate for NAME and 127.0.0.1."""
        return self._server("good", days=5)

    def expired(self) -> ssl.SSLContext:
        return self._server("expired", days=-1)

    def wrong_name(self) -> ssl.SSLContext:
        return self._server("wrong", days=5, names=("other.example.com",))

    def self_signed(self) -> ssl.SSLContext:
        return self._server("self", days=5, is_self_signed=True)

    def tls_1_1(self) -> ssl.SSLContext:
        """A good certificate on a server that speaks nothing newer than TLS 1.1."""
        context = self._server("old", days=5)
        outdate(context)
        return context

    def _server(
        self,
        file: str,
        *,
        days: int,
        names: tuple[str, ...] = (NAME,),
        is_self_signed: bool = False,
    ) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _common_name(names[0])
        issuer, signer = (subject, key) if is_self_signed else (self._name, self._key)
        public_names = (*names, "127.0.0.1") if names == (NAME,) else names
        certificate = self._sign(subject, issuer, signer, days=days, key=key, names=public_names)
        path = self._folder / f"{file}.pem"
        path.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _sign(
        self,
        subject: x509.Name,
        issuer: x509.Name,
        signer: ec.EllipticCurvePrivateKey,
        *,
        days: int,
        key: ec.EllipticCurvePrivateKey | None = None,
        names: tuple[str, ...] = (),
        is_authority: bool = False,
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key((key or signer).public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - 10 * _DAY)
            .not_valid_after(self._now + days * _DAY)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False
            )
        return builder.sign(signer, hashes.SHA256())


def outdate(context: ssl.SSLContext) -> None:
    """Let `context` speak TLS 1.1 and nothing newer."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1_1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")


def _common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)

"""The one grammar of target URLs: what it does not understand completely, it refuses.

HTTP clients disagree about hosts such as `0x7f.1`, `127.1` or `a@b@c`. Nothing on which two
common parsers differ is accepted here, and nothing else in the server takes a target URL apart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address
from typing import Literal

import idna

MAX_URL_LENGTH = 2048

Scheme = Literal["http", "https"]
UrlRefusal = Literal[
    "url_empty",
    "url_too_long",
    "url_has_space_or_control",
    "url_has_backslash",
    "url_malformed",
    "scheme_not_allowed",
    "fragment_not_allowed",
    "userinfo_not_allowed",
    "host_empty",
    "host_malformed",
    "host_has_percent",
    "host_not_canonical",
    "host_numeric",
    "host_zone_id",
    "host_not_public",
    "host_metadata",
    "port_malformed",
    "port_not_allowed",
    "path_malformed",
    "address_not_public",
    "address_invalid",
]

_DEFAULT_PORTS: dict[str, int] = {"http": 80, "https": 443}
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):(/*)")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_QUAD = re.compile(r"(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}", re.ASCII)
_NUMERIC_LABEL = re.compile(r"\d+|0[xX][0-9A-Fa-f]*", re.ASCII)
_PORT = re.compile(r"[1-9]\d{0,4}", re.ASCII)
_PATH = re.compile(r"(?:[A-Za-z0-9\-._~:/?@!$&'()*+,;=\[\]]|%[0-9A-Fa-f]{2})*")
_SHOWN = 80


class UrlNotAllowed(ValueError):
    """A target URL was refused. `reason` is for machines; the text names value, rule, next step."""

    def __init__(self, reason: UrlRefusal, value: str, rule: str) -> None:
        shown = value if len(value) <= _SHOWN else value[: _SHOWN - 3] + "..."
        super().__init__(f"{shown!a}: {rule}")
        self.reason: UrlRefusal = reason


@dataclass(frozen=True, slots=True)
class TargetUrl:
    """A URL of which every part is settled.

    `host` is canonical: lower-case A-labels, a dotted quad, or an IPv6 address without brackets.
    It is the name for SNI and certificate checks; `host_header` is the `Host` field's value.
    """

    scheme: Scheme
    host: str
    port: int
    path_and_query: str
    is_ip_literal: bool

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host_header}{self.path_and_query}"


def parse_target_url(text: str, *, allow_http: bool) -> TargetUrl:
    """Parse `text`, or raise `UrlNotAllowed`. Says nothing about where the host may lie."""
    _check_characters(text)
    scheme, rest = _split_scheme(text, allow_http)
    authority, path_and_query = _split_authority(text, rest)
    host_text, port_text = _split_port(authority)
    host, is_ip_literal = _canonical_host(host_text)
    port = _DEFAULT_PORTS[scheme] if port_text is None else _parse_port(port_text)
    return TargetUrl(scheme, host, port, path_and_query, is_ip_literal)


def _check_characters(text: str) -> None:
    if not text:
        raise UrlNotAllowed("url_empty", text, "a URL is needed, such as https://example.com/hooks")
    if len(text) > MAX_URL_LENGTH:
        rule = f"a URL has at most {MAX_URL_LENGTH} characters, this one has {len(text)}"
        raise UrlNotAllowed("url_too_long", text, f"{rule}; shorten it")
    if " " in text or not text.isprintable():
        rule = "a URL holds no spaces, control or invisible characters; remove or encode them"
        raise UrlNotAllowed("url_has_space_or_control", text, rule)
    if "\\" in text:
        raise UrlNotAllowed("url_has_backslash", text, "a URL holds no backslash; write '/' or %5C")


def _split_scheme(text: str, allow_http: bool) -> tuple[Scheme, str]:
    match = _SCHEME.match(text)
    if match is None:
        raise UrlNotAllowed("url_malformed", text, "a URL begins with https://; write it in full")
    scheme = match[1].lower()
    rest = text[match.end() :]
    if scheme == "https":
        settled: Scheme = "https"
    elif scheme == "http" and allow_http:
        settled = "http"
    else:
        raise UrlNotAllowed("scheme_not_allowed", match[1], _scheme_rule(scheme, allow_http))
    if len(match[2]) > 2:
        raise UrlNotAllowed("host_empty", text, "no host stands after '://'; name one")
    if len(match[2]) < 2:
        raise UrlNotAllowed("url_malformed", text, "the scheme is followed by '//'; write https://")
    return settled, rest


def _scheme_rule(scheme: str, allow_http: bool) -> str:
    if scheme == "http":
        return "plain http is off on this server; use https, or have the operator allow http"
    return f"only https{' and http' if allow_http else ''} URLs can be targets; use https"


def _split_authority(text: str, rest: str) -> tuple[str, str]:
    if "#" in rest:
        rule = "a target has no fragment, it would never be sent; remove '#' and what follows"
        raise UrlNotAllowed("fragment_not_allowed", text, rule)
    end = next((at for at, character in enumerate(rest) if character in "/?"), len(rest))
    authority, path = rest[:end], rest[end:]
    if "@" in authority:
        # The value is not repeated: it may hold a password.
        rule = "a URL holds no user name or password; send credentials in a custom header"
        raise UrlNotAllowed("userinfo_not_allowed", "...@...", rule)
    if not _PATH.fullmatch(path):
        rule = "the path or query holds a character that must be percent-encoded; encode it"
        raise UrlNotAllowed("path_malformed", path, rule)
    return authority, path if path.startswith("/") else "/" + path


def _split_port(authority: str) -> tuple[str, str | None]:
    if authority.startswith("["):
        host, bracket, tail = authority.partition("]")
        if not bracket or (tail and not tail.startswith(":")):
            rule = "an IPv6 host is written [address] or [address]:port; correct it"
            raise UrlNotAllowed("host_malformed", authority, rule)
        return host + bracket, tail[1:] if tail else None
    host, colon, port = authority.partition(":")
    if ":" in port:
        rule = "a host has one port, and an IPv6 address stands in brackets; write [address]:port"
        raise UrlNotAllowed("host_malformed", authority, rule)
    return host, port if colon else None


def _parse_port(text: str) -> int:
    if not _PORT.fullmatch(text) or int(text) > 65535:
        rule = "a port is a plain number from 1 to 65535; correct it, or leave out the ':'"
        raise UrlNotAllowed("port_malformed", text, rule)
    return int(text)


def _canonical_host(text: str) -> tuple[str, bool]:
    """The host in the one spelling under which it is judged, dialled and named."""
    if not text:
        raise UrlNotAllowed("host_empty", text, "no host stands after '://'; name one")
    if "%" in text:
        if text.startswith("["):
            rule = "an address with a zone id is local to one machine; use a public address"
            raise UrlNotAllowed("host_zone_id", text, rule)
        rule = "a host is never percent-encoded; write the name itself"
        raise UrlNotAllowed("host_has_percent", text, rule)
    if text.startswith("["):
        return _ipv6(text), True
    name = _to_ascii(text)
    if _NUMERIC_LABEL.fullmatch(name.rsplit(".", 1)[-1]):
        if text.isascii() and _QUAD.fullmatch(name):
            return name, True
        rule = "a numeric host is four decimal numbers 0-255 without leading zeros; write it so"
        raise UrlNotAllowed("host_numeric", text, rule)
    _check_name(name, text)
    return name, False


def _ipv6(text: str) -> str:
    try:
        return IPv6Address(text[1:-1]).compressed
    except AddressValueError:
        rule = "what stands in brackets is no IPv6 address; correct it"
        raise UrlNotAllowed("host_malformed", text, rule) from None


def _to_ascii(text: str) -> str:
    lowered = "".join(letter.lower() if letter.isascii() else letter for letter in text)
    if lowered.isascii():
        return lowered
    # Only names that UTS 46 leaves alone: parsers map full-width digits, circled letters
    # or ideographic full stops to different hosts, so a host that needs mapping is refused.
    try:
        mapped = idna.uts46_remap(lowered, std3_rules=True, transitional=False)
        if mapped != lowered:
            rule = f"this host would be read as {mapped!a}; write that if you mean it"
            raise UrlNotAllowed("host_not_canonical", text, rule)
        return idna.encode(mapped, strict=True).decode("ascii")
    except UnicodeError:
        rule = "no valid internationalised host name (IDNA 2008); correct it"
        raise UrlNotAllowed("host_malformed", text, rule) from None


def _check_name(name: str, text: str) -> None:
    if name.endswith("."):
        rule = "a host has no trailing dot here; remove it"
        raise UrlNotAllowed("host_not_canonical", text, rule)
    labels = name.split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        rule = "a host name consists of letters, digits and hyphens between dots; correct it"
        raise UrlNotAllowed("host_malformed", text, rule)
    try:
        for label in labels:
            if label.startswith("xn--"):
                idna.ulabel(label)
    except UnicodeError:
        rule = "an 'xn--' part that decodes to no valid name; correct it"
        raise UrlNotAllowed("host_malformed", text, rule) from None

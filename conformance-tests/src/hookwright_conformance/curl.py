"""Requests as commands for a shell: what a failure shows, to be copied.

A key never stands in one: it is named by the environment variable that holds it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from urllib.parse import urlsplit

_LONGEST_BODY = 2_000
_ACTIVE = re.compile(r'([\\"$`])')


def curl(
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes | None,
    secrets: Mapping[str, str],
) -> str:
    """The curl command that sends this request. `secrets` are keys and the names of the variables
    that hold them. A body that is very long is cut, and a comment says so."""
    words = ["curl", "-i"]
    if set("[]{}") & set(url):
        words.append("--globoff")
    if "/." in urlsplit(url).path:
        words.append("--path-as-is")
    words += ["-X", shlex.quote(method)]
    for name, value in headers.items():
        words += ["-H", quoted(f"{name}: {value}" if value else f"{name};", secrets)]
    before, after = "", ""
    if body is not None:
        if "content-type" not in {name.lower() for name in headers}:
            words += ["-H", "Content-Type:"]  # or curl would choose one
        before, argument, after = _body(body, secrets)
        words += argument
    return before + " ".join([*words, quoted(url, secrets)]) + after


def raw_bytes(base_url: str, data: bytes) -> str:
    """The command that sends these bytes as they are."""
    parts = urlsplit(base_url)
    host = shlex.quote(parts.hostname or "")
    if parts.scheme == "https":
        there = f"openssl s_client -quiet -connect {shlex.quote(parts.netloc)}"
        there += "" if parts.port else ":443"
    else:
        there = f"nc {host} {parts.port or 80}"
    return f"printf {_printf(data)} | {there}"


def quoted(text: str, secrets: Mapping[str, str]) -> str:
    """The text as one word for a shell, with variables in the place of secrets."""
    if not any(secret in text for secret in secrets):
        return shlex.quote(text)
    inert = _ACTIVE.sub(r"\\\1", text)
    return f'"{redacted(inert, secrets)}"'


def redacted(text: str, secrets: Mapping[str, str]) -> str:
    """The text with variables in the place of secrets."""
    for secret, variable in secrets.items():
        text = re.sub(re.escape(secret) + r"(?=\w)", f"${{{variable}}}", text)
        text = text.replace(secret, f"${variable}")
    return text


def _body(body: bytes, secrets: Mapping[str, str]) -> tuple[str, list[str], str]:
    shown = body[:_LONGEST_BODY]
    cut = f"  # cut: the first {len(shown)} of {len(body)} bytes" if shown != body else ""
    try:
        text = shown.decode()
    except UnicodeDecodeError:
        return f"printf {_printf(shown)} | ", ["--data-binary", "@-"], cut
    if "\0" in text:
        return f"printf {_printf(shown)} | ", ["--data-binary", "@-"], cut
    return "", ["--data-raw", quoted(text, secrets)], cut


def _printf(data: bytes) -> str:
    named = {0x0D: "\\r", 0x0A: "\\n", 0x25: "%%", 0x5C: "\\\\", 0x27: "'\\''"}
    shown = (named.get(one) or (chr(one) if 0x20 <= one < 0x7F else f"\\{one:03o}") for one in data)
    return f"'{''.join(shown)}'"

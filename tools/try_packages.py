"""Wheels and sdists of the SDK and the server, installed into empty environments and tried.

On each Python what the READMEs show is done: the server is started, the example is run, the
commands explain themselves, and pytest runs the tests that the SDK's shows. Then the SDK without
extras: it sends and verifies, and what needs an extra names it. Dependencies are those that pip
finds, not those of the lock, so this needs the network.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, cast

from examples import of_document

ROOT: Final = Path(__file__).resolve().parent.parent
# The SDK first: the server's `demo` extra asks for it.
_MEMBERS: Final = {"hookwright": "sdk-python", "hookwright_server": "reference-server"}
_EXTRAS: Final = {"hookwright": "[aiohttp,cli,ed25519,testing]", "hookwright_server": "[demo]"}
_KINDS: Final = {"wheel": "*.whl", "sdist": "*.tar.gz"}
_NAMES: Final = ("python3.11", "python3.12", "python3.13", "python3.14", "python3")
_ASKED: Final = (
    "import ensurepip, sys, venv; assert sys.version_info >= (3, 11); "
    "print(sys.version_info[1], sys.executable)"
)
_SWITCHES: Final = {
    "HOOKWRIGHT_ALLOW_HTTP": "true",
    "HOOKWRIGHT_ALLOW_PRIVATE_NETWORKS": "true",
}
_SHOWN: Final = ("received order.created {'id': 'ord_1', 'total': 4900}", "order.created http")
_READMES: Final = ("README.md", "sdk-python/README.md")
_FOREIGN: Final = re.compile(r"^(?:from|import) (?:django|fastapi|flask|pytest)\b", re.MULTILINE)
_LEAST_EXAMPLES: Final = 8
# Runs the examples that are its argument, each on what they may use (tools/examples.py).
_WITHOUT_EXTRAS: Final = """
import json, sys, time
from hookwright import Hookwright
from hookwright.webhooks import Webhook

secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
now = int(time.time())
body = b'{"type": "order.created", "timestamp": "2026-11-21T09:00:00Z", "data": {"id": 7}}'
headers = {
    "webhook-id": "msg_1",
    "webhook-timestamp": str(now),
    "webhook-signature": Webhook(secret).sign("msg_1", now, body),
}
with Hookwright() as client:
    client.apps.get_or_create("my-app", name="My app")
    given = {"client": client, "secret": secret}
    given |= {"request_body": body, "request_headers": headers}
    for source in json.loads(sys.argv[1]):
        exec(source, {"__name__": "example", **given})
"""
# What needs more than that, and what it is told.
_NEEDS_EXTRA: Final = {
    "from hookwright import *; AsyncHookwright('k', http_client='aiohttp')": "[aiohttp]",
    "import hookwright; hookwright.DefaultAioHttpClient()": "[aiohttp]",
    f"import hookwright; hookwright.Webhook('whpk_{'A' * 43}=')": "[ed25519]",
    "import hookwright.integrations.django": "install 'django'",
    "import hookwright.integrations.fastapi": "install 'fastapi'",
    "import hookwright.integrations.flask": "install 'flask'",
}
_TESTS: Final = {
    "test_plain.py": "def test_plain() -> None:\n    assert True\n",
    "test_asking.py": "def test_asking(hookwright_client) -> None:\n    assert True\n",
}


class Failed(Exception):
    """A package does not do what the README shows."""


@dataclass(frozen=True)
class Interpreter:
    """A Python that makes environments; `minor` of 3."""

    minor: int
    path: str


def main() -> int:
    """Try everything that was asked for; the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument(
        "--python",
        action="append",
        metavar="PATH",
        help="a Python to try (again for more); otherwise the oldest and the newest found here",
    )
    given: list[str] | None = parser.parse_args().python
    interpreters = _found(given or _NAMES)
    if given is None:
        interpreters = sorted({interpreters[0], interpreters[-1]}, key=lambda each: each.minor)
        for minor in sorted(_claimed() - {each.minor for each in interpreters}):
            print(f"Python 3.{minor} is not here, so nothing is known of it", flush=True)
    with tempfile.TemporaryDirectory(prefix="hookwright-packages-") as folder:
        packages = _built(Path(folder) / "built")
        failures = [
            _tried(one, kind, packages[kind], Path(folder) / f"{one.minor}-{kind}")
            for one in interpreters
            for kind in _KINDS
        ]
    return int(any(failures))


def _claimed() -> set[int]:
    """The oldest and the newest minor of 3 that the SDK says it is for."""
    classifier = re.compile(r'"Programming Language :: Python :: 3\.(\d+)"')
    minors = [int(minor) for minor in classifier.findall(_text("sdk-python/pyproject.toml"))]
    return {min(minors), max(minors)}


def _found(names: Sequence[str]) -> list[Interpreter]:
    """Those that work, oldest first; one for each version."""
    found: dict[int, Interpreter] = {}
    for name in names:
        path = shutil.which(name)
        if path is None:
            continue
        done = subprocess.run([path, "-c", _ASKED], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            minor, executable = done.stdout.split(maxsplit=1)
            found.setdefault(int(minor), Interpreter(int(minor), executable.strip()))
    if not found:
        raise SystemExit(f"None of these is Python 3.11 or newer with venv: {', '.join(names)}")
    return [found[minor] for minor in sorted(found)]


def _built(folder: Path) -> dict[str, dict[str, Path]]:
    """For each kind the file of each distribution."""
    for member in _MEMBERS.values():
        print(f"building {member} ...", flush=True)
        _run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT / member)
    return {
        kind: {name: next(folder.glob(f"{name}-{pattern}")) for name in _MEMBERS}
        for kind, pattern in _KINDS.items()
    }


def _tried(one: Interpreter, kind: str, packages: dict[str, Path], folder: Path) -> str | None:
    label = f"Python 3.{one.minor}, {kind}"
    print(f"{label}: installing ...", flush=True)
    try:
        _run(one.path, "-m", "venv", folder)
        python = folder / "bin" / "python"
        # First without extras: or pip looks elsewhere for what one of the two asks of the other.
        wanted: list[str | Path] = [
            *packages.values(),
            *(f"{path}{_EXTRAS[name]}" for name, path in packages.items()),
        ]
        _run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted)
        _try_commands(folder)
        _try_example(folder)
        _try_tests(folder)
        if kind == "wheel":  # an sdist differs in how it is built
            _try_bare(one, packages["hookwright"], folder)
    except Failed as failure:
        print(f"{label}: FAILED\n{failure}", flush=True)
        return str(failure)
    print(f"{label}: the example, the commands and the tests of the READMEs work", flush=True)
    return None


def _try_commands(folder: Path) -> None:
    for command in ("hookwright", "hookwright-server"):
        if "usage" not in _run(folder / "bin" / command, "--help").lower():
            raise Failed(f"{command} --help does not explain itself")


def _try_example(folder: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    example, *_ = _fences(text)
    with _server(folder) as client:
        shown = _run(folder / "bin" / "python", "-c", example, environment=client)
    lines = shown.splitlines()
    if [line[: len(wanted)] for line, wanted in zip(lines, _SHOWN, strict=True)] != list(_SHOWN):
        raise Failed(f"the README's example prints {shown!r}")


def _try_tests(folder: Path) -> None:
    """The plugin of `hookwright[testing]`, in a folder that configures nothing."""
    text = (ROOT / "sdk-python" / "README.md").read_text(encoding="utf-8")
    shown = [code for code in _fences(text) if "\ndef test_" in code]
    place = folder / "user"
    place.mkdir()
    for number, code in enumerate(shown):
        (place / f"test_readme_{number}.py").write_text(code, encoding="utf-8")
    told = _run(folder / "bin" / "python", "-m", "pytest", "-W", "error", folder=place)
    count = sum(code.count("\ndef test_") for code in shown)
    if not count or f" {count} passed in " not in told:
        raise Failed(f"not all of the README's {count} tests pass:\n{told}")


def _try_bare(one: Interpreter, package: Path, folder: Path) -> None:
    """`pip install hookwright`, no more: what the READMEs show of it, and who names which extra."""
    bare = folder / "bare"
    _run(one.path, "-m", "venv", bare)
    python = bare / "bin" / "python"
    pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    _run(*pip, package)
    shown = [example for name in _READMES for example in of_document(name, _text(name))]
    sources = [
        each.source for each in shown if not each.is_async and not _FOREIGN.search(each.source)
    ]
    if len(sources) < _LEAST_EXAMPLES:
        raise Failed(f"the READMEs have only {len(sources)} examples that need no extra")
    with _server(folder, "bare") as client:
        _run(python, "-c", _WITHOUT_EXTRAS, json.dumps(sources), environment=client)
    for statement, told in _NEEDS_EXTRA.items():
        _refused(told, python, "-c", statement)
    _refused("pip install 'hookwright[cli]'", bare / "bin" / "hookwright", "--help")
    _run(*pip, "pytest")
    place = bare / "user"
    place.mkdir()
    for name, code in _TESTS.items():
        (place / name).write_text(code, encoding="utf-8")
    pytest = (python, "-m", "pytest", "-W", "error")
    _run(*pytest, "test_plain.py", folder=place)
    _refused("pip install 'hookwright[testing]'", *pytest, "test_asking.py", folder=place)


def _refused(told: str, *command: str | Path, folder: Path | None = None) -> None:
    """It fails, and its last words name what is missing."""
    try:
        said = _run(*command, folder=folder)
    except Failed as failure:
        said = str(failure)
        if told in said:
            return
    raise Failed(f"{' '.join(map(str, command))} does not say {told!r}:\n{said}")


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _fences(text: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


@contextmanager
def _server(folder: Path, name: str = "hookwright") -> Generator[dict[str, str]]:
    """A server of that environment, new; what a client needs in its own."""
    log = folder / f"{name}.log"
    command: list[str | Path] = [
        folder / "bin" / "hookwright-server",
        "serve",
        "--json",
        "--port",
        "0",
    ]
    with log.open("w") as errors:
        process = subprocess.Popen(
            [*command, "--database", folder / f"{name}.db"],
            env=_environment(_SWITCHES),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    with cast("IO[str]", process.stdout) as lines:
        told = [lines.readline() for _ in range(2)]
        if not all(told):
            process.wait()
            raise Failed(f"the server did not start: {log.read_text()}")
        account, ready = (json.loads(line) for line in told)
        yield {"HOOKWRIGHT_API_KEY": account["live_key"], "HOOKWRIGHT_BASE_URL": ready["url"]}
        process.send_signal(signal.SIGTERM)
        if process.wait(60) != 0:
            raise Failed("the server did not stop in order")


def _run(
    *command: str | Path, environment: dict[str, str] | None = None, folder: Path | None = None
) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=_environment(environment or {}),
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    if done.returncode != 0:
        raise Failed(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def _environment(more: dict[str, str]) -> dict[str, str]:
    # What PYTHONPATH names would come before the packages.
    return {name: v for name, v in os.environ.items() if name != "PYTHONPATH"} | more


if __name__ == "__main__":
    sys.exit(main())

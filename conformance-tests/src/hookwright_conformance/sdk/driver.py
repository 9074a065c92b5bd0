"""The driver of an SDK as a process: one command in, one answer out, both judged by the schema."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import IO, Any

import jsonschema_rs

from hookwright_conformance.errors import Unmet

Document = dict[str, Any]

PROTOCOL = 1
PATIENCE_S = 60.0
"""How long an answer may take where a case says nothing else."""
_LAST_WORDS = 12


@dataclass(frozen=True, slots=True)
class Answer:
    """What the driver said to one command; `seconds` is how long that took."""

    result: Document | None
    error: Document | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Claim:
    """What a driver says of its SDK when it starts."""

    sdk: str
    version: str
    profiles: tuple[str, ...]


class Driver:
    """Runs the command line `arguments`; a driver that died or fell silent is started anew."""

    def __init__(self, arguments: Sequence[str], patience: float = PATIENCE_S) -> None:
        self.note: Callable[[str], None] = lambda _: None
        """Is told of every line, for the timeline of the case at hand."""
        self.last_command = ""
        self._arguments = list(arguments)
        self._patience = patience
        self._running: _Running | None = None
        self._number = 0

    def claim(self) -> Claim:
        """Start it, if need be, and let it say what it is. Raises Unmet."""
        if self._running is not None:
            return self._running.claim
        self._number = 0
        try:
            running = _Running(self._arguments)
        except OSError as error:
            raise Unmet("the driver", "a program that starts", error) from error
        self._running = running
        told = self._exchange(running, "start", {"protocol": PROTOCOL}, self._patience)
        if told.result is None:
            self.kill()
            raise Unmet("answer to start", "a result", told.error)
        running.claim = Claim(
            told.result["sdk"], told.result["version"], tuple(told.result["profiles"])
        )
        return running.claim

    def ask(self, command: str, members: Document, patience: float | None = None) -> Answer:
        """Give a command and wait for the answer. Raises Unmet for one that breaks the protocol, a
        driver that ends, and silence of `patience` seconds; the driver is then killed."""
        self.claim()
        if self._running is None:
            raise Unmet("the driver", "a running process", "none")
        return self._exchange(self._running, command, members, patience or self._patience)

    def stop(self) -> None:
        """Ask a running driver to end. Raises Unmet when it does not, or not with status 0."""
        if self._running is None:
            return
        running = self._running
        self._exchange(running, "stop", {}, self._patience)
        try:
            status = running.wait(self._patience)
        except subprocess.TimeoutExpired:
            raise Unmet("the driver after stop", "its end", "it goes on") from None
        finally:
            self.kill()
        if status != 0:
            raise Unmet("exit status of the driver after stop", 0, status)

    def kill(self) -> None:
        """End it at once; the next command starts another."""
        if self._running is not None:
            self._running.kill()
            self._running = None

    def _exchange(
        self, running: _Running, command: str, members: Document, patience: float
    ) -> Answer:
        self._number += 1
        line = json.dumps({"id": self._number, "command": command, **members})
        faults = violations("/$defs/command", json.loads(line))
        if faults:
            raise ValueError(f"the suite breaks its own protocol: {faults[0]}")
        self.last_command = line
        self.note(f"> {line[:400]}")
        began = time.monotonic()
        try:
            return self._read(running, command, line, patience, began)
        except Unmet:
            self.kill()
            raise

    def _read(
        self, running: _Running, command: str, line: str, patience: float, began: float
    ) -> Answer:
        said = running.exchange(line, patience)
        seconds = time.monotonic() - began
        what = f"answer to {command}"
        if said is None:
            raise Unmet(what, f"one within {patience:g} s", "silence")
        if said == "":
            self.note(f"the driver ended with {running.wait(5)}")
            raise Unmet(what, "one", f"the driver ended: {running.last_words()}")
        self.note(f"< {said[:400]}")
        try:
            answer = json.loads(said)
        except ValueError:
            raise Unmet(what, "a line of JSON", repr(said[:300])) from None
        faults = violations("/$defs/answer", answer)
        if not faults and "result" in answer:
            faults = violations(f"/$defs/results/{command}", answer["result"])
        if faults:
            raise Unmet(what, "a line that fits the protocol", f"{faults[0]} in {said[:300]}")
        if answer["id"] != self._number:
            raise Unmet(what, f"the id {self._number}", answer["id"])
        return Answer(answer.get("result"), answer.get("error"), seconds)


class _Running:
    """A process with its pipes. Lines are read by threads, so that waiting for them can end."""

    claim: Claim

    def __init__(self, arguments: Sequence[str]) -> None:
        # A group of its own: the command may be a shell, or a tool that starts the driver.
        self._process = subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._words: deque[bytes] = deque(maxlen=_LAST_WORDS)
        self._threads = [
            threading.Thread(target=self._read_answers, args=(self._process.stdout,), daemon=True),
            threading.Thread(target=self._read_words, args=(self._process.stderr,), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def exchange(self, line: str, patience: float) -> str | None:
        """The next line that it says; None for silence, empty when it ended."""
        if self._process.stdin is None:
            return ""
        try:
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            return ""
        try:
            return self._lines.get(timeout=patience).decode("utf-8", "replace")
        except queue.Empty:
            return None

    def wait(self, seconds: float) -> int:
        """The exit status. Raises TimeoutExpired."""
        return self._process.wait(seconds)

    def last_words(self) -> str:
        """The end of what it wrote to standard error."""
        self._threads[1].join(5)
        return b"".join(self._words).decode("utf-8", "replace").strip() or "without a word"

    def kill(self) -> None:
        """End it, and what it has started and left behind."""
        if self._process.returncode is None:
            self._end_group()
        self._process.wait()
        self._join()
        if any(thread.is_alive() for thread in self._threads):
            self._end_group()
            self._join()
        if self._process.stdin is not None:
            # What was still to be written has no reader any more.
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def _end_group(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _join(self) -> None:
        for thread in self._threads:
            thread.join(5)

    def _read_answers(self, pipe: IO[bytes]) -> None:
        # A pipe that a thread reads from can be closed by no other.
        with pipe:
            for line in pipe:
                self._lines.put(line)
        self._lines.put(b"")

    def _read_words(self, pipe: IO[bytes]) -> None:
        with pipe:
            self._words.extend(pipe)


@cache
def schema_text() -> str:
    """The JSON Schema of the protocol."""
    source = files("hookwright_conformance") / "sdk" / "protocol.schema.json"
    return source.read_text(encoding="utf-8")


@cache
def _validator(pointer: str) -> jsonschema_rs.Validator:
    schema: Document = json.loads(schema_text())
    registry = jsonschema_rs.Registry([(schema["$id"], schema)], draft=jsonschema_rs.Draft202012)
    reference = {"$ref": f"{schema['$id']}#{pointer}"}
    return jsonschema_rs.Draft202012Validator(reference, registry=registry)


def violations(pointer: str, value: object) -> list[str]:
    """How a message breaks the part of the schema at `pointer`."""
    found = _validator(pointer).iter_errors(value)
    return [
        f"/{'/'.join(str(part) for part in each.instance_path)}: {each.message}" for each in found
    ]

"""openapi.yaml as the suite uses it: operations by operationId, and a judge for every response."""

from __future__ import annotations

import json
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jsonschema_rs
import yaml

from hookwright_conformance.errors import TargetError

_METHODS = ("get", "put", "post", "patch", "delete")
_ROOT = "urn:hookwright:openapi"
PROBLEM = "application/problem+json"

# libyaml, where it is present, is ten times faster on a file of this size.
_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: `path` is its template, `pointer` where it stands in the document;
    `error_codes` are its own of those that share a status with others."""

    id: str
    method: str
    path: str
    pointer: str
    error_codes: tuple[str, ...]

    def target(self, arguments: tuple[str, ...]) -> str:
        """The path with `arguments` in place of its parameters, in order. Raises ValueError."""
        pieces = self.path.split("{")
        if len(pieces) - 1 != len(arguments):
            raise ValueError(f"{self.id} takes {len(pieces) - 1} path arguments: {self.path}")
        filled = [pieces[0]]
        for argument, piece in zip(arguments, pieces[1:], strict=True):
            filled.append(quote(argument, safe="-._~") + piece.partition("}")[2])
        return "".join(filled)


class Spec:
    """The parsed contract."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._registry = jsonschema_rs.Registry(
            [(_ROOT, {key: document[key] for key in ("paths", "components")})],
            draft=jsonschema_rs.Draft202012,
        )
        self._validators: dict[str, jsonschema_rs.Validator] = {}
        self.operations = {one.id: one for one in _operations(document)}
        errors: dict[str, Any] = document["components"]["schemas"]["ErrorCode"]
        self.error_codes: tuple[str, ...] = tuple(errors["enum"])
        self._errors_by_code: dict[str, dict[str, Any]] = errors["x-errors"]

    @classmethod
    def load(cls, path: Path | None = None) -> Spec:
        """The contract at `path`, else the one this package was built with. Raises TargetError."""
        if path is None:
            return cls(_bundled())
        try:
            return cls(_read(path))
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            raise TargetError(f"{path} is no contract of Hookwright's: {error!r}") from error

    @property
    def document(self) -> dict[str, Any]:
        """The whole of it, parsed; not to be changed."""
        return self._document

    def at(self, pointer: str) -> Any:
        """What stands at a JSON pointer, references followed. Raises KeyError."""
        return self._resolve(pointer)[0]

    def resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        """A node itself, or what it refers to."""
        return self._resolve(node["$ref"].removeprefix("#"))[0] if "$ref" in node else node

    def faults(
        self, operation: Operation | None, status: int, headers: list[tuple[str, str]], body: bytes
    ) -> list[str]:
        """Everything about a response that openapi.yaml does not allow; empty when it conforms.
        Without an `operation` (an unknown path, say) it must be a problem."""
        fields = {name.lower(): value for name, value in headers}
        faults = [] if fields.get("x-request-id") else ["the header X-Request-Id is missing"]
        media = fields.get("content-type", "").split(";")[0].strip().lower()
        if operation is None or status == 405:
            return faults + self._content(media, {PROBLEM: "/components/schemas/Problem"}, body)
        pointer = f"{operation.pointer}/responses/{status}"
        try:
            response, pointer = self._resolve(pointer)
        except KeyError:
            return [*faults, f"status {status} is not documented for {operation.id}"]
        for name in response.get("headers", {}):
            faults += self._header(name, f"{pointer}/headers/{_escape(name)}", fields)
        schemas = {
            kind: f"{pointer}/content/{_escape(kind)}/schema"
            for kind in response.get("content", {})
        }
        return faults + self._content(media, schemas, body)

    def faults_of_code(self, operation: Operation | None, status: int, code: str) -> list[str]:
        """What openapi.yaml has against this code of a problem with this status."""
        belongs = self._errors_by_code[code]["status"]
        if belongs != status:
            return [f"the code {code} belongs to the status {belongs}"]
        alike = [one for one in self._errors_by_code.values() if one["status"] == status]
        if operation is None or len(alike) == 1 or code in operation.error_codes:
            return []
        return [f"the code {code} is not documented for {operation.id}"]

    def _content(self, media: str, schemas: dict[str, str], body: bytes) -> list[str]:
        if not schemas:
            return [f"a body of {len(body)} bytes where none is documented"] if body else []
        if media not in schemas:
            return [f"content type {media or '(none)'!r} instead of {' or '.join(schemas)}"]
        try:
            value = json.loads(body)
        except ValueError as error:
            return [f"the body is not JSON: {error}"]
        return self.violations(schemas[media], value)

    def violations(self, pointer: str, value: Any) -> list[str]:
        """How `value` breaks the schema at a JSON pointer into the contract."""
        return [
            f"body /{'/'.join(path)}: {message}" for path, message in self._errors(pointer, value)
        ]

    def _errors(self, pointer: str, value: Any) -> list[tuple[list[str], str]]:
        """The same: where in `value`, and what."""
        validator = self._validators.get(pointer)
        if validator is None:
            schema = {"$ref": f"{_ROOT}#{quote(pointer, safe='/~')}"}
            validator = jsonschema_rs.Draft202012Validator(
                schema, registry=self._registry, validate_formats=True
            )
            self._validators[pointer] = validator
        return [
            ([str(part) for part in error.instance_path], error.message)
            for error in validator.iter_errors(value)
        ]

    def _header(self, name: str, pointer: str, fields: dict[str, str]) -> list[str]:
        header, pointer = self._resolve(pointer)
        text = fields.get(name.lower())
        if text is None:
            return [f"the header {name} is missing"] if header.get("required") else []
        if name.lower() == "retry-after" and is_http_date(text):
            return []  # a proxy on the way may say it so; see route.wait_asked_for
        kind = self.at(f"{pointer}/schema").get("type")
        # HTTP has no sign before a number, nor spaces or digits of other scripts in it.
        whole = kind == "integer" and text.isascii() and text.isdecimal()
        found = self._errors(f"{pointer}/schema", int(text) if whole else text)
        return [f"the header {name}: {message}" for _, message in found]

    def _resolve(self, pointer: str) -> tuple[dict[str, Any], str]:
        node: Any = self._document
        for part in pointer.split("/")[1:]:
            node = node[part.replace("~1", "/").replace("~0", "~")]
        if "$ref" in node:
            return self._resolve(node["$ref"].removeprefix("#"))
        return node, pointer


def _operations(document: dict[str, Any]) -> list[Operation]:
    return [
        Operation(
            id=definition["operationId"],
            method=method.upper(),
            path=path,
            pointer=f"/paths/{_escape(path)}/{method}",
            error_codes=(*definition.get("x-error-codes", ()), *_of_keys(definition)),
        )
        for path, item in document["paths"].items()
        for method, definition in item.items()
        if method in _METHODS
    ]


def _of_keys(definition: dict[str, Any]) -> tuple[str, ...]:
    """The codes of an operation that takes an Idempotency-Key."""
    references = [each.get("$ref") for each in definition.get("parameters", ())]
    is_keyed = "#/components/parameters/IdempotencyKey" in references
    return ("idempotency_in_progress", "idempotency_key_reused") if is_keyed else ()


def is_http_date(text: str) -> bool:
    """Whether a header's value is a date, with its zone."""
    try:
        return parsedate_to_datetime(text).tzinfo is not None
    except (TypeError, ValueError):
        return False


def _escape(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")


@cache
def _bundled() -> dict[str, Any]:
    """The copy inside the wheel; in a checkout the file at the repository's root."""
    inside = Path(str(files("hookwright_conformance"))) / "openapi.yaml"
    return _read(inside if inside.is_file() else Path(__file__).parents[3] / "openapi.yaml")


def _read(source: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = _LOADER(source.read_text(encoding="utf-8")).get_single_data()
    except (OSError, yaml.YAMLError) as error:
        raise TargetError(f"the contract {source} cannot be read: {error}") from error
    return document

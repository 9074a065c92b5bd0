"""What openapi.yaml shows of each operation that an SDK has: requests to make and their answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from hookwright_conformance.spec import Operation, Spec

Document = dict[str, Any]

INSTANT = "2026-11-21T09:00:00.000Z"


@dataclass(frozen=True, slots=True)
class Example:
    """One call: arguments by the names of the contract, and the answer that is documented for it.
    `body` and `value` are None where there is none."""

    operation: Operation
    name: str
    path: Mapping[str, str]
    query: Mapping[str, Any]
    body: Document | None
    status: int
    value: Any
    is_list: bool
    is_keyed: bool
    """Whether the operation declares an Idempotency-Key."""

    @property
    def target(self) -> str:
        """The path with its arguments."""
        return self.operation.path.format_map(
            {name: quote(value, safe="-._~") for name, value in self.path.items()}
        )

    @property
    def members(self) -> Document:
        """The arguments as a command of the driver has them."""
        given = {"path": dict(self.path), "query": dict(self.query), "body": self.body}
        named = {name: value for name, value in given.items() if value not in (None, {})}
        return {"operation": self.operation.id, **named}


def namespaces(spec: Spec) -> list[str]:
    """The namespaces that an SDK has."""
    return sorted({one.id.partition(".")[0] for one in spec.operations.values() if _has(spec, one)})


def examples(spec: Spec, namespace: str = "") -> Iterator[Example]:
    """Every request that is shown, and one for each operation without a body."""
    for operation in spec.operations.values():
        if _has(spec, operation) and operation.id.startswith(f"{namespace}." if namespace else ""):
            yield from _examples(spec, operation)


def example(spec: Spec, operation_id: str) -> Example:
    """The first one of an operation."""
    return next(_examples(spec, spec.operations[operation_id]))


def _has(spec: Spec, operation: Operation) -> bool:
    absent = {
        tag["name"]
        for tag in spec.document["tags"]
        if not tag.get("x-sdk", {}).get("generate", True)
    }
    return absent.isdisjoint(spec.at(operation.pointer)["tags"])


def _examples(spec: Spec, operation: Operation) -> Iterator[Example]:
    definition = spec.at(operation.pointer)
    parameters = [spec.resolved(each) for each in definition.get("parameters", [])]
    status, answers = _success(spec, definition)
    bodies = _shown(definition.get("requestBody", {}))
    for name, body in bodies.items() or [("default", None)]:
        yield Example(
            operation=operation,
            name=name,
            path={each["name"]: _in_path(each) for each in parameters if each["in"] == "path"},
            query=_query(spec, parameters),
            body=body,
            status=status,
            value=answers.get(name),
            is_list=definition.get("x-sdk", {}).get("paginate") == "cursor",
            is_keyed=any(each["name"] == "Idempotency-Key" for each in parameters),
        )


def _success(spec: Spec, definition: Document) -> tuple[int, Document]:
    status = next(code for code in definition["responses"] if code.startswith("2"))
    return int(status), _shown(spec.resolved(definition["responses"][status]))


def _shown(holder: Document) -> Document:
    content = holder.get("content", {}).get("application/json", {})
    return {name: each["value"] for name, each in content.get("examples", {}).items()}


def _in_path(parameter: Document) -> str:
    return str(parameter.get("example", f"{parameter['name']}_01K9ZQ4T7M3N8R2V6X1B5C0D9E"))


def _query(spec: Spec, parameters: list[Document]) -> Document:
    """A value for each query parameter but `cursor`, which goes with no offset."""
    wanted = [each for each in parameters if each["in"] == "query" and each["name"] != "cursor"]
    return {each["name"]: _value(spec, each["schema"]) for each in wanted}


def _value(spec: Spec, schema: Document) -> Any:
    schema = spec.resolved(schema)
    if "enum" in schema:
        return schema["enum"][0]
    if schema["type"] == "array":
        return spec.resolved(schema["items"])["enum"][:2]
    if schema["type"] == "integer":
        return schema["minimum"] + 7
    if schema["type"] == "boolean":
        return True
    return INSTANT if schema.get("format") == "date-time" else "invoice_1.paid"

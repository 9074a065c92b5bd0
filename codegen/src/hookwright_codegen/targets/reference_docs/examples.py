"""The contract's examples as calls: by curl, by the Python SDK, and what is answered."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

from hookwright_codegen import ir, load
from hookwright_codegen.targets.python_sdk import examples as python_examples

_PROMPT = len("    >>> ")


def python(api: ir.Api, operation: ir.Operation) -> str:
    """The call that the method's docstring shows, and that a test therefore runs."""
    prompted = python_examples.example(api, operation, is_async=False)
    return "\n".join(line[_PROMPT:] for line in prompted.split("\n"))


def curl(operation: ir.Operation) -> str:
    """The first request that the contract shows, for a shell; ids of what exists are variables."""
    path = operation.path
    for field in operation.path_params:
        value = f"${field.name.upper()}" if field.example is None else str(field.example)
        path = path.replace(f"{{{field.name}}}", value)
    lines = [f'curl -X {operation.http_method} "$HOOKWRIGHT_BASE_URL{path}"']
    if not operation.public:
        lines.append('-H "Authorization: Bearer $HOOKWRIGHT_API_KEY"')
    if operation.body and operation.body.example is not None:
        quoted = pretty(operation.body.example).replace("'", "'\\''")
        for identity, name in _ids(operation.body.example, ""):
            quoted = quoted.replace(identity, f"'\"${name.upper()}\"'")
        lines.append(f"--json '{quoted}'")
    return " \\\n  ".join(lines)


def requests(api: ir.Api, operation: ir.Operation) -> list[tuple[str, Any]]:
    """The bodies that the contract shows after the first, each with its name."""
    shown = _shown(load.resolve(api.document, _raw(api, operation).get("requestBody", {})))
    return list(shown.items())[1:]


def response(api: ir.Api, operation: ir.Operation) -> Any:
    """The first answer that the contract shows; None where there is none."""
    answer = _raw(api, operation)["responses"][str(operation.success_status)]
    return next(iter(_shown(load.resolve(api.document, answer)).values()), None)


def events(api: ir.Api) -> Iterator[tuple[str, str, str, str, Any]]:
    """Type, summary, description, model of the data and example of what is published itself."""
    for name, item in api.document.get("webhooks", {}).items():
        raw = item["post"]
        shown = next(iter(_shown(raw["requestBody"]).values()), None)
        yield name, raw["summary"], raw["description"], api.webhooks[name], shown


def _ids(value: Any, name: str) -> Iterator[tuple[str, str]]:
    """The ids in an example, each with the name of what it identifies."""
    if isinstance(value, dict):
        for key, each in cast("dict[str, Any]", value).items():
            yield from _ids(each, key)
    elif isinstance(value, list):
        for each in cast("list[object]", value):
            yield from _ids(each, name.removesuffix("s"))
    elif isinstance(value, str) and python_examples.ID.fullmatch(value):
        yield value, name


def pretty(value: Any) -> str:
    """JSON for people."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def _raw(api: ir.Api, operation: ir.Operation) -> Mapping[str, Any]:
    raw: Mapping[str, Any] = api.document["paths"][operation.path][operation.http_method.lower()]
    return raw


def _shown(holder: Mapping[str, Any]) -> dict[str, Any]:
    content = holder.get("content", {}).get("application/json", {})
    return {name: each["value"] for name, each in content.get("examples", {}).items()}

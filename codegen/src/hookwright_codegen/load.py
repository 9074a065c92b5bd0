"""YAML to a checked document: what the generator relies on is checked before anything is parsed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import yaml

from hookwright_codegen.errors import GenerationError

Document = dict[str, Any]

METHODS = ("get", "put", "post", "patch", "delete")
_OPERATION_ID = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")


def load(path: Path) -> Document:
    """Read a contract.

    Raises:
        GenerationError: it is not OpenAPI 3.1, or breaks a convention that the targets rely on.
    """
    try:
        document: object = _Loader(path.read_text(encoding="utf-8")).get_single_data()
    except yaml.YAMLError as error:
        raise GenerationError([f"{path} is not valid YAML: {error}"]) from error
    if not isinstance(document, dict):
        raise GenerationError([f"{path} holds no mapping; expected an OpenAPI 3.1 document"])
    checked = cast("Document", document)
    reasons = list(_reasons(checked))
    if reasons:
        raise GenerationError(reasons)
    return checked


def resolve(document: Mapping[str, Any], node: Mapping[str, Any]) -> dict[str, Any]:
    """Follow `$ref` to the node that it names; keywords beside `$ref` win over the target's."""
    seen: set[str] = set()
    merged = dict(node)
    while "$ref" in merged:
        ref = cast("str", merged.pop("$ref"))
        if ref in seen:
            raise GenerationError([f"`{ref}` refers to itself"])
        seen.add(ref)
        target: Any = document
        for part in ref.removeprefix("#/").split("/"):
            try:
                target = target[part]
            except (KeyError, TypeError):
                raise GenerationError(
                    [f"`{ref}` leads nowhere; define it or correct the reference"]
                ) from None
        merged = {**target, **merged}
    return merged


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every (path, method, operation), in the order of the file."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


class _Loader(yaml.SafeLoader):
    """Timestamps stay text and duplicate keys are an error: YAML would lose one silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        repeated = sorted({key for key in keys if keys.count(key) > 1})
        if repeated:
            raise GenerationError(
                [f"line {node.start_mark.line + 1}: `{repeated[0]}` stands twice in one mapping"]
            )
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _reasons(document: Document) -> Iterator[str]:
    if not str(document.get("openapi", "")).startswith("3.1"):
        yield "`openapi` must be 3.1.x"
    for ref in _remote_refs(document):
        yield f"`{ref}` leads out of the file; bundle the parts first"
    if "paths" not in document:
        yield "`paths` is missing"
        return
    tags = {tag["name"] for tag in document.get("tags", ())}
    seen: set[str] = set()
    for path, method, operation in operations(document):
        yield from _operation_reasons(f"{method.upper()} {path}", operation, tags, seen)


def _operation_reasons(
    where: str, operation: Mapping[str, Any], tags: set[str], seen: set[str]
) -> Iterator[str]:
    operation_id = str(operation.get("operationId", ""))
    if not _OPERATION_ID.fullmatch(operation_id):
        yield f"{where}: operationId `{operation_id}` is not `namespace.method`"
        return
    if operation_id in seen:
        yield f"{where}: operationId `{operation_id}` is used twice"
    seen.add(operation_id)
    namespace = operation_id.partition(".")[0]
    if operation.get("tags") != [namespace]:
        yield f"{where}: `tags` must be [{namespace}], the namespace of its operationId"
    elif namespace not in tags:
        yield f"{where}: tag `{namespace}` is not described in the document's `tags`"
    successes = [status for status in operation.get("responses", {}) if str(status)[0] == "2"]
    if len(successes) != 1:
        yield f"{where}: has {len(successes)} success responses, exactly one is allowed"


def _remote_refs(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in cast("Document", node).items():
            if key == "$ref" and isinstance(value, str) and not value.startswith("#/"):
                yield value
            else:
                yield from _remote_refs(value)
    elif isinstance(node, list):
        for value in cast("list[object]", node):
            yield from _remote_refs(value)

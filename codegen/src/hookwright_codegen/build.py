"""The checked document and what the parser made of it, joined to one `Api`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hookwright_codegen import ir, load, names
from hookwright_codegen.errors import GenerationError
from hookwright_codegen.parser import Parsed, ParsedField, ParsedOperation, parse

Raw = Mapping[str, Any]

BOUNDS = (
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "x-max-bytes",
)
IDEMPOTENCY_HEADER = "Idempotency-Key"
SECRET_NAMES = frozenset({"key", "password", "private_key", "secret", "signing_secret", "token"})
"""Fields whose values are likely to be secret; the contract must say whether they are."""


def build(document: Raw) -> ir.Api:
    """What the contract means.

    Raises:
        GenerationError: the parser warned, or a construct has no counterpart in the targets.
    """
    parsed = parse(document)
    schemas: Raw = document.get("components", {}).get("schemas", {})
    enums = {
        name: ir.Enum(
            name,
            tuple(schema["enum"]),
            str(schema.get("description", "")).strip(),
            _deprecated_values(name, schema),
        )
        for name, schema in schemas.items()
        if schema.get("type") == "string" and "enum" in schema
    }
    models = {
        name: _model(document, name, fields, parsed) for name, fields in parsed.models.items()
    }
    return ir.Api(
        title=document["info"]["title"],
        version=str(document["info"]["version"]),
        namespaces=tuple(_namespace(document, tag, parsed) for tag in document["tags"]),
        models=models,
        enums=enums,
        document=document,
        webhooks={event: _webhook(document, raw) for event, raw in _webhooks(document)},
    )


def _webhooks(document: Raw) -> Iterable[tuple[str, Raw]]:
    found: Raw = document.get("webhooks", {})
    return found.items()


def _webhook(document: Raw, raw: Raw) -> str:
    """The name of the model of its body's `data`."""
    content = raw["post"]["requestBody"]["content"]["application/json"]
    body = load.resolve(document, content["schema"])
    reference: str = body["properties"]["data"]["$ref"]
    return reference.rpartition("/")[2]


def _deprecated_values(name: str, schema: Raw) -> dict[str, str]:
    found: dict[str, str] = dict(schema.get("x-deprecated-values", {}))
    unknown = sorted(found.keys() - set(schema["enum"]))
    if unknown:
        raise GenerationError([f"{name}: `{unknown[0]}` is deprecated, but not in its `enum`"])
    return found


def _model(document: Raw, name: str, fields: Iterable[ParsedField], parsed: Parsed) -> ir.Model:
    schema = document["components"]["schemas"][name]
    properties = _properties(document, schema)
    by_name = {field.name: field for field in fields}
    return ir.Model(
        name=name,
        module=names.snake(name),
        description=str(schema.get("description", "")).strip(),
        fields=tuple(
            _field(document, by_name[each], properties[each], parsed) for each in properties
        ),
        closed=schema.get("additionalProperties") is False,
    )


def _properties(document: Raw, schema: Raw) -> dict[str, Raw]:
    """A schema's properties with those that it takes over by `allOf`, in the order of the file."""
    merged: dict[str, Raw] = {}
    for part in schema.get("allOf", ()):
        merged.update(_properties(document, load.resolve(document, part)))
    merged.update(schema.get("properties", {}))
    return merged


def _field(document: Raw, parsed: ParsedField, raw: Raw, all_parsed: Parsed) -> ir.Field:
    resolved = load.resolve(document, raw)
    if parsed.name in SECRET_NAMES and "x-secret" not in resolved:
        raise GenerationError([f"is `{parsed.name}` a secret? Say `x-secret: true` or `false`"])
    return ir.Field(
        name=parsed.name,
        python_name=names.identifier(parsed.name),
        type=_tagged(parsed.type, all_parsed),
        required=parsed.required,
        description=str(resolved.get("description", "")).strip(),
        bounds=_bounds(resolved),
        default=resolved.get("default"),
        has_default="default" in resolved,
        deprecated=bool(resolved.get("deprecated")),
        secret=bool(resolved.get("x-secret")),
        example=resolved.get("example"),
    )


def _bounds(schema: Raw) -> dict[str, Any]:
    """Also those inside `anyOf [.., null]`, where nullable properties keep them."""
    found = {keyword: schema[keyword] for keyword in BOUNDS if keyword in schema}
    for variant in schema.get("anyOf", ()):
        found.update({keyword: variant[keyword] for keyword in BOUNDS if keyword in variant})
    return found


def _tagged(kind: ir.Type, parsed: Parsed) -> ir.Type:
    """Find the const property by which the models of a union are told apart."""
    match kind:
        case ir.ListOf(item):
            return ir.ListOf(_tagged(item, parsed))
        case ir.MapOf(value):
            return ir.MapOf(_tagged(value, parsed))
        case ir.Union(variants):
            models = [each.name for each in variants if isinstance(each, ir.ModelRef)]
            return ir.Union(
                tuple(_tagged(each, parsed) for each in variants),
                _tag(models, parsed) if len(models) > 1 else None,
            )
        case _:
            return kind


def _tag(models: list[str], parsed: Parsed) -> str:
    first, *others = (
        [field.name for field in parsed.models[name] if isinstance(field.type, ir.Const)]
        for name in models
    )
    for name in first:
        if all(name in other for other in others):
            return name
    raise GenerationError(
        [f"the union of {', '.join(models)} has no `const` property in every variant"]
    )


def _namespace(document: Raw, tag: Raw, parsed: Parsed) -> ir.Namespace:
    return ir.Namespace(
        name=names.identifier(tag["name"]),
        class_name=names.class_name(tag["name"]),
        description=str(tag.get("description", "")).strip(),
        in_sdk=tag.get("x-sdk", {}).get("generate", True) is not False,
        operations=tuple(
            _operation(document, path, method, raw, parsed)
            for path, method, raw in load.operations(document)
            if raw["tags"] == [tag["name"]]
        ),
    )


def _operation(document: Raw, path: str, method: str, raw: Raw, parsed: Parsed) -> ir.Operation:
    found = parsed.operations[path, method]
    operation_id: str = raw["operationId"]
    namespace, name = operation_id.split(".")
    parameters = _parameters(document, path, raw)
    status, success = _success(operation_id, raw, found, parsed)
    idempotent = ("header", IDEMPOTENCY_HEADER) in parameters
    return ir.Operation(
        id=operation_id,
        namespace=namespace,
        name=names.identifier(name),
        http_method=method.upper(),
        path=path,
        summary=str(raw.get("summary", "")).strip(),
        description=str(raw.get("description", "")).strip(),
        deprecated=bool(raw.get("deprecated")),
        path_params=_fields(document, operation_id, "path", found.path_params, parameters, parsed),
        query_params=_fields(
            document, operation_id, "query", found.query_params, parameters, parsed
        ),
        idempotent=idempotent,
        body=_body(document, operation_id, raw, found),
        success_status=status,
        success=success,
        page_item=_page_item(operation_id, raw, success, parsed),
        errors=_errors(document, raw, idempotent=idempotent),
        scope=raw.get("x-scope"),
        public=raw.get("security") == [],
    )


def _parameters(document: Raw, path: str, raw: Raw) -> dict[tuple[str, str], Raw]:
    declared = [*document["paths"][path].get("parameters", ()), *raw.get("parameters", ())]
    resolved = [load.resolve(document, each) for each in declared]
    found: dict[tuple[str, str], Raw] = {
        (str(each["in"]), str(each["name"])): each for each in resolved
    }
    for place, name in found:
        if place == "cookie" or (place == "header" and name != IDEMPOTENCY_HEADER):
            raise GenerationError(
                [f"{raw['operationId']}: {place} parameter `{name}` is not supported"]
            )
    return found


def _fields(
    document: Raw,
    operation_id: str,
    place: str,
    parsed: Iterable[ParsedField],
    raw: Mapping[tuple[str, str], Raw],
    all_parsed: Parsed,
) -> tuple[ir.Field, ...]:
    by_name = {each.name: each for each in parsed}
    found: list[ir.Field] = []
    for (where, name), parameter in raw.items():
        if where == place:
            schema = {**parameter["schema"], **_of_parameter(parameter)}
            field = _field(document, by_name[name], schema, all_parsed)
            _require_text(operation_id, field, parameter)
            found.append(field)
    return tuple(found)


def _require_text(operation_id: str, field: ir.Field, parameter: Raw) -> None:
    """Refuse parameters whose encoding the targets do not know: objects, odd styles."""
    kind = field.type.item if isinstance(field.type, ir.ListOf) else field.type
    carried = isinstance(kind, ir.EnumRef | ir.Const) or (
        isinstance(kind, ir.Scalar) and kind.kind not in {ir.Kind.ANY, ir.Kind.NULL}
    )
    usual = parameter.get("style", "form") in {"form", "simple"} and parameter.get("explode", True)
    if not (carried and usual):
        raise GenerationError(
            [f"{operation_id}: parameter `{field.name}` has a type or style that is not supported"]
        )


def _of_parameter(parameter: Raw) -> dict[str, Any]:
    """What stands beside a parameter's schema and not in it."""
    return {
        keyword: parameter[keyword]
        for keyword in ("description", "deprecated", "example")
        if keyword in parameter
    }


def _success(
    operation_id: str, raw: Raw, found: ParsedOperation, parsed: Parsed
) -> tuple[int, ir.Type | None]:
    status = next(str(each) for each in raw["responses"] if str(each).startswith("2"))
    if "content" not in raw["responses"][status]:
        return int(status), None
    success = _tagged(found.responses[status], parsed)
    if not isinstance(success, ir.ModelRef):
        raise GenerationError([f"{operation_id}: the success response is not a named object"])
    return int(status), success


def _body(document: Raw, operation_id: str, raw: Raw, found: ParsedOperation) -> ir.Body | None:
    if found.body is None:
        return None
    if not isinstance(found.body, ir.ModelRef):
        raise GenerationError([f"{operation_id}: the request body is not a named object"])
    resolved = load.resolve(document, raw["requestBody"])
    shown: Raw = resolved["content"]["application/json"].get("examples", {})
    return ir.Body(
        found.body.name,
        required=bool(resolved.get("required")),
        example=next((each["value"] for each in shown.values()), None),
    )


def _page_item(
    operation_id: str, raw: Raw, success: ir.Type | None, parsed: Parsed
) -> ir.Type | None:
    if raw.get("x-sdk", {}).get("paginate") != "cursor":
        return None
    if isinstance(success, ir.ModelRef):
        for field in parsed.models[success.name]:
            if field.name == "data" and isinstance(field.type, ir.ListOf):
                return _tagged(field.type.item, parsed)
    raise GenerationError(
        [f"{operation_id}: `paginate: cursor` needs a response with a `data` list"]
    )


def _errors(document: Raw, raw: Raw, *, idempotent: bool) -> tuple[ir.ErrorResponse, ...]:
    """Each error status with the codes that this operation may answer.

    A status with one code needs no mention; where several codes share a status (the 409 and 422
    families), `x-error-codes` names the operation's own.
    """
    listed: Raw = document["components"]["schemas"].get("ErrorCode", {}).get("x-errors", {})
    own = set(raw.get("x-error-codes", ()))
    found: list[ir.ErrorResponse] = []
    for status, response in raw["responses"].items():
        if str(status).startswith("2"):
            continue
        codes = [code for code, info in listed.items() if str(info["status"]) == str(status)]
        if len(codes) > 1:
            codes = [
                code
                for code in codes
                if code in own or (idempotent and code.startswith("idempotency_"))
            ]
        description = str(load.resolve(document, response).get("description", "")).strip()
        found.append(ir.ErrorResponse(str(status), description, tuple(codes)))
    return tuple(found)

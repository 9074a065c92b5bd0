"""What the Python SDK's generated part is made of."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import Any

from hookwright_codegen import ir
from hookwright_codegen.errors import GenerationError
from hookwright_codegen.targets import reach
from hookwright_codegen.targets.python_sdk import decoding, deprecation, texts, typing_
from hookwright_codegen.templating import environment
from hookwright_codegen.write import Output

PACKAGE = "sdk-python/src/hookwright/_generated"
OPTION_NAMES = frozenset({"self", "timeout", "max_retries", "extra_headers", "idempotency_key"})
MODEL_NAMES = frozenset({"evolve", "extra", "from_dict", "from_json", "to_dict", "to_json"})


def render(api: ir.Api) -> Output:
    """Every file of `hookwright._generated`.

    Raises:
        GenerationError: a name collides, or a type has no counterpart.
    """
    namespaces = [each for each in api.namespaces if each.in_sdk]
    operations = [each for namespace in namespaces for each in namespace.operations]
    roots = _roots(api, operations)
    models = reach.models(api, roots)
    enums = _enums(api, operations, roots)
    _require_distinct(api, operations, models)
    templates = environment("python_sdk", _filters(api))

    def rendered(template: str, **context: Any) -> str:
        return templates.get_template(f"{template}.py.jinja").render(
            api=api, namespaces=namespaces, models=models, enums=enums, **context
        )

    files = {
        f"{PACKAGE}/{name}.py": rendered(name)
        for name in ("__init__", "namespaces", "raw", "values")
    }
    files[f"{PACKAGE}/resources/__init__.py"] = rendered("resources")
    files[f"{PACKAGE}/models/__init__.py"] = rendered("models")
    files[f"{PACKAGE}/models/enums.py"] = rendered("enums")
    for model in models:
        files[f"{PACKAGE}/models/{model.module}.py"] = rendered(
            "model", model=model, **_mentions(api, [field.type for field in model.fields])
        )
    for namespace in namespaces:
        types = [kind for each in namespace.operations for kind in _types(api, each)]
        files[f"{PACKAGE}/resources/{namespace.name}.py"] = rendered(
            "resource",
            namespace=namespace,
            results={_result(each) for each in namespace.operations},
            **_mentions(api, types),
        )
    if api.webhooks:
        files[f"{PACKAGE}/operational.py"] = rendered("operational")
    return Output((PACKAGE,), files)


def _filters(api: ir.Api) -> dict[str, Any]:
    def method_text(operation: ir.Operation, *, is_async: bool) -> str:
        return texts.method_text(api, operation, is_async=is_async)

    def field_text(field: ir.Field) -> str:
        return texts.field_text(api, field)

    def old_arguments(operation: ir.Operation) -> dict[str, str]:
        return deprecation.tables(api, operation)

    def body_fields(operation: ir.Operation) -> tuple[ir.Field, ...]:
        return _body_fields(api, operation)

    return {
        "model_name": typing_.model_name,
        "model_type": typing_.model_field,
        "model_value": typing_.model_value,
        "received": typing_.received,
        "argument": typing_.argument,
        "decoded": decoding.decoded,
        "unions": decoding.unions,
        "union_name": decoding.union_name,
        "field_text": field_text,
        "field_warning": deprecation.field_warning,
        "method_text": method_text,
        "old_arguments": old_arguments,
        "operation_warning": deprecation.operation_warning,
        "body_fields": body_fields,
        "decode": _decode,
        "result": _result,
    }


def _body_fields(api: ir.Api, operation: ir.Operation) -> tuple[ir.Field, ...]:
    return api.models[operation.body.model].fields if operation.body else ()


def _decode(operation: ir.Operation) -> str:
    kind = operation.page_item or operation.success
    return f"{kind.name}.from_dict" if isinstance(kind, ir.ModelRef) else "nothing"


def _result(operation: ir.Operation) -> str:
    kind = operation.page_item or operation.success
    return kind.name if isinstance(kind, ir.ModelRef) else "None"


def _types(api: ir.Api, operation: ir.Operation) -> list[ir.Type]:
    """The types that a method's signature and its decoding mention."""
    fields = (*operation.query_params, *_body_fields(api, operation))
    result = operation.page_item or operation.success
    return [*(field.type for field in fields), *([result] if result else [])]


def _roots(api: ir.Api, operations: list[ir.Operation]) -> list[ir.Type]:
    """What a user of the SDK can hold in hands. Bodies themselves are flattened to arguments."""
    sent: list[ir.Type] = [ir.ModelRef(name) for name in api.webhooks.values()]
    return [*(kind for operation in operations for kind in _types(api, operation)), *sent]


def _enums(
    api: ir.Api, operations: list[ir.Operation], roots: list[ir.Type]
) -> tuple[ir.Enum, ...]:
    wanted = {enum.name for enum in reach.enums(api, roots)}
    if any(operation.errors for operation in operations):
        wanted.add("ErrorCode")
    return tuple(enum for name, enum in api.enums.items() if name in wanted)


def _mentions(api: ir.Api, types: list[ir.Type]) -> dict[str, Any]:
    references = [each for kind in types for each in reach.references(kind)]
    models = {each.name for each in references if isinstance(each, ir.ModelRef)}
    enums = {each.name for each in references if isinstance(each, ir.EnumRef)}
    return {
        "used_models": [model for name, model in api.models.items() if name in models],
        "used_enums": [name for name in api.enums if name in enums],
    }


def _require_distinct(
    api: ir.Api, operations: list[ir.Operation], models: tuple[ir.Model, ...]
) -> None:
    reasons: list[str] = []
    for operation in operations:
        fields = (*operation.path_params, *operation.query_params, *_body_fields(api, operation))
        taken = [field.python_name for field in fields]
        twice = sorted({name for name in taken if taken.count(name) > 1 or name in OPTION_NAMES})
        reasons += [
            f"{operation.id}: `{name}` is taken; rename it in the contract" for name in twice
        ]
    for model in models:
        clashes = sorted(MODEL_NAMES & {field.python_name for field in model.fields})
        reasons += [
            f"{model.name}: `{name}` is taken; rename it in the contract" for name in clashes
        ]
    reasons += _cycles(models)
    if reasons:
        raise GenerationError(reasons)


def _cycles(models: tuple[ir.Model, ...]) -> list[str]:
    graph = {
        model.name: {
            reference.name
            for field in model.fields
            for reference in reach.references(field.type)
            if isinstance(reference, ir.ModelRef)
        }
        for model in models
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [f"models refer to each other in a circle: {' -> '.join(error.args[1])}"]
    return []

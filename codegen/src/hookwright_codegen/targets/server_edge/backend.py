"""What the server's edge is made of."""

from __future__ import annotations

import json
from typing import Any

from hookwright_codegen import ir, names
from hookwright_codegen.errors import GenerationError
from hookwright_codegen.targets import reach
from hookwright_codegen.targets.server_edge import contract, python_types, request_models
from hookwright_codegen.templating import environment, literal
from hookwright_codegen.write import Output

PACKAGE = "reference-server/src/hookwright_server"
EDGE = f"{PACKAGE}/http/edge"
TEMPLATES = (
    "__init__",
    "errors",
    "gate",
    "handlers",
    "messages",
    "operations",
    "params",
    "reading",
    "responses",
    "routes",
)


def render(api: ir.Api) -> Output:
    """Every file of the edge and `domain/contract.py`.

    Raises:
        GenerationError: an operation has a shape that the edge cannot serve.
    """
    _require_servable(api)
    templates = environment(
        "server_edge",
        {
            "annotation": python_types.parameter,
            "json_type": python_types.response,
            "params_class": params_class,
            "rule": rule,
            "kind": python_types.reading_kind,
            "constant": names.constant_of,
            "default_of": default_of,
            "runs": contract.runs,
            "repeated": is_repeated,
        },
    )
    context = _context(api)
    files = {
        f"{EDGE}/{name}.py": templates.get_template(f"{name}.py.jinja").render(context)
        for name in TEMPLATES
    }
    files[f"{EDGE}/requests.py"] = request_models.render(api)
    files[f"{EDGE}/contract.json"] = _canonical(api.document)
    files[f"{PACKAGE}/domain/contract.py"] = templates.get_template("contract.py.jinja").render(
        contract.context(api)
    )
    return Output((EDGE,), files)


def params_class(operation: ir.Operation) -> str:
    """`apps.rotate_secret` to `AppsRotateSecretParams`."""
    return f"{names.class_name(operation.namespace)}{names.class_name(operation.name)}Params"


def default_of(field: ir.Field) -> str:
    """What an absent parameter reads as: the contract's default, else nothing."""
    if field.has_default:
        return literal(field.default)
    return "()" if is_repeated(field) else "None"


def is_repeated(field: ir.Field) -> bool:
    """Whether a parameter may be given several times."""
    return isinstance(field.type, ir.ListOf)


def response_pointer(api: ir.Api, operation: ir.Operation) -> str | None:
    """Where the contract describes the body of the success response."""
    if operation.success is None:
        return None
    path = operation.path.replace("~", "~0").replace("/", "~1")
    method, status = operation.http_method.lower(), operation.success_status
    content = api.document["paths"][operation.path][method]["responses"][str(status)]["content"]
    media = next(iter(content)).replace("/", "~1")
    return f"/paths/{path}/{method}/responses/{status}/content/{media}/schema"


def rule(path: str) -> str:
    """A path of the contract as a Flask url rule."""
    return path.replace("{", "<").replace("}", ">")


def _context(api: ir.Api) -> dict[str, Any]:
    successes = [each.success for each in api.operations if each.success]
    errors: list[ir.Type] = [ir.ModelRef("Problem")] if "Problem" in api.models else []
    models = reach.models(api, [*successes, *errors])
    parameters = [
        field.type
        for operation in api.operations
        for field in (*operation.path_params, *operation.query_params)
    ]
    return {
        "api": api,
        "operations": api.operations,
        "pointers": {each.id: response_pointer(api, each) for each in api.operations},
        "models": models,
        "response_enums": reach.enums(api, [*successes, *errors]),
        "param_enums": reach.enums(api, parameters),
        "with_params": [each for each in api.operations if each.path_params or each.query_params],
    }


def _canonical(document: object) -> str:
    """JSON that depends on nothing but the contract's content."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), sort_keys=True) + "\n"


def _require_servable(api: ir.Api) -> None:
    reasons: list[str] = []
    for operation in api.operations:
        if operation.body and not operation.body.required:
            needed = [
                field.name for field in api.models[operation.body.model].fields if field.required
            ]
            reasons += [
                f"{operation.id}: the body is optional, yet `{name}` is required" for name in needed
            ]
        if not operation.public and operation.scope is None:
            reasons.append(f"{operation.id}: has neither `x-scope` nor `security: []`")
    if reasons:
        raise GenerationError(reasons)

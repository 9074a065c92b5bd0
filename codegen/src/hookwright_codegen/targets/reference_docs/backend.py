"""What the pages of the reference are made of."""

from __future__ import annotations

from functools import partial
from typing import Any

from hookwright_codegen import ir
from hookwright_codegen.targets import reach
from hookwright_codegen.targets.reference_docs import examples, texts
from hookwright_codegen.templating import environment
from hookwright_codegen.write import Output

FOLDER = "docs/reference"


def render(api: ir.Api) -> Output:
    """Every file of `docs/reference`."""
    common = _common_codes(api)
    meanings = texts.meanings(api)

    def errors(operation: ir.Operation) -> list[tuple[str, str]]:
        return [
            (each.status, code)
            for each in operation.errors
            for code in each.codes
            if code not in common or operation.public
        ]

    def fields(operation: ir.Operation) -> tuple[ir.Field, ...]:
        return api.models[operation.body.model].fields if operation.body else ()

    templates = environment(
        "reference_docs",
        {
            "type": texts.type_,
            "meaning": texts.meaning,
            "cell": texts.cell,
            "prose": texts.prose,
            "anchor": texts.anchor,
            "body_fields": fields,
            "errors": errors,
            "curl": examples.curl,
            "python": partial(examples.python, api),
            "requests": partial(examples.requests, api),
            "response": partial(examples.response, api),
            "json": examples.pretty,
        },
    )

    def rendered(template: str, **context: Any) -> str:
        return templates.get_template(f"{template}.md.jinja").render(
            api=api, common=common, meanings=meanings, **context
        )

    files = {
        f"{FOLDER}/{namespace.name}.md": rendered("namespace", namespace=namespace)
        for namespace in api.namespaces
    }
    files[f"{FOLDER}/README.md"] = rendered("index", info=api.document["info"])
    files[f"{FOLDER}/schemas.md"] = rendered(
        "schemas",
        models=_models(api),
        enums=sorted(api.enums.values(), key=lambda each: each.name),
        values=texts.named_values(api),
    )
    files[f"{FOLDER}/errors.md"] = rendered("errors", statuses=_statuses(api))
    files[f"{FOLDER}/events.md"] = rendered("events", events=examples.events(api))
    return Output((FOLDER,), files)


def _common_codes(api: ir.Api) -> list[str]:
    """The codes that every operation with a key may answer, in the order of the contract."""
    kept = [
        {code for each in operation.errors for code in each.codes}
        for operation in api.operations
        if not operation.public
    ]
    return [code for code in texts.meanings(api) if kept and all(code in each for each in kept)]


def _statuses(api: ir.Api) -> dict[str, int]:
    listed = api.document["components"]["schemas"].get("ErrorCode", {}).get("x-errors", {})
    return {code: info["status"] for code, info in listed.items()}


def _models(api: ir.Api) -> list[ir.Model]:
    """What can be received or is part of a request; whole bodies stand with their operations."""
    roots: list[ir.Type] = [ir.ModelRef("Problem")] if "Problem" in api.models else []
    roots += [ir.ModelRef(name) for name in api.webhooks.values()]
    for operation in api.operations:
        body = api.models[operation.body.model].fields if operation.body else ()
        roots += [each.type for each in (*operation.path_params, *operation.query_params, *body)]
        roots += [kind for kind in (operation.success,) if kind]
    return sorted(reach.models(api, roots), key=lambda each: each.name)

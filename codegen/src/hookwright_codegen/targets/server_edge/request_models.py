"""Request models: pydantic, made by datamodel-code-generator.

The flags are those that a prototype found right: absent and null stay apart (merge patches need
it), URLs stay text (pydantic would rewrite them), nothing in the output depends on the time.
Bounds are left out: pydantic is not the contract (it takes "3" for an integer), the gate is.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hookwright_codegen import ir, load
from hookwright_codegen.errors import GenerationError
from hookwright_codegen.targets import reach

FLAGS = (
    "--input-file-type=openapi",
    "--output-model-type=pydantic_v2.BaseModel",
    "--target-python-version=3.11",
    "--target-pydantic-version=2.14",
    "--use-missing-sentinel",
    "--strict-nullable",
    "--enum-field-as-literal=all",
    "--collapse-root-models",
    "--use-annotated",
    "--field-constraints",
    "--use-standard-collections",
    "--use-union-operator",
    "--formatters=builtin",
    "--disable-timestamp",
    "--use-double-quotes",
)
_TYPES = (
    "type",
    "format",
    "enum",
    "const",
    "required",
    "default",
    "discriminator",
    "additionalProperties",
)
_HEADER = '"""Request bodies, after the gate has judged them."""'


def render(api: ir.Api) -> str:
    """The source of `requests.py`.

    Raises:
        GenerationError: the generator failed or warned.
    """
    bodies = [ir.ModelRef(each.body.model) for each in api.operations if each.body]
    if not bodies:
        return f"{_HEADER}\n"
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "requests.json"), Path(folder, "requests.py")
        source.write_text(json.dumps(_document(api, bodies)), encoding="utf-8")
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "datamodel_code_generator",
                f"--input={source}",
                f"--output={target}",
                f"--custom-file-header={_HEADER}",
                *FLAGS,
                "--type-mappings",
                "string+uri=string",
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0 or done.stderr.strip():
            raise GenerationError([f"datamodel-code-generator: {done.stderr.strip()}"])
        return target.read_text(encoding="utf-8")


def _document(api: ir.Api, bodies: list[ir.ModelRef]) -> dict[str, Any]:
    """The request bodies alone, with types but without bounds: those the gate has judged."""
    schemas: Mapping[str, Any] = api.document["components"]["schemas"]
    return {
        "openapi": api.document["openapi"],
        "info": {"title": api.title, "version": api.version},
        "paths": {},
        "components": {
            "schemas": {
                model.name: _plain(api, schemas[model.name]) for model in reach.models(api, bodies)
            }
        },
    }


def _plain(api: ir.Api, schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema reduced to its types; only objects with properties keep a name of their own."""
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    if name in api.models:
        return {"$ref": schema["$ref"]}
    resolved = load.resolve(api.document, schema)
    plain = {keyword: resolved[keyword] for keyword in _TYPES if keyword in resolved}
    for keyword in ("anyOf", "oneOf", "allOf"):
        if keyword in resolved:
            plain[keyword] = [_plain(api, each) for each in resolved[keyword]]
    if "properties" in resolved:
        plain["properties"] = {
            field: _plain(api, each) for field, each in resolved["properties"].items()
        }
    if "items" in resolved:
        plain["items"] = _plain(api, resolved["items"])
    if isinstance(resolved.get("additionalProperties"), dict):
        plain["additionalProperties"] = _plain(api, resolved["additionalProperties"])
    return plain

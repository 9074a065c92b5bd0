"""CPU seconds of the generator, children included, on a contract and on a multiple of it.

Reads one JSON line {spec, operations}; the multiple has at least that many operations.
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any, cast

from hookwright_benchmarks.rig.lines import say
from hookwright_codegen.cli import TARGETS, generate
from hookwright_codegen.load import METHODS, load, operations

_REF = re.compile(r'("#/components/schemas/)(\w+)"')


def multiple(document: dict[str, Any], copies: int) -> dict[str, Any]:
    """The contract with `copies - 1` copies of its operations and schemas beside the originals."""
    result: dict[str, Any] = json.loads(json.dumps(document))
    for number in range(2, copies + 1):
        tags = {tag["name"]: f"{tag['name']}_{number}" for tag in document["tags"]}
        result["tags"] += [{**tag, "name": tags[tag["name"]]} for tag in document["tags"]]
        schemas = document["components"]["schemas"]
        kept = {"Problem", "FieldError"}
        names = {name: name if name in kept else f"{name}V{number}" for name in schemas}
        for name, schema in schemas.items():
            result["components"]["schemas"][names[name]] = _renamed(schema, names)
        for path, item in document["paths"].items():
            copy = _renamed(item, names)
            for method in METHODS:
                if method in copy:
                    _move(copy[method], tags)
            result["paths"][f"/copy{number}{path}"] = copy
    return result


def _move(operation: dict[str, Any], tags: dict[str, str]) -> None:
    tag, _, name = str(operation["operationId"]).partition(".")
    operation["operationId"] = f"{tags[tag]}.{name}"
    operation["tags"] = [tags[tag]]


def _renamed(node: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """A copy whose references lead to the schemas' new names."""
    text = json.dumps(node)
    renamed = _REF.sub(lambda found: found[1] + names[found[2]] + '"', text)
    return cast("dict[str, Any]", json.loads(renamed))


def _cpu_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _generation_s(spec: Path) -> float:
    began = _cpu_s()
    generate(spec, list(TARGETS))
    return _cpu_s() - began


def _measure(spec: str, wanted: int) -> dict[str, Any]:
    document = load(Path(spec))
    own = len(list(operations(document)))
    many = multiple(document, math.ceil(wanted / own))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "multiple.yaml"
        path.write_text(json.dumps(many), encoding="utf-8")
        return {
            "real_s": _generation_s(Path(spec)),
            "multiple_s": _generation_s(path),
            "operations": len(list(operations(many))),
        }


if __name__ == "__main__":
    order = json.loads(sys.stdin.readline())
    say(_measure(order["spec"], order["operations"]))

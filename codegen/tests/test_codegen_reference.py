"""The API reference says what the contract says, and its calls are those that are run."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hookwright_codegen import ir
from hookwright_codegen.build import build
from hookwright_codegen.load import load
from hookwright_codegen.targets import reference_docs
from hookwright_codegen.targets.reference_docs import texts

ROOT = Path(__file__).resolve().parents[2]
SDK = ROOT / "sdk-python" / "src" / "hookwright" / "_generated" / "resources"


@pytest.fixture(scope="module")
def api() -> ir.Api:
    """The contract."""
    return build(load(ROOT / "openapi.yaml"))


@pytest.fixture(scope="module")
def pages(api: ir.Api) -> dict[str, str]:
    """The pages by their names."""
    return {Path(path).stem: text for path, text in reference_docs.render(api).files.items()}


def _blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)\n```$", text, re.DOTALL | re.MULTILINE)


def _sections(text: str) -> dict[str, str]:
    heading, *rest = re.split(r"^## (.*)\n", text, flags=re.MULTILINE)
    return dict(zip(rest[::2], rest[1::2], strict=True)) if heading else {}


def test_every_operation_has_its_parameters_and_errors(api: ir.Api, pages: dict[str, str]) -> None:
    """A section names the path, each parameter and field, and each code that may be answered."""
    common = _sections(pages["errors"])["Of every operation"]
    lacking: list[str] = []
    for operation in api.operations:
        section = _sections(pages[operation.namespace])[operation.id]
        body = api.models[operation.body.model].fields if operation.body else ()
        fields = (*operation.path_params, *operation.query_params, *body)
        wanted = [f"`{operation.http_method} {operation.path}`"]
        wanted += [f"| `{field.name}`" for field in fields]
        lacking += [f"{operation.id}: {each}" for each in wanted if each not in section]
        codes = [f"[`{code}`]" for each in operation.errors for code in each.codes]
        lacking += [
            f"{operation.id}: {code}"
            for code in codes
            if code not in (section if operation.public else section + common)
        ]

    assert [] == lacking


def test_every_code_has_its_meaning(api: ir.Api, pages: dict[str, str]) -> None:
    """The sentences of the contract's list, one for each code."""
    schemas: Any = api.document["components"]["schemas"]
    sections = _sections(pages["errors"])

    for code, info in schemas["ErrorCode"]["x-errors"].items():
        assert f"{info['status']}. {texts.meanings(api)[code]}" == sections[code].strip()
        assert f"{info['title']}." != texts.meanings(api)[code], f"{code}: no sentence was found"


def test_calls_in_python_are_those_of_the_docstrings(pages: dict[str, str]) -> None:
    """Each line stands with its prompt in the SDK, whose examples are run."""
    shown = [(name, block) for name, text in pages.items() for block in _blocks(text, "py")]
    unknown = [
        line
        for name, block in shown
        for line in block.split("\n")
        if not re.search(
            rf"(?:>>>|\.\.\.) {re.escape(line)}$",
            (SDK / f"{name}.py").read_text(encoding="utf-8"),
            re.MULTILINE,
        )
    ]

    assert [] == unknown
    assert shown


def test_calls_by_curl_are_commands_with_json(api: ir.Api, pages: dict[str, str]) -> None:
    """A shell reads each as one command, with the body that the contract shows."""
    commands = [shlex.split(each) for text in pages.values() for each in _blocks(text, "bash")]
    bodies = [
        json.loads(command[command.index("--json") + 1])
        for command in commands
        if "--json" in command
    ]
    bodied = [each.body for each in api.operations if each.body]
    shown = [each.example for each in bodied if each.example is not None]
    # What the reader has stands as a variable, outside of the single quotes.
    expected = [re.sub(r"del_\w{26}", "$DELIVERY_ID", json.dumps(each)) for each in shown]

    assert {"curl"} == {command[0] for command in commands}
    assert len(api.operations) == len(commands)
    assert sorted(expected) == sorted(map(json.dumps, bodies))
    assert any("$DELIVERY_ID" in each for each in expected)


def test_apostrophes_do_not_end_a_body(api: ir.Api) -> None:
    """They are quoted for the shell."""
    (sending,) = (each for each in api.operations if each.id == "trigger.send")
    assert sending.body is not None
    body = ir.Body(sending.body.model, required=True, example={"event_name": "it's"})

    command = shlex.split(reference_docs.curl(replace(sending, body=body)))

    assert {"event_name": "it's"} == json.loads(command[-1])

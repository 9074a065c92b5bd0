"""The one module that imports openapi-python-client.

Its parser resolves references, merges `allOf` and decides types; its templates and its client are
not used. Its internals move in patch releases, hence the exact version.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from openapi_python_client.config import Config, ConfigFile, MetaType
from openapi_python_client.parser.errors import GeneratorError
from openapi_python_client.parser.openapi import Endpoint, GeneratorData
from openapi_python_client.parser.properties import (
    AnyProperty,
    LiteralEnumProperty,
    ModelProperty,
    Property,
)
from openapi_python_client.parser.properties.boolean import BooleanProperty
from openapi_python_client.parser.properties.const import ConstProperty
from openapi_python_client.parser.properties.datetime import DateTimeProperty
from openapi_python_client.parser.properties.float import FloatProperty
from openapi_python_client.parser.properties.int import IntProperty
from openapi_python_client.parser.properties.list_property import ListProperty
from openapi_python_client.parser.properties.none import NoneProperty
from openapi_python_client.parser.properties.string import StringProperty
from openapi_python_client.parser.properties.union import UnionProperty

from hookwright_codegen import ir
from hookwright_codegen.errors import GenerationError

PARSER_VERSION = "0.29.1"
_COMPONENTS = "/components/schemas/"

_SCALARS: tuple[tuple[type[Any], ir.Kind], ...] = (
    (StringProperty, ir.Kind.STRING),
    (IntProperty, ir.Kind.INTEGER),
    (FloatProperty, ir.Kind.NUMBER),
    (BooleanProperty, ir.Kind.BOOLEAN),
    (DateTimeProperty, ir.Kind.INSTANT),
    (NoneProperty, ir.Kind.NULL),
    (AnyProperty, ir.Kind.ANY),
)


@dataclass(frozen=True, slots=True)
class ParsedField:
    name: str
    type: ir.Type
    required: bool


@dataclass(frozen=True, slots=True)
class ParsedOperation:
    path_params: tuple[ParsedField, ...]
    query_params: tuple[ParsedField, ...]
    body: ir.Type | None
    responses: Mapping[str, ir.Type]


@dataclass(frozen=True, slots=True)
class Parsed:
    models: Mapping[str, tuple[ParsedField, ...]]
    operations: Mapping[tuple[str, str], ParsedOperation]
    """By (path, method)."""


def parse(document: Mapping[str, Any]) -> Parsed:
    """Types of every model and operation.

    Raises:
        GenerationError: the parser left something out or warned; nothing may be lost in silence.
    """
    _require_version()
    data = GeneratorData.from_dict(_normalised(document), config=_config())
    if isinstance(data, GeneratorError):
        raise GenerationError([f"the contract cannot be parsed: {data.detail or data.header}"])
    complaints = _complaints(data)
    if complaints:
        raise GenerationError(complaints)
    types = _Types(data)
    return Parsed(
        models={
            name: types.fields(
                (model.required_properties or []) + (model.optional_properties or [])
            )
            for name, model in types.models.items()
        },
        operations={
            (endpoint.path.get_untrusted_value(), endpoint.method): _operation(endpoint, types)
            for collection in data.endpoint_collections_by_tag.values()
            for endpoint in collection.endpoints
        },
    )


def _require_version() -> None:
    installed = version("openapi-python-client")
    if installed != PARSER_VERSION:
        raise GenerationError(
            [f"openapi-python-client {installed} is installed; {PARSER_VERSION} is required"]
        )


def _normalised(document: Mapping[str, Any]) -> dict[str, Any]:
    """A copy in which a component that only renames another one stays a model of its own."""
    copy = deepcopy(dict(document))
    for schema in copy.get("components", {}).get("schemas", {}).values():
        if len(schema.get("allOf", ())) == 1:
            schema["allOf"].append({"type": "object", "properties": {}})
    return copy


def _config() -> Config:
    return Config.from_sources(
        ConfigFile(literal_enums=True),
        MetaType.NONE,
        document_source=Path("openapi.yaml"),
        file_encoding="utf-8",
        overwrite=True,
        output_path=None,
    )


def _complaints(data: GeneratorData) -> list[str]:
    errors: list[Any] = list(data.errors)
    for collection in data.endpoint_collections_by_tag.values():
        errors.extend(collection.parse_errors)
    return [
        " ".join(str(part).strip() for part in (error.header, error.detail) if part)
        for error in errors
    ]


class _Types:
    """Turns the parser's properties into our types."""

    def __init__(self, data: GeneratorData) -> None:
        self._component_of: dict[str, str] = {
            model.class_info.name: model.name.get_untrusted_value().removeprefix(_COMPONENTS)
            for model in (*data.models, *data.enums)
            if model.name.startswith(_COMPONENTS)
        }
        # A property that refers to a component parsed later holds an unfinished copy of it.
        self._finished = {model.class_info.name: model for model in data.models}
        self.models = {
            self._component_of[model.class_info.name]: model
            for model in data.models
            if model.class_info.name in self._component_of and not _is_map(model)
        }

    def fields(self, properties: Iterable[Property]) -> tuple[ParsedField, ...]:
        return tuple(
            ParsedField(each.name.get_untrusted_value(), self.of(each), each.required)
            for each in properties
        )

    def of(self, prop: Any) -> ir.Type:
        for parsed, kind in _SCALARS:
            if isinstance(prop, parsed):
                return ir.Scalar(kind)
        if isinstance(prop, ConstProperty):
            return ir.Const(prop.value.raw_value)
        if isinstance(prop, ListProperty):
            return ir.ListOf(self.of(prop.inner_property))
        if isinstance(prop, UnionProperty):
            return ir.Union(tuple(self.of(inner) for inner in prop.inner_properties))
        if isinstance(prop, LiteralEnumProperty):
            return ir.EnumRef(self._component(prop.class_info.name))
        if isinstance(prop, ModelProperty):
            finished = self._finished[prop.class_info.name]
            if _is_map(finished):
                return ir.MapOf(self.of(finished.additional_properties))
            return ir.ModelRef(self._component(prop.class_info.name))
        raise GenerationError([f"{type(prop).__name__} of `{prop.name}` is not supported"])

    def _component(self, class_name: str) -> str:
        component = self._component_of.get(class_name)
        if component is None:
            raise GenerationError(
                [f"`{class_name}` is defined inline; make it a named component of the contract"]
            )
        return component


def _is_map(model: ModelProperty) -> bool:
    own = (model.required_properties or []) + (model.optional_properties or [])
    return not own and model.additional_properties is not None


def _operation(endpoint: Endpoint, types: _Types) -> ParsedOperation:
    return ParsedOperation(
        path_params=types.fields(endpoint.path_parameters),
        query_params=types.fields(endpoint.query_parameters),
        body=types.of(endpoint.bodies[0].prop) if endpoint.bodies else None,
        responses={each.status_code.pattern: types.of(each.prop) for each in endpoint.responses},
    )

"""What a contract means, free of any parser: the one input of every target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """The types that need no name."""

    STRING = "str"
    INTEGER = "int"
    NUMBER = "float"
    BOOLEAN = "bool"
    INSTANT = "instant"
    ANY = "any"
    NULL = "null"


@dataclass(frozen=True, slots=True)
class Scalar:
    kind: Kind


@dataclass(frozen=True, slots=True)
class Const:
    """A property that has one value: the tag of a union's variant."""

    value: str | int | bool


@dataclass(frozen=True, slots=True)
class EnumRef:
    name: str


@dataclass(frozen=True, slots=True)
class ModelRef:
    name: str


@dataclass(frozen=True, slots=True)
class ListOf:
    item: Type


@dataclass(frozen=True, slots=True)
class MapOf:
    """A free-form object: any names, values of one type."""

    value: Type


@dataclass(frozen=True, slots=True)
class Union:
    """Several types; `tag` names the const property that tells its models apart."""

    variants: tuple[Type, ...]
    tag: str | None = None


Type = Scalar | Const | EnumRef | ModelRef | ListOf | MapOf | Union

NULL = Scalar(Kind.NULL)
ANY = Scalar(Kind.ANY)


@dataclass(frozen=True, slots=True)
class Field:
    """A property of a model, or a parameter of an operation."""

    name: str
    python_name: str
    type: Type
    required: bool
    description: str = ""
    bounds: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Keywords of the contract that narrow the type: `minimum`, `maxLength`, …"""
    default: Any = None
    has_default: bool = False
    deprecated: bool = False
    secret: bool = False
    """Whether no log may show the value (`x-secret`)."""
    example: Any = None
    """What a call in documentation gives; None for a name that stands for the value."""


@dataclass(frozen=True, slots=True)
class Model:
    name: str
    module: str
    description: str
    fields: tuple[Field, ...]
    closed: bool
    """True when unknown properties are refused (requests)."""


@dataclass(frozen=True, slots=True)
class Enum:
    name: str
    values: tuple[str, ...]
    description: str
    deprecated: Mapping[str, str] = field(default_factory=dict[str, str])
    """Values that should no longer be used, each with what to do instead."""


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    status: str
    description: str
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Body:
    model: str
    required: bool
    example: Mapping[str, Any] | None = None
    """The first request that the contract shows."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. `namespace` and `name` are the halves of its operationId."""

    id: str
    namespace: str
    name: str
    http_method: str
    path: str
    summary: str
    description: str
    deprecated: bool
    path_params: tuple[Field, ...]
    query_params: tuple[Field, ...]
    idempotent: bool
    body: Body | None
    success_status: int
    success: Type | None
    page_item: Type | None
    errors: tuple[ErrorResponse, ...]
    scope: str | None
    public: bool


@dataclass(frozen=True, slots=True)
class Namespace:
    name: str
    class_name: str
    description: str
    in_sdk: bool
    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class Api:
    title: str
    version: str
    namespaces: tuple[Namespace, ...]
    models: Mapping[str, Model]
    enums: Mapping[str, Enum]
    document: Mapping[str, Any]
    """The contract as it was read: for what a target needs verbatim."""
    webhooks: Mapping[str, str] = field(default_factory=dict[str, str])
    """The types of events that the service publishes itself, with the models of their `data`."""

    @property
    def operations(self) -> tuple[Operation, ...]:
        return tuple(each for namespace in self.namespaces for each in namespace.operations)

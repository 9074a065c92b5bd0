"""Names: from the contract's spelling to Python's."""

from __future__ import annotations

import keyword
import re

from hookwright_codegen.errors import GenerationError

_SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z]+")


def identifier(raw: str) -> str:
    """A property, parameter or method as a Python name; only keywords get an underscore.

    Raises:
        GenerationError: the name is not snake_case, which the contract's style demands.
    """
    if not _SNAKE.fullmatch(raw):
        raise GenerationError([f"`{raw}` is not snake_case; rename it in the contract"])
    return f"{raw}_" if keyword.iskeyword(raw) else raw


def class_name(raw: str) -> str:
    """`api_keys` to `ApiKeys`."""
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[^A-Za-z0-9]+", raw))


def snake(raw: str) -> str:
    """`ApiKeyCreated` to `api_key_created`."""
    return "_".join(_WORD.findall(raw)).lower()


def constant(raw: str) -> str:
    """`DeliveryStatus` to `DELIVERY_STATUS`."""
    return snake(raw).upper()


def constant_of(operation_id: str) -> str:
    """`apps.list` to `APPS_LIST`."""
    return operation_id.replace(".", "_").upper()


def plural(constant_name: str) -> str:
    """`DELIVERY_STATUS` to `DELIVERY_STATUSES`."""
    if constant_name.endswith("Y") and constant_name[-2:-1] not in "AEIOU":
        return constant_name[:-1] + "IES"
    return constant_name + ("ES" if constant_name.endswith(("S", "X", "CH", "SH")) else "S")

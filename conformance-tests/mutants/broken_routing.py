"""Mutants of filters and transformations: who gets an event, and in which form."""

# ruff: noqa: INP001 - launch.py puts this folder on the path

from __future__ import annotations

import json
from typing import Any

from replacing import nothing, replace

from hookwright_server import wiring
from hookwright_server.delivery.prepare import Preparer
from hookwright_server.domain import filters
from hookwright_server.domain.field_path import ABSENT, Path, look_up
from hookwright_server.domain.transformation import Transformation, TransformationFailed
from hookwright_server.services import routing, trigger
from hookwright_server.store.claims import Target


def ignores_filter_rules() -> None:
    """Every subscribed endpoint gets every event."""

    def accepting(those: list[Any], payload: bytes, context: object) -> list[Any]:
        del payload, context
        return those

    replace(trigger, "accepting", accepting)


def rounds_numbers_in_filters() -> None:
    """What a number says beyond a double is not heard."""

    def read_roughly(raw: bytes) -> object:
        return json.loads(raw)

    replace(routing, "read_exactly", read_roughly)


def takes_absent_fields_for_null() -> None:
    """What is not there reads as null."""

    def look_up_something(value: object, path: Path) -> object:
        found = look_up(value, path)
        return None if found is ABSENT else found

    replace(filters, "look_up", look_up_something)


def reformats_what_it_copies() -> None:
    """Values are parsed and written again: numbers and spaces do not stay as they were."""
    apply = Transformation.apply

    def apply_and_rewrite(self: Transformation, payload: bytes) -> bytes:
        return json.dumps(json.loads(apply(self, payload))).encode()

    replace(Transformation, "apply", apply_and_rewrite)


class _CarelessPreparer(Preparer):
    def data(self, target: Target, payload: bytes) -> bytes:
        try:
            return super().data(target, payload)
        except TransformationFailed:
            return payload


def sends_what_it_could_not_transform() -> None:
    """Where a transformation fails, the payload goes out as it is."""
    replace(wiring, "Preparer", _CarelessPreparer)


def takes_any_filter() -> None:
    """What is no filter is saved."""
    replace(routing, "compile_filter", nothing)


def takes_any_transformation() -> None:
    """What is no transformation is saved."""
    replace(routing, "compile_transformation", nothing)


def keeps_the_first_transformation() -> None:
    """Every attempt uses the transformation that the first one to its endpoint had."""
    first: dict[str, Target] = {}
    data = Preparer.data

    def data_as_ever(self: Preparer, target: Target, payload: bytes) -> bytes:
        return data(self, first.setdefault(target.endpoint_id, target), payload)

    replace(Preparer, "data", data_as_ever)

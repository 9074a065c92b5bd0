"""requirements.yaml: what is required, and what no case observes, with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import yaml

Level = Literal["must", "should", "may"]


@dataclass(frozen=True, slots=True)
class Requirement:
    """One normative sentence."""

    id: str
    level: Level
    sentence: str
    link: str


@dataclass(frozen=True, slots=True)
class Requirements:
    """The whole list; `unobserved_*` say why no case reaches an id, operationId or error code."""

    version: str
    by_id: Mapping[str, Requirement]
    unobserved_requirements: Mapping[str, str]
    unobserved_operations: Mapping[str, str]
    unobserved_error_codes: Mapping[str, str]


@cache
def load() -> Requirements:
    """The list that this package was built with."""
    text = (files("hookwright_conformance") / "requirements.yaml").read_text(encoding="utf-8")
    document: dict[str, Any] = yaml.safe_load(text)
    unobserved: dict[str, dict[str, str]] = document["unobserved"]
    return Requirements(
        version=document["version"],
        by_id={entry["id"]: Requirement(**entry) for entry in document["requirements"]},
        unobserved_requirements=unobserved["requirements"],
        unobserved_operations=unobserved["operations"],
        unobserved_error_codes=unobserved["error_codes"],
    )

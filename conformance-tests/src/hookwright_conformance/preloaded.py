"""Imported by the process that `apart` forks from: does beforehand what every run begins with."""

from __future__ import annotations

from hookwright_conformance import run
from hookwright_conformance.case import all_cases
from hookwright_conformance.spec import Spec

__all__ = ["run"]

all_cases()
Spec.load()

"""The registry of the cases that judge SDKs."""

from __future__ import annotations

from hookwright_conformance.case import Registry
from hookwright_conformance.sdk.world import SdkWorld

PROFILES = ("sdk-core", "sdk-errors", "sdk-retries", "sdk-paging", "sdk-webhooks")

_REGISTRY = Registry[SdkWorld]("cases_sdk")
case = _REGISTRY.case
sdk_cases = _REGISTRY.all

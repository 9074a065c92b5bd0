"""The data that the API takes and gives. Each model is imported when it is first used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hookwright._generated.models import *  # noqa: F403 - the generated list is the list


def __getattr__(name: str) -> Any:
    from hookwright._generated import models

    return getattr(models, name)


def __dir__() -> list[str]:
    from hookwright._generated import models

    return sorted(models.__all__)

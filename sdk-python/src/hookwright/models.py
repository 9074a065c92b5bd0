"""
The data that the API takes and gives. Each model is imported when it is first used.

A server may be newer than this package. Members that this version does not know are in `extra`;
a value that an enum does not list (`typing.get_args(models.DeliveryStatus)` lists them) stays the
string that it is; an object that is no known variant of a union stays a dict. All of them are
sent back by `to_dict` as they came.
"""

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

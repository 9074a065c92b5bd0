"""Request bodies as the services take them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


def given(body: BaseModel) -> dict[str, Any]:
    """The members that the request held, at every depth; defaults are left out."""
    return body.model_dump(exclude_unset=True)

"""Transformations tried out: no endpoint, no delivery."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookwright_server.domain.transformation import TransformationFailed, compile_transformation
from hookwright_server.errors import Fault, Refusal
from hookwright_server.services.routing import check_transformation


class Transformations:
    """The service of the tag `transformations`. It needs no transaction."""

    def preview(self, document: Mapping[str, Any], payload: bytes) -> bytes:
        """What an endpoint with this transformation would receive as `data`."""
        check_transformation(document)
        try:
            return compile_transformation(document).apply(payload)
        except TransformationFailed as error:
            fault = Fault(f"/transformation{error.pointer}", error.rule, str(error))
            raise Refusal("transformation_failed", str(error), (fault,)) from error

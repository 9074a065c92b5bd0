"""
The Python SDK of Hookwright.

`Hookwright` and `AsyncHookwright` call the API, `hookwright.webhooks.Webhook` checks signatures,
`hookwright.errors` shows everything that can go wrong, `hookwright.models` holds the data.
Nothing is imported before it is used.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as in `typing`, which costs more to import than all of this
if TYPE_CHECKING:
    from hookwright import errors, models, webhooks
    from hookwright._core.call import UNSET, Unset
    from hookwright._core.hooks import Hooks, RequestInfo, ResponseInfo
    from hookwright._core.http_clients import (
        DefaultAioHttpClient,
        DefaultAsyncHttpxClient,
        DefaultHttpxClient,
    )
    from hookwright._core.paging import AsyncPage, AsyncPager, SyncPage
    from hookwright._core.raw import RawResponse
    from hookwright._core.version import __version__
    from hookwright.client import AsyncHookwright, Hookwright
    from hookwright.errors import (
        APIConnectionError,
        APIError,
        APIResponseError,
        APIStatusError,
        APITimeoutError,
        AuthenticationError,
        BadRequestError,
        ConflictError,
        EmitError,
        FieldError,
        HookwrightError,
        InternalServerError,
        InvalidHeaderError,
        InvalidPayloadError,
        InvalidSecretError,
        MissingExtraError,
        MissingHeaderError,
        NotFoundError,
        PayloadTooLargeError,
        PermissionDeniedError,
        QueueFullError,
        RateLimitError,
        SignatureMismatchError,
        TimestampOutOfToleranceError,
        UnprocessableError,
        UnsupportedMediaTypeError,
        UsageError,
        WebhookVerificationError,
    )
    from hookwright.webhooks import Webhook

__all__ = [
    "UNSET",
    "APIConnectionError",
    "APIError",
    "APIResponseError",
    "APIStatusError",
    "APITimeoutError",
    "AsyncHookwright",
    "AsyncPage",
    "AsyncPager",
    "AuthenticationError",
    "BadRequestError",
    "ConflictError",
    "DefaultAioHttpClient",
    "DefaultAsyncHttpxClient",
    "DefaultHttpxClient",
    "EmitError",
    "FieldError",
    "Hooks",
    "Hookwright",
    "HookwrightError",
    "InternalServerError",
    "InvalidHeaderError",
    "InvalidPayloadError",
    "InvalidSecretError",
    "MissingExtraError",
    "MissingHeaderError",
    "NotFoundError",
    "PayloadTooLargeError",
    "PermissionDeniedError",
    "QueueFullError",
    "RateLimitError",
    "RawResponse",
    "RequestInfo",
    "ResponseInfo",
    "SignatureMismatchError",
    "SyncPage",
    "TimestampOutOfToleranceError",
    "UnprocessableError",
    "Unset",
    "UnsupportedMediaTypeError",
    "UsageError",
    "Webhook",
    "WebhookVerificationError",
    "__version__",
    "errors",
    "models",
    "webhooks",
]

_MODULES = ("errors", "models", "webhooks")
_HOMES = {
    "UNSET": "_core.call",
    "Unset": "_core.call",
    "DefaultAioHttpClient": "_core.http_clients",
    "DefaultAsyncHttpxClient": "_core.http_clients",
    "DefaultHttpxClient": "_core.http_clients",
    "Hooks": "_core.hooks",
    "RawResponse": "_core.raw",
    "RequestInfo": "_core.hooks",
    "ResponseInfo": "_core.hooks",
    "AsyncPage": "_core.paging",
    "AsyncPager": "_core.paging",
    "SyncPage": "_core.paging",
    "__version__": "_core.version",
    "AsyncHookwright": "client",
    "Hookwright": "client",
    "Webhook": "webhooks",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    # What is not listed is an error: there are many and they all live in one module.
    value = getattr(import_module(f"{__name__}.{_HOMES.get(name, 'errors')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

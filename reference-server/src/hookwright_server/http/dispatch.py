"""One request, from its parts to an answer, in the order in which things may be refused.

request id → key → rate limit → scope → parameters → media type → body → idempotency → handler.
Nothing here knows Flask: a thinner front could call `Dispatcher.serve` as well.
"""

from __future__ import annotations

import contextlib
import logging
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ValidationError

from hookwright_server.domain import strict_json
from hookwright_server.domain.contract import Limits
from hookwright_server.domain.strict_json import StrictJsonError
from hookwright_server.errors import Fault, Refusal
from hookwright_server.http.answers import Answer, Replayed, refused, success
from hookwright_server.http.auth import Authenticator
from hookwright_server.http.context import Context
from hookwright_server.http.edge import gate
from hookwright_server.http.edge.errors import FieldError, ParamError
from hookwright_server.http.edge.operations import Operation
from hookwright_server.http.edge.routes import Call
from hookwright_server.http.idempotency import Idempotency, Keyed
from hookwright_server.http.journal import Entry, Journal
from hookwright_server.http.paging import Totals
from hookwright_server.http.rate_limit import Counted, Policy, RateLimiter, Several
from hookwright_server.services.principal import Principal
from hookwright_server.services.sizes import check_payload
from hookwright_server.services.trigger import Trigger
from hookwright_server.store.database import Connection, Database
from hookwright_server.store.errors import NotAdmitted, StoreUnavailable, WriterBusy, WriteUnknown

_log = logging.getLogger(__name__)
_chance = random.Random().random  # noqa: S311 - chooses a sample

# These make their own transactions: they wait for the group commit, the network or time.
_OWN_TRANSACTIONS = frozenset({"trigger", "health", "test_clock"})
# These have no use for one.
_WITHOUT_TRANSACTION = frozenset({"endpoints.test", "transformations.preview"})
# They go before their own last transaction with others; in that they honour the key, as a trigger.
_IN_SEVERAL = frozenset({"deliveries.create_replay", "endpoints.enable"})
_CHANGE_KEYS = frozenset({"api_keys", "apps"})
_CHANGE_RATES = frozenset({"apps"})
_RAW_MEMBER = "payload"
_BATCH, _ITEMS = "trigger.send_batch", "events"
# A list holds, in its rows, what was as deep as a request may be.
_ANSWER_DEPTH = Limits.json_depth + 8
# Whatever else stands in its place names no app, and may be nothing that a database takes.
_SLUG = re.compile(r"[A-Za-z0-9_-]{1,255}")
_MEDIA_TYPE = "application/json"


@dataclass(frozen=True, slots=True)
class Request:
    """What the front took off the wire. Header names are lower-case; bodies are bounded."""

    path: str
    path_params: Mapping[str, str]
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    body: bytes


Work = Callable[[Connection], Answer]
Read = Callable[[Work], Answer]
_Parse = Callable[[Mapping[str, str], Mapping[str, Sequence[str]]], object]


class Dispatcher:
    """Serves requests of every operation."""

    def __init__(
        self,
        *,
        database: Database,
        read: Read,
        authenticator: Authenticator,
        limiter: RateLimiter,
        idempotency: Idempotency,
        trigger: Trigger,
        validated_share: float,
        journal: Journal,
    ) -> None:
        """`read` runs an operation that only reads in a snapshot of its own.

        `validated_share` (0 to 1) of the answers is held against the contract.
        """
        self._database = database
        self._read = read
        self._authenticator = authenticator
        self._limiter = limiter
        self._idempotency = idempotency
        self._trigger = trigger
        self._validated_share = validated_share
        self._journal = journal
        self._totals = Totals()

    def serve(self, operation: Operation, call: Call, request: Request) -> Answer:
        """The answer to `request`; everything that can be refused becomes a problem."""
        entry = self._journal.begin(
            operation, operation.method, request.path, request.headers.get("traceparent")
        )
        request_id = entry.request_id
        counted: Counted | None = None
        try:
            principal = entry.principal = self._authenticated(operation, request)
            if principal is not None:
                counted = self._count(operation, principal, request)
            try:
                answer = self._run(operation, call, request, entry, counted)
            except (NotAdmitted, Refusal):
                self._require_quota(counted)  # a quota that is used up refuses before all else
                raise
        except Replayed as replayed:
            answer = replayed.answer
        except Exception as error:  # noqa: BLE001 - nothing but a problem may reach the caller
            refusal = refusal_of(error, operation.operation_id)
            self._journal.refused(entry, error, refusal)
            answer = refused(refusal, request_id)
        headers = {**answer.headers, "X-Request-Id": request_id}
        if answer.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        elif counted is not None:
            headers |= counted.standing().headers()
        self._journal.end(entry, answer)
        return self._checked(operation, Answer(answer.status, answer.body, headers))

    def _authenticated(self, operation: Operation, request: Request) -> Principal | None:
        if operation.public:
            return None
        return self._authenticator.authenticate(request.headers.get("authorization"))

    def _count(self, operation: Operation, principal: Principal, request: Request) -> Counted:
        """Requests count against their key, events against their app."""
        app_slug = request.path_params.get("app_slug", "")
        if operation.tag == "trigger" and _may(operation, principal) and _SLUG.fullmatch(app_slug):
            with contextlib.suppress(Refusal):  # no such app: the handler says so
                return self._count_message(operation, principal, app_slug)
        policy = Policy("key", principal.requests_per_minute, 60)
        return self._limiter.count(policy, principal.key_id)

    def _count_message(self, operation: Operation, principal: Principal, app_slug: str) -> Counted:
        audience = self._trigger.audience(principal, app_slug)
        quota = audience.rate_limit_per_second or principal.messages_per_second
        policy = Policy("app", quota, 1)
        if operation.operation_id == _BATCH:
            return Several(lambda: self._limiter.count(policy, audience.app_id))
        return self._limiter.count(policy, audience.app_id)

    def _run(
        self,
        operation: Operation,
        call: Call,
        request: Request,
        entry: Entry,
        counted: Counted | None,
    ) -> Answer:
        _require_scope(operation, entry.principal)
        params = _params(operation, request)
        body, payload, payloads = _body(operation, request)
        admit = self._admission(operation, counted)
        principal, request_id = entry.principal, entry.request_id
        keyed = self._keyed(operation, principal, request)
        owns_transaction = _owns_transaction(operation)
        context = Context(
            operation.operation_id,
            request_id,
            principal,
            payload=payload,
            keyed=keyed if owns_transaction else None,
            traceparent=entry.span.traceparent,
            admit=admit,
            payloads=payloads,
        )

        def run(context: Context) -> Answer:
            answer = success(operation.success_status, call(context, params, body))
            if isinstance(counted, Several):
                counted.count_more(len(payloads) - 1)
            return answer

        if keyed is None:
            with self._totals.place(principal, params):
                return self._plainly(operation, context, run)
        if owns_transaction:
            return run(context)
        if operation.operation_id in _WITHOUT_TRANSACTION:
            return self._idempotency.around(keyed, request_id, lambda: run(context))
        return self._writing(
            operation,
            lambda tx: self._idempotency.within(
                tx, keyed, request_id, lambda: run(replace(context, transaction=tx))
            ),
        )

    def _keyed(
        self, operation: Operation, principal: Principal | None, request: Request
    ) -> Keyed | None:
        key = request.headers.get("idempotency-key") if operation.idempotent else None
        if principal is None or key is None:
            return None
        route = f"{operation.method} {request.path}"
        return self._idempotency.keyed(principal, route, key, request.body)

    def _admission(
        self, operation: Operation, counted: Counted | None
    ) -> Callable[[], None] | None:
        """Look at the quota; a publisher's is left to the writer, who looks at a whole group's."""
        if counted is None or counted.known or operation.tag != "trigger":
            self._require_quota(counted)
            return None

        def admit() -> None:
            standing = counted.standing()
            if standing.exceeded:
                raise NotAdmitted(standing.policy.name)

        return admit

    def _require_quota(self, counted: Counted | None) -> None:
        if counted is None:
            return
        counted.standing().require()

    def _plainly(
        self, operation: Operation, context: Context, run: Callable[[Context], Answer]
    ) -> Answer:
        if _owns_transaction(operation) or operation.operation_id in _WITHOUT_TRANSACTION:
            return run(context)

        def work(tx: Connection) -> Answer:
            return run(replace(context, transaction=tx))

        if operation.method == "GET":
            return self._read(work)
        return self._writing(operation, work)

    def _writing(self, operation: Operation, work: Work) -> Answer:
        try:
            return self._database.write(work)
        finally:
            if operation.tag in _CHANGE_KEYS:
                self._authenticator.forget()
            if operation.tag in _CHANGE_RATES:
                self._trigger.forget()

    def _checked(self, operation: Operation, answer: Answer) -> Answer:
        """Hold a sample of the answers against the contract; with all of them, break loudly."""
        if self._validated_share and _chance() < self._validated_share:
            body = answer.body
            value = _answer_value(body) if body else None
            errors = gate.response_errors(operation.operation_id, answer.status, value)
            if errors:
                _log.error(
                    "response_breaks_contract operation=%s status=%s errors=%s",
                    operation.operation_id,
                    answer.status,
                    errors,
                )
                if self._validated_share == 1:
                    raise ContractBroken(operation.operation_id, answer.status, errors)
        return answer


class ContractBroken(Exception):
    """An answer of ours does not fit the contract: a bug."""

    def __init__(self, operation_id: str, status: int, errors: Sequence[FieldError]) -> None:
        super().__init__(f"{operation_id} {status}: {errors}")


def refusal_of(error: Exception, operation_id: str = "none") -> Refusal:
    """What is told of an exception; what nobody foresaw is logged and told as internal_error.

    `operation_id` is for the log.
    """
    match error:
        case Refusal():
            return error
        case WriterBusy():
            detail = "More is being written than the store can take. Repeat the request."
            return Refusal("unavailable", detail, retry_after_s=1)
        case StoreUnavailable():
            # No traceback: in an outage every request ends here, and all for one reason.
            _log.error("store_unavailable operation=%s error=%s", operation_id, _on_one_line(error))
            detail = "The store cannot be used at the moment. Repeat the request."
            return Refusal("unavailable", detail, retry_after_s=1)
        case WriteUnknown():
            detail = (
                "The store did not answer in time; the write may have happened. "
                "Repeat the request with the same Idempotency-Key."
            )
            return Refusal("unavailable", detail, retry_after_s=1)
        case _:
            _log.error("unexpected_error", exc_info=error)
            return Refusal("internal_error", "An unexpected error. Report it with the request id.")


def _on_one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _answer_value(body: bytes) -> object:
    return strict_json.parse(body, max_depth=_ANSWER_DEPTH, untouched=(_RAW_MEMBER,))


def _may(operation: Operation, principal: Principal) -> bool:
    return operation.scope is None or principal.may(operation.scope)


def _owns_transaction(operation: Operation) -> bool:
    return operation.tag in _OWN_TRANSACTIONS or operation.operation_id in _IN_SEVERAL


def _require_scope(operation: Operation, principal: Principal | None) -> None:
    if principal is not None and not _may(operation, principal):
        raise Refusal(
            "forbidden",
            f"The key's scopes are {sorted(principal.scopes)}; "
            f"{operation.operation_id} needs {operation.scope!r}. Use another key.",
        )


def _params(operation: Operation, request: Request) -> object:
    try:
        if request.query:
            return operation.parse_params(request.path_params, request.query)
        return _path_params(operation.parse_params, tuple(request.path_params.items()))
    except ParamError as error:
        raise _invalid("The parameters do not fit the contract.", error.errors) from error


@lru_cache(maxsize=4_096)
def _path_params(parse: _Parse, path: tuple[tuple[str, str], ...]) -> object:
    # Frozen, and the same for the same path: publishers send to few.
    return parse(dict(path), {})


def _body(operation: Operation, request: Request) -> tuple[Any, bytes | None, tuple[bytes, ...]]:
    """The body as a model, and the exact bytes of its payload, or of all its events' payloads."""
    model = operation.request_model
    if model is None:
        if request.body.strip() not in (b"", b"{}"):
            detail = f"{operation.operation_id} takes no body. Send none."
            raise Refusal("validation_error", detail, (Fault("", "body", detail),))
        return None, None, ()
    raw = request.body
    if not raw:
        if operation.body_required:
            detail = "The body is missing. Send a JSON object."
            raise Refusal("validation_error", detail, (Fault("", "required", detail),))
        raw = b"{}"
    else:
        _check_media_type(request.headers)
    if operation.operation_id == _BATCH:
        return _batch(operation, model, raw)
    document = _parsed(raw)
    errors = gate.body_errors(operation.operation_id, document.value)
    if errors:
        raise _invalid("The request body does not fit the contract.", errors)
    payload = document.member(_RAW_MEMBER) if _RAW_MEMBER in document.spans else None
    if payload is not None:
        check_payload(payload)
    return _modelled(model, document.value), payload, ()


def _batch(
    operation: Operation, model: type[BaseModel], raw: bytes
) -> tuple[Any, bytes | None, tuple[bytes, ...]]:
    # An event may be as deep as one that comes alone.
    depth = Limits.json_depth + 2
    try:
        value, members = strict_json.parse_items(
            raw, _ITEMS, max_depth=depth, untouched=(_RAW_MEMBER,)
        )
    except StrictJsonError as error:
        raise _not_json(error) from error
    errors = gate.body_errors(operation.operation_id, value)
    if errors:
        raise _invalid("The request body does not fit the contract.", errors)
    return _modelled(model, value), None, tuple(each[_RAW_MEMBER] for each in members)


def _modelled(model: type[BaseModel], value: object) -> BaseModel:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        # The schema language knows values that Python cannot hold, such as leap seconds.
        faults = tuple(
            Fault("".join(f"/{part}" for part in each["loc"]), "format", f"{each['msg']}.")
            for each in error.errors(include_url=False, include_input=False)
        )
        raise Refusal(
            "validation_error", "The request body does not fit the contract.", faults
        ) from error


def _check_media_type(headers: Mapping[str, str]) -> None:
    given, _, options = headers.get("content-type", "").partition(";")
    charset = options.strip().lower().removeprefix("charset=").strip('"')
    if given.strip().lower() != _MEDIA_TYPE or charset not in ("", "utf-8"):
        shown = headers.get("content-type", "none")[:80]
        raise Refusal(
            "unsupported_media_type", f"Content-Type is {shown!r}; send {_MEDIA_TYPE} in UTF-8."
        )
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Refusal("unsupported_media_type", "Content-Encoding is set; send the body as it is.")


def _parsed(raw: bytes) -> strict_json.Document:
    try:
        return strict_json.parse_document(
            raw, max_depth=Limits.json_depth, untouched=(_RAW_MEMBER,)
        )
    except StrictJsonError as error:
        raise _not_json(error) from error


def _not_json(error: StrictJsonError) -> Refusal:
    return Refusal("validation_error", str(error), (Fault("", error.rule, str(error)),))


def _invalid(detail: str, errors: Sequence[FieldError]) -> Refusal:
    faults = tuple(Fault(error.pointer, error.code, error.message) for error in errors)
    return Refusal("validation_error", detail, faults)

"""Settings: environment variables `HOOKWRIGHT_<NAME>`, each with a default that just works.

Rates and limits that callers can see have their defaults in openapi.yaml (`x-limits`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv6Network
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from hookwright_server.domain.contract import Limits
from hookwright_server.domain.egress_policy import (
    PRIVATE_NETWORKS,
    AllowRule,
    EgressPolicy,
    parse_allow_rule,
    parse_nat64_prefix,
)
from hookwright_server.telemetry.address import Address, parse_address

_POSTGRES = ("postgresql", "postgres")
_REDIS = ("redis", "rediss", "unix")


@dataclass(frozen=True, slots=True)
class PostgresUrl:
    """Where a Postgres database is; `str()` leaves the password out."""

    text: str = field(repr=False)

    def __str__(self) -> str:
        return _without_password(self.text)


class Settings(BaseSettings):
    """How this server runs."""

    model_config = SettingsConfigDict(env_prefix="HOOKWRIGHT_", frozen=True, extra="ignore")

    database: Path | PostgresUrl = Field(
        default=Path("hookwright.db"),
        description="A SQLite file, for `serve`, or postgresql://user:password@host/name, for "
        "`api` and `worker`.",
    )
    redis_url: str = Field(
        default="",
        repr=False,
        description="redis://:password@host:6379/0 (or rediss://, unix://), for `api` and "
        "`worker`.",
    )
    database_connections: int = Field(
        default=16,
        ge=2,
        le=500,
        description="Most connections of one process to Postgres; one of them writes.",
    )
    api_processes: int = Field(
        default=0,
        ge=0,
        le=256,
        description="How many processes of `api` answer requests; 0: one for each CPU.",
    )
    stop_notice_seconds: float = Field(
        default=0.0,
        ge=0,
        description="How long `api` still accepts clients after SIGTERM, while `health/ready` "
        "answers 503, so that load balancers look elsewhere.",
    )
    drain_slice_seconds: float = Field(
        default=15.0,
        ge=1,
        le=25,
        description="How long one RQ job of `worker` lets the engine deliver before the next "
        "one does.",
    )
    host: str = Field(default="127.0.0.1", description="The address to listen on.")
    port: int = Field(
        default=8080, ge=0, le=65535, description="The port to listen on; 0: a free one."
    )
    mode: Literal["development", "production"] = Field(
        default="development", description="`production` refuses the test clock."
    )
    encryption_keys: str = Field(
        default="",
        repr=False,
        description="Keys that seal secrets at rest, `id:base64` of 32 bytes, separated by "
        "commas, the current one first. Empty: a key file beside the database.",
    )
    allow_http: bool = Field(default=False, description="Whether endpoints may have http URLs.")
    allow_private_networks: bool = Field(
        default=False, description="Whether deliveries may go to loopback and private networks."
    )
    egress_allow: Annotated[tuple[AllowRule, ...], NoDecode] = Field(
        default=(),
        description="Networks that deliveries may go to all the same: CIDR[:port], by commas.",
    )
    nat64_prefixes: Annotated[tuple[IPv6Network, ...], NoDecode] = Field(
        default=(),
        description="This network's NAT64 prefixes, IPv6 networks of /96, by commas: an address "
        "inside is judged by the IPv4 address it carries.",
    )
    extra_ca_file: Path | None = Field(
        default=None, description="Certificate authorities (PEM) to trust beside the system's."
    )
    requests_per_minute: int = Field(
        default=Limits.requests_per_minute, ge=1, description="Requests per API key and minute."
    )
    messages_per_second: int = Field(
        default=Limits.messages_per_second, ge=1, description="Messages per app and second."
    )
    max_in_flight: int = Field(
        default=1_000, ge=1, le=20_000, description="Deliveries that are under way at a time."
    )
    request_threads: int = Field(
        default=64, ge=1, le=1_000, description="Requests that are worked on at a time."
    )
    open_requests: int = Field(
        default=512,
        ge=2,
        le=20_000,
        description="Most requests that one process has at a time, those that wait for a thread "
        "included; further ones are answered 503 at once. More than HOOKWRIGHT_REQUEST_THREADS.",
    )
    drain_seconds: float = Field(
        default=35.0,
        ge=0,
        description="How long attempts under way may take when the server stops.",
    )
    test_clock: bool = Field(
        default=False, description="Whether `POST /_test/clock` moves the clock."
    )
    validate_responses: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="Which share of the answers is held against the contract and logged when it "
        "breaks it; with 1, for tests, such an answer becomes a 500.",
    )
    log_style: Literal["text", "json"] = Field(
        default="text", description="Form of the log: lines for people, or JSON objects."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severity that is logged."
    )
    log_published_share: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="Which share of the published events is logged as a request; all other "
        "requests are, and so is every attempt.",
    )
    metrics_listen: Annotated[Address | None, NoDecode] = Field(
        default=None,
        description="Where operators get `/metrics`, host:port such as 127.0.0.1:9464; empty: "
        "nowhere.",
    )
    traces: Literal["off", "pass", "export"] = Field(
        default="off",
        description="`pass`: deliveries carry the `traceparent` that the event was published "
        "with. `export`: spans are exported by OpenTelemetry (OTEL_* variables), and deliveries "
        "carry theirs.",
    )

    @field_validator("database", mode="before")
    @classmethod
    def _parse_database(cls, value: object) -> object:
        if not isinstance(value, str) or "://" not in value:
            return value
        url = _split(value)
        if url.scheme not in _POSTGRES:
            raise ValueError(
                f"a database is a file or a postgresql:// URL, not one of {url.scheme!r}"
            )
        if not url.path.strip("/"):
            raise ValueError("the URL lacks the database's name: postgresql://user@host/name")
        return PostgresUrl(value)

    @field_validator("redis_url")
    @classmethod
    def _check_redis_url(cls, value: str) -> str:
        if value and _split(value).scheme not in _REDIS:
            raise ValueError("it begins with redis://, rediss:// or unix://")
        return value

    @field_validator("egress_allow", mode="before")
    @classmethod
    def _parse_rules(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(parse_allow_rule(part.strip()) for part in value.split(",") if part.strip())

    @field_validator("metrics_listen", mode="before")
    @classmethod
    def _parse_listen(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return parse_address(value) if value else None

    @field_validator("nat64_prefixes", mode="before")
    @classmethod
    def _parse_prefixes(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(parse_nat64_prefix(part.strip()) for part in value.split(",") if part.strip())

    @model_validator(mode="after")
    def _no_test_clock_in_production(self) -> Self:
        if self.test_clock and self.mode == "production":
            raise ValueError(
                "the test clock is refused in production mode: unset HOOKWRIGHT_TEST_CLOCK, "
                "or set HOOKWRIGHT_MODE=development"
            )
        return self

    @model_validator(mode="after")
    def _threads_can_be_filled(self) -> Self:
        if self.open_requests <= self.request_threads:
            raise ValueError(
                f"{self.request_threads} request threads need more open requests than "
                f"{self.open_requests}: raise HOOKWRIGHT_OPEN_REQUESTS"
            )
        return self

    def egress(self) -> EgressPolicy:
        """Where deliveries may go."""
        private = PRIVATE_NETWORKS if self.allow_private_networks else ()
        return EgressPolicy(
            allow=private + self.egress_allow,
            allow_http=self.allow_http,
            nat64_prefixes=self.nat64_prefixes,
        )

    def lacking_for_production(self) -> list[str]:
        """What `api` and `worker` need and is not set, a sentence each."""
        lacking: list[str] = []
        if not isinstance(self.database, PostgresUrl):
            lacking.append(
                "HOOKWRIGHT_DATABASE: set it to postgresql://user:password@host/name "
                f"({self.database} is a file, which only `serve` uses)"
            )
        if not self.redis_url:
            lacking.append("HOOKWRIGHT_REDIS_URL: set it to redis://:password@host:6379/0")
        if not self.encryption_keys:
            lacking.append(
                "HOOKWRIGHT_ENCRYPTION_KEYS: set it, the same for every process, to `k1:` and "
                "what `openssl rand -base64 32` prints"
            )
        return lacking

    @property
    def is_shared(self) -> bool:
        """Whether several processes may work on the database: it is Postgres."""
        return isinstance(self.database, PostgresUrl)

    @property
    def database_file(self) -> Path:
        """The SQLite file; raises ValueError when the database is Postgres."""
        if isinstance(self.database, PostgresUrl):
            raise ValueError("HOOKWRIGHT_DATABASE is Postgres; this needs a SQLite file")
        return self.database

    @property
    def key_file(self) -> Path | None:
        """Where the sealing keys lie when the environment does not hold them.

        None with Postgres: every process needs them, so the environment must hold them.
        """
        if isinstance(self.database, PostgresUrl):
            return None
        return self.database.with_name(self.database.name + ".keys")


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        # Its own message may repeat a password.
        raise ValueError("it is not a URL") from None


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    user = f"{parts.username}@" if parts.username else ""
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{user}{parts.hostname or ''}{port}{parts.path}"

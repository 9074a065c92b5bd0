"""docs/scale.md: how cost grows, and what that makes of 10, 100 and 1,000 machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hookwright_benchmarks import report
from hookwright_benchmarks.results import Report, figure

_CORES, _BUSY = 4, 0.7
_DATABASE_CORES = 32
_PROCESSES = 4
_CONNECTIONS = 16
_FLEETS = (10, 100, 1_000)
_WAL_MB_PER_S = 200.0
_PER_DAY = 86_400

_INTRODUCTION = """\
# Scale

This document is written by `hookwright-bench --only scale` from the figures in
`benchmarks/results/`; edit neither. The first half is measured. The second half is arithmetic
with what was measured, and says so."""
_ENDPOINTS = """\
## Endpoints

A claim first finds endpoints that have due deliveries, and then takes a share of each. On SQLite
one look takes in all of them. On Postgres it takes in those of the 500 deliveries that fell due
last and, when more are due, 500 endpoints more, going round: a claim's cost stops growing there,
and of 10,000 endpoints with a backlog each one's turn comes with every 20th look."""
_BACKLOG = """\
## Backlog

200 endpoints; one of them has nine tenths of what is pending, and the oldest."""
_HISTORY = """\
## History

Finished deliveries stay until their retention ends. What is pending has indexes of its own, so
that neither claims nor results touch the history; an insert does, at the end of each index.
Pages are read by id."""
_READING = """\
## Reading

Two databases that differ in nothing but how many deliveries lie in the same 30 days, at the same 20
endpoints and events: all that analytics answers, and a page of 50 of each list by each filter.

A list walks an index from its newest row, so a filter that has no index of its own (events;
statuses other than `failed` and `dead_letter`) costs what it walks past: the more, the rarer what
is sought."""
_IN_30_DAYS = " deliveries in 30 days ÷ "
_PROCESSES_TEXT = """\
## Processes

A closed loop of 32 connections, two deliveries a message, on {cores} cores that the load
generator, the sink, Postgres and Redis share: nothing can get faster by more processes once the
processors are used up. What counts is the CPU of a message: it is what must not grow."""


_ARITHMETIC = """\
## 10, 100 and 1,000 machines

Arithmetic, not measurement. A machine here has {cores} cores like those measured and is {busy}
busy. Of a message with two deliveries, measured with one `api` process and one worker: API {api}
µs, worker {worker} µs, Postgres {postgres} µs, Redis {redis} µs, log {wal} KB.

API and workers share nothing but Postgres and Redis, so they multiply. Postgres does not: it is
one primary, taken here as {database_cores} cores and a disk that takes {log} MB/s of log. Redis
works on one core. Cores are taken as {busy} busy everywhere.

| part | most messages/s | because |
|---|---|---|
{parts}

| machines | they could do, messages/s | all can do | a day | what ends it | connections |
|---|---|---|---|---|---|
{fleets}

Connections: {processes} `api` processes and {processes} workers a machine, with the default of at
most {connections} connections each.

{breaks}"""


def markdown(embedded: Report, production: Report) -> str:
    """The document; equal reports give equal text."""
    parts = [
        _INTRODUCTION,
        _lines(_conditions(embedded, production)),
        f"{_ENDPOINTS}\n\n{_section((embedded, production), 'endpoints')}",
        f"{_BACKLOG}\n\n{_section((embedded, production), 'pending')}",
        f"{_HISTORY}\n\n{_history(embedded, production)}",
        *_reading(embedded, production),
        _processes(production),
        _arithmetic(production),
    ]
    return "\n\n".join(parts) + "\n"


def _conditions(embedded: Report, production: Report) -> Iterator[str]:
    yield from report.conditions(production)
    if embedded.commit != production.commit:
        yield f"- The figures of SQLite: on {embedded.date} at commit {embedded.commit}."


def _lines(lines: Iterator[str]) -> str:
    return "\n".join(lines)


def _section(reports: Sequence[Report], ending: str) -> str:
    """The rows whose promise ends so, one column for each back end."""
    embedded, production = (
        {row.promise: row for row in each.rows if row.promise.endswith(ending)} for each in reports
    )
    lines = ["| | SQLite, ms CPU | Postgres, ms |", "|---|---|---|"]
    for promise, row in production.items():
        other = embedded.get(promise)
        told = figure(other.measured) if other is not None else ""
        lines.append(f"| {promise} | {told} | {figure(row.measured)} |")
    return "\n".join(lines)


def _history(*reports: Report) -> str:
    rows = [
        row
        for each in reports
        for row in each.rows
        if _IN_30_DAYS not in row.promise
        and (" deliveries ÷ " in row.promise or row.promise.startswith("the larger of these"))
    ]
    return _lines(report.table(rows))


def _reading(*reports: Report) -> Iterator[str]:
    rows = [
        row
        for each in reports
        for row in each.rows
        if _IN_30_DAYS in row.promise or row.promise.endswith(": the larger of these")
    ]
    if rows:
        yield f"{_READING}\n\n{_lines(report.table(rows))}"


def _processes(production: Report) -> str:
    values = _values(production)
    forms = [name.partition(":")[0] for name in values if name.endswith(": accepted")]
    kinds = _kinds(values, forms[0])
    text = _PROCESSES_TEXT.format(cores=production.machine.cores)
    lines = [
        text,
        "",
        f"| | accepted/s | delivered/s | {' | '.join(f'{kind}, µs' for kind in kinds)} | sum, µs |",
        "|---|---|---|" + "---|" * (len(kinds) + 1),
    ]
    for form in forms:
        used = [values[f"{form}: CPU of {kind} a message"] for kind in kinds]
        rates = (values[f"{form}: accepted"], values[f"{form}: delivered"])
        cells = [figure(value) for value in (*rates, *used, sum(used))]
        lines.append(f"| {form} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _values(found: Report) -> dict[str, float]:
    return {row.promise: row.measured for row in found.rows}


def _kinds(values: dict[str, float], form: str) -> list[str]:
    start, end = f"{form}: CPU of ", " a message"
    return [name.removeprefix(start).removesuffix(end) for name in values if name.startswith(start)]


@dataclass(frozen=True, slots=True)
class _Costs:
    """Of a message with two deliveries: CPU microseconds, and kilobytes of log."""

    api: float
    worker: float
    postgres: float
    redis: float
    wal_kb: float
    look_ms: float

    @classmethod
    def of(cls, values: dict[str, float]) -> _Costs:
        form = next(name.partition(":")[0] for name in values if name.endswith(": accepted"))

        def cpu(kind: str) -> float:
            return values[f"{form}: CPU of {kind} a message"]

        looks = [v for name, v in values.items() if name.startswith("finding who waits")]
        return cls(
            api=cpu("door") + cpu("api"),
            worker=cpu("worker"),
            postgres=cpu("postgres"),
            redis=cpu("redis"),
            wal_kb=values["log (WAL) a message, with 2 deliveries"],
            look_ms=max(looks),
        )


def _arithmetic(production: Report) -> str:
    each = _Costs.of(_values(production))
    ours = each.api + each.worker
    machine = _CORES * _BUSY * 1e6 / ours
    database = _DATABASE_CORES * _BUSY * 1e6 / each.postgres
    log = _WAL_MB_PER_S * 1000 / each.wal_kb
    redis = _BUSY * 1e6 / each.redis if each.redis else float("inf")
    limit = min(database, log, redis)
    first = {database: "Postgres' CPU", log: "Postgres' log", redis: "Redis' one core"}[limit]
    rows = (
        ("one machine of API and workers", machine, f"{_CORES} cores", f"{figure(ours)} µs"),
        ("Postgres, CPU", database, f"{_DATABASE_CORES} cores", f"{figure(each.postgres)} µs"),
        ("Postgres, log", log, f"{_WAL_MB_PER_S:.0f} MB/s", f"{figure(each.wal_kb)} KB"),
        ("Redis", redis, "1 core", f"{figure(each.redis)} µs"),
    )
    return _ARITHMETIC.format(
        cores=_CORES,
        busy=f"{_BUSY:.0%}",
        api=figure(each.api),
        worker=figure(each.worker),
        postgres=figure(each.postgres),
        redis=figure(each.redis),
        wal=figure(each.wal_kb),
        database_cores=_DATABASE_CORES,
        log=f"{_WAL_MB_PER_S:.0f}",
        parts="\n".join(f"| {what} | {figure(most)} | {a} ÷ {b} |" for what, most, a, b in rows),
        fleets="\n".join(_fleet(count, machine, limit, first) for count in _FLEETS),
        processes=_PROCESSES,
        connections=_CONNECTIONS,
        breaks="\n".join(_breaks(each, machine, limit, first)),
    )


def _fleet(count: int, machine: float, limit: float, first: str) -> str:
    could = count * machine
    does = min(could, limit)
    ends = "the machines themselves" if could < limit else first
    connections = count * 2 * _PROCESSES * _CONNECTIONS
    return (
        f"| {count:,} | {figure(could)} | {figure(does)} | {figure(does * _PER_DAY / 1e6)} M | "
        f"{ends} | {connections:,} |"
    )


def _breaks(each: _Costs, machine: float, limit: float, first: str) -> Iterator[str]:
    workers = 1_000 * _PROCESSES
    looking = workers * each.look_ms / 1000
    yield "Where it breaks, in this order:"
    yield ""
    yield (
        f"1. **{first}**, at about {figure(limit)} messages/s, which "
        f"{figure(limit / machine)} machines reach. More machines beyond that add nothing. "
        "The way on is several databases, each with its own accounts: no row refers to one of "
        "another account. Nothing in the code does that yet."
    )
    yield (
        f"2. **Connections.** {_FLEETS[1] * 2 * _PROCESSES * _CONNECTIONS:,} at 100 machines is "
        "more than one Postgres should hold. Set `HOOKWRIGHT_DATABASE_CONNECTIONS` to 3 or 4 "
        "there: one of them writes, and group commit needs no more; or a pooler by session."
    )
    yield (
        f"3. **Idle looks.** Each worker looks for due deliveries once a second even when nobody "
        f"wakes it; with a backlog of 500 endpoints or more that takes {figure(each.look_ms)} ms. "
        f"{workers:,} workers keep {figure(looking)} cores of Postgres busy with looking at what "
        "others have already. Workers are a matter of CPU for sending: a few hundred "
        "are the sensible end."
    )
    yield (
        "4. **One endpoint.** At most `max_concurrency` of its deliveries are under way over all "
        "machines, and one claimer at a time has it: more machines make no endpoint faster."
    )
    yield ""
    yield (
        "Not measured: more than one machine, networks with latency between them, Postgres on "
        "more than the cores named above, lock contention between dozens of claimers, checkpoints "
        "and vacuum over days, replication (a synchronous standby adds its round trip to every "
        "202), and history beyond what is named above."
    )

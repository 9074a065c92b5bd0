"""The numbers behind the report's charts. Places are percent of a chart's width and height."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Final

from hookwright_server.demo.ledger import Ledger, Outage, Publication, Receipt
from hookwright_server.demo.screen import News

KINDS: Final = ("first", "again", "refused")
"""Taken at the first try, taken later, not taken: from the bottom of a bar to its top."""

_BIN_S: Final = 0.25
_X_TICKS: Final = 8
_Y_TICKS: Final = 4
_LEAST_MS: Final = 0.1
_DECADES: Final = 5  # from 0.1 ms to 10 s
_MARKED: Final = (
    "endpoint_disabled",
    "endpoint_paused",
    "killed",
    "restarted",
    "endpoint_released",
)


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a bar, measured from the top left."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    title: str


@dataclass(frozen=True, slots=True)
class Dot:
    x: float
    y: float
    inside_outage: bool


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment of the story: its place, its number, and what happened."""

    x: float
    number: int
    news: News


@dataclass(frozen=True, slots=True)
class Charts:
    """Both charts of the report, over the same time."""

    x_ticks: tuple[Tick, ...]
    marks: tuple[Mark, ...]
    outage_x: float
    outage_width: float
    rate_ticks: tuple[Tick, ...]
    blocks: tuple[Block, ...]
    latency_ticks: tuple[Tick, ...]
    dots: tuple[Dot, ...]


@dataclass(frozen=True, slots=True)
class _Span:
    start: float
    end: float

    def x(self, at: float) -> float:
        share = (at - self.start) / (self.end - self.start)
        return round(100 * min(1.0, max(0.0, share)), 3)


def charts(ledger: Ledger, outage: Outage, news: Sequence[News]) -> Charts:
    """Everything drawn, from the notes of a demo."""
    span = _span(ledger, outage)
    bins = _bins(ledger, span)
    highest = max((sum(counts.values()) for counts in bins), default=1) / _BIN_S
    top = _round_up(highest)
    killed, ready = span.x(outage.killed_at), span.x(outage.ready_at)
    told = [each for each in news if each.event in _MARKED]
    return Charts(
        x_ticks=_seconds(span),
        marks=tuple(Mark(span.x(each.at), n, each) for n, each in enumerate(told, 1)),
        outage_x=killed,
        outage_width=round(ready - killed, 3),
        rate_ticks=tuple(
            Tick(100 - 100 * n / _Y_TICKS, f"{top * n / _Y_TICKS:g}") for n in range(_Y_TICKS + 1)
        ),
        blocks=tuple(_blocks(bins, span, top)),
        latency_ticks=tuple(
            Tick(100 - 100 * n / _DECADES, label)
            for n, label in enumerate(("0.1 ms", "1 ms", "10 ms", "100 ms", "1 s", "10 s"))
        ),
        dots=tuple(_dots(ledger, outage, span)),
    )


def _span(ledger: Ledger, outage: Outage) -> _Span:
    starts = [each.called_at for each in ledger.publications.values()]
    ends = [each.at for each in ledger.receipts]
    return _Span(
        floor(min(starts, default=outage.killed_at)), ceil(max([*ends, outage.ready_at])) + 0.0
    )


def _seconds(span: _Span) -> tuple[Tick, ...]:
    step = max(1, ceil((span.end - span.start) / _X_TICKS))
    return tuple(
        Tick(span.x(second), f"{second} s")
        for second in range(int(span.start), int(span.end) + 1, step)
    )


def _bins(ledger: Ledger, span: _Span) -> list[Counter[str]]:
    bins = [Counter[str]() for _ in range(ceil((span.end - span.start) / _BIN_S))]
    for requests in ledger.arrivals().values():
        for number, receipt in enumerate(requests):
            place = int((receipt.at - span.start) / _BIN_S)
            if 0 <= place < len(bins):
                bins[place][_kind(receipt, number)] += 1
    return bins


def _kind(receipt: Receipt, earlier: int) -> str:
    if not receipt.taken:
        return "refused"
    return "again" if earlier else "first"


def _blocks(bins: list[Counter[str]], span: _Span, top: float) -> Iterator[Block]:
    width = 100 * _BIN_S / (span.end - span.start)
    for place, counts in enumerate(bins):
        floor_y = 100.0
        for kind in KINDS:
            height = 100 * counts[kind] / _BIN_S / top
            floor_y -= height
            if counts[kind]:
                at = span.start + place * _BIN_S
                title = f"{at:.2f} s: {counts[kind] / _BIN_S:g} a second"
                x, y = round(place * width, 3), round(floor_y, 3)
                yield Block(x, y, round(width * 0.86, 3), round(height, 3), kind, title)


def _dots(ledger: Ledger, outage: Outage, span: _Span) -> Iterator[Dot]:
    outside = {publication.message_id for publication, _ in ledger.latencies(outage)}
    for publication, receipt in ledger.latencies(None):
        x = span.x(publication.accepted_at)
        yield Dot(x, _latency_y(publication, receipt), publication.message_id not in outside)


def _latency_y(publication: Publication, receipt: Receipt) -> float:
    waited_ms = max(_LEAST_MS, (receipt.at - publication.accepted_at) * 1000)
    return round(max(0.0, 100 - 100 * log10(waited_ms / _LEAST_MS) / _DECADES), 3)


def _round_up(value: float) -> float:
    """The next number that is easily read, of which a quarter is too."""
    magnitude = 10.0 ** floor(log10(max(value, 1)))
    return next(step * magnitude for step in (1, 2, 4, 8, 10, 20) if step * magnitude >= value)

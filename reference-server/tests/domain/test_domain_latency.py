"""Histograms of latencies: exact where they are short, two percent off at most."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookwright_server.domain.latency import Histogram, bin_of

LATENCIES = st.one_of(st.integers(0, 100), st.integers(0, 60_000), st.integers(0, 2**40))

BINS = st.dictionaries(LATENCIES.map(bin_of), st.integers(1, 2**40))


def counted(latencies: list[int]) -> Histogram:
    """These latencies."""
    histogram = Histogram()
    for each in latencies:
        histogram.count(each)
    return histogram


@given(st.lists(LATENCIES, min_size=1), st.integers(1, 100))
def test_a_percentile_is_two_percent_off_at_most(latencies: list[int], percent: int) -> None:
    """By nearest rank: as many values as that share lie at or below the true one."""
    ranked = sorted(latencies)
    true = ranked[-(-len(ranked) * percent // 100) - 1]
    [told] = counted(latencies).percentiles(percent)

    assert abs(told - true) <= 0.02 * true


@given(st.integers(0, 63))
def test_short_latencies_are_exact(latency_ms: int) -> None:
    """Below 64 ms every millisecond is its own bin."""
    assert [latency_ms] * 2 == [bin_of(latency_ms), *counted([latency_ms]).percentiles(99)]


@given(LATENCIES, LATENCIES)
def test_bins_are_ordered(one: int, other: int) -> None:
    """A longer latency is in no lower bin, and a bin begins where its values begin."""
    low, high = sorted((one, other))

    assert bin_of(low) <= bin_of(high) <= high
    assert bin_of(bin_of(low)) == bin_of(low)


def test_nothing_has_no_percentile() -> None:
    """Whoever counted nothing must not ask."""
    with pytest.raises(ValueError, match="no latency"):
        Histogram().percentiles(50)


@given(BINS)
def test_a_histogram_is_read_as_it_was_written(bins: dict[int, int]) -> None:
    """In the order of its bins; what was written as an object is read too."""
    read = Histogram.read(Histogram(bins).text())

    assert sorted(bins.items()) == list(read.bins.items())
    assert Histogram(bins) == Histogram.read(json.dumps(bins)) == read


@given(BINS, BINS, st.lists(LATENCIES))
def test_what_was_read_is_added_to_like_any_other(
    stored: dict[int, int], more: dict[int, int], latencies: list[int]
) -> None:
    """Counts of both add up, whether a histogram was read or made; the one added stays as it is."""
    sums, added = Histogram.read(Histogram(stored).text()), Histogram.read(Histogram(more).text())
    sums.add(added)
    for each in latencies:
        sums.count(each)

    assert Counter(stored) + Counter(more) + Counter(map(bin_of, latencies)) == sums.bins
    assert Histogram(more) == added
    assert Histogram(sums.bins).text() == sums.text()
    assert not sums.bins or Histogram(sums.bins).percentiles(1, 50) == sums.percentiles(1, 50)

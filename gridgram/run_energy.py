"""The energy of a run that is followed while it goes on: samples, laid on hours so that their order does not matter.

A tracker tells either what it used since its last word (`DELTA`) or what it used so far (`TOTAL`). Samples may overlap by the second or two
that trackers lose to rounding: each is laid on the hours by itself, so no energy is lost or counted twice.
"""

from __future__ import annotations

from collections import defaultdict
from enum import StrEnum
from math import fsum
from typing import TYPE_CHECKING, Final, NamedTuple

from gridgram.profile import flat_profile

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SAME_SECOND: Final = 1_000_000
"""Two totals of one second are told apart by their energy alone; what is between them is laid on the second before. [microseconds]"""


class Counting(StrEnum):
    """What the number of a sample counts."""

    DELTA = "delta"
    TOTAL = "total"


class Sample(NamedTuple):
    """Energy in [start, end), in microseconds since 1970, and what the tracker says it emitted, None when nothing. [kWh, g]"""

    start: int
    end: int
    kwh: float
    tracker_g: float | None = None


def increments(totals: Iterable[Sample]) -> list[Sample]:
    """What is new in each of the totals of one run, in order of time: the first whole, then the differences.

    Raises ValueError for a total that is lower than an earlier one: that is another counter.
    """
    parts: list[Sample] = []
    before: Sample | None = None
    for total in sorted(totals, key=lambda sample: (sample.end, sample.kwh)):
        if before is None:
            parts.append(total)
        elif total.kwh < before.kwh:
            raise ValueError("a total is lower than an earlier one of the same run")
        else:
            start = before.end if total.end > before.end else total.end - SAME_SECOND
            tracker_g = None if total.tracker_g is None or before.tracker_g is None else total.tracker_g - before.tracker_g
            parts.append(Sample(start, total.end, total.kwh - before.kwh, tracker_g))
        before = total
    return parts


def hourly_kwh(samples: Sequence[Sample]) -> dict[int, float]:
    """The energy of each UTC hour, by its number, ascending. [kWh]

    Each hour is summed exactly before it is rounded once, so that samples in any order give the same bits.
    """
    parts: dict[int, list[float]] = defaultdict(list)
    for start, end, kwh, _ in samples:
        profile = flat_profile(start, end, kwh)
        for hour, hour_kwh in zip(profile.hours, profile.kwh, strict=True):
            parts[hour].append(hour_kwh)
    return {hour: fsum(parts[hour]) for hour in sorted(parts)}


def total_kwh(samples: Iterable[Sample]) -> float:
    """The energy of all samples. [kWh]"""
    return fsum(sample.kwh for sample in samples)


def tracker_total_g(samples: Sequence[Sample]) -> float | None:
    """What the tracker says it emitted in all; None unless it says so for every sample. [gCO2e]"""
    told = [sample.tracker_g for sample in samples if sample.tracker_g is not None]
    return fsum(told) if samples and len(told) == len(samples) else None

"""Energy times intensity: the emissions of one job, with the share of its energy by source and quality.

    emissions = sum over hours of kWh x PUE x gCO2e/kWh

Energy is what the meter at the computers saw; PUE (power usage effectiveness, ISO/IEC 30134-2) turns it into what the facility drew.
The low and the high end add the hours' p10 and p90 as if all hours erred together: an outer bound for a job of many hours.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from math import fsum
from operator import mul
from typing import TYPE_CHECKING

import numpy as np

from gridgram.interval import MICROSECONDS_PER_HOUR
from gridgram.quality import MISSING_CODE, QUALITIES, QUALITY_CODES, Quality, Scope
from gridgram.series import IntensitySeries, Source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gridgram.profile import EnergyProfile
    from gridgram.quality import Signal
    from gridgram.sums import MonthChunk, Run

VECTOR_HOURS = 64
"""From this many hours on numpy is quicker than plain Python (bench/account.py)."""


@dataclass(frozen=True, slots=True)
class EnergyShare:
    """The part of a job's energy whose intensity came from one source at one quality; all shares of a job add up to 1."""

    source: Source
    quality: Quality
    share: float


@dataclass(frozen=True, slots=True)
class HourColumns:
    """A job hour by hour, as columns of equal length: `kwh` as the facility drew it, intensity and its band in gCO2e/kWh."""

    hours: Sequence[int]
    kwh: list[float]
    g_per_kwh: list[float]
    low: list[float]
    high: list[float]
    quality: bytes
    source: bytes
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Emissions:
    """What a job emitted. [kWh, gCO2e, gCO2e/kWh]

    `intensity_g_per_kwh` is the mean that the job saw: weighed by its energy, or by time when it used none.
    """

    energy_kwh: float
    facility_energy_kwh: float
    emissions_g: float
    emissions_low_g: float
    emissions_high_g: float
    intensity_g_per_kwh: float
    shares: tuple[EnergyShare, ...]

    @property
    def coverage(self) -> dict[Quality, float]:
        """The share of the energy by quality, best first."""
        share_by_quality: dict[Quality, float] = {}
        for part in self.shares:  # best quality first
            share_by_quality[part.quality] = share_by_quality.get(part.quality, 0.0) + part.share
        return share_by_quality


def hours_worse_than(min_quality: Quality, profile: EnergyProfile, series: IntensitySeries) -> list[int]:
    """The hours of the profile that the series misses or holds only at a worse quality than asked for; `series` spans them all."""
    worst = QUALITY_CODES[min_quality]
    quality = series.quality.tobytes()
    if MISSING_CODE not in quality and max(quality) <= worst:
        return []
    first_hour = series.first_hour
    return [hour for hour in profile.hours if not MISSING_CODE < quality[hour - first_hour] <= worst]


def account(profile: EnergyProfile, series: IntensitySeries, pue: float = 1.0) -> Emissions:
    """Multiply each hour's energy by that hour's intensity and add up. [kWh x gCO2e/kWh -> g]

    Raises ValueError when the series lacks an hour of the profile: an hour without intensity is never counted as zero.
    """
    held = _select_hours(profile, series)
    if MISSING_CODE in held.quality.tobytes():
        raise ValueError("the series misses hours of the profile")
    energy_kwh = profile.total_kwh
    weights = profile.kwh if any(profile.kwh) else _durations(profile)
    if len(profile.kwh) < VECTOR_HOURS:
        grams, low, high = (fsum(map(mul, profile.kwh, rate.tolist())) for rate in (held.g_per_kwh, held.low, held.high))
    else:
        kwh = np.asarray(profile.kwh)
        grams, low, high = (float(kwh @ rate) for rate in (held.g_per_kwh, held.low, held.high))
    return Emissions(
        energy_kwh=energy_kwh,
        facility_energy_kwh=energy_kwh * pue,
        emissions_g=grams * pue,
        emissions_low_g=low * pue,
        emissions_high_g=high * pue,
        intensity_g_per_kwh=grams / energy_kwh if weights is profile.kwh else float(np.average(held.g_per_kwh, weights=weights)),
        shares=_shares(weights, held),
    )


def hour_columns(profile: EnergyProfile, series: IntensitySeries, pue: float = 1.0) -> HourColumns:
    """The hours behind `account`: energy x intensity of each, added up, gives its totals again."""
    held = _select_hours(profile, series)
    return HourColumns(
        profile.hours,
        [kwh * pue for kwh in profile.kwh],
        held.g_per_kwh.tolist(),
        held.low.tolist(),
        held.high.tolist(),
        held.quality.tobytes(),
        held.source.tobytes(),
        held.sources,
    )


def account_flat(start: int, end: int, total_kwh: float, chunks: Sequence[MonthChunk], pue: float = 1.0) -> Emissions:
    """As `account`, for energy spread evenly over [start, end), from the running sums of the months that hold the span.

    The cost does not grow with the hours. Raises ValueError when an hour of the span is missing.
    """
    g_hours = low_hours = high_hours = 0.0
    duration_by_kind = Counter[tuple[int, Source]]()
    for chunk in chunks:
        for run, held_from, held_to in _runs_inside(chunk, start, end):
            if run.quality == MISSING_CODE:
                raise ValueError("the series misses hours of the span")
            duration_by_kind[run.quality, chunk.series.sources[run.source]] += held_to - held_from
        first_hour, end_hour = chunk.series.first_hour, chunk.series.end_hour
        grams, low, high = chunk.integral(max(start, first_hour * MICROSECONDS_PER_HOUR), min(end, end_hour * MICROSECONDS_PER_HOUR))
        g_hours, low_hours, high_hours = g_hours + grams, low_hours + low, high_hours + high
    hours = (end - start) / MICROSECONDS_PER_HOUR
    facility_kwh = total_kwh * pue
    return Emissions(
        energy_kwh=total_kwh,
        facility_energy_kwh=facility_kwh,
        emissions_g=facility_kwh * g_hours / hours,
        emissions_low_g=facility_kwh * low_hours / hours,
        emissions_high_g=facility_kwh * high_hours / hours,
        intensity_g_per_kwh=g_hours / hours,
        shares=tuple(
            EnergyShare(source, QUALITIES[quality - 1], duration / (end - start))
            for (quality, source), duration in sorted(duration_by_kind.items(), key=lambda kind: kind[0][0])
        ),
    )


def flat_hours_worse_than(min_quality: Quality, start: int, end: int, chunks: Sequence[MonthChunk]) -> list[int]:
    """As `hours_worse_than`, for the span [start, end)."""
    worst = QUALITY_CODES[min_quality]
    return [
        hour
        for chunk in chunks
        for run, held_from, held_to in _runs_inside(chunk, start, end)
        if not MISSING_CODE < run.quality <= worst
        for hour in range(held_from // MICROSECONDS_PER_HOUR, -(-held_to // MICROSECONDS_PER_HOUR))
    ]


def _runs_inside(chunk: MonthChunk, start: int, end: int) -> list[tuple[Run, int, int]]:
    """The runs of the month that overlap [start, end), each with the overlap. [microseconds]"""
    overlaps = [
        (run, max(start, run.first_hour * MICROSECONDS_PER_HOUR), min(end, run.end_hour * MICROSECONDS_PER_HOUR)) for run in chunk.runs
    ]
    return [overlap for overlap in overlaps if overlap[1] < overlap[2]]


def given_series(profile: EnergyProfile, g_per_kwh: float, signal: Signal) -> IntensitySeries:
    """A flat intensity that the caller supplies in place of the grid, over the hours of the profile; quality `given`."""
    first_hour = profile.hours[0]
    hours = profile.end_hour - first_hour
    flat = np.full(hours, g_per_kwh)
    source = Source(
        "given", signal, Scope.UNSTATED, "none", "the request", detail="the intensity that came with the request, used for every hour"
    )
    quality = np.full(hours, QUALITY_CODES[Quality.GIVEN], np.uint8)
    return IntensitySeries("", signal, first_hour, flat, flat, flat, quality, np.zeros(hours, np.uint8), (source,))


def _durations(profile: EnergyProfile) -> list[float]:
    """How long the job runs in each of its hours; where it has gaps, from its start to its end. [microseconds]"""
    starts = (hour * MICROSECONDS_PER_HOUR for hour in profile.hours)
    return [float(min(start + MICROSECONDS_PER_HOUR, profile.end) - max(start, profile.start)) for start in starts]


def _select_hours(profile: EnergyProfile, series: IntensitySeries) -> IntensitySeries:
    """The part of the series that the profile uses; where the profile has gaps, its hours closed up."""
    first_hour = profile.hours[0]
    window = series.window(first_hour, profile.end_hour)
    if len(profile.hours) == len(window.g_per_kwh):
        return window
    used = np.asarray(profile.hours) - first_hour
    return replace(
        window,
        g_per_kwh=window.g_per_kwh[used],
        low=window.low[used],
        high=window.high[used],
        quality=window.quality[used],
        source=window.source[used],
    )


def _shares(weights: Sequence[float], held: IntensitySeries) -> tuple[EnergyShare, ...]:
    """The share of the weights by quality and source, best quality first."""
    quality, source = held.quality.tobytes(), held.source.tobytes()
    if quality.count(quality[0]) == len(quality) and source.count(source[0]) == len(source):
        return (_energy_share(held, quality[0], source[0], 1.0),)
    kinds = (held.quality.astype(np.uint16) << 8) | held.source
    found, places = np.unique(kinds, return_inverse=True)
    sums = np.bincount(places, weights)
    return tuple(
        _energy_share(held, int(kind) >> 8, int(kind) & 0xFF, float(share)) for kind, share in zip(found, sums / sums.sum(), strict=True)
    )


def _energy_share(held: IntensitySeries, quality: int, source: int, share: float) -> EnergyShare:
    return EnergyShare(held.sources[source], QUALITIES[quality - 1], share)

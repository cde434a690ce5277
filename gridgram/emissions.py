"""Energy times intensity: the emissions of one job, with the share of its energy by source and quality.

    emissions = sum over hours of kWh x PUE x gCO2e/kWh

Energy is what the meter at the computers saw; PUE (power usage effectiveness, ISO/IEC 30134-2) turns it into what the facility drew.
The low and the high end add the hours' p10 and p90 as if all hours erred together: an outer bound for a job of many hours.
"""

from __future__ import annotations

from collections import Counter
from math import fsum
from operator import mul
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gridgram.interval import MICROSECONDS_PER_HOUR
from gridgram.quality import MISSING_CODE, QUALITIES, QUALITY_CODES, Quality, Scope
from gridgram.series import IntensitySeries, Source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gridgram.profile import EnergyProfile
    from gridgram.quality import Signal
    from gridgram.sums import MonthChunk, Run


class EnergyShare(NamedTuple):
    """The part of a job's energy whose intensity came from one source at one quality; all shares of a job add up to 1."""

    source: Source
    quality: Quality
    share: float


class HourColumns(NamedTuple):
    """A job hour by hour, as columns of equal length: `kwh` as the facility drew it, intensity and its band in gCO2e/kWh."""

    hours: Sequence[int]
    kwh: Sequence[float]
    g_per_kwh: list[float]
    low: list[float]
    high: list[float]
    quality: bytes
    source: bytes
    sources: tuple[Source, ...]


class Emissions(NamedTuple):
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
        if len(self.shares) == 1:
            return {self.shares[0].quality: self.shares[0].share}
        share_by_quality: dict[Quality, float] = {}
        for part in self.shares:  # best quality first
            share_by_quality[part.quality] = share_by_quality.get(part.quality, 0.0) + part.share
        return share_by_quality


def hours_worse_than(min_quality: Quality, columns: HourColumns) -> list[int]:
    """The hours that are missing or held only at a worse quality than asked for."""
    worst = QUALITY_CODES[min_quality]
    if MISSING_CODE not in columns.quality and max(columns.quality) <= worst:
        return []
    return [hour for hour, quality in zip(columns.hours, columns.quality, strict=True) if not MISSING_CODE < quality <= worst]


def account(profile: EnergyProfile, series: IntensitySeries, pue: float = 1.0) -> Emissions:
    """Multiply each hour's energy by that hour's intensity and add up. [kWh x gCO2e/kWh -> g]

    Raises ValueError when the series lacks an hour of the profile: an hour without intensity is never counted as zero.
    """
    return account_columns(profile, hour_columns(profile, series, pue), pue)


def account_columns(profile: EnergyProfile, columns: HourColumns, pue: float = 1.0) -> Emissions:
    """As `account`, from the columns that `hour_columns` gave for the profile and the same PUE. Raises ValueError as it does."""
    if MISSING_CODE in columns.quality:
        raise ValueError("the series misses hours of the profile")
    kwh = profile.kwh
    grams, low, high = fsum(map(mul, kwh, columns.g_per_kwh)), fsum(map(mul, kwh, columns.low)), fsum(map(mul, kwh, columns.high))
    energy_kwh, has_energy = profile.total_kwh, any(kwh)
    weights = kwh if has_energy else _durations(profile)
    return Emissions(
        energy_kwh,
        energy_kwh * pue,
        grams * pue,
        low * pue,
        high * pue,
        grams / energy_kwh if has_energy else float(np.average(columns.g_per_kwh, weights=weights)),
        _shares(weights, columns),
    )


def hour_columns(profile: EnergyProfile, series: IntensitySeries, pue: float = 1.0) -> HourColumns:
    """The hours of a profile beside those of a series, which must span them all; an hour that the series lacks has quality 0 and NaN."""
    hours = profile.hours
    first = hours[0] - series.first_hour
    if first < 0 or profile.end_hour > series.end_hour:
        msg = f"hours {hours[0]} to {profile.end_hour} are not all inside {series.first_hour} to {series.end_hour}"
        raise ValueError(msg)
    places: slice | NDArray[np.int64] = slice(first, first + len(hours))
    if profile.end_hour - hours[0] != len(hours):  # the profile has gaps
        places = np.asarray(hours) - series.first_hour
    return HourColumns(
        hours,
        profile.kwh if pue == 1 else [kwh * pue for kwh in profile.kwh],
        series.g_per_kwh[places].tolist(),
        series.low[places].tolist(),
        series.high[places].tolist(),
        series.quality[places].tobytes(),
        series.source[places].tobytes(),
        series.sources,
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


def _shares(weights: Sequence[float], columns: HourColumns) -> tuple[EnergyShare, ...]:
    """The share of the weights by quality and source, best quality first."""
    quality, source = columns.quality, columns.source
    if quality.count(quality[0]) == len(quality) and source.count(source[0]) == len(source):
        return (EnergyShare(columns.sources[source[0]], QUALITIES[quality[0] - 1], 1.0),)
    weight_by_kind: dict[tuple[int, int], float] = {}
    for kind, weight in zip(zip(quality, source, strict=True), weights, strict=True):
        weight_by_kind[kind] = weight_by_kind.get(kind, 0.0) + weight
    total = sum(weight_by_kind.values())
    return tuple(
        EnergyShare(columns.sources[kind[1]], QUALITIES[kind[0] - 1], weight_by_kind[kind] / total) for kind in sorted(weight_by_kind)
    )

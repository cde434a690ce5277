"""Energy times intensity: the emissions of one job, with the share of its energy by source and quality.

    emissions = sum over hours of kWh x PUE x gCO2e/kWh

Energy is what the meter at the computers saw; PUE (power usage effectiveness, ISO/IEC 30134-2) turns it into what the facility drew.
The low and the high end add the hours' p10 and p90 as if all hours erred together: an outer bound for a job of many hours.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from operator import mul
from typing import TYPE_CHECKING

import numpy as np

from gridgram.quality import MISSING_CODE, QUALITIES, QUALITY_CODES, Quality
from gridgram.series import IntensitySeries, Source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gridgram.profile import EnergyProfile
    from gridgram.quality import Scope, Signal

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

    `intensity_g_per_kwh` is the mean that the job saw: weighed by its energy, or by its hours when it used none.
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
        by_quality = Counter[Quality]()
        for part in self.shares:
            by_quality[part.quality] += part.share  # type: ignore[assignment]  # a Counter adds floats as well as ints
        return {quality: by_quality[quality] for quality in QUALITIES if quality in by_quality}


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
    if len(profile.kwh) < VECTOR_HOURS:
        energy_kwh = sum(profile.kwh)
        grams, low, high = (sum(map(mul, profile.kwh, rate.tolist())) for rate in (held.g_per_kwh, held.low, held.high))
    else:
        kwh = np.asarray(profile.kwh)
        energy_kwh = float(kwh.sum())
        grams, low, high = (float(kwh @ rate) for rate in (held.g_per_kwh, held.low, held.high))
    return Emissions(
        energy_kwh=energy_kwh,
        facility_energy_kwh=energy_kwh * pue,
        emissions_g=grams * pue,
        emissions_low_g=low * pue,
        emissions_high_g=high * pue,
        intensity_g_per_kwh=grams / energy_kwh if energy_kwh > 0 else float(held.g_per_kwh.mean()),
        shares=_shares(profile.kwh if energy_kwh > 0 else [1.0] * len(profile.kwh), held),
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


def given_series(profile: EnergyProfile, g_per_kwh: float, signal: Signal, scope: Scope) -> IntensitySeries:
    """A flat intensity that the caller supplies in place of the grid, over the hours of the profile; quality `given`."""
    first_hour = profile.hours[0]
    hours = profile.end_hour - first_hour
    flat = np.full(hours, g_per_kwh)
    source = Source("given", signal, scope, "", "", detail="the intensity that came with the request, used for every hour")
    quality = np.full(hours, QUALITY_CODES[Quality.GIVEN], np.uint8)
    return IntensitySeries("", signal, first_hour, flat, flat, flat, quality, np.zeros(hours, np.uint8), (source,))


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

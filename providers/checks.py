"""What every point of a source must pass before it becomes an hour: pure, the same for all sources.

A point that fails is dropped and listed; what is only doubtful is kept and its quality lowered to `estimated`.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from gridgram.fuels import Fuel
from gridgram.interval import EARLIEST, MICROSECONDS_PER_MINUTE, format_time, from_microseconds, to_microseconds
from gridgram.quality import QUALITY_CODES, Quality, Signal
from providers.base import IntensityPoint, MixPoint, PointFault

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

MAX_TOTAL_MW = 3_000_000.0
"""Twice what all of China generates at once."""
MIN_TOTAL_MW = 1.0
MAX_G_PER_KWH = 2_000.0
"""Above the worst plant there is: a thousand times any life-cycle intensity is beyond it."""
MIN_LIFECYCLE_G_PER_KWH = 3.0
"""Below the cleanest plant there is (nuclear, 5.1 by UNECE 2021): a thousandth of any grid's life-cycle intensity is."""
LEVEL_FACTOR = 50.0
"""A total this many times above or below the median of its batch is a slip of unit, not a grid."""
USUAL_SHARE = 0.9
"""A fuel that nine of ten points of a batch report is usual; where it is absent, the mix is incomplete."""
FEW_POINTS = 8
"""Fewer points than this say nothing about what is usual."""
NIGHT_SOLAR_SHARE = 0.05
SOLAR_SHARE = 0.005
"""Less solar energy than this says nothing about when noon is."""
FROZEN_POINTS = 36
"""So many equal mixes in a row: the feed repeats itself."""

Point = MixPoint | IntensityPoint


def check(points: Iterable[Point], now: datetime, longitude: float) -> tuple[list[Point], list[PointFault]]:
    """The points that can be used, doubtful ones marked, and the faults of the others. `longitude` [degrees] tells night from day."""
    sound: list[Point] = []
    faults: list[PointFault] = []
    for point in points:
        reason = _time_fault(point, now) or (_mix_fault(point) if isinstance(point, MixPoint) else intensity_fault(point))
        if reason:
            faults.append(_fault(point, reason))
        else:
            sound.append(point)
    mixes = [point for point in sound if isinstance(point, MixPoint)]
    slips = _level_slips(mixes)
    faults += [_fault(point, "the total is off by more than any grid's swing: a slip of unit?") for point in mixes if point.start in slips]
    doubts = _incomplete(mixes) | _sunny_nights(mixes, longitude) | _frozen(mixes)
    kept = (point for point in sound if point.start not in slips or not isinstance(point, MixPoint))
    return [_lowered(point) if point.start in doubts and isinstance(point, MixPoint) else point for point in kept], faults


def _fault(point: Point, reason: str) -> PointFault:
    return PointFault(format_time(from_microseconds(point.start)), reason)


def _time_fault(point: Point, now: datetime) -> str:
    if point.start < to_microseconds(EARLIEST):
        return "before 2000"
    if point.quality is not Quality.FORECAST and point.start > to_microseconds(now):
        return "a measured point in the future"
    return ""


def _mix_fault(point: MixPoint) -> str:
    if not all(math.isfinite(mw) for mw in point.mw.values()):
        return "a number that is not finite"
    total = sum(mw for mw in point.mw.values() if mw > 0)
    if total < MIN_TOTAL_MW:
        return "an empty mix"
    if total > MAX_TOTAL_MW:
        return f"{total:,.0f} MW in all, more than any grid generates"
    if any(mw < -0.1 * total for mw in point.mw.values()):
        return "a negative generation of more than a tenth of the total"
    return ""


def intensity_fault(point: IntensityPoint) -> str:
    """Why no grid can emit what is stated, "" where one can."""
    if not (math.isfinite(point.g_per_kwh) and 0 <= point.g_per_kwh <= MAX_G_PER_KWH):
        return f"{point.g_per_kwh:g} g/kWh, outside 0 to {MAX_G_PER_KWH:g}"
    if point.signal is Signal.LIFECYCLE and point.g_per_kwh < MIN_LIFECYCLE_G_PER_KWH:
        return f"{point.g_per_kwh:g} g/kWh, less than the cleanest plant there is causes over its life: a slip of unit?"
    return ""


def _level_slips(mixes: Sequence[MixPoint]) -> set[int]:
    """The starts of mixes whose total is off the batch's median by a factor that no grid swings."""
    if len(mixes) < FEW_POINTS:
        return set()
    totals = [sum(mw for mw in mix.mw.values() if mw > 0) for mix in mixes]
    median = sorted(totals)[len(totals) // 2]
    return {mix.start for mix, total in zip(mixes, totals, strict=True) if not median / LEVEL_FACTOR < total < median * LEVEL_FACTOR}


def _incomplete(mixes: Sequence[MixPoint]) -> set[int]:
    """The starts of mixes in which a fuel is absent that nearly all others of the batch report."""
    if len(mixes) < FEW_POINTS:
        return set()
    reported = Counter(fuel for mix in mixes for fuel in mix.mw)
    usual = {fuel for fuel, count in reported.items() if count >= USUAL_SHARE * len(mixes)}
    return {mix.start for mix in mixes if not usual <= mix.mw.keys()}


def _sunny_nights(mixes: Sequence[MixPoint], longitude: float) -> set[int]:
    """The starts of mixes with much solar power around solar midnight: a label that slipped by hours, or a wrong column."""
    return {
        mix.start
        for mix in mixes
        if _hours_from_solar_noon(mix, longitude) > 10  # noqa: PLR2004 - hours; night everywhere outside the polar circles
        and mix.mw.get(Fuel.SOLAR, 0.0) > NIGHT_SOLAR_SHARE * sum(mw for mw in mix.mw.values() if mw > 0)
    }


def _hours_from_solar_noon(mix: MixPoint, longitude: float) -> float:
    return abs(_solar_hour(mix, longitude) - 12)


def _solar_hour(mix: MixPoint, longitude: float) -> float:
    """Mean solar time in the middle of a point, 0 to 24."""
    middle = from_microseconds(mix.start + mix.minutes * MICROSECONDS_PER_MINUTE // 2)
    return (middle.hour + middle.minute / 60 + longitude / 15) % 24


def solar_noon_minutes(points: Sequence[Point], longitude: float) -> float | None:
    """How many minutes after solar noon the solar power of a batch centres; None where it tells of next to none.

    The labels of a source have slipped when this is near an hour; tracking, a wide zone and the equation of time explain half an hour.
    """
    weighed = [
        (_solar_hour(point, longitude) - 12, point.mw.get(Fuel.SOLAR, 0.0) * point.minutes)
        for point in points
        if isinstance(point, MixPoint)
    ]
    total = sum(weight for _, weight in weighed if weight > 0)
    everything = sum(mw * point.minutes for point in points if isinstance(point, MixPoint) for mw in point.mw.values() if mw > 0)
    if total <= SOLAR_SHARE * everything:
        return None
    return 60 * sum(hour * weight for hour, weight in weighed if weight > 0) / total


def _frozen(mixes: Sequence[MixPoint]) -> set[int]:
    """The starts of mixes that repeat the one before for long: all but the first of such a run."""
    frozen: set[int] = set()
    run: list[int] = []
    for previous, mix in pairwise(mixes):
        if dict(mix.mw) != dict(previous.mw):
            run = []
            continue
        run.append(mix.start)
        if len(run) >= FROZEN_POINTS:
            frozen.update(run)
    return frozen


def _lowered(point: MixPoint) -> MixPoint:
    worse = QUALITY_CODES[point.quality] >= QUALITY_CODES[Quality.ESTIMATED]
    return point if worse else replace(point, quality=Quality.ESTIMATED)
